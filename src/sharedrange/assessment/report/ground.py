"""What lies under a map: the shipped Natural Earth base or, in a local frame, a plain grid; with its labels.

No names of seas or boundaries are printed.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
import polars as pl
import shapely
from markupsafe import Markup
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

from sharedrange.assessment.report import svg
from sharedrange.assessment.report.frames import Frame
from sharedrange.assessment.report.numbers import text
from sharedrange.assessment.report.palette import Look
from sharedrange.core.places import Floats


@dataclass(frozen=True, slots=True)
class MapStyle:
    """How the base looks. Boundaries are dashed grey, all alike; `boundaries=False` leaves them out."""

    land: str = "#f6f4ee"
    water: str = "#e3ecf1"
    coast: str = "#8fa5b2"
    river: str = "#b5cbd8"
    boundary: str = "#8d8d8d"
    boundary_dash: str = "5 3"
    boundaries: bool = True
    mark: str = "#a3195b"
    side: str = "#3d4852"
    graticule: str = "#c3ccd1"


@dataclass(frozen=True, slots=True)
class Ground:
    """A piece of ground in the making: where it is, how it speaks, and how it looks."""

    frame: Frame
    look: Look
    style: MapStyle


@lru_cache(maxsize=1)
def base() -> Mapping[str, Any]:
    """The shipped Natural Earth base: layer -> GeoJSON geometries, and the `window` that it covers (degrees)."""
    packed = (resources.files("sharedrange.assessment") / "base" / "natural-earth.json.gz").read_bytes()
    layers: Mapping[str, Any] = json.loads(gzip.decompress(packed))
    return layers


def lies_on_base(cells: pl.DataFrame) -> bool:
    """Whether the shipped base covers all cells."""
    west, south, east, north = base()["window"]
    x, y = cells["x"].to_numpy(), cells["y"].to_numpy()
    return bool(((x > west) & (x < east) & (y > south) & (y < north)).all())


def drawn(ground: Ground) -> Markup:
    """The ground of a panel."""
    frame = ground.frame
    if frame.projection.is_local:
        return svg.element("rect", width=frame.width, height=frame.height, fill="#fbfbf8") + _grid(ground)
    return _base_layers(frame, ground.style) + _graticule(ground)


def _base_layers(frame: Frame, style: MapStyle) -> Markup:
    window = frame.window_in_degrees()
    covered = outlines([box(*base()["window"]).intersection(window)], frame, fill=style.water)
    layers = [
        outlines(_near("land", window), frame, fill=style.land),
        outlines(_near("lakes", window), frame, fill=style.water, stroke=style.coast, stroke_width=0.5),
        outlines(_near("rivers", window), frame, fill="none", stroke=style.river, stroke_width=1),
        outlines(_near("coastline", window), frame, fill="none", stroke=style.coast, stroke_width=0.8),
    ]
    if style.boundaries:
        dash = {"stroke_dasharray": style.boundary_dash, "stroke_width": 1}
        layers.append(outlines(_near("boundaries", window), frame, fill="none", stroke=style.boundary, **dash))
    return covered + Markup("").join(layers)


def _near(layer: str, window: BaseGeometry) -> list[BaseGeometry]:
    """Shapes of a layer inside the window, degrees; bends too small to be seen are left out."""
    west, south, east, north = window.bounds
    clipped = (shapely.clip_by_rect(shape(s), west, south, east, north) for s in base()[layer])
    visible = (east - west) / 1000
    return [shapely.simplify(s, visible) for s in clipped if not s.is_empty]


def outlines(shapes: Iterable[BaseGeometry], frame: Frame, **attributes: object) -> Markup:
    """Shapes in degrees (or local metres) as one path."""
    pieces = [_outline(frame.xy(line)) for s in shapes for line in _lines(frame.projection.project(s))]
    return svg.element("path", d="".join(pieces), fill_rule="evenodd", **attributes) if pieces else Markup("")


def _lines(geometry: BaseGeometry) -> list[Floats]:
    """All rings and lines of a geometry as coordinate arrays of shape (n, 2)."""
    if geometry.geom_type == "Polygon":
        return [shapely.get_coordinates(ring) for ring in (geometry.exterior, *geometry.interiors)]
    if hasattr(geometry, "geoms"):
        return [line for part in geometry.geoms for line in _lines(part)]
    return [shapely.get_coordinates(geometry)]


def _outline(points: Floats) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _graticule(ground: Ground) -> Markup:
    west, south, east, north = ground.frame.window_in_degrees().bounds
    step = _degrees_apart(max(east - west, north - south))
    across, along = np.linspace(west, east, 21), np.linspace(south, north, 21)
    meridians = [_meridian(lon, along, ground) for lon in _multiples(west, east, step)]
    parallels = [_parallel(lat, across, ground) for lat in _multiples(south, north, step)]
    return Markup("").join([*meridians, *parallels])


def _degrees_apart(extent: float) -> float:
    return next((step for step in (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10) if extent / step <= 4), 20)


def _multiples(low: float, high: float, step: float) -> list[float]:
    return [round(i * step, 6) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _meridian(lon: float, latitudes: Floats, ground: Ground) -> Markup:
    frame = ground.frame
    line = frame.xy(np.column_stack(frame.projection.forward(np.full_like(latitudes, lon), latitudes)))
    x = float(np.interp(0.0, line[::-1, 1], line[::-1, 0]))  # where it meets the upper edge
    return _thin(line, ground) + _x_label(x, frame, _degrees("report.map.east", "report.map.west", lon, ground.look))


def _parallel(lat: float, longitudes: Floats, ground: Ground) -> Markup:
    frame = ground.frame
    line = frame.xy(np.column_stack(frame.projection.forward(longitudes, np.full_like(longitudes, lat))))
    y = float(np.interp(0.0, line[:, 0], line[:, 1]))  # where it meets the left edge
    told = _degrees("report.map.north", "report.map.south", lat, ground.look)
    return _thin(line, ground) + _y_label(y, frame, told)


def _degrees(positive: str, negative: str, value: float, look: Look) -> str:
    decimals = next((d for d in (0, 1) if abs(value - round(value, d)) < 1e-6), 2)
    return look.words(positive if value >= 0 else negative, degrees=text(abs(value), decimals, look.words.language))


def _grid(ground: Ground) -> Markup:
    """Lines of a local frame, labelled in its metres."""
    frame, language = ground.frame, ground.look.words.language
    step = svg.nice_step((frame.east - frame.west) / 5)
    upright = [
        _thin(frame.xy(np.array([[x, frame.south], [x, frame.north]])), ground)
        + _x_label((x - frame.west) * frame.scale, frame, text(x, 0, language))
        for x in _multiples(frame.west, frame.east, step)
    ]
    level = [
        _thin(frame.xy(np.array([[frame.west, y], [frame.east, y]])), ground)
        + _y_label((frame.north - y) * frame.scale, frame, text(y, 0, language))
        for y in _multiples(frame.south, frame.north, step)
    ]
    return Markup("").join([*upright, *level])


def _thin(line: Floats, ground: Ground) -> Markup:
    return svg.element("path", d=_outline(line), fill="none", stroke=ground.style.graticule, stroke_width=0.6)


def _x_label(x: float, frame: Frame, words: str) -> Markup:
    """A label at the upper edge, where it does not touch a corner."""
    return _edge_label(x, 11, words, text_anchor="middle") if 24 < x < frame.width - 24 else Markup("")


def _y_label(y: float, frame: Frame, words: str) -> Markup:
    """A label at the left edge, where it does not touch a corner."""
    return _edge_label(4, y - 3, words) if 22 < y < frame.height - 30 else Markup("")


def _edge_label(x: float, y: float, words: str, **attributes: object) -> Markup:
    halo = {"stroke": svg.PAPER, "stroke_width": 2.5, "paint_order": "stroke"}
    return svg.label(x, y, words, font_size=9, fill=svg.SOFT, **halo, **attributes)


def scale_bar(ground: Ground) -> Markup:
    """A bar of a round length, a sixth of the panel or more, in the lower right corner."""
    frame, look = ground.frame, ground.look
    length_m = svg.nice_step((frame.east - frame.west) / 6)
    unit, size = ("m", length_m) if length_m < 1000 else ("km", length_m / 1000)
    right, y = frame.width - 12, frame.height - 10
    left = right - length_m * frame.scale
    words = look.words(f"report.map.scale.{unit}", length=text(size, 0, look.words.language))
    plate = svg.element("rect", x=left - 8, y=y - 19, width=right - left + 16, height=26, fill=svg.PAPER, opacity=0.8)
    bar = svg.element("path", d=f"M{left:.1f} {y - 4:.1f}V{y:.1f}H{right:.1f}V{y - 4:.1f}", fill="none", stroke=svg.INK)
    return plate + bar + svg.label((left + right) / 2, y - 7, words, font_size=10, text_anchor="middle")
