"""The likelihood of detection histories and its exact gradient.

A site is occupied with probability psi; at an occupied site each visit detects with probability p:

    L_i = psi_i Pr(h_i | occupied) + (1 - psi_i) [nothing found at i]        (MacKenzie et al. 2002, Ecology 83:2248)

Visits are independent, or segments along a transect on which sign is locally present in runs (Hines et al. 2010,
Ecological Applications 20:1456): presence on a segment has probability theta0 after one without and theta1 after
one with it, and detection needs presence. The first segment is at equilibrium, theta0 / (theta0 + 1 - theta1).

Gradients use Fisher's identity: the derivative of log L is the expected derivative of the complete log-likelihood
given the data, so that one pass gives it exactly, with no difference quotient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from sharedrange.population.occupancy.model import Problem

Floats = NDArray[np.float64]
_MOST_ETA_LOGLOG = 30.0  # no visit is so long; where p is 1 in double precision, log(1 - p) is a number still
_MOST_ETA = 300.0


@dataclass(frozen=True, slots=True)
class Chances:
    """log p and log(1 - p) of visits and their derivatives by eta, equal shapes."""

    log_p: Floats
    log_q: Floats
    by_p: Floats
    by_q: Floats


def detection_chances(eta: Floats, *, offset: bool) -> Chances:
    """Chances of detection from linear predictors, logit or (with `offset`) complementary log-log scale."""
    if not offset:
        eta = np.clip(eta, -_MOST_ETA, _MOST_ETA)
        p = expit(eta)
        return Chances(log_expit(eta), log_expit(-eta), 1.0 - p, -p)
    rate = np.exp(np.clip(eta, -_MOST_ETA, _MOST_ETA_LOGLOG))
    p = -np.expm1(-rate)
    return Chances(np.log(p), -rate, rate * np.exp(-rate) / p, -rate)


@dataclass(frozen=True, slots=True)
class Inside:
    """log Pr(h | occupied) of each site (S,), and its derivatives.

    `by_eta` (R,): by the linear predictor of each visit; `by_theta` (S, 2) by the logits of theta0 and theta1, of no
    columns without serial dependence.
    """

    log_chance: Floats
    by_eta: Floats
    by_theta: Floats


def inside(problem: Problem, beta: Floats) -> Inside:
    """Pr(h | occupied) at parameters `beta` of the optimiser."""
    eta = problem.p.scaling.matrix @ beta[problem.p_place] + problem.offset
    chances = detection_chances(eta, offset=problem.model.effort == "offset")
    if problem.model.serial:
        return _along(problem, chances, beta[problem.theta_place])
    log_terms = np.where(problem.seen, chances.log_p, chances.log_q)
    by_eta = np.where(problem.seen, chances.by_p, chances.by_q)
    return Inside(np.add.reduceat(log_terms, problem.first), by_eta, np.empty((len(problem.site), 0)))


@dataclass(frozen=True, slots=True)
class Chain:
    """Local presence along a transect: `step` [from, to], shape (2, 2), and its equilibrium `start` (2,)."""

    step: Floats
    start: Floats


def chain_of(logits: Floats) -> Chain:
    """The chain of the logits of theta0 and theta1."""
    theta0, theta1 = expit(np.clip(logits, -30.0, 30.0))
    present = theta0 / (theta0 + 1.0 - theta1)
    return Chain(np.array([[1 - theta0, theta0], [1 - theta1, theta1]]), np.array([1 - present, present]))


def _along(problem: Problem, chances: Chances, logits: Floats) -> Inside:
    """Forward and backward along all transects at once (Rabiner 1989), scaled at each segment.

    Arrays have segments first, shape (K, S); only the chance of presence is carried forward, absence is the rest.
    """
    shape = problem.visited.shape[::-1]
    absent, present = np.ones(shape), np.ones(shape)
    absent[problem.column, problem.row] = np.where(problem.seen, 0.0, 1.0)
    present[problem.column, problem.row] = np.exp(np.where(problem.seen, chances.log_p, chances.log_q))
    chain = chain_of(logits)
    forward, size = _forward(absent, present, chain)
    after, onward = _backward(absent, present, size, chain)
    here = forward * after
    slopes = np.where(problem.seen, chances.by_p, chances.by_q)
    return Inside(
        np.log(size).sum(axis=0),
        here[problem.column, problem.row] * slopes,
        _by_theta(chain, forward, here, onward),
    )


def _forward(absent: Floats, present: Floats, chain: Chain) -> tuple[Floats, Floats]:
    """Chance of presence given what was seen so far, and the chance of each segment given those before, (K, S)."""
    theta0, theta1 = chain.step[:, 1]
    forward, size = np.empty_like(present), np.empty_like(present)
    ahead = np.full(present.shape[1], chain.start[1])
    for k in range(len(present)):
        with_it = ahead * present[k]
        size[k] = np.maximum(with_it + (1.0 - ahead) * absent[k], 1e-300)
        forward[k] = with_it / size[k]
        ahead = theta0 + (theta1 - theta0) * forward[k]
    return forward, size


def _backward(absent: Floats, present: Floats, size: Floats, chain: Chain) -> tuple[Floats, Floats]:
    """What the segments behind say of presence on each (K, S), and of a step into presence on the next (K - 1, S)."""
    theta0, theta1 = chain.step[:, 1]
    after, onward = np.ones_like(present), np.empty((len(present) - 1, present.shape[1]))
    after_absent = np.ones(present.shape[1])
    for k in range(len(present) - 2, -1, -1):
        without = absent[k + 1] * after_absent / size[k + 1]
        onward[k] = present[k + 1] * after[k + 1] / size[k + 1]
        after_absent = without + theta0 * (onward[k] - without)
        after[k] = without + theta1 * (onward[k] - without)
    return after, onward


def _by_theta(chain: Chain, forward: Floats, here: Floats, onward: Floats) -> Floats:
    """Derivatives by the logits of the thetas (S, 2): expected steps into presence less what the thetas expect.

    `here` (K, S) is the chance of presence given all segments; the first segment adds its surprise, because the
    equilibrium depends on the thetas.
    """
    theta0, theta1 = chain.step[:, 1]
    from_absent = (theta0 * (1.0 - forward[:-1]) * onward).sum(axis=0)
    from_present = (theta1 * forward[:-1] * onward).sum(axis=0)
    surprise = here[0] - chain.start[1]
    by_0 = from_absent - theta0 * (1.0 - here[:-1]).sum(axis=0) + surprise * (1 - theta0)
    by_1 = from_present - theta1 * here[:-1].sum(axis=0) + surprise * theta1
    return np.column_stack([by_0, by_1])


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The log-likelihood of each site (S,), the chance that it is occupied given the data (S,), and psi (S,)."""

    log_likelihood: Floats
    occupied: Floats
    psi: Floats
    inside: Inside


def evaluate(problem: Problem, beta: Floats) -> Evaluation:
    """Every site at parameters `beta` of the optimiser."""
    eta = problem.psi.scaling.matrix @ beta[problem.psi_place]
    here = inside(problem, beta)
    with_it = log_expit(eta) + here.log_chance
    either = np.where(problem.any_seen, with_it, np.logaddexp(with_it, log_expit(-eta)))
    return Evaluation(either, np.exp(with_it - either), expit(eta), here)


def log_likelihood(problem: Problem, beta: Floats) -> tuple[float, Floats]:
    """Log-likelihood and its gradient by the parameters of the optimiser, shape (P,)."""
    at = evaluate(problem, beta)
    gradient = np.empty(len(beta))
    gradient[problem.psi_place] = (at.occupied - at.psi) @ problem.psi.scaling.matrix
    gradient[problem.theta_place] = at.occupied @ at.inside.by_theta
    gradient[problem.p_place] = (at.occupied[problem.row] * at.inside.by_eta) @ problem.p.scaling.matrix
    return float(at.log_likelihood.sum()), gradient


def site_gradients(problem: Problem, at: Evaluation) -> Floats:
    """Derivatives of logit psi_i + log Pr(h_i | occupied), the logit of an unfound site's occupancy, shape (S, P)."""
    rows = at.inside.by_eta[:, None] * problem.p.scaling.matrix
    return np.hstack([problem.psi.scaling.matrix, at.inside.by_theta, np.add.reduceat(rows, problem.first, axis=0)])
