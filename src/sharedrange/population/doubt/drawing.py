"""Partitions drawn from what evidence and places say, the model fitted to each anew (data augmentation).

Tanner and Wong (1987, JASA 82:528-540): draw a partition given the parameters, then parameters given the partition -
here from the normal distribution about the maximum, which is what the standard errors mean - and so on. The
partitions kept after the first rounds are imputations of who is who.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sharedrange.core.errors import DidNotConverge
from sharedrange.core.history import CaptureHistory
from sharedrange.core.progress import Progress
from sharedrange.population.doubt.merging import merged
from sharedrange.population.doubt.partitions import Blocks, Doubts, sweep
from sharedrange.population.doubt.weighing import SpatialWeights, nothing
from sharedrange.population.scr.fitting import Fit, Problem
from sharedrange.population.scr.search import Chart, Unbounded
from sharedrange.population.scr.session import with_captures

_SWEEPS = 3  # rounds over all units between two partitions that are kept


@dataclass(frozen=True, slots=True)
class Drawn:
    """Partitions in the order drawn, and the fit of each distinct one (None where no maximum was found)."""

    partitions: tuple[Blocks, ...]
    fits: dict[Blocks, Fit | None]

    def fitted(self) -> tuple[tuple[Blocks, Fit], ...]:
        """The partitions drawn whose fit was found, with it."""
        found = ((blocks, self.fits[blocks]) for blocks in self.partitions)
        return tuple((blocks, fit) for blocks, fit in found if fit is not None)


class Refitting:
    """The fit of each partition, each made once and near the first: one model for all."""

    def __init__(self, first: Fit, histories: Sequence[CaptureHistory], separate: Blocks) -> None:
        self._first = first
        self._histories = tuple(histories)
        self.fits: dict[Blocks, Fit | None] = {separate: first}

    def __call__(self, blocks: Blocks) -> Fit | None:
        """The fit of a partition; None if the search for its maximum failed."""
        if blocks not in self.fits:
            self.fits[blocks] = self._near_first(blocks)
        return self.fits[blocks]

    def _near_first(self, blocks: Blocks) -> Fit | None:
        together = [merged(history, blocks) for history in self._histories]
        sessions = tuple(with_captures(s, h) for s, h in zip(self._first.sessions, together, strict=True))
        problem = Problem(self._first.design, sessions)
        climb = problem.climb(Chart.around(self._first.beta, self._first.covariance))
        try:
            peak = climb.finish(climb.near(self._first.beta).beta)
        except (DidNotConverge, Unbounded):
            return None
        value = peak.value + problem.constant
        return replace(
            self._first,
            sessions=sessions,
            beta=peak.beta,
            covariance=peak.covariance,
            log_likelihood=value,
            gradient=peak.gradient,
        )


def draw(
    doubts: Doubts,
    refit: Refitting,
    weights: SpatialWeights | None,
    *,
    draws: int,
    burn_in: int,
    rng: np.random.Generator,
    progress: Progress,
) -> Drawn:
    """`draws` partitions after `burn_in`, weighted by evidence and places; without `weights` by evidence alone."""
    blocks = doubts.separate()
    kept: list[Blocks] = []
    for i in range(burn_in + draws):
        if weights is not None:
            _move(weights, refit(blocks), rng)
        for _ in range(_SWEEPS):
            blocks = sweep(doubts, blocks, weights or nothing, rng)
        if i >= burn_in:
            kept.append(blocks)
            refit(blocks)
        progress((i + 1) / (burn_in + draws))
    return Drawn(tuple(kept), {b: refit.fits[b] for b in kept})


def _move(weights: SpatialWeights, fit: Fit | None, rng: np.random.Generator) -> None:
    """Draw parameters given the partition; where its fit failed, those of the one before stay."""
    if fit is not None:
        weights.move(rng.multivariate_normal(fit.beta, fit.covariance, method="cholesky"))
