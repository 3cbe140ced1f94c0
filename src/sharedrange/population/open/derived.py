"""What a fit says about numbers, growth and crossings, with derivatives by the parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.open.arrivals import Demography, Population, population
from sharedrange.population.open.evaluate import At, Evaluator
from sharedrange.population.open.fitting import OpenFit
from sharedrange.population.open.smoothing import alive_in, undetected_in

Floats = NDArray[np.float64]
WHOLE = ""

_STEP_SES = 0.01  # a parameter moves by a hundredth of its standard error: far above rounding, far below curvature
_SURE = 1e-9


@dataclass(frozen=True, slots=True)
class Derived:
    """A value and the standard error of it and of its logarithm."""

    value: float
    se: float

    @property
    def se_log(self) -> float:
        """Standard error of the logarithm."""
        return self.se / self.value if self.value > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Realised:
    """Animals that were there in a year: those detected in some year and the others.

    `se` adds to the parameters' variance that of the others (Poisson) and p (1 - p) for each detected animal that was
    there with probability p; `known` of them were there without doubt.
    """

    value: float
    known: int
    se: float


class Numbers:
    """Numbers by year and region. `sides`: parties for whose side numbers are wanted; none: the whole mask."""

    def __init__(self, fit: OpenFit, sides: Sequence[str]) -> None:
        self.fit = fit
        self.sides = tuple(sides)
        self._evaluator = Evaluator(fit.design)

    @cached_property
    def regions(self) -> dict[str, Floats]:
        """1 at the mask points of each region, (M,); the whole of what may be reported first."""
        side = self.fit.design.data.mask.side
        if not self.fit.design.model.spatial or not self.sides:
            return {WHOLE: np.ones(len(side))}
        each = {name: (side == name).astype(float) for name in self.sides if (side == name).any()}
        return {WHOLE: np.sum(list(each.values()), axis=0)} | (each if len(each) > 1 else {})

    def area_km2(self, region: str) -> float:
        """Area of a region."""
        return float(self.regions[region].sum()) * self.fit.design.data.mask.cell_area_km2

    @cached_property
    def expected(self) -> dict[str, list[Derived]]:
        """Expected animals by region, one a year."""
        names = list(self.regions)

        def of(_: Demography, p: Population) -> Floats:
            return np.concatenate([p.alive.sum(axis=0) @ self.regions[name] for name in names])

        found = self._of_rates(of)
        years = len(self.fit.design.data.names)
        return {name: found[k * years : (k + 1) * years] for k, name in enumerate(names)}

    @cached_property
    def growth(self) -> list[Derived]:
        """Annual growth of the expected number over each interval, and last over the whole period."""
        gaps = self.fit.design.data.gap_years

        def of(_: Demography, p: Population) -> Floats:
            logs = np.log(p.alive.sum(axis=0) @ self.regions[WHOLE])
            return np.asarray(np.exp(np.append(np.diff(logs) / gaps, (logs[-1] - logs[0]) / gaps.sum())))

        return self._of_rates(of)

    @cached_property
    def crossings(self) -> list[Derived]:
        """Expected survivors over each interval whose centre is on another of the reported sides than before."""
        each = [region for name, region in self.regions.items() if name]

        def of(rates: Demography, p: Population) -> Floats:
            return np.array(
                [sum(_crossed(rates, p, t, side, each) for side in each) for t in range(len(rates.recruits))]
            )

        return self._of_rates(of) if each and "sigma_move" in self.fit.design.parts else []

    def _of_rates(self, of: Callable[[Demography, Population], Floats]) -> list[Derived]:
        """Values and standard errors by central differences; no histories are needed for these."""
        fit = self.fit

        def at(theta: Floats) -> Floats:
            rates = fit.design.demography(theta)
            return of(rates, population(rates))

        values, gradient = at(fit.theta), self._differences(at)
        return [Derived(float(v), self._se(g)) for v, g in zip(values, gradient.T, strict=True)]

    def _differences(self, function: Callable[[Floats], Floats]) -> Floats:
        """Derivatives by the parameters, shape (p, values); 0 for parameters held at a limit."""
        steps = _STEP_SES * np.sqrt(np.diag(self.fit.covariance))
        rows = []
        for k, step in enumerate(steps):
            shift = np.zeros(len(steps))
            shift[k] = max(step, _SURE)
            up, down = function(self.fit.theta + shift), function(self.fit.theta - shift)
            rows.append((up - down) / (2.0 * shift[k]) if step else np.zeros_like(up))
        return np.array(rows)

    def _se(self, gradient: Floats) -> float:
        return float(np.sqrt(max(float(gradient @ self.fit.covariance @ gradient), 0.0)))

    @cached_property
    def alive(self) -> dict[str, Floats]:
        """Probability that each detected animal was alive and in each region, each (T, n)."""
        return alive_in(self._evaluator, self._at, self.regions)

    @cached_property
    def realised(self) -> dict[str, list[Realised]]:
        """Animals there by region, one a year."""
        names, years = list(self.regions), len(self.fit.design.data.names)

        def at(theta: Floats) -> Floats:
            there = self._evaluator.realised(theta)
            return np.concatenate([there @ self.regions[name] for name in names])

        gradient = self._differences(at).reshape(-1, len(names), years)
        others = undetected_in(self._evaluator, self._at, self.regions)
        return {
            name: [self._realised(self.alive[name][t], float(others[name][t]), gradient[:, k, t]) for t in range(years)]
            for k, name in enumerate(names)
        }

    def _realised(self, p: Floats, others: float, gradient: Floats) -> Realised:
        variance = self._se(gradient) ** 2 + others + float((p * (1.0 - p)).sum())
        return Realised(float(p.sum()) + others, int((p > 1.0 - _SURE).sum()), float(np.sqrt(variance)))

    @cached_property
    def _at(self) -> At:
        return self._evaluator.at(self.fit.theta)


def _crossed(rates: Demography, at: Population, t: int, side: Floats, each: Sequence[Floats]) -> float:
    """Expected survivors that leave one side for another reported one."""
    elsewhere = np.sum(each, axis=0) - side
    return sum(
        float(move[t].forward(side * rates.survival[c, t] * at.alive[c, t]) @ elsewhere)
        for c, move in enumerate(rates.moves)
    )
