"""The equations solved site by site give what the same equations give when written out in full."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from sharedrange.core.errors import SharedRangeError
from sharedrange.population.trend import TrendFit, TrendModel, fit
from sharedrange.population.trend.estimation import steps_of

Floats = NDArray[np.float64]

MODELS = [
    TrendModel(1),
    TrendModel(2, changepoints=(1990, 1995)),
    TrendModel(2, changepoints=(1993,)),
    TrendModel(3),
    TrendModel(3, covariates=("habitat",)),
    TrendModel(3, serial_correlation=False),
]
every_model = pytest.mark.parametrize("model", MODELS, ids=str)


class Dense:
    """The fit written out: all sites in one derivative D (n, S + p), one dense working covariance V (n, n)."""

    def __init__(self, found: TrendFit) -> None:
        panel, solution = found.panel, found.solution
        self.rows = np.flatnonzero(panel.observed)
        self.site = np.eye(len(panel.sites))[panel.site]
        self.whole = np.hstack([self.site, found.design.rows[found.design.cell]])
        self.weighted = np.exp(self.whole @ np.concatenate([solution.level, solution.coefficients]))
        expected = self.weighted / panel.weight
        steps = steps_of(panel.times)[panel.time]
        gap = np.abs(steps[:, None] - steps)
        together = panel.site[:, None] == panel.site
        rho = solution.correlation
        correlation = np.where(together, np.sign(rho) ** gap * abs(rho) ** gap, 0.0) if rho else np.eye(len(steps))
        covariance = solution.dispersion * correlation * np.sqrt(np.outer(expected, expected))
        self.covariance = covariance[np.ix_(self.rows, self.rows)]
        self.count, self.expected = panel.count[self.rows], expected[self.rows]
        self.derivative = self.expected[:, None] * self.whole[self.rows]
        self.information = self.derivative.T @ np.linalg.solve(self.covariance, self.derivative)
        self.by_time = np.eye(len(panel.times))[panel.time].T * panel.weight

    def imputed(self) -> Floats:
        """Covariance of imputed totals: the counts and what they do to the estimates, both as linear in the counts."""
        n = len(self.by_time.T)
        counts = np.zeros((n, len(self.rows)))
        counts[self.rows, np.arange(len(self.rows))] = 1
        influence = np.linalg.solve(self.information, np.linalg.solve(self.covariance, self.derivative).T)
        missing = np.ones(n)
        missing[self.rows] = 0
        model = (missing * self.weighted / self._weight())[:, None] * self.whole
        linear = self.by_time @ (counts + model @ influence)
        return np.asarray(linear @ self.covariance @ linear.T)

    def fitted(self) -> Floats:
        linear = self.by_time @ ((self.weighted / self._weight())[:, None] * self.whole)
        return np.asarray(linear @ np.linalg.solve(self.information, linear.T))

    def _weight(self) -> Floats:
        return np.asarray(self.by_time.sum(axis=0))


@every_model
def test_the_estimating_equations_hold(uneven: pl.DataFrame, model: TrendModel) -> None:
    dense = Dense(fit(uneven, model))
    left = dense.derivative.T @ np.linalg.solve(dense.covariance, dense.count - dense.expected)
    assert_allclose(left, 0, atol=1e-8)


@every_model
def test_dispersion_and_correlation_are_the_moments_of_the_residuals(uneven: pl.DataFrame, model: TrendModel) -> None:
    found = fit(uneven, model)
    dense = Dense(found)
    residual = np.full(len(found.panel.site), np.nan)
    residual[dense.rows] = (dense.count - dense.expected) / np.sqrt(dense.expected)
    grid = residual.reshape(len(found.panel.sites), -1)
    assert found.solution.dispersion == pytest.approx(np.nansum(grid**2) / found.residual_df, rel=1e-9)
    neighbours = np.diff(found.panel.times) == 1
    products = (grid[:, 1:] * grid[:, :-1])[:, neighbours]
    rho = np.nanmean(products) / found.solution.dispersion if model.serial_correlation else 0
    assert found.solution.correlation == pytest.approx(rho, abs=1e-9)


@every_model
def test_covariances_are_those_of_the_equations_written_out(uneven: pl.DataFrame, model: TrendModel) -> None:
    found = fit(uneven, model)
    dense, n_sites = Dense(found), len(found.panel.sites)
    full = np.linalg.inv(dense.information)
    assert_allclose(found.solution.inverse, full[n_sites:, n_sites:], rtol=1e-7, atol=1e-12)
    for ours, theirs in (
        (found.totals().covariance, dense.imputed()),
        (found.totals("fitted").covariance, dense.fitted()),
    ):
        assert_allclose(ours, theirs, rtol=1e-7, atol=1e-7 * theirs.max())


@every_model
def test_the_order_of_rows_and_the_names_of_sites_do_not_matter(uneven: pl.DataFrame, model: TrendModel) -> None:
    shuffled = uneven.sample(fraction=1.0, shuffle=True, seed=3).with_columns(pl.col("site").str.reverse())
    first, second = fit(uneven, model), fit(shuffled, model)
    assert_allclose(second.solution.coefficients, first.solution.coefficients, atol=1e-9)
    assert_allclose(second.totals().covariance, first.totals().covariance, rtol=1e-7)


@every_model
def test_missing_rows_are_missing_counts(uneven: pl.DataFrame, model: TrendModel) -> None:
    first, second = fit(uneven, model), fit(uneven.drop_nulls("count"), model)
    assert_allclose(second.totals().values, first.totals().values, rtol=1e-10)


@every_model
def test_weights_alike_at_a_site_scale_its_totals_and_leave_the_coefficients(
    uneven: pl.DataFrame, model: TrendModel
) -> None:
    first, second = fit(uneven.drop("weight"), model), fit(uneven.with_columns(weight=pl.lit(3.0)), model)
    assert_allclose(second.solution.coefficients, first.solution.coefficients, atol=1e-9)
    assert_allclose(second.totals().values, 3 * first.totals().values, rtol=1e-9)
    assert_allclose(second.totals().covariance, 9 * first.totals().covariance, rtol=1e-7)


def test_a_site_that_is_counted_twice_as_high_weighs_more_but_has_the_same_shape(uneven: pl.DataFrame) -> None:
    model = TrendModel(3, overdispersion=False, serial_correlation=False)
    alone = uneven.drop("weight").filter(pl.col("site").is_in(["s01", "s03", "s04", "s06", "s08", "s09"]))
    doubled = alone.with_columns(pl.col("count") * 2)
    one, two = fit(alone, model), fit(doubled, model)
    assert_allclose(two.solution.coefficients, one.solution.coefficients, atol=1e-8)
    assert_allclose(2 * two.solution.inverse, one.solution.inverse, rtol=1e-7)


def test_richer_models_fit_better_and_all_change_points_are_all_effects(uneven: pl.DataFrame) -> None:
    def ratio(model: TrendModel) -> float:
        return fit(uneven, replace(model, serial_correlation=False)).goodness().likelihood_ratio

    ratios = [ratio(m) for m in (TrendModel(1), TrendModel(2), TrendModel(2, changepoints="all"), TrendModel(3))]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[2] == pytest.approx(ratios[3], rel=1e-10)
    assert ratio(TrendModel(3, covariates=("habitat",))) < ratios[3]


def test_all_change_points_with_serial_correlation_have_finite_coefficients(uneven: pl.DataFrame) -> None:
    line, effects = fit(uneven, TrendModel(2, changepoints="all")), fit(uneven, TrendModel(3))
    slopes = line.coefficients()
    assert slopes.select(pl.col("additive", "se").is_finite().all()).row(0) == (True, True)
    steps = slopes["additive"] * (slopes["upto"] - slopes["since"])
    assert_allclose(steps.cum_sum(), effects.coefficients()["additive"], atol=1e-8)


def test_where_nothing_is_missing_the_imputed_total_is_what_was_counted(uneven: pl.DataFrame) -> None:
    whole = uneven.with_columns(pl.col("count").fill_null(2.0))
    counted = whole.group_by("time").agg((pl.col("count") * pl.col("weight")).sum().alias("n")).sort("time")["n"]
    for model in MODELS:
        assert_allclose(fit(whole, model).totals().values, counted, rtol=1e-12)


def test_counts_of_neighbouring_years_only_bear_on_the_serial_correlation() -> None:
    assert steps_of((1990, 1994, 2000)).tolist() == [0, 2, 5]
    assert steps_of((1990, 1991)).tolist() == [0, 1]


def test_monthly_counts_are_those_of_the_equations_written_out() -> None:
    rng = np.random.default_rng(4)
    grid = [(s, t, m) for s in range(6) for t in range(2001, 2005) for m in (1, 5, 9)]
    table = pl.DataFrame(grid, schema=["site", "time", "month"], orient="row").with_columns(
        pl.Series("count", rng.poisson(8, len(grid)).astype(float)).set(pl.Series(rng.random(len(grid)) < 0.3), None)
    )
    found = fit(table, TrendModel(3, serial_correlation=False))
    dense = Dense(found)
    left = dense.derivative.T @ np.linalg.solve(dense.covariance, dense.count - dense.expected)
    assert_allclose(left, 0, atol=1e-8)
    assert_allclose(found.totals().covariance, dense.imputed(), rtol=1e-7)
    assert [str(p) for p in found.design.parameters][-2:] == ["month.5", "month.9"]
    assert [(t.test, t.df) for t in found.tests()] == [("deviations", 2), ("months", 2)]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    n_sites=st.integers(1, 9),
    n_times=st.integers(2, 9),
    kind=st.sampled_from([1, 2, 3]),
    missing=st.floats(0, 0.7),
    rare=st.floats(-2, 4),
)
def test_any_counts_are_answered_with_finite_numbers_or_an_error_of_ours(
    *, seed: int, n_sites: int, n_times: int, kind: int, missing: float, rare: float
) -> None:
    rng = np.random.default_rng(seed)
    mean = np.exp(rng.normal(rare, 1.5, n_sites))[:, None] * rng.gamma(0.7, 1 / 0.7, (n_sites, n_times))
    count = rng.poisson(mean).astype(float)
    count[rng.random(count.shape) < missing] = np.nan
    years = np.sort(rng.choice(np.arange(1990, 2005), n_times, replace=False))
    table = pl.DataFrame(
        {"site": np.repeat(np.arange(n_sites), n_times), "time": np.tile(years, n_sites), "count": count.ravel()}
    ).with_columns(pl.col("count").fill_nan(None))
    model = TrendModel(kind, changepoints="all" if kind == 2 and seed % 2 else ())  # type: ignore[arg-type]  # 1, 2, 3
    try:
        found = fit(table, model)
    except SharedRangeError:
        return
    total = found.totals()
    assert np.isfinite(found.solution.inverse).all()
    assert np.isfinite(total.values).all()
    assert np.linalg.eigvalsh(total.covariance)[0] > -1e-6 * total.covariance.max()
