"""How well each permeability of a barrier agrees with the data, as a figure: a curve, its interval shaded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from markupsafe import Markup

from sharedrange.assessment.report.charts import Axes, Curve, curves
from sharedrange.assessment.report.palette import Look
from sharedrange.core.answer import Answer
from sharedrange.core.places import Floats

_POINTS = 101  # of a drawn curve
_PERCENT = 100.0
_LEAST_SUPPORT = 1e-9  # whose logarithm can be drawn between


def drawn(answer: Answer, look: Look, title: str) -> Markup | None:
    """The curves of an answer's table `profile`, one a barrier; None where it has no such table."""
    table = answer.tables.get("profile")
    if table is None or table.is_empty():
        return None
    words = look.words
    axes = Axes(title, words("report.profile.x"), words("report.profile.y"))
    return curves(tuple(_curves(table, answer)), axes, look)


def _curves(table: pl.DataFrame, answer: Answer) -> Iterator[Curve]:
    names = table["barrier"].unique(maintain_order=True).to_list()
    for name in names:
        own, number = table.filter(barrier=name), answer[f"permeability.{name}"]
        low, high = number.low or 0.0, 1.0 if number.high is None else number.high
        p = np.unique(np.r_[np.linspace(0.0, 1.0, _POINTS), own["permeability"].to_numpy(), low, high])
        support = _between(own, p)
        shaded = np.where((p >= low) & (p <= high), support, 0.0)
        yield Curve(name if len(names) > 1 else "", p * _PERCENT, support, np.zeros_like(p), shaded)


def _between(table: pl.DataFrame, p: Floats) -> Floats:
    """Support at `p`, with log-likelihood straight between the points that were computed."""
    known, fall = table["permeability"].to_numpy(), table["fall"].to_numpy()
    return np.asarray(np.maximum(np.exp(-np.interp(p, known, fall) / 2), _LEAST_SUPPORT))
