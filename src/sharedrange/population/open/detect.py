"""The hazard that detectors put on each mask point, and what detections say of where an animal lives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.open.years import Records
from sharedrange.population.scr.detection import Detection, fall, log_excess

Floats = NDArray[np.float64]


class Field:
    """One class at one parameter vector.

    `link_intensity`, `log_sigma`: (S,), the intensity on its link scale and the logarithm of sigma in metres of each
    distinct detector. `hazard` (T, M): H of each year; `record` (Q, M): what one detection in a column adds to log P.
    """

    def __init__(self, data: Records, distance2_m2: Floats, link_intensity: Floats, log_sigma: Floats) -> None:
        watch, detection = data.watch, data.detection
        self._watch = watch
        log_zero, self._by_link = detection.log_intercept(link_intensity)
        falls = fall(detection.function, distance2_m2 * np.exp(-2.0 * log_sigma)[:, None], None)
        self._by_log_sigma = falls.by_log_sigma
        log_intensity = log_zero[:, None] + falls.value
        intensity = np.exp(log_intensity)
        hazard, self._slope = detection.hazard(intensity)
        self.hazard = watch.effort @ hazard
        where, effort = watch.column_detector, watch.column_effort
        adds, by_log = _beyond_log_intensity(detection, hazard[where], self._slope[where], effort[:, None])
        self.record = log_intensity[where] + np.log(effort)[:, None] + adds
        self._record_slope = 1.0 + by_log

    def gradient(self, by_minus_hazard: Floats, by_record: Floats) -> tuple[Floats, Floats]:
        """Derivatives by the link of intensity and by log sigma, (S,) each, from those by -H and by `record`."""
        by_log = -(self._watch.effort.T @ by_minus_hazard) * self._slope
        np.add.at(by_log, self._watch.column_detector, by_record * self._record_slope)
        return by_log.sum(axis=1) * self._by_link, (by_log * self._by_log_sigma).sum(axis=1)


def _beyond_log_intensity(detection: Detection, hazard: Floats, slope: Floats, effort: Floats) -> tuple[Floats, Floats]:
    """What one detection adds to log P beyond log(g e), and its derivative by log g; shapes (Q, M), effort (Q, 1).

    With c(x) = log((exp(x) - 1) / x) a binary detection is worth log(h e) + c(h e), and log h = log g + h - c(h) where
    the intensity is a probability. Poisson counts are worth log(h e).
    """
    value, by_log = np.zeros_like(hazard), np.zeros_like(hazard)
    if not detection.by_hazard:
        excess, by_hazard = log_excess(hazard)
        value, by_log = value + hazard - excess, by_log + (1.0 - by_hazard) * slope
    if not detection.counts_poisson:
        excess, by_hazard = log_excess(hazard * effort)
        value, by_log = value + excess, by_log + by_hazard * effort * slope
    return value, by_log
