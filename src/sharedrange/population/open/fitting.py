"""Maximum likelihood of the open model: the maximum, parameters that end at a limit, profile intervals."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.progress import Progress, silent
from sharedrange.population.open.checks import check_inputs
from sharedrange.population.open.design import Design
from sharedrange.population.open.evaluate import At, Evaluator
from sharedrange.population.open.levels import usable_model
from sharedrange.population.open.search import Search
from sharedrange.population.open.settings import OpenInputs, OpenSettings
from sharedrange.population.open.start import starting_values, starting_variances
from sharedrange.population.open.years import records, without_space

Floats = NDArray[np.float64]

_CERTAIN_LOGIT = 7.0  # survival of 0.999: as good as 1
_SEEN_FOR_SURE = float(np.log(7.0))  # without space: a hazard that leaves one in a thousand unseen
_NO_RECRUITS = float(np.log(1e-3))  # one recruit a year in a thousand animals: as good as none
_STILL_CELLS, _ANYWHERE_EXTENTS = 0.2, 3.0  # a step below a fifth of a cell, or far beyond the mask, changes nothing


@dataclass(frozen=True, slots=True)
class OpenFit:
    """A fitted model.

    `theta` and `covariance` are those of the orthogonal columns (see Design); `beta`, named by `names`, those of the
    formulas as written. `at_limit`: parameters that ended at the end of their range and were held there. The
    log-likelihood holds the constants of the detections but not those of the order of animals.
    """

    design: Design
    theta: Floats
    covariance: Floats
    log_likelihood: float
    gradient: Floats
    evaluations: int
    at_limit: tuple[str, ...] = ()
    notes: tuple[Finding, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self.design.names

    @property
    def beta(self) -> Floats:
        """Coefficients on the link scale."""
        return np.asarray(self.design.back @ self.theta)

    @property
    def beta_covariance(self) -> Floats:
        """Their variance-covariance matrix."""
        back = self.design.back
        return np.asarray(back @ self.covariance @ back.T)

    @property
    def aic(self) -> float:
        """Akaike's information criterion; comparable only between fits to the same histories, mask, detectors."""
        return 2.0 * (len(self.theta) - len(self.at_limit)) - 2.0 * self.log_likelihood

    def at_maximum(self) -> At:
        """Everything at the estimates."""
        return Evaluator(self.design).at(self.theta)


def fit(
    histories: Sequence[CaptureHistory],
    mask: Mask,
    settings: OpenSettings = OpenSettings(),
    times: Sequence[float] = (),
    *,
    progress: Progress = silent,
    checkpoint: MutableMapping[str, Any] | None = None,
) -> OpenFit:
    """The open model fitted to plain tables: one capture history a year, one mask for all.

    Terms that the data cannot have are left out and named in `notes`. Raises InputError if the tables contradict each
    other, DidNotConverge.

    Examples
    --------
    See docs/engines/population.open.md.
    """
    wrong = list(check_inputs(OpenInputs(tuple(histories), mask, times=tuple(times)), settings))
    if wrong:
        raise InputError(wrong)
    design, used, notes = designed(histories, mask, settings, times)
    search = Search(Evaluator(design), progress, {} if checkpoint is None else checkpoint, "fit")
    theta, variance = starting_values(design, used), starting_variances(design, used)
    free = np.ones(len(theta), dtype=bool)
    while True:
        theta = search.climb(theta, variance, free)
        held = _beyond(design, theta, free)
        if not held:
            break
        for place, limit in held.items():
            free[place], theta[place] = False, limit
    theta, value, gradient, covariance = search.finish(theta, free)
    at_limit = tuple(np.array(design.names)[~free].tolist())
    value += design.data.log_constant
    return OpenFit(design, theta, covariance, value, gradient, search.evaluations, at_limit, notes)


def designed(
    histories: Sequence[CaptureHistory], mask: Mask, settings: OpenSettings, times: Sequence[float] = ()
) -> tuple[Design, Sequence[CaptureHistory], tuple[Finding, ...]]:
    """The design that `settings` ask for, the histories that it is about (without space: flattened), and notes."""
    model, notes = usable_model(settings, histories, mask)
    if not settings.spatial:
        histories, mask = without_space(histories, mask)
    used = model.formulas["lambda0"].variables | model.formulas["sigma"].variables
    data = records(histories, mask, times, settings.detection_function, used)
    return Design(model, data), histories, notes


def _beyond(design: Design, theta: Floats, free: NDArray[np.bool_]) -> dict[int, float]:
    """Parameters that have run to the end of their range, and the value at which to hold them."""
    held = {}
    for name, (low, high) in limits(design).items():
        place = design.parts[name].place
        if free[place.start]:
            value = float(theta[place.start])
            if not low <= value <= high:
                held[place.start] = low if value < low else high
    return held


def limits(design: Design) -> dict[str, tuple[float, float]]:
    """Range on the link scale of each rate that is one number for all; beyond it nothing changes."""
    mask = design.data.mask
    extent = max(float(np.ptp(mask.x_m)), float(np.ptp(mask.y_m)), mask.spacing_m)
    ranges = {
        "phi": (-_CERTAIN_LOGIT, _CERTAIN_LOGIT),
        "f": (_NO_RECRUITS, -_NO_RECRUITS),
        "sigma_move": (float(np.log(_STILL_CELLS * mask.spacing_m)), float(np.log(_ANYWHERE_EXTENTS * extent))),
    }
    if not design.model.spatial:
        ranges[design.data.detection.intercept] = (-float("inf"), _SEEN_FOR_SURE)
    return {name: range_ for name, range_ in ranges.items() if _is_one_number(design, name)}


def _is_one_number(design: Design, name: str) -> bool:
    return name in design.parts and design.parts[name].names == (name,)


def profile_interval(
    found: OpenFit,
    name: str,
    level: float,
    *,
    progress: Progress = silent,
    checkpoint: MutableMapping[str, Any] | None = None,
) -> tuple[float, float]:
    """Limits on the link scale of phi, f or sigma_move (one number for all) from the profile likelihood.

    A limit beyond the end of the parameter's range is -inf or inf.
    """
    search = Search(Evaluator(found.design), progress, {} if checkpoint is None else checkpoint, f"profile {name}")
    profile = _Profile(found, name, search, float(chi2.ppf(level, 1)))
    return profile.limit(-1.0), profile.limit(1.0)


class _Profile:
    """How far the deviance of one parameter, the others at their best, lies above its critical value."""

    def __init__(self, found: OpenFit, name: str, search: Search, critical: float) -> None:
        self._found, self._search, self._critical = found, search, critical
        self._place = found.design.parts[name].place.start
        self._range = limits(found.design)[name]
        self._free = ~np.isin(np.array(found.design.names), (*found.at_limit, name))
        self._top = found.log_likelihood - found.design.data.log_constant

    def limit(self, sign: float) -> float:
        """Where the deviance crosses the critical value on one side of the estimate."""
        centre = float(self._found.theta[self._place])
        variance = float(self._found.covariance[self._place, self._place])
        step = 2.0 * float(np.sqrt(variance)) if variance > 0 else 2.0
        end = self._range[1] if sign > 0 else self._range[0]
        inner, outer = centre, centre
        while sign * (end - outer) > 1e-9:
            inner, outer = outer, sign * min(sign * (outer + sign * step), sign * end)
            if self.excess(outer) > 0:
                return float(brentq(self.excess, inner, outer, xtol=0.01 * step, rtol=1e-6))
        return sign * float("inf")

    def excess(self, value: float) -> float:
        """Deviance less its critical value with the parameter held at `value`."""
        found, place = self._found, self._place
        variance = found.covariance[place, place]
        slope = found.covariance[:, place] / variance if variance > 0 else np.zeros(len(found.theta))
        theta = np.where(self._free, found.theta + slope * (value - found.theta[place]), found.theta)
        theta[place] = value
        variances = np.maximum(np.diag(found.covariance), 1e-6)
        best = self._search.climb(theta, variances, self._free, gradient_below=1e-2)
        return 2.0 * (self._top - self._search.value(best)[0]) - self._critical
