"""Fits against published numbers and known truth, and where no maximum lies inside."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from sharedrange.core.errors import Cancelled, InputError
from sharedrange.population.occupancy import (
    Model,
    SiteVisits,
    compare,
    fit,
    goodness_of_fit,
    occupancy,
    occupied_sites,
    site_map,
)
from sharedrange.population.occupancy.derived import detection, serial_chances
from sharedrange.population.occupancy.fitness import chi_squared
from sharedrange.population.occupancy.fitness import simulated as drawn_from
from sharedrange.population.occupancy.fitting import psi_interval

Histories = Callable[..., SiteVisits]
SALAMANDERS = ["11000"] * 12 + ["10000"] * 6 + ["00000"] * 21


def test_the_salamanders_of_the_book_are_reproduced(histories: Histories) -> None:
    """MacKenzie et al. (2006), Occupancy Estimation and Modeling, p. 99: 39 sites, 5 visits, 18 sites with a find.

    psi 0.5946 (SE 0.12), p 0.2587 (SE 0.06), -2 log L 161.7586. A model without covariates knows nothing of a
    history but whether and how often something was found: 30 finds.
    """
    found = fit(histories(SALAMANDERS))
    psi, p = occupancy(found, profile=False), detection(found)
    assert -2 * found.log_likelihood == pytest.approx(161.7586, abs=5e-5)
    assert [psi.value, p.value] == pytest.approx([0.5946, 0.2587], abs=5e-5)
    assert [psi.se, p.se] == pytest.approx([0.12, 0.06], abs=0.005)


def test_profile_limits_lose_what_chi_squared_allows(histories: Histories) -> None:
    found = fit(histories(SALAMANDERS))
    low, high = psi_interval(found)
    for limit in (low, high):
        assert _profile_by_search(SALAMANDERS, limit) == pytest.approx(found.log_likelihood - 3.841459 / 2, abs=1e-4)
    assert low < occupancy(found).value < high


def _profile_by_search(rows: list[str], psi: float) -> float:
    """The highest log-likelihood at one psi, over a fine row of values of p."""
    p = np.linspace(0.001, 0.999, 20_001)
    finds = np.array([row.count("1") for row in rows])
    total = np.zeros_like(p)
    for n in finds:
        total += np.log(psi * p**n * (1 - p) ** (5 - n) + (1 - psi) * (n == 0))
    return float(total.max())


def test_truth_is_found_with_covariates_and_missing_visits(simulated: Callable[..., SiteVisits]) -> None:
    truth = {"psi": 0.3, "x_slope": 1.0, "p": -0.5, "w_slope": -0.7}
    visits = simulated(np.random.default_rng(11), 3000, 5, missing=0.2, **truth)
    found = fit(visits, Model("~ x", "~ w"))
    error = (found.beta - list(truth.values())) / np.sqrt(np.diag(found.covariance))
    assert found.names == ("psi", "psi.x", "p", "p.w")
    assert np.abs(error).max() < 3


def test_truth_is_found_along_transects(histories: Histories) -> None:
    start = fit(histories(["10110"] * 20 + ["00000"] * 20 + ["01000"] * 10), Model(serial=True))
    made = replace(start, visits=_blank(1500, 10))
    made = replace(made, problem=fit(_noise(made.visits), Model(serial=True)).problem)
    theta = np.array([0.4, -1.0, 1.5, 0.2])
    drawn = drawn_from(replace(made, theta=theta), np.random.default_rng(3))
    found = fit(drawn, Model(serial=True))
    assert np.abs((found.beta - theta) / np.sqrt(np.diag(found.covariance))).max() < 3
    assert serial_chances(found)["theta1"].value == pytest.approx(expit(1.5), abs=0.08)
    independent = fit(drawn, Model())
    assert occupancy(independent).value < occupancy(found).value, "runs of misses look like empty sites"
    assert independent.aic > found.aic


def _blank(sites: int, segments: int) -> SiteVisits:
    table = pl.DataFrame({"site": [f"t{i}" for i in range(sites)]})
    shape = (sites, segments)
    return SiteVisits(table, np.ones(shape, bool), np.zeros(shape, bool), np.ones(shape))


def _noise(visits: SiteVisits) -> SiteVisits:
    detected = np.random.default_rng(1).random(visits.visited.shape) < 0.3
    return replace(visits, detected=detected & (np.arange(len(detected)) % 2 == 0)[:, None])


def test_effort_as_offset_gives_one_rate_for_short_and_long_visits() -> None:
    rng = np.random.default_rng(8)
    effort = rng.choice([0.5, 1.0, 4.0], (2000, 4))
    here = rng.random(2000) < 0.5
    found = here[:, None] & (rng.random(effort.shape) < 1 - np.exp(-0.3 * effort))
    visits = _blank_with(effort, found)
    offset = fit(visits, Model(effort="offset"))
    se = float(np.sqrt(offset.covariance[1, 1]))
    assert offset.beta[1] == pytest.approx(np.log(0.3), abs=3 * se)
    assert offset.aic < fit(visits, Model()).aic


def _blank_with(effort: Any, found: Any) -> SiteVisits:
    table = pl.DataFrame({"site": [str(i) for i in range(len(effort))]})
    return SiteVisits(table, effort > 0, found, effort)


def test_no_unit_of_a_covariate_matters(simulated: Callable[..., SiteVisits]) -> None:
    visits = simulated(np.random.default_rng(5), 80, 4)
    feet = replace(visits, sites=visits.sites.with_columns(pl.col("x") * 3280.84 + 1e6))
    a, b = fit(visits, Model("~ x", "~ w")), fit(feet, Model("~ x", "~ w"))
    assert a.log_likelihood == pytest.approx(b.log_likelihood, abs=1e-7)
    assert a.at_maximum().psi == pytest.approx(b.at_maximum().psi, abs=1e-5)


def test_intervals_hold_the_truth_as_often_as_they_say(simulated: Callable[..., SiteVisits]) -> None:
    held, within, runs = 0, 0, 60
    for seed in range(runs):
        visits = simulated(np.random.default_rng(seed), 60, 4, psi=0.4, p=-0.4)
        found = fit(visits)
        low, high = psi_interval(found)
        held += bool(low <= expit(0.4) <= high)
        sites = occupied_sites(found)
        within += int(visits.found.sum()) <= sites.low <= sites.value <= sites.high <= 60
    assert within == runs
    assert 0.88 * runs <= held <= runs


def test_where_nothing_was_found_twice_occupancy_may_be_everywhere(histories: Histories) -> None:
    found = fit(histories(["100", "010", "001", "100"] * 3 + ["000"] * 2))
    assert found.at_limit == {"psi": 1.0}
    psi, sites = occupancy(found), occupied_sites(found)
    assert (psi.value, psi.high, psi.se) == (1.0, 1.0, None)
    assert 0.3 < psi.low < 1
    assert sites.high == 14
    assert 12 <= sites.low < 14
    assert found.beta[1] == pytest.approx(np.log(12 / 30), abs=1e-6), "12 finds on 42 visits"


def test_where_every_visit_finds_what_is_there_detection_is_certain(histories: Histories) -> None:
    found = fit(histories(["111"] * 6 + ["000"] * 6))
    assert found.at_limit == {"p": 1.0}
    assert occupancy(found).value == pytest.approx(0.5)
    assert detection(found).value == 1.0


def test_a_side_without_a_find_gets_no_coefficient_of_its_own(histories: Histories) -> None:
    visits = histories(["110", "010", "000", "011"] * 4 + ["000"] * 8, {"side": ["A"] * 16 + ["B"] * 8})
    found = fit(visits, Model("~ side", "~ 1"))
    assert [u.variable for u in found.unbounded] == ["side"]
    assert found.names == ("psi", "p")


def test_models_of_unlike_data_are_not_compared(simulated: Callable[..., SiteVisits]) -> None:
    visits = simulated(np.random.default_rng(5), 60, 4)
    less = replace(visits, visited=visits.visited.copy())
    less.visited[0, 0] = False
    less = replace(less, detected=visits.detected & less.visited)
    with pytest.raises(InputError, match="occupancy-unlike-data"):
        compare({"all": fit(visits), "less": fit(less)})


def test_models_of_the_same_data_are_ranked(simulated: Callable[..., SiteVisits]) -> None:
    visits = simulated(np.random.default_rng(5), 300, 4, x_slope=1.5)
    table = compare({"null": fit(visits), "x": fit(visits, Model("~ x")), "xw": fit(visits, Model("~ x", "~ w"))})
    assert table["model"].to_list()[-1] == "null"
    assert table["weight"].sum() == pytest.approx(1.0)
    assert table["delta"][0] == 0.0


def test_a_richer_fit_below_a_simpler_one_is_told(simulated: Callable[..., SiteVisits]) -> None:
    visits = simulated(np.random.default_rng(5), 60, 4)
    null, rich = fit(visits), fit(visits, Model("~ x"))
    lost = replace(rich, log_likelihood=null.log_likelihood - 1)
    with pytest.raises(InputError, match="occupancy-below-simpler"):
        compare({"null": null, "x": lost})


def test_the_map_says_nothing_of_a_side_that_gave_no_data(histories: Histories) -> None:
    sides = ["A"] * 10 + ["B"] * 10 + ["C", "", "A", "B"]
    x = [float(i % 5) for i in range(22)] + [2.0, None]
    visits = histories(["101", "000", "010", "000", "110"] * 4 + ["..."] * 4, {"side": sides, "x": x})
    table = site_map(fit(visits, Model("~ x")))
    assert set(table["side"]) == {"A", "B"}
    unvisited = table.filter(pl.col("visits") == 0)
    assert unvisited["psi"].null_count() == 1, "the one without its covariate"
    assert unvisited["occupied"].null_count() == 2
    assert table.filter(pl.col("detections") > 0)["occupied"].unique().to_list() == [1.0]
    known = table.drop_nulls("psi")
    assert (known["low"] <= known["psi"]).all()
    assert (known["psi"] <= known["high"]).all()
    assert "x_m" not in table.columns


def heterogeneous(rng: np.random.Generator) -> SiteVisits:
    """Half of the sites are seen nearly always, half nearly never."""
    p = rng.choice([0.06, 0.94], 200)
    found = rng.random((200, 5)) < p[:, None]
    return _blank_with(np.ones((200, 5)), found & (rng.random(200) < 0.8)[:, None])


def test_a_model_that_fits_is_not_doubted_and_one_that_does_not_is(simulated: Callable[..., SiteVisits]) -> None:
    good = goodness_of_fit(fit(simulated(np.random.default_rng(3), 100, 4)), 30, np.random.default_rng(1))
    bad = goodness_of_fit(fit(heterogeneous(np.random.default_rng(3))), 30, np.random.default_rng(1))
    assert good.p_value > 0.1
    assert 0.4 < good.c_hat < 1.6
    assert bad.p_value == pytest.approx(1 / 31)
    assert bad.c_hat > 3


def test_expected_histories_make_up_all_sites(histories: Histories) -> None:
    """By hand: one visit each, psi p = 1/2 at the maximum, so that nothing is left to differ."""
    found = fit(histories(["11", "10", "01", "00"] * 5))
    psi, p = occupancy(found).value, detection(found).value
    expected = np.array([psi * p * p, psi * p * (1 - p), psi * (1 - p) * p, psi * (1 - p) ** 2 + 1 - psi]) * 20
    assert chi_squared(found) == pytest.approx(float(((5 - expected) ** 2 / expected).sum()), abs=1e-6)


@pytest.mark.parametrize("serial", [False, True])
def test_the_test_is_the_same_with_workers_and_after_a_stop(simulated: Callable[..., SiteVisits], serial: bool) -> None:
    found = fit(simulated(np.random.default_rng(3), 60, 4, missing=0.2), Model(serial=serial))
    alone = goodness_of_fit(found, 6, np.random.default_rng(1))
    with ThreadPoolExecutor(2) as pool:
        assert goodness_of_fit(found, 6, np.random.default_rng(1), executor=pool) == alone
    kept: dict[str, Any] = {}

    def stop(share: float, /) -> None:
        if share > 0.4:
            raise Cancelled

    with pytest.raises(Cancelled):
        goodness_of_fit(found, 6, np.random.default_rng(1), progress=stop, checkpoint=kept)
    assert len(kept["goodness_of_fit"]) == 3
    assert goodness_of_fit(found, 6, np.random.default_rng(1), checkpoint=kept) == alone
