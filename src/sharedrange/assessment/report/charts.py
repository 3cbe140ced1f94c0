"""Plain charts of a survey and a fit: bars, curves with a band, a surface of cells. None of them names a place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from sharedrange.assessment.report import svg
from sharedrange.assessment.report.numbers import fact
from sharedrange.assessment.report.palette import Look
from sharedrange.core.answer import Estimate
from sharedrange.core.places import Floats

WIDTH, HEIGHT = 720.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 560.0, 40.0, 268.0
LEGEND_X = 574.0
SHADES = ("#f1f5f9", "#cfe0ec", "#9fc3dc", "#5f9cc5", "#1f6fa5")  # light to dark
_MOST_CELLS = 80  # of a surface, along its longer side: finer is thrown together
_MOST_BARS = 120  # more are thrown together, so that each can be seen


@dataclass(frozen=True, slots=True)
class Axes:
    """What a chart is called and what stands beside its axes."""

    title: str
    x: str
    y: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A line over `x`, with its band; all shapes (n,). `name` is empty where there is only one."""

    name: str
    x: Floats
    value: Floats
    low: Floats
    high: Floats


def bars(heights: Sequence[float], axes: Axes, look: Look, *, first: int = 1) -> Markup:
    """Bars side by side, numbered from `first`; neighbours are averaged where there are very many."""
    together = -(-len(heights) // _MOST_BARS)
    values = [float(np.mean(heights[i : i + together])) for i in range(0, len(heights), together)]
    high = max(values, default=0.0) * 1.05 or 1.0
    step = (RIGHT - LEFT) / max(len(values), 1)
    drawn = [_bar(LEFT + (i + 0.1) * step, 0.8 * step, _y(value, high)) for i, value in enumerate(values)]
    ends = ((0, first), (len(values) - 1, first + len(heights) - 1))
    numbers = [
        svg.label(LEFT + (i + 0.5) * step, BOTTOM + 18, str(number), text_anchor="middle", fill=svg.SOFT)
        for i, number in dict.fromkeys(ends)
    ]
    return _framed(axes, look, high, *drawn, *numbers)


def axis_end(estimates: Iterable[Estimate]) -> float:
    """Where an axis may end: at the highest value or limit; a limit beyond three times the largest value runs off."""
    numbers = tuple(estimates)
    largest = max(e.value for e in numbers)
    highest = max([largest, *(e.high for e in numbers if e.high is not None)])
    return min(highest, 3 * largest)


def shade_key(x: float, top: float, edges: Sequence[str]) -> Markup:
    """The shades from light to dark below each other, each with the two of `edges` (one more than SHADES) around it."""
    keys = [
        svg.element("rect", x=x, y=top + 20 * i, width=16, height=16, fill=shade, stroke=svg.RULE)
        + svg.label(x + 24, top + 13 + 20 * i, f"{edges[i]} – {edges[i + 1]}")
        for i, shade in enumerate(SHADES)
    ]
    return Markup("").join(keys)


def _bar(x: float, width: float, top: float) -> Markup:
    return svg.element("rect", x=x, y=top, width=width, height=BOTTOM - top, fill=svg.PARTY_COLOURS[0])


def curves(lines: Sequence[Curve], axes: Axes, look: Look) -> Markup:
    """Lines with their bands over a common axis that begins at zero."""
    high = max(float(line.high.max()) for line in lines) * 1.05 or 1.0
    end = max(float(line.x.max()) for line in lines)
    pieces, names = [], []
    for i, line in enumerate(lines):
        colour = svg.PARTY_COLOURS[i % len(svg.PARTY_COLOURS)]
        upper, lower = (_points(line.x, limit, end, high) for limit in (line.high, line.low))
        band = " ".join([*upper, *reversed(lower)])
        pieces.append(svg.element("polygon", points=band, fill=colour, fill_opacity="0.14"))
        path = " ".join(_points(line.x, line.value, end, high))
        pieces.append(svg.element("polyline", points=path, fill="none", stroke=colour, stroke_width=2))
        names.append(svg.label(LEGEND_X, TOP + 12 + 16 * i, line.name, fill=colour, font_weight=600))
    marks = [
        svg.label(
            LEFT + (RIGHT - LEFT) * t / end, BOTTOM + 18, fact(t, look.words), text_anchor="middle", fill=svg.SOFT
        )
        for t in svg.ticks(0, end)
    ]
    return _framed(axes, look, high, *pieces, *names, *marks)


def surface(x_m: Floats, y_m: Floats, values: Floats, look: Look, *, title: str, unit: str) -> Markup:
    """Cells shaded by their value, north up, without a place on Earth; shapes (n,)."""
    column, row, mean = _raster(x_m, y_m, values)
    side = min((LEGEND_X - 20) / (column.max() + 1), 420.0 / (row.max() + 1))
    low, high = float(mean.min()), float(mean.max())
    share = np.full(len(mean), 0.5) if high == low else (mean - low) / (high - low)
    shade = np.minimum((share * len(SHADES)).astype(int), len(SHADES) - 1)
    cells = [
        svg.element("rect", x=float(i * side), y=float(TOP + (row.max() - j) * side), width=float(side + 0.2),
                    height=float(side + 0.2), fill=SHADES[k])
        for i, j, k in zip(column, row, shade, strict=True)
    ]  # fmt: skip
    height = max(TOP + float(row.max() + 1) * side, TOP + 20.0 * len(SHADES) + 30)
    legend_x = float(column.max() + 1) * side + 24
    return svg.figure(WIDTH, height + 8, title, look.badge(), *cells, _legend(legend_x, (low, high), unit, look))


def _raster(x_m: Floats, y_m: Floats, values: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Column, row and mean value of the cells that hold the points; as fine as the points, or _MOST_CELLS long."""
    span = max(float(np.ptp(x_m)), float(np.ptp(y_m)))
    gaps = np.diff(np.unique(np.round(x_m, 3)))
    cell_m = max(float(gaps.min()) if len(gaps) else 1.0, span / (_MOST_CELLS - 1) if span else 1.0)
    column = np.floor((x_m - x_m.min()) / cell_m + 1e-6).astype(np.int64)
    row = np.floor((y_m - y_m.min()) / cell_m + 1e-6).astype(np.int64)
    keys, of = np.unique(np.column_stack([column, row]), axis=0, return_inverse=True)
    total, number = np.bincount(of.ravel(), weights=values), np.bincount(of.ravel())
    return keys[:, 0], keys[:, 1], total / number


def _legend(x: float, ends: tuple[float, float], unit: str, look: Look) -> Markup:
    low, high = ends
    if high == low:
        return svg.lines(x, TOP + 12, [fact(low, look.words), unit], 15)
    edges = [_short(edge, look) for edge in np.linspace(low, high, len(SHADES) + 1)]
    return shade_key(x, TOP, edges) + svg.label(x, TOP + 18 + 20.0 * len(SHADES), unit, fill=svg.SOFT)


def _short(value: float, look: Look) -> str:
    return fact(float(f"{value:.2g}"), look.words)


def _y(value: float, high: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * min(value, high) / high


def _points(x: Floats, y: Floats, end: float, high: float) -> list[str]:
    return [f"{LEFT + (RIGHT - LEFT) * a / end:.1f},{_y(b, high):.1f}" for a, b in zip(x, y, strict=True)]


def _framed(axes: Axes, look: Look, high: float, *pieces: Markup) -> Markup:
    grid = [
        svg.rule(LEFT, _y(mark, high), RIGHT, _y(mark, high))
        + svg.label(LEFT - 8, _y(mark, high) + 4, fact(mark, look.words), text_anchor="end", fill=svg.SOFT)
        for mark in svg.ticks(0, high)
    ]
    told = [
        svg.label((LEFT + RIGHT) / 2, BOTTOM + 38, axes.x, text_anchor="middle"),
        svg.label(0, TOP - 16, axes.y),
    ]
    return svg.figure(WIDTH, HEIGHT, axes.title, look.badge(), *grid, *pieces, *told)
