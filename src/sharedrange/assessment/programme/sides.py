"""Sides, other areas and lines: from a GeoJSON file of the node (RFC 7946) or from WKT in the programme."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from sharedrange.assessment.programme.types import Component
from sharedrange.core.errors import ProgrammeError
from sharedrange.core.finding import Finding, Where
from sharedrange.core.places import Sides

_LARGEST_BYTES = 64 << 20
_WKT = re.compile(r"\s*(?:MULTI)?POLYGON\b", re.IGNORECASE)
_WKT_LINE = re.compile(r"\s*(?:MULTI)?LINESTRING\b", re.IGNORECASE)
_DEGREES = ("crs84", "4326")
# Two parties rarely digitise one border alike: slivers up to this share of the smaller side are let pass.
_SLIVER_SHARE = 1e-4


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of geometry, and the rules of what is empty or of another kind."""

    type_id: int
    empty: str
    unlike: str


_POLYGON = _Kind(shapely.GeometryType.POLYGON, "programme-area-empty", "programme-area-not-polygon")
_LINE = _Kind(shapely.GeometryType.LINESTRING, "programme-line-empty", "programme-line-not-line")


class _Wrong(Exception):
    """An area cannot be read; `rule` and `facts` become the finding."""

    def __init__(self, rule: str, **facts: str | float) -> None:
        self.rule, self.facts = rule, facts
        super().__init__(rule)


def read_sides(component: Component, folder: Path) -> Sides:
    """Whose side is where: the polygons of `component`, in the frame that positions are kept in.

    Raises ProgrammeError with everything wrong: a file that is missing or outside the folder, no polygon,
    an invalid one, metres where degrees are needed, sides that overlap.
    """
    sides, found = look_at_sides(component, folder, lambda party: Where("programme.toml", "components", field=party))
    if found:
        raise ProgrammeError(found)
    return sides


def look_at_sides(component: Component, folder: Path, where: Callable[[str], Where]) -> tuple[Sides, list[Finding]]:
    """The sides that can be read, and what is wrong; `where` tells the place of a party's side."""
    in_degrees = not component.projection.startswith("local:")
    polygons: dict[str, BaseGeometry] = {}
    found: list[Finding] = []
    for party, text in component.sides.items():
        try:
            polygons[party] = _area(text, folder, in_degrees=in_degrees)
        except _Wrong as wrong:
            found.append(_told(wrong, text, where(party)))
    return Sides(polygons), [*found, *_overlaps(polygons, component.id, where)]


def read_geometry(text: str, folder: Path, where: Where = Where(), *, in_degrees: bool = False) -> BaseGeometry:
    """The polygons of a GeoJSON file in `folder`, or of WKT, as one geometry.

    Raises ProgrammeError if it cannot be read, or if it must be `in_degrees` and is not.
    """
    try:
        return _area(text, folder, in_degrees=in_degrees)
    except _Wrong as wrong:
        raise ProgrammeError([_told(wrong, text, where)]) from None


def read_line(text: str, folder: Path, where: Where = Where(), *, in_degrees: bool = False) -> BaseGeometry:
    """The lines of a GeoJSON file in `folder`, or of WKT, as one MultiLineString.

    Raises ProgrammeError if they cannot be read, or if they must be `in_degrees` and are not.
    """
    try:
        return _line(text, folder, in_degrees=in_degrees)
    except _Wrong as wrong:
        raise ProgrammeError([_told(wrong, text, where)]) from None


def is_wkt(text: str) -> bool:
    """Whether a text is a polygon or a line itself, and no name of a file."""
    return bool(_WKT.match(text) or _WKT_LINE.match(text))


def file_inside(name: str, folder: Path, where: Where = Where()) -> Path:
    """The file `name` of `folder`. Raises ProgrammeError if it lies outside (also through a link) or is absent."""
    try:
        return _inside(name, folder)
    except _Wrong as wrong:
        raise ProgrammeError([_told(wrong, name, where)]) from None


def _told(wrong: _Wrong, text: str, where: Where) -> Finding:
    return Finding(wrong.rule, {"area": text if len(text) <= 60 else text[:57] + "...", **wrong.facts}, where)


def _inside(name: str, folder: Path) -> Path:
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise _Wrong("programme-path-escapes")
        if not path.is_file():
            raise _Wrong("programme-area-missing")
    except (OSError, ValueError, RuntimeError):  # a name too long, a null byte, a loop of links
        raise _Wrong("programme-area-missing") from None
    return path


@np.errstate(all="ignore")  # a file may hold numbers that overflow or are none; they are looked at below
def _area(text: str, folder: Path, *, in_degrees: bool) -> BaseGeometry:
    geometry = _from_wkt(text) if _WKT.match(text) else _from_geojson(_inside(text, folder))
    parts = _parts(geometry, _POLYGON, in_degrees=in_degrees)
    for part in parts:
        if not part.is_valid:
            # The reason ends with a position in brackets; the border's shape is not for a message.
            raise _Wrong("programme-area-invalid", problem=shapely.is_valid_reason(part).partition("[")[0])
    area = shapely.union_all(parts)
    if area.area == 0:  # also one so small that its area is no number
        raise _Wrong("programme-area-empty")
    return area


@np.errstate(all="ignore")
def _line(text: str, folder: Path, *, in_degrees: bool) -> BaseGeometry:
    geometry = _from_wkt(text) if _WKT_LINE.match(text) else _from_geojson(_inside(text, folder))
    return shapely.multilinestrings(_parts(geometry, _LINE, in_degrees=in_degrees))


def _parts(geometry: BaseGeometry, kind: _Kind, *, in_degrees: bool) -> NDArray[np.object_]:
    """The parts of a geometry, all of one kind, with numbers that can be places."""
    parts = shapely.get_parts(_flat(geometry))
    if len(parts) == 0 or all(shapely.is_empty(parts)):
        raise _Wrong(kind.empty)
    if set(shapely.get_type_id(parts).tolist()) - {kind.type_id}:
        raise _Wrong(kind.unlike, kind=geometry.geom_type)
    _check_numbers(geometry, in_degrees=in_degrees)
    return np.asarray(parts)


def _flat(geometry: BaseGeometry) -> BaseGeometry:
    """A collection (as read from a GeoJSON FeatureCollection) without collections inside it."""
    while any(shapely.get_type_id(p) >= shapely.GeometryType.MULTIPOINT for p in shapely.get_parts(geometry)):
        nested = [q for p in shapely.get_parts(geometry) for q in shapely.get_parts(p)]
        geometry = shapely.GeometryCollection(nested)
    return geometry


def _check_numbers(geometry: BaseGeometry, *, in_degrees: bool) -> None:
    points = shapely.get_coordinates(geometry)
    if not np.isfinite(points).all():
        raise _Wrong("programme-area-invalid", problem="not a number")
    if in_degrees and (np.abs(points) > (180, 90)).any():
        raise _Wrong("programme-area-not-degrees")


def _from_wkt(text: str) -> BaseGeometry:
    try:
        return shapely.from_wkt(text)
    except (shapely.errors.ShapelyError, ValueError, RecursionError):
        raise _Wrong("programme-area-unreadable", problem="WKT") from None


def _from_geojson(path: Path) -> BaseGeometry:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise _Wrong("programme-area-unreadable", problem="larger than 64 MB")
        text = path.read_bytes().decode("utf-8-sig")
        _check_crs(json.loads(text))
        return shapely.from_geojson(text)
    except (OSError, ValueError, RecursionError, shapely.errors.ShapelyError):
        raise _Wrong("programme-area-unreadable", problem="GeoJSON") from None


def _check_crs(value: Any) -> None:
    """GeoJSON is WGS 84 degrees (RFC 7946); the `crs` member of its older form may not say something else."""
    crs = value.get("crs") if isinstance(value, dict) else None
    if crs is not None and not json.dumps(crs).lower().rstrip('"}').endswith(_DEGREES):
        raise _Wrong("programme-area-crs", crs=json.dumps(crs)[:100])


@np.errstate(all="ignore")
def _overlaps(polygons: dict[str, BaseGeometry], component: str, where: Callable[[str], Where]) -> list[Finding]:
    found = []
    for (a, side_a), (b, side_b) in combinations(sorted(polygons.items()), 2):
        share = side_a.intersection(side_b).area / min(side_a.area, side_b.area)
        if share > _SLIVER_SHARE:
            facts = {"component": component, "a": a, "b": b, "percent": round(100 * share, 2)}
            found.append(Finding("programme-sides-overlap", facts, where(b)))
    return found
