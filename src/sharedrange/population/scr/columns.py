"""Which columns the histories that matter in a block were caught in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from sharedrange.population.scr.encounters import Encounters

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns that some histories have and whose row is among given rows.

    `index` (columns,): ascending; `row`: place of each column's row among the given; `counts` (histories, columns).
    """

    index: Ints
    row: Ints
    counts: csr_array


class Caught:
    """Counts of the histories of one class (`members`), by column."""

    def __init__(self, seen: Encounters, members: Ints) -> None:
        everyone = seen.counts.shape[0]
        self.counts: csr_array = seen.counts if len(members) == everyone else seen.counts[members]
        self._column_row = seen.column_row
        self._column, self._count = self.counts.indices.astype(np.int64), self.counts.data
        self._begin = self.counts.indptr.astype(np.int64)

    def rows_of(self, histories: Ints) -> Ints:
        """Rows that histories were caught in, ascending."""
        entry, _ = self._entries(histories)
        return np.asarray(np.unique(self._column_row[self._column[entry]]))

    def columns(self, rows: Ints, histories: Ints) -> Columns:
        """The columns of `histories` in `rows` (ascending). Made by hand: a slice of a sparse matrix costs more."""
        if len(histories) == self.counts.shape[0]:
            place, met = _among(rows, self._column_row)
            if met.all():  # a small survey: the table as it is
                return Columns(np.arange(len(place)), place, self.counts)
        entry, begin = self._entries(histories)
        index, position = self._distinct(self._column[entry])
        place, met = _among(rows, self._column_row[index])
        count = self._count[entry]
        if not met.all():
            count = count * met[position]  # zeros stay in the matrix: cheaper than to close the gaps
            position = np.maximum(np.cumsum(met) - 1, 0)[position]
            index, place = index[met], place[met]
        if not len(index):
            return Columns(index, place, csr_array((len(histories), 0)))
        return Columns(index, place, csr_array((count, position, begin), (len(histories), len(index))))

    def _distinct(self, columns: Ints) -> tuple[Ints, Ints]:
        """The distinct columns, ascending, and the place of each column among them."""
        there = np.zeros(len(self._column_row), dtype=bool)
        there[columns] = True
        return np.flatnonzero(there), (np.cumsum(there) - 1)[columns]

    def _entries(self, histories: Ints) -> tuple[Ints, Ints]:
        """Places of the entries of some histories, one history after the other, and where each begins."""
        first = self._begin[histories]
        length = self._begin[histories + 1] - first
        begin = np.zeros(len(histories) + 1, dtype=np.int64)
        np.cumsum(length, out=begin[1:])
        return np.arange(begin[-1]) + np.repeat(first - begin[:-1], length), begin


def _among(rows: Ints, some: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Place of some rows among `rows` (ascending), and whether they are there."""
    place = np.searchsorted(rows, some)
    return place, np.append(rows, -1)[place] == some
