"""Maximum likelihood: a model fitted to plain tables or to prepared sessions."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
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
from sharedrange.population.scr.evaluating import (
    SessionFit,
    evaluate_session,
    log_constant_collapsed,
    log_likelihood,
)
from sharedrange.population.scr.maximum import maximum
from sharedrange.population.scr.model import Covariates, Model
from sharedrange.population.scr.problem import Problem
from sharedrange.population.scr.search import Peak, Unbounded, Work
from sharedrange.population.scr.session import Session, prepare, with_captures
from sharedrange.population.scr.splits import Levels, label, levels, usable_model, without
from sharedrange.population.scr.start import embedded

__all__ = ["Fit", "Problem", "SessionFit", "evaluate_session", "fit", "fit_sessions", "log_likelihood"]

Floats = NDArray[np.float64]


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
    def comparable_log_likelihood(self) -> float:
        """The log-likelihood with the constants of collapsed occasions, whether the model keeps them apart or not.

        secr's (and `log_likelihood`) leaves binomial coefficients out where a model keeps occasions apart: such fits
        seem far worse than others to the same data. Here they differ by what they explain alone.
        """
        problem = self.problem
        return self.log_likelihood - problem.constant + log_constant_collapsed(self.design, self.sessions)

    @property
    def aic(self) -> float:
        """Akaike's information criterion, from `comparable_log_likelihood`.

        Comparable between fits to the same histories, mask and detectors that all tell sexes apart or all do not;
        `comparing.compare` checks that and knows the rest. secr's where occasions collapse.
        """
        return 2.0 * self.n_parameters - 2.0 * self.comparable_log_likelihood

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
            peak = maximum(problem, sessions, work)
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
