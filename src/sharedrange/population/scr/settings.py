"""What the engine is given and how its question is shaped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sharedrange.core.answer import Scope
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.population.scr.model import TERMS, Model


@dataclass(frozen=True, slots=True)
class ScrInputs:
    """One or more sessions, where animals may live, and for whose side a number may be printed.

    `masks`: one a history, or one for all. `report_sides`: parties; places on other sides enter the integral
    (a mask may cross a border) but get no number. It may be empty only if the mask has no sides at all.
    """

    histories: tuple[CaptureHistory, ...]
    masks: tuple[Mask, ...]
    report_sides: tuple[str, ...] = ()
    scope: Scope = Scope()


@dataclass(frozen=True, slots=True)
class ScrSettings:
    """What is split, what is pooled, and what is too little. See docs/engines/population.scr.md."""

    detection_function: Literal["HHN", "HN"] = "HHN"
    density: Literal["side", "pooled"] = "side"
    lambda0: tuple[str, ...] = ("party", "sex")
    sigma: tuple[str, ...] = ("sex",)
    level: float = 0.95
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
        if not 0 < self.level < 1:
            raise ValueError("level must lie between 0 and 1")
        if not 0 <= self.pool_alpha < 1:
            raise ValueError("pool_alpha must be at least 0 (no tests) and below 1")
        if not 0.5 < self.resident_share <= 1:
            raise ValueError("resident_share must lie above 0.5 and be at most 1")

    def model(self, sides: tuple[str, ...]) -> Model:
        """The model that is asked for."""

        def ordered(terms: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(t for t in TERMS if t in terms)

        return Model(self.detection_function, self.density, ordered(self.lambda0), ordered(self.sigma), sides)
