"""Reports for others: made from nothing but what they may see."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from sharedrange.assessment.assessing import assess
from sharedrange.assessment.node import open_node
from sharedrange.assessment.writing import simulate_node
from sharedrange.core.audience import Audience, meet
from sharedrange.core.errors import ProgrammeError


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readers") / "node"
    simulate_node(folder, preset="small", seed=3)
    return folder


def test_a_delivery_without_a_release_is_for_its_owner_and_the_node(node: Path) -> None:
    told = {delivered.party: str(delivered.audience) for delivered in open_node(node).deliveries}
    assert told == {"westfell": "secretariat, westfell", "eastfell": "eastfell, secretariat"}


def test_what_is_made_of_both_is_for_those_who_may_see_both(node: Path) -> None:
    together = meet(delivered.audience for delivered in open_node(node).deliveries)
    assert together == Audience.of("secretariat")
    assert not together.holds("westfell")
    assert meet([]) == Audience()


def test_a_report_for_a_party_holds_nothing_that_it_may_not_see(node: Path) -> None:
    outcome = assess(node, reader="eastfell")
    assert outcome.report.parent.name == "assessment-for-eastfell"
    hidden = pl.read_csv(next((node / "received" / "westfell").glob("*/*deployments.csv")))
    codes = pl.read_csv(next((node / "received" / "westfell").glob("*/*observations.csv")))["individualID"].drop_nulls()
    written = b"".join(path.read_bytes() for path in outcome.report.parent.rglob("*") if path.is_file())
    for station in hidden["locationID"]:
        assert f">{station}<".encode() not in written
        assert f'"{station}"'.encode() not in written
    theirs = {result.question.id: set(result.parties) for result in outcome.assessment.results}
    assert all(parties <= {"eastfell"} for parties in theirs.values())
    assert codes.len() > 0
    audiences = {e.audience for r in outcome.assessment.results for a in r.answers.values() for e in a.estimates}
    assert audiences <= {"eastfell, secretariat"}


def test_the_nodes_own_report_says_for_whom_each_number_is(node: Path) -> None:
    outcome = assess(node)
    joint = [e for r in outcome.assessment.results for e in r.answer.estimates if len(r.parties) == 2]
    assert {e.audience for e in joint} <= {"secretariat"}
    assert outcome.report.parent.name == "assessment"


def test_a_reader_that_nobody_knows_is_refused(node: Path) -> None:
    with pytest.raises(ProgrammeError, match="reader-unknown"):
        assess(node, reader="poachers")
