"""The detection function of a spatial fit as curves: chance of a detection by distance, with its band."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.stats import norm

from sharedrange.assessment.report.charts import Curve
from sharedrange.assessment.report.palette import Look
from sharedrange.core.places import Floats
from sharedrange.population import scr
from sharedrange.population.scr.detection import Detection, fall
from sharedrange.population.scr.predict import Case, cases

_REACH = 3.5  # in sigmas: beyond, nothing is left to see
_DISTANCES = 61
_MOST = 6  # curves in one frame
_STEP = 1e-5  # of a parameter on its link scale, for derivatives
_NOWHERE = Case((), "", np.zeros(0))


def detection_curves(
    inputs: scr.ScrInputs, settings: scr.ScrSettings, memory: dict[str, Any], look: Look
) -> Iterator[Curve]:
    """One curve a combination of what detection depends on, at full effort; the first _MOST of them.

    `memory`: what the engine's fit remembers, so that this one starts where that one ended. Bands by the delta method
    on the scale of log(-log(1 - p)), at the level of `settings`. Raises InputError, DidNotConverge.
    """
    model = settings.model(inputs.report_sides)
    sessions, detection = scr.prepare_sessions(inputs.histories, inputs.masks, model)
    fit = scr.fit_sessions(sessions, detection, model, inputs.covariates, checkpoint=memory)
    z = float(norm.ppf(0.5 + settings.level / 2))
    pairs = list(_pairs(fit))[:_MOST]
    end_m = _REACH * max(float(np.exp(_eta(fit, fit.beta, "sigma", sigma))) for _, sigma, _ in pairs)
    distance_m = np.linspace(0.0, end_m, _DISTANCES)
    for intensity, sigma, shape in pairs:
        labels = dict.fromkeys([*intensity.labels, *sigma.labels])
        name = ", ".join(look.naming.qualifier(label) for label in labels)
        value, se = _log_hazard(fit, detection, distance_m, (intensity, sigma, shape))
        low, middle, high = (-np.expm1(-np.exp(value + reach * se)) for reach in (-z, 0.0, z))
        yield Curve(name, distance_m, middle, low, high)


def _pairs(fit: scr.Fit) -> Iterator[tuple[Case, Case, Case]]:
    """Intensity, scale and shape for every combination of labels that do not contradict each other."""
    shapes = list(cases(fit, "z")) if fit.design.shape.names else [_NOWHERE]
    for intensity in cases(fit, "lambda0"):
        for sigma in cases(fit, "sigma"):
            if _agree(intensity, sigma):
                yield intensity, sigma, next(s for s in shapes if _agree(intensity, s))


def _agree(one: Case, other: Case) -> bool:
    """Whether two cases may be of one animal at one detector: the labels of one are among those of the other."""
    a, b = set(one.labels), set(other.labels)
    return (a <= b or b <= a) and (not one.sex or not other.sex or one.sex == other.sex)


def _eta(fit: scr.Fit, beta: Floats, parameter: str, case: Case) -> float:
    """A parameter on its link scale."""
    part = {"lambda0": fit.design.intensity, "sigma": fit.design.sigma, "z": fit.design.shape}[parameter]
    return float(case.row @ beta[part.place]) if part.names else 0.0


def _log_hazard(
    fit: scr.Fit, detection: Detection, distance_m: Floats, at: tuple[Case, Case, Case]
) -> tuple[Floats, Floats]:
    """Log of the hazard of a full occasion at each distance, and its standard error."""

    def value(beta: Floats) -> Floats:
        eta = [_eta(fit, beta, name, case) for name, case in zip(("lambda0", "sigma", "z"), at, strict=True)]
        log_k = fall(detection.function, (distance_m[None, :] / np.exp(eta[1])) ** 2, np.array([eta[2]])).value[0]
        log_g0, _ = detection.log_intercept(np.array([eta[0]]))
        hazard, _ = detection.hazard(np.exp(log_g0 + log_k))
        return np.log(np.maximum(hazard, 1e-300))

    steps = np.eye(len(fit.beta)) * _STEP
    slope = np.array([(value(fit.beta + s) - value(fit.beta - s)) / (2 * _STEP) for s in steps])
    variance = np.einsum("pd,pq,qd->d", slope, fit.covariance, slope)
    return value(fit.beta), np.sqrt(np.maximum(variance, 0.0))
