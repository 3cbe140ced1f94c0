"""What the engine is given, how its question is shaped, and what is too little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sharedrange.core.answer import Scope
from sharedrange.core.history import CaptureHistory
from sharedrange.population.closed.captures import Captures
from sharedrange.population.closed.comparing import Criterion
from sharedrange.population.closed.ghosts import Splitting
from sharedrange.population.closed.models import MODELS

AVERAGE = "average"


@dataclass(frozen=True, slots=True)
class ClosedInputs:
    """Sessions, each closed and each with a number of its own: histories, or captures from plain tables."""

    histories: tuple[CaptureHistory, ...] = ()
    captures: tuple[Captures, ...] = ()
    scope: Scope = Scope()


@dataclass(frozen=True, slots=True)
class ClosedSettings:
    """Which models, which number, how sure, and what is too little. See docs/engines/population.closed.md."""

    models: tuple[str, ...] = ("M0", "Mt", "Mh Chao", "Mth Chao", "Mh Poisson2", "Mh Darroch")
    report: str = AVERAGE
    criterion: Criterion = "AICc"
    interval: Literal["auto", "profile", "lognormal"] = "auto"
    profile_below: int = 50
    level: float = 0.95
    most_occasions: int = 10
    splitting_error: float | None = None
    splitting_tested: int = 0
    alpha: float = 0.05
    simulations: int = 99
    min_individuals: int = 5
    min_recaptures: int = 7
    min_occasions: int = 3

    def __post_init__(self) -> None:
        unknown = sorted({*self.models, self.report} - {*MODELS, AVERAGE})
        if unknown or not self.models:
            raise ValueError(f"models: {', '.join(unknown) or 'none'} (known: {', '.join(MODELS)})")
        if self.report != AVERAGE and self.report not in self.models:
            raise ValueError(f"report: {self.report} is not one of the models asked for")
        if not 0 < self.level < 1:
            raise ValueError(f"level: {self.level} (between 0 and 1)")
        if self.most_occasions == 1 or self.most_occasions < 0:
            raise ValueError(f"most_occasions: {self.most_occasions} (0, or 2 or more)")
        if not 0 <= self.alpha < 1 or self.simulations < 0:
            raise ValueError(f"alpha: {self.alpha}, simulations: {self.simulations} (0 or more, alpha below 1)")
        _ = self.splitting

    @property
    def splitting(self) -> Splitting | None:
        """What is known of the splitting error, if anything. Raises ValueError for a rate that can't be."""
        return None if self.splitting_error is None else Splitting(self.splitting_error, self.splitting_tested)
