"""A mask covers where activity centres may be, point for point the same for everyone who makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.errors import InputError, NotEnoughData
from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
from sharedrange.core.places import Projection, Sides, equal_area
from sharedrange.population.masks import clip_to_side, make_mask, pooled_spread_m, suggested_mask

GRID = Projection("local:grid")


def history(places: list[tuple[float, float]], captures: Sequence[tuple[str, int]] = ()) -> CaptureHistory:
    """A history of detectors "0", "1", ... at `places`; captures are (animal, detector), each on its own occasion."""
    rows = [(who, str(at), k + 1, 1) for k, (who, at) in enumerate(captures)]
    return CaptureHistory(
        "s",
        "count",
        pl.DataFrame([(str(j), "a", None, x, y) for j, (x, y) in enumerate(places)], schema=DETECTORS, orient="row"),
        pl.DataFrame([(who, None, None) for who in sorted({who for who, _ in captures})], INDIVIDUALS, orient="row"),
        pl.DataFrame(rows, schema=CAPTURES, orient="row"),
        np.ones((len(places), max(len(rows), 1))),
    )


def test_a_mask_holds_every_grid_point_within_the_buffer_and_no_other() -> None:
    mask, found = make_mask([history([(0, 0), (1000, 0)])], GRID, None, buffer_m=500, spacing_m=100)
    distance = np.minimum(np.hypot(mask.x_m, mask.y_m), np.hypot(mask.x_m - 1000, mask.y_m))
    assert distance.max() <= 500
    assert mask.area_km2 == pytest.approx(2 * np.pi * 0.25, rel=0.05)
    assert mask.spacing_m == pytest.approx(100)
    assert found == ()


@settings(max_examples=30, deadline=None)
@given(st.floats(-5e4, 5e4), st.floats(-5e4, 5e4), st.sampled_from([70.0, 250.0, 1000.0]))
def test_two_parties_get_the_same_points_where_their_masks_overlap(x_m: float, y_m: float, spacing_m: float) -> None:
    theirs, _ = make_mask([history([(x_m, y_m)])], GRID, None, buffer_m=3 * spacing_m, spacing_m=spacing_m)
    joint, _ = make_mask(
        [history([(x_m, y_m), (x_m + spacing_m, y_m)])], GRID, None, buffer_m=3 * spacing_m, spacing_m=spacing_m
    )
    assert set(zip(theirs.x_m, theirs.y_m, strict=True)) <= set(zip(joint.x_m, joint.y_m, strict=True))


def test_a_polygon_cuts_the_mask_and_sides_tell_whose_each_point_is() -> None:
    sides = Sides({"west": shapely.box(-1e4, -1e4, 1, 1e4), "east": shapely.box(1, -1e4, 1e4, 1e4)})
    habitat = shapely.box(-200, -200, 200, 200)
    mask, _ = make_mask([history([(0, 0)])], GRID, sides, buffer_m=500, spacing_m=100, polygon=habitat)
    assert (abs(mask.x_m).max(), abs(mask.y_m).max()) == (150, 150)
    west = clip_to_side(mask, "west")
    assert (west.x_m.max(), set(west.side)) == (-50, {"west"})
    assert len(west) + len(clip_to_side(mask, "east")) == len(mask)


def test_a_border_through_the_centre_leaves_each_side_the_same_area() -> None:
    sides = Sides({"west": shapely.box(-1e4, -1e4, 0, 1e4), "east": shapely.box(0, -1e4, 1e4, 1e4)})
    mask, _ = make_mask([history([(0, 0)])], GRID, sides, buffer_m=500, spacing_m=100)
    assert len(clip_to_side(mask, "west")) == len(clip_to_side(mask, "east")) == len(mask) / 2


def test_an_edge_is_open_where_the_buffer_ends_and_closed_where_the_habitat_does() -> None:
    habitat = shapely.box(-200, -1e4, 1e4, 1e4)
    mask, _ = make_mask([history([(0, 0)])], GRID, None, buffer_m=500, spacing_m=100, polygon=habitat)
    assert mask.open_edge is not None
    coast = (mask.x_m == mask.x_m.min()) & (abs(mask.y_m) < 300)
    assert coast.any()
    assert not mask.open_edge[coast].any()
    assert mask.open_edge[mask.x_m == mask.x_m.max()].all()


def test_polygons_and_sides_in_degrees_meet_a_mask_in_metres() -> None:
    projection = equal_area(130, 43)
    sides = Sides({"west": shapely.box(129, 42, 130, 44), "east": shapely.box(130, 42, 131, 44)})
    mask, _ = make_mask([history([(500, 0)])], projection, sides, buffer_m=10_000, spacing_m=1000)
    assert (mask.side[mask.x_m < -1] == "west").all()
    assert (mask.side[mask.x_m > 1] == "east").all()


def test_a_point_is_surveyed_within_reach_of_a_detector() -> None:
    mask, _ = make_mask([history([(0, 0)])], GRID, None, buffer_m=500, spacing_m=100, reach_m=200)
    assert (mask.surveyed == (np.hypot(mask.x_m, mask.y_m) <= 200)).all()
    assert 0 < mask.surveyed.sum() < len(mask)


def test_reach_is_twice_the_spread_of_captures_where_nobody_gave_it() -> None:
    there_and_back = history([(0, 0), (200, 0)], [("A", 0), ("A", 1)])
    mask, _ = make_mask([there_and_back], GRID, None, buffer_m=600, spacing_m=20)
    beyond = np.minimum(np.hypot(mask.x_m, mask.y_m), np.hypot(mask.x_m - 200, mask.y_m))
    assert beyond[mask.surveyed].max() == pytest.approx(2 * pooled_spread_m([there_and_back]), abs=20)


def test_given_points_are_taken_as_they_are() -> None:
    points = np.array([0.0, 15.0, 30.0]), np.array([0.0, 0.0, 0.0])
    mask, found = make_mask([history([(0, 0)])], GRID, None, points=points, spacing_m=15, reach_m=10)
    assert (mask.x_m.tolist(), found) == ([0, 15, 30], ())
    assert mask.cell_area_km2 == pytest.approx(0.000225)
    assert mask.surveyed.tolist() == [True, False, False]


def test_the_spread_of_captures_is_that_of_calhoun_and_casby() -> None:
    # A at x = 0, 0, 300: squares 60 000 on 2 degrees of freedom; B seen once adds nothing
    spread = pooled_spread_m([history([(0, 0), (300, 0)], [("A", 0), ("A", 0), ("A", 1), ("B", 1)])])
    assert spread == pytest.approx(np.sqrt(60_000 / 4))


def test_the_spread_of_captures_does_not_depend_on_where_the_array_stands() -> None:
    captures = [("A", 0), ("A", 1), ("B", 1), ("B", 2)]
    near = pooled_spread_m([history([(0, 0), (300, 0), (0, 400)], captures)])
    far = pooled_spread_m([history([(1e7, -1e7), (1e7 + 300, -1e7), (1e7, -1e7 + 400)], captures)])
    assert far == pytest.approx(near, rel=1e-9)


def test_a_simulated_sigma_is_found_where_the_array_is_wide() -> None:
    rng = np.random.default_rng(7)
    axis = np.arange(-10, 11) * 50.0
    places = [(float(x), float(y)) for x in axis for y in axis]
    weight = np.exp(-np.array([x * x + y * y for x, y in places]) / (2 * 100.0**2))
    at = rng.choice(len(places), size=400, p=weight / weight.sum())
    assert pooled_spread_m([history(places, [("A", int(j)) for j in at])]) == pytest.approx(100, rel=0.1)


def test_buffer_and_spacing_are_suggested_from_the_captures_with_a_note() -> None:
    caught = [history([(0, 0), (300, 0)], [("A", 0), ("A", 0), ("A", 1)])]
    buffer_m, spacing_m, note = suggested_mask(caught)
    assert (spacing_m, buffer_m, note.rule) == (37.0, 518.0, "mask-suggested")  # spread 122.5 m
    mask, found = make_mask(caught, GRID, None)
    assert mask.spacing_m == pytest.approx(37)
    assert found == (note,)


def test_without_spatial_recaptures_no_buffer_is_invented() -> None:
    with pytest.raises(NotEnoughData) as thin:
        make_mask([history([(0, 0), (300, 0)], [("A", 0), ("A", 0), ("B", 1)])], GRID, None)
    assert thin.value.refusal.have == {"spatial_recaptures": 0}


@pytest.mark.parametrize(
    ("lengths", "rules"),
    [
        ({"buffer_m": -1.0, "spacing_m": 0.0}, ["mask-length", "mask-length"]),
        ({"buffer_m": float("nan"), "spacing_m": 10.0}, ["mask-length"]),
        ({"buffer_m": 1e6, "spacing_m": 1.0}, ["mask-too-fine"]),
        ({"buffer_m": 1e12, "spacing_m": 1e-9}, ["mask-too-fine"]),
        ({"buffer_m": 100.0, "spacing_m": 10.0, "polygon": shapely.box(900, 900, 901, 901)}, ["mask-empty"]),
        ({"points": (np.zeros(1), np.zeros(1))}, ["mask-length"]),
    ],
)
def test_a_mask_that_cannot_be_is_a_finding(lengths: dict[str, Any], rules: list[str]) -> None:
    with pytest.raises(InputError) as wrong:
        make_mask([history([(0, 0)])], GRID, None, **lengths)
    assert [f.rule for f in wrong.value.findings] == rules
