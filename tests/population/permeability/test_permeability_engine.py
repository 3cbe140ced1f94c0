"""The engine: permeability of lines from captures of both sides, or a refusal that says what would be enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import shapely

from sharedrange.core.answer import LISTED, Answer, Scope
from sharedrange.core.chance import stream
from sharedrange.core.errors import Cancelled, InputError
from sharedrange.core.finding import Severity
from sharedrange.population.design import grid_plan, mask_around
from sharedrange.population.permeability import (
    ENGINE,
    Animals,
    Barrier,
    PermeabilityInputs,
    PermeabilitySettings,
    fit_permeability,
    permeability,
    simulate_survey,
    way_m,
)
from sharedrange.population.permeability.barriers import worked
from sharedrange.population.scr import Model

SIGMA_M = 4_000.0
PLAN = grid_plan("border", columns=6, rows=4, spacing_m=6_000.0, occasions=60)
MASK = mask_around(PLAN, SIGMA_M, buffer_m=3 * SIGMA_M, spacing_m=0.6 * SIGMA_M)
ANIMALS = Animals(density_per_100km2=3.25, lambda0=0.07, sigma_m=SIGMA_M)
LINE = Barrier("border", shapely.LineString([(0, -60_000), (0, 60_000)]))
SCOPE = Scope(taxon="Panthera pardus orientalis", place="here", period="then")
POOLED = PermeabilitySettings(density="pooled", lambda0=(), sigma=(), profile_points=5)


@lru_cache
def inputs(p: float, seed: int = 1, barrier: Barrier = LINE) -> PermeabilityInputs:
    rng = stream(seed, "tests.permeability.engine")
    return PermeabilityInputs(
        simulate_survey(PLAN, MASK, barrier, ANIMALS, permeability=[p], rng=rng), (MASK,), (barrier,), (), SCOPE
    )


def ask(given: PermeabilityInputs, settings: PermeabilitySettings = POOLED, **more: Any) -> Answer:
    return ENGINE.answer(given, settings, **{"rng": stream(1, "x"), "progress": lambda _: None, **more})


def rules(answer: Answer) -> set[str]:
    found = answer.refusal.findings if answer.refusal else answer.findings
    return {finding.rule for finding in found}


def have(answer: Answer) -> Mapping[str, object]:
    assert answer.refusal is not None
    return answer.refusal.have


def test_it_says_what_the_functions_say_and_numbers_of_animals_beside_it() -> None:
    given = inputs(0.5)
    answer = ask(given)
    number = permeability(fit_permeability(given.histories, given.masks, [LINE], Model("HHN")), "permeability.border")
    told = answer["permeability.border"]
    assert told.value == pytest.approx(number.value, abs=2e-3)
    assert told.low == pytest.approx(number.low, abs=5e-3)
    assert told.high == pytest.approx(number.high, abs=5e-3)
    assert told.unit == "share"
    low, high = answer["N"].low, answer["N"].high
    assert low is not None
    assert high is not None
    assert low < 3.25 * MASK.area_km2 / 100 < high, "the simulated density is in the interval"
    assert answer["crossed.border"].scope.kind == LISTED
    assert answer["near.border"].value >= answer["crossed.border"].value > 0


def test_several_barriers_have_a_number_each() -> None:
    river = Barrier("river", shapely.LineString([(-60_000, 500), (60_000, 500)]))
    answer = ask(replace(inputs(0.2), barriers=(LINE, river)))
    border, open_river = answer["permeability.border"], answer["permeability.river"]
    assert border.high is not None
    assert border.low is not None
    assert border.low < 0.2 < border.high < 1
    assert open_river.high == 1, "nothing was simulated along the river"
    assert answer.tables["barriers"]["barrier"].to_list() == ["border", "river"]


def test_shares_of_use_that_run_straight_through_the_barrier_are_not_told() -> None:
    heads = {e.quantity.partition(".")[0] for e in ask(inputs(0.5)).estimates}
    assert not heads & {"N_use", "resident", "shared"}


def test_the_profile_is_highest_at_the_estimate_and_falls_on_both_sides() -> None:
    answer = ask(inputs(0.5), replace(POOLED, profile_points=9))
    table = answer.tables["profile"]
    assert table["permeability"].to_list() == sorted(table["permeability"])
    assert table["permeability"][0] == 0
    assert table["permeability"][-1] == 1
    top = int(np.argmax(table["support"].to_numpy()))
    assert table["permeability"][top] == pytest.approx(answer["permeability.border"].value)
    assert (np.diff(table["support"].to_numpy()[: top + 1]) >= 0).all()
    assert (np.diff(table["support"].to_numpy()[top:]) <= 0).all()


def test_cameras_of_one_side_are_refused_and_told_that_they_do_not_reach_across() -> None:
    given = inputs(1.0)
    answer = ask(replace(given, barriers=(Barrier("river", shapely.LineString([(5e4, -9e4), (5e4, 9e4)])),)))
    assert answer.refusal is not None
    assert answer.refusal.question == ENGINE.name
    assert have(answer)["animals_near"] == 0
    assert answer.refusal.need["animals_near"] == 5
    assert not answer.estimates
    assert "permeability-not-across" in rules(answer)


def test_without_an_animal_on_both_sides_the_question_is_refused_unless_both_sides_were_compared() -> None:
    given = inputs(0.0, seed=3)
    declined = ask(given)
    assert have(declined)["animals_on_both_sides"] == 0
    assert rules(declined) == {"permeability-few-shared"}
    told = ask(given, replace(POOLED, min_shared=0))
    assert told["permeability.border"].value == 0
    assert told["permeability.border"].low == 0
    assert (told["permeability.border"].high or 1) < 0.5
    assert "permeability-nobody-crossed" in rules(told)


def test_animals_caught_once_are_too_thin_for_any_spatial_model() -> None:
    given = inputs(0.5)
    history = given.histories[0]
    once = history.captures.unique("individual", keep="first", maintain_order=True)
    answer = ask(replace(given, histories=(replace(history, captures=once),)))
    assert have(answer)["spatial_recaptures"] == 0
    assert answer.refusal is not None
    assert answer.refusal.question == ENGINE.name
    assert "population.scr" not in answer.refusal.instead


def test_data_that_agree_with_both_ends_are_told_to_say_nothing() -> None:
    """A passage beside every camera: what comes straight and what comes round cannot be told apart."""
    sieve = LINE
    for y_m in range(-60_000, 60_001, 6_000):
        sieve = sieve.with_passage(0, y_m, 300)
    answer = ask(inputs(0.5, barrier=sieve))
    number = answer["permeability.border"]
    assert (number.low, number.high) == (0, 1)
    assert "permeability-unclear" in rules(answer)
    assert all(f.severity is not Severity.ERROR for f in answer.findings)


def test_everything_wrong_is_told_at_once_and_no_passage_is_placed() -> None:
    bad = (
        LINE.with_passage(30_000, 123_456, 100),
        LINE,
        Barrier("dots", shapely.MultiPoint([(0, 0), (1, 1)])),
    )
    with pytest.raises(InputError) as caught:
        ask(replace(inputs(0.5), barriers=bad))
    told = {finding.rule for finding in caught.value.findings}
    assert told == {"permeability-passage-apart", "permeability-named-twice", "permeability-no-line"}
    assert "123456" not in str(caught.value)


def test_a_river_drawn_to_the_metre_says_the_same_as_its_course() -> None:
    y = np.linspace(-300_000, 300_000, 6_001)
    wiggly = Barrier("border", shapely.LineString(np.column_stack([5 * np.sin(y / 40), y])))
    given = inputs(0.5)
    fine, straight = (ask(replace(given, barriers=(b,)))["permeability.border"] for b in (wiggly, LINE))
    assert fine.value == pytest.approx(straight.value, abs=0.02)
    assert fine.high == pytest.approx(straight.high, abs=0.02)


def test_thinning_a_line_puts_no_camera_on_the_other_side_and_keeps_passages_as_wide() -> None:
    rng = stream(4, "tests.permeability.engine")
    y = np.linspace(-40_000, 40_000, 400)
    river = Barrier("river", shapely.LineString(np.column_stack([800 * np.sin(y / 900), y]))).with_passage(0, 0, 3_000)
    places = rng.uniform(-20_000, 20_000, (60, 2))
    thin = worked(river, places, places, 4_000.0)
    assert sum(map(len, thin.solid)) < 0.5 * sum(map(len, river.solid))
    straight = way_m(places, places, ())
    assert ((way_m(places, places, [thin]) > straight) == (way_m(places, places, [river]) > straight)).mean() > 0.995
    side = [shapely.LineString([p, (1e5, p[1])]) for p in places]
    whole = [len(shapely.get_parts(shapely.intersection(s, shapely.union_all(_lines(river))))) % 2 for s in side]
    after = [len(shapely.get_parts(shapely.intersection(s, shapely.union_all(_lines(thin))))) % 2 for s in side]
    assert whole == after
    ends = sorted(float(np.abs(piece[[0, -1], 1]).min()) for piece in thin.solid)
    assert ends == pytest.approx(sorted(float(np.abs(piece[[0, -1], 1]).min()) for piece in river.solid))


def _lines(barrier: Barrier) -> list[shapely.LineString]:
    return [shapely.LineString(piece) for piece in barrier.solid]


def test_how_often_two_such_surveys_would_see_it_close_is_told_where_it_is_asked() -> None:
    asked = replace(POOLED, closing=(1.0, 0.0), closing_pairs=3)
    kept: dict[str, Any] = {}
    answer = ask(inputs(1.0), asked, checkpoint=kept)
    power = answer["power.border"]
    assert power.low is not None
    assert power.high is not None
    assert 0 <= power.low <= power.value <= power.high <= 1
    assert answer.tables["power"]["pairs"].to_list() == [3]
    assert answer["animals_needed.border"].unit == "animals"
    assert len(kept["pairs.border"]) == 3


def test_pairs_that_were_simulated_before_a_stop_are_not_simulated_again() -> None:
    asked = replace(POOLED, closing=(1.0, 0.0), closing_pairs=2)
    kept: dict[str, Any] = {}

    def stop(share: float) -> None:
        if 0.7 < share < 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        ask(inputs(1.0), asked, checkpoint=kept, progress=stop)
    assert len(kept["pairs.border"]) == 1
    first = kept["pairs.border"][0]
    resumed = ask(inputs(1.0), asked, checkpoint=kept)
    assert kept["pairs.border"][0] == first
    assert resumed["power.border"] == ask(inputs(1.0), asked)["power.border"]


def two_years(before: float, after: float) -> PermeabilityInputs:
    rng = stream(6, "tests.permeability.engine")
    histories = simulate_survey(PLAN, MASK, LINE, ANIMALS, permeability=[before, after], rng=rng)
    named = tuple(replace(h, session=year) for h, year in zip(histories, ("2024", "2025.5"), strict=True))
    return PermeabilityInputs(named, (MASK,), (LINE,), (), SCOPE)


def test_each_period_has_its_permeability_and_two_are_compared() -> None:
    answer = ask(two_years(1.0, 0.1), replace(POOLED, each_period=True, formulas=("D ~ session",)))
    before, after = answer["permeability.border.2024"], answer["permeability.border.2025-5"]
    assert before.value > after.value
    (row,) = answer.tables["change"].to_dicts()
    assert row["before"] == pytest.approx(before.value, abs=0.01)
    assert row["after"] == pytest.approx(after.value, abs=0.01)
    assert row["p_closing"] < 0.05
    assert answer["crossed.border.2024"].value > answer["crossed.border.2025-5"].value
    assert answer["crossed.border.2024"].unit == "animals"
    assert answer.tables["profile"]["barrier"].unique().sort().to_list() == ["border.2024", "border.2025-5"]


def test_periods_that_are_not_asked_apart_share_one_permeability() -> None:
    answer = ask(two_years(0.6, 0.6))
    assert "permeability.border" in answer
    assert "change" not in answer.tables
    assert answer["crossed.border"].unit == "animal_sessions"


def test_a_period_in_which_too_few_came_near_is_refused_though_the_other_is_rich() -> None:
    given = two_years(1.0, 1.0)
    last = given.histories[1]
    few = last.individuals["individual"].head(3).to_list()
    captures, animals = (t.filter(t["individual"].is_in(few)) for t in (last.captures, last.individuals))
    thin = replace(last, captures=captures, individuals=animals)
    answer = ask(replace(given, histories=(given.histories[0], thin)), replace(POOLED, each_period=True))
    assert answer.refusal is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"closing": (0.2, 0.5)},
        {"closing": (1.0,)},
        {"min_shared": -1},
        {"profile_points": 1},
        {"closing_pairs": 0},
        {"closing_alpha": 0.0},
        {"level": 1.0},
        {"lambda0": ("weather",)},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)).partition("_")[0]):
        PermeabilitySettings(**wrong)
