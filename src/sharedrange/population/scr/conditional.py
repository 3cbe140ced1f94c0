"""Density after a fit conditional on detection: each animal stands for the area over which it could be seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.scr.evaluating import SessionFit
from sharedrange.population.scr.fitting import Fit
from sharedrange.population.scr.links import lognormal_interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DerivedDensity:
    """Density of one session, per 100 km2, and the effective sampling area in km2.

    `se` adds the variance of the number of animals detected to that of the area (delta method).
    """

    session: str
    density_per_100km2: float
    se: float
    low: float
    high: float
    effective_area_km2: float


def derived_density(fit: Fit, level: float = 0.95) -> tuple[DerivedDensity, ...]:
    """Horvitz-Thompson-like density, n / a, of every session of a conditional fit (Borchers and Efford 2008).

    a is the integral over the mask of the chance to be detected. The variance is s^2 + G' V G with G the derivatives of
    n / a by the parameters of detection and s^2 = n / a^2 for a Poisson number of animals, n (1 - a / A) / a^2 if the
    number on the mask of area A is fixed. Intervals are log-normal.

    Raises ValueError if the fit was not conditional: it has a density of its own.
    """
    if fit.design.model.likelihood != "conditional":
        raise ValueError("the fit estimates density itself")
    return tuple(_of_session(fit, i, at, level) for i, at in enumerate(fit.at_maximum()))


def _of_session(fit: Fit, index: int, at: SessionFit, level: float) -> DerivedDensity:
    n, area, slope = at.session.n_animals, *_effective_area(fit, index, at)
    density = n / area
    by_parameters = -density / area * slope
    chance = sum(c.terms.expected_detected for c in at.classes) / sum(c.expected_animals for c in at.classes)
    free = 1.0 if fit.design.model.number == "poisson" else 1.0 - chance
    se = float(np.sqrt(n * free / area**2 + by_parameters @ fit.covariance @ by_parameters))
    _, low, high = lognormal_interval(density, float(np.sqrt(np.log1p((se / density) ** 2))), level)
    return DerivedDensity(at.session.name, density, se, low, high, 100.0 * area)


def _effective_area(fit: Fit, index: int, at: SessionFit) -> tuple[float, Floats]:
    """Effective sampling area in units of 100 km2, and its derivatives (p,)."""
    nobody = np.zeros(len(at.session.frequency))
    parts = [c.gradient(nobody, by_detected=1.0) for c in at.classes]
    area = sum(c.terms.expected_detected for c in at.classes)
    return area, fit.design.pull_back(fit.beta, index, parts)
