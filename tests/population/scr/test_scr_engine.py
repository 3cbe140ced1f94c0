"""What the engine answers, declines, warns of and promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from sharedrange.core.answer import Answer, Scope
from sharedrange.core.engine import read_settings
from sharedrange.core.errors import Cancelled, InputError, ProgrammeError
from sharedrange.core.finding import Severity
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.progress import silent
from sharedrange.population.scr import ENGINE, ScrInputs, ScrSettings

Make = Callable[..., Any]
SIDES = ("west", "east")


def rules(answer: Answer) -> set[str]:
    return {f.rule for f in answer.findings}


def _se(answer: Answer, quantity: str) -> float:
    se = answer[quantity].se
    assert se is not None
    return se


def only(history: CaptureHistory, captures: pl.DataFrame) -> CaptureHistory:
    """`history` with some of its captures, and only the animals that are in them."""
    seen = captures["individual"].unique().to_list()
    return replace(history, captures=captures, individuals=history.individuals.filter(pl.col("individual").is_in(seen)))


def answer_of(histories: tuple[CaptureHistory, ...], mask: Mask, **settings: Any) -> Answer:
    inputs = ScrInputs(histories, (mask,), SIDES, Scope(taxon="Panthera tigris"))
    return ENGINE.answer(inputs, ScrSettings(**settings), rng=np.random.default_rng(0), progress=silent)


# --- what is answered ---


def test_the_truth_is_recovered_on_both_sides(world: Make, answered: Make) -> None:
    covered, ratios = 0, []
    for seed in range(6):
        made = world(seed, density_per_100km2=(3.0, 1.5), lambda0=(0.08, 0.05))
        found = answered(made, lambda0=("party",), sigma=())
        for side in SIDES:
            number = found[f"N.{side}"]
            covered += number.low <= made.truth[side] <= number.high
        ratios.append(found["N"].value / sum(made.truth.values()))
    assert covered >= 10
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.12)


def test_sexes_that_move_differently_are_told_apart(world: Make, answered: Make) -> None:
    made = world(4, density_per_100km2=(4.0, 4.0), sigma_m=(2000.0, 4000.0), sex_missing=0.3, lambda0=(0.1, 0.1))
    found = answered(made)
    assert found["sigma.female"].low < 2000.0 < found["sigma.female"].high
    assert found["sigma.male"].low < 4000.0 < found["sigma.male"].high
    assert found["psi_male"].low < 0.4 < found["psi_male"].high
    assert "scr-sex-missing" in rules(found)
    unknown = found.tables["animals"].filter(pl.col("sex").is_null())["probability_male"]
    known = found.tables["animals"].filter(pl.col("sex") == "male")["probability_male"]
    assert known.to_list() == [1.0] * known.len()
    assert unknown.is_between(0.0, 1.0).all()
    assert unknown.is_between(0.05, 0.95).any()


def test_effort_gaps_matter(world: Make, answered: Make) -> None:
    made = world(5, gaps=0.5)
    ignored = replace(made, history=replace(made.history, effort=np.ones_like(made.history.effort)))
    settings = {"lambda0": (), "sigma": (), "density": "pooled"}
    right, wrong = answered(made, **settings)["lambda0"], answered(ignored, **settings)["lambda0"]
    assert right.low < 0.08 < right.high
    assert wrong.value == pytest.approx(right.value / 2, rel=0.1)


def test_counts_tell_the_same_story(world: Make, answered: Make) -> None:
    made = world(6, kind="count", gaps=0.2)
    found = answered(made, lambda0=(), sigma=())
    assert found["lambda0"].low < 0.08 < found["lambda0"].high
    assert found["N"].low <= sum(made.truth.values()) <= found["N"].high


def test_sides_add_up_to_the_whole(plain: Any) -> None:
    _, found = plain
    for prefix in ("N", "N_use"):
        assert sum(found[f"{prefix}.{s}"].value for s in SIDES) == pytest.approx(found["N"].value)
    residents = sum(found[f"resident.{s}"].value for s in SIDES)
    assert residents + found["shared"].value == pytest.approx(found["N"].value)
    assert found["N.surveyed"].value + found["N.extrapolated"].value == pytest.approx(found["N"].value)
    joint = found["N.west"] + found["N.east"]
    assert joint.value == pytest.approx(found["N"].value)


def test_realised_numbers_never_fall_below_the_animals_seen(plain: Any) -> None:
    made, found = plain
    low = found["N"].low
    assert low is not None
    assert low > made.history.n_individuals


def test_each_animal_is_somewhere(plain: Any) -> None:
    made, found = plain
    animals = found.tables["animals"]
    assert animals["individual"].to_list() == made.history.individuals["individual"].to_list()
    use = animals["share_west"] + animals["share_east"]
    status = animals["resident_west"] + animals["resident_east"] + animals["shared"]
    assert use.to_numpy() == pytest.approx(np.ones(len(use)))
    assert status.to_numpy() == pytest.approx(np.ones(len(use)))


def test_the_density_table_holds_the_mask_as_delivered(plain: Any) -> None:
    made, found = plain
    table = found.tables["density"]
    assert table["x_m"].to_list() == made.mask.x_m.tolist()
    total = table["density_per_100km2"].sum() * made.mask.cell_area_km2 / 100
    assert total == pytest.approx(found["N"].value)


def test_sessions_share_parameters_and_report_one_sessions_number(world: Make) -> None:
    first, second = world(7), world(8)
    other = replace(second.history, session="2")
    settings: dict[str, Any] = {"lambda0": (), "sigma": (), "density": "pooled"}
    both = answer_of((first.history, other), first.mask, **settings)
    alone = answer_of((first.history,), first.mask, **settings)
    assert _se(both, "N") < _se(alone, "N")
    assert both["n"].value == first.history.n_individuals + other.n_individuals
    assert both["n.2"].value == other.n_individuals
    assert both["N"].value == pytest.approx(both["N_expected"].value, rel=1e-6)
    twice = answer_of((first.history, replace(first.history, session="2")), first.mask, **settings)
    assert twice["N"].value == pytest.approx(alone["N"].value, rel=1e-4)
    assert _se(twice, "N") == pytest.approx(_se(alone, "N") / np.sqrt(2), rel=0.02)


def test_a_session_in_which_nobody_was_caught_counts_as_well(world: Make) -> None:
    made = world(7)
    nobody = replace(
        made.history,
        session="2",
        captures=made.history.captures.clear(),
        individuals=made.history.individuals.clear(),
    )
    settings: dict[str, Any] = {"lambda0": (), "sigma": (), "density": "pooled"}
    both = answer_of((made.history, nobody), made.mask, **settings)
    alone = answer_of((made.history,), made.mask, **settings)
    assert both["N"].value == pytest.approx(alone["N"].value / 2, rel=1e-4)


def test_use_of_space_spreads_over_the_border(world: Make, answered: Make) -> None:
    made = world(9, density_per_100km2=(6.0, 0.5))
    found = answered(made, lambda0=(), sigma=())
    assert found["N_use.east"].value > found["N.east"].value
    assert found["N_use.west"].value < found["N.west"].value


# --- whose side gets a number ---


def test_a_side_without_data_gets_no_number_but_enters_the_integral(world: Make, answered: Make) -> None:
    made = world(10)
    found = answered(made, ("west",), lambda0=(), sigma=())
    named = [e.quantity for e in found.estimates]
    assert not [name for name in named if "east" in name]
    assert found["N"].value == pytest.approx(found["N.west"].value)
    assert set(found.tables["density"]["side"]) == {"west"}
    assert "share_east" not in found.tables["animals"].columns
    assert found["N"].value < made.history.n_individuals * 2


def test_places_on_no_reported_side_take_the_density_of_the_nearest(world: Make, answered: Make) -> None:
    made = world(11, density_per_100km2=(3.0, 1.0))
    side = made.mask.side.copy()
    border = np.abs(made.mask.x_m - 10500.0)
    side[border < 1200.0] = ""
    strip = replace(made, mask=replace(made.mask, side=side))
    found = answered(strip, lambda0=(), sigma=())
    assert "" not in set(found.tables["density"]["side"])
    assert found["N.west"].value > found["N.east"].value


def test_sides_of_which_none_is_on_the_mask_are_an_error(world: Make, answered: Make) -> None:
    with pytest.raises(InputError, match="scr-side-unknown"):
        answered(world(1), ("north",))


def test_sides_must_be_named_where_the_mask_has_them(world: Make, answered: Make) -> None:
    with pytest.raises(InputError, match="scr-no-side"):
        answered(world(1), ())


def test_without_sides_the_whole_mask_is_counted(world: Make, answered: Make) -> None:
    made = world(12)
    blank = replace(made, mask=replace(made.mask, side=np.full(len(made.mask), "")))
    found = answered(blank, (), lambda0=(), sigma=())
    assert found["N"].value == pytest.approx(found["D"].value * made.mask.area_km2 / 100)
    assert "shared" not in found


def test_a_side_beyond_the_mask_gets_a_warning_and_no_number(world: Make, answered: Make) -> None:
    found = answered(world(1), ("west", "east", "north"), lambda0=(), sigma=())
    assert [f.facts["side"] for f in found.findings if f.rule == "scr-side-not-on-mask"] == ["north"]
    assert "N.north" not in found
    assert "N.west" in found


# --- what is pooled ---


def test_unlike_cameras_pooled_are_flagged(world: Make, answered: Make) -> None:
    made = world(13, lambda0=(0.12, 0.03), density_per_100km2=(3.0, 3.0))
    pooled = answered(made, lambda0=(), sigma=(), density="pooled")
    doubts = [f for f in pooled.findings if f.rule == "scr-pooling-doubtful"]
    assert ("lambda0", "party") in {(f.facts["parameter"], f.facts["term"]) for f in doubts}
    assert all(f.severity is Severity.WARNING for f in doubts)
    tests = pooled.tables["tests"].filter(parameter="lambda0", term="party")
    assert tests["p_value"].item() < 0.001
    assert tests["df"].item() == 1


def test_pooled_sides_are_wrong_and_split_sides_right_across_unlike_cameras(world: Make, answered: Make) -> None:
    made = world(13, lambda0=(0.12, 0.03), density_per_100km2=(3.0, 3.0))
    split = answered(made, lambda0=("party",), sigma=())
    assert split["N.east"].low <= made.truth["east"] <= split["N.east"].high
    assert split["N.west"].low <= made.truth["west"] <= split["N.west"].high


def test_an_alpha_of_zero_asks_for_no_tests(world: Make, answered: Make) -> None:
    found = answered(world(13, lambda0=(0.12, 0.03)), lambda0=(), sigma=(), density="pooled", pool_alpha=0.0)
    assert found.tables["tests"].height == 0
    assert "scr-pooling-doubtful" not in rules(found)


def test_the_statistic_is_twice_the_gain_of_the_richer_fit(world: Make, answered: Make) -> None:
    made = world(14, sex_missing=0.3)
    split = answered(made, lambda0=("party",), sigma=(), density="pooled")
    pooled = answered(made, lambda0=(), sigma=(), density="pooled")
    gain = split.tables["fit"]["log_likelihood"].item() - pooled.tables["fit"]["log_likelihood"].item()
    statistic = pooled.tables["tests"].filter(parameter="lambda0", term="party")["statistic"].item()
    assert statistic == pytest.approx(2 * gain, abs=1e-4)


def test_a_test_of_sex_does_not_count_that_sexes_are_known(world: Make, answered: Make) -> None:
    made = world(15, sex_missing=0.2, density_per_100km2=(4.0, 4.0))
    found = answered(made, lambda0=(), sigma=(), density="pooled").tables["tests"]
    assert found.filter(term="sex")["df"].to_list() == [1, 1]
    assert found.filter(term="sex")["statistic"].max() < 10.83  # alike sexes: a 0.1 % point of chi-squared
    assert found["statistic"].min() >= 0


def test_terms_that_the_data_cannot_have_are_dropped_and_said(world: Make, answered: Make) -> None:
    made = world(16, sex_missing=1.0)
    one = replace(made.history, detectors=made.history.detectors.with_columns(pl.lit("west").alias("party")))
    found = answered(replace(made, history=one))
    dropped = {(f.facts["parameter"], f.facts["term"]) for f in found.findings if f.rule == "scr-term-dropped"}
    assert dropped == {("lambda0", "party"), ("lambda0", "sex"), ("sigma", "sex")}
    assert found.tables["fit"]["lambda0"].item() == "1"


# --- what is declined ---


def test_fourteen_detections_are_declined_whatever_the_animals(world: Make) -> None:
    made = world(17)
    for animals in range(1, 15):
        rows = made.history.captures.head(14).with_columns(
            pl.Series("individual", [made.history.individuals["individual"][i % animals] for i in range(14)]),
            pl.Series("occasion", range(1, 15), dtype=pl.Int32),
        )
        found = answer_of((only(made.history, rows),), made.mask)
        assert found.refusal is not None
        assert not found.estimates
        assert found.refusal.instead == ("population.minimum", "population.rates")
        assert found.refusal.have["detections"] == 14


def test_two_detections_are_declined(world: Make) -> None:
    made = world(17)
    found = answer_of((only(made.history, made.history.captures.head(2)),), made.mask)
    assert found.refusal is not None
    assert set(found.refusal.need) <= set(found.refusal.have)


def test_without_recaptures_at_other_places_the_question_is_declined(world: Make) -> None:
    made = world(18)
    first = made.history.captures.group_by("individual", maintain_order=True).agg(pl.col("detector").first())
    at_home = made.history.captures.join(first, on=["individual", "detector"], how="semi")
    home = only(made.history, at_home)
    assert home.n_recaptures >= 10
    found = answer_of((home,), made.mask)
    assert found.refusal is not None
    assert found.refusal.have["spatial_recaptures"] == 0


def test_few_recaptures_are_answered_with_a_warning(world: Make, answered: Make) -> None:
    made = world(19)
    found = answered(made, lambda0=(), sigma=(), few_recaptures=made.history.n_recaptures + 1)
    assert "scr-few-recaptures" in rules(found)
    assert "scr-few-recaptures" not in rules(answered(made, lambda0=(), sigma=()))


# --- what a mask must be ---


def test_a_mask_that_ends_too_near_is_warned_of(plain: Any, answered: Make) -> None:
    made, found = plain
    near = (np.abs(made.mask.x_m - 10500) < 13000) & (np.abs(made.mask.y_m - 10500) < 13000)
    clipped = answered(replace(made, mask=made.mask.where(near)), lambda0=(), sigma=())
    assert "scr-buffer-small" in rules(clipped)
    assert "scr-buffer-small" not in rules(found)
    facts = next(f.facts for f in clipped.findings if f.rule == "scr-buffer-small")
    wide, narrow = (a.tables["density"]["density_per_100km2"].mean() for a in (found, clipped))
    assert facts["bias_percent"] == pytest.approx(100 * (narrow / wide - 1), rel=0.2)
    assert 5000 < facts["buffer_m"] <= 12000


def test_a_mask_too_coarse_for_sigma_is_warned_of(plain: Any, answered: Make) -> None:
    made, found = plain
    at = np.arange(-10000.0, 32000.0, 4000.0)
    x, y = (a.ravel() for a in np.meshgrid(at, at))
    coarse = Mask(x, y, 16.0, np.where(x < 10500, "west", "east"), np.ones(len(x), dtype=bool))
    assert "scr-mask-coarse" in rules(answered(replace(made, mask=coarse), lambda0=(), sigma=()))
    assert "scr-mask-coarse" not in rules(found)


# --- wrong tables ---


def test_everything_wrong_is_said_at_once(world: Make) -> None:
    made = world(20)
    history = made.history
    broken = replace(
        history,
        kind="polygon",
        captures=pl.concat([history.captures, history.captures.head(1).with_columns(detector=pl.lit("nowhere"))]),
        individuals=pl.concat([history.individuals, history.individuals.head(1)]),
    )
    with pytest.raises(InputError) as caught:
        answer_of((broken,), made.mask)
    assert {f.rule for f in caught.value.findings} == {
        "scr-kind-unsupported",
        "scr-capture-unknown",
        "scr-listed-twice",
    }


def test_a_detection_where_nothing_ran_is_an_error(world: Make) -> None:
    made = world(20)
    dark = replace(made.history, effort=np.zeros_like(made.history.effort))
    with pytest.raises(InputError, match="scr-capture-without-effort"):
        answer_of((dark,), made.mask)


def test_two_detections_of_a_binary_detector_in_one_occasion_are_an_error(world: Make) -> None:
    made = world(20)
    double = made.history.captures.with_columns(pl.lit(2, dtype=pl.Int32).alias("count"))
    with pytest.raises(InputError, match="scr-count-unusable"):
        answer_of((replace(made.history, captures=double),), made.mask)


def test_binomial_counts_need_whole_efforts(world: Make) -> None:
    made = world(20, kind="count")
    half = replace(made.history, effort=made.history.effort * 2.5)
    with pytest.raises(InputError, match="scr-effort-not-whole"):
        answer_of((half,), made.mask, detection_function="HN")


@pytest.mark.parametrize(
    "given", [{"lambda0": ["camera"]}, {"level": 2.0}, {"resident_share": 0.4}, {"density": "flat"}]
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ProgrammeError):
        read_settings(ScrSettings, given)


# --- promises ---


def test_the_same_question_has_the_same_answer_stopped_or_not(world: Make) -> None:
    made = world(21)
    inputs = ScrInputs((made.history,), (made.mask,), SIDES)
    rng = np.random.default_rng(0)
    whole = ENGINE.answer(inputs, ScrSettings(), rng=rng, progress=silent)
    checkpoint: dict[str, Any] = {}
    calls = 0

    def impatient(share: float, /) -> None:
        nonlocal calls
        calls += 1
        if calls > 20:
            raise Cancelled

    with pytest.raises(Cancelled):
        ENGINE.answer(inputs, ScrSettings(), rng=rng, progress=impatient, checkpoint=checkpoint)
    assert len(checkpoint) >= 20
    resumed = ENGINE.answer(inputs, ScrSettings(), rng=rng, progress=silent, checkpoint=checkpoint)
    assert resumed.estimates == whole.estimates
    assert resumed.covariance == whole.covariance


def test_progress_rises_to_one(world: Make) -> None:
    made = world(22)
    seen: list[float] = []
    ENGINE.answer(
        ScrInputs((made.history,), (made.mask,), SIDES),
        ScrSettings(lambda0=(), sigma=()),
        rng=np.random.default_rng(0),
        progress=seen.append,
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
