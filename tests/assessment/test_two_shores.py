"""The example over years is answered, its numbers hold the simulated truth, and each party alone stands beside them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from sharedrange.assessment.assessing import Outcome, assess
from sharedrange.assessment.results import Convention, Result
from sharedrange.core.answer import Estimate

SHORES = Path(__file__).parents[2] / "examples" / "two-shores"
PARTIES = ("westshore", "eastshore")
SURVIVAL, GROWTH = 0.84, 1.05  # tools/make_two_shores.py


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("nodes") / "two-shores"
    shutil.copytree(SHORES, folder, ignore=shutil.ignore_patterns("work", "assessment", "keys"))
    return assess(folder)


def result(outcome: Outcome, question: str) -> Result:
    return next(r for r in outcome.assessment.results if r.question.id == question)


def holds(estimate: Estimate, truth: float) -> bool:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low <= truth <= estimate.high


def test_leopards_by_year_and_shore_survival_and_crossings_hold_the_truth(outcome: Outcome) -> None:
    answer = result(outcome, "leopards-over-years").answer
    truth = pl.read_csv(SHORES / "truth" / "SIMULATED-leopards.csv")
    for row in truth.iter_rows(named=True):
        assert holds(answer[f"N.{row['year']}"], row["alive"])
    told = [holds(answer[f"N.{row['year']}.{p}"], row[p]) for row in truth.iter_rows(named=True) for p in PARTIES]
    assert sum(told) >= 11, "95 % intervals: one of twelve may miss"
    assert holds(answer["phi"], SURVIVAL)
    crossed = truth["crossed"].drop_nulls()
    expected = [e.value for e in answer.estimates if e.quantity.startswith("crossings.")]
    assert sum(expected) == pytest.approx(crossed.sum(), rel=0.3)


def test_a_shore_alone_takes_crossing_for_death_where_its_map_ends_at_the_border(outcome: Outcome) -> None:
    sheet = result(outcome, "leopards-over-years").sheet
    assert sheet is not None
    assert sheet.joint is not None
    assert (sheet.total, sheet.year) == ("N.2025", "2025")
    joint = sheet.joint["phi"].value
    for party in PARTIES:
        clipped, crossing = (sheet.survival[how][party].value for how in (Convention.CLIPPED, Convention.OWN))
        assert clipped < crossing - 0.03
        assert clipped < joint - 0.03
        assert crossing == pytest.approx(joint, abs=0.05)
    sums = {alone.convention: alone.total for alone in sheet.sums}
    assert all(total is not None for total in sums.values())


def test_the_trend_of_the_cranes_holds_the_truth_on_both_shores(outcome: Outcome) -> None:
    answer = result(outcome, "cranes-in-autumn").answer
    assert all(holds(answer[name], GROWTH) for name in ("trend", "trend.party.westshore", "trend.party.eastshore"))
    assert {"trend-is-moderate-increase"} == {f.rule for f in answer.findings if f.rule.startswith("trend-is")}


def test_the_report_tells_survival_alone_and_prints_years_as_tables(outcome: Outcome) -> None:
    page = outcome.report.read_text(encoding="utf-8")
    assert "SIMULATED" in outcome.report.name
    assert page.count("looks like one that died") == 2, "with what was found, and with the question"
    assert "2020–2025" in page
    years = re.findall(r'<th scope="row"><span translate="no">2021</span></th>.*?</tr>', page, flags=re.DOTALL)
    assert [row.count('class="num estimate"') for row in years] == [3, 3, 3, 2], "N, expected, density by side; trend"
    assert "detected or not: 2021" not in page, "a number that stands in a table is not told again"
