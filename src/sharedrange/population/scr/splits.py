"""Splits by side, party and sex: a thin layer over formulas that knows which of them the data can have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sharedrange.core.survey import SEXES
from sharedrange.population.formulas import Formula, Variable
from sharedrange.population.scr.detection import FunctionName
from sharedrange.population.scr.model import PARAMETERS, Model
from sharedrange.population.scr.session import Session, nearest_mask_point

DensityName = Literal["side", "pooled"]
TERMS = ("party", "sex")
SIDE = "side"
_WHERE = {"density": "D"}  # the settings' word for the parameter of the formula


def split_model(
    detection_function: FunctionName = "HHN",
    density: DensityName = "pooled",
    lambda0: tuple[str, ...] = (),
    sigma: tuple[str, ...] = (),
    sides: tuple[str, ...] = (),
) -> Model:
    """The model in which `lambda0` and `sigma` are split by these of TERMS, additively, and density by side or not."""
    return Model(
        detection_function,
        D=str(_by_side() if density == SIDE else Formula()),
        lambda0=str(_of_terms(lambda0)),
        sigma=str(_of_terms(sigma)),
        sides=sides,
    )


def _by_side() -> Formula:
    return Formula(((Variable(SIDE),),), intercept=False)


def _of_terms(terms: tuple[str, ...]) -> Formula:
    return Formula(tuple((Variable(t),) for t in TERMS if t in terms))


def splits_of(model: Model) -> tuple[tuple[str, str], ...]:
    """(parameter, term) of everything that a model splits by side, party or sex; D is called ``density``."""
    wanted = {"D": (SIDE,), "lambda0": TERMS, "sigma": TERMS, "z": TERMS}
    return tuple(
        ("density" if parameter == "D" else parameter, term)
        for parameter, terms in wanted.items()
        for term in terms
        if term in model.formula(parameter).variables
    )


def without(model: Model, parameter: str, term: str) -> Model:
    """The model with one split less."""
    name = _WHERE.get(parameter, parameter)
    left = model.formula(name).without(term)
    return model.with_formula(name, Formula(left.terms, left.intercept or not left.terms))


def adding(model: Model, parameter: str, term: str) -> Model:
    """The model with one split more."""
    name = _WHERE.get(parameter, parameter)
    formula = model.formula(name)
    if name == "D" and not formula.terms:
        return model.with_formula(name, _by_side())
    both = formula.adding(Formula(((Variable(term),),)))
    in_order = sorted(both.terms, key=lambda t: TERMS.index(t[0].name) if t[0].name in TERMS else len(TERMS))
    return model.with_formula(name, Formula(tuple(in_order), both.intercept))


def label(model: Model) -> str:
    """A name of the model's formulas, for the checkpoint."""
    return ";".join(str(model.formula(p)).removeprefix("~ ") for p in PARAMETERS)


@dataclass(frozen=True, slots=True)
class Levels:
    """The usable levels of one split: those with data enough to have a parameter of their own.

    `runaway`: the parameter that the fit drove to 0 or infinity, if that is why the split was left out.
    """

    parameter: str
    term: str
    usable: tuple[str, ...]
    runaway: str = ""

    @property
    def can_split(self) -> bool:
        """Whether there are at least two."""
        return len(self.usable) > 1


def levels(sessions: Sequence[Session], sides: Sequence[str], parameter: str, term: str) -> Levels:
    """Usable levels of a split.

    A side needs an animal detected on it; a party's intensity a detection by its detectors, its sigma an
    animal at two of them; a sex needs, for the intensity, a known animal detected twice, for sigma a known
    animal at two detectors.
    """
    if term == SIDE:
        seen = {str(side) for s in sessions for side in detector_side(s)[s.detections_by_detector() > 0]}
        usable = tuple(side for side in (sides or sides_of(sessions)) if side in seen)
    elif term == "party":
        usable = tuple(sorted({p for s in sessions for p in _parties(s, parameter)}))
    else:
        usable = tuple(name for i, name in enumerate(SEXES) if any(_has_sex(s, i, parameter) for s in sessions))
    return Levels(parameter, term, usable)


def sides_of(sessions: Sequence[Session]) -> tuple[str, ...]:
    """Named sides of the masks, in order."""
    return tuple(sorted({str(side) for s in sessions for side in np.unique(s.side)} - {""}))


def detector_side(session: Session) -> NDArray[np.str_]:
    """Side of the mask point nearest to each detector, shape (J,)."""
    return session.side[nearest_mask_point(session, session.x_m, session.y_m)]


def _parties(session: Session, parameter: str) -> set[str]:
    found = set()
    for party in np.unique(session.party):
        own = session.counts[:, session.party[session.column_detector] == party] > 0
        need = 1 if parameter == "lambda0" else 2
        where = session.column_detector[session.party[session.column_detector] == party]
        if any(len(np.unique(where[row])) >= need for row in own):
            found.add(str(party))
    return found


def _has_sex(session: Session, sex: int, parameter: str) -> bool:
    mine = session.counts[session.sex == sex]
    if parameter == "lambda0":
        return bool((mine.sum(axis=1) >= 2).any())
    return any(len(np.unique(session.column_detector[row > 0])) >= 2 for row in mine)


def usable_model(model: Model, sessions: Sequence[Session]) -> tuple[Model, tuple[Levels, ...]]:
    """`model` without the splits that the data cannot have, and those that were dropped."""
    dropped = []
    for parameter, term in splits_of(model):
        found = levels(sessions, model.sides, parameter, term)
        if not found.can_split:
            model = without(model, parameter, term)
            dropped.append(found)
    return model, tuple(dropped)
