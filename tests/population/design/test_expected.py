"""Expected captures in closed form, against simulation, by hand, and as they must change with a plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.errors import InputError
from sharedrange.core.places import Mask
from sharedrange.population.design import (
    Animals,
    HalfNormalHazard,
    HalfNormalProbability,
    best_spacing,
    compare_plans,
    doubts,
    enough_cameras,
    enough_occasions,
    expected,
    grid_plan,
    joined,
    mask_around,
    plan_of,
    power,
    power_of_plan,
    rule_of_thumb_spacing_m,
    simulate_history,
    smallest_change,
)
from sharedrange.population.design.plan import KINDS, Kind

SIGMA_M = 3_000.0
ANIMALS = Animals(2.0, HalfNormalHazard(0.3, SIGMA_M), SIGMA_M)
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
def test_it_is_the_mean_of_what_simulated_surveys_catch(kind: Kind) -> None:
    plan = grid_plan("p", 4, 4, 5_000.0, 6, kind=kind)
    effort = np.random.default_rng(4).choice([0.0, 0.4, 1.0], plan.effort.shape)
    plan = replace(plan, effort=effort, sensitivity=np.linspace(0.5, 2.0, 16))
    mask, rng = mask_around(plan, SIGMA_M), np.random.default_rng(2)
    histories = [simulate_history(plan, mask, ANIMALS, rng) for _ in range(300)]
    caught = np.array([[h.n_individuals, h.n_detections, h.n_spatial_recaptures] for h in histories])
    found = expected(plan, mask, ANIMALS)
    wanted = np.array([found.individuals, found.detections, found.spatial_recaptures])
    assert np.abs((caught.mean(axis=0) - wanted) / (caught.std(axis=0) / np.sqrt(300))).max() < 3.5


@kinds
def test_one_animal_and_two_detectors_by_hand(kind: Kind) -> None:
    plan = plan_of("two", np.array([0.0, 1_000.0]), np.zeros(2), 2, kind=kind)
    mask = Mask(np.zeros(1), np.zeros(1), 1.0, np.array([""]), np.array([True]))
    h = np.array([0.5, 0.5 * np.exp(-0.5)])
    found = expected(plan, mask, Animals(100.0, HalfNormalHazard(0.5, 1_000.0), 1_000.0))
    caught = 1 - np.exp(-2 * h.sum())
    at_each = {"multi": (1 - np.exp(-h.sum())) * h / h.sum(), "count": h, "proximity": 1 - np.exp(-h)}[kind]
    once = at_each if kind == "multi" else 1 - np.exp(-h)
    assert found.individuals == pytest.approx(caught)
    assert found.detections == pytest.approx(2 * at_each.sum())
    assert found.spatial_recaptures == pytest.approx((1 - (1 - once) ** 2).sum() - caught)
    assert found.rse == pytest.approx(1 / np.sqrt(min(found.individuals, found.detections - found.individuals)))


def test_any_function_of_distance_serves() -> None:
    plan, mask = grid_plan("p", 3, 3, 5_000.0, 10), mask_around(grid_plan("p", 3, 3, 5_000.0, 10), SIGMA_M)
    by_probability = Animals(2.0, HalfNormalProbability(0.05, SIGMA_M), SIGMA_M)
    by_hazard = Animals(2.0, lambda d_m: -np.log1p(-0.05 * np.exp(-0.5 * (d_m / SIGMA_M) ** 2)), SIGMA_M)
    assert expected(plan, mask, by_probability) == expected(plan, mask, by_hazard)


@settings(max_examples=20, deadline=None)
@given(
    spacing=st.floats(1_000, 12_000),
    lambda0=st.floats(0.001, 2),
    density=st.floats(0.1, 20),
    occasions=st.integers(1, 40),
    kind=st.sampled_from(KINDS),
)
def test_nothing_is_expected_that_cannot_be(
    spacing: float, lambda0: float, density: float, occasions: int, kind: Kind
) -> None:
    animals = Animals(density, HalfNormalHazard(lambda0, SIGMA_M), SIGMA_M)
    plan = grid_plan("p", 3, 3, spacing, occasions, kind=kind)
    mask = mask_around(plan, SIGMA_M)
    found = expected(plan, mask, animals)
    assert 0 < found.individuals <= found.animals * (1 + 1e-9)
    assert -1e-9 <= found.spatial_recaptures <= found.recaptures + 1e-9
    longer = expected(plan.for_occasions(occasions + 5), mask, animals)
    assert longer.individuals > found.individuals
    assert longer.rse < found.rse
    assert expected(plan, mask, animals.times(2)).individuals == pytest.approx(2 * found.individuals)


def test_density_may_differ_from_place_to_place() -> None:
    plan = grid_plan("p", 3, 3, 5_000.0, 10)
    mask = mask_around(plan, SIGMA_M)
    uneven = replace(ANIMALS, density_per_100km2=np.where(mask.x_m > 0, 4.0, 0.0))
    assert expected(plan, mask, uneven).individuals == pytest.approx(
        expected(plan, mask, ANIMALS).individuals, rel=1e-6
    )
    assert uneven.mean_density_per_100km2(mask) == pytest.approx(2.0)


def test_the_best_spacing_balances_animals_and_recaptures() -> None:
    animals = Animals(2.0, HalfNormalHazard(0.05, SIGMA_M), SIGMA_M)
    best = best_spacing(6, 6, 30, animals)
    assert best.expected.individuals == pytest.approx(best.expected.recaptures, rel=0.05)
    for factor in (0.8, 1.25):
        plan = grid_plan("p", 6, 6, factor * best.spacing_m, 30)
        assert expected(plan, mask_around(plan, SIGMA_M), animals).rse > best.expected.rse


def test_spacings_at_which_no_animal_meets_two_detectors_are_never_suggested() -> None:
    easily_seen = Animals(2.0, HalfNormalHazard(1.0, SIGMA_M), SIGMA_M)
    best = best_spacing(5, 5, 60, easily_seen)
    assert best.spacing_m <= 3 * SIGMA_M
    assert best.expected.spatial_recaptures > 10
    assert rule_of_thumb_spacing_m(SIGMA_M) == 6_000.0


def test_the_fewest_days_and_cameras_are_the_fewest() -> None:
    plan, animals = grid_plan("p", 6, 6, 6_000.0, 10), Animals(2.0, HalfNormalHazard(0.05, SIGMA_M), SIGMA_M)
    days = enough_occasions(plan, animals, 0.2)
    assert days is not None
    mask = mask_around(plan, SIGMA_M)
    assert expected(plan.for_occasions(days), mask, animals).rse <= 0.2
    assert expected(plan.for_occasions(days - 1), mask, animals).rse > 0.2
    cameras = enough_cameras(days, animals, 0.2)
    assert cameras is not None
    assert cameras.expected.rse <= 0.2
    assert cameras.plan.detectors.height <= 36


def test_days_cannot_replace_cameras() -> None:
    assert enough_occasions(grid_plan("p", 2, 2, 6_000.0, 1), ANIMALS, 0.05) is None
    assert enough_cameras(1, Animals(0.01, ANIMALS.hazard, SIGMA_M), 0.05, most_side=6) is None


def test_plans_of_unlike_parties_are_one_survey() -> None:
    west = grid_plan("west", 3, 3, 5_000.0, 10, centre_m=(-10_000, 0), party="west")
    east = grid_plan("east", 3, 3, 5_000.0, 6, centre_m=(10_000, 0), party="east", sensitivity=2.0)
    both = joined("both", west, east)
    assert both.parties == ("east", "west")
    assert both.effort[9:, 6:].sum() == 0
    mask = mask_around(both, SIGMA_M)
    table = compare_plans([(p, mask) for p in (west, east, both)], ANIMALS)
    assert table["cameras"].to_list() == [9, 9, 18]
    assert table["rse"][2] < min(table["rse"][0], table["rse"][1])
    caught = table["individuals"]
    assert max(caught[0], caught[1]) < caught[2] < caught[0] + caught[1], "some animals would meet both"
    with pytest.raises(InputError, match="design-unlike-kinds"):
        joined("both", west, grid_plan("traps", 2, 2, 1.0, 1, kind="multi"))


def test_all_that_is_wrong_with_a_plan_is_told_at_once() -> None:
    good = grid_plan("p", 2, 2, 5_000.0, 3)
    with pytest.raises(InputError) as raised:
        replace(
            good,
            detectors=good.detectors.with_columns(detector=pl.lit("same"), x_m=pl.lit(float("nan"))),
            effort=-np.ones((4, 3)),
            sensitivity=np.zeros(4),
        )
    assert [f.facts["part"] for f in raised.value.findings] == ["detectors", "positions", "effort", "sensitivity"]


def test_a_plan_that_would_be_declined_is_told_before_anyone_walks() -> None:
    few, some, many = (grid_plan(str(n), n, n, 6_000.0, 20) for n in (2, 4, 12))
    told = [doubts(p, expected(p, mask_around(p, SIGMA_M), ANIMALS.times(0.3))) for p in (few, some, many)]
    assert [[f.rule for f in findings] for findings in told] == [["design-too-thin"], ["design-imprecise"], []]


@given(ratio=st.floats(0.05, 0.95), rse=st.floats(0.05, 0.5))
def test_larger_changes_and_better_surveys_have_more_power(ratio: float, rse: float) -> None:
    assert power(ratio * 0.9, rse, rse) >= power(ratio, rse, rse) >= power(ratio, rse * 1.2, rse)
    assert power(ratio, rse, rse) == pytest.approx(power(1 / ratio, rse, rse))
    fall, rise = smallest_change(rse, rse, 0.8)
    assert power(fall, rse, rse) == pytest.approx(0.8)
    assert fall == pytest.approx(1 / rise)


def test_power_is_how_often_simulated_estimates_differ() -> None:
    rng, spread = np.random.default_rng(1), np.sqrt(np.log1p(0.2**2))
    difference = np.log(0.5) + spread * (rng.normal(size=200_000) - rng.normal(size=200_000))
    seen = float((difference / (spread * np.sqrt(2)) < -1.959964).mean())
    assert power(0.5, 0.2, 0.2) == pytest.approx(seen, abs=0.005)


def test_after_a_fall_the_second_survey_is_less_precise() -> None:
    plan = grid_plan("p", 6, 6, 6_000.0, 20)
    mask = mask_around(plan, SIGMA_M)
    rse = expected(plan, mask, ANIMALS).rse
    assert power_of_plan(plan, mask, ANIMALS, 0.4) < power(0.4, rse, rse)
