"""Intervals, model tables, goodness of fit and bootstrap of spatial capture-recapture fits."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest

from sharedrange.core.errors import Cancelled, DidNotConverge, InputError
from sharedrange.core.progress import silent
from sharedrange.population import scr
from sharedrange.population.scr import Fit, Model, fit
from sharedrange.population.scr.bootstrapping import NOBODY, bootstrap, refit_of
from sharedrange.population.scr.comparing import average, compare, likelihood_ratio, nested, weights
from sharedrange.population.scr.derived import Population
from sharedrange.population.scr.goodness import STATISTICS, detections, expected_detections, fitness
from sharedrange.population.scr.links import lognormal_interval, normal_quantile
from sharedrange.population.scr.pooling import tests_of as pooling_tests_of
from sharedrange.population.scr.profile import Profile, limits, profile_interval
from sharedrange.population.scr.profiled import profiles_of, realised_intervals, uses_profile
from sharedrange.population.scr.quantity import coefficient, quantities

Worlds = Callable[..., Any]
Z = normal_quantile(0.95)


def made(world: Worlds, model: Model, seed: int = 3, **how: Any) -> Fit:
    one = world(seed, rows=6, days=30, **how)
    return fit([one.history], [one.mask], model)


@pytest.fixture(scope="module")
def fits() -> dict[str, Fit]:
    return {}


@pytest.fixture
def fitted(world: Worlds, fits: dict[str, Fit]) -> Callable[[str], Fit]:
    """A fit by the name of its model, made once."""
    models = {
        "null": Model("HHN"),
        "bk": Model("HHN", lambda0="~ bk"),
        "sex": Model("HHN", sigma="~ sex"),
        "side": Model("HHN", D="~ 0 + side"),
        "conditional": Model("HHN", likelihood="conditional"),
    }

    def of(name: str) -> Fit:
        if name not in fits:
            fits[name] = made(world, models[name])
        return fits[name]

    return of


# --- profiles ---


def held(found: Fit, name: str, value: float) -> float:
    """The maximum with one coefficient held, by a search of its own."""
    return found.problem.maximise(found, {name: value}).value


@pytest.mark.parametrize("name", ["D", "lambda0", "sigma"])
def test_limits_of_a_coefficient_lie_where_the_held_maximum_drops_by_half_z_squared(
    fitted: Callable[[str], Fit], name: str
) -> None:
    found = fitted("null")
    interval = profile_interval(coefficient(found, name))
    assert interval is not None
    assert interval.low < interval.value < interval.high
    for limit in (interval.low, interval.high):
        assert held(found, name, limit) == pytest.approx(found.log_likelihood - Z**2 / 2, abs=0.005)


def test_the_profile_s_slope_is_its_derivative(fitted: Callable[[str], Fit]) -> None:
    found = fitted("side")
    for name in ("N_expected.west", "N_expected", "sigma"):
        quantity = quantities(found, ("west", "east"))[name]
        step = quantity.direction()
        assert step is not None
        curve = Profile(quantity, step)
        psi, h = curve.centre + curve.se, 1e-2 * curve.se
        by_difference = (curve.at(psi + h)[0] - curve.at(psi - h)[0]) / (2 * h)
        assert curve.at(psi)[1] == pytest.approx(by_difference, rel=0.02)


def test_a_step_along_the_direction_raises_the_quantity_by_as_much(fitted: Callable[[str], Fit]) -> None:
    found = fitted("side")
    for quantity in quantities(found, ("west", "east")).values():
        step = quantity.direction()
        assert step is not None
        moved = quantity.at(found.beta + 0.7 * step).value - quantity.at(found.beta).value
        assert moved == pytest.approx(0.7, abs=1e-12)


def test_derivatives_of_quantities_are_those_of_differences(fitted: Callable[[str], Fit]) -> None:
    found = fitted("side")
    for quantity in quantities(found, ("west", "east")).values():
        exact = quantity.at(found.beta).gradient
        for k in range(found.n_parameters):
            h = np.zeros(found.n_parameters)
            h[k] = 1e-6
            difference = (quantity.at(found.beta + h).value - quantity.at(found.beta - h).value) / 2e-6
            assert exact[k] == pytest.approx(difference, abs=1e-7)


def test_quantities_are_the_answer_s_numbers(fitted: Callable[[str], Fit]) -> None:
    found = fitted("side")
    population = Population(found, ("west", "east"), 0.9)
    known = quantities(found, population.sides)
    whole = population.expected(population.reported)
    assert known["N_expected"].natural(known["N_expected"].estimate.value) == pytest.approx(whole.value)
    assert known["N_expected"].se == pytest.approx(whole.se_log(found.covariance))


def test_the_limits_of_density_are_those_of_animals_over_area(fitted: Callable[[str], Fit]) -> None:
    found = fitted("null")
    intervals = profiles_of(Population(found, (), 0.9), 0.95)
    area_km2 = len(found.sessions[0].side) * found.sessions[0].cell_area_km2
    assert intervals["D"].high == pytest.approx(100 * intervals["N_expected"].high / area_km2)


def test_with_many_animals_a_profile_is_the_lognormal_interval(world: Worlds) -> None:
    found = made(world, Model("HHN"), density_per_100km2=(25.0, 25.0))
    for quantity in quantities(found).values():
        interval = profile_interval(quantity)
        assert interval is not None
        _, low, high = lognormal_interval(interval.value, quantity.se, 0.95)
        assert np.log(interval.low / low) == pytest.approx(0.0, abs=0.05)
        assert np.log(interval.high / high) == pytest.approx(0.0, abs=0.05)


def test_animals_that_were_there_are_at_least_those_detected(fitted: Callable[[str], Fit]) -> None:
    found = fitted("null")
    interval = realised_intervals(Population(found, (), 0.9))["N"]
    assert found.n_animals <= interval.low < interval.value < interval.high


def test_a_limit_that_the_data_do_not_set_is_infinite() -> None:
    class Flat:
        """A profile that falls on the left and never on the right."""

        centre, se, top, least = 0.0, 1.0, 0.0, -np.inf

        def at(self, psi: float) -> tuple[float, float]:
            return (-(psi**2) / 2, -psi) if psi < 0 else (-np.tanh(psi), -1 / np.cosh(psi) ** 2)

    low, high = limits(Flat(), 0.95)
    assert low == pytest.approx(-Z, abs=0.002)
    assert high == np.inf


def test_a_profile_above_the_fit_is_a_fault_of_the_fit(fitted: Callable[[str], Fit]) -> None:
    found = fitted("null")
    short = replace(found, log_likelihood=found.log_likelihood - 5.0)
    with pytest.raises(DidNotConverge, match="scr-profile-above"):
        profile_interval(coefficient(short, "sigma"))


def test_a_stopped_profile_resumes_to_the_same_limits(fitted: Callable[[str], Fit]) -> None:
    population = Population(fitted("null"), (), 0.9)
    kept: dict[str, Any] = {}
    calls: list[float] = []

    def stops(share: float, /) -> None:
        calls.append(share)
        if len(calls) > 60:
            raise Cancelled

    with pytest.raises(Cancelled):
        profiles_of(population, 0.95, stops, kept)
    resumed = profiles_of(population, 0.95, silent, json.loads(json.dumps(kept)))
    assert resumed == profiles_of(population, 0.95)
    assert all(a <= b for a, b in pairwise(calls))


def test_intervals_are_profiles_by_default_with_few_animals(answered: Callable[..., Any], world: Worlds) -> None:
    few = world(3, rows=6, days=30)
    assert few.history.n_individuals < 20
    found, other = answered(few), answered(few, interval="lognormal")
    assert found["N_expected"].value == other["N_expected"].value
    assert found["N_expected"].low < other["N_expected"].low
    assert "scr-profile-intervals" in {f.rule for f in found.findings}
    assert "scr-profile-intervals" not in {f.rule for f in other.findings}
    assert all(e.low <= e.value <= e.high for e in found.estimates if e.low is not None)
    assert [uses_profile("auto", n) for n in (19, 20)] == [True, False]


# --- one place to find everything ---


def test_what_a_fit_is_asked_is_found_where_the_fit_is_but_loaded_when_used() -> None:
    assert all(getattr(scr, name) is getattr(scr, name) for name in scr.__all__)
    assert scr.bootstrap is bootstrap
    assert scr.fitness is fitness
    assert set(scr.__all__) <= set(dir(scr))
    with pytest.raises(AttributeError):
        _ = scr.nothing_of_the_kind
    later = ("bootstrapping", "comparing", "goodness")
    said = "import sys, sharedrange.population.scr as s; print([n for n in sys.modules if n.startswith(s.__name__)])"
    loaded = subprocess.run([sys.executable, "-c", said], check=True, capture_output=True, text=True).stdout
    assert not any(f"scr.{name}'" in loaded for name in later)


# --- model tables ---


def test_weights_sum_to_one_and_follow_the_criterion(fitted: Callable[[str], Fit]) -> None:
    chosen = {name: fitted(name) for name in ("null", "side", "bk", "sex")}
    table = compare(chosen)
    assert table["weight"].sum() == pytest.approx(1.0)
    assert table["weight"].to_list() == sorted(table["weight"], reverse=True)
    ratio = np.exp(-(table["aicc"][1] - table["aicc"][0]) / 2)
    assert table["weight"][1] / table["weight"][0] == pytest.approx(ratio)
    assert weights(chosen) == pytest.approx(dict(table.select("model", "weight").iter_rows()))


def test_a_model_that_keeps_occasions_apart_is_compared_on_the_same_constants(fitted: Callable[[str], Fit]) -> None:
    null, richer = fitted("null"), fitted("bk")
    assert abs(null.log_likelihood - richer.log_likelihood) > 50  # binomial coefficients of collapsed occasions
    found = likelihood_ratio(null, richer)
    assert (found.df, found.boundary) == (1, False)
    at_null = np.insert(null.beta, 2, 0.0)
    gain = richer.problem.kernel(richer.beta)[0] - richer.problem.kernel(at_null)[0]
    assert found.statistic == pytest.approx(2 * gain, abs=1e-5)


def test_the_criterion_of_a_fit_alone_is_that_of_the_table(fitted: Callable[[str], Fit]) -> None:
    chosen = {name: fitted(name) for name in ("null", "side", "bk")}
    table = dict(compare(chosen).select("model", "aic").iter_rows())
    assert table == pytest.approx({name: found.aic for name, found in chosen.items()}, abs=1e-9)
    assert fitted("null").aic == 2 * fitted("null").n_parameters - 2 * fitted("null").log_likelihood  # as in secr


def test_a_test_of_sexes_or_sides_is_the_engine_s_own(fitted: Callable[[str], Fit]) -> None:
    own = {(t.parameter, t.term): t for t in pooling_tests_of(fitted("null"), silent, {})}
    for name, split in (("side", ("density", "side")), ("sex", ("sigma", "sex"))):
        if split in own:
            found = likelihood_ratio(fitted("null"), fitted(name))
            assert found.df == own[split].df
            assert found.statistic == pytest.approx(own[split].statistic, abs=1e-3)
    assert ("density", "side") in own


def test_nested_is_a_matter_of_formulas(fitted: Callable[[str], Fit]) -> None:
    assert nested(fitted("null"), fitted("side"))
    assert not nested(fitted("side"), fitted("null"))
    assert not nested(fitted("side"), fitted("bk"))
    assert not nested(fitted("null"), fitted("conditional"))


def test_fits_to_unlike_data_are_not_compared(fitted: Callable[[str], Fit], world: Worlds) -> None:
    null = fitted("null")
    other = made(world, Model("HHN"), seed=5, gaps=0.2)
    with pytest.raises(InputError) as wrong:
        compare({"one": null, "other": other, "given": fitted("conditional")})
    assert [f.rule for f in wrong.value.findings] == [
        "scr-unlike-histories",
        "scr-unlike-detectors",
        "scr-unlike-likelihoods",
    ]
    one = world(3, rows=6, days=30)
    finer = replace(one.mask, x_m=one.mask.x_m + 200.0)
    with pytest.raises(InputError, match="scr-unlike-masks"):
        compare({"one": null, "moved": fit([one.history], [finer], Model("HHN"))})


def test_models_that_are_not_nested_are_not_tested(fitted: Callable[[str], Fit]) -> None:
    with pytest.raises(InputError, match="scr-not-nested"):
        likelihood_ratio(fitted("side"), fitted("bk"))


def test_a_richer_model_below_its_null_is_a_fault_of_convergence(fitted: Callable[[str], Fit]) -> None:
    richer = fitted("side")
    short = replace(richer, log_likelihood=fitted("null").log_likelihood - 0.5)
    with pytest.raises(DidNotConverge, match="scr-richer-below"):
        compare({"null": fitted("null"), "side": short})


def test_an_average_of_one_model_is_that_model_and_of_more_lies_between(fitted: Callable[[str], Fit]) -> None:
    null, side = fitted("null"), fitted("side")
    alone = average({"null": null}, "N_expected")
    quantity = quantities(null)["N_expected"]
    assert (alone.eta, alone.se) == pytest.approx((quantity.estimate.value, quantity.se))
    both = average({"null": null, "side": side}, "N_expected.west", sides=("west", "east"))
    each = [quantities(f, ("west", "east"))["N_expected.west"] for f in (null, side)]
    values, share = [q.estimate.value for q in each], weights({"null": null, "side": side})
    assert min(values) <= both.eta <= max(values)
    assert both.se >= share["null"] * each[0].se + share["side"] * each[1].se
    with pytest.raises(InputError, match="scr-no-quantity"):
        average({"null": null, "sex": fitted("sex")}, "sigma")


# --- bootstrap and goodness of fit ---


class Backwards(Executor):
    """An executor that does the last job first."""

    def __init__(self) -> None:
        self._jobs: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, task: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._jobs.append((future, lambda: task(*given, **named)))
        if len(self._jobs) == 3:
            for waiting, work in reversed(self._jobs):
                waiting.set_result(work())
        return future


def draws(seed: int = 9) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_bootstrap_is_the_same_whoever_does_the_work(fitted: Callable[[str], Fit]) -> None:
    alone = bootstrap(fitted("null"), 24, rng=draws())
    assert bootstrap(fitted("null"), 24, rng=draws(), executor=Backwards()).table.equals(alone.table)
    with ThreadPoolExecutor(2) as pool:
        assert bootstrap(fitted("null"), 24, rng=draws(), executor=pool).table.equals(alone.table)
    assert not bootstrap(fitted("null"), 24, rng=draws(10)).table.equals(alone.table)
    sent = pickle.loads(pickle.dumps(fitted("null")))
    assert bootstrap(sent, 24, rng=draws()).table.equals(alone.table)


def test_a_stopped_bootstrap_resumes(fitted: Callable[[str], Fit]) -> None:
    kept: dict[str, Any] = {}
    seen: list[float] = []

    def stops(share: float, /) -> None:
        seen.append(share)
        if share > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        bootstrap(fitted("null"), 24, rng=draws(), progress=stops, checkpoint=kept)
    kept = json.loads(json.dumps(kept))
    assert len(kept) == 2
    again: list[float] = []
    resumed = bootstrap(fitted("null"), 24, rng=draws(), progress=again.append, checkpoint=kept)
    assert resumed.table.equals(bootstrap(fitted("null"), 24, rng=draws()).table)
    assert again == [2 / 3, 1.0]


def test_a_bootstrap_finds_the_standard_errors(world: Worlds) -> None:
    found = made(world, Model("HHN"), density_per_100km2=(10.0, 10.0))
    made_again = bootstrap(found, 100, rng=draws())
    assert made_again.failed == 0
    summary = made_again.summary()
    se = dict(summary.select("quantity", "se").iter_rows())
    for name, expected in zip(found.names, np.sqrt(np.diag(found.covariance)), strict=True):
        assert se[f"coefficient.{name}"] == pytest.approx(expected, rel=0.3)
    assert (summary["low"] < summary["estimate"]).all()
    assert (summary["estimate"] < summary["high"]).all()


def test_what_has_no_maximum_is_counted_and_said(fitted: Callable[[str], Fit]) -> None:
    found = fitted("null")
    rare = replace(found, beta=found.beta + np.array([-4.5, 0.0, 0.0]))
    lost = bootstrap(rare, 20, rng=draws())
    assert 0 < lost.failed == sum(lost.failures.values())
    assert NOBODY in lost.failures
    assert lost.table.filter(pl.col("failure") != "")["D"].null_count() == lost.failed


def test_nothing_is_drawn_for_no_replicates(fitted: Callable[[str], Fit]) -> None:
    for ask in (bootstrap, fitness):
        with pytest.raises(InputError, match="scr-no-replicates"):
            ask(fitted("null"), 0, rng=draws())


def test_a_refit_to_the_data_themselves_stays_where_it_is(fitted: Callable[[str], Fit], world: Worlds) -> None:
    failure, peak = refit_of(fitted("null"), (world(3, rows=6, days=30).history,))
    assert failure == ""
    assert peak is not None
    assert peak.beta == pytest.approx(fitted("null").beta, abs=1e-3)


def test_detections_expected_over_everyone_are_nearly_those_that_there_were(fitted: Callable[[str], Fit]) -> None:
    for name in ("null", "bk", "sex"):
        found = fitted(name)
        session = found.sessions[0]
        expected = session.frequency @ expected_detections(found.design, found.beta, 0, session)
        seen = session.frequency @ detections(session)
        assert seen.sum() == session.records.cells.count.sum()
        assert expected.sum() == pytest.approx(seen.sum(), rel=0.1)


def test_a_model_that_holds_fits_and_one_that_does_not_is_found(fitted: Callable[[str], Fit], world: Worlds) -> None:
    right = fitness(fitted("null"), 60, rng=draws(), refit=False)
    assert right.table["statistic"].to_list() == list(STATISTICS)
    assert (right.table["p_value"] > 0.01).all()
    unlike = world(6, rows=6, days=30, lambda0=(0.3, 0.01), density_per_100km2=(8.0, 8.0))
    wrong = fitness(fit([unlike.history], [unlike.mask], Model("HHN")), 60, rng=draws())
    p = dict(wrong.table.select("statistic", "p_value").iter_rows())
    assert p["detectors"] == pytest.approx(1 / 61)
    assert wrong.refitted
    assert not right.refitted
    assert wrong.failed == 0


def test_fitness_is_the_same_with_and_without_a_stop(fitted: Callable[[str], Fit]) -> None:
    kept: dict[str, Any] = {}
    whole = fitness(fitted("null"), 25, rng=draws(), refit=False, checkpoint=kept)
    del kept[sorted(kept)[1]]
    again = fitness(fitted("null"), 25, rng=draws(), refit=False, checkpoint=json.loads(json.dumps(kept)))
    assert again.table.equals(whole.table)
