"""How detection falls off with distance, and what one detection tells about the activity centre.

Every detector works through an intensity g(d) = g0 k(d), where k falls from 1 with distance d:

====================  =======================================  ==============================
function              k(d)                                     hazard h of one full occasion
====================  =======================================  ==============================
``HN``, ``HHN``       half-normal, exp(-d^2 / 2 sigma^2)       -log(1 - g) for HN, g for HHN
``HR``, ``HHR``       hazard rate, 1 - exp(-(d / sigma)^-z)    -log(1 - g) for HR, g for HHR
``EX``, ``HEX``       exponential, exp(-d / sigma)             -log(1 - g) for EX, g for HEX
====================  =======================================  ==============================

so g0 is a probability for the first of each pair and a cumulative hazard (lambda0) for the second. With effort e
the chance of a detection is 1 - exp(-h e): for HN this is 1 - (1 - g)^e (Efford, Borchers and Mowat 2013). All
likelihoods here are then one formula,

    log Pr(w | s) = -sum_j E_j h_j(s) + sum over detections of phi,

* phi = log(exp(h e) - 1) for binary and binomial data,
* phi = log(h e) for Poisson counts,
* phi = log(h e) + c(H_k) for traps that hold the animal, H_k its total hazard on that occasion: detectors compete,
  so Pr(caught at j) = (1 - exp(-H_k)) h_j e_j / H_k (Efford, Borchers and Byrom 2009).

With c(x) = log((exp(x) - 1) / x) the first is log(h e) + c(h e) too. We write log h = log g + log(h / g): for
half-normal k the part log g is quadratic in the activity centre and needs no exponential, the rest vanishes far away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.scr.links import log_inverse_logit

Floats = NDArray[np.float64]
FunctionName = Literal["HHN", "HN", "HHR", "HR", "HEX", "EX"]
FUNCTIONS: tuple[FunctionName, ...] = get_args(FunctionName)
_LARGEST_PROBABILITY = 1.0 - 1e-12  # keeps -log(1 - g) finite when the optimiser looks at g0 = 1
_TINIEST = 1e-300
_LARGEST_LOG = 700.0  # of what can be exponentiated, with either sign
_BERNOULLI = (1 / 24, -1 / 2880, 1 / 181440, -1 / 9676800, 1 / 479001600, -691 / 15692092416000)
# up to these x so many terms of the series of c are exact to double precision, at a third of the cost of exponentials
_SERIES = ((0.2, 4), (0.5, 6))


@dataclass(frozen=True, slots=True)
class Detection:
    """A detection function together with what is observed.

    `counts_poisson`: detections are Poisson counts; otherwise binary, or binomial with size effort.
    `competing`: a detector holds the animal, which can be caught once an occasion (multi-catch traps).
    """

    function: FunctionName
    counts_poisson: bool
    competing: bool = False

    @property
    def by_hazard(self) -> bool:
        """Whether the intensity is a hazard; otherwise it is a probability."""
        return self.function in ("HHN", "HHR", "HEX")

    @property
    def half_normal(self) -> bool:
        """Whether log g is quadratic in the activity centre."""
        return self.function in ("HN", "HHN")

    @property
    def has_shape(self) -> bool:
        """Whether there is a shape parameter z."""
        return self.function in ("HR", "HHR")

    @property
    def intercept(self) -> str:
        """Name of the intensity at distance 0."""
        return "lambda0" if self.by_hazard else "g0"

    @property
    def corrects_columns(self) -> bool:
        """Whether phi holds more than log(g e) that belongs to the detector alone."""
        return not self.by_hazard or not (self.counts_poisson or self.competing)

    def log_intercept(self, eta: Floats) -> tuple[Floats, Floats]:
        """Logarithm of g0 and its derivative, from the link scale (log for hazards, logit for probabilities)."""
        if self.by_hazard:
            return eta, np.ones_like(eta)
        return log_inverse_logit(eta)

    def hazard(self, intensity: Floats) -> tuple[Floats, Floats]:
        """Hazard h of a full occasion and dh/dlog g, from intensities g of any shape."""
        if self.by_hazard:
            return intensity, intensity
        if intensity.max(initial=0.0) > _LARGEST_PROBABILITY:
            intensity = np.minimum(intensity, _LARGEST_PROBABILITY)
        odds = 1.0 - intensity
        np.reciprocal(odds, out=odds)
        hazard = np.log(odds)  # not log1p: hazards are added to others, so only their absolute error counts
        odds -= 1.0
        return hazard, odds

    def correction(self, hazard: Floats, slope: Floats, effort: Floats) -> tuple[Floats, Floats]:
        """What phi adds to log(g e), and its derivative by log g; both go to 0 with g.

        `hazard` and `slope` (dh/dlog g) have shape (Q, M), `effort` (Q,). The part c(H_k) of detectors that
        compete is not in it: it belongs to the occasion.
        """
        e = effort[:, None]
        if self.by_hazard:
            met = hazard if (effort == 1.0).all() else hazard * e
            value, by_hazard = log_excess(met)
            by_hazard *= met  # dh/dlog g is h
            return value, by_hazard
        # 1 - exp(-h) = g makes log(h / g) = h - c(h): nothing is left to add where the effort is 1
        if not (self.counts_poisson or self.competing) and (effort == 1.0).all():
            return hazard, slope
        # the slope is g / (1 - g) and h its log1p: both lose the same digits of a small g, their ratio loses none
        by_log_g = slope + _TINIEST
        value = hazard + _TINIEST
        by_log_g /= value
        value = np.log(by_log_g, out=value)
        np.subtract(hazard, value, out=value)
        by_log_g -= 1.0
        if not (self.counts_poisson or self.competing):
            excess, by_hazard = log_excess(hazard * e)
            value += excess
            by_log_g += by_hazard * slope * e
        return value, by_log_g


def log_excess(x: Floats) -> tuple[Floats, Floats]:
    """c(x) = log((exp(x) - 1) / x) and its derivative, for x >= 0 of any shape; c(0) = 0, c'(0) = 1/2."""
    highest = float(x.max()) if x.size else 0.0
    for limit, terms in _SERIES:
        if highest <= limit:
            return _log_excess_near_0(x, terms)
    x = np.maximum(x, _TINIEST)
    p = np.expm1(-x)
    p /= -x
    return x + np.log(p), (1.0 / p - 1.0) / x  # near 0 the slope errs by 1e-16 / x, and is only used times x


def _log_excess_near_0(x: Floats, terms: int) -> tuple[Floats, Floats]:
    """The first terms of x / 2 + sum over n of B_2n x^2n / (2n (2n)!), B_2n the Bernoulli numbers."""
    x2 = x * x
    series, slope = np.full_like(x, _BERNOULLI[terms - 1]), np.full_like(x, 2 * terms * _BERNOULLI[terms - 1])
    for n in range(terms - 1, 0, -1):
        series *= x2
        series += _BERNOULLI[n - 1]
        slope *= x2
        slope += 2 * n * _BERNOULLI[n - 1]
    series *= x2
    series += 0.5 * x
    slope *= x
    slope += 0.5
    return series, slope


@dataclass(frozen=True, slots=True)
class Fall:
    """log k and its derivatives by log sigma and (hazard rate only) by log z, equal shapes.

    k depends on d / sigma alone, so the derivative by log d is minus that by log sigma. `by_share` (ways, rows,
    points): derivatives by the shares of several ways to the same place (see `distance.Ways`).
    """

    value: Floats
    by_log_sigma: Floats
    by_log_shape: Floats | None = None
    by_share: Floats | None = None

    def rows(self, some: NDArray[np.int64]) -> Fall:
        """The fall of some rows."""
        shape = None if self.by_log_shape is None else self.by_log_shape[some]
        share = None if self.by_share is None else self.by_share[:, some]
        return Fall(self.value[some], self.by_log_sigma[some], shape, share)


def fall(function: FunctionName, scaled2: Floats, log_shape: Floats | None) -> Fall:
    """Give log k from (d / sigma)^2, shape (rows, points); `log_shape` (rows,)."""
    if function in ("HN", "HHN"):
        return Fall(-0.5 * scaled2, scaled2)
    if function in ("EX", "HEX"):
        ratio = np.sqrt(scaled2)
        return Fall(-ratio, ratio)
    return _hazard_rate(scaled2, np.zeros(len(scaled2)) if log_shape is None else log_shape)


def _hazard_rate(scaled2: Floats, log_shape: Floats) -> Fall:
    """log(1 - exp(-u)) with u = (d / sigma)^-z, without overflow at d = 0 and underflow far away."""
    z = np.exp(log_shape)[:, None]
    log_u = np.log(np.maximum(scaled2, _TINIEST))
    log_u *= -0.5 * z
    u = np.exp(np.clip(log_u, -_LARGEST_LOG, _LARGEST_LOG))
    k = -np.expm1(-u)
    value = np.log(k)
    by_log_u = np.subtract(u / k, u, out=k)  # u / (exp(u) - 1)
    if log_u.min(initial=0.0) < -_LARGEST_LOG:  # so far away the fall is that of a power
        np.copyto(value, log_u, where=log_u < -_LARGEST_LOG)
    log_u *= by_log_u
    by_log_u *= z
    return Fall(value, by_log_u, log_u)


def log_fall_at_most(
    function: FunctionName, nearest2: Floats, log_sigma: Floats, log_shape: Floats | None = None
) -> Floats:
    """Bound log k beyond distances whose squares are `nearest2` (rows,): every k falls with distance."""
    return fall(function, (nearest2 * np.exp(-2.0 * log_sigma))[:, None], log_shape).value[:, 0]
