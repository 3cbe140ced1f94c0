"""What the engine is given and how its question is shaped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sharedrange.core.answer import Scope
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.population.permeability.barriers import Barrier
from sharedrange.population.permeability.fit import MIN_ANIMALS_NEAR
from sharedrange.population.scr import Covariates, ScrInputs, ScrSettings
from sharedrange.population.scr.detection import FunctionName


@dataclass(frozen=True, slots=True)
class PermeabilityInputs:
    """The inputs of `population.scr` and the lines whose permeability is asked for, in metres of its projection."""

    histories: tuple[CaptureHistory, ...]
    masks: tuple[Mask, ...]
    barriers: tuple[Barrier, ...]
    report_sides: tuple[str, ...] = ()
    scope: Scope = Scope()
    covariates: Covariates = field(default_factory=Covariates)

    @property
    def period_names(self) -> dict[str, str]:
        """Name of each session as a part of a quantity, which dots divide."""
        return {history.session: history.session.replace(".", "-") for history in self.histories}

    def spatial(self) -> ScrInputs:
        """Captures and ground, as `population.scr` takes them."""
        return ScrInputs(self.histories, self.masks, self.report_sides, self.scope, self.covariates)


@dataclass(frozen=True, slots=True)
class PermeabilitySettings:
    """The model around the barriers, what is too little, and the power that is asked for.

    See docs/engines/population.permeability.md.
    """

    detection_function: FunctionName = "HHN"
    density: Literal["side", "pooled"] = "side"
    lambda0: tuple[str, ...] = ("party", "sex")
    sigma: tuple[str, ...] = ("sex",)
    formulas: tuple[str, ...] = ()
    level: float = 0.95
    min_animals_near: int = MIN_ANIMALS_NEAR
    min_shared: int = 1
    each_period: bool = False
    profile_points: int = 21
    closing: tuple[float, ...] = ()
    closing_pairs: int = 100
    closing_alpha: float = 0.05
    closing_power: float = 0.8

    def __post_init__(self) -> None:
        self.spatial()  # raises where the model's own settings are wrong
        if self.min_animals_near < 1 or self.min_shared < 0:
            raise ValueError("min_animals_near must be at least 1 and min_shared not negative")
        if self.profile_points < 2:
            raise ValueError("profile_points must be at least 2")
        if self.closing and (len(self.closing) != 2 or not 0 <= self.closing[1] < self.closing[0] <= 1):
            raise ValueError("closing is the permeability before and after: two numbers from 0 to 1, the first larger")
        if self.closing_pairs < 1:
            raise ValueError("closing_pairs must be at least 1")
        if not (0 < self.closing_alpha < 1 and 0 < self.closing_power < 1):
            raise ValueError("closing_alpha and closing_power must lie between 0 and 1")

    def spatial(self) -> ScrSettings:
        """The model of captures, as `population.scr` takes it; what is pooled is not tested a second time."""
        return ScrSettings(
            detection_function=self.detection_function,
            density=self.density,
            lambda0=self.lambda0,
            sigma=self.sigma,
            formulas=self.formulas,
            level=self.level,
            pool_alpha=0.0,
        )
