"""Totals of all sites by time, fitted and imputed, with their covariance.

An imputed total is what was counted plus what the model expects where nothing was counted. With D = d mu / d theta of
fitted values summed to totals and I the information, estimates move with the counts as
I^-1 sum D_i' V_i^-1 (f_i - mu_i). So the covariance of fitted totals is D I^-1 D', and that of imputed totals adds the
counts' own covariance V and takes off what counts and estimates share: V + D I^-1 D' - D_o I^-1 D_o', D_o being the
counted part of D (Pannekoek, Bogaart & van der Loo 2018, section on time totals, here for all times at once).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from sharedrange.population.trend.design import Design
from sharedrange.population.trend.estimation import Counted, Solution, scores, steps_of
from sharedrange.population.trend.panel import Panel
from sharedrange.population.trend.series import Series

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Kind = Literal["imputed", "fitted"]


def expected_weighted(panel: Panel, design: Design, solution: Solution) -> Floats:
    """Weight times expected count of every row of the panel, shape (N,)."""
    return np.asarray(np.exp(solution.level[panel.site] + design.of(solution.coefficients)))


def totals(panel: Panel, design: Design, solution: Solution, kind: Kind, rows: Bools | None = None) -> Series:
    """Totals by time of all sites, or of the rows chosen, with covariance (T, T)."""
    chosen = np.ones(len(panel.site), bool) if rows is None else rows
    expected = expected_weighted(panel, design, solution) * chosen
    covariance = _of_estimates(panel, design, solution, expected)
    values = expected
    if kind == "imputed":
        seen = expected * panel.observed
        values = np.where(panel.observed, np.nan_to_num(panel.count) * panel.weight * chosen, expected)
        covariance = covariance - _of_estimates(panel, design, solution, seen) + _of_counts(panel, solution, seen)
    return Series(panel.times, np.bincount(panel.time, values, len(panel.times)).astype(np.float64), covariance)


def between_sites(panel: Panel, design: Design, data: Counted, solution: Solution, rows: Bools) -> Series:
    """Imputed totals with the covariance of their changes over time, from how differently sites change.

    Each site is one draw: what its counts leave unexplained, and how they pull the coefficients (the sandwich of
    Liang & Zeger 1986; with levels of sites eliminated, Wooldridge 1999, Journal of Econometrics 90:77-97). For
    indices and slopes it holds whatever the correlation of a site's counts and however their variance grows; the
    height of all totals together it misses, because sites' levels fit their own counts. Too small for fewer than
    some 20 sites.
    """
    n_sites, n_times = len(panel.sites), len(panel.times)
    expected = expected_weighted(panel, design, solution) * rows
    left_over = np.where(panel.observed, np.nan_to_num(panel.count) * panel.weight * rows - expected, 0.0)
    pulls = csr_array((scores(data, solution), data.cell, data.start), shape=(n_sites, len(design.rows))) @ design.rows
    _, by_beta = _derivatives(panel, design, solution, expected * ~panel.observed)
    draws = by_site(panel, left_over) + pulls @ solution.inverse @ by_beta.T
    covariance = draws.T @ draws * (n_sites / max(n_sites - 1, 1))
    values = totals(panel, design, solution, "imputed", rows).values
    return Series(panel.times, values, np.asarray(covariance).reshape(n_times, n_times))


def by_site(panel: Panel, values: Floats) -> Floats:
    """Sums by site and time, shape (S, T)."""
    n_times, n_sites = len(panel.times), len(panel.sites)
    sums = np.bincount(panel.site * n_times + panel.time, values, n_sites * n_times)
    return np.asarray(sums, dtype=np.float64).reshape(n_sites, n_times)


def _of_estimates(panel: Panel, design: Design, solution: Solution, part: Floats) -> Floats:
    """D I^-1 D' of the weighted expected counts `part` (N,), zero where a row does not enter."""
    by_level, by_beta = _derivatives(panel, design, solution, part)
    scaled = by_level / solution.weight[:, None]
    return np.asarray(by_level.T @ scaled + by_beta @ solution.inverse @ by_beta.T)


def _derivatives(panel: Panel, design: Design, solution: Solution, part: Floats) -> tuple[Floats, Floats]:
    """How totals of `part` move with the levels (S, T), and with the coefficients less what levels take off (T, p)."""
    n_times, m = len(panel.times), len(design.rows)
    by_level = by_site(panel, part)
    by_cell = np.bincount(panel.time * m + design.cell, part, n_times * m).reshape(n_times, m)
    return by_level, by_cell @ design.rows - (by_level / solution.weight[:, None]).T @ solution.cross


def _of_counts(panel: Panel, solution: Solution, seen: Floats) -> Floats:
    """The working covariance of weighted counts summed to totals: w^2 sigma^2 mu, correlated over time at a site."""
    n_times, n_sites = len(panel.times), len(panel.sites)
    variance = solution.dispersion * seen * panel.weight
    result = np.diag(np.bincount(panel.time, variance, n_times))
    if solution.correlation:  # then there is one row a site and time
        root = np.sqrt(variance).reshape(n_sites, n_times)
        steps = steps_of(panel.times)
        gap = np.abs(steps[:, None] - steps)
        correlation = np.sign(solution.correlation) ** gap * np.abs(solution.correlation) ** gap
        result = result + (root.T @ root) * (correlation - np.eye(n_times))
    return np.asarray(result)
