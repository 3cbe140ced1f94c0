"""A plan tried on simulated animals: simulate, fit, and see how far the estimates lie from the truth."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm

from sharedrange.core.errors import DidNotConverge
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.progress import Progress, silent
from sharedrange.population.design.plan import Animals, Plan
from sharedrange.population.scr import Fit, Model, fit

Floats = NDArray[np.float64]

OUTCOMES = pl.Schema(
    {
        # One row a replicate and variant; density null where the fit had no maximum or the data were too thin.
        "replicate": pl.Int64(),
        "variant": pl.String(),
        "individuals": pl.Int64(),
        "recaptures": pl.Int64(),
        "spatial_recaptures": pl.Int64(),
        "density_per_100km2": pl.Float64(),
        "se_log": pl.Float64(),
    }
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to analyse what was caught: a name, the plan as the analyst has it, and the model."""

    name: str
    plan: Plan
    model: Model


def simulate_history(plan: Plan, mask: Mask, animals: Animals, rng: np.random.Generator) -> CaptureHistory:
    """What one survey by `plan` would catch: Poisson numbers, uniform within cells of the mask."""
    number = rng.poisson(animals.per_point(mask))
    point = np.repeat(np.arange(len(mask)), number)
    half_m = mask.spacing_m / 2
    x_m = mask.x_m[point] + rng.uniform(-half_m, half_m, len(point))
    y_m = mask.y_m[point] + rng.uniform(-half_m, half_m, len(point))
    places = plan.places_m()
    hazard = animals.hazard(np.hypot(x_m[:, None] - places[:, 0], y_m[:, None] - places[:, 1]))
    parts = [_caught(plan, hazard * strength, k, rng) for k, strength in enumerate(plan.strength.T)]
    return plan.history(pl.concat(parts))


def _caught(plan: Plan, hazard: Floats, occasion: int, rng: np.random.Generator) -> pl.DataFrame:
    """Captures of one occasion; `hazard` (animals, J) with its strength."""
    counts = _one_place(hazard, rng) if plan.kind == "multi" else rng.poisson(hazard)
    who, where = np.nonzero(counts)
    seen = counts[who, where] if plan.kind == "count" else np.ones(len(who), dtype=np.int64)
    return pl.DataFrame(
        {
            "individual": [f"animal-{i:05d}" for i in who],
            "detector": plan.detectors["detector"].gather(where),
            "occasion": np.full(len(who), occasion + 1, dtype=np.int32),
            "count": seen.astype(np.int32),
        },
        schema_overrides={"individual": pl.String},
    )


def _one_place(hazard: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most one capture an animal: at a detector with probability proportional to its hazard."""
    upto = np.cumsum(hazard, axis=1)
    total = upto[:, -1] if hazard.shape[1] else np.zeros(len(hazard))
    caught = rng.random(len(hazard)) < -np.expm1(-total)
    place = (upto < (rng.random(len(hazard)) * total)[:, None]).sum(axis=1)
    counts = np.zeros(hazard.shape, dtype=np.int64)
    counts[np.flatnonzero(caught), place[caught]] = 1
    return counts


def model_for(plan: Plan) -> Model:
    """The model that an analyst would take: cameras of unlike parties see unlike."""
    return Model("HHN", lambda0="~ party" if len(plan.parties) > 1 else "~ 1")


def log_density_of(found: Fit) -> tuple[float, float]:
    """Logarithm of density per 100 km2 and its standard error, of a fit with one density."""
    at = found.design.names.index("D")
    return float(found.beta[at]), float(np.sqrt(found.covariance[at, at]))


def outcomes(
    plan: Plan,
    mask: Mask,
    animals: Animals,
    variants: Sequence[Variant],
    *,
    replicates: int,
    rng: np.random.Generator,
    progress: Progress = silent,
    executor: Executor | None = None,
) -> pl.DataFrame:
    """Surveys simulated by `plan`, each analysed in every variant (schema OUTCOMES).

    All variants see the same animals and captures. The outcome does not depend on the number of workers.
    """
    tasks = [
        _Task(number, plan, mask, animals, tuple(variants), stream)
        for number, stream in enumerate(rng.spawn(replicates))
    ]
    run = executor.map if executor is not None else map
    rows: list[tuple[object, ...]] = []
    for done, found in enumerate(run(_replicate, tasks), start=1):
        rows += found
        progress(done / replicates)
    return pl.DataFrame(rows, schema=OUTCOMES, orient="row")


@dataclass(frozen=True, slots=True)
class _Task:
    number: int
    plan: Plan
    mask: Mask
    animals: Animals
    variants: tuple[Variant, ...]
    rng: np.random.Generator


def _replicate(task: _Task) -> list[tuple[object, ...]]:
    history = simulate_history(task.plan, task.mask, task.animals, task.rng)
    caught = (history.n_individuals, history.n_recaptures, history.n_spatial_recaptures)
    return [(task.number, v.name, *caught, *_analysed(v, history, task.mask)) for v in task.variants]


def _analysed(variant: Variant, history: CaptureHistory, mask: Mask) -> tuple[float | None, float | None]:
    """Density and the standard error of its logarithm; None where nothing was recaptured elsewhere, or no maximum."""
    if not history.n_spatial_recaptures:
        return None, None
    try:
        log_density, se = log_density_of(fit((variant.plan.history(history.captures),), (mask,), variant.model))
    except DidNotConverge:
        return None, None
    return float(np.exp(log_density)), se


def summary(table: pl.DataFrame, true_density_per_100km2: float, level: float = 0.95) -> pl.DataFrame:
    """How estimates lie about the truth, one row a variant of `outcomes`.

    `relative_bias` with its simulation error `bias_se`, `rse` (mean of the estimated relative standard errors),
    `relative_rmse`, `coverage` of log-normal intervals at `level`, and the number of replicates and failed ones.
    """
    z = float(norm.ppf(0.5 + level / 2))
    ratio = pl.col("density_per_100km2") / true_density_per_100km2
    covers = (ratio.log().abs() <= z * pl.col("se_log")).cast(pl.Float64)
    spread = ratio.std() / ratio.count().cast(pl.Float64).sqrt()
    return table.group_by("variant", maintain_order=True).agg(
        replicates=pl.len(),
        failed=pl.col("density_per_100km2").null_count(),
        individuals=pl.col("individuals").mean(),
        recaptures=pl.col("recaptures").mean(),
        spatial_recaptures=pl.col("spatial_recaptures").mean(),
        relative_bias=ratio.mean() - 1,
        bias_se=spread,
        rse=(pl.col("se_log").pow(2).exp() - 1).sqrt().mean(),
        relative_rmse=(ratio - 1).pow(2).mean().sqrt(),
        coverage=covers.mean(),
    )


def trial(
    plan: Plan,
    mask: Mask,
    animals: Animals,
    *,
    replicates: int,
    rng: np.random.Generator,
    model: Model | None = None,
    progress: Progress = silent,
    executor: Executor | None = None,
) -> pl.DataFrame:
    """How well density is known from surveys by `plan`, by simulation: one row, see `summary`."""
    variant = Variant(plan.name, plan, model or model_for(plan))
    table = outcomes(
        plan, mask, animals, [variant], replicates=replicates, rng=rng, progress=progress, executor=executor
    )
    return summary(table, animals.mean_density_per_100km2(mask))
