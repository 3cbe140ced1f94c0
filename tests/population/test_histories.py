"""Capture histories hold what the encounters hold, beside the effort that was really there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.common_time import about_window, common_window
from sharedrange.core.errors import InputError, NotEnoughData, ProgrammeError
from sharedrange.core.finding import Severity
from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS
from sharedrange.core.places import Projection, equal_area
from sharedrange.core.survey import Survey
from sharedrange.core.when import Window
from sharedrange.population.encounters import encounters
from sharedrange.population.histories import capture_histories

MakeSurvey = Callable[..., Survey]
TIGERS = frozenset({"Panthera tigris"})
WINDOW = Window(date(2026, 1, 1), date(2026, 1, 10))
GRID = Projection("local:grid")
ALL_JANUARY = {"start": "2026-01-01T00:00", "end": "2026-02-01T00:00"}
CAMERAS = {
    "C1": {"station": "S1", "x": 0.0, "y": 0.0, **ALL_JANUARY},
    "C2": {"station": "S2", "x": 1000.0, "y": 0.0, **ALL_JANUARY},
}


def seen(camera: str, start: str, code: str, **more: Any) -> dict[str, Any]:
    return {"deployment": camera, "start": f"2026-01-{start}", "individual": code, "catalogue": "main", **more}


def histories(
    *surveys: Survey, window: Window | tuple[Window, ...] = WINDOW, projection: Projection = GRID, **more: Any
) -> Any:
    return capture_histories(surveys, None, window, TIGERS, ("adult",), projection, **more)


def rules(found: Any) -> list[str]:
    return [finding.rule for finding in found]


def test_a_history_has_the_tables_of_its_schemas(dated: MakeSurvey) -> None:
    (history,), found = histories(dated("cn", CAMERAS, [seen("C1", "05T10:00", "M1", life_stage="adult", sex="male")]))
    assert (history.detectors.schema, history.individuals.schema, history.captures.schema) == (
        DETECTORS,
        INDIVIDUALS,
        CAPTURES,
    )
    assert history.session == "2026-01-01/2026-01-10"
    assert history.captures.rows() == [("cn/main/M1", "cn/d/S1", 5, 1)]
    assert history.individuals.rows() == [("cn/main/M1", "male", "adult")]
    assert (history.effort == 1).all()
    assert history.effort.shape == (2, 10)
    assert found == ()


def test_effort_is_the_share_of_each_day_and_gaps_are_taken_off(dated: MakeSurvey) -> None:
    camera = {"C1": {"start": "2026-01-02T12:00", "end": "2026-01-08T18:00"}}
    gap = {"deployment": "C1", "start": "2026-01-04T06:00", "end": "2026-01-06T00:00", "reason": "snow"}
    (history,), _ = histories(dated("cn", camera, gaps=[gap]))
    assert history.effort.tolist() == [[0, 0.5, 1, 0.25, 0, 1, 1, 0.75, 0, 0]]


def test_a_camera_collected_a_minute_before_midnight_ran_that_day(dated: MakeSurvey) -> None:
    camera = {"C1": {"start": "2026-01-01T00:00", "end": "2026-01-02T23:59:30"}}
    (history,), _ = histories(dated("cn", camera))
    assert history.effort[0, :3].tolist() == [1, 1, 0]


def test_a_sliver_of_a_day_is_none_unless_something_was_caught_then(dated: MakeSurvey) -> None:
    cameras = {
        name: {"station": name, "x": x, "start": "2026-01-01T23:45", "end": "2026-01-05T00:00"}
        for name, x in (("C1", 0.0), ("C2", 500.0))
    }
    (history,), _ = histories(dated("cn", cameras, [seen("C1", "01T23:50", "M1", life_stage="adult")]))
    assert history.effort[:, 0].tolist() == [pytest.approx(15 / 1440), 0]


def test_two_cameras_of_one_station_are_one_detector_that_runs_when_either_does(dated: MakeSurvey) -> None:
    cameras = {
        "left": {"station": "S1", "start": "2026-01-01T00:00", "end": "2026-01-02T12:00"},
        "right": {"station": "S1", "start": "2026-01-02T06:00", "end": "2026-01-04T00:00"},
    }
    (history,), _ = histories(dated("cn", cameras))
    assert history.detectors["detector"].to_list() == ["cn/d/S1"]
    assert history.effort[0, :4].tolist() == [1, 1, 1, 0]


def test_without_station_names_deployments_at_one_position_are_one_detector(dated: MakeSurvey) -> None:
    cameras = {name: {"x": x, **ALL_JANUARY} for name, x in (("a", 0.0), ("b", 0.0), ("c", 90.0))}
    (history,), _ = histories(dated("cn", cameras))
    assert history.detectors["detector"].to_list() == ["cn/d/a", "cn/d/c"]


def test_a_station_that_was_moved_becomes_two_detectors_and_is_told(dated: MakeSurvey) -> None:
    cameras = {"a": {"station": "S", "x": 0.0, **ALL_JANUARY}, "b": {"station": "S", "x": 90.0, **ALL_JANUARY}}
    (history,), found = histories(dated("cn", cameras))
    assert history.detectors.select("detector", "x_m").rows() == [("cn/d/S@1", 0.0), ("cn/d/S@2", 90.0)]
    assert [(f.rule, f.facts["distance_m"]) for f in found] == [("station-moved", 90)]


def test_the_same_station_name_of_two_parties_is_two_detectors(dated: MakeSurvey) -> None:
    (history,), _ = histories(dated("cn", CAMERAS), dated("ru", CAMERAS))
    assert history.detectors["party"].to_list() == ["cn", "cn", "ru", "ru"]


def test_a_day_of_a_clock_change_is_a_full_day(dated: MakeSurvey) -> None:
    camera = {"C1": {"start": "2026-03-01T00:00", "end": "2026-05-01T00:00"}}
    window = Window(date(2026, 3, 28), date(2026, 3, 30), "Europe/Berlin")  # 29 March has 23 hours
    (history,), _ = histories(dated("cn", camera), window=window)
    assert history.effort.tolist() == [[1, 1, 1]]


def test_an_animal_caught_while_nothing_ran_is_an_error_that_says_where(dated: MakeSurvey) -> None:
    camera = {"C1": {"station": "12", "start": "2026-01-01T00:00", "end": "2026-01-04T00:00"}}
    days = [seen("C1", f"0{day}T10:00", "4") for day in range(1, 8)]
    with pytest.raises(InputError) as wrong:
        histories(dated("cn", camera, days))
    (finding,) = wrong.value.findings[-1:]
    assert finding.rule == "caught-without-effort"
    assert finding.facts == {
        "party": "cn",
        "dataset": "d",
        "individual": "cn/main/4",
        "station": "12",
        "days_seen": 7,
        "days_run": 3,
        "days_without": 4,
    }


def test_frames_that_differ_are_one_finding_before_anything_is_computed(dated: MakeSurvey) -> None:
    with pytest.raises(InputError) as wrong:
        histories(dated("cn", CAMERAS), dated("ru", CAMERAS, frame="EPSG:4326"))
    assert rules(wrong.value.findings) == ["unlike-frames"]


@pytest.mark.parametrize(("frame", "projection"), [("EPSG:4326", GRID), ("local:grid", equal_area(130, 43))])
def test_a_frame_that_the_projection_cannot_read_is_refused(
    dated: MakeSurvey, frame: str, projection: Projection
) -> None:
    with pytest.raises(InputError) as wrong:
        histories(dated("cn", CAMERAS, frame=frame), projection=projection)
    assert rules(wrong.value.findings) == ["frame-projection"]


def test_degrees_become_metres_in_the_projection(dated: MakeSurvey) -> None:
    cameras = {"a": {"x": 130.0, "y": 43.0, **ALL_JANUARY}, "b": {"x": 130.0, "y": 43.1, **ALL_JANUARY}}
    (history,), _ = histories(dated("cn", cameras, frame="EPSG:4326"), projection=equal_area(130, 43))
    apart_m = np.hypot(np.diff(history.detectors["x_m"]), np.diff(history.detectors["y_m"]))[0]
    assert apart_m == pytest.approx(11_110, rel=0.01)  # a tenth of a degree of latitude


def test_proximity_and_count_detectors_together_record_presence_and_are_told(dated: MakeSurvey) -> None:
    cameras = {"C1": CAMERAS["C1"], "C2": {**CAMERAS["C2"], "detector": "proximity"}}
    twice = [seen("C1", "05T08:00", "M1", life_stage="adult"), seen("C1", "05T18:00", "M1", life_stage="adult")]
    (history,), found = histories(dated("cn", cameras, twice))
    assert (history.kind, history.n_detections, rules(found)) == ("proximity", 1, ["mixed-detectors"])


def test_count_detectors_keep_counts(dated: MakeSurvey) -> None:
    twice = [seen("C1", "05T08:00", "M1", life_stage="adult"), seen("C1", "05T18:00", "M1", life_stage="adult")]
    (history,), _ = histories(dated("cn", CAMERAS, twice))
    assert (history.kind, history.n_detections) == ("count", 2)


def test_traps_that_hold_what_they_catch_are_not_supported(dated: MakeSurvey) -> None:
    cameras = {"C1": {**CAMERAS["C1"], "detector": "multi"}}
    with pytest.raises(InputError) as wrong:
        histories(dated("cn", cameras))
    assert rules(wrong.value.findings) == ["detector-not-supported"]


def test_cubs_stay_out_and_animals_of_unknown_stage_come_in_with_a_note(dated: MakeSurvey) -> None:
    sightings = [
        seen("C1", "05T10:00", "A", life_stage="adult"),
        seen("C1", "05T12:00", "B"),
        seen("C1", "05T14:00", "C", life_stage="juvenile"),
    ]
    survey = dated("cn", CAMERAS, sightings)
    (history,), found = histories(survey)
    assert history.individuals["individual"].to_list() == ["cn/main/A", "cn/main/B"]
    assert [(f.rule, f.facts["n"], f.severity) for f in found] == [("unknown-stage-included", 1, Severity.NOTE)]
    (without,), _ = histories(survey, count_unknown_stage=False)
    assert without.individuals["individual"].to_list() == ["cn/main/A"]


def test_of_one_flank_animals_only_the_larger_set_enters(dated: MakeSurvey) -> None:
    flanks = {"A": "both", "B": "left", "C": "left", "D": "right"}
    sightings = [
        seen("C1", f"05T{10 + i}:00", code, flank=f, life_stage="adult") for i, (code, f) in enumerate(flanks.items())
    ]
    (history,), found = histories(dated("cn", CAMERAS, sightings))
    assert history.individuals["individual"].to_list() == ["cn/main/A", "cn/main/B", "cn/main/C"]
    assert [dict(f.facts) for f in found] == [{"n": 1, "kept": "left", "left_out": "right"}]


def test_sessions_are_histories_of_their_own(undated: MakeSurvey) -> None:
    captures = [("2005", "b1", 1, "1"), ("2006", "b1", 2, "2"), ("2006", "b2", 1, "1")]
    survey = undated("a", {"1": (0, 0), "2": (30, 0)}, captures, {"2005": 3, "2006": 2})
    both, _ = histories(survey, window=Window(sessions=("2005", "2006")))
    assert [(h.session, h.n_individuals, h.effort.shape) for h in both] == [("2005", 1, (2, 3)), ("2006", 2, (2, 2))]


def test_a_party_with_fewer_occasions_has_no_effort_on_the_others(undated: MakeSurvey) -> None:
    a = undated("a", {"1": (0, 0)}, [], {"2005": 3})
    b = undated("b", {"1": (60, 0)}, [], {"2005": 2})
    (history,), _ = histories(a, b, window=Window(sessions=("2005",)))
    assert history.effort.tolist() == [[1, 1, 1], [1, 1, 0]]


times = st.tuples(st.sampled_from(["C1", "C2"]), st.integers(1, 10), st.integers(0, 23), st.sampled_from("ABCDE"))


@settings(max_examples=40, deadline=None)
@given(st.lists(times, max_size=25))
def test_a_history_of_counts_holds_every_encounter_of_its_window(
    dated: MakeSurvey, met: list[tuple[str, int, int, str]]
) -> None:
    sightings = [seen(camera, f"{day:02d}T{hour:02d}:00", code) for camera, day, hour, code in met]
    survey = dated("cn", CAMERAS, sightings)
    (history,), _ = histories(survey)
    table = encounters([survey], None, WINDOW, TIGERS)
    assert history.n_detections == table["count"].sum()
    assert history.n_individuals == table["individual"].n_unique()
    assert history.counts().sum() == history.n_detections


# -- the closure window ------------------------------------------------------------------------------------------


def camera(start: str, end: str) -> dict[str, dict[str, str]]:
    return {"C1": {"start": f"2026-{start}T00:00", "end": f"2026-{end}T00:00"}}


def test_the_common_window_runs_while_both_parties_watched(dated: MakeSurvey) -> None:
    surveys = [dated("cn", camera("01-01", "03-01")), dated("ru", camera("02-01", "04-01"))]
    asked = Window(date(2026, 1, 1), date(2026, 12, 31), "UTC")
    used = common_window(surveys, asked)
    assert used.label == "2026-02-01/2026-02-28"
    (note,) = about_window(surveys, asked, used)
    assert (note.rule, note.severity) == ("window-cut", Severity.NOTE)
    assert note.facts["periods"] == "cn 2026-01-01/2026-02-28, ru 2026-02-01/2026-03-31"


def test_a_window_that_everyone_fills_needs_no_note(dated: MakeSurvey) -> None:
    surveys = [dated("cn", camera("01-01", "03-01")), dated("ru", camera("01-01", "04-01"))]
    asked = Window(date(2026, 1, 5), date(2026, 2, 5))
    assert (common_window(surveys, asked), about_window(surveys, asked, asked)) == (asked, ())


def test_parties_that_never_watched_together_are_declined_with_their_periods(dated: MakeSurvey) -> None:
    surveys = [dated("cn", camera("01-01", "02-01")), dated("ru", camera("03-01", "04-01"))]
    with pytest.raises(NotEnoughData) as thin:
        common_window(surveys, Window(), "cats")
    assert thin.value.refusal.question == "cats"
    assert thin.value.refusal.have == {
        "common_days": 0,
        "period.cn": "2026-01-01/2026-01-31",
        "period.ru": "2026-03-01/2026-03-31",
    }
    assert rules(thin.value.refusal.findings) == ["no-common-window"]


def test_seasons_that_interleave_without_a_common_day_do_not_overlap(dated: MakeSurvey) -> None:
    around = {**camera("01-01", "02-01"), "C2": {"start": "2026-06-01T00:00", "end": "2026-07-01T00:00"}}
    with pytest.raises(NotEnoughData):
        common_window([dated("cn", around), dated("ru", camera("03-01", "04-01"))], Window())


def test_days_lost_to_a_gap_are_not_common_days(dated: MakeSurvey) -> None:
    gap = {"deployment": "C1", "start": "2026-01-20T00:00", "end": "2026-02-01T00:00", "reason": "bear"}
    surveys = [dated("cn", camera("01-01", "02-01"), gaps=[gap]), dated("ru", camera("01-01", "02-01"))]
    assert common_window(surveys, Window()).label == "2026-01-01/2026-01-19"


def test_the_days_of_a_window_are_those_of_its_zone(dated: MakeSurvey) -> None:
    survey = dated("ru", {"C1": {"start": "2026-01-01T14:00", "end": "2026-01-03T14:00"}})
    assert common_window([survey], Window(timezone="Asia/Vladivostok")).label == "2026-01-02/2026-01-03"
    assert common_window([survey], Window(timezone="Asia/Shanghai")).label == "2026-01-01/2026-01-03"


def test_undated_surveys_share_the_sessions_that_all_have(undated: MakeSurvey) -> None:
    surveys = [undated("a", {"1": (0, 0)}, [], {"1": 5, "2": 5}), undated("b", {"1": (0, 0)}, [], {"2": 4, "3": 5})]
    used = common_window(surveys, Window())
    assert used.sessions == ("2",)
    assert rules(about_window(surveys, Window(), used)) == ["session-missing", "session-missing", "unequal-occasions"]


def test_undated_surveys_without_a_common_session_are_declined(undated: MakeSurvey) -> None:
    surveys = [undated("a", {"1": (0, 0)}, [], {"1": 5}), undated("b", {"1": (0, 0)}, [], {"2": 5})]
    with pytest.raises(NotEnoughData) as thin:
        common_window(surveys, Window())
    assert thin.value.refusal.have["period.a"] == "1"


@pytest.mark.parametrize(
    ("given_window", "rule"),
    [
        ({"timezone": "Asia/Hunchun"}, "occasion-timezone"),
        ({"start": date(2026, 2, 1), "end": date(2026, 1, 1)}, "window-order"),
    ],
)
def test_a_window_that_cannot_be_is_a_finding(given_window: dict[str, Any], rule: str) -> None:
    with pytest.raises(ProgrammeError) as wrong:
        Window(**given_window)
    assert rules(wrong.value.findings) == [rule]


def test_an_open_window_has_no_days() -> None:
    with pytest.raises(ProgrammeError) as wrong:
        Window().edges_us()
    assert rules(wrong.value.findings) == ["window-open"]


def test_where_doubt_is_to_be_fitted_every_one_flank_animal_is_a_row(dated: MakeSurvey) -> None:
    flanks = {"A": "both", "B": "left", "C": "left", "D": "right"}
    rows = [
        seen("C1", f"05T{10 + i}:00", code, flank=f, life_stage="adult") for i, (code, f) in enumerate(flanks.items())
    ]
    (history,), found = histories(dated("cn", CAMERAS, rows), one_flank="all")
    assert history.individuals["individual"].to_list() == [f"cn/main/{code}" for code in flanks]
    assert "one-flank-left-out" not in rules(found)


def test_several_windows_are_a_session_each_and_keep_one_flank(dated: MakeSurvey) -> None:
    """Right flanks are more in the second window, but left ones in both together."""
    met = [
        ("02T10:00", "L1", "left"),
        ("02T11:00", "L2", "left"),
        ("02T12:00", "L3", "left"),
        ("08T10:00", "L1", "left"),
    ]
    met += [("08T11:00", "R1", "right"), ("08T12:00", "R2", "right")]
    rows = [seen("C1", at, code, flank=flank, life_stage="adult") for at, code, flank in met]
    windows = (Window(date(2026, 1, 1), date(2026, 1, 5)), Window(date(2026, 1, 6), date(2026, 1, 10)))
    (first, second), found = histories(dated("cn", CAMERAS, rows), window=windows)
    assert [first.session, second.session] == [window.label for window in windows]
    assert first.individuals["individual"].to_list() == ["cn/main/L1", "cn/main/L2", "cn/main/L3"]
    assert second.individuals["individual"].to_list() == ["cn/main/L1"]
    assert rules(found) == ["one-flank-left-out"]
