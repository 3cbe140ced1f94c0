"""What fits promise: richer models end no lower, classes have one order, parameters can be held, samples refitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from sharedrange.core.engine import read_settings
from sharedrange.core.errors import DidNotConverge, InputError, ProgrammeError
from sharedrange.core.finding import Severity
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.population.scr import (
    Covariates,
    Fit,
    Model,
    ScrSettings,
    derived_density,
    fit,
    prepare_sessions,
    refit,
    split_model,
)
from sharedrange.population.scr.derived import Population, on_side
from sharedrange.population.scr.design import design
from sharedrange.population.scr.evaluating import evaluate_session
from sharedrange.population.scr.maximum import _Top
from sharedrange.population.scr.search import Climb, Peak

Make = Callable[..., Any]
Given = tuple[CaptureHistory, Mask, Covariates]


@pytest.fixture(scope="module")
def given(plain: Any) -> Given:
    made, _ = plain
    rng = np.random.default_rng(2)
    covariates = Covariates(
        mask=(pl.DataFrame({"height_m": 1500 + 0.01 * made.mask.y_m + rng.normal(0, 100, len(made.mask))}),),
        occasion=(pl.DataFrame({"rain": rng.normal(size=60)}),),
    )
    return made.history, made.mask, covariates


@pytest.fixture(scope="module")
def null(given: Given) -> Fit:
    history, mask, _ = given
    return fit((history,), (mask,), Model("HN"))


RICHER = (
    Model("HN", D="~ height_m"),
    Model("HN", D="~ x + y + x^2 + x:y"),
    Model("HN", lambda0="~ b"),
    Model("HN", lambda0="~ bk", sigma="~ bk"),
    Model("HN", lambda0="~ T + rain"),
    Model("HN", lambda0="~ party + log(effort)"),
    Model("HN", lambda0="~ h2"),
)


@pytest.mark.parametrize("model", RICHER[:5], ids=str)
def test_a_richer_model_never_ends_below_its_null(model: Model, given: Given, null: Fit) -> None:
    history, mask, covariates = given
    found = fit((history,), (mask,), model, covariates)
    assert found.comparable_log_likelihood >= null.comparable_log_likelihood - 1e-6
    assert np.linalg.eigvalsh(found.covariance).min() > 0


def test_latent_classes_that_end_below_the_simpler_model_are_a_fault(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = Climb.near

    def stuck(climb: Climb, start: Any, *left: float) -> Peak:
        peak = near(climb, start, *left)
        sought = "h2" in climb._label
        return replace(peak, beta=start, value=climb.height(start)) if sought else peak

    monkeypatch.setattr(Climb, "near", stuck)
    history, mask, _ = given
    with pytest.raises(DidNotConverge) as caught:
        fit((history,), (mask,), Model("HHN", lambda0="~ h2"))
    assert caught.value.finding.rule == "scr-below-null"
    assert caught.value.finding.facts["formulas"] == "lambda0 ~ h2"


def test_a_thinned_mask_that_leads_below_the_simpler_model_is_left_for_the_whole_one(
    world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world(41, sigma_m=(5000.0, 5000.0))
    model = Model("HN", D="~ y")
    honest = fit((made.history,), (made.mask,), model)
    assert honest.problem.thinned(honest.problem.start()) is not None
    reached = _Top.reached

    def astray(top: _Top, start: Any) -> Peak:
        return replace(reached(top, start), value=-1e4)

    monkeypatch.setattr(_Top, "reached", astray)
    found = fit((made.history,), (made.mask,), model)
    assert found.log_likelihood == pytest.approx(honest.log_likelihood, abs=1e-7)
    assert found.beta == pytest.approx(honest.beta, abs=1e-4)


def test_a_shape_that_the_data_do_not_bound_is_named(plain: Any) -> None:
    made, _ = plain
    rng = np.random.default_rng(8)
    x, y = (made.history.detectors[name].to_numpy() for name in ("x_m", "y_m"))
    centre_x, centre_y = (rng.uniform(a.min() - 3000, a.max() + 3000, 60)[:, None] for a in (x, y))
    reached = np.hypot(centre_x - x, centre_y - y) < 3000.0  # a disc: no fall is too steep for it
    seen = np.argwhere(reached[:, :, None] & (rng.random((*reached.shape, 60)) < 0.1))
    captures = pl.DataFrame(
        {
            "individual": [f"a{i}" for i in seen[:, 0]],
            "detector": made.history.detectors["detector"].gather(seen[:, 1]),
            "occasion": seen[:, 2] + 1,
            "count": 1,
        }
    )
    animals = pl.DataFrame({"individual": captures["individual"].unique(maintain_order=True), "sex": None})
    history = replace(made.history, captures=captures, individuals=animals, effort=np.ones((len(x), 60)))
    with pytest.raises(DidNotConverge) as caught:
        fit((history,), (made.mask,), Model("HR"))
    assert caught.value.finding.facts["parameter"] == "z"


def test_no_unit_of_a_covariate_matters(given: Given) -> None:
    history, mask, covariates = given
    kilometres = Covariates(mask=(covariates.mask[0].select(height_m=pl.col("height_m") / 1000 + 7),))
    metres = fit((history,), (mask,), Model("HN", D="~ height_m"), covariates)
    other = fit((history,), (mask,), Model("HN", D="~ height_m"), kilometres)
    assert other.log_likelihood == pytest.approx(metres.log_likelihood, abs=1e-7)
    slope = metres.names.index("D.height_m")
    assert other.beta[slope] == pytest.approx(1000 * metres.beta[slope], rel=1e-3)
    ratio = np.sqrt(other.covariance[slope, slope] / metres.covariance[slope, slope])
    assert ratio == pytest.approx(1000, rel=1e-3)


def test_two_kinds_of_animals_are_found_and_numbered_by_their_intensity(world: Make) -> None:
    rare, often = world(31, lambda0=(0.02, 0.02), density_per_100km2=(2.0, 2.0)), world(32, lambda0=(0.5, 0.5))
    both = _together(rare.history, often.history)
    found = fit((both,), (rare.mask,), Model("HHN", lambda0="~ h2"))
    alike = fit((both,), (rare.mask,), Model("HHN"))
    assert found.names == ("D", "lambda0", "lambda0.h2.2", "sigma", "pmix.2")
    assert found.beta[2] > 1.5
    assert found.log_likelihood > alike.log_likelihood + 20


def _together(one: CaptureHistory, other: CaptureHistory) -> CaptureHistory:
    """Two lots of animals at the same cameras."""
    renamed = pl.concat_str(pl.lit("x"), "individual").alias("individual")
    individuals = pl.concat([one.individuals, other.individuals.with_columns(renamed)])
    captures = pl.concat([one.captures, other.captures.with_columns(renamed)])
    return replace(one, individuals=individuals, captures=captures)


def test_classes_that_the_data_do_not_show_are_said_not_to_be_there(world: Make) -> None:
    made = world(33)
    with pytest.raises(DidNotConverge) as caught:
        fit((made.history,), (made.mask,), Model("HHN", sigma="~ h3"))
    assert caught.value.finding.rule in {"scr-mixture-flat", "scr-not-converged"}


def test_a_parameter_held_at_its_estimate_changes_nothing_and_elsewhere_costs(null: Fit) -> None:
    at = null.names.index("sigma")
    same = null.problem.maximise(null, {"sigma": float(null.beta[at])})
    assert same.value == pytest.approx(null.log_likelihood, abs=1e-6)
    away = null.problem.maximise(null, {"sigma": float(null.beta[at] + 2 * np.sqrt(null.covariance[at, at]))})
    assert away.beta[at] == null.beta[at] + 2 * np.sqrt(null.covariance[at, at])
    assert null.log_likelihood - away.value == pytest.approx(2.0, rel=0.2)  # half the square of two standard errors


def test_a_sample_refitted_is_the_fit_of_the_sample(given: Given, null: Fit) -> None:
    history, mask, _ = given
    animals = history.individuals.head(12)
    sample = replace(history, individuals=animals, captures=history.captures.join(animals, on="individual", how="semi"))
    again, anew = refit(null, (sample,)), fit((sample,), (mask,), Model("HN"))
    assert again.value == pytest.approx(anew.log_likelihood, abs=1e-3)
    errors = np.sqrt(np.diag(anew.covariance))
    assert np.abs((again.beta - anew.beta) / errors).max() < 0.02


def test_a_conditional_fit_has_the_density_of_the_full_one(given: Given, null: Fit) -> None:
    history, mask, _ = given
    found = fit((history,), (mask,), Model("HN", likelihood="conditional"))
    assert found.names == ("g0", "sigma")
    (density,) = derived_density(found)
    assert density.density_per_100km2 == pytest.approx(float(np.exp(null.beta[0])), rel=1e-4)
    assert density.se / density.density_per_100km2 == pytest.approx(np.sqrt(null.covariance[0, 0]), rel=0.02)
    assert density.low < density.density_per_100km2 < density.high
    with pytest.raises(ValueError, match="density itself"):
        derived_density(null)


def test_a_fixed_number_of_animals_is_known_better_than_a_random_one(given: Given, null: Fit) -> None:
    history, mask, _ = given
    fixed = fit((history,), (mask,), Model("HN", number="binomial"))
    assert fixed.covariance[0, 0] < null.covariance[0, 0]
    there = Population(fixed, ("west", "east"), 0.9)
    realised, expected = there.realised({"N": there.reported})["N"], there.expected(there.reported)
    assert realised.value == pytest.approx(expected.value)
    assert realised.se == pytest.approx(expected.se(fixed.covariance))
    poisson = Population(null, ("west", "east"), 0.9)
    assert realised.se == pytest.approx(poisson.realised({"N": poisson.reported})["N"].se, rel=0.1)


def test_formulas_and_splits_are_one_model(given: Given) -> None:
    history, mask, _ = given
    split = split_model("HHN", "side", ("party", "sex"), ("sex",), ("west", "east"))
    written = Model("HHN", D="~ 0 + side", lambda0="~ party + sex", sigma="~ sex", sides=("west", "east"))
    assert split == written
    asked = ScrSettings(formulas=("D ~ 0 + side", "lambda0 ~ party + sex", "sigma ~ sex")).model(("west", "east"))
    assert asked == written
    assert fit((history,), (mask,), written).names[:2] == ("D.west", "D.east")


def test_a_formula_in_the_settings_stands_in_the_answer(world: Make, answered: Make) -> None:
    made = world(34)
    found = answered(made, formulas=["lambda0 ~ b"], lambda0=(), sigma=(), pool_alpha=0.0)
    assert found.tables["fit"]["lambda0"].item() == "b"
    assert found["lambda0"].value != found["lambda0.b"].value
    assert "lambda0.b" in found.parameters
    with pytest.raises(ProgrammeError):
        read_settings(ScrSettings, {"formulas": ["speed ~ b"]})


def test_single_catch_traps_are_treated_as_multi_catch_with_a_warning(world: Make, answered: Make) -> None:
    made = world(35)
    first = made.history.captures.group_by("individual", "occasion", maintain_order=True).first()
    once = first.select(made.history.captures.columns)
    held = replace(made, history=replace(made.history, kind="single", captures=once))
    found = answered(held, lambda0=(), sigma=(), pool_alpha=0.0)
    assert [f.severity for f in found.findings if f.rule == "scr-single-as-multi"] == [Severity.WARNING]
    multi = replace(held, history=replace(held.history, kind="multi"))
    as_multi = answered(multi, lambda0=(), sigma=(), pool_alpha=0.0)
    assert as_multi["N"] == found["N"]
    assert "scr-single-as-multi" not in {f.rule for f in as_multi.findings}


def test_an_animal_in_two_traps_at_once_is_an_error(world: Make, answered: Make) -> None:
    made = world(35)
    with pytest.raises(InputError, match="scr-caught-twice"):
        answered(replace(made, history=replace(made.history, kind="multi")))


def test_numbers_on_sides_follow_a_density_surface(given: Given) -> None:
    history, mask, covariates = given
    found = fit((history,), (mask,), Model("HHN", D="~ x + height_m"), covariates)
    population = Population(found, ("west", "east"), 0.9)
    total = population.expected(population.reported).value
    assert sum(population.expected(on_side(s)).value for s in ("west", "east")) == pytest.approx(total)


@pytest.mark.parametrize("lambda0", ["~ 1", "~ bk", "~ b"])
def test_a_removed_animal_says_nothing_of_the_days_after(world: Make, lambda0: str) -> None:
    made = world(36, rows=4, days=6, lambda0=(0.3, 0.3), density_per_100km2=(3.0, 3.0))
    captures, model = made.history.captures, Model("HHN", lambda0=lambda0)
    ends = captures.group_by("individual", maintain_order=True).agg(pl.col("occasion").max()).sort("occasion").head(1)
    who, last = ends.row(0)
    alone = made.history.individuals.filter(individual=who)
    stayed = replace(made.history, individuals=alone, captures=captures.filter(individual=who))
    removed = replace(stayed, individuals=alone.with_columns(removed_after=pl.lit(last)))
    shorter = replace(stayed, effort=stayed.effort[:, :last])
    beta = np.array([1.0, -1.5, *([0.4] if lambda0 != "~ 1" else []), 7.8])
    of = {name: _log_animal(h, made.mask, model, beta) for name, h in
          {"stayed": stayed, "removed": removed, "shorter": shorter}.items()}  # fmt: skip
    assert last < 6
    assert of["removed"] == pytest.approx(of["shorter"], rel=1e-12)
    assert of["removed"] > of["stayed"] + 1e-3


def _log_animal(history: CaptureHistory, mask: Mask, model: Model, beta: Any) -> float:
    """Log of the integral over activity centres of the only animal."""
    sessions, detection = prepare_sessions((history,), (mask,), model)
    made, prepared = design(model, sessions, detection)
    return float(evaluate_session(made, beta, 0, prepared[0]).log_animal[0])


def test_a_capture_after_removal_is_an_error(world: Make, answered: Make) -> None:
    made = world(35)
    gone = made.history.individuals.with_columns(removed_after=pl.lit(1))
    with pytest.raises(InputError, match="scr-capture-after-removal"):
        answered(replace(made, history=replace(made.history, individuals=gone)))
