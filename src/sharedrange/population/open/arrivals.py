"""The animals themselves, detected or not: who is there in the first year, who arrives, who stays, who moves.

Activity centres are a Poisson process. With D cells of expected animals in year 1, C classes (sexes) of shares psi,

    E_c,1(m) = psi_c D(m)
    B_c,t(m) = psi_c q(m) f_{t-1} sum over classes and points of E_{t-1}      arrivals, q = D / sum D
    E_c,t    = K_c,t-1 (phi_c,t-1 E_c,t-1) + B_c,t                             (t > 1)

Recruits are animals present in year t that were not in year t - 1, grown up here or come from elsewhere; they settle
as the animals of the first year did. Years need not be one apart: see `design`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.open.kernels import Movement

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Demography:
    """Rates of one parameter vector. C classes, T years, M mask points.

    `cells` (M,): expected animals of year 1 in each cell; `share` (C,): of each class; `survival` (C, T - 1, M):
    from each year to the next for an animal at each point; `recruits` (T - 1,): arrivals for each animal of the year
    before; `moves` [class][interval].
    """

    cells: Floats
    share: Floats
    survival: Floats
    recruits: Floats
    moves: Sequence[Sequence[Movement]]

    @property
    def pattern(self) -> Floats:
        """Where recruits settle, sums to 1."""
        return np.asarray(self.cells / self.cells.sum())


@dataclass(frozen=True, slots=True)
class StepGradient:
    """One class's part of a DemographyGradient, to add to: `log_survival` (T - 1, M), `log_move` (T - 1,)."""

    log_survival: Floats
    log_move: Floats


@dataclass(frozen=True, slots=True)
class DemographyGradient:
    """Derivatives by the logarithm of each rate, in the shapes of Demography; `log_move` (C, T - 1) by log s."""

    log_cells: Floats
    log_share: Floats
    log_survival: Floats
    log_recruits: Floats
    log_move: Floats

    def of_class(self, c: int) -> StepGradient:
        """The part of a class: what is added to it is added here."""
        return StepGradient(self.log_survival[c], self.log_move[c])


def zero_gradient(rates: Demography) -> DemographyGradient:
    """No derivative yet."""
    classes, intervals, points = rates.survival.shape
    return DemographyGradient(
        np.zeros(points),
        np.zeros(classes),
        np.zeros(rates.survival.shape),
        np.zeros(intervals),
        np.zeros((classes, intervals)),
    )


@dataclass(frozen=True, slots=True)
class Population:
    """Expected animals: `alive` E and `arrivals` B, each (C, T, M)."""

    alive: Floats
    arrivals: Floats


def population(rates: Demography) -> Population:
    """Expected animals by class, year and mask point."""
    classes, intervals, points = rates.survival.shape
    alive = np.zeros((classes, intervals + 1, points))
    arrivals = np.zeros_like(alive)
    first = rates.share[:, None] * rates.cells
    alive[:, 0], arrivals[:, 0] = first, first
    for t in range(intervals):
        total = rates.recruits[t] * alive[:, t].sum()
        arrivals[:, t + 1] = rates.share[:, None] * rates.pattern * total
        for c in range(classes):
            survivors = rates.survival[c, t] * alive[c, t]
            alive[c, t + 1] = rates.moves[c][t].forward(survivors) + arrivals[c, t + 1]
    return Population(alive, arrivals)


def add_population_gradient(into: DemographyGradient, rates: Demography, at: Population, by_arrivals: Floats) -> None:
    """Add the derivatives of a function of the arrivals, given its derivatives `by_arrivals` (C, T, M)."""
    pattern, by_pattern = rates.pattern, np.zeros(len(rates.cells))
    by_alive = np.zeros((len(rates.share), len(rates.cells)))
    for t in range(len(rates.recruits), 0, -1):
        by_here = by_arrivals[:, t] + by_alive
        total = float(rates.recruits[t - 1] * at.alive[:, t - 1].sum())
        by_class = by_here @ pattern
        by_total = float(rates.share @ by_class)
        into.log_recruits[t - 1] += by_total * total
        into.log_share[:] += rates.share * by_class * total
        by_pattern += total * (rates.share @ by_here)
        by_alive = _survivors(into, rates, at, by_alive, t) + by_total * rates.recruits[t - 1]
    by_here = by_arrivals[:, 0] + by_alive
    into.log_share[:] += rates.share * (by_here @ rates.cells)
    into.log_cells[:] += rates.cells * (rates.share @ by_here) + pattern * (by_pattern - pattern @ by_pattern)


def _survivors(into: DemographyGradient, rates: Demography, at: Population, by_alive: Floats, t: int) -> Floats:
    """Through survival and movement from year t - 1 to t; derivatives by the animals alive in year t - 1."""
    earlier = np.empty_like(by_alive)
    for c, after in enumerate(by_alive):
        move, survival = rates.moves[c][t - 1], rates.survival[c, t - 1]
        back = move.backward(after)
        survivors = survival * at.alive[c, t - 1]
        into.log_survival[c, t - 1] += survivors * back
        into.log_move[c, t - 1] += move.slope(survivors, after, back)
        earlier[c] = survival * back
    return earlier
