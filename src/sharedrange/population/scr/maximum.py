"""From starting values to the maximum: on a thinned mask where there is one, and never below the simpler model.

The climb of a richer model starts where the model of intercepts only ends, so that it cannot end below that; latent
classes have several maxima and are sought from many starts, of which the best may still be below. And a thinned mask
may show a covariate so badly that its top is low on the whole mask. Both are looked for, in evaluations made anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sharedrange.core.errors import DidNotConverge
from sharedrange.core.finding import Fact, Finding
from sharedrange.population.scr.design import design
from sharedrange.population.scr.model import PARAMETERS, Model
from sharedrange.population.scr.problem import Problem
from sharedrange.population.scr.search import Climb, Peak, Unbounded, Work
from sharedrange.population.scr.session import Session
from sharedrange.population.scr.splits import label
from sharedrange.population.scr.start import embedded, in_order, mixture_starts
from sharedrange.population.scr.thinning import COVARIANCE_SIGMAS, shows_curvature

Floats = NDArray[np.float64]
ROUNDING = 1e-6  # share of the log-likelihood by which rounding may put a richer model below its null
_CLIMBS = 2  # of a mixture, from the highest of many starts
_NULL_GRADIENT = 0.05  # per standard error: where a simpler model's climb may end that only leads to a richer one's


def maximum(problem: Problem, sessions: tuple[Session, ...], work: Work) -> Peak:
    """The maximum with its covariance: the climb on a thinned mask where there is one, its end on the whole.

    Raises Unbounded, DidNotConverge.
    """
    begin = problem.start()
    top = _Top(problem, problem.thinned(begin), work)
    null = begin if problem.design.model.is_null else _null_in(problem, sessions, begin, work)
    best = _highest(top.way, problem.design.model, null, _starts(problem, null))
    peak = top.above(null, best, top.reached(best))
    ordered = in_order(problem.design, peak.beta)
    return peak if ordered is None else top.reached(ordered)


def _null_in(problem: Problem, sessions: tuple[Session, ...], start: Floats, work: Work) -> Floats:
    """The point of a richer model that is the model of intercepts only, near its maximum."""
    made = problem.design
    null = Problem(*design(made.model.null, sessions, made.detection, made.covariates))
    begin = null.start()
    climb = (null.thinned(begin) or null).climb(null.chart(), work, f"{label(null.design.model)}<")
    return embedded(null.design, climb.near(begin, _NULL_GRADIENT).beta, made, start)


def _starts(problem: Problem, null: Floats) -> list[Floats]:
    """Where to start: where the simpler model ends, or with latent classes at many points around."""
    return mixture_starts(problem.design, null) if problem.design.model.mixture else [null]


def _highest(way: Climb, model: Model, null: Floats, starts: Sequence[Floats]) -> Floats:
    """Where the climbs from the most promising starts end; from the others too while all end below `null`."""
    if len(starts) == 1:
        return way.near(starts[0]).beta
    order = sorted(starts, key=way.height, reverse=True)
    best = max((way.near(start) for start in order[:_CLIMBS]), key=lambda peak: peak.value)
    floor = way.height(null)
    for start in order[_CLIMBS:]:
        if not _below(best.value, floor):
            break
        best = max(best, way.near(start), key=lambda peak: peak.value)
    _raise_if_below(best.value, floor, model)
    return best.beta


def _below(value: float, floor: float) -> bool:
    return floor - value > ROUNDING * max(1.0, abs(floor))


def _raise_if_below(value: float, floor: float, model: Model) -> None:
    if _below(value, floor):
        facts: dict[str, Fact] = {"formulas": _formulas(model), "by": f"{floor - value:.3g}"}
        raise DidNotConverge(Finding("scr-below-null", facts))


def _formulas(model: Model) -> str:
    """The formulas that hold more than an intercept."""
    return ", ".join(f"{p} {model.formula(p)}" for p in PARAMETERS if model.formula(p).terms)


class _Top:
    """The end of a climb: on the whole mask, with the curvature of a thinned one where that shows it."""

    def __init__(self, problem: Problem, thin: Problem | None, work: Work) -> None:
        self._problem, self._thinned, self._work, self._chart = problem, thin, work, problem.chart()
        self._name = label(problem.design.model)
        self.climb = problem.climb(self._chart, work, self._name)
        self.thin = None if thin is None else thin.climb(self._chart, work, f"{self._name}, thinned")

    @property
    def way(self) -> Climb:
        """What is climbed first: the thinned mask's, where there is one."""
        return self.thin or self.climb

    def above(self, null: Floats, best: Floats, peak: Peak) -> Peak:
        """The peak that `best`, the thinned mask's top, led to; or one not below `null`, climbed on the whole mask.

        Nothing is evaluated unless the masks disagree by more than the richer model explains beyond the simpler.
        Raises Unbounded, DidNotConverge.
        """
        if self.thin is None:
            return peak
        apart = self.climb.height(best) - self.thin.height(best)
        if peak.value - self.thin.height(null) - apart >= abs(apart):
            return peak
        floor = self.climb.height(null)
        if not _below(peak.value, floor):
            return peak
        again = self.climb.finish(self.climb.near(null).beta)
        _raise_if_below(again.value, floor, self._problem.design.model)
        return again

    def reached(self, start: Floats) -> Peak:
        """The maximum from nearby, with its covariance. Raises Unbounded, DidNotConverge."""
        if self.thin is None:
            return self.climb.finish(start)
        curvature = self._curvature(start)
        if curvature is not None:
            try:
                return self.climb.finish(start, curvature)
            except (Unbounded, DidNotConverge):  # what cannot be seen there may be seen on the whole mask
                pass
        return self.climb.finish(self._closer(start, self.thin))

    def _closer(self, start: Floats, thin: Climb) -> Floats:
        """From the top of a thinned mask to that of the whole, or close to it, in the fewest evaluations."""
        try:
            return self.climb.closer(start, thin)
        except (Unbounded, DidNotConverge):
            return self.climb.near(start).beta

    def _curvature(self, start: Floats) -> Climb | None:
        """A climb on a mask thinned so far that it still shows the curvature: the one climbed on, or a finer one."""
        sigma_m = self._problem.least_sigma_m(start)
        if self._thinned and shows_curvature(self._thinned.design, self._thinned.sessions, sigma_m):
            return self.thin
        finer = self._problem.thinned(start, COVARIANCE_SIGMAS)
        if finer is None or not shows_curvature(finer.design, finer.sessions, sigma_m):
            return None
        return finer.climb(self._chart, self._work, f"{self._name}, curvature")
