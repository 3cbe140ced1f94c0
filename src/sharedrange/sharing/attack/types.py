"""What an attack comes to, and the truth that it is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding

Floats = NDArray[np.float64]

MARGIN = 0.05  # how far above guessing an attacker may come
LEVEL = 0.95
HIT_M = 1000.0  # a station is found when a guess is this near


@dataclass(frozen=True, slots=True)
class Attack:
    """How well one attacker did on one release, against somebody who guesses.

    `success`: share of the `n` targets that were found; where the attacker has several guesses that are equally good,
    each counts with its chance of being picked. `chance`: the share that guessing at random finds. `low`, `high`: 95 %
    interval of the success that the same attack has on other targets of the same kind. `expected`: the share that the
    attacker itself expects to find, who does not know the truth.
    """

    name: str
    success: float
    chance: float
    low: float
    high: float
    n: int
    expected: float

    @property
    def limit(self) -> float:
        """The largest success that is certified."""
        return self.chance + MARGIN

    @property
    def certified(self) -> bool:
        """Whether the release tells the attacker at most 5 points more than guessing does.

        The share that was found is no sample: it is a fact of these targets, and must be at most the limit. But few
        targets may be missed by luck. So either the interval's upper end is at most the limit too, or, where there
        are too few targets for that, the attacker itself does not expect more.
        """
        return self.success <= self.limit and (self.high <= self.limit or self.expected <= self.limit)


@dataclass(frozen=True, slots=True)
class Positions:
    """Where things are in truth: name in the release -> x, y in the release's frame. Its repr does not tell."""

    of: Mapping[str, tuple[float, float]] = field(repr=False)

    def at(self, names: list[str]) -> Floats:
        """Where each name is, shape (n, 2). Raises InputError where some have none: how many, not where."""
        check_known(names, self.of)
        return np.array([self.of[name] for name in names], dtype=float).reshape(-1, 2)


def check_known(names: list[str], truth: Mapping[str, object]) -> None:
    """Raises InputError, with their number, where names have no entry in the truth."""
    if missing := [name for name in names if name not in truth]:
        raise InputError([Finding("attack-truth-missing", {"missing": len(missing), "of": len(names)})])


def judged(name: str, hits: Floats, chance: Floats, expected: Floats) -> Attack:
    """The attack on n targets: how surely each was found, would be by guessing, and was expected to be, shapes (n,).

    The interval is the exact binomial one (Clopper & Pearson 1934, Biometrika 26:404-413), also for hits between 0 and
    1, which vary less than hits that are 0 or 1 and have the same mean.
    """
    n = len(hits)
    if n == 0:
        return Attack(name, 0.0, 0.0, 0.0, 1.0, 0, 0.0)
    found = float(np.sum(hits))
    tail = (1 - LEVEL) / 2
    low = float(beta.ppf(tail, found, n - found + 1)) if found > 0 else 0.0
    high = float(beta.ppf(1 - tail, found + 1, n - found)) if found < n else 1.0
    return Attack(name, found / n, float(np.mean(chance)), low, high, n, float(np.mean(expected)))
