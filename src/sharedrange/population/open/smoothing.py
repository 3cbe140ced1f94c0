"""Where each detected animal was in each year, also before its first detection and after its last."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.open.arrivals import zero_gradient
from sharedrange.population.open.evaluate import At, Evaluator
from sharedrange.population.open.likelihood import ClassHistories

Floats = NDArray[np.float64]


def alive_in(evaluator: Evaluator, at: At, regions: Mapping[str, Floats]) -> dict[str, Floats]:
    """Probability that each detected animal was alive and in each region, each (T, n).

    `regions` hold 1 at the mask points that belong to them, (M,).
    """
    data, weights = evaluator.design.data, np.column_stack(list(regions.values()))
    total = np.zeros((len(data.names), len(data.individuals), len(regions)))
    nothing = zero_gradient(at.parts.rates)
    for block in evaluator.blocks(at.parts):
        for c, own in enumerate(block.classes):
            own.gradient(block.share[c], nothing.of_class(c))  # fills the posterior between first and last detection
            total[:, block.animals] += block.share[c][None, :, None] * _of_class(own, weights)
    clipped = np.clip(total, 0.0, 1.0)
    return {name: clipped[:, :, k] for k, name in enumerate(regions)}


def undetected_in(evaluator: Evaluator, at: At, regions: Mapping[str, Floats]) -> dict[str, Floats]:
    """Expected animals of each year and region that were never detected, each (T,)."""
    everybody = next(evaluator.blocks(at.parts))
    never = np.sum([own.undetected * own.never_again for own in everybody.classes], axis=0)
    return {name: never @ region for name, region in regions.items()}


def _of_class(own: ClassHistories, weights: Floats) -> Floats:
    """Probabilities of one class, shape (T, n, regions)."""
    years, n = len(own.undetected), len(own.spans.first)
    found = np.zeros((years, n, weights.shape[1]))
    for t in range(years):
        found[t, own.spans.active(t)] = own.posterior(t) @ weights
    _before(own, weights, found)
    _after(own, weights, found)
    return found


def _before(own: ClassHistories, weights: Floats, found: Floats) -> None:
    """Back from first detections: what is known of an animal, as a factor on being alive at m and not yet detected."""
    known = np.zeros((len(own.spans.first), own.undetected.shape[1]))
    for t in range(len(own.undetected) - 1, 0, -1):
        starting = own.spans.first[own.spans.active(t)] == t
        known[own.spans.first == t] = own.posterior(t)[starting] / own.reached[t]
        later = own.spans.first >= t
        known[later] = own.survival[t - 1] * own.moves[t - 1].backward(known[later])
        found[t - 1, later] = (own.undetected[t - 1] * known[later]) @ weights
        known[later] *= own.missed[t - 1]


def _after(own: ClassHistories, weights: Floats, found: Floats) -> None:
    """On from last detections: where an animal is if it lives, and has not been detected again."""
    where = np.zeros((len(own.spans.first), own.undetected.shape[1]))
    for t in range(len(own.undetected) - 1):
        ending = own.spans.last[own.spans.active(t)] == t
        where[own.spans.last == t] = own.posterior(t)[ending] / own.never_again[t]
        gone = own.spans.last <= t
        moved = own.moves[t].forward(own.survival[t] * where[gone])
        where[gone] = moved * own.missed[t + 1]
        found[t + 1, gone] = (where[gone] * own.never_again[t + 1]) @ weights
