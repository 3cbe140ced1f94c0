"""The engine `population.scr`: inputs and settings in, an Answer out."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from concurrent.futures import Executor
from typing import Any

import numpy as np
import polars as pl

from sharedrange.core.answer import Answer
from sharedrange.core.engine import Engine
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Severity
from sharedrange.core.progress import Progress, part
from sharedrange.population.scr.advice import advice
from sharedrange.population.scr.checks import check_inputs
from sharedrange.population.scr.derived import Population
from sharedrange.population.scr.estimates import Numbers, coefficient_table, fit_table
from sharedrange.population.scr.fitting import Fit, fit_sessions, prepare_sessions
from sharedrange.population.scr.pooling import PoolingTest, doubts, table_of, tests_of
from sharedrange.population.scr.profiled import profiled, profiles_of, uses_profile
from sharedrange.population.scr.settings import ScrInputs, ScrSettings
from sharedrange.population.scr.thin import refusal

_FIT, _TESTS = 0.6, 0.9  # shares of the work done after the fit and after the tests


def answer(
    inputs: ScrInputs,
    settings: ScrSettings,
    *,
    rng: np.random.Generator,  # noqa: ARG001  (maximum likelihood draws nothing)
    progress: Progress,
    executor: Executor | None,  # noqa: ARG001  (one fit is one thread's work)
    checkpoint: MutableMapping[str, Any],
) -> Answer:
    """How many animals live on each side, from who was caught where.

    A refusal if the data are too thin. Raises InputError (all findings), DidNotConverge, Cancelled.
    """
    wrong = list(wrong_in(inputs, settings))
    if wrong:
        raise InputError(wrong)
    declined = refusal(inputs.histories, settings)
    if declined:
        progress(1.0)
        return Answer(refusal=declined)
    model = settings.model(inputs.report_sides)
    sessions, detection = prepare_sessions(inputs.histories, inputs.masks, model)
    fit = fit_sessions(
        sessions, detection, model, inputs.covariates, progress=part(progress, 0.0, _FIT), checkpoint=checkpoint
    )
    tests = tests_of(fit, part(progress, _FIT, _TESTS), checkpoint) if settings.pool_alpha > 0 else ()
    progress(_TESTS)
    result = answer_of(inputs, settings, fit, tests)
    if uses_profile(settings.interval, fit.n_animals):
        population = population_of(inputs, settings, fit)
        found = profiles_of(population, settings.level, part(progress, _TESTS, 1.0), checkpoint)
        result = profiled(result, found, fit.n_animals)
    progress(1.0)
    return result


def wrong_in(inputs: ScrInputs, settings: ScrSettings) -> Iterator[Finding]:
    """Everything that contradicts itself in the inputs."""
    yield from check_inputs(inputs.histories, inputs.masks, settings.detection_function)
    sides = sorted({str(side) for mask in inputs.masks for side in np.unique(mask.side)})
    named = [side for side in sides if side]
    if named and not inputs.report_sides:
        yield Finding("scr-no-side", {"sides": ", ".join(named)})
    if inputs.report_sides and not set(inputs.report_sides) & set(named):
        yield Finding("scr-side-unknown", {"side": ", ".join(inputs.report_sides), "sides": ", ".join(named) or "-"})


def population_of(inputs: ScrInputs, settings: ScrSettings, fit: Fit) -> Population:
    """The animals of a fit, on the sides that are asked for and on the mask."""
    on_mask = {str(side) for session in fit.sessions for side in np.unique(session.side)}
    return Population(fit, [s for s in inputs.report_sides if s in on_mask], settings.resident_share)


def answer_of(inputs: ScrInputs, settings: ScrSettings, fit: Fit, tests: tuple[PoolingTest, ...] = ()) -> Answer:
    """What a fit says, as an answer."""
    population = population_of(inputs, settings, fit)
    absent = [
        Finding("scr-side-not-on-mask", {"side": side}, severity=Severity.WARNING)
        for side in inputs.report_sides
        if side not in population.sides
    ]
    findings = (*absent, *advice(population, inputs.histories, settings), *doubts(tests, settings.pool_alpha))
    return Answer(
        estimates=Numbers(population, inputs.scope, settings.level).all(inputs.histories),
        parameters=fit.design.names,
        covariance=tuple(tuple(float(v) for v in row) for row in fit.covariance),
        tables={
            "fit": fit_table(fit),
            "coefficients": coefficient_table(fit),
            "tests": table_of(tests),
            "animals": _with_sex(population.animals(), inputs),
            "density": population.density_table(),
            "covariances": Numbers(population, inputs.scope, settings.level).covariances(),
        },
        findings=findings,
    )


def _with_sex(animals: pl.DataFrame, inputs: ScrInputs) -> pl.DataFrame:
    """The recorded sex beside each animal."""
    recorded = pl.concat(
        h.individuals.select(pl.lit(h.session).alias("session"), "individual", "sex") for h in inputs.histories
    )
    joined = animals.join(recorded, on=["session", "individual"], how="left", maintain_order="left")
    first = ["session", "individual", "sex"]
    return joined.select(*first, pl.exclude(first))


ENGINE = Engine(name="population.scr", version=2, Settings=ScrSettings, Inputs=ScrInputs, function=answer)
