"""A trend model fitted to a plain table of counts, and what can be read off the fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import chi2

from sharedrange.core.answer import Refusal
from sharedrange.core.errors import InputError, NotEnoughData
from sharedrange.core.finding import Finding, Severity, errors
from sharedrange.core.progress import Progress, part, silent
from sharedrange.population.trend.checks import changepoint_findings, confounded, model_findings
from sharedrange.population.trend.design import Design, design_of
from sharedrange.population.trend.estimation import Counted, Solution, counted, solve
from sharedrange.population.trend.model import TrendModel
from sharedrange.population.trend.panel import Panel, read_panel
from sharedrange.population.trend.series import Series, Slope, log_limits, overall_slope, quantile
from sharedrange.population.trend.stepwise import Step, select
from sharedrange.population.trend.totals import Kind, between_sites, expected_weighted, totals
from sharedrange.population.trend.wald import WaldTest, off_the_line, wald_tests

Floats = NDArray[np.float64]
QUESTION = "population.trend"
_UNDERDISPERSED = 0.5  # counts vary clearly less than Poisson counts: worth a look at how they were made

COEFFICIENTS = pl.Schema(
    {
        # One row a coefficient: effects of the time `upto` relative to `since`, or slopes per year between them.
        "covariate": pl.String(),  # "" for the baseline; month for effects of months
        "level": pl.String(),
        "since": pl.Int64(),
        "upto": pl.Int64(),
        "additive": pl.Float64(),
        "se": pl.Float64(),
        "multiplicative": pl.Float64(),
        "se_multiplicative": pl.Float64(),
        "low": pl.Float64(),  # of the multiplicative value
        "high": pl.Float64(),
    }
)
DEVIATIONS = pl.Schema(
    {
        # One row a time: its effect less the straight line through the effects of all times.
        "time": pl.Int64(),
        "additive": pl.Float64(),
        "se": pl.Float64(),
        "multiplicative": pl.Float64(),
        "se_multiplicative": pl.Float64(),
    }
)


@dataclass(frozen=True, slots=True)
class Goodness:
    """How well the model fits. `aic` is up to a constant: the likelihood ratio less twice the degrees of freedom."""

    chi2: float
    likelihood_ratio: float
    df: int

    @property
    def p_chi2(self) -> float:
        """Chance of counts as far from the model if they were Poisson."""
        return float(chi2.sf(self.chi2, self.df))

    @property
    def p_likelihood_ratio(self) -> float:
        """The same by the likelihood ratio."""
        return float(chi2.sf(self.likelihood_ratio, self.df))

    @property
    def aic(self) -> float:
        """Akaike's criterion up to a constant; comparable between models of the same counts."""
        return self.likelihood_ratio - 2 * self.df


@dataclass(frozen=True, slots=True)
class TrendFit:
    """A fitted model.

    `solution` holds the coefficients and their covariance, `notes` are findings worth knowing, `steps` tell how
    change points were selected.
    """

    panel: Panel
    model: TrendModel
    design: Design
    data: Counted
    solution: Solution
    notes: tuple[Finding, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def residual_df(self) -> int:
        """Counts less sites less coefficients."""
        return residual_df(self.data, self.design)

    @property
    def changepoints(self) -> tuple[int, ...]:
        """The change points of the model, after selection."""
        return self.model.slopes_from(self.panel.times)

    @property
    def scale_df(self) -> float:
        """Degrees of freedom for intervals: those of the dispersion where it was estimated, else infinite."""
        return float(self.residual_df) if self.model.uses_scale else np.inf

    def coefficients(self, level: float = 0.95) -> pl.DataFrame:
        """The coefficients (schema COEFFICIENTS), additive on the log scale and multiplicative."""
        value, se = self.solution.coefficients, np.sqrt(np.diag(self.solution.inverse))
        factor, wide = np.exp(value), quantile(level, self.scale_df)
        whose = [(p.covariate, p.level, p.since, p.upto) for p in self.design.parameters]
        limits = np.exp(value - wide * se), np.exp(value + wide * se)
        numbers = zip(value, se, factor, factor * se, *limits, strict=True)
        rows = [(*who, *map(float, what)) for who, what in zip(whose, numbers, strict=True)]
        return pl.DataFrame(rows, schema=COEFFICIENTS, orient="row")

    def deviations(self) -> pl.DataFrame:
        """How far each time's effect lies off the straight line through them (schema DEVIATIONS), model 3 only.

        Raises ValueError for other models and with covariates, whose levels have lines of their own.
        """
        if self.model.kind != 3 or self.model.covariates:
            raise ValueError("deviations: only model 3 without covariates has them")
        values, covariance = off_the_line(self.panel.times, self.solution)
        se = np.sqrt(np.clip(np.diag(covariance), 0, None))
        columns = {"time": self.panel.times, "additive": values, "se": se, "multiplicative": np.exp(values)}
        return pl.DataFrame({**columns, "se_multiplicative": np.exp(values) * se}, schema=DEVIATIONS)

    def totals(self, kind: Kind = "imputed", *, covariate: str = "", level: str = "") -> Series:
        """Totals by time, of all sites or of those of one level of a covariate."""
        rows = None
        if covariate:
            rows = self.panel.covariates[covariate] == self.panel.levels[covariate].index(level)
        return totals(self.panel, self.design, self.solution, kind, rows)

    def between_sites(self, *, covariate: str = "", level: str = "") -> Series:
        """Imputed totals with a covariance for their *changes*, from how sites differ; see `between_sites`."""
        rows = np.ones(len(self.panel.site), bool)
        if covariate:
            rows = self.panel.covariates[covariate] == self.panel.levels[covariate].index(level)
        return between_sites(self.panel, self.design, self.data, self.solution, rows)

    def overall(self, kind: Kind = "imputed", *, level: float = 0.95, reference: str = "t") -> Slope:
        """The overall slope of the totals and its trend class; see `overall_slope`."""
        return overall_slope(self.totals(kind), level=level, reference=reference)

    def limits(self, series: Series, level: float = 0.95) -> tuple[Floats, Floats]:
        """Limits of a series of this fit, symmetric on the log scale; NaN for a number without error."""
        return log_limits(series.values, series.se, quantile(level, self.scale_df))

    def tests(self) -> tuple[WaldTest, ...]:
        """Wald tests of slopes, changes of slope, covariates and deviations from a straight line."""
        return wald_tests(self.panel.times, self.model, self.design, self.solution)

    def goodness(self) -> Goodness:
        """Pearson's chi-squared and the likelihood ratio against the counts themselves."""
        count, expected = self.data.count, self.solution.expected
        ratio = np.log(np.where(count > 0, count, expected) / expected)
        deviance = 2 * float(count @ ratio)
        return Goodness(float(((count - expected) ** 2 / expected).sum()), deviance, self.residual_df)

    def filled(self) -> pl.DataFrame:
        """Site, time (and month), counted, fitted and imputed count of every row, not multiplied by weights."""
        fitted = expected_weighted(self.panel, self.design, self.solution) / self.panel.weight
        at = {"site": np.array(self.panel.sites)[self.panel.site], "time": np.array(self.panel.times)[self.panel.time]}
        if self.panel.months:
            at["month"] = np.array(self.panel.months)[self.panel.month]
        observed = pl.Series("observed", self.panel.count).fill_nan(None)
        imputed = np.where(self.panel.observed, self.panel.count, fitted)
        return pl.DataFrame({**at, "observed": observed, "fitted": fitted, "imputed": imputed})


def residual_df(data: Counted, design: Design) -> int:
    """Counts less sites less coefficients."""
    return data.n - data.n_sites - design.p


def fit(table: pl.DataFrame, model: TrendModel = TrendModel(), *, progress: Progress = silent) -> TrendFit:
    """Fit `model` to a plain table of counts (columns site, time, count, ...; see `read_panel`).

    Raises InputError with all findings about table and model, NotEnoughData where there are no more counts than
    parameters, DidNotConverge where the equations have no solution that was found.

    Examples
    --------
    >>> counts = pl.DataFrame(
    ...     {"site": [*"aaaabbbb"], "time": [2001, 2002, 2003, 2004] * 2, "count": [4, 6, None, 9, 8, 11, 15, 20]}
    ... )
    >>> fit(counts, TrendModel(2, serial_correlation=False)).coefficients()["multiplicative"].round(3).to_list()
    [1.332]
    """
    return fit_panel(read_panel(table, model.covariates), model, progress=progress)


def fit_panel(panel: Panel, model: TrendModel, *, progress: Progress = silent) -> TrendFit:
    """Fit `model` to counts that were read, change points selected where that is asked for. Raises as `fit`."""
    if not model.stepwise:
        return _fit_one(panel, model, progress)
    first = _fit_one(panel, model, part(progress, 0.0, 0.5))
    found, steps = select(model, first, lambda m: _fit_one(panel, m, silent))
    progress(1.0)
    return replace(found, steps=steps)


def _fit_one(panel: Panel, model: TrendModel, progress: Progress) -> TrendFit:
    """Fit one model as it stands."""
    notes = list(panel_findings(panel, model))
    if errors(notes):
        raise InputError(errors(notes))
    design = design_of(panel, model)
    data = counted(panel, design)
    if found := list(confounded(data, design)):
        raise InputError(found)
    if residual_df(data, design) < 1:
        have = {"counts": data.n, "parameters": data.n_sites + design.p}
        raise NotEnoughData(Refusal(QUESTION, have, {"counts": data.n_sites + design.p + 1}))
    correlated = model.serial_correlation and bool((data.gap == 1).any())
    solution = solve(data, design, overdispersion=model.uses_scale, serial_correlation=correlated, progress=progress)
    notes += _solution_notes(model, solution, correlated=correlated)
    return TrendFit(panel, model, design, data, solution, (*panel.notes, *notes))


def panel_findings(panel: Panel, model: TrendModel) -> Sequence[Finding]:
    """What is wrong with the model for these counts, or worth knowing."""
    if not panel.sites or len(panel.times) < 2:
        have = {"sites_with_animals": len(panel.sites), "years": len(panel.times)}
        raise NotEnoughData(Refusal(QUESTION, have, {"sites_with_animals": 1, "years": 2}))
    if wrong := list(changepoint_findings(panel, model)):
        return wrong
    found = list(model_findings(panel, model))
    if panel.months and model.serial_correlation:
        found.append(Finding("trend-months-correlated", {}))
    return found


def _solution_notes(model: TrendModel, solution: Solution, *, correlated: bool) -> list[Finding]:
    notes = []
    if model.serial_correlation and not correlated:
        notes.append(Finding("trend-no-neighbours", {}, severity=Severity.WARNING))
    if solution.at_limit:
        rho = round(solution.correlation, 2)
        notes.append(Finding("trend-correlation-at-limit", {"correlation": rho}, severity=Severity.WARNING))
    if solution.exact:
        notes.append(Finding("trend-no-spread", {}, severity=Severity.WARNING))
    if solution.dispersion < _UNDERDISPERSED:
        value = round(solution.dispersion, 2)
        notes.append(Finding("trend-underdispersed", {"dispersion": value}, severity=Severity.NOTE))
    return notes
