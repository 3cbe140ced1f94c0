"""Intervals hold the trend of simulated counts as often as they say. All counts here are SIMULATED."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.population.trend import Series, TrendFit, TrendModel, fit, index_series, overall_slope

SITES, YEARS, SLOPE = 30, 9, -0.04
RUNS = 150


def counts(rng: np.random.Generator, *, drift: float = 0.0) -> tuple[NDArray[np.float64], pl.DataFrame]:
    """Expected counts (S, T) and a table with three in ten missing.

    Variance 1.5 times the mean; with `drift`, log-normal deviations that follow each other at a site.
    """
    mean = np.exp(rng.normal(2.5, 0.8, SITES)[:, None] + SLOPE * np.arange(YEARS))
    if drift:
        counted = rng.poisson(mean * np.exp(0.4 * drifting(rng, drift) - 0.08)).astype(float)
    else:
        counted = rng.negative_binomial(2 * mean, 2 / 3).astype(float)
    counted[rng.random(mean.shape) < 0.3] = np.nan
    table = pl.DataFrame(
        {
            "site": np.repeat(np.arange(SITES), YEARS),
            "time": np.tile(np.arange(2001, 2001 + YEARS), SITES),
            "count": counted.ravel(),
        }
    )
    return mean, table.with_columns(pl.col("count").fill_nan(None))


def drifting(rng: np.random.Generator, rho: float) -> NDArray[np.float64]:
    """Standard normal deviations (S, T) with correlation rho^|j-k| over the years of a site."""
    gap = np.abs(np.subtract.outer(np.arange(YEARS), np.arange(YEARS)))
    return rng.multivariate_normal(np.zeros(YEARS), rho**gap, size=SITES)


def holds(series: Series) -> bool:
    """Whether the 95 % interval of the slope, against the normal distribution, holds the true slope."""
    low, high = overall_slope(series, reference="normal").interval
    return bool(low <= np.exp(SLOPE) <= high)


def covered(found: TrendFit, mean: NDArray[np.float64]) -> float:
    """Share of the indices whose interval holds the index of the expected counts."""
    index, truth = index_series(found.totals()), mean.sum(axis=0)
    low, high = found.limits(index)
    return float(((low <= truth / truth[0]) & (truth / truth[0] <= high))[1:].mean())


def test_intervals_of_slope_and_indices_cover_under_overdispersion() -> None:
    rng = np.random.default_rng(20)
    slopes, indices = [], []
    for _ in range(RUNS):
        mean, table = counts(rng)
        found = fit(table, TrendModel(3, serial_correlation=False))
        slopes.append(holds(found.totals()))
        indices.append(covered(found, mean))
    assert 0.90 <= np.mean(slopes) <= 0.99
    assert 0.92 <= np.mean(indices) <= 0.98


def test_without_overdispersion_intervals_would_be_too_narrow() -> None:
    rng = np.random.default_rng(21)
    tables = [counts(rng)[1] for _ in range(60)]
    poisson = TrendModel(3, overdispersion=False, serial_correlation=False)
    assert np.mean([fit(t).overall().se for t in tables]) > 1.1 * np.mean(
        [fit(t, poisson).overall().se for t in tables]
    )


def test_where_sites_drift_the_variance_between_sites_covers_and_the_models_does_not() -> None:
    rng = np.random.default_rng(22)
    model, sites = [], []
    for _ in range(80):
        found = fit(counts(rng, drift=0.7)[1])
        model.append(holds(found.totals()))
        sites.append(holds(found.between_sites()))
    assert np.mean(model) < 0.85
    assert np.mean(sites) > 0.85


def test_the_slope_is_unbiased_and_a_decline_is_found() -> None:
    rng = np.random.default_rng(23)
    found = [fit(counts(rng)[1]).overall() for _ in range(60)]
    assert abs(np.mean([s.additive for s in found]) - SLOPE) < 3 * np.mean([s.se for s in found]) / np.sqrt(60)
    assert np.mean(["decline" in s.trend for s in found]) > 0.8
