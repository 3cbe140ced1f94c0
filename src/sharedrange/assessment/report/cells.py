"""Where a species lives among coarse cells: a figure without an Earth under it, north up.

Only cells of a grid are drawn, never stations, and only those of 10 km and more where the animals are real: a cell in
which something was found is where the animal was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from markupsafe import Markup

from sharedrange.assessment.report import svg
from sharedrange.assessment.report.charts import SHADES, shade_key
from sharedrange.assessment.report.numbers import percent
from sharedrange.assessment.report.palette import Look
from sharedrange.core.answer import Answer

COARSE_M = 10_000.0  # no map of a real target animal is finer
WIDTH, TOP, LARGEST = 720.0, 30.0, 44.0
LEGEND_X = 560.0
_CELL = re.compile(r"[^/]+/(\d+(?:\.\d+)?)/(-?\d+)/(-?\d+)")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell by column and row of its grid, with the chance that the species lives there and whether it was found."""

    size_m: float
    column: int
    row: int
    chance: float
    found: bool


def cells_drawn(answer: Answer, *, is_nowhere: bool) -> tuple[Cell, ...]:
    """The cells of an answer that may be drawn: coarse ones, or any where they have no place on Earth."""
    table = answer.tables.get("map")
    return () if table is None or not (is_nowhere or are_coarse(table)) else _cells_of(table)


def _cells_of(table: pl.DataFrame) -> tuple[Cell, ...]:
    """The visited cells of a map of sites; none where a site is a station, or is called by a name."""
    read = []
    for site, chance, detections in table.drop_nulls("occupied").select("site", "occupied", "detections").iter_rows():
        named = _CELL.fullmatch(site)
        if named is None:
            return ()
        read.append(Cell(float(named[1]), int(named[2]), int(named[3]), chance, detections > 0))
    return tuple(read)


def are_coarse(table: pl.DataFrame) -> bool:
    """Whether every site is a cell that may be shown wherever it lies."""
    named = [_CELL.fullmatch(site) for site in table["site"].to_list()]
    return all(name is not None and float(name[1]) >= COARSE_M for name in named)


def drawn(cells: Sequence[Cell], look: Look, title: str) -> Markup:
    """The cells shaded by the chance that the species lives there; a dot where it was found."""
    columns, rows = ([getattr(c, axis) for c in cells] for axis in ("column", "row"))
    left, top = min(columns), max(rows)
    side = min(LARGEST, (LEGEND_X - 24) / (max(columns) - left + 1))
    squares = [_square(c, (c.column - left) * side, TOP + (top - c.row) * side, side) for c in cells]
    height = max(TOP + (top - min(rows) + 1) * side, TOP + 20.0 * len(SHADES) + 80)
    return svg.figure(WIDTH, height, title, look.badge(), *squares, _legend(look))


def _square(cell: Cell, x: float, y: float, side: float) -> Markup:
    shade = SHADES[min(int(cell.chance * len(SHADES)), len(SHADES) - 1)]
    square = svg.element("rect", x=x, y=y, width=side, height=side, fill=shade, stroke=svg.RULE)
    if not cell.found:
        return square
    return square + svg.element("circle", cx=x + side / 2, cy=y + side / 2, r=side / 8, fill=svg.INK)


def _legend(look: Look) -> Markup:
    fifths = [percent(i / len(SHADES), look.words) for i in range(len(SHADES) + 1)]
    rows = svg.wrap(look.words("report.cells.chance"), 12)
    top = TOP + 14.0 * len(rows) + 4
    below = top + 20.0 * len(SHADES) + 18
    found = svg.element("circle", cx=LEGEND_X + 8, cy=below - 4, r=4.0, fill=svg.INK)
    heading = svg.lines(LEGEND_X, TOP + 8, rows, 14, font_weight=600)
    return Markup("").join(
        [
            heading,
            shade_key(LEGEND_X, top, fifths),
            found,
            svg.label(LEGEND_X + 24, below, look.words("report.cells.found")),
        ]
    )
