"""The curve that a negotiation needs: cell size against what outsiders find and what the joint number loses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sharedrange.assessment.programme import Programme
from sharedrange.assessment.report import charts
from sharedrange.assessment.report.naming import Naming
from sharedrange.assessment.report.palette import Look
from sharedrange.assessment.report.svg import standing_alone
from sharedrange.assessment.sharing.costing import Cost
from sharedrange.assessment.sharing.preview import Step
from sharedrange.assessment.sharing.recommending import judged, recommended
from sharedrange.core.files import write_atomically
from sharedrange.core.words import Words

_MOST = 1.0  # a density that is wrong by more than all of itself is off any chart


def draw_curve(
    steps: Sequence[Step], costs: Sequence[Cost], file: Path, *, unit: str, programme: Programme, words: Words
) -> Path | None:
    """Write the curve as an SVG file: per cent over the side of the cells, in `unit`. None if nothing leaves at all.

    An upright line marks the recommended cells. Cells so large that the density is off any chart are left out.

    Raises InputError if the file cannot be written.
    """
    widest = max((cost.cell for cost in costs if _is_drawn(cost)), default=float("inf"))
    lines = [*_found([step for step in steps if step.cell <= widest], words), *_lost(costs, words)]
    if not lines:
        return None
    lines += _marked(recommended(judged(steps, costs)), lines, words)
    axes = charts.Axes(words("plot.curve"), words("plot.curve.x", unit=unit), words("plot.curve.y"))
    figure = charts.curves(lines, axes, Look(Naming(programme, words)))
    write_atomically(file, standing_alone(str(figure)).encode())
    return file


def _found(steps: Sequence[Step], words: Words) -> Iterator[charts.Curve]:
    told = [(step.cell, step.attack) for step in steps if step.attack is not None]
    if told:
        found, low, high = (
            100 * np.array([getattr(attack, name) for _, attack in told]) for name in ("success", "low", "high")
        )
        yield charts.Curve(words("plot.curve.found"), np.array([cell for cell, _ in told]), found, low, high)


def _lost(costs: Sequence[Cost], words: Words) -> Iterator[charts.Curve]:
    for name in ("width_ratio", "shift"):
        rows = [(cost.cell, _percent(cost, name)) for cost in costs if _is_drawn(cost)]
        if rows:
            x, y = (np.array(column) for column in zip(*rows, strict=True))
            yield charts.Curve(words(f"plot.curve.{name}"), x, y, y, y)


def _marked(cell: float | None, lines: Sequence[charts.Curve], words: Words) -> Iterator[charts.Curve]:
    """An upright line at the recommended cells, as high as the others; nothing where none are."""
    if cell is not None:
        upright = np.array([0.0, max(float(line.high.max()) for line in lines)])
        yield charts.Curve(words("plot.curve.recommended"), np.array([cell, cell]), upright, upright, upright)


def _is_drawn(cost: Cost) -> bool:
    return cost.width_ratio is not None and cost.shift is not None and abs(cost.shift) <= _MOST


def _percent(cost: Cost, name: str) -> float:
    """How much wider, or how far off, in per cent."""
    width, shift = cost.width_ratio or 1.0, cost.shift or 0.0
    return max(0.0, 100 * (width - 1)) if name == "width_ratio" else 100 * abs(shift)
