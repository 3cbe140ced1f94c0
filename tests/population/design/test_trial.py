"""Plans tried on simulated animals, and what coarse positions cost."""

from __future__ import annotations

import doctest
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sharedrange.core.grids import GEOGRAPHIC, Grid
from sharedrange.population.design import (
    Animals,
    HalfNormalHazard,
    coarsening_curve,
    expected,
    grid_plan,
    in_cells,
    joined,
    mask_around,
    simulate_history,
    trial,
)
from sharedrange.population.design.trial import Variant, model_for, outcomes, summary
from sharedrange.population.scr import Model, fit

SIGMA_M = 3_000.0
ANIMALS = Animals(3.0, HalfNormalHazard(0.2, SIGMA_M), SIGMA_M)
PLAN = grid_plan("p", 5, 5, 6_000.0, 12)
MASK = mask_around(PLAN, SIGMA_M, spacing_m=2_500.0)


def grid(*cells_m: float) -> Grid:
    return Grid("g", "local:plan", cells_m)


def test_estimates_lie_about_the_truth_as_the_formula_says() -> None:
    row = trial(PLAN, MASK, ANIMALS, replicates=30, rng=np.random.default_rng(1)).row(0, named=True)
    assert row["failed"] == 0
    assert abs(row["relative_bias"]) < 3 * row["bias_se"]
    assert row["coverage"] >= 0.85
    assert row["rse"] == pytest.approx(expected(PLAN, MASK, ANIMALS).rse, rel=0.25)
    assert row["relative_rmse"] == pytest.approx(row["rse"], rel=0.4)


def test_workers_change_nothing() -> None:
    alone = trial(PLAN, MASK, ANIMALS, replicates=3, rng=np.random.default_rng(1))
    with ThreadPoolExecutor(2) as pool:
        spread = trial(PLAN, MASK, ANIMALS, replicates=3, rng=np.random.default_rng(1), executor=pool)
    assert spread.equals(alone)


def test_progress_rises_to_one() -> None:
    seen: list[float] = []
    trial(PLAN, MASK, ANIMALS, replicates=2, rng=np.random.default_rng(1), progress=seen.append)
    assert seen == [0.5, 1.0]


def test_unlike_cameras_are_given_detection_of_their_own() -> None:
    west = grid_plan("west", 3, 4, 6_000.0, 12, centre_m=(-9_000, 0), party="west")
    east = grid_plan("east", 3, 4, 6_000.0, 12, centre_m=(9_000, 0), party="east", sensitivity=4.0)
    both = joined("both", west, east)
    history = simulate_history(both, mask_around(both, SIGMA_M), ANIMALS.times(4), np.random.default_rng(2))
    found = fit((history,), (mask_around(both, SIGMA_M, spacing_m=2_500.0),), model_for(both))
    by_party = [float(b) for n, b in zip(found.names, found.beta, strict=True) if "party" in n]
    assert len(by_party) == 1
    assert by_party[0] == pytest.approx(-np.log(4), abs=0.5), "west against east"


def test_surveys_that_catch_too_little_are_counted_as_failed() -> None:
    thin = ANIMALS.times(0.001)
    row = trial(PLAN, MASK, thin, replicates=3, rng=np.random.default_rng(1)).row(0, named=True)
    assert (row["replicates"], row["failed"]) == (3, 3)
    assert row["relative_bias"] is None


def test_a_detector_moves_to_the_centre_of_its_cell() -> None:
    moved = in_cells(PLAN, grid(5_000.0), 5_000.0)
    assert set(np.mod(moved.places_m(), 5_000.0).ravel()) == {2_500.0}
    assert np.abs(moved.places_m() - PLAN.places_m()).max() <= 2_500.0
    west = replace(PLAN, detectors=PLAN.detectors.with_columns(party=pl.lit("west")))
    assert in_cells(west, grid(5_000.0), 5_000.0, ["east"]).places_m().tolist() == PLAN.places_m().tolist()


def test_fine_cells_cost_nothing_and_cells_of_many_sigma_much() -> None:
    rng = np.random.default_rng(3)
    curve = coarsening_curve(PLAN, MASK, ANIMALS, grid(100.0, 12_000.0), replicates=8, rng=rng)
    assert curve["cell_m"].to_list() == [0.0, 100.0, 12_000.0]
    assert curve["cell_sigmas"].to_list() == pytest.approx([0.0, 1 / 30, 4.0])
    exact, fine, coarse = curve.rows(named=True)
    assert (exact["shift"], exact["width_ratio"]) == (0.0, 1.0)
    assert abs(fine["shift"]) < 0.01
    assert fine["width_ratio"] == pytest.approx(1.0, abs=0.01)
    assert abs(coarse["shift"]) > 10 * abs(fine["shift"])


def test_where_all_detectors_share_a_cell_there_is_no_estimate_and_no_crash() -> None:
    rng = np.random.default_rng(3)
    around = replace(grid(1e5), origin=(-50_000.0, -50_000.0))
    curve = coarsening_curve(PLAN, MASK, ANIMALS, around, replicates=2, rng=rng)
    assert curve["replicates"].to_list() == [2, 2]


def test_cells_in_degrees_are_no_cells_of_a_plan() -> None:
    with pytest.raises(ValueError, match="metres"):
        in_cells(PLAN, Grid("g", GEOGRAPHIC, (0.1,)), 0.1)


def test_a_summary_says_what_its_rows_say() -> None:
    rows = [(0, "v", 9, 9, 9, 2.0, 0.1), (1, "v", 9, 9, 9, 4.0, 0.1), (2, "v", 1, 0, 0, None, None)]
    table = pl.DataFrame(
        rows, schema=outcomes(PLAN, MASK, ANIMALS, [], replicates=0, rng=np.random.default_rng()).schema, orient="row"
    )
    row = summary(table, 2.0).row(0, named=True)
    assert (row["replicates"], row["failed"]) == (3, 1)
    assert row["relative_bias"] == pytest.approx(0.5)
    assert row["relative_rmse"] == pytest.approx(np.sqrt(0.5))
    assert row["coverage"] == 0.5
    assert row["bias_se"] == pytest.approx(np.std([1, 2], ddof=1) / np.sqrt(2))


def test_variants_see_the_same_surveys() -> None:
    variants = [Variant(name, PLAN, Model("HHN")) for name in ("a", "b")]
    table = outcomes(PLAN, MASK, ANIMALS, variants, replicates=2, rng=np.random.default_rng(1))
    a, b = (table.filter(pl.col("variant") == name).drop("variant") for name in ("a", "b"))
    assert a.equals(b)
    assert a["individuals"].n_unique() == 2


def test_the_page_says_what_the_functions_do() -> None:
    page = Path(__file__).parents[3] / "docs" / "design.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "design", str(page), 0)
    assert doctest.DocTestRunner().run(example).failed == 0
