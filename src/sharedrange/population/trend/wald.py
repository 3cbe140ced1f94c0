"""Wald tests: is there a slope, does it change, do covariates matter, do the years leave the straight line?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space
from scipy.stats import chi2

from sharedrange.population.trend.design import MONTH, Design
from sharedrange.population.trend.estimation import Solution
from sharedrange.population.trend.model import TrendModel

Floats = NDArray[np.float64]

SLOPE, CHANGE, DEVIATIONS, COVARIATE, MONTHS = "slope", "change", "deviations", "covariate", "months"


@dataclass(frozen=True, slots=True)
class WaldTest:
    """A test that contrasts of the coefficients are all zero: `statistic` is chi-squared with `df` if they are.

    `test` is ``slope``, ``change`` (of slope, at the time `about`), ``deviations`` (from a straight line),
    ``covariate`` (`about` names it) or ``months``.
    """

    test: str
    about: str
    statistic: float
    df: int

    @property
    def p(self) -> float:
        """Chance of a statistic at least as large if all contrasts were zero."""
        return float(chi2.sf(self.statistic, self.df))


def wald(coefficients: Floats, covariance: Floats, contrasts: Floats) -> float:
    """(L b)' (L V L')^-1 (L b) for contrasts L (k, p)."""
    value = contrasts @ coefficients
    return float(value @ np.linalg.solve(contrasts @ covariance @ contrasts.T, value))


def wald_tests(times: tuple[int, ...], model: TrendModel, design: Design, solution: Solution) -> tuple[WaldTest, ...]:
    """The tests that go with a model."""
    contrasts = list(_contrasts(times, model, design))
    return tuple(
        WaldTest(test, about, wald(solution.coefficients, solution.inverse, rows), len(rows))
        for test, about, rows in contrasts
    )


def _contrasts(times: tuple[int, ...], model: TrendModel, design: Design) -> Iterator[tuple[str, str, Floats]]:
    """(test, what it is about, contrasts) of each test."""
    every = np.eye(design.p)
    for covariate in model.covariates:
        rows = [p.covariate == covariate for p in design.parameters]
        if any(rows):
            yield COVARIATE, covariate, every[rows]
    if model.kind == 3 and not model.covariates and len(times) > 2:
        yield DEVIATIONS, "", _off_the_line(times) @ every[: len(times) - 1]
    if model.kind == 2:
        yield from _of_slopes(times, model, design)
    if any(p.covariate == MONTH for p in design.parameters):
        yield MONTHS, "", every[[p.covariate == MONTH for p in design.parameters]]


def _off_the_line(times: tuple[int, ...]) -> Floats:
    """Contrasts of time effects (the first is zero and not among them) that every straight line fulfils."""
    line = np.stack([np.ones(len(times)), np.asarray(times, dtype=np.float64) - times[0]])
    return np.asarray(null_space(line).T[:, 1:])


def off_the_line(times: tuple[int, ...], solution: Solution) -> tuple[Floats, Floats]:
    """Time effects less the straight line through them, shape (T,), and their covariance; for model 3."""
    line = np.stack([np.ones(len(times)), np.asarray(times, dtype=np.float64) - times[0]], axis=1)
    off = (np.eye(len(times)) - line @ np.linalg.pinv(line))[:, 1:]  # the effect of the first time is zero
    effects = slice(0, len(times) - 1)
    return off @ solution.coefficients[effects], off @ solution.inverse[effects, effects] @ off.T


def _of_slopes(times: tuple[int, ...], model: TrendModel, design: Design) -> Iterator[tuple[str, str, Floats]]:
    points = model.slopes_from(times)
    if len(points) == 1 and not model.covariates:
        yield SLOPE, "", np.eye(design.p)[:1]
        return
    before: int | None = None
    for point in points:
        yield CHANGE, str(point), _changes(design, point, before)
        before = point


def _changes(design: Design, point: int, before: int | None) -> Floats:
    """Slope from `point` on less the slope before it, for the baseline and each level of the covariates."""
    slopes = [p for p in design.parameters if p.covariate != MONTH]
    after = [i for i, p in enumerate(slopes) if p.since == point]
    rows = np.eye(design.p)[after]
    if before is not None:
        rows = rows - np.eye(design.p)[[i for i, p in enumerate(slopes) if p.since == before]]
    return np.asarray(rows)
