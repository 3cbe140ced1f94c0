"""The engine `population.permeability`: what a border, fence or river lets through, measured from captures."""

from __future__ import annotations

from collections.abc import MutableMapping
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np

from sharedrange.core.answer import Answer, Refusal
from sharedrange.core.engine import Engine
from sharedrange.core.errors import InputError
from sharedrange.core.progress import Progress, part
from sharedrange.population.design import plan_like
from sharedrange.population.masks import pooled_spread_m
from sharedrange.population.permeability import fit as fitting
from sharedrange.population.permeability.barriers import Barrier, worked, wrong_barriers
from sharedrange.population.permeability.change import (
    AFTER,
    BEFORE,
    Change,
    Power,
    animals_of,
    change,
    power,
)
from sharedrange.population.permeability.reporting import Compared, Measured, answer_of
from sharedrange.population.permeability.settings import PermeabilityInputs, PermeabilitySettings
from sharedrange.population.scr import Model
from sharedrange.population.scr import thin as scr_thin
from sharedrange.population.scr.engine import wrong_in

NAME = "population.permeability"
INSTEAD = ("population.scr", "population.minimum", "population.rates")
_FIT, _PROFILES = 0.4, 0.7  # shares of the work done after the fit and after the profiles, where power is asked for


def answer(
    inputs: PermeabilityInputs,
    settings: PermeabilitySettings,
    *,
    rng: np.random.Generator,
    progress: Progress,
    executor: Executor | None,
    checkpoint: MutableMapping[str, Any],
) -> Answer:
    """The permeability of every barrier, from who was caught where, beside the number and density of animals.

    A refusal if the data are too thin. Raises InputError (all findings), DidNotConverge, Cancelled.
    """
    wrong = [*wrong_in(inputs.spatial(), settings.spatial()), *wrong_barriers(inputs.barriers)]
    if wrong:
        raise InputError(wrong)
    ready = replace(inputs, barriers=_worked(inputs))
    declined = refusal(ready, settings)
    if declined is not None:
        progress(1.0)
        return Answer(refusal=declined)
    measured = _measured(ready, settings, part(progress, 0.0, _PROFILES), checkpoint)
    changes = _changes(ready, settings)
    rest = part(progress, _PROFILES, 1.0)
    powers = _powers(ready, settings, rng=rng, progress=rest, executor=executor, checkpoint=checkpoint)
    progress(1.0)
    return answer_of(ready, settings, measured, Compared(changes, powers))


def refusal(inputs: PermeabilityInputs, settings: PermeabilitySettings) -> Refusal | None:
    """Why the question is declined, or None: too few captures for any spatial model, or too few that tell of a line."""
    thin = scr_thin.refusal(inputs.histories, settings.spatial())
    declined = thin or fitting.refusal(
        inputs.histories, inputs.barriers, min_near=settings.min_animals_near, min_shared=settings.min_shared
    )
    for history in inputs.histories if settings.each_period else ():
        declined = declined or fitting.refusal([history], inputs.barriers, min_near=settings.min_animals_near)
    instead = scr_thin.INSTEAD if thin else INSTEAD
    return replace(declined, question=NAME, instead=instead) if declined else None


def _worked(inputs: PermeabilityInputs) -> tuple[Barrier, ...]:
    """The barriers without what cannot matter. Where nobody was caught twice there is no spread, and no answer."""
    if not any(history.n_spatial_recaptures for history in inputs.histories):
        return inputs.barriers
    spread_m = pooled_spread_m(inputs.histories)
    detectors = np.vstack([h.detectors.select("x_m", "y_m").to_numpy().astype(float) for h in inputs.histories])
    centres = np.vstack([np.column_stack([mask.x_m, mask.y_m]) for mask in inputs.masks])
    return tuple(worked(barrier, detectors, centres, spread_m) for barrier in inputs.barriers)


def _measured(
    inputs: PermeabilityInputs, settings: PermeabilitySettings, progress: Progress, checkpoint: MutableMapping[str, Any]
) -> Measured:
    """The fit, and the interval and the profile of every permeability."""
    found = fitting.fit_permeability(
        inputs.histories,
        inputs.masks,
        inputs.barriers,
        settings.spatial().model(inputs.report_sides),
        inputs.covariates,
        periods=inputs.period_names if settings.each_period else None,
        min_near=settings.min_animals_near,
        progress=part(progress, 0.0, _FIT),
        checkpoint=checkpoint,
    )
    grid = tuple(float(p) for p in np.linspace(0.0, 1.0, settings.profile_points))
    numbers, falls = [], {}
    for done, name in enumerate(found.design.distance.names, start=1):
        numbers.append(fitting.permeability(found, name, settings.level))
        falls[name] = dict(zip(grid, fitting.profile_falls(found, name, grid), strict=True))
        progress(_FIT + (1 - _FIT) * done / len(found.design.distance.names))
    return Measured(found, tuple(numbers), falls)


def _changes(inputs: PermeabilityInputs, settings: PermeabilitySettings) -> dict[str, Change]:
    """Whether each barrier became less permeable from the first of two periods to the second."""
    if not settings.each_period or len(inputs.histories) != 2:
        return {}
    periods = dict(zip((history.session for history in inputs.histories), (BEFORE, AFTER), strict=True))
    return {
        barrier.name: change(
            inputs.histories,
            inputs.masks,
            barrier,
            periods,
            model=settings.spatial().model(inputs.report_sides),
            covariates=inputs.covariates,
            min_near=settings.min_animals_near,
        )
        for barrier in inputs.barriers
    }


def _powers(
    inputs: PermeabilityInputs,
    settings: PermeabilitySettings,
    *,
    rng: np.random.Generator,
    progress: Progress,
    executor: Executor | None,
    checkpoint: MutableMapping[str, Any],
) -> dict[str, Power]:
    """How often the last survey, worked twice, would see each barrier close; nothing where it is not asked."""
    if not settings.closing:
        return {}
    before, after = settings.closing
    powers = {}
    for done, barrier in enumerate(inputs.barriers):
        alike = fitting.fit_permeability(
            inputs.histories, inputs.masks, [barrier], Model("HHN"), min_near=settings.min_animals_near
        )
        powers[barrier.name] = power(
            plan_like(inputs.histories[-1]),
            inputs.masks[-1],
            barrier,
            animals_of(alike),
            before=before,
            after=after,
            replicates=settings.closing_pairs,
            rng=rng,
            alpha=settings.closing_alpha,
            wanted=settings.closing_power,
            progress=part(progress, done / len(inputs.barriers), (done + 1) / len(inputs.barriers)),
            executor=executor,
            checkpoint=checkpoint,
        )
    return powers


ENGINE = Engine(name=NAME, version=1, Settings=PermeabilitySettings, Inputs=PermeabilityInputs, function=answer)
