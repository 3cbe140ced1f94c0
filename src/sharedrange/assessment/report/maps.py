"""Effort and detections in cells, on the shipped Natural Earth base or, for a local frame, on a plain grid.

Never points: what is drawn is what `Assessment.cells` holds. No names of seas or boundaries are printed.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
GUTTER = 20.0
HEADING_ROW = 16.0
SMALLEST_CELL_OF_THE_EARTH_M = 10_000.0  # finer cells are those of a local frame
CLASSES = 4
LEGEND_ROW = 14.0
REGION_M = 2_400_000.0  # width of the overview that shows where a component lies
FLATTEST, MORE_ROWS, ONE_ROW = 0.7, 0.85, 1.1  # height of a panel by its width: the least, and the most
SMALLEST_MARK = 9.0  # figure units: a component on the overview is never smaller than this
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
    mark: str = "#a3195b"
    side: str = "#3d4852"
    graticule: str = "#c3ccd1"


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


@dataclass(frozen=True, slots=True)
class Drawing:
    """One map in the making: what is shown (`cells`, columns of CELLS), where, and how."""

    cells: pl.DataFrame
    sides: Sides
    frame: Frame
    look: Look
    style: MapStyle


@dataclass(frozen=True, slots=True)
class Panel:
    """One small map of a figure: a column of `cells` (columns of CELLS); the overview has none."""

    heading: str
    column: str
    cells: pl.DataFrame


def component_map(
    cells: pl.DataFrame, sides: Sides, projection: str, look: Look, *, title: str, style: MapStyle | None = None
) -> Markup:
    """Effort, the detections of each species, and where in the region that is: small maps of one component.

    `cells` has the columns of CELLS; `projection` is the component's (``auto``, a CRS, ``local:<name>``). Effort
    is drawn once where it is the same for all species. Where no style is given, simulated data are drawn without
    boundaries and without an overview: invented parks lie on no real place.
    """
    style = style or MapStyle(boundaries=not look.naming.programme.simulated)
    panels = (*_panels(cells, look), *_overview_panel(cells, projection, look))
    across = 2 if len(panels) in {2, 4} else min(3, len(panels))
    width = (WIDTH - GUTTER * (across - 1)) / across
    frame = frame_of(cells, sides, projection, ONE_ROW if len(panels) <= across else MORE_ROWS)
    drawing = Drawing(cells, sides, replace(frame, width=width), look, style)
    badge, (key, key_height) = look.badge(), _party_key(drawing)
    top = 22.0 if badge else 0.0
    placed, height = _grid_of_panels(panels, drawing, across)
    body = svg.element("g", key, transform=f"translate(0 {top:.0f})")
    body += svg.element("g", placed, transform=f"translate(0 {top + key_height:.0f})")
    return svg.figure(WIDTH, top + key_height + height, title, _clip(drawing.frame), badge, body)


def _grid_of_panels(panels: Sequence[Panel], drawing: Drawing, across: int) -> tuple[Markup, float]:
    """Panels in rows of `across`, and how tall they are together."""
    width = drawing.frame.width
    heading = HEADING_ROW * max(len(_heading_rows(panel, width)) for panel in panels)
    row_height = heading + drawing.frame.height + LEGEND_ROW * len(_parties(drawing)) + 38
    placed = []
    for i, panel in enumerate(panels):
        row, column = divmod(i, across)
        place = f"translate({column * (width + GUTTER):.1f} {row * row_height:.1f})"
        placed.append(svg.element("g", _panel(panel, drawing, heading), transform=place))
    return Markup("").join(placed), row_height * -(-len(panels) // across)


def _panels(cells: pl.DataFrame, look: Look) -> tuple[Panel, ...]:
    """Effort, once if all species share it, then the detections of each species."""
    by_species = {str(key): table for (key,), table in cells.group_by("species", maintain_order=True)}
    efforts = [t.select("party", "x", "y", "run_days").sort("party", "x", "y") for t in by_species.values()]
    is_one = all(effort.equals(efforts[0]) for effort in efforts)
    words, named = look.words, {key: look.naming.species(key) for key in by_species}
    shown = list(by_species.items())[:1] if is_one else by_species.items()
    effort = [
        Panel(words("report.map.run_days") if is_one else words("report.map.run_days.of", species=named[key]),
              "run_days", table)
        for key, table in shown
    ]  # fmt: skip
    detections = [
        Panel(words("report.map.detections", species=named[key]), "detections", table)
        for key, table in by_species.items()
    ]
    return (*effort, *detections)


def _overview_panel(cells: pl.DataFrame, projection: str, look: Look) -> tuple[Panel, ...]:
    """The overview, where there is a place on Earth to be shown."""
    if not has_overview(cells, projection, look):
        return ()
    return (Panel(look.words("report.map.overview"), "", cells.head(0)),)


def has_overview(cells: pl.DataFrame, projection: str, look: Look) -> bool:
    """Whether the figure shows where in the region its cells lie: real ones, on the shipped base."""
    return not look.naming.programme.simulated and not is_local(cells, projection) and lies_on_base(cells)


def lies_on_base(cells: pl.DataFrame) -> bool:
    """Whether the shipped base covers all cells."""
    west, south, east, north = base()["window"]
    x, y = cells["x"].to_numpy(), cells["y"].to_numpy()
    return bool(((x > west) & (x < east) & (y > south) & (y < north)).all())


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
        return svg.element("rect", width=frame.width, height=frame.height, fill="#fbfbf8") + _grid(drawing)
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
    """Shapes of a layer inside the window, degrees; bends too small to be seen are left out."""
    west, south, east, north = window.bounds
    clipped = (shapely.clip_by_rect(shape(s), west, south, east, north) for s in base()[layer])
    visible = (east - west) / 1000
    return [shapely.simplify(s, visible) for s in clipped if not s.is_empty]


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
    return _thin(line, drawing) + _x_label(x, frame, _degrees("report.map.east", "report.map.west", lon, drawing.look))


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
        + _x_label((x - frame.west) * frame.scale, frame, text(x, 0, language))
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


def _x_label(x: float, frame: Frame, words: str) -> Markup:
    """A label at the upper edge, where it does not touch a corner."""
    return _edge_label(x, 11, words, text_anchor="middle") if 24 < x < frame.width - 24 else Markup("")


def _y_label(y: float, frame: Frame, words: str) -> Markup:
    """A label at the left edge, where it does not touch a corner."""
    return _edge_label(4, y - 3, words) if 22 < y < frame.height - 30 else Markup("")


def _edge_label(x: float, y: float, words: str, **attributes: object) -> Markup:
    halo = {"stroke": svg.PAPER, "stroke_width": 2.5, "paint_order": "stroke"}
    return svg.label(x, y, words, font_size=9, fill=svg.SOFT, **halo, **attributes)


def _scale_bar(drawing: Drawing) -> Markup:
    """A bar of a round length, a sixth of the panel or more, in the lower right corner."""
    frame, look = drawing.frame, drawing.look
    length_m = svg.nice_step((frame.east - frame.west) / 6)
    unit, size = ("m", length_m) if length_m < 1000 else ("km", length_m / 1000)
    right, y = frame.width - 12, frame.height - 10
    left = right - length_m * frame.scale
    words = look.words(f"report.map.scale.{unit}", length=text(size, 0, look.words.language))
    plate = svg.element("rect", x=left - 8, y=y - 19, width=right - left + 16, height=26, fill=svg.PAPER, opacity=0.8)
    bar = svg.element("path", d=f"M{left:.1f} {y - 4:.1f}V{y:.1f}H{right:.1f}V{y - 4:.1f}", fill="none", stroke=svg.INK)
    return plate + bar + svg.label((left + right) / 2, y - 7, words, font_size=10, text_anchor="middle")


# ---- what is shown on it -------------------------------------------------------------------------------------


def _clip(frame: Frame) -> Markup:
    inside = svg.element("rect", width=frame.width, height=frame.height)
    return svg.element("clipPath", inside, id=_clip_id(frame))


def _clip_id(frame: Frame) -> str:
    """An id that no other map of the page has unless it has the same size, and then it does not matter."""
    return f"panel-{frame.width * 10:.0f}-{frame.height * 10:.0f}"


def _panel(panel: Panel, drawing: Drawing, heading: float) -> Markup:
    """Heading, map and legend of one panel, below each other."""
    rows = _heading_rows(panel, drawing.frame.width)
    told = svg.lines(0, heading - 4 - HEADING_ROW * (len(rows) - 1), rows, HEADING_ROW, font_size=12, font_weight=700)
    here = replace(drawing, cells=panel.cells)
    mapped, legend = (
        (_cells_map(panel, here), _legend(panel.column, here)) if panel.column else (_overview(drawing), "")
    )
    below = svg.element("g", legend, transform=f"translate(0 {heading + drawing.frame.height + 10:.1f})")
    return told + svg.element("g", mapped, transform=f"translate(0 {heading:.1f})") + below


def _heading_rows(panel: Panel, width: float) -> list[str]:
    return svg.wrap(panel.heading, width / 13)


def _cells_map(panel: Panel, drawing: Drawing) -> Markup:
    over = _sides(drawing) + _scale_bar(drawing)
    return _framed(drawing.frame, _ground(drawing), _squares(panel.column, drawing), over)


def _framed(frame: Frame, *inside: Markup) -> Markup:
    border = svg.element("rect", width=frame.width, height=frame.height, fill="none", stroke=svg.RULE)
    return svg.element("g", *inside, clip_path=f"url(#{_clip_id(frame)})") + border


def _overview(drawing: Drawing) -> Markup:
    """The region around a component, and one box that holds all its cells."""
    frame = _region(drawing.frame)
    inner = drawing.frame
    mark = max(SMALLEST_MARK, (inner.east - inner.west) * frame.scale)
    tall = max(SMALLEST_MARK, (inner.north - inner.south) * frame.scale)
    at = {"x": (frame.width - mark) / 2, "y": (frame.height - tall) / 2, "width": mark, "height": tall}
    box_ = svg.element(
        "rect", **at, fill=drawing.style.mark, fill_opacity="0.15", stroke=drawing.style.mark, stroke_width=1.6
    )
    region = replace(drawing, frame=frame)
    return _framed(frame, _ground(region), box_, _scale_bar(region))


def _region(frame: Frame) -> Frame:
    """A frame of the same shape, REGION_M wide, around the same centre."""
    x_m, y_m = (frame.west + frame.east) / 2, (frame.south + frame.north) / 2
    lon, lat = frame.projection.inverse(np.array([x_m]), np.array([y_m]))
    half = max(REGION_M, 4 * (frame.east - frame.west)) / 2
    tall = half * (frame.north - frame.south) / (frame.east - frame.west)
    around = equal_area(float(lon[0]), float(lat[0]))
    centre_x_m, centre_y_m = (float(axis[0]) for axis in around.forward(lon, lat))
    return Frame(around, centre_x_m - half, centre_y_m - tall, centre_x_m + half, centre_y_m + tall, frame.width)


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


def _parties(drawing: Drawing) -> list[str]:
    """Parties that have a cell, in the order of their colours."""
    return [p for p in colours(drawing.look.naming.programme) if p in drawing.cells["party"]]


def _party_key(drawing: Drawing) -> tuple[Markup, float]:
    """Whose colour is whose, in rows across the figure; and their height."""
    look, x, y, pieces = drawing.look, 0.0, 12.0, []
    for party in _parties(drawing):
        name = look.naming.party(party)
        width = 34 + 12 * svg.advance_em(name)
        if x and x + width > WIDTH:
            x, y = 0.0, y + 18
        pieces.append(svg.element("rect", x=x, y=y - 9, width=11, height=11, fill=look.colour(party)))
        pieces.append(svg.label(x + 17, y, name, translate="no"))
        x += width
    return Markup("").join(pieces), y + 12


def _legend(column: str, drawing: Drawing) -> Markup:
    """The shades of each party, one row a party, and below what they mean."""
    look, breaks = drawing.look, _breaks(drawing.cells, column)
    width = min(58.0, (drawing.frame.width - 8) / len(breaks))
    parties = _parties(drawing)
    rows = [
        svg.element(
            "g", _swatches(look.colour(party), len(breaks), width), transform=f"translate(0 {LEGEND_ROW * i:.0f})"
        )
        for i, party in enumerate(parties)
    ]
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
