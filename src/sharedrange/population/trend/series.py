"""A series of numbers over the years with its covariance: indices, the overall slope and the class of its trend.

The numbers may be totals of a count model or estimates from elsewhere (animals by year, with standard errors).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

Floats = NDArray[np.float64]
_ROUNDING = 1e-9  # a multiplicative slope of 1 within rounding is no change
STRONG = 1.05  # 5 % a year: the threshold of the trend classes, upwards and downwards 0.95
STEEP = 0.95


class Trend(StrEnum):
    """The trend classes of TRIM and of the Pan-European Common Bird Monitoring Scheme, by the slope's interval."""

    STRONG_INCREASE = "strong-increase"  # above 1.05
    MODERATE_INCREASE = "moderate-increase"  # above 1
    STABLE = "stable"  # around 1 and within 0.95..1.05
    UNCERTAIN = "uncertain"  # around 1 and beyond 0.95 or 1.05
    MODERATE_DECLINE = "moderate-decline"  # below 1
    STEEP_DECLINE = "steep-decline"  # below 0.95


def trend_class(low: float, high: float) -> Trend:
    """The class of a trend whose multiplicative slope per year lies in `low`..`high`.

    Examples
    --------
    >>> str(trend_class(1.01, 1.08)), str(trend_class(0.93, 1.01))
    ('moderate-increase', 'uncertain')
    """
    if low > 1 + _ROUNDING:
        return Trend.STRONG_INCREASE if low > STRONG else Trend.MODERATE_INCREASE
    if high < 1 - _ROUNDING:
        return Trend.STEEP_DECLINE if high < STEEP else Trend.MODERATE_DECLINE
    return Trend.STABLE if low >= STEEP and high <= STRONG else Trend.UNCERTAIN


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers at `times` (years, rising), shape (T,), and their covariance (T, T).

    For independent estimates the covariance is ``np.diag(se**2)``.
    """

    times: tuple[int, ...]
    values: Floats
    covariance: Floats

    @property
    def se(self) -> Floats:
        """Standard errors, shape (T,)."""
        return np.asarray(np.sqrt(np.clip(np.diag(self.covariance), 0, None)))

    @property
    def all_positive(self) -> bool:
        """Whether logarithms can be taken."""
        return bool((self.values > 0).all())


def index_series(series: Series, base: Sequence[int] = ()) -> Series:
    """The numbers divided by their mean over the years `base` (the first year if not told), with covariance.

    The covariance is that of the ratio to first order; with one base year its own index is 1 without error. Raises
    ValueError where a base year is not in the series or the base is zero.
    """
    missing = sorted(set(base) - set(series.times))
    if missing:
        raise ValueError(f"base: {', '.join(map(str, missing))} is not one of {series.times[0]}..{series.times[-1]}")
    share = np.isin(series.times, base or series.times[:1]).astype(float)
    share /= share.sum()
    level = float(share @ series.values)
    if not level > 0:
        raise ValueError("base: nothing was counted in the base years")
    index = series.values / level
    by_values = (np.eye(len(index)) - np.outer(index, share)) / level
    return Series(series.times, index, by_values @ series.covariance @ by_values.T)


@dataclass(frozen=True, slots=True)
class Slope:
    """The straight line through the logarithms of a series: `additive` per year, with its standard error.

    `df` are the degrees of freedom of the test and the interval (infinite: the normal distribution).
    """

    since: int
    upto: int
    additive: float
    se: float
    df: float
    level: float = 0.95

    @property
    def multiplicative(self) -> float:
        """The factor from one year to the next."""
        return float(np.exp(self.additive))

    @property
    def se_multiplicative(self) -> float:
        """Its standard error, to first order."""
        return self.multiplicative * self.se

    @property
    def interval(self) -> tuple[float, float]:
        """Limits of the factor, symmetric on the log scale: never negative."""
        wide = quantile(self.level, self.df) * self.se
        return float(np.exp(self.additive - wide)), float(np.exp(self.additive + wide))

    @property
    def p(self) -> float:
        """Chance of a slope at least as far from zero were there none; 1 where the slope is exactly zero."""
        if abs(self.additive) < _ROUNDING:
            return 1.0
        return float(2 * t.sf(abs(self.additive) / self.se, self.df)) if self.se > 0 else 0.0

    @property
    def trend(self) -> Trend:
        """The trend class."""
        return trend_class(*self.interval)


def quantile(level: float, df: float) -> float:
    """How many standard errors an interval reaches to each side: Student's t; the normal's where df is infinite."""
    return float(t.ppf(0.5 + level / 2, df) if np.isfinite(df) else norm.ppf(0.5 + level / 2))


def overall_slope(series: Series, *, level: float = 0.95, reference: str = "t") -> Slope:
    """The least-squares line through (year, log number), and its variance from the covariance of the numbers.

    `reference`: ``t``, Student's t with T - 2 degrees of freedom (as rtrim), or ``normal`` (as TRIM 3). Formula:
    Pannekoek, Bogaart & van der Loo 2018, section "Overall slope". Raises ValueError for fewer than three years and
    where a number is not positive.

    Examples
    --------
    >>> numbers = Series((2013, 2017, 2021), np.array([38.0, 45.0, 55.0]), np.diag([16.0, 20.0, 30.0]))
    >>> slope = overall_slope(numbers, reference="normal")
    >>> round(slope.multiplicative, 3), str(slope.trend)
    (1.047, 'moderate-increase')
    """
    if len(series.times) < 3:
        raise ValueError("an overall slope needs three years")
    if not series.all_positive:
        raise ValueError("an overall slope needs numbers above zero")
    at = np.asarray(series.times, dtype=np.float64)
    by_log = (at - at.mean()) / ((at - at.mean()) ** 2).sum()
    by_value = by_log / series.values
    variance = float(by_value @ series.covariance @ by_value)
    df = float(len(at) - 2) if reference == "t" else np.inf
    additive = float(by_log @ np.log(series.values))
    return Slope(series.times[0], series.times[-1], additive, float(np.sqrt(max(variance, 0))), df, level)


def log_limits(values: Floats, se: Floats, wide: float) -> tuple[Floats, Floats]:
    """Limits of positive numbers symmetric on the log scale, `wide` standard errors away; NaN where there is no error.

    The number 0 has no limits either: its logarithm has none.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where((values > 0) & (se > 1e-12 * values), np.exp(wide * se / values), np.nan)
    return values / factor, values * factor
