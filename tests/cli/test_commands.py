"""The commands on a simulated node, one after the other, as a user types them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sharedrange.assessment.engines import ENGINES
from sharedrange.assessment.writing import PRESETS
from sharedrange.cli.commands import Preset, read_assignments
from sharedrange.core.answer import Answer
from sharedrange.core.errors import DidNotConverge
from sharedrange.core.finding import Finding

Line = Callable[..., Any]
NETS = str(Path(__file__).parent.parent.parent / "examples" / "two-halves" / "own" / "nets")


@pytest.fixture
def node(type_line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The small simulated node, in the current folder."""
    monkeypatch.chdir(tmp_path)
    typed = type_line("simulate", "small", "--preset", "small", "--seed", "1")
    assert typed.code == 0
    assert "sharedrange assess small" in typed.out
    return "small"


def test_the_presets_offered_are_those_there_are() -> None:
    assert {preset.value for preset in Preset} == set(PRESETS)


def test_nothing_is_simulated_into_a_folder_that_holds_something(type_line: Line, node: str) -> None:
    typed = type_line("simulate", node, "--preset", "small")
    assert typed.code == 1
    assert "node-folder-not-empty" in typed.err


def test_a_simulated_node_has_no_errors(type_line: Line, node: str) -> None:
    assert type_line("check", node).code == 0
    assert all(found["severity"] != "error" for found in json.loads(type_line("check", node, "--json").out))


def test_a_path_that_is_not_there_is_a_finding(type_line: Line, tmp_path: Path) -> None:
    typed = type_line("check", str(tmp_path / "nowhere"))
    assert typed.code == 1
    assert "no-such-path" in typed.out


def test_decisions_are_signed_once(type_line: Line, node: str) -> None:
    rows = len(Path(node, "decisions.csv").read_text(encoding="utf-8").splitlines()) - 1
    first = type_line("decide", node, f"{node}/decisions.csv")
    assert (first.code, first.err) == (0, "")
    assert f"New decisions: {rows}." in first.out
    again = type_line("decide", node, f"{node}/decisions.csv")
    assert f"New decisions: 0. Already recorded: {rows}." in again.out


def test_the_first_decision_says_that_a_key_was_made_and_where(type_line: Line, node: str) -> None:
    first = type_line("decide", node, f"{node}/decisions.csv", width=400)
    (key,) = Path(node).rglob("node.key")
    assert key.relative_to(node).as_posix() in first.out
    assert re.search(r"(\d{5} ){5}\d{5}", first.out), "a fingerprint to read aloud"
    assert "key was made" not in type_line("decide", node, f"{node}/decisions.csv", width=400).out


def test_a_declined_question_is_an_answer_and_the_exit_code_is_0(type_line: Line, node: str) -> None:
    programme = Path(node, "programme.toml")
    text = programme.read_text(encoding="utf-8")
    days = re.findall(r"^start = (\S+)$", text, flags=re.MULTILINE)
    assert days
    short = re.sub(r"^end = \S+$", f"end = {days[0]}", text, flags=re.MULTILINE)
    programme.write_text(short, encoding="utf-8")
    typed = type_line("assess", node, "--quiet", width=200)
    assert "cannot bear this question" in typed.out
    assert (typed.code, typed.err) == (0, "")
    assert list(Path(node, "assessment").glob("*.html"))


def test_a_question_that_failed_is_told_in_the_report_and_by_the_exit_code(
    type_line: Line, node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> Answer:
        raise DidNotConverge(Finding("scr-not-converged", {"parameter": "-", "evaluations": 9, "size": "1"}))

    broken = {name: replace(engine, function=failing) for name, engine in ENGINES.items()}
    monkeypatch.setattr("sharedrange.assessment.running.ENGINES", broken)
    typed = type_line("assess", node, "--quiet", width=200)
    assert typed.code == 1
    assert list(Path(node, "assessment").glob("*.html")), typed.err


def test_a_programme_without_questions_says_what_is_there_and_what_to_add(type_line: Line, node: str) -> None:
    programme = Path(node, "programme.toml")
    text = programme.read_text(encoding="utf-8")
    programme.write_text(text[: text.index("[[questions]]")], encoding="utf-8")
    typed = type_line("assess", node, "--quiet", width=300)
    assert typed.code == 0, typed.err
    assert "asks no question yet" in typed.out
    assert "[[questions]]" in typed.out
    assert typed.out.count("observations") == len(list(Path(node, "received").glob("*/*")))


def test_a_wrong_decision_signs_none(type_line: Line, node: str) -> None:
    decisions = Path(node, "decisions.csv")
    header, first, *_ = decisions.read_text(encoding="utf-8").splitlines()
    Path("wrong.csv").write_text("\n".join([header, first, first.replace("same", "perhaps")]), encoding="utf-8")
    typed = type_line("decide", node, "wrong.csv")
    assert typed.code == 1
    assert "3" in typed.err
    assert not list(Path(node, "records").glob("*.jsonl"))


def test_a_number_is_assessed_and_traced_back_to_its_files(
    type_line: Line, node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert type_line("decide", node, f"{node}/decisions.csv").code == 0
    typed = type_line("assess", node, width=200)
    assert typed.code == 0
    assert "SIMULATED" in typed.out
    assert "report" in typed.err
    number = re.findall(r"^ *number (\S+/N)$", typed.out, flags=re.MULTILINE)[0]
    trace = type_line("trace", node, number, width=200)
    assert trace.code == 0
    assert "received/" in trace.out
    assert "sha256" in trace.out
    again = type_line("assess", node, "--quiet", width=200)
    assert "Nothing has changed" in again.out
    assert not again.err
    monkeypatch.chdir(node)
    assert type_line("trace", number, width=200).out == trace.out


def test_a_node_that_was_not_assessed_has_no_way_back(type_line: Line, node: str) -> None:
    typed = type_line("trace", node, "abc/N")
    assert typed.code == 1
    assert "not-assessed" in typed.err


def test_a_new_node_is_begun_and_checked(type_line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    typed = type_line("init", "mine", "--party", "north", "--title", "Two Parks", "--name", "North Park")
    assert (typed.code, typed.err) == (0, "")
    assert "mine/programme.toml" in typed.out
    assert "Two Parks" in Path("mine/programme.toml").read_text(encoding="utf-8")
    assert type_line("check", "mine").code == 0
    assert type_line("init", "mine", "--party", "north", "--title", "Two Parks").code == 1


def test_estimates_are_printed_with_errors_and_intervals(type_line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    nets = Path(__file__).parent.parent.parent / "examples" / "two-halves" / "own" / "nets"
    typed = type_line(
        "estimate", str(nets), "--set", "detection_function=HN", "--buffer-m", "300", "--quiet", width=160
    )
    assert typed.code == 0
    lines = typed.out.splitlines()
    assert any("standard error" in line and "interval" in line for line in lines)
    assert any(line.startswith("Density  ") and "–" in line for line in lines)


def test_an_estimate_begins_with_what_the_data_bear_and_ends_with_what_to_do_next(type_line: Line) -> None:
    typed = type_line(
        "estimate",
        NETS,
        "--set",
        "detection_function=HN",
        "--buffer-m",
        "300",
        "--spacing-m",
        "30",
        "--quiet",
        width=160,
    )
    headings = ["What these data bear", "The data", "The model", "Coefficients", "What next"]
    places = [typed.out.index(heading) for heading in headings]
    assert places == sorted(places)
    assert "population.scr.md" in typed.out.splitlines()[-1]


def test_models_are_shown_beside_each_other_with_their_weights(type_line: Line) -> None:
    lines = ["--models", "D~1; g0~1", "--models", "g0~1; sigma~session", "--set", "detection_function=HN"]
    typed = type_line("estimate", NETS, *lines, "--buffer-m", "300", "--spacing-m", "30", "--quiet", width=220)
    assert typed.code == 0
    table = typed.out[typed.out.index("The models beside each other") :].splitlines()
    assert table[2].startswith("D~1; g0~1 ")
    assert table[3].startswith("g0~1; sigma~session ")


def test_plots_are_written_where_they_were_asked_for(
    type_line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nets = str(Path(NETS).absolute())
    monkeypatch.chdir(tmp_path)
    typed = type_line(
        "estimate", nets, "--engine", "population.closed", "--set", "simulations=0", "--plots", "drawn", "--quiet"
    )
    assert typed.code == 0
    assert sorted(p.name for p in (tmp_path / "drawn").iterdir()) == ["captures.svg", "effort.svg"]
    assert "captures.svg" in typed.out


def test_a_refused_estimate_names_the_lines_that_would_answer(type_line: Line) -> None:
    typed = type_line("estimate", NETS, "--set", "min_individuals=500", "--quiet", width=160)
    assert typed.code == 1
    offered = re.findall(r"--engine (\S+)$", typed.out, flags=re.MULTILINE)
    assert "population.minimum" in offered
    assert "population.scr" not in offered


def test_a_key_of_the_question_may_stand_in_the_line(type_line: Line) -> None:
    typed = type_line(
        "estimate", NETS, "--engine", "population.minimum", "--ask", "sessions=['2005']", "--quiet", width=160
    )
    assert typed.code == 0
    every = type_line("estimate", NETS, "--engine", "population.minimum", "--quiet", width=160)
    assert typed.out != every.out


def test_settings_of_a_line_are_read_as_in_a_programme() -> None:
    given = ["detection_function=HN", "level=0.9", "sigma=[]", 'density="pooled"']
    expected = {"detection_function": "HN", "level": 0.9, "sigma": [], "density": "pooled"}
    assert read_assignments(None, given) == expected


def test_a_setting_without_a_value_is_explained(type_line: Line) -> None:
    typed = type_line("estimate", "tables", "--set", "sigma")
    assert typed.code == 2
    assert "name=value" in typed.err


def test_an_unknown_setting_names_the_nearest(type_line: Line) -> None:
    nets = Path(__file__).parent.parent.parent / "examples" / "two-halves" / "own" / "nets"
    typed = type_line("estimate", str(nets), "--set", "detection_funktion=HN", "--quiet")
    assert typed.code == 1
    assert "detection_function" in typed.err
