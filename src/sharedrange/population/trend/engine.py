"""The engine `population.trend`: from counts at sites to indices, totals, the trend and its class."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np

from sharedrange.core.answer import Answer, Estimate, Refusal, Scope
from sharedrange.core.engine import Engine
from sharedrange.core.errors import InputError, NotEnoughData
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.progress import Progress, part
from sharedrange.population.trend.fitting import QUESTION, TrendFit, fit_panel
from sharedrange.population.trend.panel import PARTY, Panel, read_panel
from sharedrange.population.trend.series import Series, Slope, index_series, overall_slope
from sharedrange.population.trend.settings import TrendInputs, TrendSettings
from sharedrange.population.trend.tables import named, tables_of
from sharedrange.population.trend.wald import COVARIATE, DEVIATIONS

INDEX_UNIT, TREND_UNIT = "times", "times_per_year"
_SIGNIFICANT = 0.05
_MUCH_WIDER = 1.5  # of standard errors: more than the noise of the sandwich with this many sites
_MANY_SITES = 20

CLASS_RULES = {
    "strong-increase": "trend-is-strong-increase",
    "moderate-increase": "trend-is-moderate-increase",
    "stable": "trend-is-stable",
    "uncertain": "trend-is-uncertain",
    "moderate-decline": "trend-is-moderate-decline",
    "steep-decline": "trend-is-steep-decline",
}


def _answer(
    inputs: TrendInputs,
    settings: TrendSettings,
    *,
    rng: np.random.Generator,  # noqa: ARG001  (the engine contract; all is analytic)
    progress: Progress,
    executor: Executor | None,  # noqa: ARG001  (the engine contract; a fit takes a fraction of a second)
    checkpoint: MutableMapping[str, Any],  # noqa: ARG001  (the engine contract)
) -> Answer:
    """Indices, totals, the trend per year with its class, by level of covariates too, and the tests."""
    progress(0.0)
    model = settings.trend_model()
    panel = read_panel(inputs.table, model.covariates)
    _check_base(panel, settings)
    progress(0.2)
    refusal = thin(panel, settings)
    if refusal is None:
        try:
            found = fit_panel(panel, model, progress=part(progress, 0.2, 0.7))
            refusal = _too_many_parameters(found, settings)
        except NotEnoughData as error:
            refusal = error.refusal
    progress(0.8)
    if refusal is not None:
        progress(1.0)
        return Answer(refusal=refusal)
    answer = _told(found, inputs, settings)
    progress(1.0)
    return answer


ENGINE = Engine(QUESTION, 1, TrendSettings, TrendInputs, _answer)


def _check_base(panel: Panel, settings: TrendSettings) -> None:
    """Raises InputError where a base year is none of the counts'."""
    missing = sorted(set(settings.base) - set(panel.times))
    if missing and panel.times:
        facts: dict[str, Fact] = {
            "base": ", ".join(map(str, missing)),
            "times": f"{panel.times[0]}-{panel.times[-1]}",
        }
        raise InputError([Finding("trend-base-unknown", facts)])


def thin(panel: Panel, settings: TrendSettings) -> Refusal | None:
    """Why the question is declined before any fit, or None."""
    positive = int((panel.count > 0).sum())
    have: dict[str, Fact] = {
        "sites_with_animals": len(panel.sites),
        "years": len(panel.times),
        "counts_with_animals": positive,
        "counts": int(panel.observed.sum()),
    }
    need: dict[str, Fact] = {
        "sites_with_animals": settings.min_sites,
        "years": settings.min_times,
        "counts_with_animals": settings.min_positive_counts,
    }
    enough = (
        len(panel.sites) >= settings.min_sites
        and len(panel.times) >= settings.min_times
        and positive >= settings.min_positive_counts
    )
    return None if enough else Refusal(QUESTION, have, need)


def _too_many_parameters(fit: TrendFit, settings: TrendSettings) -> Refusal | None:
    """A refusal where next to nothing is left to learn the spread of the counts from."""
    if fit.residual_df >= settings.min_residual_df:
        return None
    parameters = fit.data.n_sites + fit.design.p
    have: dict[str, Fact] = {"counts": fit.data.n, "parameters": parameters}
    advice = [Finding("trend-fewer-parameters", {"parameters": parameters}, severity=Severity.NOTE)]
    needed = parameters + settings.min_residual_df
    return Refusal(QUESTION, have, {"counts": needed}, findings=tuple(advice) if fit.model.kind == 3 else ())


def _told(fit: TrendFit, inputs: TrendInputs, settings: TrendSettings) -> Answer:
    scope = replace(inputs.scope, method=inputs.scope.method or f"trim-model-{fit.model.kind}")
    slopes, lacking = _slopes(fit, settings)
    estimates = (
        *_trends(slopes, scope),
        *_numbers(fit, fit.totals(), Estimate("total", 0.0, inputs.unit, scope=scope, level=settings.level)),
        *_numbers(
            fit,
            index_series(_changes(fit, settings), settings.base),
            Estimate("index", 0.0, INDEX_UNIT, scope=scope, level=settings.level),
        ),
    )
    notes = (*_classes(slopes), *_differences(fit), *_doubts(fit, settings))
    return Answer(
        estimates=estimates,
        parameters=tuple(str(p) for p in fit.design.parameters),
        covariance=tuple(tuple(map(float, row)) for row in fit.solution.inverse),
        tables=tables_of(fit, slopes, index_series(_changes(fit, settings), settings.base), settings),
        findings=(*inputs.notes, *fit.notes, *lacking, *notes),
    )


Who = tuple[str, str]  # covariate and level; ("", "") for all sites


def _slopes(fit: TrendFit, settings: TrendSettings) -> tuple[dict[Who, Slope], list[Finding]]:
    """The overall slope of the imputed totals, of all sites and of each level; and whose cannot be told."""
    slopes, lacking = dict[Who, Slope](), list[Finding]()
    for covariate, level in _groups(fit):
        series = _changes(fit, settings, covariate, level)
        if series.all_positive:
            slopes[covariate, level] = overall_slope(series, level=settings.level, reference=settings.reference)
        else:
            facts: dict[str, Fact] = {"level": named(covariate, level)}
            lacking.append(Finding("trend-total-zero", facts, severity=Severity.WARNING))
    return slopes, lacking


def _changes(fit: TrendFit, settings: TrendSettings, covariate: str = "", level: str = "") -> Series:
    """Imputed totals with the covariance that indices and slopes are to have."""
    if settings.variance == "sites":
        return fit.between_sites(covariate=covariate, level=level)
    return fit.totals(covariate=covariate, level=level)


def _groups(fit: TrendFit) -> Iterator[Who]:
    yield "", ""
    for covariate in fit.model.covariates:
        for level in fit.panel.levels[covariate]:
            yield covariate, level


def _trends(slopes: dict[Who, Slope], scope: Scope) -> Iterator[Estimate]:
    for (covariate, level), slope in slopes.items():
        low, high = slope.interval
        where = replace(scope, place=level) if covariate == PARTY else scope
        yield Estimate(
            named(covariate, level),
            slope.multiplicative,
            TREND_UNIT,
            low,
            high,
            slope.se_multiplicative,
            slope.level,
            where,
        )


def _numbers(fit: TrendFit, series: Series, like: Estimate) -> Iterator[Estimate]:
    """A number a year, with name, unit, level and scope of `like`.

    A number without error (the index of the base year) has no interval.
    """
    low, high = fit.limits(series, like.level)
    for i, year in enumerate(series.times):
        number = replace(
            like,
            quantity=f"{like.quantity}.{year}",
            value=float(series.values[i]),
            scope=replace(like.scope, period=str(year)),
        )
        known = bool(np.isfinite(low[i]))
        yield replace(number, low=float(low[i]), high=float(high[i]), se=float(series.se[i])) if known else number


def _classes(slopes: dict[Who, Slope]) -> Iterator[Finding]:
    """The trend of all sites and of each level, in words."""
    for (covariate, level), slope in slopes.items():
        low, high = (round(100 * (limit - 1), 1) for limit in slope.interval)
        facts: dict[str, Fact] = {
            "since": slope.since,
            "upto": slope.upto,
            "percent": round(100 * (slope.multiplicative - 1), 1),
            "low": low,
            "high": high,
            "quantity": named(covariate, level),
        }
        yield Finding(CLASS_RULES[slope.trend], facts, severity=Severity.NOTE)


def _differences(fit: TrendFit) -> Iterator[Finding]:
    """Whether the levels of each covariate (parties, methods) change alike."""
    for test in fit.tests():
        if test.test == COVARIATE:
            facts: dict[str, Fact] = {
                "covariate": test.about,
                "levels": ", ".join(fit.panel.levels[test.about]),
                "p": round(test.p, 4),
            }
            rule = "trend-levels-differ" if test.p < _SIGNIFICANT else "trend-levels-alike"
            yield Finding(rule, facts, severity=Severity.NOTE)


def _doubts(fit: TrendFit, settings: TrendSettings) -> Iterator[Finding]:
    """What makes the interval of the trend narrower than what many people would read into it."""
    for test in fit.tests():
        if test.test == DEVIATIONS and test.p < _SIGNIFICANT:
            yield Finding("trend-years-off-the-line", {"p": round(test.p, 4)}, severity=Severity.NOTE)
    between, model = fit.between_sites(), fit.totals()
    if settings.variance == "model" and len(fit.panel.sites) >= _MANY_SITES and model.all_positive:
        times = overall_slope(between).se / overall_slope(model).se
        if times > _MUCH_WIDER:
            yield Finding("trend-sites-differ", {"times": round(times, 1)}, severity=Severity.WARNING)
