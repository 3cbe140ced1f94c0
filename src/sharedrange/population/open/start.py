"""Starting values without hand work, from moments of the data."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import logit

from sharedrange.core.history import CaptureHistory
from sharedrange.population.masks import pooled_spread_m
from sharedrange.population.open.design import PSI, Design

Floats = NDArray[np.float64]

_SURVIVAL, _RECRUITS = 0.8, 0.25  # of a big cat; anything not near 0 or 1 will do
_SEEN_WITHOUT_SPACE = 0.5


def starting_values(design: Design, histories: Sequence[CaptureHistory]) -> Floats:
    """Parameters to start from: scales from captures, intensity and density from two moments.

    Intensity is where detections per detected animal and year have their observed mean, density what the animals
    detected then need. Contrasts start at 0.
    """
    sigma_m = _sigma_m(design, histories)
    hazard, density = _moments(design, histories, sigma_m)
    by_hazard = design.data.detection.intercept == "lambda0"
    values = {
        "D": np.log(density),
        "phi": logit(_SURVIVAL),
        "f": np.log(_RECRUITS),
        "sigma_move": np.log(max(_step_m(histories), design.data.mask.spacing_m)),
        design.data.detection.intercept: np.log(hazard) if by_hazard else logit(np.clip(-np.expm1(-hazard), 1e-8, 0.9)),
        "sigma": np.log(sigma_m),
        PSI: 0.0,
    }
    theta = np.zeros(len(design.names))
    for name, part in design.parts.items():
        level = np.full(len(part.matrix), float(values[name]))
        theta[part.place] = np.linalg.lstsq(part.matrix, level, rcond=None)[0]
    return theta


def starting_variances(design: Design, histories: Sequence[CaptureHistory]) -> Floats:
    """Rough variances of the parameters, for the optimiser's first step."""
    n, detections = len(design.data.individuals), sum(h.n_detections for h in histories)
    rough = {"D": 1 / n, "phi": 10 / n, "f": 8 / n, "sigma_move": 2 / n, "sigma": 1 / detections, PSI: 4 / n}
    variance = np.empty(len(design.names))
    for name, part in design.parts.items():
        variance[part.place] = rough.get(name, 4 / detections)
    return variance


def _sigma_m(design: Design, histories: Sequence[CaptureHistory]) -> float:
    """Never below half a cell, where the sum over the mask sees nothing."""
    smallest = 0.5 * design.data.mask.spacing_m
    return max(pooled_spread_m(histories), smallest) if design.model.spatial else smallest


def _moments(design: Design, histories: Sequence[CaptureHistory], sigma_m: float) -> tuple[float, float]:
    """Hazard at distance 0, and animals per 100 km2."""
    data = design.data
    kernel = data.watch.effort @ np.exp(-0.5 * data.distance2_m2() / sigma_m**2)
    animals = sum(h.n_individuals for h in histories)
    each = sum(h.n_detections for h in histories) / animals

    def area_km2(log_hazard: float) -> float:
        return float(-np.expm1(-np.exp(log_hazard) * kernel).sum()) * data.mask.cell_area_km2

    def excess(log_hazard: float) -> float:
        total = np.exp(log_hazard) * kernel.sum() * data.mask.cell_area_km2
        return float(np.log(total / area_km2(log_hazard)) - np.log(each))

    low, high = -25.0, 8.0
    guess = float(np.log(-np.log1p(-_SEEN_WITHOUT_SPACE)))
    if design.model.spatial and excess(low) < 0 < excess(high):
        guess = float(brentq(excess, low, high, xtol=1e-3))
    return float(np.exp(guess)), 100.0 * animals / area_km2(guess)


def _step_m(histories: Sequence[CaptureHistory]) -> float:
    """Root mean squared step along one axis between an animal's mean places in years that follow; 0 if none."""
    places = [_mean_places(history) for history in histories]
    steps = [later[who] - now[who] for now, later in pairwise(places) for who in now.keys() & later.keys()]
    return float(np.sqrt(np.mean(np.square(steps)))) if steps else 0.0


def _mean_places(history: CaptureHistory) -> dict[str, Floats]:
    """Where each animal was caught, on average."""
    counts = history.counts().astype(float)
    places = counts @ history.detectors.select("x_m", "y_m").to_numpy() / np.maximum(counts.sum(axis=1), 1)[:, None]
    return dict(zip(history.individuals["individual"], places, strict=True))
