"""Time `sharedrange.population.design`, and hold its approximate precision against simulated surveys.

Usage: ``python benchmarks/design.py [--replicates 20] [--workers 1]``.

1. Expected captures of 400 cameras over 90 days on 10,000 mask points with uneven effort: closed form by blocks of the
   mask and distinct days, beside a plain numpy loop over every day (the same numbers), in one run.
2. The relative standard error that the formula gives beside the mean one of fitted simulated surveys, by spacing.
3. What coarse positions cost: the curve by size of cell.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import multiprocessing
import platform
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
import polars as pl

from sharedrange.core.grids import Grid
from sharedrange.core.places import Mask
from sharedrange.population.design import (
    Animals,
    Expected,
    HalfNormalHazard,
    Plan,
    coarsening_curve,
    expected,
    grid_plan,
    mask_around,
    trial,
)

SIGMA_M = 3_000.0
CELLS_M = (500.0, 1_000.0, 5_000.0, 10_000.0, 20_000.0)
ANIMALS = Animals(2.0, HalfNormalHazard(0.05, SIGMA_M), SIGMA_M)


def plain(plan: Plan, mask: Mask, animals: Animals) -> Expected:
    """The alternative: the whole distance table and every day of it."""
    places = plan.places_m()
    distance_m = np.hypot(mask.x_m[:, None] - places[:, 0], mask.y_m[:, None] - places[:, 1])
    hazard, weight = animals.hazard(distance_m), animals.per_point(mask)
    detections, missed = np.zeros(len(mask)), np.ones_like(hazard)
    for strength in plan.strength.T:
        p = -np.expm1(-hazard * strength)
        detections += p.sum(axis=1)
        missed *= 1 - p
    caught = 1 - missed.prod(axis=1)
    spatial = (1 - missed).sum(axis=1) - caught
    return Expected(*(float(v) for v in (weight.sum(), weight @ caught, weight @ detections, weight @ spatial)))


def timed(work: Callable[[], Expected]) -> tuple[Expected, float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    return found, time.process_time() - cpu, time.perf_counter() - wall


def large() -> tuple[Plan, Mask]:
    plan = grid_plan("20x20", 20, 20, 2_500.0, 90)
    days = np.arange(90)
    starts = np.random.default_rng(1).integers(0, 3, 400) * 10  # set up in three rounds, ten days apart
    return replace(plan, effort=(days >= starts[:, None]).astype(float)), mask_around(plan, SIGMA_M, spacing_m=680.0)


def closed_form() -> None:
    plan, mask = large()
    ours, cpu, wall = timed(lambda: expected(plan, mask, ANIMALS))
    theirs, other_cpu, other_wall = timed(lambda: plain(plan, mask, ANIMALS))
    print(f"400 cameras, 90 days, {len(mask)} mask points; {platform.machine()}")
    print(f"E(n) {ours.individuals:.4f} and {theirs.individuals:.4f}")
    print(f"E(r) {ours.recaptures:.4f} and {theirs.recaptures:.4f}")
    print(f"population.design {cpu:.2f} CPU-s, wall {wall:.2f} s")
    print(f"plain loop {other_cpu:.2f} CPU-s, wall {other_wall:.2f} s; plain / ours {other_cpu / cpu:.1f}")


def precision(replicates: int, executor: Executor | None) -> None:
    rows = []
    for sigmas in (1.0, 1.5, 2.0, 2.5, 3.0):
        plan = grid_plan(f"{sigmas} sigma", 6, 6, sigmas * SIGMA_M, 30)
        mask = mask_around(plan, SIGMA_M, spacing_m=2_000.0)
        found = trial(plan, mask, ANIMALS, replicates=replicates, rng=np.random.default_rng(1), executor=executor)
        formula = expected(plan, mask, ANIMALS).rse
        rows.append(found.select(pl.col("variant"), pl.lit(formula).alias("rse_formula"), pl.exclude("variant")))
    print(pl.concat(rows).select("variant", "rse_formula", "rse", "relative_bias", "bias_se", "coverage", "failed"))


def coarse(replicates: int, executor: Executor | None) -> None:
    plan = grid_plan("6x6", 6, 6, 2 * SIGMA_M, 30).scattered(1_500.0, np.random.default_rng(7))
    curve = coarsening_curve(
        plan,
        mask_around(plan, SIGMA_M, spacing_m=2_000.0),
        ANIMALS,
        Grid("shared", "local:plan", CELLS_M),
        replicates=replicates,
        rng=np.random.default_rng(1),
        executor=executor,
    )
    print(curve.select("cell_m", "cell_sigmas", "shift", "width_ratio", "relative_rmse", "coverage", "failed"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")  # a forked polars may wait for threads that were not copied
    pool: AbstractContextManager[Executor | None] = (
        ProcessPoolExecutor(chosen.workers, mp_context=spawn) if chosen.workers > 1 else nullcontext(None)
    )
    pl.Config.set_tbl_cols(-1)
    closed_form()
    with pool as executor:
        precision(chosen.replicates, executor)
        coarse(chosen.replicates, executor)


if __name__ == "__main__":
    main()
