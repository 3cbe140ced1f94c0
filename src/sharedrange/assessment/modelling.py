"""Several models of the same data, beside each other: formulas as people write them, fits, and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import polars as pl

from sharedrange.core.answer import Answer, Refusal
from sharedrange.core.errors import DidNotConverge, InputError, ProgrammeError
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.core.progress import Progress, part
from sharedrange.population import occupancy, scr
from sharedrange.population.scr.comparing import compare
from sharedrange.population.scr.engine import answer_of, wrong_in
from sharedrange.population.scr.thin import refusal

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    # Engines whose models are formulas, and the parameters that have one; where none is given it is ~ 1.
    scr.ENGINE.name: ("D", "lambda0", "sigma", "z", "pmix"),
    occupancy.ENGINE.name: ("psi", "p"),
}
_ALIASES = {"g0": "lambda0"}
F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Models:
    """Settings of an engine by the model's name: the text in which it was asked for."""

    engine: str
    settings: Mapping[str, Any]

    def compared(self, inputs: Any, rng: np.random.Generator, progress: Progress) -> tuple[pl.DataFrame, Any, Answer]:
        """The table of models, the settings of the best of them, and its answer.

        Raises InputError (all findings), DidNotConverge if no model did.
        """
        return _COMPARED[self.engine](self.settings, inputs, rng, progress)


def read_models(engine: str, settings: Any, texts: Sequence[str]) -> Models | None:
    """The models of `texts` (``"D~1; lambda0~sex"``) as settings that else are `settings`; None where there are none.

    Raises ProgrammeError with everything that cannot be read.
    """
    if not texts:
        return None
    where = Where(field="--models")
    if engine not in PARAMETERS:
        raise ProgrammeError([Finding("estimate-models-engine", {"engine": engine}, where)])
    read: dict[str, Any] = {}
    wrong: list[Finding] = []
    for text in texts:
        if text in read:
            wrong.append(Finding("estimate-model-repeated", {"model": text}, where))
        try:
            read[text] = _WITH_FORMULAS[engine](settings, _formulas(engine, text))
        except (ValueError, InputError) as problem:
            wrong.append(Finding("estimate-model-unread", {"model": text, "problem": str(problem)}, where))
    if wrong:
        raise ProgrammeError(wrong)
    return Models(engine, read)


def _formulas(engine: str, text: str) -> dict[str, str]:
    """Parameter -> formula. Raises ValueError for a part without ``~`` and for a parameter that the engine has not."""
    found: dict[str, str] = {}
    for piece in text.split(";"):
        name, tilde, formula = piece.partition("~")
        parameter = _ALIASES.get(name.strip(), name.strip())
        if not tilde or parameter not in PARAMETERS[engine]:
            raise ValueError(f"{piece.strip()!r} does not begin with one of {', '.join(PARAMETERS[engine])} and ~")
        found[parameter] = f"~ {formula.strip()}"
    return found


# -- spatial capture-recapture -------------------------------------------------------------------------------------


def _spatial_settings(settings: scr.ScrSettings, formulas: Mapping[str, str]) -> scr.ScrSettings:
    """Formulas in the place of splits, and no test of pooling: the table of models says what may be pooled."""
    given = tuple(f"{parameter} {formula}" for parameter, formula in formulas.items())
    return replace(settings, density="pooled", lambda0=(), sigma=(), formulas=given, pool_alpha=0.0)


def _spatial(
    settings: Mapping[str, scr.ScrSettings], inputs: scr.ScrInputs, _rng: np.random.Generator, progress: Progress
) -> tuple[pl.DataFrame, scr.ScrSettings, Answer]:
    first = next(iter(settings.values()))
    wrong = list(wrong_in(inputs, first))
    if wrong:
        raise InputError(wrong)
    declined = refusal(inputs.histories, first)
    if declined is not None:
        return _declined(declined, first)

    def fitted(asked: scr.ScrSettings, watch: Progress) -> scr.Fit:
        model = asked.model(inputs.report_sides)
        sessions, detection = scr.prepare_sessions(inputs.histories, inputs.masks, model)
        return scr.fit_sessions(sessions, detection, model, inputs.covariates, progress=watch)

    fits, lost = _fits(settings, fitted, progress)
    table = compare(fits)
    best = str(table["model"][0])
    answer = answer_of(inputs, settings[best], fits[best])
    return table, settings[best], replace(answer, findings=(*lost, *answer.findings))


# -- occupancy -----------------------------------------------------------------------------------------------------


def _occupancy_settings(
    settings: occupancy.OccupancySettings, formulas: Mapping[str, str]
) -> occupancy.OccupancySettings:
    return replace(settings, psi=formulas.get("psi", "~ 1"), p=formulas.get("p", "~ 1"))


def _occupancy(
    settings: Mapping[str, occupancy.OccupancySettings],
    inputs: occupancy.OccupancyInputs,
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[pl.DataFrame, occupancy.OccupancySettings, Answer]:
    first = next(iter(settings.values()))
    declined = occupancy.ENGINE.answer(inputs, first, rng=rng, progress=part(progress, 0.0, 0.1)).refusal
    if declined is not None:
        return _declined(declined, first)

    def fitted(asked: occupancy.OccupancySettings, watch: Progress) -> occupancy.Fit:
        found = occupancy.fit(inputs.visits, asked.model)
        watch(1.0)
        return found

    fits, lost = _fits(settings, fitted, part(progress, 0.1, 0.8))
    table = occupancy.compare(fits)
    best = str(table["model"][0])
    answer = occupancy.ENGINE.answer(inputs, settings[best], rng=rng, progress=part(progress, 0.8, 1.0))
    return table, settings[best], replace(answer, findings=(*lost, *answer.findings))


# -- any -----------------------------------------------------------------------------------------------------------


def _fits(
    settings: Mapping[str, Any], fitted: Callable[[Any, Progress], F], progress: Progress
) -> tuple[dict[str, F], tuple[Finding, ...]]:
    """The fits by model, and a warning for each that did not converge. Raises DidNotConverge if none did."""
    fits: dict[str, F] = {}
    lost: list[DidNotConverge] = []
    for i, (name, asked) in enumerate(settings.items()):
        try:
            fits[name] = fitted(asked, part(progress, i / len(settings), (i + 1) / len(settings)))
        except DidNotConverge as stopped:
            lost.append(stopped)
    if not fits:
        raise lost[0]
    return fits, tuple(_warnings(lost))


def _warnings(lost: Sequence[DidNotConverge]) -> Iterator[Finding]:
    for stopped in lost:
        yield replace(stopped.finding, severity=Severity.WARNING)


def _declined(declined: Refusal, settings: Any) -> tuple[pl.DataFrame, Any, Answer]:
    return pl.DataFrame(), settings, Answer(refusal=declined)


_WITH_FORMULAS: Mapping[str, Callable[[Any, Mapping[str, str]], Any]] = {
    scr.ENGINE.name: _spatial_settings,
    occupancy.ENGINE.name: _occupancy_settings,
}
_COMPARED: Mapping[str, Callable[[Any, Any, np.random.Generator, Progress], tuple[pl.DataFrame, Any, Answer]]] = {
    scr.ENGINE.name: _spatial,
    occupancy.ENGINE.name: _occupancy,
}
