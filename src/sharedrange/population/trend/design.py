"""The design of a trend model: what each parameter adds to the logarithm of the expected count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.formulas import Formula, Variable, design_matrix
from sharedrange.population.trend.model import TrendModel
from sharedrange.population.trend.panel import Panel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MONTH = "month"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One coefficient: an effect of the time `upto`, or a slope per unit of time in `since`..`upto`; or of a month.

    `covariate` and `level` are "" for the baseline, else whose difference from the reference level it is. `since` is
    the first time for effects of times (they are relative to it) and the month 1 for months.
    """

    since: int
    upto: int
    covariate: str = ""
    level: str = ""

    def __str__(self) -> str:
        who = f"{self.covariate}.{self.level}:" if self.covariate and self.covariate != MONTH else ""
        return f"{who}month.{self.upto}" if self.covariate == MONTH else f"{who}{self.since}-{self.upto}"


@dataclass(frozen=True, slots=True)
class Design:
    """Rows of the panel share few rows of the design: `rows` (m, p) are those, `cell` (N,) says which one each has.

    log (weight * expected count) = level of the site + rows[cell] @ coefficients. `parameters` name the p columns.
    """

    parameters: tuple[Parameter, ...]
    rows: Floats
    cell: Ints

    @property
    def p(self) -> int:
        """Number of coefficients beside the sites' levels."""
        return len(self.parameters)

    def of(self, coefficients: Floats) -> Floats:
        """What the coefficients add to each row of the panel on the log scale, shape (N,)."""
        return np.asarray((self.rows @ coefficients)[self.cell])


def design_of(panel: Panel, model: TrendModel) -> Design:
    """The design of `model` on `panel`: time by covariates, and months where counts are monthly."""
    cell, first = _cells(panel)
    basis, spans = time_basis(panel.times, model)
    factors, whose = _factors(panel, model, first)
    time, month = panel.time[first], panel.month[first]
    timed = (factors[:, :, None] * basis[time][:, None, :]).reshape(len(first), -1)
    monthly = (month[:, None] == np.arange(1, max(len(panel.months), 1))).astype(float)
    names = [Parameter(since, upto, c, level) for c, level in whose for since, upto in spans]
    names += [Parameter(panel.months[0], m, MONTH, str(m)) for m in panel.months[1:]]
    return Design(tuple(names), np.hstack([timed, monthly]), cell)


def _cells(panel: Panel) -> tuple[Ints, Ints]:
    """Index of each row's combination of time, month and levels; the first row of each combination."""
    codes = [panel.time, panel.month, *panel.covariates.values()]
    sizes = [len(panel.times), max(len(panel.months), 1), *(len(v) for v in panel.levels.values())]
    joint = np.ravel_multi_index(codes, sizes) if len(panel.time) else panel.time
    _, first, cell = np.unique(joint, return_index=True, return_inverse=True)
    return np.asarray(cell, dtype=np.int64), np.asarray(first, dtype=np.int64)


def time_basis(times: Sequence[int], model: TrendModel) -> tuple[Floats, list[tuple[int, int]]]:
    """What each time parameter adds at each time, shape (T, q), and the span of times that each is about.

    Kind 3: an indicator of every time but the first. Kind 2: the time that has passed within each stretch between
    change points, so that the coefficients are the slopes themselves. Kind 1: nothing.
    """
    at = np.asarray(times, dtype=np.float64)
    if model.kind == 3:
        return np.eye(len(at))[:, 1:], [(times[0], t) for t in times[1:]]
    ends = [*model.slopes_from(tuple(times)), times[-1]]
    spans = list(pairwise(ends)) if model.kind == 2 else []
    passed = [np.clip(at, since, upto) - since for since, upto in spans]
    return (np.stack(passed, axis=1) if passed else np.empty((len(at), 0))), spans


def _factors(panel: Panel, model: TrendModel, rows: Ints) -> tuple[Floats, list[tuple[str, str]]]:
    """Columns of ones for the baseline and for every level but the first of each covariate; whose they are."""
    text = {c: np.array(panel.levels[c])[panel.covariates[c][rows]] for c in model.covariates}
    formula = Formula(tuple((Variable(c),) for c in model.covariates))
    matrix = design_matrix(formula, text, panel.levels) if text else None
    values = matrix.values if matrix else np.ones((len(rows), 1))
    return values, [("", ""), *_other_levels(panel, model)]


def _other_levels(panel: Panel, model: TrendModel) -> Iterator[tuple[str, str]]:
    for covariate in model.covariates:
        for level in panel.levels[covariate][1:]:
            yield covariate, level
