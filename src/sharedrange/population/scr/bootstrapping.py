"""Parametric bootstrap: the model fitted again to histories that it would have made itself.

Replicates start at the estimates and step in their standard errors; nothing but the estimates is sought, so no
Hessian is taken (Efron and Tibshirani 1993, section 6.5). What has no maximum is counted and said, never replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.errors import DidNotConverge, InputError
from sharedrange.core.finding import Finding
from sharedrange.core.history import CaptureHistory
from sharedrange.core.progress import Progress, silent
from sharedrange.population.scr.fitting import Fit, refit
from sharedrange.population.scr.quantity import Quantity, coefficient, quantities
from sharedrange.population.scr.replicating import Row, replicate
from sharedrange.population.scr.search import Peak
from sharedrange.population.scr.simulate import simulate_histories

Floats = NDArray[np.float64]
NOBODY, NO_MAXIMUM, RAN_AWAY = "nobody-detected", "no-maximum", "ran-away"
_GRADIENT_SES = 0.05  # by which a parameter may still climb, in standard errors
_RUN_AWAY_SES = 20.0

SUMMARY = pl.Schema(
    {
        # One row a quantity, on the scale that people know. `bias`: mean of the replicates less the estimate.
        "quantity": pl.String(),
        "estimate": pl.Float64(),
        "mean": pl.Float64(),
        "bias": pl.Float64(),
        "se": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
    }
)


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Replicates of one fit.

    `table`: one row a replicate with `animals` detected, `failure` ("" if there was none), `log_likelihood` and the
    parameters on the link scale, null where the fit failed.
    """

    fit: Fit
    table: pl.DataFrame

    @property
    def failed(self) -> int:
        """Replicates without estimates."""
        return int((self.table["failure"] != "").sum())

    @property
    def failures(self) -> dict[str, int]:
        """How many replicates failed, by reason."""
        return {str(why): int(n) for why, n in self.table["failure"].value_counts(sort=True).iter_rows() if why}

    def of(self, quantity: Quantity) -> Floats:
        """The values of a quantity in the replicates that did not fail, on the scale that people know."""
        betas = self.table.filter(pl.col("failure") == "").select(self.fit.names).to_numpy()
        return np.array([quantity.natural(quantity.at(beta).value) for beta in betas])

    def summary(self, sides: Sequence[str] = (), level: float = 0.95) -> pl.DataFrame:
        """Bias, standard error and percentile interval of every quantity and coefficient (schema SUMMARY)."""
        coefficients = [coefficient(self.fit, name) for name in self.fit.names]
        known = [*quantities(self.fit, sides).values()]
        named = {f"coefficient.{q.name}": q for q in coefficients} | {q.name: q for q in known}
        rows = [_summary(name, q, self.of(q), level) for name, q in named.items()]
        return pl.DataFrame(rows, schema=SUMMARY, orient="row")


def _summary(name: str, quantity: Quantity, values: Floats, level: float) -> tuple[object, ...]:
    estimate = quantity.natural(quantity.estimate.value)
    if not len(values):
        return name, estimate, None, None, None, None, None
    low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2])
    spread = float(values.std(ddof=1)) if len(values) > 1 else None
    mean = float(values.mean())
    return name, estimate, mean, mean - estimate, spread, float(low), float(high)


def bootstrap(
    fit: Fit,
    replicates: int,
    *,
    rng: np.random.Generator,
    progress: Progress = silent,
    executor: Executor | None = None,
    checkpoint: MutableMapping[str, Any] | None = None,
) -> Bootstrap:
    """`replicates` histories drawn from `fit`, each fitted again.

    The numbers depend on `rng` alone: not on the executor, nor on whether the work was stopped and resumed from
    `checkpoint`. Raises InputError if fewer than one replicate is asked for, Cancelled.
    """
    if replicates < 1:
        raise InputError([Finding("scr-no-replicates", {"replicates": replicates})])
    rows = replicate(
        refitted,
        fit,
        replicates,
        rng=rng,
        label="bootstrap",
        progress=progress,
        executor=executor,
        checkpoint=checkpoint,
    )
    return Bootstrap(fit, _table(fit, rows))


def _table(fit: Fit, rows: Sequence[Row]) -> pl.DataFrame:
    columns = {
        "replicate": list(range(1, len(rows) + 1)),
        "failure": [row[0] for row in rows],
        "animals": [row[1] for row in rows],
        "log_likelihood": [row[2] for row in rows],
    }
    betas = {name: [row[3][k] if row[3] else None for row in rows] for k, name in enumerate(fit.names)}
    numbers = dict.fromkeys(("log_likelihood", *fit.names), pl.Float64())
    return pl.DataFrame(columns | betas, schema_overrides=numbers)


def refitted(fit: Fit, streams: Sequence[np.random.Generator]) -> list[Row]:
    """One row a stream: failure, animals detected, log-likelihood, parameters (none where the fit failed)."""
    return list(_refitted(fit, streams))


def _refitted(fit: Fit, streams: Sequence[np.random.Generator]) -> Iterator[Row]:
    for stream in streams:
        histories = simulate_histories(fit, stream)
        failure, peak = refit_of(fit, histories)
        found = [peak.value, [float(b) for b in peak.beta]] if peak else [None, []]
        yield [failure, sum(h.n_individuals for h in histories), *found]


def refit_of(fit: Fit, histories: Sequence[CaptureHistory]) -> tuple[str, Peak | None]:
    """Why there are no estimates ("" if there are), and the maximum if there is one."""
    if nobody(fit, histories):
        return NOBODY, None
    try:
        peak = refit(fit, histories)
    except DidNotConverge:
        return NO_MAXIMUM, None
    se = np.sqrt(np.diag(fit.covariance))
    if not np.isfinite(peak.value) or float(np.abs(peak.gradient).max()) > _GRADIENT_SES:
        return NO_MAXIMUM, None
    if float((np.abs(peak.beta - fit.beta) / se).max()) > _RUN_AWAY_SES:
        return RAN_AWAY, None
    return "", peak


def nobody(fit: Fit, histories: Sequence[CaptureHistory]) -> bool:
    """Whether too few sessions have an animal: none, or not all where animals learn."""
    empty = [not h.n_individuals for h in histories]
    return all(empty) or (any(empty) and any(s.rows.learns for s in fit.sessions))
