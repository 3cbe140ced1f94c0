"""From deliveries and plain tables to visits."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from shapely.geometry import box

from sharedrange.core.contents import COUNTS, VISITS, SiteCounts
from sharedrange.core.errors import InputError
from sharedrange.core.grids import GEOGRAPHIC, Grid
from sharedrange.core.places import Sides
from sharedrange.core.survey import conform
from sharedrange.core.when import Window
from sharedrange.population.occupancy import Cells, site_visits, visits_of_surveys, visits_of_transects

TIGER = "Panthera tigris"
TAXA = frozenset({TIGER})
WINDOW = Window(date(2026, 1, 1), date(2026, 1, 21))
STOOD = {"start": "2026-01-01T00:00", "end": "2026-01-22T00:00"}
LOCAL = "local:grid"


def test_weeks_without_effort_are_no_visits(dated: Any) -> None:
    cameras = {"A": STOOD, "B": {**STOOD, "x": 50.0, "end": "2026-01-10T00:00"}}
    gap = {"deployment": "A", "start": "2026-01-08T00:00", "end": "2026-01-15T00:00", "reason": "snow"}
    survey = dated("west", cameras, [{"deployment": "A", "start": "2026-01-20T09:00"}], [gap])
    visits, found = visits_of_surveys([survey], TAXA, WINDOW)
    assert visits.sites["site"].to_list() == ["west/d/A", "west/d/B"]
    assert visits.visited.tolist() == [[True, False, True], [True, True, False]]
    assert visits.detected.tolist() == [[False, False, True], [False, False, False]]
    assert visits.effort.tolist() == [[7.0, 0.0, 7.0], [7.0, 2.0, 0.0]]
    assert (visits.kind, visits.effort_unit, found) == ("station", "station_days", ())


def test_a_record_on_a_day_without_effort_is_not_counted_but_told(dated: Any) -> None:
    gap = {"deployment": "A", "start": "2026-01-08T00:00", "end": "2026-01-15T00:00", "reason": "snow"}
    survey = dated("west", {"A": STOOD}, [{"deployment": "A", "start": "2026-01-10T09:00"}], [gap])
    visits, found = visits_of_surveys([survey], TAXA, WINDOW)
    assert not visits.detected.any()
    assert [(f.rule, f.facts["n"]) for f in found] == [("events-without-effort", 1)]


def test_other_species_and_counts_of_zero_are_no_finds(dated: Any) -> None:
    seen = [
        {"deployment": "A", "start": "2026-01-02T09:00", "taxon": "Sus scrofa"},
        {"deployment": "A", "start": "2026-01-03T09:00", "count": 0},
    ]
    visits, _ = visits_of_surveys([dated("west", {"A": STOOD}, seen)], TAXA, WINDOW)
    assert not visits.detected.any()


def test_stations_of_one_cell_are_one_site_and_their_days_add(dated: Any) -> None:
    west = dated("west", {"A": {**STOOD, "x": 100.0}, "B": {**STOOD, "x": 900.0}})
    east = dated("east", {"C": {**STOOD, "x": 1100.0}}, [{"deployment": "C", "start": "2026-01-02T09:00"}])
    sides = Sides({"west": box(-9e9, -9e9, 1000, 9e9), "east": box(1000, -9e9, 9e9, 9e9)})
    cells = Cells(Grid("g", LOCAL, (1000.0,)), 1000.0, sides)
    visits, _ = visits_of_surveys([west, east], TAXA, WINDOW, cells=cells)
    assert visits.sites.select("site", "side").rows() == [("g/1000/0/0", "west"), ("g/1000/1/0", "east")]
    assert visits.effort.tolist() == [[14.0] * 3, [7.0] * 3]
    assert visits.kind == "cell"


def test_occasions_of_an_undated_session_are_visits(undated: Any) -> None:
    survey = undated("west", {"A": (0, 0), "B": (5, 5)}, [("s1", "m", 2, "A")], {"s1": 3, "s2": 2})
    visits, _ = visits_of_surveys([survey], TAXA, Window(sessions=("s1",)))
    assert visits.detected.tolist() == [[False, True, False], [False, False, False]]
    with pytest.raises(InputError, match="occupancy-one-session"):
        visits_of_surveys([survey], TAXA, Window(sessions=("s1", "s2")))


def walks(rows: list[dict[str, Any]], counts: list[dict[str, Any]]) -> SiteCounts:
    def at(day: int) -> datetime:
        return datetime(2026, 1, day, tzinfo=UTC)

    basis = {"method": "sign-transect", "effort": 1.0, "effort_unit": "km", "complete": True, "x": 0.0, "y": 0.0}
    visits = pl.DataFrame([{**basis, **row, "start": at(row["day"])} for row in rows])
    return SiteCounts("west", "d", "local:grid", conform(visits, VISITS), conform(pl.DataFrame(counts), COUNTS))


def test_what_a_complete_visit_does_not_list_was_not_there_to_be_found() -> None:
    delivery = walks(
        [
            {"visit": "v1", "site": "a", "day": 3},
            {"visit": "v2", "site": "a", "day": 1},
            {"visit": "v3", "site": "b", "day": 1, "complete": False},
            {"visit": "v4", "site": "b", "day": 2, "complete": False},
            {"visit": "v5", "site": "b", "day": 3, "method": "waterbird-count"},
        ],
        [
            {"visit": "v1", "taxon": TIGER, "count": 2, "sign": "track"},
            {"visit": "v4", "taxon": TIGER, "count": 0},
            {"visit": "v3", "taxon": "Sus scrofa", "count": 1},
        ],
    )
    visits, found = visits_of_transects([delivery], TAXA)
    assert visits.sites["site"].to_list() == ["west/a", "west/b"]
    assert visits.visited.tolist() == [[True, True], [True, False]]
    assert visits.detected.tolist() == [[False, True], [False, False]], "by time: v2 before v1"
    assert [(f.rule, f.facts["number"]) for f in found] == [("occupancy-visit-incomplete", 1)]


def test_what_a_visit_lists_without_a_number_is_not_taken_for_absent() -> None:
    delivery = walks(
        [{"visit": f"v{day}", "site": "a", "day": day} for day in (1, 2, 3)],
        [
            {"visit": "v1", "taxon": TIGER, "count": None, "sign": "track"},
            {"visit": "v2", "taxon": TIGER, "count": None, "sign": "track"},
            {"visit": "v2", "taxon": TIGER, "count": 1, "sign": "scat"},
        ],
    )
    visits, found = visits_of_transects([delivery], TAXA)
    assert visits.detected[visits.visited].tolist() == [True, False], "v2 by its scat, v3 because it is complete"
    assert [(f.rule, f.facts["number"]) for f in found] == [("occupancy-visit-incomplete", 1)], "v1 was not counted"


def test_transects_fall_into_cells_and_vague_ones_are_told() -> None:
    rows = [
        {"visit": "v1", "site": "a", "day": 1, "x": 500.0, "uncertainty_m": 30_000.0},
        {"visit": "v2", "site": "b", "day": 2, "x": 19_999.0},
        {"visit": "v3", "site": "c", "day": 2, "x": 20_001.0, "method": "snow-track-transect"},
    ]
    delivery = walks(rows, [{"visit": "v1", "taxon": TIGER, "count": 1}])
    visits, found = visits_of_transects([delivery], TAXA, cells=Cells(Grid("tumen", LOCAL, (20_000.0,)), 20_000.0))
    assert visits.sites.select("site", "side").rows() == [("tumen/20000/0/0", "west"), ("tumen/20000/1/0", "west")]
    assert {f.rule for f in found} == {"occupancy-position-vague", "occupancy-methods-mixed"}


def test_kilometres_and_minutes_are_not_added() -> None:
    rows = [{"visit": "v1", "site": "a", "day": 1}, {"visit": "v2", "site": "a", "day": 2, "effort_unit": "minutes"}]
    with pytest.raises(InputError, match="occupancy-effort-units"):
        visits_of_transects([walks(rows, [{"visit": "v1", "taxon": TIGER, "count": 1}])], TAXA)


def test_all_that_is_wrong_with_a_table_is_told_at_once() -> None:
    rows = pl.DataFrame(
        {
            "site": ["a", "a", "b", "z", "b"],
            "visit": [1, 1, None, 1, 2],
            "detected": [0, 1, 1, 7, 1],
            "effort": [1.0, 1.0, 0.0, 1.0, float("inf")],
        }
    )
    sites = pl.DataFrame({"site": ["a", "b", "b"]})
    with pytest.raises(InputError) as raised:
        site_visits(rows, sites=sites)
    assert {f.rule for f in raised.value.findings} == {
        "occupancy-site-twice",
        "occupancy-site-unknown",
        "occupancy-visit-twice",
        "occupancy-visit-missing",
        "occupancy-detected-value",
        "occupancy-effort-value",
    }
    with pytest.raises(InputError, match="occupancy-column-missing"):
        site_visits(pl.DataFrame({"site": ["a"]}))


def test_rows_in_any_order_are_the_same_visits() -> None:
    rows = pl.DataFrame(
        {"site": ["b", "a", "a"], "visit": [1, 2, 1], "detected": [1, 0, None], "snow": ["deep", "", "x"]}
    )
    visits = site_visits(rows)
    assert visits.visited.tolist() == [[False, True], [True, False]]
    again = site_visits(rows.reverse())
    assert again.covariates["snow"].tolist() == visits.covariates["snow"].tolist() == [["", ""], ["deep", ""]]


def test_sites_are_cells_in_metres_of_a_size_that_the_grid_has() -> None:
    for grid in (Grid("g", LOCAL, (1000.0,)), Grid("g", GEOGRAPHIC, (500.0,))):
        with pytest.raises(ValueError, match="cell_m"):
            Cells(grid, 500.0)
