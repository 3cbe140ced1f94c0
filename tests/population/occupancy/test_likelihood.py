"""The likelihood against one written without any cleverness, and its gradient against differences."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import expit

from sharedrange.population.occupancy import Model, SiteVisits
from sharedrange.population.occupancy.likelihood import evaluate, log_likelihood
from sharedrange.population.occupancy.model import Problem, prepare

MODELS = [
    Model("~ x", "~ w"),
    Model("~ x", "~ w + log(effort)"),
    Model("~ 1", "~ w", effort="offset"),
    Model("~ x", "~ w", serial=True),
    Model("~ x", "~ 1", effort="offset", serial=True),
]
by_model = pytest.mark.parametrize("model", MODELS, ids=str)
Simulated = Callable[..., SiteVisits]


def brute_force(problem: Problem, beta: np.ndarray) -> float:
    """Sum over states of the site, and over presence on every segment of it."""
    eta = problem.p.scaling.matrix @ beta[problem.p_place] + problem.offset
    p = 1 - np.exp(-np.exp(eta)) if problem.model.effort == "offset" else expit(eta)
    total = 0.0
    for i, psi in enumerate(expit(problem.psi.scaling.matrix @ beta[problem.psi_place])):
        rows = np.flatnonzero(problem.row == i)
        made = {int(problem.column[r]): (bool(problem.seen[r]), float(p[r])) for r in rows}
        n_visits = problem.visited.shape[1]
        paths = list(product((0, 1), repeat=n_visits)) if problem.model.serial else [(1,) * n_visits]
        occupied = sum(
            _path_chance(problem, beta, path) * np.prod([_seen_chance(path[k], *made[k]) for k in made])
            for path in paths
        )
        empty = not any(seen for seen, _ in made.values())
        total += float(np.log(psi * occupied + (1 - psi) * empty))
    return total


def _seen_chance(present: int, seen: bool, p: float) -> float:
    chance = p * present
    return chance if seen else 1 - chance


def _path_chance(problem: Problem, beta: np.ndarray, path: tuple[int, ...]) -> float:
    if not problem.model.serial:
        return 1.0
    theta = expit(beta[problem.theta_place])
    start = theta[0] / (theta[0] + 1 - theta[1])
    chance = start if path[0] else 1 - start
    for before, after in pairwise(path):
        chance *= theta[before] if after else 1 - theta[before]
    return float(chance)


def small(simulated: Simulated, seed: int, sites: int = 12) -> SiteVisits:
    return simulated(np.random.default_rng(seed), sites, 5, missing=0.3, p=-0.5)


@by_model
def test_it_is_the_sum_over_everything_that_may_be_true(model: Model, simulated: Simulated) -> None:
    problem = prepare(small(simulated, 1), model)
    beta = np.random.default_rng(2).normal(size=len(problem.names))
    assert log_likelihood(problem, beta)[0] == pytest.approx(brute_force(problem, beta), rel=1e-12)


@by_model
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
@example(seed=51947)  # long visits and a large chance: p is 1 in double precision
def test_the_gradient_is_the_slope(model: Model, simulated: Simulated, seed: int) -> None:
    problem = prepare(small(simulated, seed), model)
    beta = np.random.default_rng(seed).normal(size=len(problem.names))
    _, gradient = log_likelihood(problem, beta)
    for k, unit in enumerate(1e-5 * np.eye(len(beta))):
        rise = log_likelihood(problem, beta + unit)[0] - log_likelihood(problem, beta - unit)[0]
        assert gradient[k] == pytest.approx(rise / 2e-5, rel=1e-5, abs=1e-5)


@by_model
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_chances_of_all_histories_add_to_one(model: Model, simulated: Simulated, seed: int) -> None:
    visits = small(simulated, seed, sites=1)
    problem = prepare(visits, Model("~ 1", "~ 1", model.effort, model.serial)) if visits.surveyed.any() else None
    if problem is None:
        return
    beta = np.random.default_rng(seed).normal(size=len(problem.names))
    total = sum(
        np.exp(log_likelihood(problem.with_detections(np.array(seen)), beta)[0])
        for seen in product((False, True), repeat=len(problem.seen))
    )
    assert total == pytest.approx(1.0, rel=1e-10)


def test_without_memory_a_transect_is_a_row_of_independent_visits(simulated: Simulated) -> None:
    visits = small(simulated, 4)
    theta, p = 0.6, 0.5
    serial = prepare(visits, Model(serial=True))
    plain = prepare(visits, Model())
    logit = np.log([theta / (1 - theta)] * 2)
    with_memory = log_likelihood(serial, np.array([0.3, *logit, np.log(p / (1 - p))]))[0]
    without = log_likelihood(plain, np.array([0.3, np.log(theta * p / (1 - theta * p))]))[0]
    assert with_memory == pytest.approx(without, rel=1e-12)


def test_a_site_with_a_find_is_occupied_and_others_less_the_more_they_were_visited(
    histories: Callable[..., SiteVisits],
) -> None:
    problem = prepare(histories(["10000", "0....", "00...", "00000"]), Model())
    occupied = evaluate(problem, np.array([0.0, 0.0])).occupied
    assert occupied[0] == 1.0
    assert occupied[1] > occupied[2] > occupied[3] > 0
    assert occupied[3] == pytest.approx(0.5**5 / (0.5**5 + 1))
