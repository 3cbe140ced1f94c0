"""What places and dates say about a partition: the integrals of merged histories under a fitted spatial model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sharedrange.core.history import CaptureHistory
from sharedrange.population.doubt.merging import as_animals, key_of
from sharedrange.population.doubt.partitions import Block, Doubts
from sharedrange.population.scr.evaluating import evaluate_session
from sharedrange.population.scr.fitting import Fit
from sharedrange.population.scr.session import Session, with_captures

Floats = NDArray[np.float64]
_EXCLUDED = float(np.log(1e-5))


class SpatialWeights:
    """log I of any block of units, at parameters that move. I is summed in logarithms over sessions that saw it.

    `I` = integral over the ground of density x Pr(captures of all units of the block as one animal), classes of
    animals summed where sex is unknown. Single units and
    open pairs are computed together, others when first asked for.
    """

    def __init__(self, fit: Fit, histories: Sequence[CaptureHistory], doubts: Doubts) -> None:
        self._fit = fit
        self._histories = tuple(histories)
        self._blocks: list[Block] = [*(frozenset((u,)) for u in doubts.units), *doubts.open_pairs]
        self._sessions = self._with(self._blocks)
        self._beta = fit.beta
        self._known: dict[Block, float] = {}

    def move(self, beta: Floats) -> None:
        """Take other parameters."""
        self._beta = beta
        self._known = {}

    def __call__(self, blocks: Sequence[Block]) -> list[float]:
        """Log I of each block."""
        if not self._known:
            self._known = self._integrals(self._blocks, self._sessions)
        new = [block for block in dict.fromkeys(blocks) if block not in self._known]
        if new:
            self._known |= self._integrals(new, self._with(new))
        return [self._known[block] for block in blocks]

    def _with(self, blocks: Sequence[Block]) -> tuple[Session, ...]:
        return tuple(
            with_captures(session, as_animals(history, blocks))
            for session, history in zip(self._fit.sessions, self._histories, strict=True)
        )

    def _integrals(self, blocks: Sequence[Block], sessions: Sequence[Session]) -> dict[Block, float]:
        total = {key_of(block): 0.0 for block in blocks}
        for i, session in enumerate(sessions):
            at = evaluate_session(self._fit.design, self._beta, i, session)
            each = at.log_animal[session.row_of_animal]
            for animal, value in zip(session.individuals, each, strict=True):
                total[animal] += float(value)
        return {block: total[key_of(block)] for block in blocks}


def plausible(doubts: Doubts, weights: SpatialWeights) -> Doubts:
    """The doubts without pairs that places all but exclude at the weights' parameters: odds below one in 100,000."""
    return doubts.without({pair for pair in doubts.open_pairs if _log_odds(doubts, weights, pair) < _EXCLUDED})


def _log_odds(doubts: Doubts, weights: SpatialWeights, pair: Block) -> float:
    a, b = (frozenset((unit,)) for unit in sorted(pair))
    together, alone, other = weights([pair, a, b])
    return doubts.log_odds(min(pair), b) + together - alone - other


def nothing(blocks: Sequence[Block]) -> list[float]:
    """No weight of places: draws follow the evidence alone."""
    return [0.0] * len(blocks)
