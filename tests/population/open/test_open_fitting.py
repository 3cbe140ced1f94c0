from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.special import expit, logit
from scipy.stats import chi2

from sharedrange.core.chance import stream
from sharedrange.core.errors import InputError
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.population.open import (
    OpenFit,
    OpenSettings,
    YearsDesign,
    fit,
    of_party,
    profile_interval,
    simulate_years,
)
from sharedrange.population.open.evaluate import Evaluator

PLAIN = OpenSettings(density="~ 1", lambda0="~ 1", sigma="~ 1")


def value(found: OpenFit, name: str) -> tuple[float, float]:
    """A coefficient and its standard error."""
    place = found.names.index(name)
    return float(found.beta[place]), float(np.sqrt(found.beta_covariance[place, place]))


def test_simulated_rates_are_found_again(design: YearsDesign) -> None:
    truths = {
        "phi": float(logit(design.survival)),
        "f": float(np.log(design.recruits)),
        "sigma_move": float(np.log(design.move_m)),
        "D": float(np.log(design.density_per_100km2)),
        "sigma": float(np.log(design.sigma_m)),
        "lambda0": float(np.log(design.lambda0)),
    }
    many = replace(design, density_per_100km2=5.0, years=4)
    truths["D"] = float(np.log(5.0))
    off: dict[str, list[float]] = {name: [] for name in truths}
    for seed in range(12):
        histories, _ = simulate_years(many, stream(seed, "found-again"))
        found = fit(histories, many.mask(), PLAIN)
        for name, truth in truths.items():
            estimate, se = value(found, name)
            off[name].append((estimate - truth) / se)
    for name, errors in off.items():
        # 12 standard normal deviates: mean within 3 / sqrt(12); beyond 1.96 in no more than 3
        assert abs(np.mean(errors)) < 3 / np.sqrt(12), name
        assert (np.abs(errors) < 1.96).sum() >= 9, name


def test_where_the_survey_lies_and_how_animals_are_called_changes_nothing(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    away = (pl.col("x_m") + 500_000.0, pl.col("y_m") - 4_000_000.0)
    renamed = pl.format("z{}", 9999 - pl.col("individual").str.slice(-4).cast(pl.Int64)).alias("individual")
    moved = tuple(
        replace(
            h,
            detectors=h.detectors.with_columns(*away).reverse(),
            individuals=h.individuals.with_columns(renamed),
            captures=h.captures.with_columns(renamed).reverse(),
        )
        for h in histories
    )
    mask = design.mask()
    there = Mask(
        mask.x_m[::-1] + 500_000.0,
        mask.y_m[::-1] - 4_000_000.0,
        mask.cell_area_km2,
        mask.side[::-1],
        mask.surveyed,
        mask.open_edge,
    )
    here = fit(histories, mask, PLAIN)
    assert fit(moved, there, PLAIN).log_likelihood == pytest.approx(here.log_likelihood, abs=1e-6)


def test_rates_are_annual_whatever_the_time_between_surveys(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    yearly = fit(histories, design.mask(), PLAIN)
    every_other = fit(histories, design.mask(), PLAIN, times=(2011.0, 2013.0, 2015.0))
    assert every_other.log_likelihood == pytest.approx(yearly.log_likelihood, abs=1e-5)
    assert expit(value(every_other, "phi")[0]) ** 2 == pytest.approx(expit(value(yearly, "phi")[0]), rel=1e-3)
    assert np.exp(value(every_other, "f")[0]) * 2 == pytest.approx(np.exp(value(yearly, "f")[0]), rel=1e-3)
    moved = np.exp(value(every_other, "sigma_move")[0]) * np.sqrt(2)
    assert moved == pytest.approx(np.exp(value(yearly, "sigma_move")[0]), rel=1e-3)


@pytest.mark.parametrize(
    "richer", [{"survival": "~ year"}, {"dispersal": "~ t"}, {"density": "~ side"}, {"lambda0": "~ party + year"}]
)
def test_a_richer_model_is_never_less_likely(
    richer: dict[str, str], histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    null = fit(histories, design.mask(), PLAIN).log_likelihood
    assert fit(histories, design.mask(), replace(PLAIN, **richer)).log_likelihood >= null - 1e-6  # type: ignore[arg-type]  # formulas, all text


def test_models_with_and_without_movement_meet_where_the_step_vanishes(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    moving = fit(histories, design.mask(), PLAIN)
    still = fit(histories, design.mask(), replace(PLAIN, movement="none"))
    theta = np.insert(still.theta, moving.names.index("sigma_move"), np.log(0.1 * design.cell_m))
    assert Evaluator(moving.design).at(theta).log_likelihood == pytest.approx(
        Evaluator(still.design).at(still.theta).log_likelihood, abs=1e-6
    )
    assert moving.log_likelihood > still.log_likelihood


def test_a_population_that_nobody_leaves_or_joins_ends_at_the_limits() -> None:
    closed = YearsDesign(survival=1.0, recruits=0.0, lambda0=0.2, watched=1.0, move_m=1_500.0, cell_m=2_500.0)
    histories, _ = simulate_years(closed, stream(3, "closed"))
    found = fit(histories, closed.mask(), PLAIN)
    assert set(found.at_limit) == {"phi", "f"}
    low, high = profile_interval(found, "phi", 0.95)
    assert high == np.inf
    assert 0.9 < expit(low) < 1.0
    low, high = profile_interval(found, "f", 0.95)
    assert low == -np.inf
    assert 0.0 < np.exp(high) < 0.1


def test_profile_limits_lie_where_the_deviance_is_critical(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    found = fit(histories, design.mask(), PLAIN)
    estimate, se = value(found, "phi")
    low, high = profile_interval(found, "phi", 0.95)
    assert low < estimate < high
    assert (high - low) / (2 * 1.96 * se) == pytest.approx(1.0, abs=0.15)
    place, evaluator = found.names.index("phi"), Evaluator(found.design)
    for limit in (low, high):
        shift = found.covariance[:, place] / found.covariance[place, place] * (limit - estimate)
        near = evaluator.at(found.theta + shift).log_likelihood + found.design.data.log_constant
        # the others at their conditional means are all but at their best: never better, hardly worse
        assert 2 * (found.log_likelihood - near) == pytest.approx(chi2.ppf(0.95, 1), rel=0.1)


def test_every_contradiction_between_years_is_told_at_once(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    first, second, third = histories
    sex = [pl.lit(s).alias("sex") for s in ("male", "female")]
    wrong = (
        replace(first, individuals=first.individuals.with_columns(sex[0])),
        replace(second, session=first.session, individuals=second.individuals.with_columns(sex[1])),
        third,
    )
    with pytest.raises(InputError) as caught:
        fit(wrong, design.mask(), PLAIN, times=(3.0, 2.0))
    rules = {finding.rule for finding in caught.value.findings}
    assert rules == {"open-year-twice", "open-sex-differs", "open-times-unusable"}


def test_a_formula_whose_columns_cannot_be_told_apart_is_told(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    with pytest.raises(InputError) as caught:
        fit(histories, design.mask(), replace(PLAIN, survival="~ t + t^2 + year"))
    assert caught.value.findings[0].rule == "open-formula-unusable"


def test_traps_that_hold_the_animal_have_another_likelihood(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    with pytest.raises(InputError) as caught:
        fit((replace(histories[0], kind="multi"), *histories[1:]), design.mask(), PLAIN)
    assert "scr-kind-unsupported" in [finding.rule for finding in caught.value.findings]


def test_movement_between_very_many_scattered_points_is_not_tried(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    x, y = np.random.default_rng(1).uniform(-15_000.0, 15_000.0, (2, 5_001))
    nowhere = np.zeros(len(x), dtype=bool)
    scattered = Mask(x, y, 0.18, np.full(len(x), "north"), ~nowhere, nowhere)
    with pytest.raises(InputError) as caught:
        fit(histories, scattered, PLAIN)
    assert [finding.rule for finding in caught.value.findings] == ["open-mask-scattered"]


def test_detectors_may_move_between_years_and_rest_for_a_year(design: YearsDesign) -> None:
    histories, _ = simulate_years(design, stream(5, "resting"))
    rested = of_party(histories[1:2], "north")
    shifted = replace(histories[2], detectors=histories[2].detectors.with_columns(pl.col("x_m") + 1_000.0))
    effort = histories[0].effort.copy()
    caught = set(histories[0].captures["detector"])
    idle = [j for j, name in enumerate(histories[0].detectors["detector"]) if name not in caught]
    effort[idle] = 0.0
    effort[:, 0] *= np.where(effort[:, 0] > 0, 0.5, 1.0)
    found = fit((replace(histories[0], effort=effort), *rested, shifted), design.mask(), PLAIN)
    assert np.isfinite(found.log_likelihood)
    assert np.abs(found.gradient).max() < 1e-3


def test_a_year_in_which_nothing_was_seen_is_a_year(design: YearsDesign) -> None:
    histories, _ = simulate_years(design, stream(5, "empty"))
    quiet = replace(histories[1], individuals=histories[1].individuals.clear(), captures=histories[1].captures.clear())
    short = replace(quiet, effort=np.full(quiet.effort.shape, 1e-3))
    found = fit((histories[0], short, histories[2]), design.mask(), PLAIN)
    skipped = fit((histories[0], histories[2]), design.mask(), PLAIN, times=(0.0, 2.0))
    assert value(found, "phi")[0] == pytest.approx(value(skipped, "phi")[0], abs=0.1)
    assert value(found, "sigma_move")[0] == pytest.approx(value(skipped, "sigma_move")[0], abs=0.1)


def phis(data: Sequence[CaptureHistory], design: YearsDesign, settings: OpenSettings) -> tuple[float, float]:
    """Survival and the width of its interval (Wald on the logit scale)."""
    found = fit(data, design.mask(), settings)
    eta, se = value(found, "phi")
    return float(expit(eta)), float(expit(eta + 1.96 * se) - expit(eta - 1.96 * se))


def test_one_side_without_space_takes_crossing_for_death_and_both_sides_narrow_survival() -> None:
    movers = YearsDesign(
        width_m=50_000.0,
        height_m=50_000.0,
        cell_m=2_500.0,
        years=4,
        density_per_100km2=3.0,
        survival=0.85,
        recruits=0.15,
        move_m=9_000.0,
        watched=0.9,
        lambda0=0.08,
    )
    joint, alone, flat = [], [], []
    for seed in range(5):
        histories, _ = simulate_years(movers, stream(seed, "crossing"))
        north = of_party(histories, "north")
        joint.append(phis(histories, movers, PLAIN))
        alone.append(phis(north, movers, PLAIN))
        flat.append(phis(north, movers, replace(PLAIN, spatial=False)))
    (joint_phi, joint_width), (alone_phi, alone_width), (flat_phi, _) = (
        np.mean(v, axis=0) for v in (joint, alone, flat)
    )
    assert joint_phi == pytest.approx(movers.survival, abs=0.05)
    assert alone_phi == pytest.approx(movers.survival, abs=0.08)
    assert flat_phi < movers.survival - 0.1
    assert alone_width > 1.4 * joint_width
