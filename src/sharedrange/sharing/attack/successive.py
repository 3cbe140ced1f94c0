"""Which cell changed? Two totals or rasters that were published one after the other, and their difference.

A station or an animal that was added between them stands where the difference is (tracker and differencing attacks:
Denning & Denning 1979, ACM Computing Surveys 11:227-249).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.sharing.attack.types import Attack, Floats, judged

NAME = "successive"
_AS_LARGE = 1e-9  # of the largest change: rounding in the last digits is none


@dataclass(frozen=True, slots=True)
class Change:
    """What was published before and after one thing was added or taken away.

    `before`, `after`: one value a cell (or an area with a total), shape (C,), as published; NaN where withheld.
    `where`: index of the cell that the thing is in, for its owner alone.
    """

    before: Floats
    after: Floats
    where: int = field(repr=False)


def compare_successive(changes: Sequence[Change]) -> Attack:
    """How often an attacker names the cell in which something was added, against naming any cell.

    It names the cell with the largest change; of equal ones, each is named alike. A value that appears or disappears
    is the largest change of all. The owner makes the changes: publish with and without each station, or animal, in
    turn. Raises InputError where before and after do not have the same cells, or the true one is none of them.
    """
    wrong = [change for change in changes if not _fits(change)]
    if wrong:
        raise InputError([Finding("attack-successive-cells", {"wrong": len(wrong), "of": len(changes)})])
    named = [_named(change) for change in changes]
    hits = np.array([share[change.where] for share, change in zip(named, changes, strict=True)])
    chance = np.array([1 / len(share) for share in named])
    return judged(NAME, hits, chance, np.array([share.max() for share in named]))


def _fits(change: Change) -> bool:
    return change.before.shape == change.after.shape and 0 <= change.where < change.before.size


def _named(change: Change) -> Floats:
    """How likely the attacker names each cell, shape (C,)."""
    by = np.abs(change.after - change.before)
    by[np.isnan(change.before) & np.isnan(change.after)] = 0.0
    by[np.isnan(by)] = np.inf
    largest = by.max()
    best = by >= largest * (1 - _AS_LARGE) if np.isfinite(largest) else np.isinf(by)
    return np.asarray(best / best.sum())
