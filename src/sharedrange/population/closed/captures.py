"""Who was caught on which occasion, places left out: what closed models without space start from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Where
from sharedrange.core.history import CaptureHistory

Ints = NDArray[np.int64]
Caught = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Captures:
    """The animals of one closed session: how many were caught how often and, where known, on which occasions.

    `frequencies` has shape (t,): animals caught on 1, 2, ... t occasions. `matrix` has shape (n, t), one row an
    animal; None where only the frequencies were published, and then models that need occasions cannot be fitted.
    Make one with `from_frequencies`, `from_matrix` or `from_history`: they say everything that is wrong at once.
    """

    session: str
    frequencies: Ints
    matrix: Caught | None = None

    @property
    def n_occasions(self) -> int:
        """Number of occasions, t."""
        return len(self.frequencies)

    @cached_property
    def n(self) -> int:
        """Animals caught at least once."""
        return int(self.frequencies.sum())

    @cached_property
    def n_captures(self) -> int:
        """Captures: an animal counts once an occasion."""
        return int(self.frequencies @ np.arange(1, self.n_occasions + 1))

    @property
    def n_recaptures(self) -> int:
        """Captures after each animal's first."""
        return self.n_captures - self.n

    @property
    def singletons(self) -> int:
        """Animals caught on one occasion only."""
        return int(self.frequencies[0])

    @cached_property
    def per_occasion(self) -> Ints | None:
        """Animals caught on each occasion, shape (t,); None where only frequencies are known."""
        return None if self.matrix is None else self.matrix.sum(axis=0).astype(np.int64)

    @cached_property
    def first_captures(self) -> Ints | None:
        """Animals caught for the first time on each occasion, shape (t,); None where only frequencies are known."""
        if self.matrix is None:
            return None
        return np.bincount(self.matrix.argmax(axis=1), minlength=self.n_occasions).astype(np.int64)

    @cached_property
    def data(self) -> str:
        """A short hash of the data: fits may be compared only if theirs is the same."""
        told = [self.frequencies.tolist(), None if self.matrix is None else sorted(map(bytes, self.matrix))]
        return hashlib.sha256(repr(told).encode()).hexdigest()[:12]


def from_frequencies(frequencies: Sequence[int], *, session: str = "1") -> Captures:
    """Captures from how many animals were caught on 1, 2, ... t occasions (t zeros included).

    Raises InputError where a frequency is negative or no whole number, or there are fewer than two occasions.

    Examples
    --------
    >>> caught = from_frequencies([4, 4, 5, 2, 1])
    >>> caught.n, caught.n_captures, caught.n_recaptures
    (16, 40, 24)
    """
    given = np.asarray(frequencies, dtype=float)
    found = list(_wrong_frequencies(given, Where(table=f"session {session}")))
    if found:
        raise InputError(found)
    return Captures(session, given.astype(np.int64))


def from_matrix(matrix: ArrayLike, *, session: str = "1") -> Captures:
    """Captures from a table of animals x occasions, shape (n, t), of zeros and ones; rows of zeros are left out.

    Raises InputError where a cell is neither 0 nor 1, or there are fewer than two occasions.

    Examples
    --------
    >>> from_matrix([[1, 0, 1], [0, 1, 0]]).frequencies.tolist()
    [1, 1, 0]
    """
    given = np.asarray(matrix, dtype=float)
    found = list(_wrong_matrix(given, Where(table=f"session {session}")))
    if found:
        raise InputError(found)
    caught = given[given.any(axis=1)].astype(bool)
    frequencies = np.bincount(caught.sum(axis=1), minlength=given.shape[1] + 1)[1:]
    return Captures(session, frequencies.astype(np.int64), caught)


def from_history(history: CaptureHistory, *, most_occasions: int = 10) -> Captures:
    """Captures of a history with its detectors put together and its occasions joined.

    Occasions on which no detector ran are left out; the others are joined, in order, into at most
    `most_occasions` of as equal length as can be (0: left as they are). On daily occasions an animal is caught on
    few of very many, where forms of unlike catchability can't be told apart.

    Raises InputError where fewer than two occasions had effort, or an animal was caught on one that had none.
    """
    ran = np.flatnonzero(history.effort.sum(axis=0) > 0)
    found = list(_wrong_history(history, ran))
    if found:
        raise InputError(found)
    joined = joined_occasions(len(ran), most_occasions)
    column = dict(zip((ran + 1).tolist(), joined.tolist(), strict=True))
    row = {who: i for i, who in enumerate(history.individuals["individual"])}
    matrix = np.zeros((len(row), int(joined[-1]) + 1), dtype=bool)
    for who, occasion in history.captures.select("individual", "occasion").iter_rows():
        matrix[row[who], column[occasion]] = True
    return from_matrix(matrix, session=history.session)


def joined_occasions(n: int, most: int) -> Ints:
    """Which joined occasion each of `n` occasions belongs to, shape (n,); `most` 0: each its own.

    Examples
    --------
    >>> joined_occasions(7, 3).tolist()
    [0, 0, 0, 1, 1, 2, 2]
    """
    parts = min(n, most) if most else n
    return np.concatenate([np.full(len(part), k) for k, part in enumerate(np.array_split(np.arange(n), parts))])


def _wrong_frequencies(given: NDArray[np.float64], at: Where) -> Iterator[Finding]:
    if given.ndim != 1 or len(given) < 2:
        yield Finding("closed-too-few-occasions", {"occasions": len(given) if given.ndim == 1 else 0}, at)
        return
    for times, animals in enumerate(given.tolist(), start=1):
        if not math.isfinite(animals) or animals < 0 or animals != round(animals):
            yield Finding("closed-frequency", {"times": times, "animals": animals}, at)


def _wrong_matrix(given: NDArray[np.float64], at: Where) -> Iterator[Finding]:
    if given.ndim != 2 or given.shape[1] < 2:
        yield Finding("closed-too-few-occasions", {"occasions": given.shape[1] if given.ndim == 2 else 0}, at)
        return
    for row, column in np.argwhere((given != 0) & (given != 1)).tolist():
        facts = {"animal": row + 1, "occasion": column + 1, "cell": float(given[row, column])}
        yield Finding("closed-cell", facts, at)


def _wrong_history(history: CaptureHistory, ran: Ints) -> Iterator[Finding]:
    at = Where(table=f"session {history.session}")
    if len(ran) < 2:
        yield Finding("closed-too-few-occasions", {"occasions": len(ran)}, at)
    known = set(history.individuals["individual"])
    running = set((ran + 1).tolist())
    met = history.captures.select("individual", "occasion").unique().sort("individual", "occasion")
    for who, occasion in met.iter_rows():
        if who not in known or occasion not in running:
            yield Finding("closed-capture-unknown", {"individual": who, "occasion": occasion}, at)
