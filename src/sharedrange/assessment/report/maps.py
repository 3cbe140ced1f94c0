"""Effort and detections in cells, on the shipped Natural Earth base or, for a local frame, on a plain grid.

Never points: what is drawn is what `Assessment.cells` holds. No names of seas or boundaries are printed.
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
from sharedrange.assessment.report.numbers import EN_DASH, fact, text
from sharedrange.assessment.report.palette import Look, colours
from sharedrange.core.places import Floats, Projection, Sides, equal_area

WIDTH = 720.0
GUTTER = 24.0
PANEL = (WIDTH - GUTTER) / 2
SMALLEST_CELL_OF_THE_EARTH_M = 10_000.0  # finer cells are those of a local frame
CLASSES = 4
LEGEND_ROW = 20.0
OPACITY = (0.28, 0.46, 0.66, 0.9)


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
    side: str = "#3d4852"
    graticule: str = "#c3ccd1"


@dataclass(frozen=True, slots=True)
class Frame:
    """What part of the world is drawn: bounds in metres of `projection`, and metres to figure units."""

    projection: Projection
    west: float
    south: float
    east: float
    north: float

    @property
    def scale(self) -> float:
        """Figure units a metre."""
        return PANEL / (self.east - self.west)

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


@dataclass(frozen=True, slots=True)
class Drawing:
    """One map in the making: what is shown (`cells`, columns of CELLS), where, and how."""

    cells: pl.DataFrame
    sides: Sides
    frame: Frame
    look: Look
    style: MapStyle


COLUMNS = ("run_days", "detections")  # one panel each


def cell_map(
    cells: pl.DataFrame, sides: Sides, projection: str, look: Look, *, title: str, style: MapStyle | None = None
) -> Markup:
    """Two panels side by side, effort and detections of one component and species, by party.

    `cells` has the columns of CELLS; `projection` is the component's (``auto``, a CRS, ``local:<name>``). Where no
    style is given, simulated data are drawn without boundaries: invented parks lie on no real one.
    """
    style = style or MapStyle(boundaries=not look.naming.programme.simulated)
    drawing = Drawing(cells, sides, frame_of(cells, sides, projection), look, style)
    badge = look.badge()
    top = 46.0 if badge else 24.0
    bottom = top + drawing.frame.height + 14
    ground, over = _ground(drawing), _sides(drawing) + _scale_bar(drawing)
    panels = [
        svg.element("g", _panel(column, drawing, ground, over), transform=f"translate({x:.0f} {top:.0f})")
        + svg.element("g", _legend(column, drawing), transform=f"translate({x:.0f} {bottom:.0f})")
        for x, column in zip((0, PANEL + GUTTER), COLUMNS, strict=True)
    ]
    height = bottom + LEGEND_ROW * cells["party"].n_unique() + 22
    return svg.figure(WIDTH, height, title, _clip(drawing.frame), badge, *panels)


def frame_of(cells: pl.DataFrame, sides: Sides, projection: str) -> Frame:
    """The extent of the cells, padded, not narrower than tall; in the projection that cut the cells."""
    used = _projection(cells, sides, projection)
    x_m, y_m = used.forward(cells["x"].to_numpy(), cells["y"].to_numpy())
    half = cells["cell_m"].to_numpy() / 2
    west, east = float((x_m - half).min()), float((x_m + half).max())
    south, north = float((y_m - half).min()), float((y_m + half).max())
    pad = 0.12 * max(east - west, north - south) + float(half.max())
    west, east, south, north = west - pad, east + pad, south - pad, north + pad
    narrow = max(0.0, (north - south) / 1.1 - (east - west)) / 2  # a panel is at most 1.1 times as tall as wide
    flat = max(0.0, (east - west) * 0.7 - (north - south)) / 2  # and at least 0.7 times
    return Frame(used, west - narrow, south - flat, east + narrow, north + flat)


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


# ---- the ground ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def base() -> Mapping[str, Any]:
    """The shipped Natural Earth base: layer -> GeoJSON geometries, and the `window` that it covers (degrees)."""
    packed = (resources.files("sharedrange.assessment") / "base" / "natural-earth.json.gz").read_bytes()
    layers: Mapping[str, Any] = json.loads(gzip.decompress(packed))
    return layers


def _ground(drawing: Drawing) -> Markup:
    frame = drawing.frame
    if frame.projection.is_local:
        return svg.element("rect", width=PANEL, height=frame.height, fill="#fbfbf8") + _grid(drawing)
    return _base_layers(frame, drawing.style) + _graticule(drawing)


def _base_layers(frame: Frame, style: MapStyle) -> Markup:
    window = frame.window_in_degrees()
    covered = _path([box(*base()["window"]).intersection(window)], frame, fill=style.water)
    layers = [
        _path(_near("land", window), frame, fill=style.land),
        _path(_near("lakes", window), frame, fill=style.water, stroke=style.coast, stroke_width=0.5),
        _path(_near("rivers", window), frame, fill="none", stroke=style.river, stroke_width=1),
        _path(_near("coastline", window), frame, fill="none", stroke=style.coast, stroke_width=0.8),
    ]
    if style.boundaries:
        dash = {"stroke_dasharray": style.boundary_dash, "stroke_width": 1}
        layers.append(_path(_near("boundaries", window), frame, fill="none", stroke=style.boundary, **dash))
    return covered + Markup("").join(layers)


def _near(layer: str, window: BaseGeometry) -> list[BaseGeometry]:
    """Shapes of a layer inside the window, degrees."""
    west, south, east, north = window.bounds
    clipped = (shapely.clip_by_rect(shape(s), west, south, east, north) for s in base()[layer])
    return [s for s in clipped if not s.is_empty]


def _path(shapes: Iterable[BaseGeometry], frame: Frame, **attributes: object) -> Markup:
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


def _sides(drawing: Drawing) -> Markup:
    """Outlines of the parties' sides, all in one neutral style."""
    shapes = [side for _, side in sorted(drawing.sides.polygons.items())]
    return _path(shapes, drawing.frame, fill="none", stroke=drawing.style.side, stroke_width=1.1, opacity=0.8)


def _graticule(drawing: Drawing) -> Markup:
    west, south, east, north = drawing.frame.window_in_degrees().bounds
    step = _degrees_apart(max(east - west, north - south))
    across, along = np.linspace(west, east, 21), np.linspace(south, north, 21)
    meridians = [_meridian(lon, along, drawing) for lon in _multiples(west, east, step)]
    parallels = [_parallel(lat, across, drawing) for lat in _multiples(south, north, step)]
    return Markup("").join([*meridians, *parallels])


def _degrees_apart(extent: float) -> float:
    return next((step for step in (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10) if extent / step <= 4), 20)


def _multiples(low: float, high: float, step: float) -> list[float]:
    return [round(i * step, 6) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _meridian(lon: float, latitudes: Floats, drawing: Drawing) -> Markup:
    frame = drawing.frame
    line = frame.xy(np.column_stack(frame.projection.forward(np.full_like(latitudes, lon), latitudes)))
    x = float(np.interp(0.0, line[::-1, 1], line[::-1, 0]))  # where it meets the upper edge
    return _thin(line, drawing) + _x_label(x, _degrees("report.map.east", "report.map.west", lon, drawing.look))


def _parallel(lat: float, longitudes: Floats, drawing: Drawing) -> Markup:
    frame = drawing.frame
    line = frame.xy(np.column_stack(frame.projection.forward(longitudes, np.full_like(longitudes, lat))))
    y = float(np.interp(0.0, line[:, 0], line[:, 1]))  # where it meets the left edge
    told = _degrees("report.map.north", "report.map.south", lat, drawing.look)
    return _thin(line, drawing) + _y_label(y, frame, told)


def _degrees(positive: str, negative: str, value: float, look: Look) -> str:
    decimals = next((d for d in (0, 1) if abs(value - round(value, d)) < 1e-6), 2)
    return look.words(positive if value >= 0 else negative, degrees=text(abs(value), decimals, look.words.language))


def _grid(drawing: Drawing) -> Markup:
    """Lines of a local frame, labelled in its metres."""
    frame, language = drawing.frame, drawing.look.words.language
    step = svg.nice_step((frame.east - frame.west) / 5)
    upright = [
        _thin(frame.xy(np.array([[x, frame.south], [x, frame.north]])), drawing)
        + _x_label((x - frame.west) * frame.scale, text(x, 0, language))
        for x in _multiples(frame.west, frame.east, step)
    ]
    level = [
        _thin(frame.xy(np.array([[frame.west, y], [frame.east, y]])), drawing)
        + _y_label((frame.north - y) * frame.scale, frame, text(y, 0, language))
        for y in _multiples(frame.south, frame.north, step)
    ]
    return Markup("").join([*upright, *level])


def _thin(line: Floats, drawing: Drawing) -> Markup:
    return svg.element("path", d=_outline(line), fill="none", stroke=drawing.style.graticule, stroke_width=0.6)


def _x_label(x: float, words: str) -> Markup:
    """A label at the upper edge, where it does not touch a corner."""
    return _edge_label(x, 11, words, text_anchor="middle") if 24 < x < PANEL - 24 else Markup("")


def _y_label(y: float, frame: Frame, words: str) -> Markup:
    """A label at the left edge, where it does not touch a corner."""
    return _edge_label(4, y - 3, words) if 22 < y < frame.height - 30 else Markup("")


def _edge_label(x: float, y: float, words: str, **attributes: object) -> Markup:
    halo = {"stroke": svg.PAPER, "stroke_width": 2.5, "paint_order": "stroke"}
    return svg.label(x, y, words, font_size=9, fill=svg.SOFT, **halo, **attributes)


def _scale_bar(drawing: Drawing) -> Markup:
    """A bar of a round length, an eighth of the panel or more, in the lower right corner."""
    frame, look = drawing.frame, drawing.look
    length_m = svg.nice_step((frame.east - frame.west) / 8)
    unit, size = ("m", length_m) if length_m < 1000 else ("km", length_m / 1000)
    right, y = PANEL - 12, frame.height - 10
    left = right - length_m * frame.scale
    words = look.words(f"report.map.scale.{unit}", length=text(size, 0, look.words.language))
    plate = svg.element("rect", x=left - 8, y=y - 19, width=right - left + 16, height=26, fill=svg.PAPER, opacity=0.8)
    bar = svg.element("path", d=f"M{left:.1f} {y - 4:.1f}V{y:.1f}H{right:.1f}V{y - 4:.1f}", fill="none", stroke=svg.INK)
    return plate + bar + svg.label((left + right) / 2, y - 7, words, font_size=10, text_anchor="middle")


# ---- what is shown on it -------------------------------------------------------------------------------------


def _clip(frame: Frame) -> Markup:
    inside = svg.element("rect", width=PANEL, height=frame.height)
    return svg.element("clipPath", inside, id=_clip_id(frame))


def _clip_id(frame: Frame) -> str:
    """An id that no other map of the page has unless it has the same size, and then it does not matter."""
    return f"panel-{frame.height * 10:.0f}"


def _panel(column: str, drawing: Drawing, ground: Markup, over: Markup) -> Markup:
    frame = drawing.frame
    heading = svg.label(0, -8, drawing.look.words(f"report.map.{column}"), font_size=13, font_weight=700)
    inside = svg.element("g", ground, _squares(column, drawing), over, clip_path=f"url(#{_clip_id(frame)})")
    border = svg.element("rect", width=PANEL, height=frame.height, fill="none", stroke=svg.RULE)
    return heading + inside + border


def _squares(column: str, drawing: Drawing) -> Markup:
    """A square a cell; where several parties watched one cell, each has its strip of it."""
    cells, frame = drawing.cells, drawing.frame
    x_m, y_m = frame.projection.forward(cells["x"].to_numpy(), cells["y"].to_numpy())
    placed = cells.with_columns(_class(cells, column).alias("class"), x_m=pl.Series(x_m), y_m=pl.Series(y_m))
    drawn = []
    for _, group in placed.sort("x", "y", "party").group_by("x", "y", maintain_order=True):
        for strip, row in enumerate(group.iter_rows(named=True)):
            drawn.append(_square(row, (strip, group.height), drawing))
    return Markup("").join(drawn)


def _square(row: Mapping[str, Any], strip: tuple[int, int], drawing: Drawing) -> Markup:
    """The strip (which, of how many) of a cell."""
    frame, (which, of) = drawing.frame, strip
    size = row["cell_m"] * frame.scale
    x = (row["x_m"] - frame.west) * frame.scale - size / 2 + which * size / of
    y = (frame.north - row["y_m"]) * frame.scale - size / 2
    place = {"x": x + 0.5, "y": y + 0.5, "width": size / of - 1, "height": size - 1}
    return svg.element("rect", **place, **_shade(row["class"], drawing.look.colour(row["party"])))


def _shade(step: int, colour: str) -> dict[str, object]:
    """How a class is painted; class 0, watched and nothing recorded, is an outline."""
    opacity = f"{OPACITY[step - 1]}" if step else "0"
    return {"fill": colour, "fill_opacity": opacity, "stroke": colour, "stroke_width": 0.7, "stroke_opacity": "0.55"}


def _breaks(cells: pl.DataFrame, column: str) -> list[float]:
    """Upper ends of the classes: round numbers that cut the range of `column` into equal parts."""
    highest = float(np.max(cells[column].fill_null(0).to_numpy(), initial=0))
    if highest <= CLASSES:
        return [float(i) for i in range(1, max(math.ceil(highest), 1) + 1)]
    step = svg.nice_step(highest / CLASSES)
    return [step * i for i in range(1, CLASSES + 1) if step * (i - 1) < highest]


def _class(cells: pl.DataFrame, column: str) -> pl.Series:
    """Class of each cell, 1 to CLASSES; 0 where there is nothing."""
    values = cells[column].fill_null(0).to_numpy().astype(float)
    return pl.Series(np.where(values > 0, np.searchsorted(_breaks(cells, column), values - 1e-9) + 1, 0))


def _legend(column: str, drawing: Drawing) -> Markup:
    """For each party its shades, and below what they mean."""
    look, breaks = drawing.look, _breaks(drawing.cells, column)
    width = min(58.0, 200.0 / len(breaks))
    parties = [p for p in colours(look.naming.programme) if p in drawing.cells["party"]]
    rows = [
        svg.element("g", _swatches(look.colour(party), len(breaks), width),
                    svg.label(width * len(breaks) + 6, 10, look.naming.party(party), font_size=11, translate="no"),
                    transform=f"translate(0 {LEGEND_ROW * i:.0f})")
        for i, party in enumerate(parties)
    ]  # fmt: skip
    y = LEGEND_ROW * len(parties) + 10
    ranges = [
        svg.label(width * (k + 0.5) - 1, y, words, font_size=9, fill=svg.SOFT, text_anchor="middle")
        for k, words in enumerate(_ranges(breaks, column, look))
    ]
    return Markup("").join([*rows, *ranges])


def _swatches(colour: str, classes: int, width: float) -> Markup:
    return Markup("").join(
        svg.element("rect", x=width * k, y=0, width=width - 2, height=11, **_shade(k + 1, colour))
        for k in range(classes)
    )


def _ranges(breaks: list[float], column: str, look: Look) -> list[str]:
    """What each class holds, in figures; classes of counts do not touch."""
    gap = 1.0 if column == "detections" else 0.0
    lows = [gap, *(b + gap for b in breaks[:-1])]
    return [
        fact(high, look.words) if low == high else f"{fact(low, look.words)}{EN_DASH}{fact(high, look.words)}"
        for low, high in zip(lows, breaks, strict=True)
    ]
