"""Does the model fit? Monte Carlo goodness of fit: are the data odd among those that the model would have made?

Four statistics. Three compare detections n with what they were expected to be (mu), by the distance of Freeman and
Tukey, sum (sqrt(n) - sqrt(mu))^2, as Royle, Chandler, Sollmann and Gardner (2014, chapter 8) do for Bayesian fits:
of each animal at each detector (`animals_by_detectors`), of each animal (`animals`: some are far easier to detect
than the model has it) and of each detector (`detectors`: some see far more). mu_ij is the mean over the posterior
of animal i's activity centre and class, given its own history. The fourth is the number of spatial recaptures, in
which too many speak against the model as do too few.

The same statistics of histories drawn from the fit say how large they may be. With `refit` each history is fitted
first, as the data were; without, parameters stay at the estimates, which is quick and finds misfit less often: the
data are then compared with a model made for them, the replicates with one that was not.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.core.progress import Progress, silent
from sharedrange.population.scr.bootstrapping import NOBODY, nobody, refit_of
from sharedrange.population.scr.design import Design
from sharedrange.population.scr.detection import Detection
from sharedrange.population.scr.evaluating import SessionFit, evaluate_session
from sharedrange.population.scr.fitting import Fit
from sharedrange.population.scr.replicating import Row, replicate
from sharedrange.population.scr.session import Session, with_captures
from sharedrange.population.scr.simulate import row_hazards, simulate_histories

Floats = NDArray[np.float64]
STATISTICS = ("animals_by_detectors", "animals", "detectors", "spatial_recaptures")
_TWO_SIDED = frozenset({"spatial_recaptures"})
_VALUES_AT_ONCE = 10_000_000  # 80 MB of doubles

FITNESS = pl.Schema(
    {
        # One row a statistic. `p_error`: Monte Carlo standard error of the p value.
        "statistic": pl.String(),
        "observed": pl.Float64(),
        "simulated_mean": pl.Float64(),
        "simulated_low": pl.Float64(),
        "simulated_high": pl.Float64(),
        "p_value": pl.Float64(),
        "p_error": pl.Float64(),
    }
)


@dataclass(frozen=True, slots=True)
class Fitness:
    """How the data stand among replicates. `table` has the schema FITNESS.

    `simulated` (replicates without failure, statistics), columns as in STATISTICS; `failures` by reason.
    """

    table: pl.DataFrame
    simulated: Floats
    failures: dict[str, int]
    refitted: bool

    @property
    def failed(self) -> int:
        """Replicates without statistics."""
        return sum(self.failures.values())


def fitness(
    fit: Fit,
    replicates: int = 200,
    *,
    rng: np.random.Generator,
    refit: bool = True,
    progress: Progress = silent,
    executor: Executor | None = None,
    checkpoint: MutableMapping[str, Any] | None = None,
) -> Fitness:
    """Goodness of fit from `replicates` histories drawn from `fit`.

    p = (1 + replicates at least as odd) / (1 + replicates); for spatial recaptures twice the smaller tail. Numbers
    depend on `rng` alone. Raises InputError if fewer than one replicate is asked for, Cancelled.
    """
    if replicates < 1:
        raise InputError([Finding("scr-no-replicates", {"replicates": replicates})])
    rows = replicate(
        _refitted if refit else _as_fitted,
        fit,
        replicates,
        rng=rng,
        label=f"fitness {'refitted' if refit else 'as fitted'}",
        progress=progress,
        executor=executor,
        checkpoint=checkpoint,
    )
    good = np.array([row[1] for row in rows if not row[0]]).reshape(-1, len(STATISTICS))
    observed = statistics(fit.design, fit.sessions, fit.beta)
    found = [_compared(name, observed[k], good[:, k]) for k, name in enumerate(STATISTICS)]
    lost = [str(row[0]) for row in rows if row[0]]
    failures = {why: lost.count(why) for why in sorted(set(lost))}
    return Fitness(pl.DataFrame(found, schema=FITNESS, orient="row"), good, failures, refit)


def _compared(name: str, observed: float, simulated: Floats) -> tuple[object, ...]:
    if not len(simulated):
        return name, observed, None, None, None, None, None
    size = len(simulated)
    p = (1 + int((simulated >= observed).sum())) / (size + 1)
    if name in _TWO_SIDED:
        p = min(1.0, 2.0 * min(p, (1 + int((simulated <= observed).sum())) / (size + 1)))
    low, high = (float(v) for v in np.quantile(simulated, [0.025, 0.975]))
    return name, observed, float(simulated.mean()), low, high, p, float(np.sqrt(p * (1.0 - p) / size))


def _refitted(fit: Fit, streams: Sequence[np.random.Generator]) -> list[Row]:
    return [_replicate(fit, stream, refits=True) for stream in streams]


def _as_fitted(fit: Fit, streams: Sequence[np.random.Generator]) -> list[Row]:
    return [_replicate(fit, stream, refits=False) for stream in streams]


def _replicate(fit: Fit, stream: np.random.Generator, *, refits: bool) -> Row:
    """Failure and statistics of one replicate."""
    histories, beta = simulate_histories(fit, stream), fit.beta
    if refits:
        failure, peak = refit_of(fit, histories)
        if peak is None:
            return [failure, []]
        beta = peak.beta
    elif nobody(fit, histories):
        return [NOBODY, []]
    sessions = tuple(with_captures(s, h) for s, h in zip(fit.sessions, histories, strict=True))
    return ["", [float(v) for v in statistics(fit.design, sessions, beta)]]


def statistics(design: Design, sessions: Sequence[Session], beta: Floats) -> Floats:
    """The values of STATISTICS at these parameters, summed over sessions."""
    total = np.zeros(len(STATISTICS))
    for i, session in enumerate(sessions):
        seen, expected = detections(session), expected_detections(design, beta, i, session)
        f = session.frequency
        total += (
            float(f @ _distance(seen, expected)),
            float(f @ _distance(seen.sum(axis=1, keepdims=True), expected.sum(axis=1, keepdims=True))),
            float(_distance(f @ seen, f @ expected)),
            float(f @ ((seen > 0).sum(axis=1) - 1.0)),
        )
    return total


def _distance(seen: Floats, expected: Floats) -> Floats:
    """Freeman and Tukey's distance, summed over the last axis."""
    return np.asarray(((np.sqrt(seen) - np.sqrt(expected)) ** 2).sum(axis=-1))


def detections(session: Session) -> Floats:
    """Detections of each distinct history at each detector, shape (u, J): the mean of animals that share it."""
    cells, row = session.records.cells, session.seen.row_of_animal
    table = np.zeros((len(session.frequency), len(session.x_m)))
    np.add.at(table, (row[cells.animal], cells.detector), cells.count)
    return np.asarray(table / session.frequency[:, None])


def expected_detections(design: Design, beta: Floats, index: int, session: Session) -> Floats:
    """Detections that each distinct history was expected to have at each detector, shape (u, J).

    Mean over the posterior of its activity centre and class, of the effort that it met times the chance (for Poisson
    counts: the mean) of a detection in a full occasion; exact for whole efforts, close for parts of one. A detector
    that holds the animal has its share of the chance to be caught on an average occasion.
    """
    at = evaluate_session(design, beta, index, session)
    rows = len(session.rows.kernel)
    step = max(1, _VALUES_AT_ONCE // len(session.mask_x_m))
    parts = [np.arange(first, min(first + step, rows)) for first in range(0, rows, step)]
    met = session.seen.exposure if session.seen.extra is None else session.seen.exposure + session.seen.extra
    by_row = met * np.hstack([_chances(at, design.detection, some) for some in parts])
    table = np.zeros((len(session.x_m), len(session.frequency)))
    np.add.at(table, session.rows.detector, by_row.T)
    return table.T


def _chances(at: SessionFit, detection: Detection, rows: NDArray[np.int64]) -> Floats:
    """Posterior mean of the chance of a detection in a full occasion, shape (u, rows)."""
    total = np.zeros((len(at.session.frequency), len(rows)))
    for k, one in enumerate(at.classes):
        hazard = row_hazards(at.session, detection, one.field, rows=rows)
        if detection.competing:
            all_day = -np.log(np.maximum(one.terms.undetected, 1e-300)) / at.session.records.effort.shape[1]
            hazard *= (-np.expm1(-all_day) / np.maximum(all_day, 1e-300))[:, None]
        elif not detection.counts_poisson:
            hazard = -np.expm1(-hazard)
        total += one.posterior_sums(at.class_probability[k], hazard)
    return total
