"""How detection falls off with distance, and what one detection tells about the activity centre.

Every detector works through an intensity g(d) = g0 exp(-d^2 / 2 sigma^2). The detection function says what
the cumulative hazard h of one full occasion is:

* ``HHN`` (hazard half-normal): h = g, g0 is lambda0 > 0;
* ``HN`` (half-normal): h = -log(1 - g), g0 a probability.

With effort e the chance of a detection is 1 - exp(-h e): for HN this is 1 - (1 - g)^e (Efford, Borchers and
Mowat 2013). All likelihoods here are then one formula,

    log Pr(w | s) = -sum_j E_j h_j(s) + sum over detections of phi(h_j(s), e),

with phi = log(exp(h e) - 1) for binary and binomial data and phi = log g for Poisson counts. We write
phi = log(g e) + correction(g, e): the first part is quadratic in the activity centre and needs no exponential,
the correction vanishes far away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.scr.links import log_inverse_logit

Floats = NDArray[np.float64]
FunctionName = Literal["HHN", "HN"]
_LARGEST_PROBABILITY = 1.0 - 1e-12  # keeps -log(1 - g) finite when the optimiser looks at g0 = 1
_TINIEST = 1e-300


@dataclass(frozen=True, slots=True)
class Detection:
    """A detection function together with what is observed.

    `counts_poisson`: whether detections are Poisson counts; otherwise binary, or binomial with size effort.
    """

    function: FunctionName
    counts_poisson: bool

    @property
    def intercept(self) -> str:
        """Name of the intensity at distance 0."""
        return "lambda0" if self.function == "HHN" else "g0"

    def log_intercept(self, eta: Floats) -> tuple[Floats, Floats]:
        """Logarithm of g0 and its derivative, from the link scale (log for HHN, logit for HN)."""
        if self.function == "HHN":
            return eta, np.ones_like(eta)
        return log_inverse_logit(eta)

    def hazard(self, intensity: Floats) -> tuple[Floats, Floats]:
        """Hazard h of a full occasion and dh/dlog g, from intensities g of any shape."""
        if self.function == "HHN":
            return intensity, intensity
        g = np.minimum(intensity, _LARGEST_PROBABILITY)
        return -np.log1p(-g), g / (1.0 - g)


def correction(intensity: Floats, hazard: Floats, slope: Floats, effort: Floats) -> tuple[Floats, Floats]:
    """What phi adds to log(g e), and its derivative by log g; both go to 0 with g.

    `intensity`, `hazard` and `slope` (dh/dlog g) have shape (Q, M), `effort` (Q,).
    """
    e = effort[:, None]
    x = np.maximum(hazard, _TINIEST) * e
    p = -np.expm1(-x)
    return x + np.log(p / (np.maximum(intensity, _TINIEST) * e)), np.maximum(slope, _TINIEST) * e / p - 1.0
