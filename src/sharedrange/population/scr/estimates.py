"""The numbers of an answer, each with its unit, interval and scope."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.answer import LISTED, Estimate, Scope
from sharedrange.core.history import CaptureHistory
from sharedrange.population.scr.derived import Derived, Population, Realised, Region, covariance_table, on_side
from sharedrange.population.scr.design import Part, Share
from sharedrange.population.scr.fitting import Fit, SessionFit
from sharedrange.population.scr.links import floored_interval, logit_interval, lognormal_interval
from sharedrange.population.scr.predict import cases

Floats = NDArray[np.float64]
METHOD = "scr"


class Numbers:
    """Makes estimates of one fit at one confidence level, all with one scope."""

    def __init__(self, population: Population, scope: Scope, level: float) -> None:
        self._population = population
        self._fit = population.fit
        self._scope = replace(scope, method=scope.method or METHOD)
        self._level = level

    def all(self, histories: Sequence[CaptureHistory]) -> tuple[Estimate, ...]:
        """Every estimate of the answer, what is asked most first."""
        return (
            *self._population_numbers(),
            *(e for side in self._population.sides for e in self._side_numbers(side)),
            *self._detection_numbers(),
            *self._listed(histories),
        )

    def covariances(self) -> pl.DataFrame:
        """Covariance of the expected numbers of the whole (region ""), its parts and each side."""
        p = self._population
        return covariance_table(p, {"": p.reported, **self._parts, **{side: on_side(side) for side in p.sides}})

    def _population_numbers(self) -> Iterator[Estimate]:
        p = self._population
        yield self._realised("N")
        yield self._positive("N_expected", p.expected(p.reported), "animals")
        yield self._density("D", p.reported)
        for name, region in self._parts.items():
            yield self._realised(f"N.{name}")
            yield Estimate(f"area.{name}", p.area_km2(region), "km2", level=self._level, scope=self._scope)
        if p.sides:
            yield self._positive("shared", p.shared(), "animals")

    @cached_property
    def _parts(self) -> dict[str, Region]:
        """The surveyed and the extrapolated part of the area."""
        p = self._population
        return {"surveyed": _part_of(p, surveyed=True), "extrapolated": _part_of(p, surveyed=False)}

    @cached_property
    def _realised_populations(self) -> dict[str, Realised]:
        """The realised population of the whole, of its parts and of each side, by quantity."""
        p = self._population
        parts = {f"N.{name}": region for name, region in self._parts.items()}
        return p.realised({"N": p.reported, **parts, **{f"N.{side}": on_side(side) for side in p.sides}})

    def _side_numbers(self, side: str) -> Iterator[Estimate]:
        p, here = self._population, on_side(side)
        yield self._realised(f"N.{side}", side)
        yield self._positive(f"N_expected.{side}", p.expected(here), "animals", side)
        yield self._positive(f"N_use.{side}", p.use(side), "animals", side)
        if p.area_km2(here) > 0:
            yield self._density(f"D.{side}", here, side)
        yield self._positive(f"resident.{side}", p.residents(side), "animals", side)

    def _density(self, name: str, region: Region, side: str = "") -> Estimate:
        area, expected = self._population.area_km2(region), self._population.expected(region)
        per_area = Derived(100.0 * expected.value / area, 100.0 * expected.gradient / area)
        return self._positive(name, per_area, "per_100km2", side)

    def _positive(self, name: str, derived: Derived, unit: str, side: str = "", sex: str = "") -> Estimate:
        se, low, high = lognormal_interval(derived.value, derived.se_log(self._fit.covariance), self._level)
        return Estimate(name, derived.value, unit, low, high, se, self._level, self._scope_of(side, sex))

    def _realised(self, name: str, side: str = "") -> Estimate:
        realised = self._realised_populations[name]
        low, high = floored_interval(realised.value, realised.se, realised.certain, self._level)
        return Estimate(name, realised.value, "animals", low, high, realised.se, self._level, self._scope_of(side))

    def _scope_of(self, side: str = "", sex: str = "") -> Scope:
        return replace(self._scope, place=side or self._scope.place, sex=sex or self._scope.sex)

    def _detection_numbers(self) -> Iterator[Estimate]:
        design = self._fit.design
        for parameter, part in (("lambda0", design.intensity), ("sigma", design.sigma), ("z", design.shape)):
            if part.names:
                yield from self._part_numbers(parameter, part)
        for share in design.shares:
            yield from self._share_numbers(share)

    def _part_numbers(self, parameter: str, part: Part) -> Iterator[Estimate]:
        """The parameter for every combination of what it depends on."""
        name = self._fit.design.detection.intercept if parameter == "lambda0" else parameter
        for case in cases(self._fit, parameter):
            row = np.zeros(self._fit.n_parameters)
            row[part.place] = case.row
            yield self._natural(name, ".".join((name, *case.labels)), row, case.sex)

    def _share_numbers(self, share: Share) -> Iterator[Estimate]:
        """Shares of classes in the first session; two classes have a logit, more of them a delta method."""
        if len(share.parts) == 1:
            row = np.zeros(self._fit.n_parameters)
            row[share.parts[0].place] = self._fit.design.sessions[0].share
            yield self._probability(share.parts[0].names[0], row, "share")
            return
        log_p, slope = self._fit.design.log_class_share(self._fit.beta, 0)
        for k, part in enumerate(share.parts, start=1):
            c = int(np.flatnonzero(share.level == k)[0])
            value = float(np.exp(log_p[c]))
            yield self._positive(part.names[0], Derived(value, value * slope[c]), "share")

    def _natural(self, parameter: str, name: str, row: Floats, sex: str) -> Estimate:
        if parameter == "g0":
            return self._probability(name, row, "probability", sex)
        value = float(np.exp(row @ self._fit.beta))
        unit = {"sigma": "m", "z": "1"}.get(parameter, "per_occasion")
        return self._positive(name, Derived(value, value * row), unit, sex=sex)

    def _probability(self, name: str, row: Floats, unit: str, sex: str = "") -> Estimate:
        se_eta = float(np.sqrt(row @ self._fit.covariance @ row))
        value, se, low, high = logit_interval(float(row @ self._fit.beta), se_eta, self._level)
        return Estimate(name, value, unit, low, high, se, self._level, self._scope_of(sex=sex))

    def _listed(self, histories: Sequence[CaptureHistory]) -> Iterator[Estimate]:
        """Animals detected; over several sessions the sum of each session's animals."""
        scope = replace(self._scope, kind=LISTED)
        unit = "animals" if len(histories) == 1 else "animal_sessions"
        yield Estimate("n", float(sum(h.n_individuals for h in histories)), unit, scope=scope)
        for history in histories if len(histories) > 1 else ():
            within = replace(scope, period=history.session)
            yield Estimate(f"n.{history.session}", float(history.n_individuals), "animals", scope=within)


def _part_of(population: Population, *, surveyed: bool) -> Region:
    def region(at: SessionFit) -> Floats:
        return np.where(at.session.surveyed == surveyed, population.reported(at), 0.0)

    return region


def coefficient_table(fit: Fit) -> pl.DataFrame:
    """Parameters on the link scale."""
    return pl.DataFrame(
        {"parameter": list(fit.design.names), "estimate": fit.beta, "se": np.sqrt(np.diag(fit.covariance))}
    )


def fit_table(fit: Fit) -> pl.DataFrame:
    """One row: what was fitted and how well."""
    model = fit.design.model
    pooled = {"~ 0 + side": "side", "~ 1": "pooled"}
    density, *detection = (str(model.formula(p)) for p in ("D", "lambda0", "sigma"))
    return pl.DataFrame(
        {
            "detection_function": [model.detection_function],
            "density": [pooled.get(density, density)],
            "lambda0": [_terms(detection[0])],
            "sigma": [_terms(detection[1])],
            "log_likelihood": [fit.log_likelihood],
            "parameters": [fit.n_parameters],
            "aic": [fit.aic],
            "n": [fit.n_animals],
            "sessions": [len(fit.sessions)],
            "converged": [True],
            "largest_gradient": [float(np.abs(fit.gradient).max())],
        }
    )


def _terms(formula: str) -> str:
    """A formula as the settings write it: ``party+sex``."""
    return formula.removeprefix("~ ").replace(" + ", "+")
