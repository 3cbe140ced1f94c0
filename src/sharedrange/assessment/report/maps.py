"""Effort and detections in cells, on the shipped Natural Earth base or, for a local frame, on a plain grid.

Never points: what is drawn is what `Assessment.cells` holds. No names of seas or boundaries are printed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from markupsafe import Markup

from sharedrange.assessment.report import ground, svg
from sharedrange.assessment.report.frames import WIDTH, Frame, frame_of, is_local, region_around
from sharedrange.assessment.report.ground import Ground, MapStyle, lies_on_base, outlines, scale_bar
from sharedrange.assessment.report.numbers import EN_DASH, fact
from sharedrange.assessment.report.palette import Look, colours
from sharedrange.core.places import Sides

GUTTER = 20.0
HEADING_ROW = 16.0
CLASSES = 4
LEGEND_ROW = 14.0
MORE_ROWS, ONE_ROW = 0.85, 1.1  # height of a panel by its width, at most
SMALLEST_MARK = 9.0  # figure units: a component on the overview is never smaller than this
OPACITY = (0.28, 0.46, 0.66, 0.9)


@dataclass(frozen=True, slots=True)
class Drawing:
    """One map in the making: what is shown (`cells`, columns of CELLS; `sides` of parties), and on what ground."""

    cells: pl.DataFrame
    sides: Sides
    ground: Ground

    @property
    def frame(self) -> Frame:
        """What part of the world is shown."""
        return self.ground.frame

    @property
    def look(self) -> Look:
        """How the map speaks, and its colours."""
        return self.ground.look


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
    drawing = Drawing(cells, sides, Ground(replace(frame, width=width), look, style))
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
    over = _sides(drawing) + scale_bar(drawing.ground)
    return _framed(drawing.frame, ground.drawn(drawing.ground), _squares(panel.column, drawing), over)


def _sides(drawing: Drawing) -> Markup:
    """Outlines of the parties' sides, all in one neutral style."""
    shapes = [side for _, side in sorted(drawing.sides.polygons.items())]
    return outlines(shapes, drawing.frame, fill="none", stroke=drawing.ground.style.side, stroke_width=1.1, opacity=0.8)


def _framed(frame: Frame, *inside: Markup) -> Markup:
    border = svg.element("rect", width=frame.width, height=frame.height, fill="none", stroke=svg.RULE)
    return svg.element("g", *inside, clip_path=f"url(#{_clip_id(frame)})") + border


def _overview(drawing: Drawing) -> Markup:
    """The region around a component, and one box that holds all its cells."""
    inner, style = drawing.frame, drawing.ground.style
    frame = region_around(inner)
    mark = max(SMALLEST_MARK, (inner.east - inner.west) * frame.scale)
    tall = max(SMALLEST_MARK, (inner.north - inner.south) * frame.scale)
    at = {"x": (frame.width - mark) / 2, "y": (frame.height - tall) / 2, "width": mark, "height": tall}
    box = svg.element("rect", **at, fill=style.mark, fill_opacity="0.15", stroke=style.mark, stroke_width=1.6)
    region = replace(drawing.ground, frame=frame)
    return _framed(frame, ground.drawn(region), box, scale_bar(region))


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
