"""Starting values without hand work, from two moments of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import logit

from sharedrange.core.survey import SEXES
from sharedrange.population.scr.model import Design
from sharedrange.population.scr.session import Session

Floats = NDArray[np.float64]


def starting_values(design: Design, sessions: Sequence[Session]) -> Floats:
    """Parameter vector to start from.

    sigma: pooled root mean squared distance of detections from each animal's mean (secr's RPSV);
    lambda0: the value at which detections per detected animal have their observed mean; D: n over the area
    effectively sampled. Contrasts start at 0, the share of males at that of the animals of known sex.
    """
    sigma_m = _pooled_scale_m(sessions)
    log_lambda0, density_km2 = _moments(sessions, sigma_m)
    beta = np.zeros(len(design.names))
    beta[design.density.place] = np.log(100.0 * density_km2)
    beta[design.intensity.start] = _on_link(log_lambda0, design.detection.function)
    beta[design.sigma.start] = np.log(sigma_m)
    if design.psi.names:
        beta[design.psi.start] = logit(_share_of_males(sessions))
    return beta


def starting_scales(design: Design, sessions: Sequence[Session]) -> Floats:
    """Rough variances of the parameters, for the optimiser's first step."""
    n = sum(s.n_animals for s in sessions)
    detections = sum(float(s.detections_by_detector().sum()) for s in sessions)
    variance = np.full(len(design.names), 4.0 / detections)
    variance[design.density.place] = len(design.density.names) / n
    variance[design.sigma.place] = 1.0 / detections
    if design.psi.names:
        variance[design.psi.start] = 4.0 / n
    return variance


def _pooled_scale_m(sessions: Sequence[Session]) -> float:
    squares, free = 0.0, 0.0
    for s in sessions:
        x, y = s.x_m[s.column_detector], s.y_m[s.column_detector]
        total = s.counts.sum(axis=1)
        for centre in (x, y):
            mean = s.counts @ centre / total
            squares += float(s.frequency @ (s.counts @ centre**2 - total * mean**2))
        free += float(s.frequency @ (total - 1))
    nearest = min(np.sqrt(s.cell_area_km2) * 1000.0 for s in sessions)
    # two coordinates; never below the mask's resolution, where the integral would see nothing
    return max(float(np.sqrt(max(squares, 0.0) / (2.0 * free))), 0.5 * float(nearest))


def _moments(sessions: Sequence[Session], sigma_m: float) -> tuple[float, float]:
    """Intensity (log lambda0) and density per km2 at which detections per detected animal are as observed."""
    kernels = [_kernel(s, sigma_m) for s in sessions]
    n = sum(s.n_animals for s in sessions)
    detections = sum(float(s.detections_by_detector().sum()) for s in sessions)

    def excess(log_lambda0: float) -> float:
        rate = np.exp(log_lambda0)
        area = _effective_area_km2(kernels, rate)
        total = sum(rate * float(k.sum()) * a for k, a in kernels)
        return float(np.log(total / area) - np.log(detections / n))

    low, high = -25.0, 10.0
    log_lambda0 = float(brentq(excess, low, high, xtol=1e-3)) if excess(low) < 0 < excess(high) else -3.0
    return log_lambda0, n / _effective_area_km2(kernels, float(np.exp(log_lambda0)))


def _kernel(session: Session, sigma_m: float) -> tuple[Floats, float]:
    """sum_j E_j exp(-d^2 / 2 sigma^2) at a thinned set of mask points, and the area in km2 each stands for."""
    thin = max(1, len(session.mask_x_m) // 1500)
    x, y = session.mask_x_m[::thin], session.mask_y_m[::thin]
    d2 = (x[:, None] - session.x_m) ** 2 + (y[:, None] - session.y_m) ** 2
    kernel = np.exp(-d2 / (2.0 * sigma_m**2)) @ session.total_effort
    return kernel, session.cell_area_km2 * len(session.mask_x_m) / len(x)


def _effective_area_km2(kernels: Sequence[tuple[Floats, float]], rate: float) -> float:
    return sum(float(-np.expm1(-rate * kernel).sum()) * area for kernel, area in kernels)


def _on_link(log_lambda0: float, function: str) -> float:
    if function == "HHN":
        return log_lambda0
    return float(logit(np.clip(-np.expm1(-np.exp(log_lambda0)), 1e-8, 0.9)))


def _share_of_males(sessions: Sequence[Session]) -> float:
    known = [sum(float(s.frequency[s.sex == i].sum()) for s in sessions) for i in range(len(SEXES))]
    return (known[1] + 0.5) / (sum(known) + 1.0)
