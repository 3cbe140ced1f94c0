"""Which model? A table by information criterion, and the average of those that do not contradict the lower bound.

Chao's model takes any shape of unlike catchability and says the least number of animals that goes with it. Models that
take all animals to be alike are special cases of it, and say fewer; 30 animals can hardly show that they differ, so a
criterion prefers the simpler ones whatever the truth. An average of both kinds would lie below the bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.population.closed.models import Fit

Floats = NDArray[np.float64]
Criterion = Literal["AICc", "AIC", "BIC"]
_SAME = 1e-6  # relative: the bound of animals that show no difference is the number of M0, found by other steps

COMPARISON = pl.Schema(
    {
        # One row a model, the best first. `weight` 0: not in the average, for it says fewer than the lower bound.
        "session": pl.String(),
        "model": pl.String(),
        "animals": pl.Float64(),
        "se": pl.Float64(),
        "log_likelihood": pl.Float64(),
        "parameters": pl.Int64(),
        "aic": pl.Float64(),
        "aicc": pl.Float64(),
        "bic": pl.Float64(),
        "weight": pl.Float64(),
    }
)


def criterion_of(fit: Fit, by: Criterion) -> float:
    """A fit's criterion."""
    return {"AICc": fit.aicc, "AIC": fit.aic, "BIC": fit.bic}[by]


def weights(fits: Sequence[Fit], by: Criterion = "AICc") -> Floats:
    """Share of the evidence for each fit, shape (fits,): exp(-difference / 2), summed to 1; 0 if below the bound.

    Where no criterion is finite (fewer animals than parameters), the fit with fewest parameters has it all.

    Raises InputError where the fits are not all of the same data: such criteria can't be compared.
    """
    _of_one_kind(fits)
    kept = coherent(fits, by)
    values = np.where(kept, [criterion_of(f, by) for f in fits], np.inf)
    if not np.isfinite(values).any():
        values = np.where(kept, [float(f.parameters) for f in fits], np.inf)
        simplest = values == values.min()
        return np.asarray(simplest / simplest.sum())
    share = np.exp(-(values - values.min()) / 2.0)
    return np.asarray(share / share.sum())


def bound(fits: Sequence[Fit], by: Criterion = "AICc") -> Fit | None:
    """The lower bound among the fits; of several (with and without time) the one with the best criterion."""
    bounds = [f for f in fits if f.model.is_lower_bound]
    return min(bounds, key=lambda f: (criterion_of(f, by), f.parameters), default=None)


def coherent(fits: Sequence[Fit], by: Criterion = "AICc") -> NDArray[np.bool_]:
    """Which fits do not say fewer animals than the lower bound, shape (fits,); the bound itself is one of them.

    No bound holds for animals that change their ways once caught: Mb and Mbh are kept.
    """
    least = bound(fits, by)
    if least is None:
        return np.ones(len(fits), dtype=bool)
    return np.array([f.model.lead is not None or not below(f.n_hat, least) for f in fits])


def below(number: float, least: Fit) -> bool:
    """Whether a number of animals is less than a lower bound, and not by rounding."""
    return number < least.n_hat * (1 - _SAME)


def _of_one_kind(fits: Sequence[Fit]) -> None:
    unlike = sorted({fit.data for fit in fits})
    if len(unlike) > 1:
        raise InputError([Finding("closed-unlike-data", {"data": ", ".join(unlike)})])


def compare(fits: Sequence[Fit], by: Criterion = "AICc") -> pl.DataFrame:
    """The fits side by side (schema COMPARISON). Raises InputError where they are not of the same data."""
    share = weights(fits, by)
    rows = [
        (f.session, f.model.name, f.n_hat, f.se, f.log_likelihood, f.parameters, f.aic, f.aicc, f.bic, float(w))
        for f, w in zip(fits, share, strict=True)
    ]
    order = sorted(range(len(fits)), key=lambda i: (criterion_of(fits[i], by), i))
    return pl.DataFrame([rows[i] for i in order], schema=COMPARISON, orient="row")


@dataclass(frozen=True, slots=True)
class Average:
    """N over several models: the weighted mean, with a standard error that holds the doubt about the model."""

    n_hat: float
    se: float


def average(fits: Sequence[Fit], share: Floats) -> Average:
    """The weighted mean of N and its unconditional standard error (Burnham and Anderson 2002, equation 4.9)."""
    numbers, errors = np.array([f.n_hat for f in fits]), np.array([f.se for f in fits])
    used = share > 0
    mean = float(share[used] @ numbers[used])
    return Average(mean, float(share[used] @ np.sqrt(errors[used] ** 2 + (numbers[used] - mean) ** 2)))
