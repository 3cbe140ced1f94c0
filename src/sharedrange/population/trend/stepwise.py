"""Change points that are not needed leave one by one, and come back if they are (TRIM 3 manual, section 2.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from sharedrange.population.trend.model import TrendModel
from sharedrange.population.trend.wald import CHANGE, WaldTest

REMOVE_ABOVE = 0.20  # the least significant change point leaves if its p is above (TRIM's default)
ENTER_BELOW = 0.15  # one that left comes back if its p would be below (TRIM's default)


@dataclass(frozen=True, slots=True)
class Step:
    """One change point removed or entered, and its p then."""

    action: Literal["removed", "entered"]
    changepoint: int
    p: float


class Fitted(Protocol):
    """What selection looks at."""

    @property
    def changepoints(self) -> tuple[int, ...]:
        """The change points of the model."""
        ...

    def tests(self) -> tuple[WaldTest, ...]:
        """The Wald tests of the model."""
        ...


F = TypeVar("F", bound=Fitted)


def select(model: TrendModel, first: F, refit: Callable[[TrendModel], F]) -> tuple[F, tuple[Step, ...]]:
    """The fit with the change points that are needed, from the fit with all of them; and the steps on the way.

    At least one change point stays. A set of change points that was tried before ends the selection.
    """
    fit, steps, seen = first, list[Step](), {first.changepoints}
    while step := _removal(fit) or _entry(model, fit, first.changepoints, refit):
        points = {*fit.changepoints} ^ {step.changepoint}
        fit = refit(model.with_changepoints(tuple(sorted(points))))
        steps.append(step)
        if fit.changepoints in seen:
            break
        seen.add(fit.changepoints)
    return fit, tuple(steps)


def _removal(fit: Fitted) -> Step | None:
    """The least significant change point, if it may go."""
    p = _p_of_changes(fit)
    if len(p) < 2:
        return None
    point = max(p, key=lambda c: (p[c], c))
    return Step("removed", point, p[point]) if p[point] > REMOVE_ABOVE else None


def _entry(model: TrendModel, fit: F, every: tuple[int, ...], refit: Callable[[TrendModel], F]) -> Step | None:
    """The most significant of the change points that left, if it should come back."""
    p = dict[int, float]()
    for point in sorted(set(every) - set(fit.changepoints)):
        tried = refit(model.with_changepoints(tuple(sorted({*fit.changepoints, point}))))
        p[point] = _p_of_changes(tried)[point]
    point = min(p, key=lambda c: (p[c], c), default=0)
    return Step("entered", point, p[point]) if p and p[point] < ENTER_BELOW else None


def _p_of_changes(fit: Fitted) -> Mapping[int, float]:
    return {int(test.about): test.p for test in fit.tests() if test.test == CHANGE}
