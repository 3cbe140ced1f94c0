"""Numbers derived from a fit: derivatives are exact, use of space is a share, flat likelihoods are not hidden."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.core.errors import DidNotConverge
from sharedrange.core.history import CAPTURES, INDIVIDUALS
from sharedrange.population.scr import Fit, Model, fit, split_model
from sharedrange.population.scr.derived import Population, covariance_table, on_side
from sharedrange.population.scr.detection import FunctionName
from sharedrange.population.scr.links import floored_interval, lognormal_interval
from sharedrange.population.scr.use import Kernel, use_of_sides

Make = Callable[..., Any]
SIDES = ("west", "east")


@pytest.fixture(scope="module")
def fitted(plain: Any) -> Fit:
    made, _ = plain
    model = split_model("HHN", "side", ("party", "sex"), ("party", "sex"), SIDES)
    return fit((made.history,), (made.mask,), model)


def by_difference(fitted: Fit, value: Callable[[Population], float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    step = 1e-5

    def at(shift: Any) -> float:
        return value(Population(replace(fitted, beta=fitted.beta + shift), SIDES, 0.9))

    return np.array([(at(step * e) - at(-step * e)) / (2 * step) for e in np.eye(fitted.n_parameters)])


def test_the_derivatives_of_numbers_on_a_side_are_exact(fitted: Fit) -> None:
    exact = Population(fitted, SIDES, 0.9).expected(on_side("west")).gradient
    assert exact == pytest.approx(by_difference(fitted, lambda p: p.expected(on_side("west")).value), abs=1e-5)


def test_the_derivatives_of_use_are_exact(fitted: Fit) -> None:
    exact = Population(fitted, SIDES, 0.9).use("east").gradient
    assert exact == pytest.approx(by_difference(fitted, lambda p: p.use("east").value), abs=1e-4)
    assert np.abs(exact[fitted.design.sigma.place]).max() > 1e-3


def test_the_derivatives_of_those_not_detected_are_exact(fitted: Fit) -> None:
    def others(p: Population) -> float:
        return p.realised({"N": p.reported})["N"].others

    at = Population(fitted, SIDES, 0.9)
    gradients = [c.undetected_gradient(at.reported(at.at[0]))[1] for c in at.at[0].classes]
    exact = fitted.design.pull_back(fitted.beta, 0, gradients)
    assert exact == pytest.approx(by_difference(fitted, others), abs=1e-4)


def test_the_surface_of_density_has_the_standard_error_that_its_sum_has(fitted: Fit) -> None:
    at = Population(fitted, SIDES, 0.9)
    surface = at.density_table()
    west = surface.filter(side="west")
    expected = at.expected(on_side("west"))
    # one density on a side: every point, and their sum, have one relative standard error
    assert west["se_per_100km2"][0] / west["density_per_100km2"][0] == pytest.approx(
        expected.se_log(fitted.covariance), rel=1e-9
    )
    assert (surface["se_per_100km2"] > 0).all()


def test_numbers_of_regions_vary_together_as_their_sum_says(fitted: Fit) -> None:
    at = Population(fitted, SIDES, 0.9)
    table = covariance_table(at, {"": at.reported, "west": on_side("west"), "east": on_side("east")})
    of = {(a, b): c for a, b, c in table.iter_rows()}
    parts = of["west", "west"] + of["east", "east"] + 2 * of["west", "east"]
    assert of["", ""] == pytest.approx(parts, rel=1e-9)
    assert of["west", "east"] == pytest.approx(of["east", "west"])


@pytest.mark.parametrize("kernel", [Kernel(2500.0), Kernel(1500.0, "EX"), Kernel(2500.0, "HR", np.log(4.0))])
def test_use_on_a_grid_equals_use_pair_by_pair(fitted: Fit, kernel: Kernel) -> None:
    session = fitted.sessions[0]
    shifted = session.mask_x_m.copy()
    shifted[0] += 60.0  # 6 % of a cell: off the grid, hardly moved
    on_grid, scattered = use_of_sides(session, kernel), use_of_sides(replace(session, mask_x_m=shifted), kernel)
    for side in SIDES:
        assert on_grid.share[side] == pytest.approx(scattered.share[side], abs=1e-3)
        assert on_grid.by_log_sigma[side] == pytest.approx(scattered.by_log_sigma[side], abs=1e-3)
        assert on_grid.by_log_shape[side] == pytest.approx(scattered.by_log_shape[side], abs=1e-3)


@pytest.mark.parametrize("function", ["EX", "HHR"])
def test_use_has_the_kernel_that_was_fitted(plain: Any, function: FunctionName) -> None:
    made, _ = plain
    found = fit((made.history,), (made.mask,), Model(function))
    exact = Population(found, SIDES, 0.9).use("east").gradient
    assert exact == pytest.approx(by_difference(found, lambda p: p.use("east").value), abs=1e-4)
    half_normal = use_of_sides(found.sessions[0], Kernel(Population(found, SIDES, 0.9).use_kernels(0)[0].sigma_m))
    gap = Population(found, SIDES, 0.9).uses[0][0].share["east"] - half_normal.share["east"]
    assert np.abs(gap).max() > 0.01


def test_every_split_has_its_own_number(fitted: Fit) -> None:
    assert fitted.design.names == (
        "D.west",
        "D.east",
        "lambda0",
        "lambda0.party.west",
        "lambda0.sex.male",
        "sigma",
        "sigma.party.west",
        "sigma.sex.male",
        "psi_male",
    )


def test_a_scale_that_the_data_do_not_bound_is_not_reported_as_a_fit(world: Make) -> None:
    made = world(1)
    cameras = made.history.detectors["detector"].head(6)
    everywhere = [(f"a{i}", camera, k + 1, 1) for i in range(6) for k, camera in enumerate(cameras)]
    animals = [(f"a{i}", None, "adult") for i in range(6)]
    history = replace(
        made.history,
        detectors=made.history.detectors.head(6),
        effort=made.history.effort[:6],
        individuals=pl.DataFrame(animals, schema=INDIVIDUALS, orient="row"),
        captures=pl.DataFrame(everywhere, schema=CAPTURES, orient="row"),
    )
    with pytest.raises(DidNotConverge) as caught:
        fit((history,), (made.mask,), Model("HHN"))
    assert caught.value.finding.rule in {"scr-flat", "scr-not-converged"}


@given(st.floats(0.1, 1e4), st.floats(0.01, 2.0))
def test_log_normal_limits_stand_at_equal_ratios(value: float, se_log: float) -> None:
    _, low, high = lognormal_interval(value, se_log, 0.95)
    assert 0 < low < value < high
    assert value / low == pytest.approx(high / value)


@given(st.floats(0.0, 100.0), st.floats(0.1, 100.0), st.floats(0.01, 100.0))
def test_the_limits_of_a_number_never_fall_below_what_was_seen(seen: float, others: float, se: float) -> None:
    value = seen + others
    low, high = floored_interval(value, se, seen, 0.95)
    assert seen <= low <= value <= high
    assert low == pytest.approx(max(seen, value**2 / high))


def test_a_side_whose_density_runs_to_zero_is_pooled_and_said(world: Make, answered: Make) -> None:
    made = world(23, density_per_100km2=(4.0, 0.0), lambda0=(0.05, 0.05))
    found = answered(made, lambda0=(), sigma=())
    left_out = [f for f in found.findings if f.rule == "scr-split-unbounded"]
    assert [f.facts["runaway"] for f in left_out] == ["D.east"]
    assert found.tables["fit"]["density"].item() == "pooled"
    assert found.tables["tests"].filter(parameter="density")["p_value"].item() < 0.1
    assert "scr-pooling-doubtful" in {f.rule for f in found.findings}
