from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.core.errors import InputError
from sharedrange.core.grids import GEOGRAPHIC, Grid
from sharedrange.core.release import STATIONS, VISITS
from sharedrange.core.survey import conform
from sharedrange.sharing.anonymity import Known, about_areas, effective_area_km2

GRID = Grid("metres", "local:simulated", (1000.0, 10_000.0))
PARK = shapely.box(0, 0, 40_000, 40_000)


def tables(*cells: tuple[str, float, float, float]) -> dict[str, pl.DataFrame]:
    """Stations with a centre and a side each."""
    rows = pl.DataFrame(cells, schema=["station", "x", "y", "cell"], orient="row")
    return {"stations": conform(rows, STATIONS)}


ONE = tables(("S", 5000.0, 5000.0, 10_000.0))


def area(known: Known, *earlier: dict[str, pl.DataFrame]) -> float:
    """The area of the one station, km2."""
    found: float = effective_area_km2(ONE, GRID, known, earlier)["area_km2"].item()
    return found


def test_without_other_knowledge_the_cell_is_left() -> None:
    assert area(Known(PARK)) == pytest.approx(100)


def test_each_thing_that_is_known_cuts_the_cell() -> None:
    assert area(Known(shapely.box(0, 0, 40_000, 5000))) == pytest.approx(50)
    assert area(Known(PARK, habitat=shapely.box(0, 0, 2000, 40_000))) == pytest.approx(20)
    assert area(Known(PARK, layers=(shapely.box(0, 0, 2000, 40_000), shapely.box(0, 0, 9e4, 3000)))) == pytest.approx(6)
    trail = shapely.LineString([(0, 5000), (40_000, 5000)])
    assert area(Known(PARK, trails=(trail,), trail_reach_m=250.0)) == pytest.approx(5)


def test_an_earlier_cell_of_the_same_station_cuts_it_and_that_of_another_does_not() -> None:
    assert area(Known(PARK), tables(("S", 500.0, 500.0, 1000.0))) == pytest.approx(1)
    assert area(Known(PARK), tables(("T", 500.0, 500.0, 1000.0))) == pytest.approx(100)


def test_a_layer_that_has_no_room_for_the_station_is_wrong_and_left_out() -> None:
    elsewhere = shapely.box(20_000, 20_000, 30_000, 30_000)
    assert area(Known(PARK, habitat=elsewhere)) == pytest.approx(100)


def test_cells_of_degrees_have_their_true_area() -> None:
    rows = tables(("S", 118.05, 46.05, 0.1))
    known = Known(shapely.box(117, 45, 119, 47))
    found = effective_area_km2(rows, Grid("degrees", GEOGRAPHIC, (0.1,)), known)["area_km2"].item()
    earth = 6371.007**2 * np.radians(0.1) * (np.sin(np.radians(46.1)) - np.sin(np.radians(46.0)))  # authalic sphere
    assert found == pytest.approx(earth, rel=0.005)


def test_sites_of_counts_are_places_too() -> None:
    rows = pl.DataFrame({"visit": ["v", "w"], "site": ["P", "P"], "x": [500.0] * 2, "y": [500.0] * 2, "cell": 1000.0})
    found = effective_area_km2({"visits": conform(rows, VISITS)}, GRID, Known(PARK))
    assert found.rows() == [("P", pytest.approx(1))]


def test_a_place_without_a_cell_has_no_area() -> None:
    rows = conform(pl.DataFrame({"station": ["S"]}), STATIONS)
    assert effective_area_km2({"stations": rows}, GRID, Known(PARK)).is_empty()


@given(side=st.floats(100, 40_000), reach=st.floats(10, 3000))
def test_who_knows_more_is_left_with_less(side: float, reach: float) -> None:
    habitat = shapely.box(0, 0, side, side)
    trail = (shapely.LineString([(0, 0), (9000, 9000)]),)
    plain, with_habitat = area(Known(PARK)), area(Known(PARK, habitat=habitat))
    with_both = area(Known(PARK, habitat=habitat, trails=trail, trail_reach_m=reach))
    assert 0 < with_both <= with_habitat + 1e-9 <= plain + 2e-9


def test_too_little_ground_is_refused_with_how_little_it_is() -> None:
    areas = effective_area_km2(tables(("S", 500.0, 500.0, 1000.0), ("T", 5000.0, 5000.0, 10_000.0)), GRID, Known(PARK))
    assert about_areas(areas, 1.0 - 1e-9) == ()
    (finding,) = about_areas(areas, 20.0)
    assert finding.rule == "release-area-small"
    assert dict(finding.facts) == {"places": 1, "of": 2, "least_km2": 20.0, "smallest_km2": 1.0}


def test_a_declared_area_without_extent_and_a_frame_that_is_no_frame_are_both_told() -> None:
    with pytest.raises(InputError) as caught:
        effective_area_km2(ONE, Grid("utm", "EPSG:32652", (1000.0,)), Known(shapely.Point(1, 1)))
    assert [finding.rule for finding in caught.value.findings] == ["attack-area-empty", "agreement-grid-crs"]


def test_the_example_of_the_docs_runs() -> None:
    page = Path(__file__).parents[2] / "docs" / "attacks.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert (result.failed, result.attempted > 10) == (0, True)
