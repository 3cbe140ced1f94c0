"""The likelihood is the textbook's: compared with a direct product over occasions, and with finite differences."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import comb, factorial

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.survey import SEXES
from sharedrange.population.scr.design import Design, design
from sharedrange.population.scr.detection import FunctionName
from sharedrange.population.scr.evaluating import evaluate_session, log_likelihood
from sharedrange.population.scr.fitting import prepare_sessions
from sharedrange.population.scr.model import Model
from sharedrange.population.scr.session import Session
from sharedrange.population.scr.splits import DensityName, split_model

Floats = NDArray[np.float64]


def tiny(seed: int, kind: str, *, whole_effort: bool, shape: tuple[int, int, int, int]) -> tuple[CaptureHistory, Mask]:
    """A random history of at most `shape` animals, detectors, occasions and mask points."""
    rng = np.random.default_rng(seed)
    n, J, K, M = shape
    effort = rng.integers(1, 4, (J, K)).astype(float) if whole_effort else rng.uniform(0.2, 1.5, (J, K))
    effort[rng.random((J, K)) < 0.2] = 0.0
    effort[0, 0] = 1.0
    rows = []
    for i in range(n):
        seen = {(0, 0)} | {(int(j), int(k)) for j, k in zip(*np.nonzero(rng.random((J, K)) < 0.3), strict=True)}
        for j, k in sorted(seen):
            if effort[j, k] > 0:
                most = 1 if kind == "proximity" else int(effort[j, k]) if whole_effort else 3
                rows.append((f"a{i}", f"c{j}", k + 1, int(rng.integers(1, most + 1))))
    sex = [("female", "male", None)[rng.integers(3)] for _ in range(n)]
    history = CaptureHistory(
        "1",
        kind,
        pl.DataFrame(
            {
                "detector": [f"c{j}" for j in range(J)],
                "party": rng.choice(["e", "w"], J),
                "camera_type": "",
                "x_m": rng.uniform(0, 2000, J),
                "y_m": rng.uniform(0, 2000, J),
            },
            schema=DETECTORS,
        ),
        pl.DataFrame(
            {"individual": [f"a{i}" for i in range(n)], "sex": sex, "life_stage": "adult"}, schema=INDIVIDUALS
        ),
        pl.DataFrame(rows, schema=CAPTURES, orient="row"),
        effort,
    )
    side = rng.choice(["e", "w", ""], M)
    mask = Mask(rng.uniform(-500, 2500, M), rng.uniform(-500, 2500, M), 0.3, side, np.ones(M, dtype=bool))
    return history, mask


def brute_force(history: CaptureHistory, made: Design, mask: Mask, mask_row: NDArray[np.int64], beta: Floats) -> float:
    """Borchers and Efford (2008), written as they print it: no sufficient statistics, no logarithms of sums."""
    x, y = history.detectors["x_m"].to_numpy(), history.detectors["y_m"].to_numpy()
    J, K = history.effort.shape
    w = np.zeros((history.n_individuals, J, K), dtype=int)
    for who, where, occasion, count in history.captures.iter_rows():
        w[int(who[1:]), int(where[1:]), occasion - 1] = count
    d2 = (mask.x_m[:, None] - x) ** 2 + (mask.y_m[:, None] - y) ** 2
    d = made.sessions[0]
    density = np.empty(len(mask))
    density[mask_row] = np.exp(d.density @ beta[made.density.place])
    males = 1 / (1 + np.exp(-beta[-1])) if made.shares else 0.0
    share = np.array([1 - males, males]) if made.shares else np.ones(1)
    ran = np.flatnonzero(history.effort.sum(axis=1) > 0)
    chance = np.zeros((len(share), len(mask), J, K))  # of no detection
    for c in range(len(share)):
        eta, log_sigma = np.zeros(J), np.zeros(J)
        eta[ran] = d.intensity[c] @ beta[made.intensity.place]
        log_sigma[ran] = d.sigma[c] @ beta[made.sigma.place]
        kernel = np.exp(-d2 / (2 * np.exp(2 * log_sigma)))
        hn = made.detection.function == "HN"
        g = kernel / (1 + np.exp(-eta)) if hn else kernel * np.exp(eta)
        per_unit = 1 - g if hn else np.exp(-g)
        chance[c] = per_unit[:, :, None] ** history.effort
    total = 0.0
    poisson, binary = made.detection.counts_poisson, history.kind == "proximity"
    for i, sex in enumerate(history.individuals["sex"]):
        integral = 0.0
        for c, m in product(range(len(share)), range(len(mask))):
            if len(share) == 2 and sex is not None and SEXES[c] != sex:
                continue
            pr = 1.0
            for j, k in product(range(J), range(K)):
                none, e, count = chance[c, m, j, k], history.effort[j, k], int(w[i, j, k])
                if e == 0:
                    continue
                if poisson:
                    mean = -np.log(none)
                    pr *= none * mean**count / factorial(count)
                elif binary:
                    pr *= 1 - none if count else none
                else:
                    once = none ** (1 / e)
                    pr *= comb(int(e), count) * (1 - once) ** count * once ** (e - count)
            integral += share[c] * density[m] * mask.cell_area_km2 / 100 * pr
        total += np.log(integral)
    missed = chance.prod(axis=(2, 3))
    return total - float(np.einsum("c,m,cm->", share, density, 1 - missed)) * mask.cell_area_km2 / 100


def left_out(history: CaptureHistory, *, poisson: bool) -> float:
    """The constants of the counts that the kernel leaves out, uncollapsed."""
    if history.kind == "proximity":
        return 0.0
    total = 0.0
    for _, where, occasion, count in history.captures.iter_rows():
        e = history.effort[int(where[1:]), occasion - 1]
        total += count * np.log(e) - np.log(factorial(count)) if poisson else np.log(comb(int(e), count))
    return total


def made_for(history: CaptureHistory, mask: Mask, model: Model) -> tuple[Design, tuple[Session, ...], Floats]:
    sessions, detection = prepare_sessions((history,), (mask,), model)
    made, sessions = design(model, sessions, detection)
    beta = np.concatenate(
        [
            np.linspace(1.0, 2.0, len(made.density.names)),
            np.linspace(-1.0, 0.5, len(made.intensity.names)),
            np.linspace(6.7, 0.4, len(made.sigma.names)),
            np.full(len(made.shares), 0.3),
        ]
    )
    return made, sessions, beta


shapes = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 5))
DENSITIES: tuple[DensityName, ...] = ("pooled", "side")
FUNCTIONS_TRIED: tuple[FunctionName, ...] = ("HHN", "HN")
models = st.sampled_from(
    [
        split_model(function, density, lambda0, sigma, ("e", "w"))
        for function in FUNCTIONS_TRIED
        for density in DENSITIES
        for lambda0, sigma in (((), ()), (("party", "sex"), ("sex",)), (("sex",), ("party",)))
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["proximity", "count"]), models, shapes)
def test_the_likelihood_equals_a_direct_product_over_occasions(
    seed: int, kind: str, model: Model, shape: tuple[int, int, int, int]
) -> None:
    history, mask = tiny(seed, kind, whole_effort=kind == "count" and model.detection_function == "HN", shape=shape)
    made, sessions, beta = made_for(history, mask, model)
    value, _ = log_likelihood(made, sessions, beta)
    value += left_out(history, poisson=made.detection.counts_poisson)
    assert value == pytest.approx(brute_force(history, made, mask, sessions[0].mask_row, beta), rel=1e-8, abs=1e-8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["proximity", "count"]), models)
def test_the_gradient_equals_finite_differences(seed: int, kind: str, model: Model) -> None:
    whole = kind == "count" and model.detection_function == "HN"
    history, mask = tiny(seed, kind, whole_effort=whole, shape=(4, 4, 3, 30))
    made, sessions, beta = made_for(history, mask, model)
    _, gradient = log_likelihood(made, sessions, beta)
    step = 1e-5
    for k, exact in enumerate(gradient):
        shift = np.eye(len(beta))[k] * step
        ahead, behind = log_likelihood(made, sessions, beta + shift)[0], log_likelihood(made, sessions, beta - shift)[0]
        assert exact == pytest.approx((ahead - behind) / (2 * step), rel=1e-6, abs=1e-6)


def test_blocks_recomputed_or_kept_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    history, mask = tiny(5, "proximity", whole_effort=False, shape=(4, 4, 3, 900))
    made, sessions, beta = made_for(history, mask, Model("HHN", sides=("e", "w")))
    kept = log_likelihood(made, sessions, beta)
    monkeypatch.setattr("sharedrange.population.scr.likelihood._KEPT_VALUES", 0)
    recomputed = log_likelihood(made, sessions, beta)
    assert len(sessions[0].blocks) > 1
    assert recomputed[0] == kept[0]
    assert np.array_equal(recomputed[1], kept[1])


def test_a_mask_far_away_adds_nothing_and_breaks_nothing() -> None:
    history, mask = tiny(6, "proximity", whole_effort=False, shape=(3, 3, 3, 50))
    far = Mask(
        np.concatenate([mask.x_m, mask.x_m + 1e7]),
        np.concatenate([mask.y_m, mask.y_m]),
        mask.cell_area_km2,
        np.concatenate([mask.side, mask.side]),
        np.concatenate([mask.surveyed, mask.surveyed]),
    )
    made, sessions, beta = made_for(history, mask, Model("HHN"))
    made_far, sessions_far, _ = made_for(history, far, Model("HHN"))
    near_value, near_gradient = log_likelihood(made, sessions, beta)
    far_value, far_gradient = log_likelihood(made_far, sessions_far, beta)
    assert far_value == pytest.approx(near_value, rel=1e-12)
    assert far_gradient == pytest.approx(near_gradient, rel=1e-8, abs=1e-8)


def test_an_animal_recaptured_implausibly_far_away_keeps_the_likelihood_finite() -> None:
    history, mask = tiny(7, "proximity", whole_effort=False, shape=(3, 3, 3, 50))
    stretched = replace(history, detectors=history.detectors.with_columns(pl.col("x_m") * 1000))
    made, sessions, beta = made_for(stretched, mask, Model("HHN"))
    value, gradient = log_likelihood(made, sessions, beta)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_animals_with_one_history_are_counted_as_often_as_they_are() -> None:
    history, mask = tiny(8, "proximity", whole_effort=True, shape=(1, 3, 3, 40))
    twin = history.individuals.with_columns(pl.lit("a1").alias("individual"))
    again = history.captures.with_columns(pl.lit("a1").alias("individual"))
    both = replace(
        history, individuals=pl.concat([history.individuals, twin]), captures=pl.concat([history.captures, again])
    )
    made, one, beta = made_for(history, mask, Model("HHN"))
    _, two, _ = made_for(both, mask, Model("HHN"))
    assert two[0].counts.shape[0] == 1
    single, double = log_likelihood(made, one, beta)[0], log_likelihood(made, two, beta)[0]
    expected_detected = evaluate_session(made, beta, 0, one[0]).classes[0].terms.expected_detected
    assert double - single == pytest.approx(single + expected_detected, rel=1e-12)
    assert two[0].log_ties(by_sex=False) == pytest.approx(np.log(2))
