"""Encounters count each burst of one animal once, on the right day, under its joint name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl
import pytest

from sharedrange.core.errors import InputError
from sharedrange.core.history import ENCOUNTERS
from sharedrange.core.individuals import Concordance, Link, LocalIndividual, Verdict
from sharedrange.core.survey import Survey
from sharedrange.core.when import Window
from sharedrange.population.encounters import animals, encounters, known_flanks, local_individuals

MakeSurvey = Callable[..., Survey]
TIGER = "Panthera tigris"
TIGERS = frozenset({TIGER})
JANUARY = Window(date(2026, 1, 1), date(2026, 1, 31))
CAMERA = {"C1": {"start": "2026-01-01T00:00", "end": "2026-02-01T00:00"}}


def sighting(start: str, code: str | None = "M1", **more: Any) -> dict[str, Any]:
    return {"deployment": "C1", "start": f"2026-01-{start}", "individual": code, "catalogue": "tigers", **more}


def test_equal_codes_on_two_sides_stay_two_animals(dated: MakeSurvey) -> None:
    surveys = [dated(party, CAMERA, [sighting("05T10:00")]) for party in ("cn", "ru")]
    met = encounters(surveys, None, JANUARY, TIGERS)
    assert met["individual"].to_list() == ["cn/tigers/M1", "ru/tigers/M1"]


def test_two_codes_that_someone_decided_are_one_tiger_are_one(dated: MakeSurvey) -> None:
    surveys = [dated("cn", CAMERA, [sighting("05T10:00", "T07")]), dated("ru", CAMERA, [sighting("06T10:00", "M1")])]
    pair = LocalIndividual("cn", "tigers", "T07"), LocalIndividual("ru", "tigers", "M1")
    decided = Concordance((Link(*pair, Verdict.SAME),), {pair[1]: "J-ember"})
    met = encounters(surveys, decided.partition(local_individuals(surveys, TIGERS)), JANUARY, TIGERS)
    assert met["individual"].to_list() == ["J-ember", "J-ember"]
    assert met["code"].to_list() == ["T07", "M1"]


def test_a_burst_of_photographs_is_one_event_and_half_an_hour_of_quiet_ends_it(dated: MakeSurvey) -> None:
    minutes = ("10:00", "10:29", "10:58", "11:28", "11:29")
    met = encounters([dated("cn", CAMERA, [sighting(f"05T{m}") for m in minutes])], None, JANUARY, TIGERS)
    assert met["count"].to_list() == [2]


def test_a_shorter_burst_makes_more_events(dated: MakeSurvey) -> None:
    survey = dated("cn", CAMERA, [sighting(f"05T10:{m}") for m in ("00", "09", "20")])
    assert encounters([survey], None, JANUARY, TIGERS, burst_minutes=10)["count"].to_list() == [2]


def test_a_record_lasts_until_its_end(dated: MakeSurvey) -> None:
    long = sighting("05T10:00", end="2026-01-05T10:40")
    met = encounters([dated("cn", CAMERA, [long, sighting("05T10:50")])], None, JANUARY, TIGERS)
    assert met["count"].to_list() == [1]


def test_two_animals_at_one_camera_have_bursts_of_their_own(dated: MakeSurvey) -> None:
    survey = dated("cn", CAMERA, [sighting("05T10:00", "M1"), sighting("05T10:01", "F2"), sighting("05T10:02", "M1")])
    met = encounters([survey], None, JANUARY, TIGERS)
    assert dict(met.select("code", "count").iter_rows()) == {"F2": 1, "M1": 1}


def test_a_burst_over_midnight_belongs_to_the_day_it_began(dated: MakeSurvey) -> None:
    met = encounters([dated("cn", CAMERA, [sighting("05T23:55"), sighting("06T00:05")])], None, JANUARY, TIGERS)
    assert met.select("occasion", "count").rows() == [(5, 1)]


@pytest.mark.parametrize(("zone", "day"), [("Asia/Shanghai", 10), ("Asia/Vladivostok", 11)])
def test_the_same_moment_falls_on_the_day_of_the_declared_zone(dated: MakeSurvey, zone: str, day: int) -> None:
    window = Window(date(2026, 1, 1), date(2026, 1, 31), zone)
    met = encounters([dated("cn", CAMERA, [sighting("10T15:00")])], None, window, TIGERS)
    assert met["occasion"].to_list() == [day]


def test_what_lies_outside_the_window_or_is_another_species_is_left_out(dated: MakeSurvey) -> None:
    leopard = sighting("05T10:00", "L1", taxon="Panthera pardus")
    survey = dated("cn", CAMERA, [sighting("05T10:00"), leopard, sighting("20T10:00", "M2")])
    window = Window(date(2026, 1, 1), date(2026, 1, 19))
    assert encounters([survey], None, window, TIGERS)["code"].to_list() == ["M1"]


def test_an_animal_nobody_identified_keeps_no_individual(dated: MakeSurvey) -> None:
    met = encounters([dated("cn", CAMERA, [sighting("05T10:00", None)])], None, JANUARY, TIGERS)
    assert met.select("individual", "code", "count").rows() == [(None, None, 1)]


def test_the_table_has_the_columns_of_its_schema_also_when_empty(dated: MakeSurvey) -> None:
    for sightings in ([], [sighting("05T10:00")]):
        assert encounters([dated("cn", CAMERA, sightings)], None, JANUARY, TIGERS).schema == ENCOUNTERS


def test_undated_captures_keep_session_occasion_and_count(undated: MakeSurvey) -> None:
    survey = undated("a", {"1": (0, 0)}, [("2005", "b1", 3, "1"), ("2006", "b1", 2, "1")], {"2005": 9, "2006": 9})
    met = encounters([survey], None, Window(sessions=("2005",)), TIGERS)
    assert met.select("session", "occasion", "count").rows() == [("2005", 3, 1)]


def test_dated_and_undated_surveys_do_not_meet(dated: MakeSurvey, undated: MakeSurvey) -> None:
    surveys = [dated("cn", CAMERA), undated("ru", {"1": (0, 0)}, [], {"2005": 3})]
    with pytest.raises(InputError) as wrong:
        encounters(surveys, None, JANUARY, TIGERS)
    assert [(f.rule, f.facts["party"]) for f in wrong.value.findings] == [("dated-and-undated", "ru")]


def test_a_sex_that_one_frame_shows_holds_for_its_burst(dated: MakeSurvey) -> None:
    survey = dated("cn", CAMERA, [sighting("05T10:00"), sighting("05T10:01", sex="female")])
    assert encounters([survey], None, JANUARY, TIGERS).select("sex", "count").rows() == [("female", 1)]


def test_parties_that_disagree_about_sex_make_it_unknown_and_are_told(dated: MakeSurvey) -> None:
    surveys = [
        dated("cn", CAMERA, [sighting("05T10:00", sex="female")]),
        dated("ru", CAMERA, [sighting("06T10:00", sex="male")]),
    ]
    pair = LocalIndividual("cn", "tigers", "M1"), LocalIndividual("ru", "tigers", "M1")
    one = Concordance((Link(*pair, Verdict.SAME),)).partition(pair)
    table, found = animals(encounters(surveys, one, JANUARY, TIGERS))
    assert table["sex"].to_list() == [None]
    assert [(f.rule, f.facts["female"], f.facts["male"], f.severity) for f in found] == [
        ("sex-conflict", "cn", "ru", "warning")
    ]


def test_life_stage_is_that_of_the_latest_dated_encounter(dated: MakeSurvey) -> None:
    survey = dated(
        "cn",
        CAMERA,
        [sighting("20T10:00", life_stage="adult"), sighting("05T10:00", life_stage="subadult"), sighting("25T10:00")],
    )
    table, found = animals(encounters([survey], None, JANUARY, TIGERS))
    assert (table["life_stage"].to_list(), found) == (["adult"], ())


def test_two_stages_on_one_date_count_as_the_younger_and_are_told(dated: MakeSurvey) -> None:
    survey = dated(
        "cn", CAMERA, [sighting("05T10:00", life_stage="adult"), sighting("05T15:00", life_stage="subadult")]
    )
    table, found = animals(encounters([survey], None, JANUARY, TIGERS))
    assert table["life_stage"].to_list() == ["subadult"]
    assert [(f.rule, f.facts["stages"], f.facts["occasion"]) for f in found] == [
        ("stage-conflict", "adult, subadult", 5)
    ]


def test_a_flank_known_last_year_is_still_known(dated: MakeSurvey) -> None:
    before = {
        "deployment": "C1",
        "start": "2025-06-01T10:00",
        "individual": "M1",
        "catalogue": "tigers",
        "flank": "left",
    }
    survey = dated(
        "cn", CAMERA, [before, sighting("05T10:00", flank="right"), sighting("06T10:00", "F2", flank="right")]
    )
    flanks = known_flanks([survey], None, TIGERS)
    assert flanks.rows() == [("cn", "cn/tigers/F2", False, True), ("cn", "cn/tigers/M1", True, True)]


def test_a_code_without_any_flank_counts_as_known_from_both(dated: MakeSurvey) -> None:
    assert known_flanks([dated("cn", CAMERA, [sighting("05T10:00")])], None, TIGERS).rows() == [
        ("cn", "cn/tigers/M1", True, True)
    ]


def test_surveys_are_left_as_they_were(dated: MakeSurvey) -> None:
    survey = dated("cn", CAMERA, [sighting("05T10:00"), sighting("05T10:01", sex="male")])
    before = survey.observations.clone()
    encounters([survey], None, JANUARY, TIGERS)
    assert survey.observations.equals(before)
    assert isinstance(survey.observations, pl.DataFrame)
