"""Least-cost distance: its derivatives, its limits, and its weight found again from simulated captures."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from sharedrange.core.chance import stream
from sharedrange.core.errors import InputError
from sharedrange.population.design import grid_plan, mask_around
from sharedrange.population.permeability.layers import Layer, read_ascii_grid
from sharedrange.population.permeability.resistance import fit_resistance, least_cost
from sharedrange.population.scr import Covariates, Fit, Model, prepare_sessions
from sharedrange.population.scr.design import design
from sharedrange.population.scr.simulate import simulate_histories

PLAN = grid_plan("park", columns=5, rows=5, spacing_m=6_000.0, occasions=60)
MASK = mask_around(PLAN, 4_000.0, buffer_m=12_000.0)
ROUGH = np.sin(MASK.x_m / 9_000) + np.cos(MASK.y_m / 7_000)
TABLE = Covariates(mask=(pl.DataFrame({"rough": ROUGH, "kind": np.where(MASK.x_m > 0, "forest", "steppe")}),))
SESSIONS, DETECTION = prepare_sessions((PLAN.history(),), (MASK,), Model("HHN"))


def straight_m() -> NDArray[np.float64]:
    s = SESSIONS[0]
    return np.asarray(np.hypot(s.x_m[:, None] - s.mask_x_m, s.y_m[:, None] - s.mask_y_m))


@pytest.mark.parametrize(("neighbours", "longer"), [(8, 1.09), (16, 1.045)])
def test_over_open_ground_paths_are_little_longer_than_straight_lines(neighbours: int, longer: float) -> None:
    metres = least_cost(SESSIONS, "~ rough", TABLE, neighbours=neighbours).between(SESSIONS[0], np.zeros(1)).metres
    far = straight_m() > 10_000
    ratio = metres[far] / straight_m()[far]
    assert ratio.min() >= 1.0 - 1e-9
    assert ratio.max() <= longer


def test_the_derivative_along_the_path_equals_a_difference() -> None:
    distance, theta, step = least_cost(SESSIONS, "~ rough + kind", TABLE), np.array([0.7, -0.3]), 1e-6
    at = distance.between(SESSIONS[0], theta)
    for p, shift in enumerate(np.eye(2) * step):
        up, down = (distance.between(SESSIONS[0], theta + sign * shift).metres for sign in (1, -1))
        assert np.allclose((up - down) / (2 * step), at.slopes[p], atol=1.0)


def test_what_costs_more_than_the_reach_is_out_of_reach() -> None:
    near = least_cost(SESSIONS, "~ rough", TABLE, reach_m=9_000.0).between(SESSIONS[0], np.zeros(1))
    everything = least_cost(SESSIONS, "~ rough", TABLE).between(SESSIONS[0], np.zeros(1))
    reached = everything.metres <= 9_000.0
    assert np.allclose(near.metres[reached], everything.metres[reached])
    assert (near.metres[~reached] > 1e8).all()
    assert (near.slopes[:, ~reached] == 0).all()


def test_names_are_columns_less_the_reference_and_units_do_not_matter() -> None:
    distance = least_cost(SESSIONS, "~ rough + kind", TABLE)
    assert distance.names == ("resistance.rough", "resistance.kind.steppe")
    other = Covariates(mask=(pl.DataFrame({"rough": 1000 * ROUGH + 5}),))
    one, same = (least_cost(SESSIONS, "~ rough", c).between(SESSIONS[0], np.ones(1)).metres for c in (TABLE, other))
    assert np.allclose(one, same)


def test_resistance_is_found_again_with_density_and_detection() -> None:
    distance = least_cost(SESSIONS, "~ rough", TABLE)
    made, ready = design(Model("HHN", distance=distance), SESSIONS, DETECTION, TABLE)
    beta = np.r_[np.log([4.0, 0.06, 4_000.0]), 0.8]
    truth = Fit(made, ready, (), beta, np.eye(4), 0.0, np.zeros(4), 0)
    off = []
    for rng in stream(1, "tests.resistance").spawn(6):
        found = fit_resistance(simulate_histories(truth, rng), (MASK,), "~ rough", TABLE)
        off.append((found.beta - beta) / np.sqrt(np.diag(found.covariance)))
    assert np.abs(np.mean(off, axis=0)).max() < 3 / np.sqrt(6)
    assert np.abs(off).max() < 4


@pytest.mark.parametrize("formula", ["~ snow", "~ 1", "~ rough +* 2"])
def test_a_formula_without_a_column_of_the_mask_is_wrong(formula: str) -> None:
    with pytest.raises(InputError):
        least_cost(SESSIONS, formula, TABLE)


def test_a_column_that_is_the_same_everywhere_is_wrong() -> None:
    with pytest.raises(InputError, match="permeability-resistance-constant"):
        least_cost(SESSIONS, "~ flat", Covariates(mask=(pl.DataFrame({"flat": np.ones(len(MASK))}),)))


GRID = "ncols 3\nnrows 2\nxllcorner 100\nyllcorner 200\ncellsize 10\nNODATA_value -1\n1 2 3\n4 -1 6\n"


def test_a_grid_has_its_first_row_in_the_north() -> None:
    layer = read_ascii_grid(GRID)
    assert layer.at(np.array([105.0, 105.0, 125.0]), np.array([215.0, 205.0, 205.0])).tolist() == [1.0, 4.0, 6.0]
    assert np.isnan(layer.at(np.array([115.0, 99.0]), np.array([205.0, 205.0]))).all()


def test_points_of_a_layer_are_where_it_has_values() -> None:
    layer = read_ascii_grid(GRID.replace("xllcorner 100", "xllcenter 105").replace("yllcorner 200", "yllcenter 205"))
    x_m, y_m = layer.points()
    assert len(x_m) == 5
    assert sorted(layer.at(x_m, y_m)) == [1.0, 2.0, 3.0, 4.0, 6.0]
    assert isinstance(layer, Layer)


def test_everything_that_is_wrong_with_a_grid_is_said_at_once() -> None:
    with pytest.raises(InputError) as wrong:
        read_ascii_grid("ncols 3\nnrows 3\ncellsize 0\nxllcorner 0\n1 2 3\n1 x\n")
    assert [f.rule for f in wrong.value.findings] == [
        "permeability-grid-header",
        "permeability-grid-header",
        "permeability-grid-shape",
        "permeability-grid-number",
    ]
