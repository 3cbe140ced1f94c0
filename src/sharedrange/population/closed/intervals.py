"""How sure: intervals for N that never fall below the animals seen.

Log-normal (Chao 1987, Biometrics 43:783-791); profile likelihood (Cormack 1992, Biometrics 48:567-576); and over
several models by the weighted tail areas of their profiles (Fletcher and Turek 2012, J. Agric. Biol. Environ. Stat.
17:38-51).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm

from sharedrange.population.closed.models import FARTHEST, Fit


@dataclass(frozen=True, slots=True)
class Interval:
    """Limits of N. `open_above`: the data exclude no number however high; `high` is where the search ended."""

    low: float
    high: float
    open_above: bool = False


def lognormal(fit: Fit, level: float = 0.95) -> Interval:
    """The seen, plus a log-normal interval for the unseen.

    Examples
    --------
    >>> from sharedrange.population.closed import fit, from_frequencies
    >>> limits = lognormal(fit(from_frequencies([4, 4, 5, 2, 1])))
    >>> round(limits.low, 1), round(limits.high, 1)
    (16.1, 20.9)
    """
    return around(fit.n, fit.n_hat, fit.se, level)


def around(n: float, n_hat: float, se: float, level: float) -> Interval:
    """The log-normal interval of an estimate of `n` animals seen and others unseen."""
    unseen = n_hat - n
    if unseen <= 0:
        return Interval(n, n)
    c = float(np.exp(norm.ppf(0.5 + level / 2.0) * np.sqrt(np.log1p((se / unseen) ** 2))))
    return Interval(n + unseen / c, n + unseen * c)


@dataclass(frozen=True)
class Root:
    """The signed root of twice the fall in log-likelihood from its top: nearly a standard normal deviate of N."""

    fit: Fit
    seen: dict[float, float] = field(default_factory=dict, repr=False)

    def top(self) -> float:
        """The N of the highest likelihood, unseen animals and all: the full, exact maximum-likelihood estimate."""
        return self._top()[0]

    def at(self, number: float) -> float:
        """The signed root at `number`, which is at least the animals seen."""
        where, height = self._top()
        return float(np.sign(number - where) * np.sqrt(max(2.0 * (height - self._value(number)), 0.0)))

    def _top(self) -> tuple[float, float]:
        if not self.seen:
            self._search()
        where = max(self.seen, key=lambda number: self.seen[number])
        return where, self.seen[where]

    def _search(self) -> None:
        n = self.fit.n
        self._value(float(n))
        above, farthest = np.log1p(max(4.0 * (self.fit.n_hat - n), 2.0)), np.log1p(n * FARTHEST)
        while True:  # the likelihood of N may rise for ever: then its top is where the search ends
            found = minimize_scalar(
                lambda u: -self._value(n + float(np.expm1(u))),
                bounds=(0.0, above),
                method="bounded",
                options={"xatol": 1e-5},
            )
            if found.x < 0.95 * above or above >= farthest:
                return
            above = min(1.5 * above, farthest)

    def _value(self, number: float) -> float:
        if number not in self.seen:
            self.seen[number] = self.fit.profile(number)
        return self.seen[number]


def exact(fit: Fit) -> float:
    """N at the highest likelihood of the histories of all N animals; the conditional estimate is a little higher."""
    return Root(fit).top()


def profile(fits: Sequence[Fit], weights: Sequence[float] = (1.0,), level: float = 0.95) -> Interval:
    """Where the weighted tail areas of the fits' profiles leave (1 - level) / 2 on each side.

    With one fit this is the profile-likelihood interval.

    Examples
    --------
    >>> from sharedrange.population.closed import fit, from_frequencies
    >>> limits = profile([fit(from_frequencies([4, 4, 5, 2, 1]))])
    >>> round(limits.low, 1), round(limits.high, 1)
    (16.0, 18.6)
    """
    roots = [Root(f) for f in fits]
    n, tail = fits[0].n, (1.0 - level) / 2.0

    def below(number: float) -> float:
        return float(sum(w * norm.cdf(root.at(number)) for w, root in zip(weights, roots, strict=True)))

    tops = [root.top() for root in roots]
    low = float(n) if below(n) >= tail else _cross(below, tail, float(n), max(tops))
    high = max(*tops, n + 0.5)
    while below(high) < 1.0 - tail:
        if high >= n * FARTHEST:
            return Interval(low, high, open_above=True)
        high = min(n + 2.0 * (high - n), float(n * FARTHEST))
    return Interval(low, _cross(below, 1.0 - tail, min(tops), high))


def _cross(below: Callable[[float], float], share: float, low: float, high: float) -> float:
    """Where the tail area passes `share`; it rises from `low` to `high`."""
    if below(low) >= share:
        return low
    return float(brentq(lambda number: below(number) - share, low, high, xtol=1e-4))
