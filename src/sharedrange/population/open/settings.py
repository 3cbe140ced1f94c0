"""What the engine is given and how its question is shaped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sharedrange.core.answer import Scope
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.population.formulas import parse
from sharedrange.population.open.kernels import KernelName

FORMULAS = {
    "density": ("side", "x", "y"),
    "survival": ("year", "t", "side", "sex"),
    "recruitment": ("year", "t"),
    "dispersal": ("year", "t", "sex"),
    "lambda0": ("year", "t", "party", "camera_type", "sex"),
    "sigma": ("year", "t", "party", "camera_type", "sex"),
}  # formula -> the variables that it may use


@dataclass(frozen=True, slots=True)
class OpenInputs:
    """One capture history a year, in order of time, and where animals may live in all of them.

    An individual has one name in all years. `times`: when each year's survey was, in years (2013, 2014.5, ...); where
    empty, the surveys are one year apart. `report_sides`: parties for whose side numbers may be printed; empty only
    if the mask has no sides.
    """

    histories: tuple[CaptureHistory, ...]
    mask: Mask
    report_sides: tuple[str, ...] = ()
    scope: Scope = field(default=Scope())
    times: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenSettings:
    """The model and what is too little for it. See docs/engines/population.open.md."""

    detection_function: Literal["HHN", "HN", "HEX", "EX"] = "HHN"
    spatial: bool = True
    movement: KernelName = "normal"
    density: str = "~ side"
    survival: str = "~ 1"
    recruitment: str = "~ 1"
    dispersal: str = "~ 1"
    lambda0: str = "~ party + sex"
    sigma: str = "~ sex"
    level: float = 0.95
    profile_below: int = 50
    min_individuals: int = 10
    min_recaptures: int = 10
    min_spatial_recaptures: int = 3
    min_returns: int = 5
    min_detectors: int = 4

    def __post_init__(self) -> None:
        problems = [p for name, known in FORMULAS.items() for p in _problems(name, getattr(self, name), known)]
        if not 0 < self.level < 1:
            problems.append("level must lie between 0 and 1")
        if problems:
            raise ValueError("; ".join(problems))


def _problems(name: str, text: str, known: tuple[str, ...]) -> list[str]:
    """What is wrong with a formula."""
    try:
        formula = parse(text)
    except ValueError as error:
        return [f"{name}: {error}"]
    if not formula.intercept and not formula.terms:
        return [f"{name}: the formula has no term"]
    unknown = sorted(formula.variables - set(known))
    return [f"{name}: {', '.join(unknown)} is not one of {', '.join(known)}"] if unknown else []
