"""Permeability from simulated captures: likelihood, interval, refusals, and the power to see a border close."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import shapely

from sharedrange.core.chance import stream
from sharedrange.core.errors import InputError, NotEnoughData
from sharedrange.core.history import CaptureHistory
from sharedrange.population.design import grid_plan, mask_around
from sharedrange.population.permeability import (
    Animals,
    Barrier,
    Power,
    change,
    crossing_distance,
    estimates,
    fit_permeability,
    is_held,
    permeability,
    power,
    shared_animals,
    simulate_survey,
    way_m,
)
from sharedrange.population.permeability.crossing import angle_of
from sharedrange.population.scr import Model, Problem, prepare_sessions
from sharedrange.population.scr.design import design
from sharedrange.population.scr.distance import Distance, FixedDistance

SIGMA_M = 4_000.0
PLAN = grid_plan("border", columns=6, rows=4, spacing_m=6_000.0, occasions=60)
MASK = mask_around(PLAN, SIGMA_M, buffer_m=3 * SIGMA_M, spacing_m=0.6 * SIGMA_M)
ANIMALS = Animals(density_per_100km2=3.25, lambda0=0.07, sigma_m=SIGMA_M)
LINE = Barrier("border", shapely.LineString([(0, -60_000), (0, 60_000)]))
BORDER = LINE.with_passage(0, 3_000, 2_000)
RIVER = Barrier("river", shapely.LineString([(-20_000, 1_000), (5_000, 1_500), (15_000, -4_000)]))
NAME = "permeability.border"


def survey(p: float, seed: int, barrier: Barrier = BORDER) -> CaptureHistory:
    return simulate_survey(PLAN, MASK, barrier, ANIMALS, permeability=[p], rng=stream(seed, "tests.permeability"))[0]


def problem(history: CaptureHistory, model: Model, distance: Distance | None = None) -> Problem:
    sessions, detection = prepare_sessions((history,), (MASK,), model)
    return Problem(*design(replace(model, distance=distance), sessions, detection))


BETA = np.log([3.0, 0.06, 4_200.0])


def test_open_ground_is_a_model_without_the_barrier() -> None:
    history, model = survey(0.5, 1), Model("HHN")
    ways = crossing_distance(prepare_sessions((history,), (MASK,), model)[0], [BORDER])
    plain, open_to_all = problem(history, model), problem(history, model, ways)
    assert open_to_all.value(np.r_[BETA, np.pi])[0] == pytest.approx(plain.value(BETA)[0], rel=1e-10)


def test_a_closed_border_is_a_model_of_the_way_round() -> None:
    history, model = survey(0.5, 1), Model("HHN")
    ways = crossing_distance(prepare_sessions((history,), (MASK,), model)[0], [BORDER])
    at = history.detectors.select("x_m", "y_m").to_numpy()
    around = FixedDistance({history.session: way_m(at, np.column_stack([MASK.x_m, MASK.y_m]), [BORDER])})
    closed, round_it = problem(history, model, ways), problem(history, model, around)
    assert closed.value(np.r_[BETA, 0.0])[0] == pytest.approx(round_it.value(BETA)[0], rel=1e-10)


@pytest.mark.parametrize("function", ["HHN", "HN", "HHR", "EX"])
def test_the_gradient_by_two_permeabilities_equals_differences(function: str) -> None:
    history = survey(0.5, 2)
    model = Model(function, lambda0="~ h2")  # type: ignore[arg-type]  # one of the names, as parametrised
    ways = crossing_distance(prepare_sessions((history,), (MASK,), model)[0], [BORDER, RIVER])
    here = problem(history, model, ways)
    beta = np.full(len(here.names), 0.4)
    for name, value in (("D", 1.1), ("lambda0", -2.8), ("g0", -2.8), ("sigma", 8.3), ("z", 1.3), (NAME, 1.0)):
        if name in here.names:
            beta[here.names.index(name)] = value
    exact = here.kernel(beta)[1]
    for shift, slope in zip(np.eye(len(beta)) * 1e-5, exact, strict=True):
        difference = (here.kernel(beta + shift)[0] - here.kernel(beta - shift)[0]) / 2e-5
        assert slope == pytest.approx(difference, rel=1e-4, abs=1e-4)


def test_a_barrier_less_permeable_is_never_passed_more() -> None:
    shared = [np.mean([shared_animals(survey(p, seed), BORDER) for seed in range(12)]) for p in (0.0, 0.5, 1.0)]
    assert all(fewer < more for fewer, more in pairwise(shared))


@pytest.mark.parametrize("p", [0.0, 0.3, 0.7, 1.0])
def test_intervals_hold_the_truth(p: float) -> None:
    surveys = [survey(p, seed) for seed in range(12)]
    held = [is_held(fit_permeability((h,), (MASK,), [BORDER]), NAME, p) for h in surveys]
    assert sum(held) >= 9  # 95 % of 12; fewer than 9 has a chance of 0.02 %


def test_an_interval_holds_what_the_profile_does_not_reject() -> None:
    found = fit_permeability((survey(0.5, 4),), (MASK,), [BORDER])
    p = permeability(found, NAME)
    assert 0 < p.low < p.value < 1
    assert is_held(found, NAME, p.low + 0.01)
    assert not is_held(found, NAME, p.low - 0.01)
    wider = permeability(found, NAME, 0.99)
    assert wider.low < p.low
    assert p.holds(p.value)


def test_a_wall_that_nobody_passed_may_be_closed_and_is_not_open_ground() -> None:
    found = fit_permeability((survey(0.0, 1, LINE),), (MASK,), [LINE])
    p = permeability(found, NAME)
    assert p.value < 1e-6
    assert p.low == 0.0
    assert p.holds_closed
    assert not p.holds_open
    assert p.open_ground < 0.01
    (estimate,) = estimates(found)
    assert (estimate.quantity, estimate.unit) == (NAME, "share")
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low <= estimate.value <= estimate.high


def test_an_animal_on_both_sides_of_a_wall_without_a_way_round_proves_it_is_not_closed() -> None:
    history = survey(0.9, 3, LINE)
    assert shared_animals(history, LINE) > 0
    p = permeability(fit_permeability((history,), (MASK,), [LINE]), NAME)
    assert not p.holds_closed
    assert p.closed < 1e-6


def test_a_line_far_from_every_camera_is_refused() -> None:
    far = Barrier("far", shapely.LineString([(80_000, -9_000), (80_000, 9_000)]))
    with pytest.raises(NotEnoughData) as declined:
        fit_permeability((survey(1.0, 1),), (MASK,), [far])
    assert declined.value.refusal.have["animals_near"] == 0
    assert [f.rule for f in declined.value.refusal.findings] == ["permeability-not-across"]


def test_two_sessions_of_one_period_share_a_permeability() -> None:
    histories = simulate_survey(
        PLAN, MASK, BORDER, ANIMALS, permeability=[1.0, 0.0], rng=stream(5, "tests.permeability")
    )
    sessions, _ = prepare_sessions(histories, (MASK,), Model("HHN"))
    assert crossing_distance(sessions, [BORDER]).names == (NAME,)
    apart = crossing_distance(sessions, [BORDER], {"before": "2020", "after": "2024"})
    assert apart.names == (f"{NAME}.2020", f"{NAME}.2024")


def test_a_border_that_closed_is_seen_to_have_closed() -> None:
    histories = simulate_survey(PLAN, MASK, LINE, ANIMALS, permeability=[1.0, 0.0], rng=stream(6, "tests.permeability"))
    found = change(histories, (MASK,), LINE, {"before": "before", "after": "after"})
    assert found.before > found.after
    assert found.closing < 0.05


def test_every_session_needs_a_period() -> None:
    with pytest.raises(InputError, match="permeability-period"):
        change([survey(0.5, 1)], (MASK,), BORDER, {"before": "2020"})


def test_power_does_not_depend_on_the_number_of_workers_and_more_animals_have_more() -> None:
    def found(executor: ThreadPoolExecutor | None) -> Power:
        rng = stream(7, "tests.permeability")
        return power(PLAN, MASK, BORDER, ANIMALS, before=1.0, after=0.0, replicates=3, rng=rng, executor=executor)

    alone = found(None)
    with ThreadPoolExecutor(2) as executor:
        assert found(executor) == alone
    assert alone.mean_z > 0
    assert alone.shared_before > alone.shared_after
    assert alone.animals_needed == pytest.approx(alone.animals * alone.times)
    assert replace(alone, mean_z=2 * alone.mean_z).times == pytest.approx(alone.times / 4)


def test_only_a_fall_has_a_power() -> None:
    with pytest.raises(InputError, match="permeability-not-falling"):
        power(PLAN, MASK, BORDER, ANIMALS, before=0.2, after=0.4, replicates=1, rng=stream(1, "t"))


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 1.0])
def test_every_permeability_has_an_angle(p: float) -> None:
    assert np.sin(angle_of(p) / 2) ** 2 == pytest.approx(p)
