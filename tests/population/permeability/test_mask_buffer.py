"""The bias in density that a buffer leaves, against fits on a wider mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sharedrange.population.design import Animals, HalfNormalHazard, grid_plan, mask_around, simulate_history
from sharedrange.population.scr import Fit, Model, fit
from sharedrange.population.scr.buffer import buffer_bias, suggested_buffer_m

SIGMA_M = 4_000.0
PLAN = grid_plan("park", columns=5, rows=5, spacing_m=6_000.0, occasions=60)
WIDE = mask_around(PLAN, SIGMA_M, buffer_m=6 * SIGMA_M)
HISTORY = simulate_history(PLAN, WIDE, Animals(3.0, HalfNormalHazard(0.05, SIGMA_M), SIGMA_M), np.random.default_rng(1))


def fitted(buffer_m: float) -> Fit:
    return fit((HISTORY,), (mask_around(PLAN, SIGMA_M, buffer_m=buffer_m),), Model("HHN"))


@pytest.mark.parametrize("sigmas", [2.0, 2.5, 3.0])
def test_the_bias_foretold_is_that_of_the_estimate(sigmas: float) -> None:
    narrow, wide = fitted(sigmas * SIGMA_M), fitted(6 * SIGMA_M)
    excess = float(np.exp(narrow.beta[0] - wide.beta[0])) - 1.0
    assert buffer_bias(narrow) == pytest.approx(excess, rel=0.35, abs=0.002)


def test_a_wide_buffer_leaves_no_bias_and_the_suggested_one_a_thousandth() -> None:
    wide = fitted(6 * SIGMA_M)
    assert buffer_bias(wide) < 1e-6
    assert buffer_bias(fitted(suggested_buffer_m(wide))) < 0.002
    assert suggested_buffer_m(wide, 0.01) < suggested_buffer_m(wide, 0.001)


def test_a_coast_leaves_no_bias() -> None:
    mask = mask_around(PLAN, SIGMA_M, buffer_m=SIGMA_M)
    closed = replace(mask, open_edge=np.zeros(len(mask), dtype=bool))
    assert buffer_bias(fit((HISTORY,), (closed,), Model("HHN"))) == 0.0
