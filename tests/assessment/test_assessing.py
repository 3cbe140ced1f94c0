"""One command answers a programme: it resumes, repeats instantly, and recomputes only what a change touches."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sharedrange.assessment import running
from sharedrange.assessment.assessing import Outcome, assess
from sharedrange.assessment.deciding import decide, read_decisions
from sharedrange.assessment.node import open_node, writing
from sharedrange.assessment.tracing import trace
from sharedrange.core.errors import Cancelled, InputError, ProgrammeError
from sharedrange.core.individuals import Verdict
from sharedrange.core.ledger import Source

RECORDED_AT = "2026-11-22T00:00:00Z"


@pytest.fixture
def engine_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tasks that were computed, not taken from the cache."""
    calls: list[str] = []
    compute = running._compute

    def counting(call: Any, progress: Any) -> Any:
        calls.append(call.name)
        return compute(call, progress)

    monkeypatch.setattr(running, "_compute", counting)
    return calls


def files(folder: Path) -> Mapping[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def report_data(outcome: Outcome) -> bytes:
    return next(outcome.report.parent.glob("report-data*.json")).read_bytes()


def test_a_programme_is_answered_and_its_numbers_lead_back_to_the_deliveries(node: Path) -> None:
    outcome = assess(node)
    joint = outcome.assessment.results[0].answer["N"]
    assert joint.low is not None
    assert joint.high is not None
    assert joint.low < joint.value < joint.high
    way = trace(node, joint.id)
    sources = {thing.party for _, _, thing in way.lines if isinstance(thing, Source)}
    assert sources == {"westfell", "eastfell"}
    assert way.estimate == joint


def test_every_number_in_the_report_is_a_link_to_a_step_that_is_there(node: Path) -> None:
    page = assess(node).report.read_text(encoding="utf-8")
    anchors = set(re.findall(r'id="(step-[0-9a-f]+)"', page))
    targets = set(re.findall(r'href="#(step-[0-9a-f]+)"', page))
    assert targets
    assert targets <= anchors


def test_again_is_instant_and_changes_no_byte(node: Path, engine_calls: list[str]) -> None:
    first = assess(node)
    before = files(first.report.parent)
    engine_calls.clear()
    again = assess(node)
    assert again.reused
    assert engine_calls == []
    assert files(again.report.parent) == before
    assert [r.answer.estimates for r in again.assessment.results] == [
        r.answer.estimates for r in first.assessment.results
    ]


def test_a_decision_recomputes_what_depends_on_it_and_nothing_else(node: Path, engine_calls: list[str]) -> None:
    assess(node)
    decisions = read_decisions(node / "decisions.csv")
    across = [d for d in decisions if d.verdict is Verdict.SAME and d.a.party != d.b.party]
    engine_calls.clear()
    decide(node, [replace(across[0], verdict=Verdict.DIFFERENT)], RECORDED_AT)
    assess(node)
    assert engine_calls
    assert all("alone" not in name for name in engine_calls), "a party alone sees no decision between catalogues"
    programme = open_node(node).programme
    taxon_of = {s.key: s.taxon for s in programme.species}
    asked = {q.id: taxon_of[q.species] for q in programme.questions}
    assert {asked[name.partition("/")[0]] for name in engine_calls} == {across[0].taxon}


def test_a_first_decision_between_parties_leaves_alone_what_each_says_alone(
    node: Path, engine_calls: list[str]
) -> None:
    shutil.rmtree(node / "records")
    assess(node)
    engine_calls.clear()
    across = [d for d in read_decisions(node / "decisions.csv") if d.a.party != d.b.party]
    decide(node, across, RECORDED_AT)
    assess(node)
    assert engine_calls
    assert all("alone" not in name for name in engine_calls)


def test_a_decision_taken_back_brings_the_old_number_back(node: Path) -> None:
    before = assess(node).assessment.results[0].answer["N"].value
    same = next(d for d in read_decisions(node / "decisions.csv") if d.verdict is Verdict.SAME)
    decide(node, [replace(same, verdict=Verdict.DIFFERENT)], RECORDED_AT)
    assert assess(node).assessment.results[0].answer["N"].value != before
    decide(node, [same], RECORDED_AT)
    assert assess(node).assessment.results[0].answer["N"].value == before


def test_ctrl_c_leaves_nothing_half_written_and_the_next_run_resumes(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = running._compute
    done: list[str] = []

    def interrupted(call: Any, progress: Any) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(call.name)
        return compute(call, progress)

    monkeypatch.setattr(running, "_compute", interrupted)
    with pytest.raises(Cancelled):
        assess(node)
    assert not (node / "assessment").exists()
    assert not [p for p in node.rglob(".*") if p.is_dir()], "no temporary folder is left"
    resumed: list[str] = []

    def resuming(call: Any, progress: Any) -> Any:
        resumed.append(call.name)
        return compute(call, progress)

    monkeypatch.setattr(running, "_compute", resuming)
    assert assess(node).report.is_file()
    assert not set(resumed) & set(done)


def test_one_worker_or_four_and_another_folder_give_the_same_report_data(node: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(node, other)
    one, four = assess(node, workers=1), assess(other, workers=4)
    assert report_data(one) == report_data(four)
    assert files(one.report.parent) == files(four.report.parent)


def test_a_report_holds_no_position_of_a_camera(node: Path) -> None:
    deployments = next((node / "received" / "westfell").rglob("*deployments.csv")).read_text(encoding="utf-8")
    longitudes = set(re.findall(r"\b11[78]\.\d{4,}", deployments))
    assert longitudes
    for name, content in files(assess(node).report.parent).items():
        text = content.decode("utf-8", errors="ignore")
        assert not [x for x in longitudes if x in text], name


def test_what_was_assessed_is_told_as_simulated_in_every_file_name(node: Path) -> None:
    report = assess(node).report
    assert all("SIMULATED" in p.name for p in report.parent.rglob("*") if p.is_file())
    assert "SIMULATED" in report.read_text(encoding="utf-8")


def test_an_unknown_setting_is_told_with_the_nearest_and_nothing_is_written(node: Path) -> None:
    programme = node / "programme.toml"
    text = programme.read_text(encoding="utf-8")
    programme.write_text(text + "\n[questions.settings]\ndetection_funktion = 'HN'\n", encoding="utf-8")
    with pytest.raises(ProgrammeError) as caught:
        assess(node)
    facts = [f.facts for f in caught.value.findings if f.rule == "unknown-key"]
    assert [(f["key"], bool(f["nearest"])) for f in facts] == [("detection_funktion", True)]
    assert not (node / "assessment").exists()


def test_a_package_that_is_not_what_its_manifest_says_is_refused(node: Path) -> None:
    observations = next((node / "received" / "eastfell").rglob("*observations.csv"))
    observations.write_bytes(observations.read_bytes().replace(b"adult", b"ADULT", 1))
    with pytest.raises(InputError):
        assess(node)
    assert not (node / "assessment").exists()


def test_a_link_that_leads_out_of_the_node_is_refused(node: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.csv").write_text("x")
    (node / "own").mkdir(exist_ok=True)
    (node / "own" / "stolen").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError) as caught:
        assess(node)
    assert {f.rule for f in caught.value.findings} == {"path-escapes"}


def test_only_one_may_write_at_a_time(node: Path) -> None:
    with writing(node), pytest.raises(InputError) as caught:
        assess(node)
    assert caught.value.findings[0].rule == "node-busy"


def test_a_number_that_is_not_there_is_told_with_those_that_are(node: Path) -> None:
    with pytest.raises(InputError) as early:
        trace(node, "0000/N")
    assert early.value.findings[0].rule == "not-assessed"
    step = assess(node).assessment.results[0].step
    with pytest.raises(InputError) as caught:
        trace(node, f"{step}/M")
    assert f"{step}/N" in str(caught.value.findings[0].facts["known"])


def test_the_ledger_of_two_nodes_names_the_same_numbers_alike(node: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(node, other)
    ledgers = [json.loads(next(assess(n).report.parent.glob("ledger*.json")).read_text()) for n in (node, other)]
    assert ledgers[0] == ledgers[1]
