"""What the engine is given and how its question is shaped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from sharedrange.core.answer import Scope
from sharedrange.core.finding import Finding
from sharedrange.population.trend.model import TrendModel


@dataclass(frozen=True, slots=True)
class TrendInputs:
    """A plain table of counts (see `read_panel`; `yearly_counts` makes one from visits), and what it counts.

    `unit` is that of a count; `notes` are findings of whoever made the table, passed on in the answer.
    """

    table: pl.DataFrame
    scope: Scope = Scope()
    unit: str = "animals"
    notes: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class TrendSettings:
    """The model, what the indices are relative to, and what is too little. See docs/engines/population.trend.md."""

    model: Literal[1, 2, 3] = 3
    covariates: tuple[str, ...] = ()
    changepoints: tuple[int, ...] | Literal["all"] = ()
    stepwise: bool = False
    overdispersion: bool = True
    serial_correlation: bool = True
    base: tuple[int, ...] = ()
    level: float = 0.95
    reference: Literal["t", "normal"] = "t"
    variance: Literal["model", "sites"] = "model"
    min_sites: int = 3
    min_times: int = 3
    min_positive_counts: int = 10
    min_residual_df: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError("level must lie between 0 and 1")
        if self.min_times < 3:
            raise ValueError("min_times must be at least 3: two years have no trend to test")
        self.trend_model()

    def trend_model(self) -> TrendModel:
        """The model that is asked for. Raises ValueError for what does not go together."""
        return TrendModel(
            kind=self.model,
            covariates=self.covariates,
            changepoints=self.changepoints,
            stepwise=self.stepwise,
            overdispersion=self.overdispersion,
            serial_correlation=self.serial_correlation,
        )
