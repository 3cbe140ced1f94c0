"""Counts for the tests of trends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

SKYLARK = Path(__file__).parents[2] / "data" / "skylark"


@pytest.fixture(scope="session")
def skylark() -> pl.DataFrame:
    """55 sites, 8 years, 202 counts; habitat, deposition and weight beside them."""
    return pl.read_csv(SKYLARK / "counts.csv", null_values="NA").rename({"year": "time"})


@pytest.fixture(scope="session")
def skylark_plain(skylark: pl.DataFrame) -> pl.DataFrame:
    """The same without weights."""
    return skylark.drop("weight")


@pytest.fixture(scope="session")
def uneven() -> pl.DataFrame:
    """SIMULATED: 14 sites, 7 years of which some are far apart, zeros, gaps, weights and two habitats."""
    rng = np.random.default_rng(11)
    years = np.array([1990, 1991, 1993, 1994, 1995, 1999, 2000])
    level = rng.normal(1.5, 1.0, 14)
    mean = np.exp(level[:, None] - 0.04 * (years - 1990) + rng.normal(0, 0.2, (14, 7)))
    count = rng.negative_binomial(2 * mean, 2 / 3).astype(float)
    count[rng.random((14, 7)) < 0.25] = np.nan
    return pl.DataFrame(
        {
            "site": np.repeat([f"s{i:02}" for i in range(14)], 7),
            "time": np.tile(years, 14),
            "count": count.ravel(),
            "weight": np.repeat(rng.uniform(0.5, 4, 14), 7),
            "habitat": np.repeat(["marsh", "reeds"] * 7, 7),
        }
    ).with_columns(pl.col("count").fill_nan(None))
