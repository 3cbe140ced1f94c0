"""Visits in a few words, and simulated ones with known truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from sharedrange.population.occupancy import SiteVisits

Histories = Callable[..., SiteVisits]


def visits_of(rows: Sequence[str], sites: dict[str, Any] | None = None, **more: Any) -> SiteVisits:
    """Histories as text: 1 found, 0 looked for, . not visited."""
    table = np.array([list(row) for row in rows])
    names = {"site": [f"s{i:04}" for i in range(len(rows))]}
    given = {"effort": (table != ".").astype(float), **more}
    return SiteVisits(pl.DataFrame({**names, **(sites or {})}), table != ".", table == "1", **given)


def simulated_visits(rng: np.random.Generator, sites: int = 100, visits: int = 5, **truth: Any) -> SiteVisits:
    """Sites with a covariate x and visits with a covariate w; logit psi = psi + x_slope x, logit p = p + w_slope w."""
    t = {"psi": 0.0, "x_slope": 0.0, "p": 0.0, "w_slope": 0.0, "missing": 0.0, **truth}
    x, w = rng.normal(size=sites), rng.normal(size=(sites, visits))
    here = rng.random(sites) < expit(t["psi"] + t["x_slope"] * x)
    visited = rng.random((sites, visits)) >= t["missing"]
    found = here[:, None] & visited & (rng.random((sites, visits)) < expit(t["p"] + t["w_slope"] * w))
    table = pl.DataFrame({"site": [f"s{i:04}" for i in range(sites)], "x": x})
    effort = np.where(visited, rng.uniform(0.5, 2.0, (sites, visits)), 0.0)
    return SiteVisits(table, visited, found, effort, "km", {"w": w})


@pytest.fixture(scope="session")
def histories() -> Histories:
    return visits_of


@pytest.fixture(scope="session")
def simulated() -> Callable[..., SiteVisits]:
    return simulated_visits
