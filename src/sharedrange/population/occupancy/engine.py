"""The engine `population.occupancy`: inputs and settings in, an Answer out."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl

from sharedrange.core.answer import LISTED, Answer, Estimate, Refusal, Scope
from sharedrange.core.engine import Engine
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.progress import Progress, part
from sharedrange.population.occupancy.derived import (
    Value,
    detection,
    occupancy,
    occupied_sites,
    serial_chances,
    sides_with_data,
    site_map,
)
from sharedrange.population.occupancy.fitness import FitTest, goodness_of_fit
from sharedrange.population.occupancy.fitting import Fit, fit
from sharedrange.population.occupancy.model import Model
from sharedrange.population.occupancy.visits import SiteVisits

NAME = "population.occupancy"
METHOD = "occupancy"
INSTEAD = ("population.rates", "population.minimum")
_FITTED = 0.3  # share of the work done after the fit
_MISFIT = 0.05  # a p-value from which the model is said not to fit
_SINGLE_SHARE = 0.5  # of sites with a find that rest on one record: then wrong records weigh most


@dataclass(frozen=True, slots=True)
class OccupancyInputs:
    """Visits of sites, and what the numbers are about."""

    visits: SiteVisits
    scope: Scope = Scope()


@dataclass(frozen=True, slots=True)
class OccupancySettings:
    """The model, how sure intervals are, and what is too little. See docs/engines/population.occupancy.md."""

    psi: str = "~ 1"
    p: str = "~ 1"
    effort: Literal["replicate", "offset"] = "replicate"
    serial: bool = False
    level: float = 0.95
    interval: Literal["profile", "logit"] = "profile"
    goodness_of_fit: int = 0
    min_sites: int = 10
    min_sites_found: int = 3
    min_sites_revisited: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"level: {self.level} (between 0 and 1)")
        if self.goodness_of_fit < 0:
            raise ValueError(f"goodness_of_fit: {self.goodness_of_fit} (0 or more)")

    @property
    def model(self) -> Model:
        """The model that is asked for."""
        return Model(self.psi, self.p, self.effort, self.serial)


def answer(
    inputs: OccupancyInputs,
    settings: OccupancySettings,
    *,
    rng: np.random.Generator,
    progress: Progress,
    executor: Executor | None,
    checkpoint: MutableMapping[str, Any],
) -> Answer:
    """At what share of sites the species lives or passes, found there or not.

    A refusal if the visits are too few to tell absence from not looking. Raises InputError (all findings),
    DidNotConverge, Cancelled.
    """
    progress(0.0)
    wrong = list(_contradictions(inputs.visits))
    if wrong:
        raise InputError(wrong)
    declined = refusal(inputs.visits, settings)
    if declined:
        progress(1.0)
        return Answer(refusal=declined)
    found = fit(inputs.visits, settings.model)
    progress(_FITTED)
    test = (
        goodness_of_fit(
            found,
            settings.goodness_of_fit,
            rng,
            progress=part(progress, _FITTED, 0.95),
            executor=executor,
            checkpoint=checkpoint,
        )
        if settings.goodness_of_fit
        else None
    )
    result = _answer(found, test, inputs.scope, settings)
    progress(1.0)
    return result


def _contradictions(visits: SiteVisits) -> Iterator[Finding]:
    """What no table made by `visits.site_visits` can have: detections without a visit, unusable effort."""
    names = visits.sites["site"].to_list()
    for row, column in zip(*np.nonzero(visits.detected & ~visits.visited), strict=True):
        yield Finding("occupancy-found-without-visit", {"site": names[row], "visit": int(column) + 1})
    for row, column in zip(*np.nonzero(visits.visited & (visits.effort <= 0)), strict=True):
        facts: dict[str, Fact] = {"site": names[row], "given": str(visits.effort[row, column])}
        yield Finding("occupancy-effort-value", facts)


def refusal(visits: SiteVisits, settings: OccupancySettings) -> Refusal | None:
    """Why the question is declined, or None.

    Detection is learned from sites visited again after or before a find; where nothing is found, or nothing is
    visited twice, absence and not seeing cannot be told apart.
    """
    have: dict[str, Fact] = {
        "sites": int(visits.surveyed.sum()),
        "sites_found": int(visits.found.sum()),
        "sites_revisited": int((visits.visited.sum(axis=1) > 1).sum()),
    }
    need: dict[str, Fact] = {
        "sites": settings.min_sites,
        "sites_found": settings.min_sites_found,
        "sites_revisited": settings.min_sites_revisited,
    }
    if all(int(have[k] or 0) >= int(need[k] or 0) for k in need):
        return None
    return Refusal(NAME, have, need, INSTEAD)


def _answer(found: Fit, test: FitTest | None, scope: Scope, settings: OccupancySettings) -> Answer:
    about = replace(scope, method=scope.method or METHOD)
    return Answer(
        estimates=tuple(_estimates(found, test, about, settings)),
        parameters=found.names,
        covariance=tuple(tuple(float(v) for v in row) for row in found.covariance),
        tables={
            "fit": _fit_table(found),
            "coefficients": coefficient_table(found),
            "map": site_map(found, settings.level),
            "test": _test_table(test),
        },
        findings=tuple(_findings(found, test)),
    )


def _estimates(found: Fit, test: FitTest | None, scope: Scope, settings: OccupancySettings) -> Iterator[Estimate]:
    profile, level = settings.interval == "profile", settings.level

    def estimate(name: str, value: Value, unit: str, place: str = "") -> Estimate:
        where = replace(scope, place=place or scope.place)
        return Estimate(name, value.value, unit, value.low, value.high, value.se, level, where)

    yield estimate("psi", occupancy(found, None, level, profile=profile), "probability")
    yield estimate("occupied", occupied_sites(found, None, level), "sites")
    yield estimate("p", detection(found, level), "probability")
    for name, value in serial_chances(found, level).items():
        yield estimate(name, value, "probability")
    sides = sides_with_data(found)
    side_of_site = found.visits.sides()[found.problem.site]
    for side in sides if len(sides) > 1 else ():
        here = side_of_site == side
        if not found.problem.psi.is_constant:
            yield estimate(f"psi.{side}", occupancy(found, here, level), "probability", side)
        yield estimate(f"occupied.{side}", occupied_sites(found, here, level), "sites", side)
    if test is not None and np.isfinite(test.c_hat):
        yield Estimate("c_hat", test.c_hat, "times", level=level, scope=scope)
    yield from _listed(found, scope)


def _listed(found: Fit, scope: Scope) -> Iterator[Estimate]:
    """What was found, beside what is estimated."""
    listed, seen = replace(scope, kind=LISTED), found.problem.any_seen
    yield Estimate("naive", found.visits.naive, "share", scope=listed)
    yield Estimate("sites_found", int(seen.sum()), "sites", scope=listed)
    yield Estimate("sites_visited", len(seen), "sites", scope=listed)


def _fit_table(found: Fit) -> pl.DataFrame:
    """One row: what was fitted and how well."""
    model = found.problem.model
    return pl.DataFrame(
        {
            "psi": [model.psi],
            "p": [model.p],
            "effort": [model.effort],
            "serial": [model.serial],
            "log_likelihood": [found.log_likelihood],
            "parameters": [found.n_parameters],
            "aic": [found.aic],
            "sites": [len(found.problem.site)],
            "visits": [len(found.problem.seen)],
        }
    )


def coefficient_table(found: Fit) -> pl.DataFrame:
    """Parameters on the link scale; no standard error for those at a limit."""
    se = np.sqrt(np.maximum(np.diag(found.covariance), 0.0))
    held = [name in found.at_limit for name in found.names]
    shown = [None if at_limit else float(s) for s, at_limit in zip(se, held, strict=True)]
    return pl.DataFrame(
        {"parameter": list(found.names), "estimate": found.beta, "se": shown}, schema_overrides={"se": pl.Float64}
    )


def _test_table(test: FitTest | None) -> pl.DataFrame:
    """The goodness-of-fit test: one row, or none where it was not asked for."""
    schema = {"statistic": pl.Float64, "p_value": pl.Float64, "c_hat": pl.Float64, "replicates": pl.Int64}
    rows = [] if test is None else [(test.statistic, test.p_value, test.c_hat, test.replicates)]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _findings(found: Fit, test: FitTest | None) -> Iterator[Finding]:
    """What a reader of the numbers must know."""
    yield from _doubts_of_records(found)
    if found.visits.kind == "station":
        yield Finding("occupancy-is-use", severity=Severity.NOTE)
    for one in found.unbounded:
        if one.variable:
            facts: dict[str, Fact] = {"parameter": one.parameter, "covariate": one.variable}
            yield Finding("occupancy-covariate-unbounded", facts, severity=Severity.WARNING)
        else:
            facts = {"parameter": one.parameter, "limit": one.limit}
            yield Finding("occupancy-at-limit", facts, severity=Severity.WARNING)
    if test is None:
        yield Finding("occupancy-fit-unchecked", severity=Severity.NOTE)
    elif test.p_value < _MISFIT:
        facts = {"p_value": round(test.p_value, 3), "c_hat": round(test.c_hat, 2), "replicates": test.replicates}
        yield Finding("occupancy-misfit", facts, severity=Severity.WARNING)
    if test is not None and test.failed:
        facts = {"failed": test.failed, "replicates": test.replicates}
        yield Finding("occupancy-refits-failed", facts, severity=Severity.NOTE)


def _doubts_of_records(found: Fit) -> Iterator[Finding]:
    """Every record is taken as true; where many sites rest on one record, a few wrong ones weigh heavily."""
    detections = np.add.reduceat(found.problem.seen.astype(int), found.problem.first)
    single, any_seen = int((detections == 1).sum()), int((detections > 0).sum())
    severity = Severity.WARNING if single > _SINGLE_SHARE * any_seen else Severity.NOTE
    yield Finding("occupancy-records-taken-as-true", {"single": single, "found": any_seen}, severity=severity)


ENGINE = Engine(name=NAME, version=1, Settings=OccupancySettings, Inputs=OccupancyInputs, function=answer)
