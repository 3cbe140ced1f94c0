"""All capture histories at once: sums over the 2^t histories of a log-linear model, without listing them.

The weight of a history is a product over occasions times a function of how often the animal was caught,
exp(sum of beta over its occasions) * w(number of captures). Sums of such weights are coefficients of the polynomial
prod over occasions (1 + exp(beta) z), the elementary symmetric functions. Occasions that share a beta are one group,
whose polynomial is (1 + exp(beta) z)^m: a survey of ninety days costs microseconds where a table of 2^90
histories can't be written down. All terms are positive, so nothing cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import toeplitz
from scipy.special import comb

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Levels:
    """Sums over the histories with j = 0 ... t captures, without the function of j.

    `total` (t + 1,): of the weights. `captures` (G, t + 1): of weight times captures in group g. `pairs`
    (G, G, t + 1): of weight times captures in g times captures in h.
    """

    total: Floats
    captures: Floats
    pairs: Floats


def levels(beta: Floats, sizes: Sequence[int]) -> Levels:
    """Sums by number of captures for groups of `sizes` occasions with log weights `beta`, shapes (G,).

    Examples
    --------
    >>> levels(np.log([2.0]), [3]).total.round(6).tolist()  # (1 + 2z)^3
    [1.0, 6.0, 12.0, 8.0]
    """
    groups = len(sizes)
    total, captures, pairs = np.ones(1), np.zeros((groups, 1)), np.zeros((groups, groups, 1))
    for g, size in enumerate(sizes):
        count = np.arange(size + 1)
        own = comb(size, count) * np.exp(beta[g] * count)
        grown = _times(pairs, own)
        grown[g, :] = grown[:, g] = _times(captures, own * count)
        grown[g, g] = _times(total, own * count**2)
        captures = _times(captures, own)
        captures[g] = _times(total, own * count)
        total, pairs = _times(total, own), grown
    return Levels(total, captures, pairs)


def _times(polynomials: Floats, factor: Floats) -> Floats:
    """Each polynomial (last axis: coefficients) times `factor`."""
    rows = polynomials.shape[-1]
    product = toeplitz(np.r_[factor[0], np.zeros(rows - 1)], np.r_[factor, np.zeros(rows - 1)])
    return np.asarray(polynomials @ product)


def draw(rng: np.random.Generator, n: int, beta: Floats, weight: Floats) -> NDArray[np.bool_]:
    """`n` histories drawn from the model, shape (n, t), each with at least one capture.

    `beta` has shape (t,), one an occasion; `weight` shape (t + 1,) is the function of the number of captures.
    First the number of captures is drawn, then occasion by occasion whether it holds one of those left.
    """
    t = len(beta)
    tails = [np.ones(1)]
    for b in beta[::-1]:
        tails.insert(0, _times(tails[0], np.r_[1.0, np.exp(b)]))
    chance = tails[0] * weight
    chance[0] = 0.0
    left = rng.choice(t + 1, size=n, p=chance / chance.sum())
    caught = np.zeros((n, t), dtype=bool)
    for k in range(t):
        with_k = np.r_[0.0, np.exp(beta[k]) * tails[k + 1]]
        caught[:, k] = rng.random(n) < (with_k / tails[k])[left]
        left = left - caught[:, k]
    return caught
