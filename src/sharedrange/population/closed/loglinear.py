"""Log-linear models of capture histories: M0, Mt, Mh and Mth (Rivest and Baillargeon 2007, Biometrics 63:999-1006).

The expected number of animals with a history of j captures is exp(gamma + sum of beta over its occasions + tau h(j)),
with h convex where animals differ in catchability. exp(gamma) is the number never caught.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sharedrange.core.errors import DidNotConverge
from sharedrange.core.finding import Finding
from sharedrange.population.closed.captures import Captures, Ints
from sharedrange.population.closed.histories import Levels, levels

Floats = NDArray[np.float64]

_STEPS, _GAIN = 200, 1e-12  # most Newton steps; a gain in log-likelihood per animal that ends them
_ROOM = 30.0  # a log weight beyond this is 0 or 1 for every survey that anyone will run
_GAMMA = 3.5  # of the gamma form: Rivest and Baillargeon's choice


def _none(captures: Floats) -> Floats:
    return np.empty((len(captures), 0))


def _chao(captures: Floats) -> Floats:
    """One slope more at each count above 2: any log-convex shape. Only 1 and 2 captures tell of those missed."""
    return np.maximum(captures[:, None] - np.arange(2, captures.max()), 0.0)


def _column(form: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda captures: form(captures)[:, None]


FORMS: Mapping[str, Callable[[Floats], Floats]] = {
    "": _none,
    "Chao": _chao,
    "Poisson2": _column(lambda j: 2.0**j - 1.0),
    "Darroch": _column(lambda j: j**2 / 2.0),
    "Gamma3.5": _column(lambda j: np.log(_GAMMA) - np.log(_GAMMA + j)),
}


@dataclass(frozen=True)
class Design:
    """A log-linear model laid over one session's data, with sufficient statistics.

    `sizes` (G,): occasions that share a log weight, one group for M0 and Mh. `given` (G + H,): captures in each group,
    and the sum of h over the animals. `heterogeneity` (t + 1, H): h(j) for j = 0 ... t, as `_bent` has it.
    """

    sizes: tuple[int, ...]
    given: Floats
    heterogeneity: Floats
    n: int
    group_of: Ints  # (t,), -1 for an occasion without captures, which holds no animal in any fitted history

    @property
    def n_occasions(self) -> int:
        """Occasions with captures."""
        return sum(self.sizes)

    @cached_property
    def free_below(self) -> NDArray[np.bool_]:
        """Which parameters may be negative: log weights, but no coefficient of a convex h."""
        return np.arange(len(self.given)) < len(self.sizes)


def design(captures: Captures, *, time: bool, form: str) -> Design:
    """The design of a model with occasions alike or each its own (`time`), and a form of heterogeneity.

    Occasions with equally many captures have equal estimates, so they are one group. `captures.matrix` is needed
    where `time` is true.
    """
    t = captures.n_occasions
    per_occasion = captures.per_occasion if time else None
    if per_occasion is None:
        group_of, sizes, caught = np.zeros(t, np.int64), (t,), np.array([captures.n_captures])
    else:
        kinds, group_of, counts = np.unique(per_occasion, return_inverse=True, return_counts=True)
        empty = int(kinds[0] == 0)
        group_of, sizes = group_of - empty, tuple(counts[empty:].tolist())
        caught = (kinds * counts)[empty:]
    h = _bent(FORMS[form](np.arange(t + 1, dtype=float)), int(np.flatnonzero(captures.frequencies)[-1]) + 1)
    given = np.r_[caught.astype(float), captures.frequencies @ h[1:]]
    return Design(sizes, given, h[: sum(sizes) + 1], captures.n, group_of)


def _bent(h: Floats, most: int) -> Floats:
    """The form h less the straight line through h(0) and h(`most`), scaled: what log weights can't mimic.

    Beyond two captures nothing bends, then h is as it was.
    """
    bent = h - np.arange(len(h))[:, None] * (h[most] / most) if most > 1 else h
    size = np.abs(bent[: most + 1]).max(axis=0)
    return np.asarray(bent / np.where(size > 0, size, 1.0))


@dataclass(frozen=True)
class Moments:
    """What a parameter vector expects: log of the summed weights, mean and covariance of the statistics."""

    log_sum: float
    mean: Floats
    covariance: Floats
    by_level: Floats  # (t + 1,), share of the animals caught j times


def moments(at: Design, theta: Floats, *, with_unseen: bool) -> Moments:
    """Moments of the statistics of one animal, of those caught or (`with_unseen`) of all."""
    groups = len(at.sizes)
    sums: Levels = levels(theta[:groups], at.sizes)
    weight = np.exp(at.heterogeneity @ theta[groups:])
    weight[0] = float(with_unseen)
    total = float(sums.total @ weight)
    h, share = at.heterogeneity, sums.total * weight / total
    mean = np.r_[sums.captures @ weight / total, share @ h]
    cross = (sums.captures * weight / total) @ h
    second = np.block([[sums.pairs @ weight / total, cross], [cross.T, (share[:, None] * h).T @ h]])
    return Moments(float(np.log(total)), mean, second - np.outer(mean, mean), share)


@dataclass(frozen=True)
class Maximum:
    """Where the likelihood of a design is highest."""

    theta: Floats
    log_likelihood: float
    free: NDArray[np.bool_]  # parameters that are not held at 0
    moments: Moments


def maximise(at: Design, *, unseen: float | None = None, start: Floats | None = None) -> Maximum:
    """The highest likelihood of the histories, given that the animals were caught.

    With `unseen`, that of all animals where that many were never caught (real, 0 or more). Heterogeneity can't be
    negative: its coefficients stay at 0 or above, and those at 0 whose likelihood would rise are freed one by one.
    The log-likelihood is concave. Raises DidNotConverge.
    """
    theta = np.zeros(len(at.given)) if start is None else start.copy()
    if start is None:
        share = at.given[: len(at.sizes)] / (np.array(at.sizes) * (at.n + 1.0))
        theta[: len(at.sizes)] = np.log(share) - np.log1p(-share)
    free = at.free_below | (theta > 0)
    for _ in range(2 * len(theta) + 2):
        theta, free, value, here = _climb(at, theta, free, unseen)
        slope = at.given - _animals(at, unseen) * here.mean
        held = ~free & (slope > 1e-7 * (1.0 + np.abs(at.given)))
        if not held.any():
            return Maximum(theta, value, free, here)
        free = free.copy()
        free[np.where(held, slope, -np.inf).argmax()] = True
    raise DidNotConverge(Finding("closed-not-converged", {"steps": _STEPS}))


def _animals(at: Design, unseen: float | None) -> float:
    return at.n + (unseen or 0.0)


def _value(at: Design, theta: Floats, unseen: float | None) -> tuple[float, Moments]:
    here = moments(at, theta, with_unseen=unseen is not None)
    return float(at.given @ theta) - _animals(at, unseen) * here.log_sum, here


def _climb(
    at: Design, theta: Floats, free: NDArray[np.bool_], unseen: float | None
) -> tuple[Floats, NDArray[np.bool_], float, Moments]:
    """Newton steps over the free parameters; one that reaches 0 from above is held there."""
    value, here = _value(at, theta, unseen)
    for _ in range(_STEPS):
        step = _step(at, here, free, unseen)
        moved, reached = _within(theta, step, free & ~at.free_below)
        moved, new, there = _uphill(at, theta, moved, value, unseen)
        gained, theta, value, here = new - value, moved, new, there
        if np.abs(theta[: len(at.sizes)]).max() > _ROOM:
            return theta, free, value, here
        if reached is not None and theta[reached] <= 0:
            theta[reached], free = 0.0, free & (np.arange(len(theta)) != reached)
        elif gained <= _GAIN * at.n:
            return theta, free, value, here
    raise DidNotConverge(Finding("closed-not-converged", {"steps": _STEPS}))


def _step(at: Design, here: Moments, free: NDArray[np.bool_], unseen: float | None) -> Floats:
    animals = _animals(at, unseen)
    slope = (at.given - animals * here.mean)[free]
    curve = animals * here.covariance[np.ix_(free, free)]
    ridge = 1e-10 * (1.0 + np.trace(curve)) * np.eye(len(slope))  # a weight on its way to infinity has no curve
    step = np.zeros(len(free))
    step[free] = np.linalg.solve(curve + ridge, slope)
    return step * min(1.0, 4.0 / max(float(np.abs(step).max()), 4.0))  # shorter, in the same direction


def _within(theta: Floats, step: Floats, bounded: NDArray[np.bool_]) -> tuple[Floats, int | None]:
    """The step cut where the first bounded parameter reaches 0, and which one that is."""
    falls = bounded & (theta + step <= 0)
    if not falls.any():
        return theta + step, None
    share = np.where(falls, theta / np.where(falls, -step, 1.0), np.inf)
    first = int(share.argmin())
    moved = theta + share[first] * step
    moved[first] = 0.0
    return moved, first


def _uphill(
    at: Design, theta: Floats, moved: Floats, value: float, unseen: float | None
) -> tuple[Floats, float, Moments]:
    """The first of ever shorter steps that does not go down."""
    for _ in range(60):
        with np.errstate(over="ignore", invalid="ignore"):
            new, there = _value(at, moved, unseen)
        if np.isfinite(new) and new >= value - 1e-13 * abs(value):
            return moved, new, there
        moved = (theta + moved) / 2
    return theta, value, _value(at, theta, unseen)[1]


def number(at: Design, top: Maximum) -> tuple[float, float]:
    """N and its standard error: n + exp(gamma), and the root of exp(gamma) + exp(2 gamma) var(gamma).

    The variance is that of a population of fixed size (Cormack and Jupp 1991, Biometrika 78:911-916).
    """
    unseen = float(np.exp(np.log(at.n) - top.moments.log_sum))
    mean, covariance = top.moments.mean[top.free], top.moments.covariance[np.ix_(top.free, top.free)]
    var_gamma = (1.0 + float(mean @ np.linalg.pinv(covariance, hermitian=True) @ mean)) / at.n
    return at.n + unseen, float(np.sqrt(unseen + unseen**2 * var_gamma))
