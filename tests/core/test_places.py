"""Degrees and metres cross over in one place, and areas are right there."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from sharedrange.core.places import Projection, Sides, equal_area


@given(st.floats(86, 144), st.floats(39, 55))
def test_the_default_projection_keeps_areas_anywhere_in_the_region(lon: float, lat: float) -> None:
    square = shapely.box(lon - 0.5, lat - 0.5, lon + 0.5, lat + 0.5).segmentize(0.05)
    true_m2, _ = Geod(ellps="WGS84").geometry_area_perimeter(square)
    assert equal_area(lon, lat).project(square).area == pytest.approx(abs(true_m2), rel=1e-3)


@given(st.floats(86, 144), st.floats(39, 55))
def test_there_and_back_is_the_same_place(lon: float, lat: float) -> None:
    projection = equal_area(115.0, 47.0)
    back = projection.inverse(*projection.forward(np.array([lon]), np.array([lat])))
    np.testing.assert_allclose(back, [[lon], [lat]], atol=1e-8)


def test_a_local_frame_is_metres_already() -> None:
    local = Projection("local:nets")
    x, y = local.forward(np.array([5.0]), np.array([7.0]))
    assert (x[0], y[0]) == (5.0, 7.0)
    assert local.is_local


def test_a_point_on_nobodys_side_has_no_party() -> None:
    sides = Sides({"a": shapely.box(0, 0, 1, 1), "b": shapely.box(1, 0, 2, 1)})
    assert sides.of(np.array([0.5, 1.5, 9.0]), np.array([0.5, 0.5, 0.5])).tolist() == ["a", "b", ""]
