"""Surfaces of SIMULATED stations and animals, and the stations that an attacker reads from them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from sharedrange.core.errors import InputError
from sharedrange.sharing.attack import Change, Positions, Surface, compare_successive, recover_from_surface
from sharedrange.sharing.attack.surfaces import Kind
from sharedrange.sharing.attack.types import Floats

SIGMA_M = 3000.0


def cameras(seed: int, n: int, side_m: float, apart_m: float) -> Floats:
    """Places of cameras at random, none nearer to another than `apart_m`, shape (n, 2)."""
    rng = np.random.default_rng(seed)
    placed: list[Floats] = []
    while len(placed) < n:
        at = rng.uniform(0, side_m, 2)
        if all(np.hypot(*(at - other)) > apart_m for other in placed):
            placed.append(at)
    return np.array(placed)


def mask(side_m: float, spacing_m: float) -> Floats:
    """Points of a mask that goes three sigma beyond the cameras, shape (M, 2)."""
    axis = np.arange(-3 * SIGMA_M, side_m + 3 * SIGMA_M, spacing_m)
    return np.column_stack([a.ravel() for a in np.meshgrid(axis, axis)])


def hazard(points: Floats, at: Floats, seed: int) -> Floats:
    """Expected encounters of an animal whose centre is at each point, all cameras together, shape (M,)."""
    days = np.random.default_rng(seed).uniform(30, 90, len(at))
    shape = np.exp(-cdist(points, at, "sqeuclidean") / (2 * SIGMA_M**2))
    return np.asarray(0.02 * shape @ days)


def truth(at: Floats) -> Positions:
    return Positions({f"S-{i:02}": (float(x), float(y)) for i, (x, y) in enumerate(at)})


def surface(points: Floats, values: Floats, spacing_m: float, kind: Kind = "hazard") -> Surface:
    return Surface(points[:, 0], points[:, 1], values, spacing_m, kind)


def test_a_hazard_surface_on_a_mask_of_5_km_is_the_positions_of_its_40_cameras() -> None:
    """Why such surfaces never leave."""
    found = []
    for seed in range(3):
        at, points = cameras(seed, 40, 60_000.0, 5000.0), mask(60_000.0, 5000.0)
        attack = recover_from_surface(surface(points, hazard(points, at, seed), 5000.0), truth(at), [SIGMA_M])
        assert attack.chance < 0.03
        assert not attack.certified
        found.append(attack.success)
    assert np.mean(found) > 0.8


def test_a_finer_mask_gives_all_of_them_and_sigma_need_not_be_known() -> None:
    at, points = cameras(1, 12, 30_000.0, 4000.0), mask(30_000.0, 2500.0)
    one = surface(points, hazard(points, at, 1), 2500.0)
    assert recover_from_surface(one, truth(at), [2000.0, SIGMA_M, 4500.0]).success == 1.0


def test_the_chance_to_be_detected_is_as_bad_as_the_hazard() -> None:
    at, points = cameras(2, 12, 30_000.0, 4000.0), mask(30_000.0, 2500.0)
    seen = 1 - np.exp(-hazard(points, at, 2))
    assert recover_from_surface(surface(points, seen, 2500.0, "detection"), truth(at), [SIGMA_M]).success > 0.9


def centres(points: Floats, at: Floats, seed: int, animals: int) -> tuple[Floats, Floats]:
    """Where each met animal's centre is, given its captures (Poisson counts), shape (I, M), and the total hazard."""
    rng = np.random.default_rng(seed)
    lam = 0.5 * np.exp(-cdist(points, at, "sqeuclidean") / (2 * SIGMA_M**2))
    caught = rng.poisson(lam[rng.choice(len(points), animals)])
    logs = caught[caught.sum(axis=1) > 0] @ np.log(lam).T - lam.sum(axis=1)
    density = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(density / density.sum(axis=1, keepdims=True)), np.asarray(lam.sum(axis=1))


def test_the_surface_of_a_single_animal_holds_stations_that_never_met_it() -> None:
    at, points = cameras(3, 12, 20_000.0, 4000.0), mask(20_000.0, 2500.0)
    met, _ = centres(points, at, 3, 60)
    attack = recover_from_surface(surface(points, met[0], 2500.0, "centre"), truth(at), [SIGMA_M])
    assert attack.success > 0.5
    assert not attack.certified


def test_a_realised_density_shows_where_it_was_looked() -> None:
    at, points = cameras(3, 12, 20_000.0, 4000.0), mask(20_000.0, 2500.0)
    met, total = centres(points, at, 3, 60)
    density = met.sum(axis=0) + 60 / len(points) * np.exp(-total)  # those met, and those that were not
    attack = recover_from_surface(surface(points, density, 2500.0, "density"), truth(at), [SIGMA_M])
    assert not attack.certified


def test_a_flat_density_tells_nothing_of_stations() -> None:
    at, points = cameras(4, 12, 30_000.0, 4000.0), mask(30_000.0, 2500.0)
    flat = surface(points, np.full(len(points), 0.7), 2500.0, "density")
    attack = recover_from_surface(flat, truth(at), [SIGMA_M])
    assert (attack.success, attack.certified) == (0.0, True)


def test_values_that_do_not_fit_the_mask_are_refused() -> None:
    points = mask(10_000.0, 5000.0)
    for wrong in (np.ones(3), np.full(len(points), -1.0), np.full(len(points), np.nan)):
        with pytest.raises(InputError, match="attack-surface-values"):
            recover_from_surface(surface(points, wrong, 5000.0), truth(points[:2]), [SIGMA_M])


def test_what_was_added_stands_where_the_raster_changed() -> None:
    at, points = cameras(5, 20, 30_000.0, 2000.0), mask(30_000.0, 2500.0)
    whole = hazard(points, at, 5)
    nearest = cdist(at, points).argmin(axis=1)
    changes = []
    for i, cell in enumerate(nearest):
        without = whole - 0.02 * 60 * np.exp(-cdist(points, at[[i]], "sqeuclidean")[:, 0] / (2 * SIGMA_M**2))
        changes.append(Change(without, whole, int(cell)))
    attack = compare_successive(changes)
    assert attack.success == 1.0
    assert not attack.certified


def test_totals_that_do_not_change_tell_no_more_than_guessing() -> None:
    same = np.array([3.0, 5.0, 9.0, 2.0])
    attack = compare_successive([Change(same, same.copy(), where) for where in range(4)])
    assert attack.success == attack.chance == attack.expected == 0.25
    assert attack.certified


def test_totals_told_in_tens_hide_one_animal_and_not_always() -> None:
    rng = np.random.default_rng(6)
    exact, tens = [], []
    for _ in range(300):
        before = rng.integers(20, 80, 6).astype(float)
        where = int(rng.integers(6))
        after = before.copy()
        after[where] += 1
        exact.append(Change(before, after, where))
        tens.append(Change(before // 10 * 10, after // 10 * 10, where))
    assert compare_successive(exact).success == 1.0
    hidden = compare_successive(tens)
    assert hidden.success == pytest.approx(0.1 + 0.9 / 6, abs=0.05)  # a tenth of the totals turn over a ten
    assert not hidden.certified


def test_a_value_that_appears_is_the_largest_change() -> None:
    before, after = np.array([np.nan, 5.0, np.nan]), np.array([3.0, 90.0, np.nan])
    assert compare_successive([Change(before, after, 0)]).success == 1.0


def test_nothing_is_changed_in_what_is_compared_and_where_it_was_is_not_told() -> None:
    before, after = np.array([1.0, 2.0]), np.array([1.0, np.nan])
    change = Change(before, after, 1)
    compare_successive([change])
    assert before.tolist() == [1.0, 2.0]
    assert "where" not in repr(change)


def test_changes_of_unlike_cells_are_refused() -> None:
    with pytest.raises(InputError, match="attack-successive-cells") as caught:
        compare_successive([Change(np.ones(2), np.ones(3), 0), Change(np.ones(2), np.ones(2), 2)])
    assert dict(caught.value.findings[0].facts) == {"wrong": 2, "of": 2}
