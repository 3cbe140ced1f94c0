"""The shortest way round a line, and what can be wrong with one."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sharedrange.core.errors import InputError
from sharedrange.population.permeability import Barrier, way_m
from sharedrange.population.permeability.barriers import NO_WAY_M, check_barriers

Floats = NDArray[np.float64]
WEST, EAST = np.array([[-3_000.0, 0.0]]), np.array([[3_000.0, 0.0]])
LONG = Barrier("long", shapely.LineString([(0, -1e6), (0, 1e6)]))
SEEDS = st.integers(0, 10_000)


def places(seed: int, number: int = 12) -> Floats:
    return np.random.default_rng(seed).uniform(-5_000, 5_000, (number, 2))


def crooked(seed: int, vertices: int = 5) -> Barrier:
    return Barrier("crooked", shapely.LineString(np.random.default_rng(seed + 1).uniform(-4_000, 4_000, (vertices, 2))))


def star(seed: int) -> shapely.Polygon:
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    radius = rng.uniform(1_000, 4_000, 9)
    return shapely.Polygon(np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]))


def test_open_ground_is_crossed_in_a_straight_line() -> None:
    assert way_m(WEST, EAST, ()).item() == 6_000.0


def test_a_way_round_leads_by_the_nearer_end() -> None:
    fence = Barrier("fence", shapely.LineString([(0, -4_000), (0, 9_000)]))
    assert way_m(WEST, EAST, [fence]).item() == pytest.approx(2 * np.hypot(3_000, 4_000), abs=0.1)


def test_a_way_leads_through_the_nearest_edge_of_a_passage() -> None:
    fence = LONG.with_passage(0, 5_000, 2_000)
    assert way_m(WEST, EAST, [fence]).item() == pytest.approx(10_000, abs=0.5)


def test_a_way_leads_along_every_bend_of_a_bay() -> None:
    bay = Barrier("bay", shapely.LineString([(-1_000, 4_000), (0, 4_000), (0, -4_000), (-1_000, -4_000)]))
    by_bend = np.hypot(2_000, 4_000) + 1_000 + np.hypot(3_000, 4_000)
    assert way_m(WEST, EAST, [bay]).item() == pytest.approx(by_bend, abs=0.1)


def test_there_is_no_way_over_a_line_without_end() -> None:
    ring = Barrier("ring", star(1).exterior)
    assert way_m(np.zeros((1, 2)), np.array([[9_000.0, 0.0]]), [ring]).item() == NO_WAY_M


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_nothing_slips_through_a_ring(seed: int) -> None:
    polygon, at = star(seed), places(seed, 40)
    inside = shapely.contains_xy(polygon, at)
    ways = way_m(at, at, [Barrier("ring", polygon.exterior)])
    assert ((ways == NO_WAY_M) == (inside[:, None] != inside[None, :])).all()


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_ways_are_as_long_there_as_back_and_never_shorter_than_straight(seed: int) -> None:
    at, line = places(seed), crooked(seed)
    ways = way_m(at, at, [line])
    assert np.allclose(ways, ways.T, atol=0.2)
    assert (ways >= way_m(at, at, ()) - 1e-6).all()


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_no_detour_makes_a_way_shorter(seed: int) -> None:
    at = places(seed)
    ways = way_m(at, at, [crooked(seed)])
    assert (ways <= (ways[:, :, None] + ways[None, :, :]).min(axis=1) + 1e-6).all()
    by_third = ways[:, :, None] + ways[None, :, :]
    assert (ways[:, None, :] <= by_third + 0.5).all()


@settings(max_examples=25, deadline=None)
@example(197)  # its line crosses itself, and a way once led through the crossing
@given(SEEDS)
def test_the_number_of_vertices_drawn_changes_no_way(seed: int) -> None:
    at, line = places(seed), crooked(seed)
    dense = Barrier("dense", shapely.segmentize(line.line, 300.0))
    assert np.allclose(way_m(at, at, [line]), way_m(at, at, [dense]), atol=0.5)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_pieces_that_touch_are_one_line(seed: int) -> None:
    at, line = places(seed), crooked(seed)
    ends = shapely.get_coordinates(line.line)
    pieces = shapely.multilinestrings(list(shapely.linestrings(np.stack([ends[:-1], ends[1:]], axis=1))))
    assert np.allclose(way_m(at, at, [line]), way_m(at, at, [Barrier("pieces", pieces)]), atol=0.5)


def test_everything_that_is_wrong_with_barriers_is_said_at_once() -> None:
    shut = Barrier("a", shapely.LineString([(0, 0), (1, 0)]))
    area = Barrier("b", shapely.box(0, 0, 1, 1))
    gone = Barrier("c", shapely.LineString([(0, 0), (1, 0)])).with_passage(0.5, 0.0, 10.0)
    with pytest.raises(InputError) as wrong:
        check_barriers([shut, shut, area, gone, shut])
    assert {f.rule for f in wrong.value.findings} == {
        "permeability-barriers",
        "permeability-named-twice",
        "permeability-no-line",
        "permeability-all-passage",
    }
