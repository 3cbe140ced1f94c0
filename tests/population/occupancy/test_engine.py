"""The engine: what it answers, what it declines, and what it says beside a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.answer import Answer, Scope
from sharedrange.core.chance import stream
from sharedrange.core.errors import InputError, SharedRangeError
from sharedrange.core.finding import Severity
from sharedrange.core.progress import silent
from sharedrange.population.occupancy import ENGINE, OccupancyInputs, OccupancySettings, SiteVisits

SCOPE = Scope(taxon="Panthera tigris", place="here", period="then")


def ask(visits: SiteVisits, **settings: Any) -> Answer:
    asked = OccupancySettings(**settings)
    return ENGINE.answer(OccupancyInputs(visits, SCOPE), asked, rng=stream(1, "occupancy"), progress=silent)


def rules(answer: Answer) -> set[str]:
    return {finding.rule for finding in answer.findings}


def test_naive_occupancy_stands_beside_the_estimate(histories: Callable[..., SiteVisits]) -> None:
    answer = ask(histories(["11000"] * 12 + ["10000"] * 6 + ["00000"] * 21))
    assert answer["naive"].value == pytest.approx(18 / 39)
    assert answer["naive"].value < answer["psi"].value
    assert (answer["occupied"].low or 0) >= answer["sites_found"].value
    assert answer["occupied"].unit == "sites"
    assert {"occupancy-records-taken-as-true", "occupancy-fit-unchecked"} == rules(answer)


@pytest.mark.parametrize(
    ("rows", "short"),
    [
        (["000"] * 40, "sites_found"),
        (["110", "011", "000", "111"], "sites"),
        (["1..", "0..", "1..", "1.."] * 10, "sites_revisited"),
        (["..."] * 3, "sites"),
    ],
)
def test_without_finds_sites_or_return_visits_the_question_is_declined(
    histories: Callable[..., SiteVisits], rows: list[str], short: str
) -> None:
    refusal = ask(histories(rows)).refusal
    assert refusal is not None
    assert refusal.have[short] < refusal.need[short]  # type: ignore[operator]  # both are counts
    assert refusal.instead == ("population.rates", "population.minimum")


def test_occupancy_everywhere_is_an_answer_with_a_warning(histories: Callable[..., SiteVisits]) -> None:
    answer = ask(histories(["100", "010", "001", "100"] * 3 + ["000"] * 2))
    assert "occupancy-at-limit" in rules(answer)
    assert answer["psi"].value == answer["psi"].high == 1.0
    assert answer.tables["coefficients"]["se"].null_count() == 1
    assert answer.tables["map"]["se"].null_count() == 14


def test_what_runs_away_is_left_out_and_told(histories: Callable[..., SiteVisits]) -> None:
    sides = {"side": ["A"] * 16 + ["B"] * 8}
    answer = ask(histories(["110", "010", "000", "011"] * 4 + ["000"] * 8, sides), psi="~ side")
    assert "occupancy-covariate-unbounded" in rules(answer)
    assert answer["occupied.B"].value < 2
    assert answer["occupied.A"].value + answer["occupied.B"].value == pytest.approx(answer["occupied"].value)


def test_where_most_sites_rest_on_one_record_wrong_records_weigh_most(histories: Callable[..., SiteVisits]) -> None:
    few = ask(histories(["100", "010", "110", "100"] * 4 + ["000"] * 8))
    many = ask(histories(["110", "011", "110", "100"] * 4 + ["000"] * 8))
    assert [f.severity for f in few.findings if "taken-as-true" in f.rule] == [Severity.WARNING]
    assert [f.severity for f in many.findings if "taken-as-true" in f.rule] == [Severity.NOTE]


def test_at_stations_occupancy_is_use(histories: Callable[..., SiteVisits]) -> None:
    visits = histories(["110", "010", "000", "011"] * 5, kind="station")
    assert "occupancy-is-use" in rules(ask(visits))


def test_a_model_that_does_not_fit_is_told() -> None:
    rng = np.random.default_rng(3)
    found = (rng.random((200, 5)) < rng.choice([0.06, 0.94], 200)[:, None]) & (rng.random(200) < 0.8)[:, None]
    ones = np.ones((200, 5))
    visits = SiteVisits(pl.DataFrame({"site": [str(i) for i in range(200)]}), ones > 0, found, ones)
    answer = ask(visits, goodness_of_fit=25)
    assert "occupancy-misfit" in rules(answer)
    assert "occupancy-fit-unchecked" not in rules(answer)
    assert answer["c_hat"].value > 3
    assert answer.tables["test"]["replicates"].to_list() == [25]


def test_everything_wrong_with_the_formulas_is_told_at_once(simulated: Callable[..., SiteVisits]) -> None:
    visits = simulated(np.random.default_rng(1), 30, 4)
    with pytest.raises(InputError) as raised:
        ask(visits, psi="~ forest", p="~ w + 2w")
    assert [f.rule for f in raised.value.findings] == ["occupancy-formula"] * 2
    gaps = replace(visits, sites=visits.sites.with_columns(pl.when(pl.col("x") > 0).then("x").alias("x")))
    with pytest.raises(InputError, match="occupancy-covariate-missing"):
        ask(gaps, psi="~ x")
    unknown = replace(visits, effort=np.where(visits.effort > 1, visits.effort, np.nan))
    with pytest.raises(InputError, match="occupancy-covariate-missing"):
        ask(unknown, effort="offset")
    assert "psi" in ask(unknown)


def test_finds_without_a_visit_are_told(histories: Callable[..., SiteVisits]) -> None:
    visits = histories(["110", "0.0"] * 10)
    detected = visits.detected.copy()
    detected[1, 1] = True
    with pytest.raises(InputError, match="occupancy-found-without-visit"):
        ask(replace(visits, detected=detected))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    psi=st.sampled_from(["~ 1", "~ x", "0 + side", "~ x + side"]),
    p=st.sampled_from(["~ 1", "~ w", "~ side", "~ w + log(effort)", "~ visit"]),
    effort=st.sampled_from(["replicate", "offset"]),
    serial=st.booleans(),
    chances=st.tuples(st.sampled_from([0.05, 0.5, 0.99]), st.sampled_from([0.05, 0.5, 0.99])),
)
def test_however_thin_the_data_it_answers_or_declines_in_words(  # noqa: PLR0917  (hypothesis names them)
    seed: int, psi: str, p: str, effort: str, serial: bool, chances: tuple[float, float]
) -> None:
    rng = np.random.default_rng(seed)
    visited = rng.random((12, 4)) < 0.8
    detected = (rng.random(12) < chances[0])[:, None] & (rng.random((12, 4)) < chances[1]) & visited
    sites = {"site": [f"{i:02}" for i in range(12)], "x": rng.normal(size=12), "side": rng.choice(["A", "B"], 12)}
    km, w = np.where(visited, rng.uniform(0.2, 3, (12, 4)), 0.0), {"w": rng.normal(size=(12, 4))}
    visits = SiteVisits(pl.DataFrame(sites), visited, detected, km, "km", w)
    least = {"min_sites": 3, "min_sites_found": 1, "min_sites_revisited": 1, "goodness_of_fit": 1}
    try:
        answer = ask(visits, psi=psi, p=p, effort=effort, serial=serial, **least)
    except SharedRangeError:
        return
    assert (answer.refusal is None) == bool(answer.estimates)
    for number in answer.estimates:
        if number.low is not None and number.high is not None:
            assert 0 <= number.low <= number.value <= number.high <= 12


@pytest.mark.parametrize("wrong", [{"level": 1.0}, {"goodness_of_fit": -1}])
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        OccupancySettings(**wrong)


def test_the_page_says_what_the_engine_does(failures_on_page: Callable[[str], int]) -> None:
    assert failures_on_page("population.occupancy") == 0
