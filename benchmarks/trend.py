"""Trends of counts (`population.trend`) beside what somebody writes without it, on the same counts in one run.

    python benchmarks/trend.py [--sites 1380] [--years 24] [--coverage 0]

Counts are SIMULATED: sites x years, three in ten missing, variance 1.5 times the mean. The alternatives are a Poisson
regression with a dummy variable a site, by iterated sparse least squares (scipy), and the same estimating equations as
ours with a dense working covariance a site in a Python loop, as the R package rtrim solves them. All start from the
same table, end with coefficients and standard errors, and agree (checked). CPU and wall seconds, best of three.
`--coverage N` instead prints how often 95 % intervals hold the truth in N simulated data sets each.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack
from scipy.sparse.linalg import splu

from sharedrange.core.answer import Scope
from sharedrange.core.chance import stream
from sharedrange.core.progress import silent
from sharedrange.population.trend import (
    ENGINE,
    TrendInputs,
    TrendModel,
    TrendSettings,
    fit,
    index_series,
    overall_slope,
)

Floats = NDArray[np.float64]
MISSING, SLOPE = 0.3, 0.03


class Numbers(NamedTuple):
    """What all solutions are compared by: effects of the years after the first, and their standard errors."""

    effects: Floats
    se: Floats


def counts(
    rng: np.random.Generator, n_sites: int, n_years: int, *, drift: float = 0.0, year_sd: float = 0.0
) -> tuple[Floats, pl.DataFrame]:
    """Expected counts (S, T) and the table of simulated counts; `drift` correlates a site's years."""
    years = np.arange(n_years)
    mean = np.exp(rng.normal(2.0, 1.0, n_sites)[:, None] + SLOPE * years + rng.normal(0, year_sd, n_years))
    if drift:
        gap = np.abs(np.subtract.outer(years, years))
        deviation = rng.multivariate_normal(np.zeros(n_years), drift**gap, size=n_sites)
        counted = rng.poisson(mean * np.exp(0.5 * deviation - 0.125)).astype(float)
    else:
        counted = rng.negative_binomial(2 * mean, 2 / 3).astype(float)
    counted[rng.random(mean.shape) < MISSING] = np.nan
    site = np.repeat([f"s{i:05}" for i in range(n_sites)], n_years)
    table = pl.DataFrame({"site": site, "time": np.tile(2000 + years, n_sites), "count": counted.ravel()})
    return mean, table.with_columns(pl.col("count").fill_nan(None))


def ours(table: pl.DataFrame, *, serial: bool) -> Numbers:
    found = fit(table, TrendModel(3, serial_correlation=serial))
    return Numbers(found.solution.coefficients, np.sqrt(np.diag(found.solution.inverse)))


def whole_answer(table: pl.DataFrame) -> Numbers:
    """The engine with all it tells: totals, indices, slopes, tests, tables."""
    inputs = TrendInputs(table, Scope(taxon="Simulated species"))
    answer = ENGINE.answer(inputs, TrendSettings(), rng=stream(1, ENGINE.name), progress=silent)
    rows = answer.tables["coefficients"]
    return Numbers(rows["additive"].to_numpy(), rows["se"].to_numpy())


def dummies(table: pl.DataFrame) -> Numbers:
    """Quasi-Poisson regression on site and year dummies by iterated sparse least squares."""
    rows = _with_animals(table)
    count = rows["count"].to_numpy()
    site, year = (np.unique(rows[c].to_numpy(), return_inverse=True)[1] for c in ("site", "time"))
    n = len(count)
    by_site, by_year = (csr_array((np.ones(n), (np.arange(n), k)), shape=(n, k.max() + 1)) for k in (site, year))
    design = hstack([by_site, by_year[:, 1:]]).tocsc()
    log_mean = np.log(count + 0.5)
    for _ in range(50):
        mean = np.exp(log_mean)
        solved = splu((design.T @ (design * mean[:, None])).tocsc())
        new = design @ solved.solve(design.T @ (mean * log_mean + count - mean))
        moved, log_mean = float(np.abs(new - log_mean).max()), new
        if moved < 1e-9:
            break
    mean = np.exp(log_mean)
    solved = splu((design.T @ (design * mean[:, None])).tocsc())
    years = np.arange(by_site.shape[1], design.shape[1])
    unit = np.zeros((design.shape[1], len(years)))
    unit[years, np.arange(len(years))] = 1
    spread = ((count - mean) ** 2 / mean).sum() / (n - design.shape[1])
    inverse = solved.solve(unit)[years]
    effects = solved.solve(design.T @ (mean * log_mean))[years]
    return Numbers(effects, np.sqrt(spread * np.diag(inverse)))


def site_by_site(table: pl.DataFrame) -> Numbers:
    """Estimating equations with serial correlation, a dense block a site in a loop."""
    rows = _with_animals(table).pivot("time", index="site", values="count").drop("site")
    grid = rows.select(sorted(rows.columns)).to_numpy()
    n_sites, n_years = grid.shape
    seen = ~np.isnan(grid)
    basis = np.eye(n_years)[:, 1:]
    level, effects, rho, spread = np.log(np.nanmean(grid, axis=1)), np.zeros(n_years - 1), 0.0, 1.0
    gap = np.abs(np.subtract.outer(np.arange(n_years), np.arange(n_years)))
    for step in range(200):
        correlation = rho**gap if rho else np.eye(n_years)
        information, score, levels = _sums(grid, seen, basis, (level, effects), correlation)
        change = np.linalg.solve(information, score)
        effects = effects + change
        level = level + np.array([own - cross @ change for own, cross in levels])
        mean = np.exp(level[:, None] + basis @ effects)
        residual = (grid - mean) / np.sqrt(mean)
        spread = np.nansum(residual**2) / (seen.sum() - n_sites - n_years + 1)
        if step < 8:
            continue
        products = residual[:, 1:] * residual[:, :-1]
        last, rho = rho, float(np.nanmean(products) / spread)
        if max(np.abs(change).max(), abs(rho - last)) < 1e-9:
            break
    information, *_ = _sums(grid, seen, basis, (level, effects), rho**gap)
    return Numbers(effects, np.sqrt(spread * np.diag(np.linalg.inv(information))))


def _sums(
    grid: Floats, seen: NDArray[np.bool_], basis: Floats, at: tuple[Floats, Floats], correlation: Floats
) -> tuple[Floats, Floats, list[tuple[float, Floats]]]:
    level, effects = at
    information, score = np.zeros((basis.shape[1],) * 2), np.zeros(basis.shape[1])
    levels = []
    for i in range(len(grid)):
        rows = np.flatnonzero(seen[i])
        mean = np.exp(level[i] + basis[rows] @ effects)
        root = np.sqrt(mean)
        inverse = np.linalg.inv(root[:, None] * correlation[np.ix_(rows, rows)] * root)
        omega = mean[:, None] * inverse * mean
        pull = mean * (inverse @ (grid[i, rows] - mean))
        whole, cross = omega.sum(), basis[rows].T @ omega.sum(axis=1)
        information += basis[rows].T @ omega @ basis[rows] - np.outer(cross, cross) / whole
        score += basis[rows].T @ pull - cross * pull.sum() / whole
        levels.append((pull.sum() / whole, cross / whole))
    return information, score, levels


def _with_animals(table: pl.DataFrame) -> pl.DataFrame:
    return table.drop_nulls("count").filter(pl.col("count").sum().over("site") > 0)


def timed(call: Callable[[], Numbers], times: int = 3) -> tuple[Numbers, float, float]:
    """Result, CPU and wall seconds, the best of several runs."""
    best = (np.inf, np.inf)
    for _ in range(times):
        cpu, wall = time.process_time(), time.perf_counter()
        found = call()
        best = min(best, (time.process_time() - cpu, time.perf_counter() - wall))
    return found, *best


def compare(n_sites: int, n_years: int) -> None:
    _, table = counts(stream(1, "benchmarks.trend"), n_sites, n_years)
    print(f"{table.height:,} rows: {n_sites:,} sites x {n_years} years, {table['count'].null_count():,} not counted")
    pairs: list[tuple[str, Callable[[], Numbers], Callable[[], Numbers], int]] = [
        ("overdispersion; sparse dummies", lambda: ours(table, serial=False), lambda: dummies(table), 3),
        ("and serial correlation; loop", lambda: ours(table, serial=True), lambda: site_by_site(table), 1),
    ]
    for name, mine, other, repeats in pairs:
        (a, cpu, wall), (b, other_cpu, other_wall) = timed(mine), timed(other, repeats)
        np.testing.assert_allclose(a.effects, b.effects, atol=1e-6)
        np.testing.assert_allclose(a.se, b.se, rtol=1e-5)
        print(f"{name:32} ours {cpu:.3f} s CPU, {wall:.3f} s wall; theirs {other_cpu:.3f}, {other_wall:.3f}: ", end="")
        print(f"{other_cpu / cpu:.0f} x less CPU, {other_wall / wall:.0f} x less time")
    _, cpu, wall = timed(lambda: whole_answer(table))
    print(f"{'the whole answer of the engine':32} ours {cpu:.3f} s CPU, {wall:.3f} s wall")


DESIGNS: dict[str, dict[str, Any]] = {
    "40 sites, 10 years": {"n_sites": 40, "n_years": 10},
    "40 sites, 5 years": {"n_sites": 40, "n_years": 5},
    "12 sites, 10 years": {"n_sites": 12, "n_years": 10},
    "years differ by 10 %": {"n_sites": 40, "n_years": 10, "year_sd": 0.1},
    "sites drift (0.6)": {"n_sites": 40, "n_years": 10, "drift": 0.6},
}


def coverage(runs: int) -> None:
    """How often 95 % intervals of slope and indices hold the truth."""
    print("design                | slope: t, normal; between sites: normal, t | normal, rho = 0 | indices | totals")
    for name, design in DESIGNS.items():
        rng = stream(2, f"benchmarks.trend.{name}")
        held = np.mean([_held(*counts(rng, **design)) for _ in range(runs)], axis=0)
        slopes, rest = held[:4], held[4:]
        print(f"{name:21} | {' '.join(f'{v:.3f}' for v in slopes):42} | {' | '.join(f'{v:.3f}' for v in rest)}")


def _held(mean: Floats, table: pl.DataFrame) -> list[float]:
    found = fit(table)
    plain = fit(table, TrendModel(3, serial_correlation=False))
    kept = [int(site.removeprefix("s")) for site in found.panel.sites]
    truth = mean[kept].sum(axis=0)
    slopes = [
        found.overall(),
        found.overall(reference="normal"),
        overall_slope(found.between_sites(), reference="normal"),
        overall_slope(found.between_sites()),
        plain.overall(reference="normal"),
    ]
    held = [float(s.interval[0] <= np.exp(SLOPE) <= s.interval[1]) for s in slopes]
    for series, true in ((index_series(found.totals()), truth / truth[0]), (found.totals(), truth)):
        low, high = found.limits(series)
        held.append(float(((low <= true) & (true <= high))[1:].mean()))
    return held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=1380)
    parser.add_argument("--years", type=int, default=24)
    parser.add_argument("--coverage", type=int, default=0, metavar="N")
    chosen = parser.parse_args()
    if chosen.coverage:
        coverage(chosen.coverage)
    else:
        compare(chosen.sites, chosen.years)


if __name__ == "__main__":
    main()
