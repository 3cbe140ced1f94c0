"""Models of the same data side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.population.occupancy.fitting import Fit

_SLACK = 1e-4  # of log-likelihood, by which the simpler of two nested fits may end above the richer


def compare(fits: Mapping[str, Fit], c_hat: float = 1.0) -> pl.DataFrame:
    """Fits by name, the best first: parameters, log-likelihood, AIC, AICc and weights.

    AICc counts the surveyed sites as the sample. With `c_hat` above 1 (fitness.goodness_of_fit of the richest model)
    the log-likelihood is divided by it and one parameter added: QAIC (Burnham and Anderson 2002, section 2.5).

    Raises InputError where the fits are of different data, whose AIC say nothing about each other, and where a
    richer model ended below one that it contains: its fit is not its maximum.
    """
    names = list(fits)
    unlike = [name for name in names[1:] if fits[name].data != fits[names[0]].data]
    if unlike:
        raise InputError([Finding("occupancy-unlike-data", {"models": ", ".join([names[0], *unlike])})])
    lost = _below_what_they_contain(fits)
    if lost:
        raise InputError(lost)
    sites = np.array([len(fits[name].problem.site) for name in names], dtype=float)
    count = np.array([fits[name].n_parameters for name in names], dtype=float) + (c_hat > 1)
    log_likelihood = np.array([fits[name].log_likelihood for name in names])
    aic = 2 * count - 2 * log_likelihood / max(c_hat, 1.0)
    room = sites - count - 1
    aicc = np.where(room > 0, aic + 2 * count * (count + 1) / np.maximum(room, 1), np.inf)
    weight = np.exp(-0.5 * (aic - aic.min())) if len(aic) else aic
    table = pl.DataFrame(
        {
            "model": names,
            "psi": [fits[name].problem.model.psi for name in names],
            "p": [fits[name].problem.model.p for name in names],
            "parameters": count.astype(int),
            "log_likelihood": log_likelihood,
            "aic": aic,
            "aicc": aicc,
            "delta": aic - aic.min() if len(aic) else aic,
            "weight": weight / weight.sum() if len(aic) else weight,
        }
    )
    return table.sort("aic", "model")


def _below_what_they_contain(fits: Mapping[str, Fit]) -> list[Finding]:
    """A finding for each fit that ended below one nested in it."""
    found = []
    for rich_name, rich in fits.items():
        for poor_name, poor in fits.items():
            if rich_name != poor_name and _contains(rich, poor) and rich.log_likelihood < poor.log_likelihood - _SLACK:
                by = round(poor.log_likelihood - rich.log_likelihood, 4)
                found.append(Finding("occupancy-below-simpler", {"model": rich_name, "simpler": poor_name, "by": by}))
    return found


def _contains(rich: Fit, poor: Fit) -> bool:
    """Whether every term of one is a term of the other, on the same scale."""
    a, b = rich.problem, poor.problem
    same_scale = a.model.effort == b.model.effort and (a.model.serial or not b.model.serial)
    parts = ((a.psi.formula, b.psi.formula), (a.p.formula, b.p.formula))
    return same_scale and all(set(y.terms) <= set(x.terms) and x.intercept == y.intercept for x, y in parts)
