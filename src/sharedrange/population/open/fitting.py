"""Maximum likelihood of the open model: the maximum, parameters that end at a limit, profile intervals."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2

from sharedrange.core.errors import DidNotConverge, InputError
from sharedrange.core.finding import Finding
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.progress import Progress, silent
from sharedrange.population.open.checks import check_inputs
from sharedrange.population.open.design import Design
from sharedrange.population.open.evaluate import At, Evaluator
from sharedrange.population.open.levels import usable_model
from sharedrange.population.open.settings import OpenInputs, OpenSettings
from sharedrange.population.open.start import starting_values, starting_variances
from sharedrange.population.open.years import records, without_space
from sharedrange.population.scr.search import Chart, Climb, Peak, Unbounded, Work

Floats = NDArray[np.float64]

_CERTAIN_LOGIT = 7.0  # survival of 0.999: as good as 1
_SEEN_FOR_SURE = float(np.log(7.0))  # without space: a hazard that leaves one in a thousand unseen
_NO_RECRUITS = float(np.log(1e-3))  # one recruit a year in a thousand animals: as good as none
_STILL_CELLS, _ANYWHERE_EXTENTS = 0.2, 3.0  # a step below a fifth of a cell, or far beyond the mask, changes nothing
_LONGEST_STEP, _CLOSE = 2.0, 2e-3  # of a profile on the link scale, and the share of a step by which a limit may be off
_GRADIENT = 5e-4  # of rough standard errors: less than what is left where a rate has run to the end of its range
_OUR_WORDS = {"scr-not-converged": "open-not-converged", "scr-flat": "open-flat"}  # with remedies for these settings


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
    work = Work(progress, checkpoint)
    peak, held = _maximum(design, starting_values(design, used), starting_variances(design, used), work)
    value, at_limit = peak.value + design.data.log_constant, tuple(design.names[k] for k in sorted(held))
    return OpenFit(design, peak.beta, peak.covariance, value, peak.gradient, work.evaluations, at_limit, notes)


def _maximum(design: Design, theta: Floats, variances: Floats, work: Work) -> tuple[Peak, dict[int, float]]:
    """The maximum, and the parameters that were held at the end of their range on the way there."""
    objective, held = Evaluator(design).log_likelihood, dict[int, float]()
    while True:
        climb = Climb(objective, Chart.around(theta, np.diag(variances), held), design.names, work, label="fit")
        theta = climb.near(theta, _GRADIENT).beta
        ended = _ended(design, theta, held)
        if not ended:
            peak = _finished(climb, theta)
            ended = _ended(design, peak.beta, held)  # the last steps may still run away, where hardly anything changes
            if not ended:
                return peak, held
        held |= ended


def _finished(climb: Climb, theta: Floats) -> Peak:
    """The maximum near `theta`; what keeps it from being found is said in words of this model's settings."""
    try:
        return climb.finish(theta)
    except Unbounded as unbounded:
        lost = unbounded.lost
    except DidNotConverge as stopped:
        lost = stopped
    raise DidNotConverge(replace(lost.finding, rule=_OUR_WORDS[lost.finding.rule]))


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


def _ended(design: Design, theta: Floats, held: Mapping[int, float]) -> dict[int, float]:
    """Parameters, not held yet, that have run to the end of their range, and the value at which to hold them."""
    ended = {}
    for name, (low, high) in limits(design).items():
        place = design.parts[name].place.start
        value = float(theta[place])
        if place not in held and not low <= value <= high:
            ended[place] = low if value < low else high
    return ended


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
    profile = _Profile(found, name, Work(progress, checkpoint), float(chi2.ppf(level, 1)))
    return profile.limit(-1.0), profile.limit(1.0)


class _Profile:
    """How far the deviance of one parameter, the others at their best, lies above its critical value."""

    def __init__(self, found: OpenFit, name: str, work: Work, critical: float) -> None:
        self._found, self._work, self._critical = found, work, critical
        self._label, self._objective = f"profile {name}", Evaluator(found.design).log_likelihood
        self._place = found.design.parts[name].place.start
        self._range = limits(found.design)[name]
        at_limit = np.isin(found.names, found.at_limit)
        self._held = {int(k): float(found.theta[k]) for k in np.flatnonzero(at_limit)}
        self._covariance = found.covariance + np.diag(at_limit.astype(float))  # any variance will do for what is held
        self._top = found.log_likelihood - found.design.data.log_constant

    def limit(self, sign: float) -> float:
        """Where the deviance crosses the critical value on one side of the estimate."""
        centre = float(self._found.theta[self._place])
        variance = float(self._found.covariance[self._place, self._place])
        step = min(2.0 * float(np.sqrt(variance)), _LONGEST_STEP) if variance > 0 else _LONGEST_STEP
        end = self._range[1] if sign > 0 else self._range[0]
        inner, outer = centre, centre
        while sign * (end - outer) > 1e-9:
            inner, outer = outer, sign * min(sign * (outer + sign * step), sign * end)
            if self.excess(outer) > 0:
                return float(brentq(self.excess, inner, outer, xtol=_CLOSE * step, rtol=1e-6))
        return sign * float("inf")

    def excess(self, value: float) -> float:
        """Deviance less its critical value with the parameter held at `value`."""
        theta, place = self._found.theta, self._place
        chart = Chart.around(theta, self._covariance, self._held | {place: value})
        climb = Climb(self._objective, chart, self._found.names, self._work, label=self._label)
        likely = self._covariance[:, place] / self._covariance[place, place] * (value - theta[place])
        return 2.0 * (self._top - climb.near(theta + likely).value) - self._critical
