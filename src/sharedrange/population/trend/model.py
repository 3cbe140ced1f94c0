"""Which trend model is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class TrendModel:
    """A log-linear model of counts, site by time (Pannekoek & van Strien 2005, TRIM 3 manual).

    `kind` 1: each site its own level and no change; 2: straight lines on the log scale whose slopes change at
    `changepoints`; 3: an effect of every time. `changepoints` are times, each the last one of the old slope; ``"all"``:
    every time but the last; (): the first time only, one straight line. Before the first of them the slope is zero.
    `stepwise` drops change points that are not needed. `covariates` are columns of categories; each category has time
    effects (slopes) of its own. `overdispersion` and `serial_correlation` (between the counts of a site in
    neighbouring times) are estimated where True. Raises ValueError for what does not go together.
    """

    kind: Literal[1, 2, 3] = 3
    covariates: tuple[str, ...] = ()
    changepoints: tuple[int, ...] | Literal["all"] = ()
    stepwise: bool = False
    overdispersion: bool = True
    serial_correlation: bool = True

    def __post_init__(self) -> None:
        if self.kind not in (1, 2, 3):
            raise ValueError(f"model: {self.kind} (1, 2 or 3)")
        if self.kind != 2 and (self.changepoints or self.stepwise):
            raise ValueError("changepoints, stepwise: only model 2 has change points")
        if self.kind == 1 and self.covariates:
            raise ValueError("covariates: model 1 has no time effects for them to change")
        if "month" in self.covariates:
            raise ValueError("covariates: monthly counts have effects of months without asking")
        if len(set(self.covariates)) < len(self.covariates):
            raise ValueError("covariates: one is named twice")

    @property
    def uses_scale(self) -> bool:
        """Whether variances are those of the data: serial correlation is estimated beside overdispersion."""
        return self.overdispersion or self.serial_correlation

    def slopes_from(self, times: tuple[int, ...]) -> tuple[int, ...]:
        """The change points among `times`: those asked for, in order. () unless the model is of kind 2.

        Examples
        --------
        >>> TrendModel(2).slopes_from((2001, 2002, 2004)), TrendModel(2, changepoints="all").slopes_from((1, 2, 4))
        ((2001,), (1, 2))
        """
        if self.kind != 2:
            return ()
        if isinstance(self.changepoints, str):
            return times[:-1]
        return tuple(sorted(set(self.changepoints))) or times[:1]

    def with_changepoints(self, changepoints: tuple[int, ...]) -> TrendModel:
        """The model with exactly these change points."""
        return replace(self, changepoints=changepoints, stepwise=False)
