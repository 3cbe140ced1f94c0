"""Value and exact gradient of the whole model: sessions summed, classes summed over where nobody knows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

from sharedrange.core.survey import SEXES
from sharedrange.population.scr.design import Design
from sharedrange.population.scr.likelihood import ClassLikelihood
from sharedrange.population.scr.model import Model
from sharedrange.population.scr.session import UNKNOWN_SEX, Session, collapsed

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NumberTerm:
    """What the number of animals adds to sum_i log I_i: its value and derivatives by Lambda and by N on the mask."""

    value: float
    by_detected: float
    by_expected: float


def number_term(model: Model, n: float, detected: float, expected: float) -> NumberTerm:
    """The term of one session with n animals, Lambda = `detected` expected among N = `expected` on the mask.

    Poisson: -Lambda (Borchers and Efford 2008). Binomial: N animals are there, each detected with chance Lambda / N.
    Conditional on detection: each animal's I_i is divided by Lambda. All without n! and ties.
    """
    if model.likelihood == "conditional":
        return NumberTerm(-n * float(np.log(detected)), -n / detected, 0.0)
    if model.number == "poisson":
        return NumberTerm(-detected, -1.0, 0.0)
    missed = expected - n
    if missed <= -1.0 or detected >= expected:
        return NumberTerm(-np.inf, 0.0, 0.0)
    log_chance = float(np.log1p(-detected / expected))
    value = float(gammaln(expected + 1) - gammaln(missed + 1)) + missed * log_chance - n * float(np.log(expected))
    by_expected = float(digamma(expected + 1) - digamma(missed + 1)) + log_chance - n / expected
    by_expected += missed * detected / (expected * (expected - detected))
    return NumberTerm(value, -missed / (expected - detected), by_expected)


@dataclass(frozen=True, slots=True)
class SessionFit:
    """One session at one parameter vector: the likelihood of each class and who belongs to it.

    `class_probability` (classes, u): posterior probability of each class for each history; `log_animal` (u,):
    log of the integral over activity centres and classes of each distinct history.
    """

    session: Session
    classes: tuple[ClassLikelihood, ...]
    class_probability: Floats
    log_animal: Floats
    number: NumberTerm
    log_likelihood: float

    def shares(self, c: int) -> Floats:
        """Animals of each history that belong to class c, shape (u,)."""
        return np.asarray(self.class_probability[c] * self.session.frequency)


def evaluate_session(made: Design, beta: Floats, index: int, session: Session) -> SessionFit:
    """The likelihood of one session, classes summed over where they are not known."""
    classes = tuple(
        ClassLikelihood(session, made.detection, field, _members(made, session, c))
        for c, field in enumerate(made.fields(beta, index, session))
    )
    parts = np.stack([c.terms.log_integral for c in classes])
    log_animal = np.logaddexp.reduce(parts, axis=0)
    detected = sum(c.terms.expected_detected for c in classes)
    expected = sum(c.expected_animals for c in classes)
    number = number_term(made.model, float(session.n_animals), detected, expected)
    value = float(session.frequency @ log_animal) + number.value
    return SessionFit(session, classes, np.exp(parts - log_animal), log_animal, number, value)


def _members(made: Design, session: Session, c: int) -> NDArray[np.bool_]:
    """Histories that can belong to class c: those of its sex and of no known sex."""
    sex = made.classes[c].sex
    if not sex:
        return np.ones(len(session.frequency), dtype=bool)
    return np.asarray((session.sex == SEXES.index(sex)) | (session.sex == UNKNOWN_SEX))


def log_likelihood(made: Design, sessions: Sequence[Session], beta: Floats) -> tuple[float, Floats]:
    """Kernel of the log-likelihood (without constants) and its exact gradient, shape (p,)."""
    value, gradient = 0.0, np.zeros(len(beta))
    for i, session in enumerate(sessions):
        at = evaluate_session(made, beta, i, session)
        value += at.log_likelihood
        number = at.number
        parts = [c.gradient(at.shares(k), number.by_detected, number.by_expected) for k, c in enumerate(at.classes)]
        gradient += made.pull_back(beta, i, parts)
    return value, gradient


def log_constant(made: Design, sessions: Sequence[Session]) -> float:
    """What secr adds to the kernel: the constants of the detections less those of ties between histories.

    Conditional on detection it adds log n! too: the order in which animals stand in a table says nothing.
    """
    constant = sum(s.log_constant - s.log_ties(by_sex=made.model.by_sex) for s in sessions)
    if made.model.likelihood == "conditional":
        constant += sum(float(gammaln(s.n_animals + 1)) for s in sessions)
    return constant


def log_constant_collapsed(made: Design, sessions: Sequence[Session]) -> float:
    """What secr would add if no row depended on the occasion: the same for every model of the same data.

    Only models that tell sexes apart and those that do not still differ, by the ties between histories.
    """
    return log_constant(made, [s if s.rows.collapses else collapsed(s) for s in sessions])
