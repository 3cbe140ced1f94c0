"""Does the model fit? Pearson's chi-squared over detection histories with a parametric bootstrap.

MacKenzie and Bailey (2004, Journal of Agricultural, Biological, and Environmental Statistics 9:300-318). Histories are
compared within cohorts of sites with the same missing visits; the histories that nobody has enter with their
expected number.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from sharedrange.core.errors import DidNotConverge
from sharedrange.core.progress import Progress, silent
from sharedrange.population.occupancy.fitting import Fit, fit
from sharedrange.population.occupancy.likelihood import chain_of, detection_chances
from sharedrange.population.occupancy.model import Problem
from sharedrange.population.occupancy.visits import SiteVisits

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
KEPT = "goodness_of_fit"  # its place in a checkpoint


@dataclass(frozen=True, slots=True)
class FitTest:
    """The test's outcome.

    `p_value`: share of simulated statistics, the data's own among them, that are at least as large; `c_hat`: the
    statistic over the mean of the simulated ones, about 1 for a model that fits (nan if nothing was simulated);
    `failed`: refits without a maximum.
    """

    statistic: float
    p_value: float
    c_hat: float
    replicates: int
    failed: int


def chi_squared(found: Fit) -> float:
    """Pearson's statistic of a fit, summed over cohorts."""
    problem = found.problem
    psi = expit(problem.psi.scaling.matrix @ found.theta[problem.psi_place])
    log_p, log_q = _dense_chances(problem, found.theta)
    seen = np.zeros(problem.visited.shape, dtype=bool)
    seen[problem.row, problem.column] = problem.seen
    total = 0.0
    for sites in _cohorts(problem.visited):
        visits = problem.visited[sites[0]]
        histories, observed = np.unique(seen[sites][:, visits], axis=0, return_counts=True)
        along = found.theta[problem.theta_place] if problem.model.serial else None
        whole = np.zeros((len(histories), len(visits)), dtype=bool)
        whole[:, visits] = histories
        chance = _history_chances(whole, visits, log_p[sites], log_q[sites], along)
        empty = histories.sum(axis=1) == 0
        expected = (psi[sites] * chance + np.where(empty[:, None], 1 - psi[sites], 0.0)).sum(axis=1)
        expected = np.maximum(expected, 1e-300)
        total += float(((observed - expected) ** 2 / expected).sum()) + max(len(sites) - float(expected.sum()), 0.0)
    return total


def _cohorts(visited: Bools) -> Iterator[NDArray[np.intp]]:
    """Rows of sites with the same visits."""
    _, cohort = np.unique(visited, axis=0, return_inverse=True)
    order = np.argsort(cohort.ravel(), kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(cohort.ravel()[order])) + 1)


def _dense_chances(problem: Problem, theta: Floats) -> tuple[Floats, Floats]:
    """Logarithms of p and 1 - p, shape (S, K), 0 where there was no visit."""
    eta = problem.p.scaling.matrix @ theta[problem.p_place] + problem.offset
    chances = detection_chances(eta, offset=problem.model.effort == "offset")
    log_p, log_q = np.zeros(problem.visited.shape), np.zeros(problem.visited.shape)
    log_p[problem.row, problem.column] = chances.log_p
    log_q[problem.row, problem.column] = chances.log_q
    return log_p, log_q


def _history_chances(histories: Bools, visits: Bools, log_p: Floats, log_q: Floats, along: Floats | None) -> Floats:
    """Pr(history | occupied) of each history (U, K) at each site (n, K), shape (U, n); `along`: logits of thetas."""
    if along is None:
        log_chance = histories[:, visits] @ log_p[:, visits].T + (~histories)[:, visits] @ log_q[:, visits].T
        return np.asarray(np.exp(log_chance))
    chain = chain_of(along)
    state = np.broadcast_to(chain.start, (len(histories), len(log_p), 2))
    for k in range(len(visits)):
        state = state @ chain.step if k else state
        if visits[k]:
            hit = histories[:, k, None]
            emit = np.exp(np.where(hit, log_p[:, k], log_q[:, k]))
            state = state * np.stack([np.broadcast_to(~hit, emit.shape), emit], axis=-1)
    return np.asarray(state.sum(axis=-1))


def simulated(found: Fit, rng: np.random.Generator) -> SiteVisits:
    """The visits of a fit with detections drawn from it."""
    problem = found.problem
    psi = expit(problem.psi.scaling.matrix @ found.theta[problem.psi_place])
    log_p, _ = _dense_chances(problem, found.theta)
    present = (rng.random(len(psi)) < psi)[:, None] & np.ones(problem.visited.shape, dtype=bool)
    if problem.model.serial:
        present &= _runs(problem.visited.shape, found.theta[problem.theta_place], rng)
    drawn = present & problem.visited & (rng.random(problem.visited.shape) < np.exp(log_p))
    detected = np.zeros_like(found.visits.detected)
    detected[problem.site] = drawn
    return replace(found.visits, detected=detected)


def _runs(shape: tuple[int, ...], logits: Floats, rng: np.random.Generator) -> Bools:
    """Local presence along transects."""
    chain = chain_of(logits)
    present = np.empty(shape, dtype=bool)
    present[:, 0] = rng.random(shape[0]) < chain.start[1]
    for k in range(1, shape[1]):
        present[:, k] = rng.random(shape[0]) < np.where(present[:, k - 1], chain.step[1, 1], chain.step[0, 1])
    return present


def goodness_of_fit(
    found: Fit,
    replicates: int,
    rng: np.random.Generator,
    *,
    progress: Progress = silent,
    executor: Executor | None = None,
    checkpoint: MutableMapping[str, Any] | None = None,
) -> FitTest:
    """Simulate from the fit, fit again, and see how often the data fit worse than simulated ones.

    The outcome does not depend on the number of workers. `checkpoint` keeps the statistics that are done.
    """
    kept = {} if checkpoint is None else checkpoint
    done: list[float | None] = list(kept.get(KEPT, []))[:replicates]
    streams = rng.spawn(replicates)[len(done) :]
    run = executor.map if executor is not None else map
    for statistic in run(_replicate, [found] * len(streams), streams):
        done.append(statistic)
        kept[KEPT] = list(done)
        progress(len(done) / replicates)
    statistic, simulated_ones = chi_squared(found), np.array([s for s in done if s is not None])
    worse = int((simulated_ones >= statistic).sum())
    mean = float(simulated_ones.mean()) if len(simulated_ones) else 0.0
    c_hat = statistic / mean if mean > 0 else float("nan")
    failed = len(done) - len(simulated_ones)
    return FitTest(statistic, (worse + 1) / (len(simulated_ones) + 1), c_hat, len(done), failed)


def _replicate(found: Fit, rng: np.random.Generator) -> float | None:
    """The statistic of one simulated data set; None if its refit has no maximum."""
    try:
        return chi_squared(fit(simulated(found, rng), found.problem.model))
    except DidNotConverge:
        return None
