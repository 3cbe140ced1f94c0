"""Tests of what a model pools: pooled only where a stated test allows."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from scipy.stats import chi2

from sharedrange.core.errors import DidNotConverge
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.progress import Progress, part
from sharedrange.population.scr.fitting import Fit, richer_log_likelihood
from sharedrange.population.scr.splits import adding, levels, splits_of

SPLITS = (("density", "side"), ("lambda0", "party"), ("lambda0", "sex"), ("sigma", "party"), ("sigma", "sex"))
_TOLERANCE = 1e-6  # how far rounding may put a richer model below its null

TESTS = pl.Schema(
    {"parameter": pl.String, "term": pl.String, "df": pl.Int64, "statistic": pl.Float64, "p_value": pl.Float64}
)


@dataclass(frozen=True, slots=True)
class PoolingTest:
    """Likelihood-ratio test of one split that a model leaves out."""

    parameter: str
    term: str
    df: int
    statistic: float

    @property
    def p_value(self) -> float:
        """Chance of a statistic at least this large if pooling were right."""
        return float(chi2.sf(self.statistic, self.df))


def tests_of(fit: Fit, progress: Progress, checkpoint: MutableMapping[str, Any]) -> tuple[PoolingTest, ...]:
    """A test of each split that the data could have and the model has not. Raises DidNotConverge."""
    candidates = tuple(_candidates(fit))
    return tuple(
        _test(fit, split, part(progress, done / len(candidates), (done + 1) / len(candidates)), checkpoint)
        for done, split in enumerate(candidates)
    )


def _candidates(fit: Fit) -> Iterator[tuple[str, str]]:
    model = fit.design.model
    for parameter, term in SPLITS:
        splits = (parameter, term) in splits_of(model)
        if not splits and levels(fit.sessions, model.sides, parameter, term).can_split:
            yield parameter, term


def _test(fit: Fit, split: tuple[str, str], progress: Progress, checkpoint: MutableMapping[str, Any]) -> PoolingTest:
    parameter, term = split
    model = adding(fit.design.model, parameter, term)
    richer, parameters = richer_log_likelihood(fit, model, progress, checkpoint)
    gained_psi = model.by_sex and not fit.design.model.by_sex
    statistic = 2.0 * (richer - fit.log_likelihood)
    if statistic < -2.0 * _TOLERANCE * max(1.0, abs(richer)):
        facts = {"parameter": parameter, "term": term, "by": f"{-statistic / 2:.3g}"}
        raise DidNotConverge(Finding("scr-below-null", facts))
    return PoolingTest(parameter, term, parameters - fit.n_parameters - int(gained_psi), max(statistic, 0.0))


def table_of(tests: tuple[PoolingTest, ...]) -> pl.DataFrame:
    """The tests as a table."""
    rows = [(t.parameter, t.term, t.df, t.statistic, t.p_value) for t in tests]
    return pl.DataFrame(rows, schema=TESTS, orient="row")


def doubts(tests: tuple[PoolingTest, ...], alpha: float) -> Iterator[Finding]:
    """A warning for each pooling that its test speaks against."""
    for test in tests:
        if test.p_value < alpha:
            facts: dict[str, Fact] = {
                "parameter": test.parameter,
                "term": test.term,
                "statistic": round(test.statistic, 2),
                "df": test.df,
                "p_value": float(f"{test.p_value:.2g}"),
                "alpha": alpha,
            }
            yield Finding("scr-pooling-doubtful", facts, severity=Severity.WARNING)
