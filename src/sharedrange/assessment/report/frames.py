"""What part of the world a map shows, and in which projection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from sharedrange.core.places import Floats, Projection, Sides, equal_area

WIDTH = 720.0
SMALLEST_CELL_OF_THE_EARTH_M = 10_000.0  # finer cells are those of a local frame
REGION_M = 2_400_000.0  # width of the overview that shows where a component lies
FLATTEST = 0.7  # height of a panel by its width, at least


@dataclass(frozen=True, slots=True)
class Frame:
    """What part of the world is drawn: bounds in metres of `projection`, on a panel of `width` figure units."""

    projection: Projection
    west: float
    south: float
    east: float
    north: float
    width: float = WIDTH

    @property
    def scale(self) -> float:
        """Figure units a metre."""
        return self.width / (self.east - self.west)

    @property
    def height(self) -> float:
        """Height of a panel in figure units."""
        return (self.north - self.south) * self.scale

    @property
    def window(self) -> BaseGeometry:
        """The frame as a polygon, metres."""
        return box(self.west, self.south, self.east, self.north)

    def window_in_degrees(self) -> BaseGeometry:
        """The frame in degrees; its edges are cut in pieces first, because straight lines become curves."""
        return self.projection.unproject(shapely.segmentize(self.window, (self.east - self.west) / 20))

    def xy(self, points_m: Floats) -> Floats:
        """Metres, shape (n, 2), to figure units; y points down."""
        return np.column_stack([points_m[:, 0] - self.west, self.north - points_m[:, 1]]) * self.scale


def frame_of(cells: pl.DataFrame, sides: Sides, projection: str, tallest: float = 1.1) -> Frame:
    """The extent of the cells, padded; at most `tallest` times as tall as wide; in the projection that cut them."""
    used = _projection(cells, sides, projection)
    x_m, y_m = used.forward(cells["x"].to_numpy(), cells["y"].to_numpy())
    half = cells["cell_m"].to_numpy() / 2
    west, east = float((x_m - half).min()), float((x_m + half).max())
    south, north = float((y_m - half).min()), float((y_m + half).max())
    pad = 0.12 * max(east - west, north - south) + float(half.max())
    west, east, south, north = west - pad, east + pad, south - pad, north + pad
    narrow = max(0.0, (north - south) / tallest - (east - west)) / 2
    flat = max(0.0, (east - west) * FLATTEST - (north - south)) / 2
    return Frame(used, west - narrow, south - flat, east + narrow, north + flat)


def region_around(frame: Frame) -> Frame:
    """A frame of the same shape, REGION_M wide, around the same centre."""
    x_m, y_m = (frame.west + frame.east) / 2, (frame.south + frame.north) / 2
    lon, lat = frame.projection.inverse(np.array([x_m]), np.array([y_m]))
    half = max(REGION_M, 4 * (frame.east - frame.west)) / 2
    tall = half * (frame.north - frame.south) / (frame.east - frame.west)
    around = equal_area(float(lon[0]), float(lat[0]))
    centre_x_m, centre_y_m = (float(axis[0]) for axis in around.forward(lon, lat))
    return Frame(around, centre_x_m - half, centre_y_m - tall, centre_x_m + half, centre_y_m + tall, frame.width)


def is_local(cells: pl.DataFrame, projection: str) -> bool:
    """Whether cells lie in a local frame without a place on Earth: declared so, or finer than any map may be."""
    return projection.startswith("local:") or float(cells["cell_m"].to_numpy().min()) < SMALLEST_CELL_OF_THE_EARTH_M


def _projection(cells: pl.DataFrame, sides: Sides, projection: str) -> Projection:
    if is_local(cells, projection):
        return Projection("local:cells")
    if projection != "auto":
        return Projection(projection)
    if sides.polygons:
        west, south, east, north = shapely.total_bounds(list(sides.polygons.values()))
        return equal_area((west + east) / 2, (south + north) / 2)
    x, y = cells["x"].to_numpy(), cells["y"].to_numpy()
    return equal_area(float(x.min() + x.max()) / 2, float(y.min() + y.max()) / 2)
