"""Features of a layer as a sheet: their attributes as text, and beside them what the geometry says.

Columns that begin with ``@`` are made here, and no attribute can be mistaken for them: ``@fid``, ``@x`` and ``@y``
(the point, the first point of a line, a point inside an area; WGS 84), ``@length_km`` (of a line, on the ellipsoid).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from pyproj import Geod
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from sharedrange.core.finding import Finding, Where
from sharedrange.core.places import to_wgs84
from sharedrange.exchange.plain import text_sheet
from sharedrange.exchange.positions import WGS84
from sharedrange.exchange.tables import MISSING, Sheet

MADE = ("@fid", "@x", "@y", "@length_km")
_GEOD = Geod(ellps="WGS84")
_LINES = ("LineString", "MultiLineString")


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: `row` is its line, or its place in the layer; `geometry` None where it has none."""

    row: int
    fid: str
    attributes: Mapping[str, str | None]
    geometry: BaseGeometry | None


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a delivery. `name` is the file (and table); `crs` empty where neither file nor delivery say it."""

    name: str
    features: tuple[Feature, ...]
    crs: str

    def sheet(self) -> tuple[Sheet, list[Finding]]:
        """The features as a sheet of text; a geometry that is no place on Earth is a finding."""
        found: list[Finding] = []
        if not self.crs and any(feature.geometry is not None for feature in self.features):
            found.append(Finding("missing-crs", {}, Where(file=self.name)))
        placed = self.crs and not self.crs.startswith("local:")
        rows = []
        for feature in self.features:
            geometry = _on_earth(feature.geometry, self.crs) if placed else feature.geometry
            if geometry is None and feature.geometry is not None:
                facts = {"crs": self.crs}
                found.append(Finding("position-no-place", facts, Where(file=self.name, row=feature.row)))
            made = _made(geometry, on_earth=bool(placed))
            rows.append((feature.row, {**feature.attributes, "@fid": feature.fid, **made}))
        names = dict.fromkeys(name for feature in self.features for name in feature.attributes)
        return text_sheet(self.name, [*MADE, *names], rows), found


def cell(value: Any) -> str | None:
    """A value of an attribute as the text of a cell; what is missing is None."""
    if value is None or isinstance(value, bytes):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = str(value).strip()
    return None if text in MISSING else text


def geometry_of(read: Callable[[], Any]) -> BaseGeometry | None:
    """What `read` gives, if it is a geometry with finite coordinates and any point; else None."""
    try:
        geometry = read()
        good = isinstance(geometry, BaseGeometry) and not geometry.is_empty and all(map(math.isfinite, geometry.bounds))
    except (ShapelyError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        return None
    return geometry if good else None


def _on_earth(geometry: BaseGeometry | None, crs: str) -> BaseGeometry | None:
    if geometry is None:
        return None
    flat = shapely.force_2d(geometry)
    moved = (
        flat if crs == WGS84 else shapely.transform(flat, lambda p: np.column_stack(to_wgs84(crs, p[:, 0], p[:, 1])))
    )
    west, south, east, north = moved.bounds
    good = -180 <= west <= east <= 180 and -90 <= south <= north <= 90  # false for infinity and NaN too
    return moved if good else None


def _made(geometry: BaseGeometry | None, *, on_earth: bool) -> dict[str, str | None]:
    if geometry is None:
        return {}
    is_line = geometry.geom_type in _LINES
    if is_line:
        x, y = shapely.get_coordinates(geometry)[0]
    else:
        point = geometry_of(geometry.point_on_surface)
        if point is None:
            return {}
        x, y = shapely.get_coordinates(point)[0]
    length_km = _GEOD.geometry_length(geometry) / 1000 if is_line and on_earth else None
    return {"@x": repr(float(x)), "@y": repr(float(y)), "@length_km": None if length_km is None else f"{length_km:.3f}"}


def bad_geometries(name: str, rows: Iterable[int]) -> list[Finding]:
    """A finding for each feature whose geometry cannot be read; it is not shown, to protect the place."""
    return [Finding("bad-geometry", {}, Where(file=name, row=row)) for row in rows]


def sheets(layers: Sequence[Layer]) -> tuple[list[Sheet], list[Finding]]:
    """The sheets of layers, and what is wrong with their places."""
    made, found = [], []
    for layer in layers:
        sheet, wrong = layer.sheet()
        made.append(sheet)
        found += wrong
    return made, found
