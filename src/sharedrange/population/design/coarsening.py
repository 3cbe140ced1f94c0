"""What it costs to give positions only as cells: detectors moved to the centres of their cells, and fitted.

A party that releases its stations as grid cells, not as places, protects them. The joint density estimate pays: the
distances that the model learns movement from are wrong by up to most of a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

import numpy as np
import polars as pl

from sharedrange.core.grids import Grid
from sharedrange.core.places import Mask
from sharedrange.core.progress import Progress, silent
from sharedrange.population.design.plan import Animals, Plan
from sharedrange.population.design.trial import Variant, model_for, outcomes, summary
from sharedrange.population.scr import Model

EXACT = "exact"


def in_cells(plan: Plan, grid: Grid, cell_m: float, parties: Sequence[str] | None = None) -> Plan:
    """The plan with the detectors of `parties` (of all, if not given) at the centres of their cells of `cell_m`.

    Raises ValueError for a grid that is not in metres, KeyError for a size that is not the grid's.
    """
    if grid.unit != "m":
        raise ValueError(f"the grid {grid.id} is in {grid.unit}; a plan is in metres")
    places = plan.places_m()
    x_m, y_m = grid.centres(*grid.cells_of(places[:, 0], places[:, 1], cell_m), cell_m)
    coarse = np.ones(len(places), dtype=bool)
    if parties is not None:
        coarse = plan.detectors["party"].is_in(list(parties)).fill_null(value=False).to_numpy()
    return plan.moved_to(np.where(coarse, x_m, places[:, 0]), np.where(coarse, y_m, places[:, 1]))


def coarsening_curve(
    plan: Plan,
    mask: Mask,
    animals: Animals,
    grid: Grid,
    *,
    replicates: int,
    rng: np.random.Generator,
    parties: Sequence[str] | None = None,
    model: Model | None = None,
    progress: Progress = silent,
    executor: Executor | None = None,
) -> pl.DataFrame:
    """Bias and precision of density for each size of a grid's cells, on the same simulated surveys as with places.

    One row a size, `cell_m` 0 for exact places: see `trial.summary`, and besides `cell_sigmas`, `shift` (mean
    estimate over that with exact places, minus 1, in replicates where both were fitted) and `width_ratio` (geometric
    mean of the ratio of interval widths on the log scale). `parties`: whose detectors are made coarse (None: all).
    Raises ValueError for a grid that is not in metres.
    """
    chosen = model or model_for(plan)
    coarse = [Variant(_name(m), in_cells(plan, grid, m, parties), chosen) for m in grid.sizes]
    table = outcomes(
        plan,
        mask,
        animals,
        [Variant(EXACT, plan, chosen), *coarse],
        replicates=replicates,
        rng=rng,
        progress=progress,
        executor=executor,
    )
    sizes = pl.DataFrame({"variant": [EXACT, *(v.name for v in coarse)], "cell_m": [0.0, *map(float, grid.sizes)]})
    about = summary(table, animals.mean_density_per_100km2(mask)).join(_beside_exact(table), on="variant", how="left")
    joined = sizes.join(about, on="variant", how="left", maintain_order="left")
    return joined.select(
        "cell_m", (pl.col("cell_m") / animals.sigma_m).alias("cell_sigmas"), pl.exclude("cell_m", "variant")
    )


def _name(cell_m: float) -> str:
    return f"{cell_m:.15g}"


def _beside_exact(table: pl.DataFrame) -> pl.DataFrame:
    """Each variant against exact places in the replicates in which both have an estimate."""
    exact = table.filter(pl.col("variant") == EXACT).select("replicate", "density_per_100km2", "se_log")
    both = table.join(exact, on="replicate", suffix="_exact").drop_nulls(
        ["density_per_100km2", "density_per_100km2_exact"]
    )
    return both.group_by("variant").agg(
        shift=pl.col("density_per_100km2").mean() / pl.col("density_per_100km2_exact").mean() - 1,
        width_ratio=(pl.col("se_log") / pl.col("se_log_exact")).log().mean().exp(),
    )
