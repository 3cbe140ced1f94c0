"""The numbers of an answer, each with its unit, interval and scope, and its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit

from sharedrange.core.answer import LISTED, Estimate, Scope
from sharedrange.core.history import CaptureHistory
from sharedrange.core.survey import SEXES
from sharedrange.population.open.checks import returning
from sharedrange.population.open.derived import Derived, Numbers
from sharedrange.population.open.design import PSI
from sharedrange.population.open.fitting import OpenFit
from sharedrange.population.scr.links import floored_interval, logit_interval, lognormal_interval

Floats = NDArray[np.float64]
METHOD, METHOD_WITHOUT_SPACE = "open-scr", "open-without-space"

_ALIKE = 1e-9
_UNITS = {"f": "per_animal_year", "sigma_move": "m", "sigma": "m", "lambda0": "per_occasion"}


class Estimates:
    """Makes estimates of one fit at one level. `profiled`: limits on the link scale of parameters that have them."""

    def __init__(
        self, numbers: Numbers, scope: Scope, level: float, profiled: Mapping[str, tuple[float, float]]
    ) -> None:
        self._numbers = numbers
        self._fit = numbers.fit
        method = METHOD if numbers.fit.design.model.spatial else METHOD_WITHOUT_SPACE
        self._scope = replace(scope, method=scope.method or method)
        self._level = level
        self._profiled = profiled
        self._years = numbers.fit.design.data.names

    def all(self, histories: Sequence[CaptureHistory]) -> tuple[Estimate, ...]:
        """Every estimate of the answer, what is asked most first."""
        return (
            *(e for region in self._numbers.regions for e in self._of_region(region)),
            *self._growth(),
            *self._parameters(),
            *self._crossings(),
            *self._listed(histories),
        )

    def _of_region(self, region: str) -> Iterator[Estimate]:
        for t, year in enumerate(self._years):
            scope = replace(self._scope, period=year, place=region or self._scope.place)
            ending = f"{year}.{region}" if region else year
            there = self._numbers.realised[region][t]
            low, high = floored_interval(there.value, there.se, float(there.known), self._level)
            yield Estimate(f"N.{ending}", there.value, "animals", low, high, there.se, self._level, scope)
            expected = self._numbers.expected[region][t]
            yield self._positive(f"N_expected.{ending}", expected, "animals", scope)
            if self._fit.design.model.spatial:
                share = 100.0 / self._numbers.area_km2(region)
                density = Derived(share * expected.value, share * expected.se)
                yield self._positive(f"D.{ending}", density, "per_100km2", scope)

    def _positive(self, name: str, derived: Derived, unit: str, scope: Scope) -> Estimate:
        se, low, high = lognormal_interval(derived.value, derived.se_log, self._level)
        return Estimate(name, derived.value, unit, low, high, se, self._level, scope)

    @property
    def _intervals(self) -> list[str]:
        return [f"{a}-{b}" for a, b in zip(self._years[:-1], self._years[1:], strict=True)]

    def _growth(self) -> Iterator[Estimate]:
        *each, overall = self._numbers.growth
        yield self._positive("lambda", overall, "times_per_year", self._scope)
        if np.ptp([derived.value for derived in each]) < _ALIKE:  # rates that are the same in all years say it once
            return
        for interval, derived in zip(self._intervals, each, strict=True):
            yield self._positive(f"lambda.{interval}", derived, "times_per_year", replace(self._scope, period=interval))

    def _crossings(self) -> Iterator[Estimate]:
        for interval, derived in zip(self._intervals, self._numbers.crossings, strict=False):
            yield self._positive(f"crossings.{interval}", derived, "animals", replace(self._scope, period=interval))

    def _parameters(self) -> Iterator[Estimate]:
        for name, part in self._fit.design.parts.items():
            if name == "D":
                continue
            first = {label: row for row, label in reversed(list(enumerate(part.labels)))}
            for label, row in sorted(first.items()):
                line = np.zeros(len(self._fit.theta))
                line[part.place] = part.matrix[row]
                estimate = self._parameter(name, f"{name}.{label}" if label else name, line)
                sex = next((part for part in label.split(".") if part in SEXES), self._scope.sex)
                yield replace(estimate, scope=replace(estimate.scope, sex=sex))

    def _parameter(self, kind: str, name: str, line: Floats) -> Estimate:
        eta = float(line @ self._fit.theta)
        se = float(np.sqrt(max(float(line @ self._fit.covariance @ line), 0.0)))
        if not self._fit.design.model.spatial and kind == self._fit.design.data.detection.intercept:
            return self._seen_in_a_year(name.replace(kind, "p_year", 1), eta, se)
        if kind in ("phi", "g0", PSI):
            unit = "share" if kind == PSI else "probability"
            value, own, low, high = logit_interval(eta, se, self._level)
            low, high = (float(v) for v in expit(self._profiled[name])) if name in self._profiled else (low, high)
        else:
            unit, value = _UNITS[kind], float(np.exp(eta))
            own, low, high = lognormal_interval(value, se, self._level)
            low, high = (float(v) for v in np.exp(self._profiled[name])) if name in self._profiled else (low, high)
        return Estimate(name, value, unit, min(low, value), max(high, value), own, self._level, self._scope)

    def _seen_in_a_year(self, name: str, log_hazard: float, se: float) -> Estimate:
        """Without space: the chance that an animal that is there is seen in a year, 1 - exp(-hazard)."""
        z = lognormal_interval(1.0, se, self._level)
        low, value, high = (float(-np.expm1(-np.exp(log_hazard) * f)) for f in (z[1], 1.0, z[2]))
        slope = float(np.exp(log_hazard - np.exp(log_hazard)))
        return Estimate(name, value, "probability", low, high, se * slope, self._level, self._scope)

    def _listed(self, histories: Sequence[CaptureHistory]) -> Iterator[Estimate]:
        scope = replace(self._scope, kind=LISTED)
        yield Estimate("n", float(len(self._fit.design.data.individuals)), "animals", scope=scope)
        yield Estimate("returned", float(returning(histories)), "animals", scope=scope)
        for history in histories:
            within = replace(scope, period=history.session)
            yield Estimate(f"n.{history.session}", float(history.n_individuals), "animals", scope=within)


def coefficient_table(fit: OpenFit) -> pl.DataFrame:
    """Coefficients on the link scale; those held at the end of their range have a standard error of 0."""
    se = np.sqrt(np.maximum(np.diag(fit.beta_covariance), 0.0))
    return pl.DataFrame({"parameter": list(fit.names), "estimate": fit.beta, "se": se})


def fit_table(fit: OpenFit) -> pl.DataFrame:
    """One row: what was fitted and how well."""
    model = fit.design.model
    return pl.DataFrame(
        {
            "detection_function": [fit.design.data.detection.function],
            "movement": [model.movement if model.spatial else "none"],
            "spatial": [model.spatial],
            **{name: [str(formula)] for name, formula in model.formulas.items()},
            "log_likelihood": [fit.log_likelihood],
            "parameters": [len(fit.theta) - len(fit.at_limit)],
            "aic": [fit.aic],
            "n": [len(fit.design.data.individuals)],
            "years": [len(fit.design.data.names)],
            "largest_gradient": [float(np.abs(fit.gradient[np.diag(fit.covariance) > 0]).max(initial=0.0))],
        }
    )


def alive_table(numbers: Numbers) -> pl.DataFrame:
    """Each detected animal and year: the probability that it was alive, and alive on each reported side."""
    data = numbers.fit.design.data
    names = {region: f"alive_{region}" if region else "alive" for region in numbers.regions}
    return pl.DataFrame(
        {
            "individual": [who for who in data.individuals for _ in data.names],
            "year": list(data.names) * len(data.individuals),
            **{names[region]: p.T.ravel() for region, p in numbers.alive.items()},
        }
    )
