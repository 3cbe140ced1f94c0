"""What the engine is given and how its question is shaped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from sharedrange.core.answer import Scope
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.population.formulas import parse
from sharedrange.population.scr.detection import FunctionName
from sharedrange.population.scr.model import PARAMETERS, Covariates, Model, NumberName
from sharedrange.population.scr.splits import TERMS, split_model

IntervalName = Literal["auto", "lognormal", "profile"]


@dataclass(frozen=True, slots=True)
class ScrInputs:
    """One or more sessions, where animals may live, and for whose side a number may be printed.

    `masks`: one a history, or one for all. `report_sides`: parties; places on other sides enter the integral
    (a mask may cross a border) but get no number. It may be empty only if the mask has no sides at all.
    `covariates`: what formulas name besides columns of the detectors' tables.
    """

    histories: tuple[CaptureHistory, ...]
    masks: tuple[Mask, ...]
    report_sides: tuple[str, ...] = ()
    scope: Scope = Scope()
    covariates: Covariates = field(default_factory=Covariates)


@dataclass(frozen=True, slots=True)
class ScrSettings:
    """What is split, what is pooled, and what is too little. See docs/engines/population.scr.md."""

    detection_function: FunctionName = "HHN"
    density: Literal["side", "pooled"] = "side"
    lambda0: tuple[str, ...] = ("party", "sex")
    sigma: tuple[str, ...] = ("sex",)
    formulas: tuple[str, ...] = ()
    number: NumberName = "poisson"
    level: float = 0.95
    interval: IntervalName = "auto"
    pool_alpha: float = 0.10
    resident_share: float = 0.9
    min_individuals: int = 5
    min_recaptures: int = 10
    min_spatial_recaptures: int = 3
    min_detectors: int = 4
    few_recaptures: int = 20

    def __post_init__(self) -> None:
        for name in ("lambda0", "sigma"):
            unknown = sorted(set(getattr(self, name)) - set(TERMS))
            if unknown:
                raise ValueError(f"{name}: {', '.join(unknown)} is not one of {', '.join(TERMS)}")
        for formula in self.formulas:
            _parameter_and_formula(formula)
        if not 0 < self.level < 1:
            raise ValueError("level must lie between 0 and 1")
        if not 0 <= self.pool_alpha < 1:
            raise ValueError("pool_alpha must be at least 0 (no tests) and below 1")
        if not 0.5 < self.resident_share <= 1:
            raise ValueError("resident_share must lie above 0.5 and be at most 1")

    def model(self, sides: tuple[str, ...]) -> Model:
        """The model that is asked for: the splits, in whose place a formula for the same parameter stands."""
        splits = split_model(self.detection_function, self.density, self.lambda0, self.sigma, sides)
        formulas = dict(_parameter_and_formula(f) for f in self.formulas)
        return replace(splits.with_formulas(formulas), number=self.number)


def _parameter_and_formula(text: str) -> tuple[str, str]:
    """``lambda0 ~ party + b`` as its two sides. Raises ValueError if it cannot be read."""
    name, tilde, formula = text.partition("~")
    parameter = {"g0": "lambda0"}.get(name.strip(), name.strip())
    if parameter not in PARAMETERS or not tilde:
        raise ValueError(f"formulas: {text!r} does not begin with one of {', '.join(PARAMETERS)} and ~")
    return parameter, str(parse(formula))
