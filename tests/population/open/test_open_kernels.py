from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sharedrange.population.open.kernels import KernelName, Still, lattice_of, movement

Floats = NDArray[np.float64]
SPACING_M = 1_000.0

kernels = st.sampled_from(["normal", "laplace"])
scales = st.floats(300.0, 20_000.0)
seeds = st.integers(0, 10_000)


def points(seed: int, *, holes: bool = True) -> tuple[Floats, Floats]:
    """A grid of 7 x 5 points of which some are not habitat."""
    rng = np.random.default_rng(seed)
    x, y = (axis.ravel() * SPACING_M for axis in np.meshgrid(np.arange(7.0), np.arange(5.0)))
    keep = rng.random(len(x)) < (0.8 if holes else 1.0)
    keep[:2] = True
    order = rng.permutation(np.flatnonzero(keep))
    return x[order] + 123.0, y[order] - 77.0


@given(kernels, scales, seeds)
@settings(max_examples=40, deadline=None)
def test_no_animal_is_lost_or_gained_by_moving(kernel: KernelName, scale_m: float, seed: int) -> None:
    x, y = points(seed)
    moves = movement(x, y, lattice_of(x, y, SPACING_M), scale_m, kernel)
    amounts = np.random.default_rng(seed).random((3, len(x)))
    moved = moves.forward(amounts)
    assert moved.sum(axis=1) == pytest.approx(amounts.sum(axis=1))
    assert (moved >= 0).all()


@given(kernels, scales, seeds)
@settings(max_examples=40, deadline=None)
def test_a_grid_moves_animals_as_the_matrix_of_all_distances_does(
    kernel: KernelName, scale_m: float, seed: int
) -> None:
    x, y = points(seed)
    lattice = lattice_of(x, y, SPACING_M)
    assert lattice is not None
    amounts, worth = np.random.default_rng(seed).random((2, 4, len(x)))
    grid = movement(x, y, lattice, scale_m, kernel)
    matrix = movement(x, y, lattice, scale_m, kernel, dense=True)
    back = grid.backward(worth)
    np.testing.assert_allclose(grid.forward(amounts), matrix.forward(amounts), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(back, matrix.backward(worth), rtol=1e-9, atol=1e-12)
    assert grid.slope(amounts, worth, back) == pytest.approx(matrix.slope(amounts, worth, back), rel=1e-6, abs=1e-9)


@given(kernels, scales, seeds)
@settings(max_examples=40, deadline=None)
def test_backward_is_the_transpose_of_forward(kernel: KernelName, scale_m: float, seed: int) -> None:
    x, y = points(seed)
    moves = movement(x, y, lattice_of(x, y, SPACING_M), scale_m, kernel)
    amounts, worth = np.random.default_rng(seed).random((2, len(x)))
    assert float(worth @ moves.forward(amounts)) == pytest.approx(float(moves.backward(worth) @ amounts))


@given(kernels, st.floats(800.0, 8_000.0), seeds)
@settings(max_examples=30, deadline=None)
def test_the_slope_by_the_scale_is_that_of_differences(kernel: KernelName, scale_m: float, seed: int) -> None:
    x, y = points(seed)
    lattice = lattice_of(x, y, SPACING_M)
    amounts, worth = np.random.default_rng(seed).random((2, len(x)))

    def value(log_scale: float) -> float:
        return float(worth @ movement(x, y, lattice, float(np.exp(log_scale)), kernel).forward(amounts))

    moves, centre, step = movement(x, y, lattice, scale_m, kernel), np.log(scale_m), 1e-5
    slope = (value(centre + step) - value(centre - step)) / (2 * step)
    assert moves.slope(amounts, worth, moves.backward(worth)) == pytest.approx(slope, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("kernel", ["normal", "laplace"])
def test_the_scale_is_the_standard_deviation_along_one_axis(kernel: KernelName) -> None:
    x, y = (axis.ravel() * SPACING_M for axis in np.meshgrid(np.arange(81.0), np.arange(81.0)))
    start = ((x == 40 * SPACING_M) & (y == 40 * SPACING_M)).astype(float)
    there = movement(x, y, lattice_of(x, y, SPACING_M), 4_000.0, kernel).forward(start)
    assert np.sqrt(there @ (x - 40 * SPACING_M) ** 2) == pytest.approx(4_000.0, rel=0.03)
    assert np.sqrt(there @ (y - 40 * SPACING_M) ** 2) == pytest.approx(4_000.0, rel=0.03)


def test_points_off_a_grid_have_no_lattice() -> None:
    x, y = points(3)
    assert lattice_of(x + np.linspace(0, 400.0, len(x)), y, SPACING_M) is None
    assert lattice_of(np.array([0.0, 0.0]), np.array([0.0, 0.0]), SPACING_M) is None
    assert lattice_of(np.array([0.0, 90_000.0]), np.array([0.0, 90_000.0]), SPACING_M) is None


def test_scattered_points_are_moved_between_too() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.random((2, 20)) * 10_000.0
    moves = movement(x, y, None, 3_000.0, "normal")
    assert moves.forward(np.ones(20)).sum() == pytest.approx(20.0)


def test_without_movement_everything_stays() -> None:
    amounts = np.array([1.0, 2.0])
    still = movement(amounts, amounts, None, 1.0, "none")
    assert isinstance(still, Still)
    assert still.forward(amounts).tolist() == still.backward(amounts).tolist() == [1.0, 2.0]
    assert still.slope(amounts, amounts, amounts) == 0.0
