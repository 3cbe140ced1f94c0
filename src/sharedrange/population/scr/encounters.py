"""What a model needs of the records: who was detected in which row, and to how much effort each animal was exposed.

A *row* is a pseudo-detector: a detector under one combination of everything that its detection parameters depend
on (occasion, learned response). Occasions are gone after this. With effort e_jk only two sums matter: the effort of
each row as an animal that was never caught meets it (the *exposure* E_r), and how often each animal was detected in
row r under each distinct effort. With efforts of 0 and 1 that is the collapse of binary occasions to binomial
counts; with fractional efforts it is exact too.

An animal that learns meets other efforts after its first capture: its exposure is E + `extra`, where the effort
that it left in naive rows is negative and what it found in learned rows positive.

Detectors that compete for the animal need the total hazard of each occasion on which it was caught: `Totals`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import gammaln

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NAIVE, TRAPPED, TRAPPED_HERE = 0, 1, 2  # never caught before, caught elsewhere only, caught at this detector
STATES = 3


@dataclass(frozen=True, slots=True)
class Cells:
    """Captures as arrays, one row a cell: indices of animal, detector and occasion, effort there, count."""

    animal: Ints
    detector: Ints
    occasion: Ints
    effort: Floats
    count: Floats


@dataclass(frozen=True, slots=True)
class Records:
    """What was recorded in one session: n animals, their sex (index into SEXES or -1), effort (J, K), captures.

    `poisson`, `unit_size`, `competing`: what a detection is (see `session.prepare`). `last` (n,): occasions on which
    each animal was there to be caught, the others gone with its death or removal; None: everybody stayed.
    """

    individuals: tuple[str, ...]
    sex: Ints
    effort: Floats
    cells: Cells
    poisson: bool
    unit_size: bool
    competing: bool
    last: Ints | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """The pseudo-detectors of a model. R rows share G kernels (a detector under one sigma and shape).

    `of_cell` (J, K, 1 or STATES): row that an animal in each state meets; `kernel` (R,) ascending;
    `kernel_detector` (G,). `collapses`: no row depends on the occasion or on what the animal has learned.
    """

    of_cell: Ints
    kernel: Ints
    kernel_detector: Ints
    collapses: bool

    @property
    def detector(self) -> Ints:
        """Detector of each row, shape (R,)."""
        return self.kernel_detector[self.kernel]

    @property
    def learns(self) -> bool:
        """Whether rows differ by what an animal has learned."""
        return int(self.of_cell.shape[2]) > 1


@dataclass(frozen=True, slots=True)
class Totals:
    """Distinct sets of competing detectors: `effort` (T, R) by row; `counts` (u, T): captures of each history."""

    effort: Floats
    counts: Floats


@dataclass(frozen=True, slots=True)
class Learned:
    """Distinct differences from the exposure: `effort` (Z, R) by row; `kind` (u,): which each history has."""

    effort: Floats
    kind: Ints


@dataclass(frozen=True, slots=True)
class Encounters:
    """Sufficient statistics of u distinct histories in Q columns; a column is a row under one effort.

    `counts` (u, Q), sparse: a country's animals are each seen at a few detectors. `exposure` (R,): effort that an
    animal never caught meets; `reach` (R,): the most that any animal meets; `learned`: what histories met beyond
    `exposure`, None where nothing is learned; `totals`: None unless detectors compete. `alike` (n,): number of the
    group of animals whose full histories are the same; `row_of_animal` (n,): from animals to distinct histories.
    """

    counts: csr_array
    column_row: Ints
    column_effort: Floats
    frequency: Floats
    sex: Ints
    row_of_animal: Ints
    exposure: Floats
    reach: Floats
    learned: Learned | None
    totals: Totals | None
    alike: Ints
    log_constant: float

    @property
    def extra(self) -> Floats | None:
        """Effort by row that each history met beyond `exposure`, shape (u, R)."""
        return None if self.learned is None else self.learned.effort[self.learned.kind]


def plain_rows(detectors: int, occasions: int) -> Rows:
    """A row a detector."""
    index = np.arange(detectors, dtype=np.int64)
    return Rows(np.broadcast_to(index[:, None, None], (detectors, occasions, 1)), index, index, collapses=True)


def encounters(records: Records, rows: Rows) -> Encounters:
    """The statistics of `records` for a model with `rows`."""
    cells = records.cells
    n, size = len(records.individuals), len(rows.kernel)
    state = _states(cells) if rows.learns else np.zeros(len(cells.animal), dtype=np.int64)
    row = rows.of_cell[cells.detector, cells.occasion, state]
    pairs, column = _columns(row, cells.effort, per_effort=not (records.poisson or records.unit_size))
    table = _sparse((n, len(pairs)), cells.animal, column, cells.count)
    exposure = np.bincount(rows.of_cell[:, :, NAIVE].ravel(), records.effort.ravel(), size).astype(float)
    extra = _extra(records, rows) if rows.learns or records.last is not None else None
    totals = _totals(records, rows) if records.competing else None
    collapsed = rows.collapses and not records.competing
    parts = [_keys(table), records.sex.tolist()]
    parts += [_row_bytes(dense) for dense in (extra, totals.counts if totals else None) if dense is not None]
    first, row_of_animal, frequency = _distinct(list(zip(*parts, strict=True)))
    return Encounters(
        counts=table[first],
        column_row=pairs[:, 0].astype(np.int64),
        column_effort=pairs[:, 1],
        frequency=frequency,
        sex=records.sex[first],
        row_of_animal=row_of_animal,
        exposure=exposure,
        reach=exposure if extra is None else exposure + np.maximum(extra.max(axis=0, initial=0.0), 0.0),
        learned=None if extra is None else _learned_kinds(extra[first]),
        totals=Totals(totals.effort, totals.counts[first]) if totals else None,
        alike=_alike(records, table, collapsed=collapsed),
        log_constant=_log_constant(records, collapsed=collapsed),
    )


def _sparse(shape: tuple[int, int], row: Ints, column: Ints, values: Floats) -> csr_array:
    """A sparse matrix of sums of values, the columns of each row in order."""
    table = csr_array((values, (row, column)), shape)
    table.sum_duplicates()
    return table


def _keys(table: csr_array) -> list[tuple[bytes, bytes]]:
    """Something equal for equal rows of a sparse matrix alone."""
    ends = table.indptr.tolist()
    pieces = [slice(a, b) for a, b in pairwise(ends)]
    return [(table.indices[piece].tobytes(), table.data[piece].tobytes()) for piece in pieces]


def _row_bytes(table: Floats) -> list[bytes]:
    """Something equal for equal rows of a matrix alone."""
    return [row.tobytes() for row in table + 0.0]  # no negative zeros, which have other bytes


def _learned_kinds(extra: Floats) -> Learned:
    first, kind, _ = _distinct(_row_bytes(extra))
    return Learned(extra[first], kind)


def _columns(row: Ints, effort: Floats, *, per_effort: bool) -> tuple[Floats, Ints]:
    """Distinct (row, effort) pairs, shape (Q, 2), and the pair of each cell."""
    effort = effort if per_effort else np.ones_like(effort)
    pairs, column = np.unique(np.column_stack([row, effort]), axis=0, return_inverse=True)
    return pairs, column.ravel().astype(np.int64)


def _distinct(keys: Sequence[Hashable]) -> tuple[Ints, Ints, Floats]:
    """First animal of each distinct key, place of each animal's key among these, and how many animals share it."""
    place: dict[Hashable, int] = {}
    row = np.array([place.setdefault(key, len(place)) for key in keys], dtype=np.int64)
    _, first, frequency = np.unique(row, return_index=True, return_counts=True)
    return first.astype(np.int64), row, frequency.astype(float)


def _alike(records: Records, table: csr_array, *, collapsed: bool) -> Ints:
    """Number of the group of each animal: with the same counts in all columns, or in all cells."""
    if collapsed:
        return _distinct(_keys(table))[1]
    cells = records.cells
    seen: list[list[tuple[int, int, float]]] = [[] for _ in records.individuals]
    for who, where, when, count in zip(cells.animal, cells.detector, cells.occasion, cells.count, strict=True):
        seen[who].append((int(where), int(when), float(count)))
    groups: dict[tuple[tuple[int, int, float], ...], int] = {}
    return np.array([groups.setdefault(tuple(sorted(one)), len(groups)) for one in seen], dtype=np.int64)


def _first_occasion(cells: Cells, key: Ints) -> dict[int, int]:
    """Earliest occasion of each value of `key` (one a cell)."""
    first: dict[int, int] = {}
    for value, occasion in zip(key.tolist(), cells.occasion.tolist(), strict=True):
        first[value] = min(first.get(value, occasion), occasion)
    return first


def _visit(cells: Cells) -> Ints:
    """A number for each pair of animal and detector."""
    return cells.animal * (int(cells.detector.max(initial=0)) + 1) + cells.detector


def _states(cells: Cells) -> Ints:
    """What the animal of each cell had learned by then."""
    visit = _visit(cells)
    anywhere, here = _first_occasion(cells, cells.animal), _first_occasion(cells, visit)
    caught = np.array([anywhere[a] for a in cells.animal.tolist()], dtype=np.int64) < cells.occasion
    caught_here = np.array([here[v] for v in visit.tolist()], dtype=np.int64) < cells.occasion
    return np.where(caught_here, TRAPPED_HERE, np.where(caught, TRAPPED, NAIVE)).astype(np.int64)


def _moved(rows: Rows, effort: Floats, since: int, change: tuple[int, int], where: slice = slice(None)) -> Floats:
    """Effort by row that leaves one state (negative) for another after occasion `since`, shape (R,)."""
    before, after = change
    late = effort[where, since + 1 :].ravel()
    size = len(rows.kernel)
    left = np.bincount(rows.of_cell[where, since + 1 :, before].ravel(), late, size)
    return np.asarray(np.bincount(rows.of_cell[where, since + 1 :, after].ravel(), late, size) - left)


def _extra(records: Records, rows: Rows) -> Floats:
    """What each animal met beyond the exposure of one that is never caught, shape (n, R)."""
    cells, effort = records.cells, records.effort
    extra = _learned(records, rows) if rows.learns else np.zeros((len(records.individuals), len(rows.kernel)))
    if records.last is not None:
        occasions = effort.shape[1]
        for i in np.flatnonzero(records.last < occasions).tolist():
            extra[i] -= _missed(records, rows, i, cells.animal == i)
    return extra


def _missed(records: Records, rows: Rows, animal: int, mine: NDArray[np.bool_]) -> Floats:
    """Effort by row that an animal would have met after it was gone, shape (R,); `mine`: its cells."""
    cells = records.cells
    gone = 0 if records.last is None else int(records.last[animal])
    state = np.full(len(records.effort), TRAPPED if rows.learns else NAIVE)
    if rows.learns:
        state[cells.detector[mine]] = TRAPPED_HERE
    row = np.take_along_axis(rows.of_cell[:, gone:], state[:, None, None], axis=2)
    return np.asarray(np.bincount(row.ravel(), records.effort[:, gone:].ravel(), len(rows.kernel)))


def _learned(records: Records, rows: Rows) -> Floats:
    """Effort that each animal met in other rows after its first capture, shape (n, R)."""
    cells, effort = records.cells, records.effort
    first = _first_occasion(cells, cells.animal)
    after = {k: _moved(rows, effort, k, (NAIVE, TRAPPED)) for k in set(first.values())}
    extra = np.stack([after[first[i]] for i in range(len(records.individuals))])
    visit = _visit(cells)
    here = _first_occasion(cells, visit)
    _, one = np.unique(visit, return_index=True)
    for i, j, v in zip(cells.animal[one].tolist(), cells.detector[one].tolist(), visit[one].tolist(), strict=True):
        extra[i] += _moved(rows, effort, here[v], (TRAPPED, TRAPPED_HERE), slice(j, j + 1))
    return extra


def _totals(records: Records, rows: Rows) -> Totals:
    """The sets of detectors that competed for each animal on the occasions on which it was caught."""
    cells, kinds = records.cells, dict[bytes, int]()
    efforts: list[Floats] = []
    counts: dict[tuple[int, int], float] = {}
    known: dict[tuple[int, ...], int] = {}
    visited = _visited(cells) if rows.learns else [()] * len(cells.animal)
    for cell, (i, k) in enumerate(zip(cells.animal.tolist(), cells.occasion.tolist(), strict=True)):
        key = (k, *visited[cell])
        if key not in known:
            total = _total(records, rows, k, visited[cell])
            known[key] = kinds.setdefault(total.tobytes(), len(kinds))
            if known[key] == len(efforts):
                efforts.append(total)
        counts[i, known[key]] = counts.get((i, known[key]), 0.0) + float(cells.count[cell])
    table = np.zeros((len(records.individuals), len(efforts)))
    for place, number in counts.items():
        table[place] = number
    return Totals(np.array(efforts), table)


def _visited(cells: Cells) -> list[tuple[int, ...]]:
    """Detectors at which the animal of each cell had been caught earlier, in order."""
    seen: dict[int, list[tuple[int, int]]] = {}
    for i, j, k in zip(cells.animal.tolist(), cells.detector.tolist(), cells.occasion.tolist(), strict=True):
        seen.setdefault(i, []).append((k, j))
    return [
        tuple(sorted({j for earlier, j in seen[i] if earlier < k}))
        for i, k in zip(cells.animal.tolist(), cells.occasion.tolist(), strict=True)
    ]


def _total(records: Records, rows: Rows, occasion: int, visited: Sequence[int]) -> Floats:
    """Effort by row on one occasion, as an animal meets it that was caught at `visited` before, shape (R,)."""
    if not rows.learns:
        row = rows.of_cell[:, occasion, NAIVE]
    else:
        row = rows.of_cell[:, occasion, TRAPPED if visited else NAIVE].copy()
        row[list(visited)] = rows.of_cell[list(visited), occasion, TRAPPED_HERE]
    return np.asarray(np.bincount(row, records.effort[:, occasion], len(rows.kernel)))


def _log_constant(records: Records, *, collapsed: bool) -> float:
    """The part of log Pr(w) that holds no parameter, after secr's collapse of occasions where there is one.

    Poisson: w log E - log w!, in place of nothing in our kernel. Binomial and collapsed binary data:
    log choose(E, w). Binary data whose efforts are not all 0 or 1 do not collapse: 0.
    """
    cells = records.cells
    binary = not (records.poisson or records.unit_size)
    if binary and not (collapsed and bool(np.isin(records.effort, (0.0, 1.0)).all())):
        return 0.0
    w, total = cells.count, cells.effort
    if collapsed:
        pairs, group = np.unique(np.column_stack([cells.animal, cells.detector]), axis=0, return_inverse=True)
        w, total = np.bincount(group.ravel(), w).astype(float), records.effort.sum(axis=1)[pairs[:, 1]]
    if records.poisson:
        return float((w * np.log(total) - gammaln(w + 1)).sum())
    return float((gammaln(total + 1) - gammaln(w + 1) - gammaln(total - w + 1)).sum())
