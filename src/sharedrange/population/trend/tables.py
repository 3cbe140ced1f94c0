"""The tables of an answer about a trend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from sharedrange.population.trend.fitting import TrendFit
from sharedrange.population.trend.series import Series, Slope, index_series
from sharedrange.population.trend.settings import TrendSettings

TIMES = pl.Schema(
    {
        # One row a time: totals, or indices relative to the base years. Limits are symmetric on the log scale.
        "time": pl.Int64(),
        "imputed": pl.Float64(),  # counted where counted, expected where not
        "se_imputed": pl.Float64(),
        "low_imputed": pl.Float64(),  # null where there is no error: the base year
        "high_imputed": pl.Float64(),
        "fitted": pl.Float64(),  # expected everywhere
        "se_fitted": pl.Float64(),
        "low_fitted": pl.Float64(),
        "high_fitted": pl.Float64(),
    }
)
SLOPES = pl.Schema(
    {
        # One row for all sites, one a level of each covariate: the line through the logarithms of the imputed totals.
        "covariate": pl.String(),
        "level": pl.String(),
        "since": pl.Int64(),
        "upto": pl.Int64(),
        "additive": pl.Float64(),
        "se": pl.Float64(),
        "multiplicative": pl.Float64(),
        "se_multiplicative": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "p": pl.Float64(),
        "trend": pl.String(),  # the class: strong-increase | moderate-increase | stable | uncertain | ...
    }
)
TESTS = pl.Schema(
    {
        # slope | change (of slope, at the time `about`) | deviations | covariate | months
        "test": pl.String(),
        "about": pl.String(),
        "statistic": pl.Float64(),
        "df": pl.Int64(),
        "p": pl.Float64(),
    }
)
GOODNESS = pl.Schema(
    {
        "model": pl.Int64(),
        "changepoints": pl.String(),
        "sites": pl.Int64(),
        "counts": pl.Int64(),
        "chi2": pl.Float64(),
        "likelihood_ratio": pl.Float64(),
        "df": pl.Int64(),
        "p_chi2": pl.Float64(),
        "p_likelihood_ratio": pl.Float64(),
        "aic": pl.Float64(),
        "dispersion": pl.Float64(),  # 1 where not estimated
        "serial_correlation": pl.Float64(),  # 0 where not estimated
    }
)
STEPS = pl.Schema({"action": pl.String(), "changepoint": pl.Int64(), "p": pl.Float64()})


def named(covariate: str, level: str) -> str:
    """The quantity of a trend: ``trend``, or ``trend.<covariate>.<level>``."""
    return ".".join(("trend", covariate, level)).replace(" ", "_") if covariate else "trend"


def tables_of(
    fit: TrendFit, slopes: Mapping[tuple[str, str], Slope], indices: Series, settings: TrendSettings
) -> dict[str, pl.DataFrame]:
    """Totals, indices, slopes, coefficients, tests, goodness of fit; steps where change points were selected."""
    imputed, fitted, level = fit.totals("imputed"), fit.totals("fitted"), settings.level
    tables = {
        "totals": _times(fit, imputed, fitted, level),
        "indices": _times(fit, indices, index_series(fitted, settings.base), level),
        "slopes": pl.DataFrame(list(_slope_rows(slopes)), schema=SLOPES, orient="row"),
        "coefficients": fit.coefficients(level),
        "tests": _tests(fit),
        "goodness": _goodness(fit),
    }
    if fit.model.kind == 3 and not fit.model.covariates:
        tables["deviations"] = fit.deviations()
    if fit.model.kind == 2 and fit.steps:
        rows = [(s.action, s.changepoint, s.p) for s in fit.steps]
        tables["steps"] = pl.DataFrame(rows, schema=STEPS, orient="row")
    return tables


def _times(fit: TrendFit, imputed: Series, fitted: Series, level: float) -> pl.DataFrame:
    columns: dict[str, object] = {"time": imputed.times}
    for name, series in (("imputed", imputed), ("fitted", fitted)):
        low, high = fit.limits(series, level)
        columns |= {name: series.values, f"se_{name}": series.se, f"low_{name}": low, f"high_{name}": high}
    return pl.DataFrame(columns, schema=TIMES).fill_nan(None)


def _slope_rows(slopes: Mapping[tuple[str, str], Slope]) -> Iterator[tuple[object, ...]]:
    for (covariate, level), s in slopes.items():
        numbers = (s.additive, s.se, s.multiplicative, s.se_multiplicative, *s.interval, s.p)
        yield covariate, level, s.since, s.upto, *numbers, str(s.trend)


def _tests(fit: TrendFit) -> pl.DataFrame:
    rows = [(t.test, t.about, t.statistic, t.df, t.p) for t in fit.tests()]
    return pl.DataFrame(rows, schema=TESTS, orient="row")


def _goodness(fit: TrendFit) -> pl.DataFrame:
    found, solution = fit.goodness(), fit.solution
    points = ", ".join(map(str, fit.changepoints))
    scale = (solution.dispersion, solution.correlation)
    measures = (found.chi2, found.likelihood_ratio, found.df, found.p_chi2, found.p_likelihood_ratio, found.aic)
    row = (fit.model.kind, points, fit.data.n_sites, fit.data.n, *measures, *map(float, np.asarray(scale)))
    return pl.DataFrame([row], schema=GOODNESS, orient="row")
