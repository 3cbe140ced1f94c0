"""One answer from many: the estimates of several partitions put together, with what identity adds to the interval.

Rubin (1987, Multiple imputation for nonresponse in surveys, eqs 3.1.2-3.1.6): with estimates q_m and variances u_m
of M draws, W = mean u, B = variance of q between draws, T = W + (1 + 1/M) B, and (q - Q) / sqrt(T) follows Student's t
with nu = (M - 1) (1 + W / ((1 + 1/M) B))^2 degrees of freedom. Positive quantities are combined as logarithms, shares
as logits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import t as student

from sharedrange.core.answer import Answer, Estimate

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Combined:
    """A quantity over draws, on the scale on which it was combined: mean, mean variance, variance of the draws."""

    value: float
    within: float
    between: float
    draws: int

    @property
    def of_identity(self) -> float:
        """Variance that doubt about identity adds."""
        return (1.0 + 1.0 / self.draws) * self.between

    @property
    def total(self) -> float:
        """All of the variance."""
        return self.within + self.of_identity

    @property
    def identity_share(self) -> float:
        """Share of the variance that identity causes: Rubin's lambda."""
        return self.of_identity / self.total if self.total > 0 else 0.0

    @property
    def degrees_of_freedom(self) -> float:
        """Of Student's t; infinite where the draws agree."""
        if self.of_identity <= 0 or self.draws < 2:
            return math.inf
        return (self.draws - 1) * (1.0 + self.within / self.of_identity) ** 2

    def limits(self, level: float) -> tuple[float, float]:
        """Limits on the scale of combining."""
        half = float(student.ppf(0.5 + level / 2, self.degrees_of_freedom)) * math.sqrt(self.total)
        return self.value - half, self.value + half


def rubin(values: Floats, variances: Floats) -> Combined:
    """Values and variances of M draws, shape (M,), put together.

    Examples
    --------
    >>> made = rubin(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.5, 0.5]))
    >>> made.value, made.within, made.between, round(made.identity_share, 3)
    (2.0, 0.5, 1.0, 0.727)
    """
    between = float(values.var(ddof=1)) if len(values) > 1 else 0.0
    return Combined(float(values.mean()), float(variances.mean()), between, len(values))


def combined(answers: Sequence[Answer]) -> Iterator[tuple[Estimate, Combined | None]]:
    """Every quantity that all `answers` have, one answer a draw. None beside what is counted rather than estimated."""
    for first in answers[0].estimates:
        drawn = [a[first.quantity] for a in answers if first.quantity in a]
        if len(drawn) < len(answers):
            continue
        if first.low is None or not all(_inside(e) for e in drawn):
            yield _counted(first, drawn), None
        else:
            yield _estimated(drawn)


def _counted(first: Estimate, drawn: Sequence[Estimate]) -> Estimate:
    """A count: that of the draw in the middle, so that it stays a whole number that some partition has."""
    values = sorted(e.value for e in drawn)
    return replace(first, value=values[(len(values) - 1) // 2])


def _inside(estimate: Estimate) -> bool:
    """Whether the scale of combining is defined at an estimate."""
    return estimate.value > 0 and (estimate.unit != "share" or estimate.value < 1)


def _estimated(drawn: Sequence[Estimate]) -> tuple[Estimate, Combined]:
    values = np.array([e.value for e in drawn])
    if drawn[0].unit == "share":
        return _on_scale(drawn, logit(values), 1.0 / (values * (1.0 - values)), expit)
    return _on_scale(drawn, np.log(values), 1.0 / values, np.exp)


def _on_scale(
    drawn: Sequence[Estimate], scaled: Floats, slope: Floats, back: Callable[[float], float]
) -> tuple[Estimate, Combined]:
    """Combined on a scale; the standard error by the delta method.

    The limits of a mixture lie between those of its parts, so the lower limit is never below the lowest of the
    draws: animals that were seen stay counted.
    """
    made = rubin(scaled, np.array([e.se or 0.0 for e in drawn]) ** 2 * slope**2)
    low, high = (float(back(limit)) for limit in made.limits(drawn[0].level))
    lowest = min(e.value if e.low is None else e.low for e in drawn)
    value, se = float(back(made.value)), math.sqrt(made.total) / float(np.mean(slope))
    return replace(drawn[0], value=value, low=min(max(low, lowest), value), high=high, se=se), made
