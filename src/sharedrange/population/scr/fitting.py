"""Maximum likelihood: value and exact gradient of the whole model, the maximum, and its covariance."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from sharedrange.core.errors import DidNotConverge
from sharedrange.core.finding import Fact, Finding
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.progress import Progress, part, silent
from sharedrange.core.survey import SEXES
from sharedrange.population.scr.checks import raise_if_wrong
from sharedrange.population.scr.detection import Detection
from sharedrange.population.scr.likelihood import ClassLikelihood
from sharedrange.population.scr.model import PSI, Design, Levels, Model, design, levels, usable_model
from sharedrange.population.scr.session import UNKNOWN_SEX, Session, prepare
from sharedrange.population.scr.start import starting_scales, starting_values

Floats = NDArray[np.float64]

_STEP = 1e-4  # central differences of an exact gradient: truncation and rounding both near 1e-8
_FLAT = 1e-9  # the log-likelihood that may be left to gain (half the Newton decrement)
_UNBOUNDED_SE = 5.0  # of a logarithm or logit: 95 % limits a factor of 18,000 either way
_EXPECTED_EVALUATIONS = 40
_FAR = 1e10  # what the optimiser is told where the likelihood is not a number


@dataclass(frozen=True, slots=True)
class SessionFit:
    """One session at one parameter vector: the likelihood of each class and who belongs to it.

    `class_probability` (classes, u): posterior probability of each class for each history.
    """

    session: Session
    classes: tuple[ClassLikelihood, ...]
    class_probability: Floats
    log_likelihood: float

    def shares(self, c: int) -> Floats:
        """Animals of each history that belong to class c, shape (u,)."""
        return np.asarray(self.class_probability[c] * self.session.frequency)


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
    def n_parameters(self) -> int:
        """Parameters estimated."""
        return len(self.beta)

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
    detection = Detection(model.detection_function, counts and model.detection_function == "HHN")
    paired = tuple(masks) * len(histories) if len(masks) == 1 else tuple(masks)
    sessions = tuple(
        prepare(history, mask, poisson=detection.counts_poisson, unit_size=counts and not detection.counts_poisson)
        for history, mask in zip(histories, paired, strict=True)
    )
    return sessions, detection


def fit(histories: Sequence[CaptureHistory], masks: Sequence[Mask], model: Model) -> Fit:
    """`model` fitted to plain tables; splits that the data cannot have are left out and listed in `dropped`.

    Several histories are sessions with shared parameters and independent Poisson populations; `masks` has one
    mask a history or one for all. Raises InputError if tables contradict each other, DidNotConverge.

    Examples
    --------
    See docs/engines/population.scr.md.
    """
    raise_if_wrong(histories, masks, model.detection_function)
    sessions, detection = prepare_sessions(histories, masks, model)
    return fit_sessions(sessions, detection, model)


def fit_sessions(
    sessions: tuple[Session, ...],
    detection: Detection,
    model: Model,
    *,
    progress: Progress = silent,
    checkpoint: MutableMapping[str, Any] | None = None,
) -> Fit:
    """`model` fitted to prepared sessions. `checkpoint` keeps what was evaluated. Raises DidNotConverge.

    A split whose parameter runs away (the density of a side to 0, say) has no maximum to report; it is left out,
    listed in `dropped` with that parameter, and the rest is fitted again.
    """
    usable, dropped = usable_model(model, sessions)
    while True:
        made = design(usable, sessions, detection)
        search = _Search(made, sessions, progress, {} if checkpoint is None else checkpoint, _label(usable))
        try:
            beta = search.climb(starting_values(made, sessions), starting_scales(made, sessions))
            beta, value, gradient, covariance = search.finish(beta)
        except _Runaway as lost:
            parameter, term = lost.split
            usable = usable.without(parameter, term)
            dropped = (*dropped, replace(levels(sessions, model.sides, parameter, term), runaway=lost.parameter))
            progress = _never_falling(progress, search.share)
            continue
        constant = sum(s.log_constant - s.log_ties(by_sex=usable.by_sex) for s in sessions)
        return Fit(made, sessions, dropped, beta, covariance, value + constant, gradient, search.evaluations)


def _never_falling(progress: Progress, reached: float) -> Progress:
    """`progress` for work that starts anew when `reached` has been told already."""
    return part(progress, reached, 1.0)


def _label(model: Model) -> str:
    """A name of the model's splits, for the checkpoint."""
    return ",".join("+".join(split) for split in model.split()) or "null"


class _Runaway(Exception):
    """A parameter of a split has no finite maximum."""

    def __init__(self, parameter: str, split: tuple[str, str]) -> None:
        super().__init__(parameter)
        self.parameter = parameter
        self.split = split


def richer_log_likelihood(
    null: Fit, model: Model, progress: Progress = silent, checkpoint: MutableMapping[str, Any] | None = None
) -> tuple[float, int]:
    """Log-likelihood and number of parameters of `model`, in which `null` is nested.

    Starts at the estimates of `null`, so that it cannot end below it. Ties between histories are counted as in
    `null`: both log-likelihoods hold the same constant. Raises DidNotConverge.
    """
    made = design(model, null.sessions, null.design.detection)
    label = f"{_label(null.design.model)}<{_label(model)}"
    search = _Search(made, null.sessions, progress, {} if checkpoint is None else checkpoint, label)
    start = _embedded(null, made)
    scales = np.maximum(starting_scales(made, null.sessions), 1e-6)
    value, _ = search.value(search.climb(start, scales))
    constant = sum(s.log_constant - s.log_ties(by_sex=null.design.model.by_sex) for s in null.sessions)
    split = _sex_entropy(null) if model.by_sex and not null.design.model.by_sex else 0.0
    return value + constant - split, len(made.names)


def _embedded(null: Fit, made: Design) -> Floats:
    """The estimates of `null` as a point of the richer model."""
    known = dict(zip(null.design.names, null.beta, strict=True))
    start = starting_values(made, null.sessions)
    for i, name in enumerate(made.names):
        if name in known:
            start[i] = known[name]
        elif name.startswith("D."):
            start[i] = known["D"]
        elif name != PSI:
            start[i] = 0.0  # a contrast that the null does not have
    return start


def _sex_entropy(null: Fit) -> float:
    """Log-likelihood of the known sexes alone, at the observed share of males.

    A model of two classes also explains the sexes; a null without classes does not. The null's counterpart is
    that sex is a coin toss independent of everything else: sum log psi over known males, log(1 - psi) females.
    """
    known = [sum(float(s.frequency[s.sex == i].sum()) for s in null.sessions) for i in range(len(SEXES))]
    total = sum(known)
    return sum(k * float(np.log(k / total)) for k in known if k)


def evaluate_session(made: Design, beta: Floats, index: int, session: Session) -> SessionFit:
    """The likelihood of one session, sexes summed over where they are not known."""
    classes = tuple(
        ClassLikelihood(session, made.detection, field, _members(made, session, c))
        for c, field in enumerate(made.fields(beta, index, session))
    )
    parts = np.stack([c.terms.log_integral for c in classes])
    log_animal = logsumexp(parts, axis=0)
    detected = sum(c.terms.expected_detected for c in classes)
    value = float(session.frequency @ log_animal) - detected
    return SessionFit(session, classes, np.exp(parts - log_animal), value)


def _members(made: Design, session: Session, c: int) -> NDArray[np.bool_]:
    if len(made.classes) == 1:
        return np.ones(len(session.frequency), dtype=bool)
    return np.asarray((session.sex == c) | (session.sex == UNKNOWN_SEX))


def log_likelihood(made: Design, sessions: Sequence[Session], beta: Floats) -> tuple[float, Floats]:
    """Kernel of the log-likelihood (without constants) and its exact gradient, shape (p,)."""
    value, gradient = 0.0, np.zeros(len(beta))
    for i, session in enumerate(sessions):
        at = evaluate_session(made, beta, i, session)
        value += at.log_likelihood
        parts = [c.gradient(at.shares(k)) for k, c in enumerate(at.classes)]
        gradient += made.pull_back(beta, i, parts)
    return value, gradient


class _Search:
    """The climb to the maximum: counts evaluations, reports progress, keeps what it has evaluated.

    The climb is deterministic, so a stopped one resumes by walking the same way over the evaluations kept in
    the checkpoint: it costs nothing and ends at the same bits as a climb that was never stopped.
    """

    def __init__(
        self,
        made: Design,
        sessions: tuple[Session, ...],
        progress: Progress,
        checkpoint: MutableMapping[str, Any],
        label: str,
    ) -> None:
        self.design = made
        self.sessions = sessions
        self.evaluations = 0
        self._progress = progress
        self._checkpoint = checkpoint
        self._label = label

    @property
    def share(self) -> float:
        """Share of the work done, as far as it can be known: rises to 1, never reaches it."""
        return self.evaluations / (self.evaluations + _EXPECTED_EVALUATIONS / 4)

    def value(self, beta: Floats) -> tuple[float, Floats]:
        """Log-likelihood and gradient; never NaN."""
        self._progress(self.share)
        self.evaluations += 1
        place = f"{self._label}/{self.evaluations}"
        where = [float(b) for b in beta]
        kept = self._checkpoint.get(place)
        if kept is None or list(kept["beta"]) != where:
            value, gradient = self._evaluate(beta)
            kept = {"beta": where, "value": value, "gradient": [float(g) for g in gradient]}
            self._checkpoint[place] = kept
        return float(kept["value"]), np.array(kept["gradient"], dtype=float)

    def _evaluate(self, beta: Floats) -> tuple[float, Floats]:
        with np.errstate(all="ignore"):
            value, gradient = log_likelihood(self.design, self.sessions, beta)
        if np.isfinite(value) and np.isfinite(gradient).all():
            return value, gradient
        return -_FAR, np.zeros_like(beta)

    def climb(self, start: Floats, variance: Floats) -> Floats:
        """Near the maximum, by BFGS with a rough covariance as its first metric."""

        def negative(beta: Floats) -> tuple[float, Floats]:
            value, gradient = self.value(beta)
            return -value, -gradient

        found = minimize(
            negative,
            start,
            jac=True,
            method="BFGS",
            options={"gtol": 1e-3, "hess_inv0": np.diag(variance), "maxiter": 200},
        )
        return np.asarray(found.x, dtype=float)

    def finish(self, beta: Floats) -> tuple[Floats, float, Floats, Floats]:
        """Newton steps to the maximum: parameters, value, gradient, covariance. Raises DidNotConverge."""
        value, gradient = self.value(beta)
        for _ in range(8):
            covariance = self._covariance(beta)
            self._check_bounded(covariance)
            step = covariance @ gradient
            nearly_there = 0.5 * float(gradient @ step) < _FLAT
            beta, value, gradient = self._uphill(beta, value, step)
            if nearly_there:
                return beta, value, gradient, covariance
        raise self._lost("scr-not-converged", float(np.abs(gradient).max()))

    def _uphill(self, beta: Floats, value: float, step: Floats) -> tuple[Floats, float, Floats]:
        for halving in range(12):
            tried = beta + step / 2**halving
            new, gradient = self.value(tried)
            if new >= value - 1e-9:
                return tried, new, gradient
        raise self._lost("scr-not-converged", float(np.abs(step).max()))

    def _covariance(self, beta: Floats) -> Floats:
        """Inverse of minus the Hessian, from central differences of the exact gradient."""
        rows = []
        for k in range(len(beta)):
            shift = np.zeros(len(beta))
            shift[k] = _STEP
            rows.append((self.value(beta + shift)[1] - self.value(beta - shift)[1]) / (2.0 * _STEP))
        information = -0.5 * (np.array(rows) + np.array(rows).T)
        try:
            root = np.linalg.cholesky(information)
        except np.linalg.LinAlgError:
            raise self._lost("scr-flat", float(np.linalg.eigvalsh(information).min()), information) from None
        half = np.linalg.inv(root)
        return np.asarray(half.T @ half)

    def _check_bounded(self, covariance: Floats) -> None:
        """Raise _Runaway if the data do not bound a split's parameter to within a factor of exp(2 x 5)."""
        worst = int(np.diag(covariance).argmax())
        split = self.design.split_of(self.design.names[worst])
        if split and covariance[worst, worst] > _UNBOUNDED_SE**2:
            raise _Runaway(self.design.names[worst], split)

    def _lost(self, rule: str, size: float, information: Floats | None = None) -> DidNotConverge:
        weakest = "-"
        if information is not None:
            _, directions = np.linalg.eigh(information)
            weakest = self.design.names[int(np.abs(directions[:, 0]).argmax())]
            if split := self.design.split_of(weakest):
                raise _Runaway(weakest, split)
        facts: dict[str, Fact] = {"parameter": weakest, "evaluations": self.evaluations, "size": f"{size:.3g}"}
        return DidNotConverge(Finding(rule, facts))
