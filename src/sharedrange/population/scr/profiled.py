"""Profile intervals of everything that an answer prints, as far as there are such (see `profile`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharedrange.core.answer import Answer
from sharedrange.core.finding import Finding, Severity
from sharedrange.core.progress import Progress, silent
from sharedrange.population.scr.derived import Population, Region, on_side
from sharedrange.population.scr.evaluating import SessionFit
from sharedrange.population.scr.profile import Interval, Predictive, limits, profile_interval
from sharedrange.population.scr.quantity import quantities
from sharedrange.population.scr.search import Work

Floats = NDArray[np.float64]
FEW_ANIMALS = 20
_EMPTY = 1e-9  # animals: a region where nobody can be


def uses_profile(setting: str, n_animals: int) -> bool:
    """Whether intervals are profiles: asked for, or `auto` with few animals."""
    return setting == "profile" or (setting == "auto" and n_animals < FEW_ANIMALS)


def profiles_of(
    population: Population,
    level: float,
    progress: Progress = silent,
    checkpoint: MutableMapping[str, Any] | None = None,
) -> dict[str, Interval]:
    """Profile intervals by the name of the quantity in the engine's answer, as far as there are such.

    Of the animals there (`N`, `N.<side>`, `N.surveyed`, `N.extrapolated`), expected animals, densities, detection
    parameters and shares. Raises DidNotConverge.
    """
    work = Work(progress, checkpoint)
    known = quantities(population.fit, population.sides)
    numbers = {name: f"N_expected{name[1:]}" for name in known if name.partition(".")[0] == "D"}
    found = {n: profile_interval(q, level, work) for n, q in known.items() if n not in numbers}
    found |= {d: _times(found[n], d, known[d].natural(known[d].offset)) for d, n in numbers.items()}
    return {**{n: i for n, i in found.items() if i}, **_realised(population, level, work)}


def _times(interval: Interval | None, name: str, factor: float) -> Interval | None:
    """The interval of a constant times a quantity: density is expected animals over area."""
    if interval is None:
        return None
    value, low, high = (factor * v for v in (interval.value, interval.low, interval.high))
    return Interval(name, value, low, high, interval.level)


def realised_intervals(population: Population, level: float = 0.95) -> dict[str, Interval]:
    """Profile predictive intervals of the animals that were there, by region (`N`, `N.<side>`, ...)."""
    return _realised(population, level, Work())


def _realised(population: Population, level: float, work: Work) -> dict[str, Interval]:
    if population.fit.design.model.likelihood == "conditional":
        return {}
    regions = _regions(population)
    realised = population.realised(regions)
    return {
        name: _realised_interval(Predictive(population, regions[name], r, name, work), level)
        for name, r in realised.items()
        if r.value - r.certain > _EMPTY
    }


def _realised_interval(curve: Predictive, level: float) -> Interval:
    low, high = (curve.animals(psi) for psi in limits(curve, level))
    value = curve.realised.value
    return Interval(curve.name, value, min(low, value), max(high, value), level)


def _regions(population: Population) -> Mapping[str, Region]:
    parts: dict[str, Callable[[SessionFit], Floats]] = {
        "N": population.reported,
        "N.surveyed": lambda at: np.where(at.session.surveyed, population.reported(at), 0.0),
        "N.extrapolated": lambda at: np.where(at.session.surveyed, 0.0, population.reported(at)),
    }
    return {**parts, **{f"N.{side}": on_side(side) for side in population.sides}}


def profiled(answer: Answer, found: Mapping[str, Interval], n_animals: int) -> Answer:
    """The answer with profile intervals where there are such, and what its reader should know of them."""
    estimates = tuple(
        replace(e, low=found[e.quantity].low, high=found[e.quantity].high) if e.quantity in found else e
        for e in answer.estimates
    )
    note = Finding("scr-profile-intervals", {"individuals": n_animals}, severity=Severity.NOTE)
    return replace(answer, estimates=estimates, findings=(*answer.findings, note, *_unbounded(found)))


def _unbounded(found: Mapping[str, Interval]) -> Iterator[Finding]:
    for interval in found.values():
        if not np.isfinite(interval.high) or interval.low == -np.inf:
            yield Finding("scr-limit-infinite", {"quantity": interval.name}, severity=Severity.WARNING)
