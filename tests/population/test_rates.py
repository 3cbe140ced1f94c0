"""Detection rates say how often a species was met, how sure that is, and what it does not mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.answer import Answer, Scope, UnlikeEstimates
from sharedrange.core.chance import stream
from sharedrange.core.engine import read_settings
from sharedrange.core.errors import Cancelled, InputError, ProgrammeError
from sharedrange.core.progress import Progress, silent
from sharedrange.core.survey import Survey
from sharedrange.core.when import Window
from sharedrange.population.rates import (
    EFFORT_BY_DEPLOYMENT,
    ENGINE,
    RATES,
    RatesInputs,
    RatesSettings,
    effort_table,
    rate_of,
)

MakeSurvey = Callable[..., Survey]
TIGER, BOAR = "Panthera tigris", "Sus scrofa"
TEN_DAYS = {"start": "2026-01-01T00:00", "end": "2026-01-11T00:00"}


def cameras(n: int, camera_type: str | None = "A-1") -> dict[str, dict[str, Any]]:
    return {f"C{i}": {"station": f"S{i}", "x": 1000.0 * i, "camera_type": camera_type, **TEN_DAYS} for i in range(n)}


def met(camera: str, start: str, taxon: str = TIGER) -> dict[str, Any]:
    return {"deployment": camera, "start": f"2026-01-{start}", "taxon": taxon}


def answer(*surveys: Survey, progress: Progress = silent, **more: Any) -> Answer:
    own = {name: more.pop(name) for name in ("window", "scope", "taxa") if name in more}
    inputs = RatesInputs(surveys, **{"scope": Scope(taxon=TIGER), **own})
    return ENGINE.answer(inputs, RatesSettings(**more), rng=stream(1, ENGINE.name), progress=progress)


def rules(found: Iterable[Any]) -> list[str]:
    return [finding.rule for finding in found]


def test_a_rate_is_events_per_hundred_station_days(dated: MakeSurvey) -> None:
    told = answer(dated("cn", cameras(5), [met("C0", "02T10:00"), met("C1", "03T10:00")]))
    assert (told["rate.cn"].value, told["rate.cn"].unit) == (4, "per_100_station_days")
    assert (told["events.cn"].value, told["effort.cn"].value) == (2, 50)
    assert told["rate.cn"].low is not None
    assert told["rate.cn"].high is not None
    assert told["rate.cn"].low < 4 < told["rate.cn"].high


def test_records_within_half_an_hour_at_one_station_are_one_event(dated: MakeSurvey) -> None:
    pair = {"C9": {"station": "S0", "x": 0.0, **TEN_DAYS}}
    sightings = [met("C0", "02T10:00"), met("C9", "02T10:29"), met("C1", "02T10:10"), met("C0", "02T11:00", BOAR)]
    survey = dated("cn", {**cameras(2), **pair}, sightings)
    assert answer(survey)["events.cn"].value == 2
    assert answer(survey, independence_minutes=5.0)["events.cn"].value == 3


def test_gaps_take_their_days_off_the_effort_and_their_events_off_the_count(dated: MakeSurvey) -> None:
    gap = {"deployment": "C0", "start": "2026-01-03T00:00", "end": "2026-01-06T00:00", "reason": "theft"}
    told = answer(dated("cn", cameras(2), [met("C0", "04T10:00"), met("C1", "04T10:00")], gaps=[gap]))
    assert (told["events.cn"].value, told["effort.cn"].value) == (1, 17)
    assert [f.facts["n"] for f in told.findings if f.rule == "events-without-effort"] == [1]


def test_a_window_limits_events_and_effort_alike(dated: MakeSurvey) -> None:
    survey = dated("cn", cameras(2), [met("C0", "02T10:00"), met("C1", "09T10:00")])
    told = answer(survey, window=Window(date(2026, 1, 1), date(2026, 1, 5)))
    assert (told["events.cn"].value, told["effort.cn"].value) == (1, 10)


def test_a_species_never_met_has_a_rate_of_zero_with_an_upper_limit(dated: MakeSurvey) -> None:
    told = answer(dated("cn", cameras(10)))
    assert (told["rate.cn"].value, told["rate.cn"].low) == (0, 0)
    assert told["rate.cn"].high == pytest.approx(3.689, abs=0.001)  # -ln 0.025 events in 100 station-days


def test_names_of_one_species_are_told_as_one(dated: MakeSurvey) -> None:
    survey = dated("cn", cameras(2), [met("C0", "02T10:00"), met("C0", "02T10:10", "Felis tigris")])
    told = answer(survey, taxa={TIGER: frozenset({TIGER, "Felis tigris"})})
    assert told["events.cn"].value == 1


def test_every_taxon_has_a_row_where_none_was_asked_or_all_were(dated: MakeSurvey) -> None:
    survey = dated("cn", cameras(2), [met("C0", "02T10:00"), met("C0", "05T10:00", BOAR)])
    unasked, asked_all = answer(survey, scope=Scope()), answer(survey, all_taxa=True)
    assert unasked.tables["rates"]["taxon"].to_list() == asked_all.tables["rates"]["taxon"].to_list() == [TIGER, BOAR]
    assert "rate.cn.Sus_scrofa" in asked_all
    assert "rate.cn" in asked_all
    assert unasked["rate.cn.Sus_scrofa"].scope.taxon == BOAR


def test_the_tables_have_the_columns_of_their_schemas(dated: MakeSurvey, undated: MakeSurvey) -> None:
    survey = dated("cn", cameras(2), [met("C0", "02T10:00")])
    assert answer(survey).tables["rates"].schema == RATES
    assert effort_table(survey).schema == EFFORT_BY_DEPLOYMENT
    assert effort_table(undated("a", {"1": (0, 0)}, [], {"2005": 9})).schema == EFFORT_BY_DEPLOYMENT


def test_every_answer_says_that_a_rate_is_not_abundance(dated: MakeSurvey) -> None:
    assert rules(answer(dated("cn", cameras(2))).findings) == ["rate-is-not-abundance"]


def test_rates_of_unlike_cameras_are_warned_about_and_do_not_add(dated: MakeSurvey) -> None:
    told = answer(dated("cn", cameras(2)), dated("ru", cameras(2, "B-2")))
    assert "unlike-cameras" in rules(told.findings)
    with pytest.raises(UnlikeEstimates):
        told["rate.cn"] + told["rate.ru"]


def test_cameras_of_unrecorded_type_are_not_taken_for_alike(dated: MakeSurvey) -> None:
    assert "unlike-cameras" in rules(answer(dated("cn", cameras(2, None)), dated("ru", cameras(2, None))).findings)
    assert "unlike-cameras" not in rules(answer(dated("cn", cameras(2)), dated("ru", cameras(2))).findings)


def test_a_model_that_its_owner_does_not_name_is_not_told_as_if_it_were_one(dated: MakeSurvey) -> None:
    both = {**cameras(1, "C-0123456789abcdef"), "C1": {**cameras(2, "C-0000000000000000")["C1"]}}
    told = answer(dated("cn", both), dated("ru", cameras(2, "B-2"))).findings
    (unlike,) = (finding for finding in told if finding.rule == "unlike-cameras-unnamed")
    assert unlike.facts == {"cameras": "cn: ?, ?; ru: B-2", "parties": "cn"}
    assert "unlike-cameras" not in rules(told)
    (mixed,) = (finding for finding in told if finding.rule == "mixed-cameras")
    assert mixed.facts["cameras"] == "?, ?"


def test_one_station_and_several_camera_types_are_noted(dated: MakeSurvey) -> None:
    both = {**cameras(1), "C1": {**cameras(2, "B-2")["C1"]}}
    assert "one-station" in rules(answer(dated("cn", cameras(1))).findings)
    assert "mixed-cameras" in rules(answer(dated("cn", both)).findings)


def test_without_effort_the_question_is_declined(dated: MakeSurvey) -> None:
    never = {"C0": {"start": "2026-01-05T00:00", "end": "2026-01-05T00:00"}}
    told = answer(dated("cn", never, [met("C0", "05T00:00")]))
    assert told.refusal is not None
    assert (told.refusal.have["stations_with_effort"], told.estimates) == (0, ())


def test_a_party_without_effort_beside_one_with_is_named(dated: MakeSurvey) -> None:
    told = answer(dated("cn", cameras(2)), dated("ru", {}))
    assert [(f.rule, f.facts["party"]) for f in told.findings if f.rule == "no-effort"] == [("no-effort", "ru")]
    assert "rate.ru" not in told


def test_undated_captures_are_told_per_hundred_station_occasions(undated: MakeSurvey) -> None:
    captures = [("2005", "b1", 1, "1"), ("2005", "b2", 1, "1"), ("2006", "b1", 3, "2")]
    survey = undated("a", {"1": (0, 0), "2": (30, 0)}, captures, {"2005": 10, "2006": 5})
    told = answer(survey)
    assert (told["rate.a"].value, told["rate.a"].unit) == (10, "per_100_station_occasions")
    only = answer(survey, window=Window(sessions=("2005",)))
    assert (only["events.a"].value, only["effort.a"].value) == (2, 20)


def test_dated_and_undated_surveys_do_not_meet(dated: MakeSurvey, undated: MakeSurvey) -> None:
    with pytest.raises(InputError):
        answer(dated("cn", cameras(2)), undated("ru", {"1": (0, 0)}, [], {"2005": 9}))


def test_progress_rises_to_one_and_the_work_can_be_stopped(dated: MakeSurvey) -> None:
    told: list[float] = []
    answer(dated("cn", cameras(2)), dated("ru", cameras(2)), progress=told.append)
    assert (told, told[-1]) == (sorted(told), 1.0)

    def stop(share: float, /) -> None:
        if share > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        answer(dated("cn", cameras(2)), progress=stop)


@pytest.mark.parametrize("given_settings", [{"independence_minutes": -1.0}, {"level": 1.0}])
def test_settings_that_cannot_be_are_findings(given_settings: dict[str, Any]) -> None:
    with pytest.raises(ProgrammeError):
        read_settings(RatesSettings, given_settings)


# -- intervals -----------------------------------------------------------------------------------------------------


def test_intervals_cover_the_truth_when_events_clump_at_stations() -> None:
    rng = np.random.default_rng(11)
    truth, covered, trials = 0.05, 0, 600
    for _ in range(trials):
        station_days = rng.uniform(20, 90, size=25)
        events = rng.poisson(truth * station_days * rng.gamma(1.0, 1.0, size=25)).astype(
            float
        )  # variance 3-5 times Poisson
        rate = rate_of(events, station_days)
        covered += rate.low <= truth <= rate.high
    assert 0.90 <= covered / trials <= 0.98


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.floats(1, 300)), min_size=1, max_size=30))
def test_an_interval_holds_its_rate_and_a_higher_level_is_wider(stations: list[tuple[int, float]]) -> None:
    events, station_days = (np.array(column, float) for column in zip(*stations, strict=True))
    rate, wider = rate_of(events, station_days), rate_of(events, station_days, level=0.99)
    assert 0 <= wider.low <= rate.low <= rate.value <= rate.high <= wider.high


def test_a_clumped_total_is_less_sure_than_an_even_one() -> None:
    days = np.full(10, 30.0)
    even, clumped = rate_of(np.full(10, 3.0), days), rate_of(np.r_[30.0, np.zeros(9)], days)
    assert clumped.value == pytest.approx(even.value)
    assert clumped.high / clumped.low > even.high / even.low


# -- effort --------------------------------------------------------------------------------------------------------


def test_effort_and_gaps_by_reason_add_up_to_the_days_a_camera_stood(dated: MakeSurvey) -> None:
    gaps = [
        {"deployment": "C0", "start": "2026-01-02T00:00", "end": "2026-01-05T00:00", "reason": "snow"},
        {"deployment": "C0", "start": "2026-01-09T12:00", "end": "2026-01-31T00:00", "reason": "theft"},
    ]
    row = effort_table(dated("cn", cameras(1), gaps=gaps)).row(0, named=True)
    assert (row["run_days"], row["gap_days"], row["gap_reasons"]) == (5.5, 4.5, "snow 3, theft 2")


def test_overlapping_gaps_are_not_taken_off_twice(dated: MakeSurvey) -> None:
    gaps = [
        {"deployment": "C0", "start": "2026-01-02T00:00", "end": "2026-01-05T00:00", "reason": reason}
        for reason in ("snow", "battery")
    ]
    row = effort_table(dated("cn", cameras(1), gaps=gaps)).row(0, named=True)
    assert (row["run_days"], row["gap_days"]) == (7, 3)


def test_effort_may_be_limited_to_a_window(dated: MakeSurvey) -> None:
    window = Window(date(2026, 1, 8), date(2026, 1, 31))
    assert effort_table(dated("cn", cameras(1)), window)["run_days"].to_list() == [3]


def test_occasions_without_effort_are_gaps_of_an_undated_survey(undated: MakeSurvey) -> None:
    survey = undated("a", {"1": (0, 0)}, [], {"2005": 4})
    idle = pl.col("occasion") > 2
    effort = survey.effort.with_columns(
        effort=pl.when(idle).then(0.0).otherwise(1.0), reason=pl.when(idle).then(pl.lit("bear"))
    )
    row = effort_table(survey.with_tables(effort=effort)).row(0, named=True)
    assert (row["run_days"], row["gap_days"], row["gap_reasons"]) == (2, 2, "bear 2")


def test_the_example_on_the_page_runs(failures_on_page: Callable[[str], int]) -> None:
    assert failures_on_page(ENGINE.name) == 0
