"""What a fit with barriers says: estimates, tables, and what a reader should know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import isfinite, sqrt

import numpy as np
import polars as pl

from sharedrange.core.answer import LISTED, Answer, Estimate
from sharedrange.core.finding import Finding, Severity
from sharedrange.population.permeability.change import Change, Power
from sharedrange.population.permeability.crossing import PREFIX, parameter
from sharedrange.population.permeability.fit import METHOD, Permeability, animals_by_barrier
from sharedrange.population.permeability.settings import PermeabilityInputs, PermeabilitySettings
from sharedrange.population.scr import Fit
from sharedrange.population.scr.advice import advice
from sharedrange.population.scr.derived import Population
from sharedrange.population.scr.engine import population_of
from sharedrange.population.scr.estimates import Numbers, coefficient_table, fit_table
from sharedrange.population.scr.links import normal_quantile

BARRIERS = pl.Schema(
    {
        # One row a barrier. `p_closed`, `p_open`: chance of data that speak as strongly against 0 and against 1.
        "barrier": pl.String(),
        "permeability": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "p_closed": pl.Float64(),
        "p_open": pl.Float64(),
        "animals_near": pl.Int64(),
        "animals_on_both_sides": pl.Int64(),
    }
)
PROFILE = pl.Schema(
    {
        # How well each permeability agrees with the data: `support` is its likelihood over the highest.
        "barrier": pl.String(),
        "permeability": pl.Float64(),
        "fall": pl.Float64(),  # twice the log-likelihood that is lost
        "support": pl.Float64(),
    }
)
POWERS = pl.Schema(
    {
        "barrier": pl.String(),
        "before": pl.Float64(),
        "after": pl.Float64(),
        "pairs": pl.Int64(),
        "power": pl.Float64(),
        "animals": pl.Float64(),
        "shared_before": pl.Float64(),
        "shared_after": pl.Float64(),
        "animals_needed": pl.Float64(),
        "failed": pl.Int64(),
    }
)
# Shares of use follow straight lines through the barrier: they would contradict what was just measured.
_STRAIGHT_THROUGH = frozenset({"N_use", "resident", "shared"})
_DIGITS = 6  # of a permeability: an estimate at a boundary is 0 or 1, not a trace beside it


CHANGES = pl.Schema(
    {
        # `p_closing`: chance of data that speak as strongly for a barrier that closed where nothing changed.
        "barrier": pl.String(),
        "before": pl.Float64(),
        "after": pl.Float64(),
        "p_closing": pl.Float64(),
    }
)


@dataclass(frozen=True, slots=True)
class Measured:
    """A fit, its permeabilities, and by parameter the fall of twice the log-likelihood at a grid of values."""

    found: Fit
    numbers: tuple[Permeability, ...]
    falls: Mapping[str, Mapping[float, float]]


@dataclass(frozen=True, slots=True)
class Compared:
    """By barrier: whether it changed between two periods, and how often such a change would be seen."""

    changes: Mapping[str, Change]
    powers: Mapping[str, Power]

    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables `change` and `power`."""
        rows = [(b, c.before, c.after, c.closing) for b, c in self.changes.items()]
        return {"change": pl.DataFrame(rows, schema=CHANGES, orient="row"), "power": _power_table(self.powers)}


def answer_of(
    inputs: PermeabilityInputs, settings: PermeabilitySettings, measured: Measured, compared: Compared
) -> Answer:
    """The answer of the engine."""
    spatial, found, powers = settings.spatial(), measured.found, compared.powers
    population = population_of(inputs.spatial(), spatial, found)
    counts = dict(_counted(inputs, each_period=settings.each_period))
    told = {_barrier(number.name): _rounded(number) for number in measured.numbers}
    coefficients = coefficient_table(found).filter(~pl.col("parameter").is_in(list(found.design.distance.names)))
    tables = {
        "barriers": _barrier_table(told, counts),
        "profile": _profile_table(measured, told),
        "fit": fit_table(found),
        "coefficients": coefficients,
    }
    return Answer(
        estimates=(
            *_permeabilities(inputs, told),
            *_powers(inputs, settings, powers),
            *_numbers(inputs, settings, population),
            *_counts(inputs, counts, each_period=settings.each_period),
        ),
        parameters=found.names,
        covariance=tuple(tuple(float(v) for v in row) for row in found.covariance),
        tables=tables | {name: table for name, table in compared.tables().items() if table.height},
        findings=(*_doubts(told, counts), *advice(population, inputs.histories, spatial)),
    )


def _barrier(name: str) -> str:
    return name.removeprefix(f"{PREFIX}.")


def _rounded(number: Permeability) -> Permeability:
    low, value, high = (round(v, _DIGITS) for v in (number.low, number.value, number.high))
    return replace(number, low=low, value=value, high=high)


def _counted(inputs: PermeabilityInputs, *, each_period: bool) -> Iterator[tuple[str, tuple[int, int]]]:
    """Animals that could tell, and those caught on both sides, by barrier or by barrier and period."""
    for barrier in inputs.barriers:
        if not each_period:
            yield barrier.name, animals_by_barrier(inputs.histories, barrier)
            continue
        for history in inputs.histories:
            name = parameter(barrier.name, inputs.period_names[history.session])
            yield _barrier(name), animals_by_barrier([history], barrier)


# -- estimates -----------------------------------------------------------------------------------------------------


def _permeabilities(inputs: PermeabilityInputs, told: Mapping[str, Permeability]) -> Iterator[Estimate]:
    yield from (number.estimate(inputs.scope) for number in told.values())


def _powers(
    inputs: PermeabilityInputs, settings: PermeabilitySettings, powers: Mapping[str, Power]
) -> Iterator[Estimate]:
    scope = replace(inputs.scope, method=inputs.scope.method or METHOD)
    for barrier, found in powers.items():
        low, high = _wilson(found.power, found.replicates, settings.level)
        yield Estimate(f"power.{barrier}", found.power, "share", low, high, found.power_se, settings.level, scope)
        if isfinite(found.animals_needed):
            yield Estimate(f"animals_needed.{barrier}", found.animals_needed, "animals", scope=scope)


def _wilson(share: float, n: int, level: float) -> tuple[float, float]:
    """Interval of a share of `n` trials (Wilson 1927, Journal of the American Statistical Association 22: 209-212)."""
    z2 = normal_quantile(level) ** 2
    centre, reach = share + z2 / (2 * n), sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n)))
    low, high = ((centre + sign * reach) / (1 + z2 / n) for sign in (-1, 1))
    return max(min(low, share), 0.0), min(max(high, share), 1.0)


def _numbers(inputs: PermeabilityInputs, settings: PermeabilitySettings, population: Population) -> Iterator[Estimate]:
    """Animals, density and detection, as `population.scr` gives them."""
    scope = replace(inputs.scope, method=inputs.scope.method or METHOD)
    every = Numbers(population, scope, settings.level).all(inputs.histories)
    yield from (number for number in every if number.quantity.partition(".")[0] not in _STRAIGHT_THROUGH)


def _counts(
    inputs: PermeabilityInputs, counts: Mapping[str, tuple[int, int]], *, each_period: bool
) -> Iterator[Estimate]:
    """Animals that could tell of a barrier, and those caught on both sides: lists' counts."""
    scope = replace(inputs.scope, method=inputs.scope.method or METHOD, kind=LISTED)
    unit = "animals" if each_period or len(inputs.histories) == 1 else "animal_sessions"
    for barrier, (near, crossed) in counts.items():
        yield Estimate(f"near.{barrier}", float(near), unit, scope=scope)
        yield Estimate(f"crossed.{barrier}", float(crossed), unit, scope=scope)


# -- tables --------------------------------------------------------------------------------------------------------


def _barrier_table(told: Mapping[str, Permeability], counts: Mapping[str, tuple[int, int]]) -> pl.DataFrame:
    rows = [(b, p.value, p.low, p.high, p.closed, p.open_ground, *counts[b]) for b, p in told.items()]
    return pl.DataFrame(rows, schema=BARRIERS, orient="row")


def _profile_table(measured: Measured, told: Mapping[str, Permeability]) -> pl.DataFrame:
    """The grid and the estimate itself, from closed to open."""
    rows = [
        (barrier, p, fall, float(np.exp(-fall / 2)))
        for barrier, number in told.items()
        for p, fall in sorted({**measured.falls[parameter(barrier)], number.value: 0.0}.items())
    ]
    return pl.DataFrame(rows, schema=PROFILE, orient="row")


def _power_table(powers: Mapping[str, Power]) -> pl.DataFrame:
    rows = [
        (b, p.before, p.after, p.replicates, p.power, p.animals, p.shared_before, p.shared_after, p.animals_needed,
         p.failed)
        for b, p in powers.items()
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=POWERS, orient="row")


# -- what a reader should know -------------------------------------------------------------------------------------


def _doubts(told: Mapping[str, Permeability], counts: Mapping[str, tuple[int, int]]) -> Iterator[Finding]:
    for barrier, number in told.items():
        near, crossed = counts[barrier]
        if not crossed:
            yield Finding(
                "permeability-nobody-crossed", {"barrier": barrier, "animals": near}, severity=Severity.WARNING
            )
        if number.holds_closed and number.holds_open:
            yield Finding("permeability-unclear", {"barrier": barrier, "animals": near}, severity=Severity.WARNING)
