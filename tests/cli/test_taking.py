"""The command `take`: what is printed, what is asked, and how the line goes on. Sentences are their ids here."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from sharedrange.cli.face import Face
from sharedrange.cli.main import attempt
from sharedrange.cli.taking import Line, nested
from sharedrange.core.words import Words

IDS = Words("en", lambda message: message)


def typed(*arguments: str, terminal: bool = False) -> tuple[int, str]:
    """Exit code, and all that was printed."""
    out = Console(file=io.StringIO(), width=200, force_terminal=terminal, color_system=None, emoji=False)
    code = attempt(Face(IDS, out, out), list(arguments))
    assert isinstance(out.file, io.StringIO)
    return code, out.file.getvalue()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a node and a season of capture tables."""
    from sharedrange.assessment.programme import write_new_node

    monkeypatch.chdir(tmp_path)
    write_new_node(Path("node"), party="west", party_name="West", title="Practice")
    Path("season").mkdir()
    Path("season/captures.csv").write_text("session,id,occasion,trap\n1,A,1,t1\n1,B,1,t2\n", encoding="utf-8")
    Path("season/traps.csv").write_text("trap,x,y\nt1,430000,4790000\nt2,445000,4790000\n", encoding="utf-8")
    return tmp_path


ANSWERS = ("--set", "crs=EPSG:32652", "--set", "taxon=Panthera tigris", "--set", "detector=proximity")


def test_without_a_terminal_the_line_to_type_is_printed(here: Path) -> None:
    code, text = typed("take", "season", "--node", "node")
    assert code == 1
    for key in ("crs", "taxon", "detector"):
        assert f"cli.take.ask.{key}" in text
    line = next(row.strip() for row in text.splitlines() if "sharedrange take" in row)
    assert line.startswith("sharedrange take season --node node --set ")
    assert {"crs=EPSG:4326", "'taxon=Panthera tigris'", "detector=proximity"} == set(line.split(" --set ")[1:])
    assert not list(Path("node/own").iterdir())


def test_answers_on_the_line_take_the_delivery_in(here: Path) -> None:
    code, text = typed("take", "season", "--node", "node", *ANSWERS, "--quiet")
    assert code == 0
    assert "cli.take.done" in text
    assert "Panthera tigris" in text
    assert "\n  11" in text  # two cells beside each other
    assert "430000" not in text
    assert Path("node/own/season/delivery.toml").is_file()
    assert typed("check", "node")[0] == 0


def test_a_person_at_a_terminal_is_asked(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = iter(["", "EPSG:32652", "Panthera tigris", "proximity"])
    asked: list[str] = []

    def answer(prompt: object) -> str:
        asked.append(str(prompt).partition(" ")[0])
        replies = {"crs": "EPSG:32652", "taxon": "Panthera tigris", "detector": "proximity"}
        return next(given) if len(asked) == 1 else replies[asked[-1]]

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(Console, "input", lambda self, prompt: answer(prompt))
    code, text = typed("take", "season", "--node", "node", terminal=True)
    assert code == 0
    assert "cli.take.empty" in text
    assert sorted(set(asked)) == ["crs", "detector", "taxon"]
    assert len(asked) == 4


def test_ctrl_c_leaves_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: Console, prompt: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(Console, "input", stop)
    assert typed("take", "season", "--node", "node", terminal=True)[0] == 130
    assert not list(Path("node/own").iterdir())


def test_the_next_season_is_taken_with_the_same_answers(here: Path) -> None:
    typed("take", "season", "--node", "node", *ANSWERS)
    with Path("season/captures.csv").open("a", encoding="utf-8") as file:
        file.write("1,C,1,t2\n")
    code, text = typed("take", "season", "--node", "node", "--dataset", "next")
    assert code == 0
    assert "cli.take.reused" in text


def test_a_line_is_repeated_as_it_was_typed_with_what_it_lacks() -> None:
    line = Line((Path("my photos"),), Path("node"), "winter", ("crs=EPSG:4326",), in_place=True)
    assert line.with_more((Path("to fill"),), {"taxon": "Felis manul"}) == (
        "sharedrange take 'my photos' 'to fill' --node node --dataset winter --in-place"
        " --set crs=EPSG:4326 --set 'taxon=Felis manul'"
    )
    corrected = line.with_more((), {"crs": "EPSG:32652"})
    assert corrected.endswith("--in-place --set crs=EPSG:32652"), "a wrong answer is not typed again"


def test_settings_of_tables_are_nested() -> None:
    assert nested({"sexes.0": "female", "sexes.1": "male", "crs": "x"}) == {
        "sexes": {"0": "female", "1": "male"},
        "crs": "x",
    }
