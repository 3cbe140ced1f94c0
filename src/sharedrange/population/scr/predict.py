"""Detection parameters for people: one value for every combination of what they depend on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.formulas import design_matrix
from sharedrange.population.scr.fitting import Fit
from sharedrange.population.scr.model import LEARNED, MIXTURES, SEX
from sharedrange.population.scr.splits import TERMS
from sharedrange.population.scr.variables import Column, detection_columns

Floats = NDArray[np.float64]
_MOST_CASES = 60  # beyond, other factors than parties and classes stand at their first level


@dataclass(frozen=True, slots=True)
class Case:
    """One combination: its labels, the sex among them, and the row (p,) of the design that it has."""

    labels: tuple[str, ...]
    sex: str
    row: Floats


def cases(fit: Fit, parameter: str) -> Iterator[Case]:
    """Every combination of parties, sexes, classes, learned responses and other factors; numbers at their mean."""
    formula = fit.design.model.formula(parameter)
    wanted = [v for v in TERMS if v in formula.variables] + sorted(formula.variables - set(TERMS))
    columns = detection_columns(fit.sessions, 0, fit.design.covariates)
    choices = {v: _choices(fit, parameter, v, columns) for v in wanted}
    if np.prod([len(c) for c in choices.values()]) > _MOST_CASES:
        choices = {v: c if v in (*TERMS, *MIXTURES, *LEARNED) else c[:1] for v, c in choices.items()}
    levels = fit.design.levels[parameter]
    for combination in product(*choices.values()):
        one = {v: np.array([value]) for v, (_, value) in zip(choices, combination, strict=True)}
        row = design_matrix(formula, one or {"": np.zeros(1)}, levels).values[0]
        sex = str(one[SEX][0]) if SEX in one else ""
        yield Case(tuple(text for text, _ in combination if text), sex, row)


def _choices(fit: Fit, parameter: str, variable: str, columns: dict[str, Column]) -> list[tuple[str, str | float]]:
    """(label, value) of what a variable may be."""
    if variable in LEARNED:
        return [("", 0.0), (variable, 1.0)]
    levels = fit.design.levels[parameter].get(variable, ())
    if levels:
        named = variable in (*TERMS, "session")
        return [(level if named else f"{variable}-{level}", level) for level in levels]
    return [("", float(np.mean(columns[variable].astype(float))))]
