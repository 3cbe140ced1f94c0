"""The engine `population.open`: inputs and settings in, an Answer out."""

from __future__ import annotations

from collections.abc import MutableMapping
from concurrent.futures import Executor
from typing import Any

import numpy as np

from sharedrange.core.answer import Answer
from sharedrange.core.engine import Engine
from sharedrange.core.errors import InputError
from sharedrange.core.progress import Progress, part
from sharedrange.population.open.advice import advice
from sharedrange.population.open.checks import check_inputs, check_sides, refusal, returning
from sharedrange.population.open.derived import Numbers
from sharedrange.population.open.estimates import Estimates, alive_table, coefficient_table, fit_table
from sharedrange.population.open.fitting import OpenFit, fit, limits, profile_interval
from sharedrange.population.open.settings import OpenInputs, OpenSettings

_FITTED, _PROFILED = 0.5, 0.9  # shares of the work done
_FROM_YEAR_TO_YEAR = ("phi", "f", "sigma_move")


def answer(
    inputs: OpenInputs,
    settings: OpenSettings,
    *,
    rng: np.random.Generator,  # noqa: ARG001  (maximum likelihood draws nothing)
    progress: Progress,
    executor: Executor | None,  # noqa: ARG001  (one fit is one thread's work)
    checkpoint: MutableMapping[str, Any],
) -> Answer:
    """How many animals there are each year, and how many survive, arrive and cross.

    A refusal if the data are too thin. Raises InputError (all findings), DidNotConverge, Cancelled.
    """
    wrong = [*check_inputs(inputs, settings), *check_sides(inputs)]
    if wrong:
        raise InputError(wrong)
    declined = refusal(inputs.histories, settings)
    if declined:
        progress(1.0)
        return Answer(refusal=declined)
    found = fit(
        inputs.histories,
        inputs.mask,
        settings,
        inputs.times,
        progress=part(progress, 0.0, _FITTED),
        checkpoint=checkpoint,
    )
    profiled = _profiles(found, inputs, settings, part(progress, _FITTED, _PROFILED), checkpoint)
    progress(_PROFILED)
    result = _answer(found, inputs, settings, profiled)
    progress(1.0)
    return result


def _profiles(
    found: OpenFit,
    inputs: OpenInputs,
    settings: OpenSettings,
    progress: Progress,
    checkpoint: MutableMapping[str, Any],
) -> dict[str, tuple[float, float]]:
    """Limits by profile of what ended at a limit, and of survival, arrival and movement where few animals came back."""
    few = returning(inputs.histories) < settings.profile_below
    names = [n for n in limits(found.design) if n in found.at_limit or (few and n in _FROM_YEAR_TO_YEAR)]
    return {
        name: profile_interval(
            found,
            name,
            settings.level,
            progress=part(progress, k / len(names), (k + 1) / len(names)),
            checkpoint=checkpoint,
        )
        for k, name in enumerate(names)
    }


def _answer(
    found: OpenFit, inputs: OpenInputs, settings: OpenSettings, profiled: dict[str, tuple[float, float]]
) -> Answer:
    numbers = Numbers(found, inputs.report_sides)
    return Answer(
        estimates=Estimates(numbers, inputs.scope, settings.level, profiled).all(inputs.histories),
        parameters=found.names,
        covariance=tuple(tuple(float(v) for v in row) for row in found.beta_covariance),
        tables={
            "fit": fit_table(found),
            "coefficients": coefficient_table(found),
            "animals": alive_table(numbers),
        },
        findings=tuple(advice(found, inputs.histories, inputs.report_sides)),
    )


ENGINE = Engine(name="population.open", version=2, Settings=OpenSettings, Inputs=OpenInputs, function=answer)
