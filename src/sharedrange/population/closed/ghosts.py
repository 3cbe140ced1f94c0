"""Ghosts: photographs of a known animal filed under a new name, which look like animals caught once.

Johansson et al. (2020, Scientific Reports 10:6393) let eight observers name 16 captive snow leopards from 40 photo
events: 12.5 % were misfiled, and estimates came out a third too high. Here each capture is split off with chance e and
becomes an animal of its own, never met again (the ghosts of Yoshizaki et al. 2011, Environ. Ecol. Stat. 18:27-55, and
of Link et al. 2010, Biometrics 66:178-185). Combining two animals into one is another error, and not treated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp, xlog1py, xlogy
from scipy.stats import chi2

from sharedrange.core.answer import Refusal
from sharedrange.core.errors import NotEnoughData
from sharedrange.population.closed.captures import Captures
from sharedrange.population.closed.intervals import Interval

Floats = NDArray[np.float64]

RATES = (0.0, 0.02, 0.05, 0.1, 0.125, 0.15, 0.2)  # of the published curve
INFLATION = pl.Schema(
    {
        # One row a splitting error: what model M0 says of a population whose size is known.
        "splitting_error": pl.Float64(),
        "median": pl.Float64(),
        "bias_pct": pl.Float64(),  # of the median
        "low": pl.Float64(),  # 2.5 and 97.5 % of the simulations
        "high": pl.Float64(),
    }
)
_ERRORS = np.r_[0.0, np.geomspace(0.002, 0.6, 80)]  # splitting errors tried where it is not known exactly
_STEP = 1.02  # between animals tried, where they are many


@dataclass(frozen=True, slots=True)
class Splitting:
    """What is known of the splitting error: a rate, and how many photo events it was measured on.

    `tested` 0: the rate is taken as exactly so. Otherwise rate * tested of the events were split in a test with known
    animals, and the doubt that leaves goes into the interval.
    """

    rate: float
    tested: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"splitting_error: {self.rate} (at least 0 and below 1)")
        if self.tested < 0:
            raise ValueError(f"splitting_tested: {self.tested} (0 or more)")

    def log_weights(self) -> tuple[Floats, Floats]:
        """Splitting errors to try, and the log-likelihood of each in the test."""
        if not self.tested:
            return np.array([self.rate]), np.zeros(1)
        wrong = self.rate * self.tested
        tried = np.unique(np.r_[_ERRORS, self.rate])
        value = xlogy(wrong, tried) + xlog1py(self.tested - wrong, -tried)
        return tried, np.asarray(value - value.max())


@dataclass(frozen=True, slots=True)
class WithoutGhosts:
    """N where some captures may have been split off, its interval, and the splitting error that fits best."""

    n_hat: float
    interval: Interval
    splitting_error: float
    log_likelihood: float


def without_ghosts(captures: Captures, splitting: Splitting | None, *, level: float = 0.95) -> WithoutGhosts:
    """N under M0 with splitting: exact likelihood over how many of the animals caught once are ghosts.

    With `splitting` None the error is estimated from the excess of animals caught once. That excess is also what unlike
    animals make, so such a number is the least, not the likeliest, and says what ghosts alone would explain. The
    interval is that of the profile likelihood over whole numbers of animals; it may begin below the animals named,
    because some of these may be ghosts.

    For N animals, t occasions and chances p of capture and e of splitting, with n named, f1 named once, C captures:
    L = p^C (1-p)^(Nt-C) sum over g of N! / ((N-n+g)! (f1-g)!) binom(Nt-C+g, g) t^-g e^g (1-e)^(C-g).

    Raises NotEnoughData without recaptures.
    """
    if captures.n_recaptures == 0:
        raise NotEnoughData(Refusal("population.closed", {"recaptures": 0}, {"recaptures": 1}))
    errors, prior = (_ERRORS, np.zeros(len(_ERRORS))) if splitting is None else splitting.log_weights()
    least = max(captures.n - captures.singletons, int(captures.frequencies.any()), _least(captures))
    numbers, value, best, reached = _searched(captures, errors, prior, least, float(chi2.ppf(level, 1)))
    top = int(value.argmax())
    inside = np.flatnonzero(2 * (value[top] - value) <= chi2.ppf(level, 1))
    n_hat = _peak(numbers, value, top)
    low, high = min(float(numbers[inside[0]]), n_hat), max(float(numbers[inside[-1]]), n_hat)
    return WithoutGhosts(n_hat, Interval(low, high, open_above=not reached), float(best[top]), float(value[top]))


def _least(captures: Captures) -> int:
    """The fewest animals that can make so many captures."""
    return -(-captures.n_captures // captures.n_occasions)


def _searched(
    captures: Captures, errors: Floats, prior: Floats, least: int, fall: float
) -> tuple[Floats, Floats, Floats, bool]:
    """Numbers of animals, the profile likelihood and best error of each; whether it fell by `fall` above its top."""
    farthest = 4 * captures.n
    while True:
        numbers = _grid(least, farthest)
        value, best = _profile(captures, numbers, errors, prior)
        reached = 2 * (value.max() - value[-1]) > fall
        if reached or farthest > 1000 * captures.n:
            return numbers, value, best, bool(reached)
        farthest *= 4


def _grid(least: int, farthest: int) -> Floats:
    """Whole numbers: all up to a thousand above the least, then ever sparser."""
    first = np.arange(least, min(farthest, least + 1000) + 1)
    steps = int(np.log(max(farthest / first[-1], 1.0)) / np.log(_STEP))
    beyond = np.unique(np.round(first[-1] * _STEP ** np.arange(1, steps + 1)))
    return np.asarray(np.r_[first, beyond], dtype=float)


def _profile(captures: Captures, numbers: Floats, errors: Floats, prior: Floats) -> tuple[Floats, Floats]:
    """For each number of animals the highest log-likelihood over p and e, and that e; shapes (numbers,)."""
    ghosts = np.arange(captures.singletons + 1)
    total, cells = float(captures.n_captures), numbers * captures.n_occasions
    unseen = numbers[:, None] - captures.n + ghosts
    blank = (cells - total)[:, None]
    ways = (
        gammaln(numbers + 1)[:, None]
        - gammaln(np.maximum(unseen, 0) + 1)
        - gammaln(captures.singletons - ghosts + 1)
        + gammaln(blank + ghosts + 1)
        - gammaln(blank + 1)
        - gammaln(ghosts + 1)
        - ghosts * np.log(captures.n_occasions)
    )
    ways = np.where(unseen >= 0, ways, -np.inf)
    at_best_p = xlogy(total, total) + xlogy(cells - total, cells - total) - xlogy(cells, cells)
    by_error = np.stack([
        logsumexp(ways + xlogy(ghosts, e) + xlog1py(total - ghosts, -e), axis=1) + p
        for e, p in zip(errors, prior, strict=True)
    ])  # fmt: skip
    best = by_error.argmax(axis=0)
    return at_best_p + by_error.max(axis=0), errors[best]


def _peak(numbers: Floats, value: Floats, top: int) -> float:
    """The top of the parabola through the highest value and its neighbours."""
    if not 0 < top < len(numbers) - 1 or not np.isfinite(value[top - 1 : top + 2]).all():
        return float(numbers[top])
    left, here, right = value[top - 1 : top + 2]
    return float(numbers[top] + 0.5 * (left - right) / (left - 2 * here + right) * (numbers[top + 1] - numbers[top]))


def singletons_test(captures: Captures) -> tuple[float, float]:
    """Are there more animals caught once than one chance of capture makes? Likelihood ratio and p value.

    The splitting error lies at the edge of its room under the null, so the p value is half that of chi-square with one
    degree of freedom (Self and Liang 1987, J. Am. Stat. Assoc. 82:605-610).
    """
    free = without_ghosts(captures, None).log_likelihood
    ratio = max(2.0 * (free - without_ghosts(captures, Splitting(0.0)).log_likelihood), 0.0)
    return ratio, float(chi2.sf(ratio, 1) / 2) if ratio > 0 else 1.0


def inflation(
    rng: np.random.Generator,
    *,
    animals: int = 12,
    occasions: int = 16,
    capture_probability: float = 0.16,
    errors: Sequence[float] = RATES,
    simulations: int = 1000,
) -> pl.DataFrame:
    """What splitting errors do to the estimate of M0: a simulated curve (schema INFLATION).

    The defaults are the design of figure 3 of Johansson et al. (2020). Every capture is split with the same chance,
    also an animal's first; each split capture becomes one more animal, caught once.
    """
    rows = []
    for error in errors:
        named, captures = simulate_splitting(rng, animals, occasions, capture_probability, error, simulations)
        low, median, high = np.quantile(m0_numbers(named, captures, occasions), [0.025, 0.5, 0.975])
        rows.append((error, median, 100 * (median - animals) / animals, low, high))
    return pl.DataFrame(rows, schema=INFLATION, orient="row")


def simulate_splitting(  # noqa: PLR0917  (a design is these numbers)
    rng: np.random.Generator, animals: int, occasions: int, p: float, error: float, simulations: int
) -> tuple[Floats, Floats]:
    """Animals named and captures of simulated surveys with splitting errors, shape (simulations,) each."""
    caught = rng.random((simulations, animals, occasions)) < p
    split = caught & (rng.random(caught.shape) < error)
    named = (caught & ~split).any(axis=2).sum(axis=1) + split.sum(axis=(1, 2))
    return named.astype(float), caught.sum(axis=(1, 2)).astype(float)


def m0_numbers(named: Floats, captures: Floats, occasions: int) -> Floats:
    """N under M0 from the animals and captures of many surveys at once; infinite without recaptures, 0 without animals.

    The chance p that solves captures / animals = t p / (1 - (1 - p)^t), by bisection.
    """
    mean = np.divide(captures, named, out=np.ones_like(captures), where=named > 0)
    low, high = np.zeros_like(mean), np.ones_like(mean)
    for _ in range(60):
        p = (low + high) / 2
        short = occasions * p < mean * -np.expm1(occasions * np.log1p(-np.minimum(p, 1 - 1e-16)))
        low, high = np.where(short, p, low), np.where(short, high, p)
    seen = -np.expm1(occasions * np.log1p(-np.minimum(p, 1 - 1e-16)))
    number = np.divide(named, seen, out=np.full_like(mean, np.inf), where=mean > 1)
    return np.asarray(np.where(named > 0, number, 0.0))
