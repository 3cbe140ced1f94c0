"""From the line that parameters live on to the values that people know, and intervals that respect it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit
from scipy.stats import norm

Floats = NDArray[np.float64]


def log_inverse_logit(eta: Floats) -> tuple[Floats, Floats]:
    """Logarithm of p and its derivative 1 - p, for p = 1 / (1 + exp(-eta)); equal shapes."""
    return np.asarray(log_expit(eta)), np.asarray(expit(-eta))


def normal_quantile(level: float) -> float:
    """Normal quantile of a two-sided interval at `level`: 1.96 for 0.95."""
    return float(norm.ppf(0.5 + level / 2))


def lognormal_interval(value: float, se_log: float, level: float) -> tuple[float, float, float]:
    """Standard error and limits of a positive quantity whose logarithm has standard error `se_log`.

    The standard error is value * sqrt(exp(se_log^2) - 1), so that the limits equal
    value / C and value * C with C = exp(z sqrt(log(1 + cv^2))) (Burnham et al. 1987, p. 212).

    Examples
    --------
    >>> [round(v, 4) for v in lognormal_interval(0.942114747, 0.1281542, 0.95)]
    [0.1212, 0.7329, 1.2111]
    """
    z = normal_quantile(level)
    # exp may overflow where the data say nothing; an infinite limit is then the truth
    with np.errstate(over="ignore"):
        se = value * float(np.sqrt(np.expm1(se_log**2)))
        return se, float(value * np.exp(-z * se_log)), float(value * np.exp(z * se_log))


def logit_interval(eta: float, se_eta: float, level: float) -> tuple[float, float, float, float]:
    """Probability, its standard error (delta method) and limits from the logit scale."""
    z = normal_quantile(level)
    p = float(expit(eta))
    return p, p * (1 - p) * se_eta, float(expit(eta - z * se_eta)), float(expit(eta + z * se_eta))


def floored_interval(value: float, se: float, floor: float, level: float) -> tuple[float, float]:
    """Limits of a number of which `floor` is certain: log-normal about the whole, never below what is certain.

    A log-normal about what is above the floor alone stands on a few animals, and its lower limit comes too high: it
    held the true number of small simulated populations in 85 to 95 %, this one in 93 to 97 %.
    """
    if value <= 0:
        return value, value
    c = math.exp(normal_quantile(level) * math.sqrt(math.log1p((se / value) ** 2)))
    return max(value / c, min(floor, value)), value * c
