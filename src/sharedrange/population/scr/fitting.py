"""Maximum likelihood: a model fitted to plain tables or to prepared sessions."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharedrange.core.errors import DidNotConverge
from sharedrange.core.finding import Finding
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.progress import Progress, silent
from sharedrange.core.survey import SEXES
from sharedrange.population.scr.checks import raise_if_wrong
from sharedrange.population.scr.design import PMIX, Design, design
from sharedrange.population.scr.detection import Detection
from sharedrange.population.scr.evaluating import SessionFit, evaluate_session, log_constant, log_likelihood
from sharedrange.population.scr.model import Covariates, Model
from sharedrange.population.scr.search import Chart, Climb, Peak, Unbounded, Work
from sharedrange.population.scr.session import Session, prepare, with_captures
from sharedrange.population.scr.splits import Levels, label, levels, usable_model, without
from sharedrange.population.scr.start import embedded, in_order, mixture_starts, starting_values, step_sizes
from sharedrange.population.scr.thinning import CLIMB_SIGMAS, COVARIANCE_SIGMAS, coarser, shows_curvature

__all__ = ["Fit", "Problem", "SessionFit", "evaluate_session", "fit", "fit_sessions", "log_likelihood"]

Floats = NDArray[np.float64]
_CLIMBS = 2  # of a mixture, from the highest of many starts
_NULL_GRADIENT = 0.05  # per standard error: where a simpler model's climb may end that only leads to a richer one's


@dataclass(frozen=True, slots=True)
class Problem:
    """A model on the sessions of its data: what a maximum is sought of.

    This is the seam for profiles, bootstraps and whatever else fits again: `value` gives the log-likelihood with
    secr's constants and its exact gradient at any parameter vector, `maximise` the maximum with some parameters held.
    """

    design: Design
    sessions: tuple[Session, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return self.design.names

    @property
    def constant(self) -> float:
        """What the log-likelihood holds besides its kernel."""
        return log_constant(self.design, self.sessions)

    def kernel(self, beta: Floats) -> tuple[float, Floats]:
        """The log-likelihood without constants, and its gradient (p,)."""
        return log_likelihood(self.design, self.sessions, beta)

    def value(self, beta: Floats) -> tuple[float, Floats]:
        """The log-likelihood with secr's constants, and its gradient (p,)."""
        value, gradient = self.kernel(beta)
        return value + self.constant, gradient

    def start(self) -> Floats:
        """Parameters to start from, without hand work."""
        return starting_values(self.design, self.sessions)

    def chart(self) -> Chart:
        """Coordinates in which a step of one is roughly a standard error in every direction."""
        back = self.design.back() * step_sizes(self.design, self.sessions)
        return Chart(np.zeros(len(self.names)), back)

    def least_sigma_m(self, beta: Floats) -> float:
        """The smallest spatial scale that any animal has at any detector."""
        place = self.design.sigma.place
        return float(np.exp(min(float((x @ beta[place]).min()) for d in self.design.sessions for x in d.sigma)))

    def thinned(self, start: Floats, sigmas: float = CLIMB_SIGMAS) -> Problem | None:
        """The same problem on masks thinned to a spacing of `sigmas` of the scale in `start`, if they can be."""
        found = coarser(self.design, self.sessions, sigmas * self.least_sigma_m(start))
        return None if found is None else Problem(*found)

    def climb(self, chart: Chart | None = None, work: Work | None = None, name: str = "") -> Climb:
        """A climb of the kernel in given coordinates (by default those of `chart`)."""
        parts = (self.design.density, self.design.sigma)
        alone = {
            part.names[0] for part in parts if len(part.names) == 1
        }  # with covariates an intercept may lie far off
        watched = [i for i, name in enumerate(self.names) if name in alone or self.design.split_of(name)]
        kinked = bool(getattr(self.design.model.distance, "kinked", False))
        where = chart or self.chart()
        return Climb(self.kernel, where, self.names, work or Work(), label=name, watched=watched, kinked=kinked)

    def maximise(self, near: Fit, fixed: Mapping[str, float] | None = None, start: Floats | None = None) -> Peak:
        """The maximum with parameters held at given values (link scale), without its covariance.

        Sought from `start`, by default the estimates of `near`, in whose standard errors the search steps. The
        `value` has secr's constants.
        """
        held = {self.names.index(name): value for name, value in (fixed or {}).items()}
        chart = Chart.around(near.beta, near.covariance, held)
        peak = self.climb(chart).near(near.beta if start is None else start)
        return replace(peak, value=peak.value + self.constant)


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model.

    `beta` on the link scale, named by `design.names`; `covariance` its variance-covariance matrix;
    `log_likelihood` includes the constants of secr (5.5), so that it can be compared with secr's.
    """

    design: Design
    sessions: tuple[Session, ...]
    dropped: tuple[Levels, ...]
    beta: Floats
    covariance: Floats
    log_likelihood: float
    gradient: Floats
    evaluations: int

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return self.design.names

    @property
    def problem(self) -> Problem:
        """What was maximised."""
        return Problem(self.design, self.sessions)

    @property
    def n_parameters(self) -> int:
        """Parameters estimated."""
        return len(self.beta)

    @property
    def n_animals(self) -> int:
        """Animals detected, summed over sessions."""
        return sum(s.n_animals for s in self.sessions)

    @property
    def aic(self) -> float:
        """Akaike's information criterion; comparable only between fits to the same histories, mask, detectors."""
        return 2.0 * self.n_parameters - 2.0 * self.log_likelihood

    def at_maximum(self) -> tuple[SessionFit, ...]:
        """Every session at the estimates."""
        return tuple(evaluate_session(self.design, self.beta, i, s) for i, s in enumerate(self.sessions))


def prepare_sessions(
    histories: Sequence[CaptureHistory], masks: Sequence[Mask], model: Model
) -> tuple[tuple[Session, ...], Detection]:
    """Histories and masks (one each, or one for all) as arrays, and what is observed."""
    counts = histories[0].kind == "count"
    detection = model.detection(histories[0].kind)
    paired = tuple(masks) * len(histories) if len(masks) == 1 else tuple(masks)
    sessions = tuple(
        prepare(
            history,
            mask,
            poisson=detection.counts_poisson,
            unit_size=counts and not detection.counts_poisson,
            competing=detection.competing,
        )
        for history, mask in zip(histories, paired, strict=True)
    )
    return sessions, detection


def fit(
    histories: Sequence[CaptureHistory],
    masks: Sequence[Mask],
    model: Model | None = None,
    covariates: Covariates | None = None,
) -> Fit:
    """`model` fitted to plain tables; splits that the data cannot have are left out and listed in `dropped`.

        Several histories are sessions with shared parameters and independent populations; `masks` has one mask a
        history or one for all. Raises InputError if tables contradict each other or a formula names what is not there,
        DidNotConverge.

    Examples
    --------
    Four animals caught in a line of live traps (invented):

    >>> import numpy as np, polars as pl
    >>> x, y = (a.ravel() for a in np.meshgrid(np.arange(-200.0, 351.0, 10.0), np.arange(-200.0, 201.0, 10.0)))
    >>> mask = Mask(x, y, 1e-4, np.full(x.shape, ""), np.ones(x.shape, dtype=bool))
    >>> traps = pl.DataFrame({"detector": list("abcd"), "party": "p", "x_m": [0.0, 50.0, 100.0, 150.0], "y_m": 0.0})
    >>> who, where, when = list("uuuvvvwwz"), list("ababccdcb"), [1, 2, 4, 1, 3, 5, 2, 3, 5]
    >>> captures = pl.DataFrame({"individual": who, "detector": where, "occasion": when, "count": 1})
    >>> animals = pl.DataFrame({"individual": list("uvwz"), "sex": None})
    >>> found = fit([CaptureHistory("2026", "multi", traps, animals, captures, np.ones((4, 5)))], [mask], Model("HHN"))
    >>> dict(zip(found.names, found.beta.round(2).tolist()))
    {'D': 9.37, 'lambda0': -0.68, 'sigma': 3.58}
    """
    asked = model or Model()
    raise_if_wrong(histories, masks, asked.detection_function)
    sessions, detection = prepare_sessions(histories, masks, asked)
    return fit_sessions(sessions, detection, asked, covariates)


def fit_sessions(
    sessions: tuple[Session, ...],
    detection: Detection,
    model: Model,
    covariates: Covariates | None = None,
    *,
    progress: Progress = silent,
    checkpoint: MutableMapping[str, Any] | None = None,
) -> Fit:
    """`model` fitted to prepared sessions. `checkpoint` keeps what was evaluated. Raises InputError, DidNotConverge.

    A split whose parameter runs away (the density of a side to 0, say) has no maximum to report; it is left out,
    listed in `dropped` with that parameter, and the rest is fitted again.
    """
    usable, dropped = usable_model(model, sessions)
    work = Work(progress, checkpoint)
    while True:
        problem = Problem(*design(usable, sessions, detection, covariates))
        try:
            peak = _maximum(problem, sessions, work)
        except Unbounded as lost:
            split = problem.design.split_of(lost.parameter)
            if split is None:
                raise _said(lost, usable) from None
            usable = without(usable, *split)
            dropped = (*dropped, replace(levels(sessions, model.sides, *split), runaway=lost.parameter))
            continue
        return _fit_of(problem, peak, dropped, work)


def _said(lost: Unbounded, model: Model) -> DidNotConverge:
    """What to say of a parameter without a maximum: of latent classes, that the data show none."""
    if not (model.mixture and (lost.parameter.startswith(PMIX) or f".{model.mixture}." in lost.parameter)):
        return lost.lost
    return DidNotConverge(Finding("scr-mixture-flat", {"mixture": model.mixture, "parameter": lost.parameter}))


def _fit_of(problem: Problem, peak: Peak, dropped: tuple[Levels, ...], work: Work) -> Fit:
    value = peak.value + problem.constant
    return Fit(
        problem.design,
        problem.sessions,
        dropped,
        peak.beta,
        peak.covariance,
        value,
        peak.gradient,
        work.evaluations,
    )


def _maximum(problem: Problem, sessions: tuple[Session, ...], work: Work) -> Peak:
    """The maximum with its covariance: the climb on a thinned mask where there is one, its end on the whole."""
    begin = problem.start()
    thin = problem.thinned(begin)
    starts = _starts(problem, sessions, begin, work)
    top = _Top(problem, thin, work)
    way = top.thin or top.climb
    promising = sorted(starts, key=way.height, reverse=True)[:_CLIMBS] if len(starts) > 1 else starts
    best = max((way.near(start) for start in promising), key=lambda peak: peak.value).beta
    peak = top.reached(best)
    ordered = in_order(problem.design, peak.beta)
    return peak if ordered is None else top.reached(ordered)


class _Top:
    """The end of a climb: on the whole mask, with the curvature of a thinned one where that shows it."""

    def __init__(self, problem: Problem, thin: Problem | None, work: Work) -> None:
        self._problem, self._thinned, self._work, self._chart = problem, thin, work, problem.chart()
        self._name = label(problem.design.model)
        self.climb = problem.climb(self._chart, work, self._name)
        self.thin = None if thin is None else thin.climb(self._chart, work, f"{self._name}, thinned")

    def reached(self, start: Floats) -> Peak:
        """The maximum from nearby, with its covariance. Raises Unbounded, DidNotConverge."""
        if self.thin is None:
            return self.climb.finish(start)
        curvature = self._curvature(start)
        if curvature is not None:
            try:
                return self.climb.finish(start, curvature)
            except (Unbounded, DidNotConverge):  # what cannot be seen there may be seen on the whole mask
                pass
        return self.climb.finish(self.climb.near(start).beta)

    def _curvature(self, start: Floats) -> Climb | None:
        """A climb on a mask thinned so far that it still shows the curvature: the one climbed on, or a finer one."""
        sigma_m = self._problem.least_sigma_m(start)
        if self._thinned and shows_curvature(self._thinned.design, self._thinned.sessions, sigma_m):
            return self.thin
        finer = self._problem.thinned(start, COVARIANCE_SIGMAS)
        if finer is None or not shows_curvature(finer.design, finer.sessions, sigma_m):
            return None
        return finer.climb(self._chart, self._work, f"{self._name}, curvature")


def _starts(problem: Problem, sessions: tuple[Session, ...], start: Floats, work: Work) -> list[Floats]:
    """Where to start: a richer model where the model of intercepts only ends, so that it cannot end below."""
    made = problem.design
    if not made.model.is_null:
        null = Problem(*design(made.model.null, sessions, made.detection, made.covariates))
        begin = null.start()
        climb = (null.thinned(begin) or null).climb(null.chart(), work, f"{label(null.design.model)}<")
        below = climb.near(begin, _NULL_GRADIENT)
        start = embedded(null.design, below.beta, made, start)
    return mixture_starts(made, start) if made.model.mixture else [start]


def refit(near: Fit, histories: Sequence[CaptureHistory]) -> Peak:
    """The maximum of the same model for other histories at the same detectors, effort and masks (a bootstrap sample).

    Starts at the estimates of `near` and steps in its standard errors; no covariance.
    """
    sessions = tuple(with_captures(s, h) for s, h in zip(near.sessions, histories, strict=True))
    return Problem(near.design, sessions).maximise(near)


def richer_log_likelihood(
    null: Fit, model: Model, progress: Progress = silent, checkpoint: MutableMapping[str, Any] | None = None
) -> tuple[float, int]:
    """Log-likelihood and number of parameters of `model`, in which `null` is nested.

    Starts at the estimates of `null`, so that it cannot end below it. Ties between histories are counted as in
    `null`: both log-likelihoods hold the same constant. Raises DidNotConverge.
    """
    made, sessions = design(model, null.sessions, null.design.detection, null.design.covariates)
    problem = Problem(made, sessions)
    name = f"{label(null.design.model)}<{label(model)}"
    start = embedded(null.design, null.beta, made, problem.start())
    peak = problem.climb(work=Work(progress, checkpoint), name=name).near(start)
    split = sex_entropy(null) if model.by_sex and not null.design.model.by_sex else 0.0
    return peak.value + null.problem.constant - split, len(made.names)


def sex_entropy(null: Fit) -> float:
    """Log-likelihood of the known sexes alone, at the observed share of males.

    A model of two classes also explains the sexes; a null without classes does not. The null's counterpart is
    that sex is a coin toss independent of everything else: sum log psi over known males, log(1 - psi) females.
    """
    known = [sum(float(s.frequency[s.sex == i].sum()) for s in null.sessions) for i in range(len(SEXES))]
    total = sum(known)
    return sum(k * float(np.log(k / total)) for k in known if k)
