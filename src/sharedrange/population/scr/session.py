"""One session made ready for the likelihood: sufficient statistics, and the mask cut into compact blocks.

Occasions are gone after this: with effort e_jk only the sum E_j over occasions and, for each animal, how often
it was detected at detector j under each distinct effort matter. With efforts of 0 and 1 that is the collapse of
binary occasions to binomial counts; with fractional efforts it is exact too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import gammaln

from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.survey import SEXES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNKNOWN_SEX = -1
_BLOCK_POINTS = 256  # about 100 detectors x 256 points of doubles stay in a second-level cache


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of the mask. `points`: its rows; `nearest_m2`: lower bounds of squared distance to detectors, (J,)."""

    points: slice | Ints
    nearest_m2: Floats


@dataclass(frozen=True, slots=True)
class Session:
    """Arrays of one session. n animals stand in u distinct histories; J detectors; Q columns; M mask points.

    `counts` (u, Q): detections of each distinct history in each column; a column is a detector
    (`column_detector`) under one effort (`column_effort`). `frequency` (u,): animals that share a history;
    `sex` (u,): index into SEXES, or UNKNOWN_SEX; `row_of_animal` (n,): from animals to histories;
    `central_point` (u,): mask point nearest to the mean of a history's detections.
    Mask arrays are in block order; `mask_row` (M,) leads back to rows of the Mask and `place_x_m`, `place_y_m`
    are its positions. All other positions are metres from the detectors' mean, so that squares stay small.
    `mask_basis` (4, M): rows 1, x, y, -(x^2 + y^2), in which a squared distance is linear.
    `log_constant`: what secr adds to the log-likelihood for the detections themselves (binomial coefficients,
    Poisson factorials).
    """

    name: str
    individuals: tuple[str, ...]
    x_m: Floats
    y_m: Floats
    party: NDArray[np.str_]
    total_effort: Floats
    counts: Floats
    column_detector: Ints
    column_effort: Floats
    frequency: Floats
    sex: Ints
    row_of_animal: Ints
    central_point: Ints
    mask_x_m: Floats
    mask_y_m: Floats
    mask_basis: Floats
    mask_row: Ints
    place_x_m: Floats
    place_y_m: Floats
    side: NDArray[np.str_]
    surveyed: NDArray[np.bool_]
    edge: NDArray[np.bool_]
    cell_area_km2: float
    blocks: tuple[Block, ...]
    log_constant: float

    @property
    def n_animals(self) -> int:
        """Animals detected."""
        return len(self.individuals)

    def detections_by_detector(self) -> Floats:
        """Detections at each detector, shape (J,)."""
        per_column = self.frequency @ self.counts
        total = np.bincount(self.column_detector, weights=per_column, minlength=len(self.x_m))
        return total.astype(float)

    def log_ties(self, *, by_sex: bool) -> float:
        """Sum of log f! over groups of f animals with one history (and one sex), as secr subtracts it."""
        key = np.column_stack([self.counts, self.sex]) if by_sex else self.counts
        _, group = np.unique(key, axis=0, return_inverse=True)
        return float(gammaln(np.bincount(group.ravel(), weights=self.frequency) + 1).sum())


def prepare(history: CaptureHistory, mask: Mask, *, poisson: bool, unit_size: bool) -> Session:
    """`history` and `mask` as arrays; detectors that never ran are left out.

    `poisson`: counts are Poisson; `unit_size`: counts are binomial with effort as size. Neither: binary.
    Expects what `checks.check_inputs` lets pass.
    """
    ran = history.effort.sum(axis=1) > 0
    detectors = history.detectors.filter(pl.Series(ran))
    cells = _cells(history, detectors)
    columns, column_of_cell = _columns(cells, per_effort=not (poisson or unit_size))
    table = np.zeros((history.n_individuals, len(columns)))
    np.add.at(table, (cells.animal, column_of_cell), cells.count)
    sex = _sex_index(history.individuals["sex"])
    rows, first, row_of_animal, frequency = _distinct(table, sex)
    x, y = _metres(detectors["x_m"]), _metres(detectors["y_m"])
    centre_x, centre_y = x.mean(), y.mean()
    order, slices = _blocks(mask.x_m, mask.y_m)
    mask_x, mask_y = mask.x_m[order] - centre_x, mask.y_m[order] - centre_y
    x, y = x - centre_x, y - centre_y
    where = columns[:, 0].astype(np.int64)
    effort = history.effort[ran]
    return Session(
        name=history.session,
        individuals=tuple(history.individuals["individual"]),
        x_m=x,
        y_m=y,
        party=detectors["party"].fill_null("").to_numpy().astype(str),
        total_effort=effort.sum(axis=1),
        counts=rows,
        column_detector=where,
        column_effort=columns[:, 1],
        frequency=frequency,
        sex=sex[first],
        row_of_animal=row_of_animal,
        central_point=_central_points(rows, x[where], y[where], mask_x, mask_y),
        mask_x_m=mask_x,
        mask_y_m=mask_y,
        mask_basis=np.stack([np.ones_like(mask_x), mask_x, mask_y, -(mask_x**2 + mask_y**2)]),
        mask_row=order,
        place_x_m=mask.x_m[order],
        place_y_m=mask.y_m[order],
        side=mask.side[order],
        surveyed=mask.surveyed[order],
        edge=mask.edge()[order],
        cell_area_km2=mask.cell_area_km2,
        blocks=tuple(Block(s, _nearest_m2(x, y, mask_x[s], mask_y[s])) for s in slices),
        log_constant=_log_constant(cells, effort, poisson=poisson, unit_size=unit_size),
    )


@dataclass(frozen=True, slots=True)
class _Cells:
    """Captures as arrays, one row a cell: indices of animal, detector and occasion, effort there, count."""

    animal: Ints
    detector: Ints
    occasion: Ints
    effort: Floats
    count: Floats


def _cells(history: CaptureHistory, detectors: pl.DataFrame) -> _Cells:
    animals = {who: i for i, who in enumerate(history.individuals["individual"])}
    places = {where: j for j, where in enumerate(detectors["detector"])}
    all_places = {where: j for j, where in enumerate(history.detectors["detector"])}
    captures = history.captures
    animal = np.array([animals[who] for who in captures["individual"]], dtype=np.int64)
    detector = np.array([places[where] for where in captures["detector"]], dtype=np.int64)
    row = np.array([all_places[where] for where in captures["detector"]], dtype=np.int64)
    occasion = captures["occasion"].to_numpy().astype(np.int64) - 1
    count = captures["count"].to_numpy().astype(float)
    return _Cells(animal, detector, occasion, history.effort[row, occasion], count)


def _columns(cells: _Cells, *, per_effort: bool) -> tuple[Floats, Ints]:
    """Distinct (detector, effort) pairs, shape (Q, 2), and the pair of each cell."""
    effort = cells.effort if per_effort else np.ones_like(cells.effort)
    pairs, column = np.unique(np.column_stack([cells.detector, effort]), axis=0, return_inverse=True)
    return pairs, column.ravel().astype(np.int64)


def _distinct(table: Floats, sex: Ints) -> tuple[Floats, Ints, Ints, Floats]:
    """Distinct rows, first animal of each, row of each animal, and how many animals share it."""
    _, first, row, frequency = np.unique(
        np.column_stack([table, sex]), axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    return table[first], first, row.ravel(), frequency.astype(float)


def _sex_index(sex: pl.Series) -> Ints:
    index = {name: i for i, name in enumerate(SEXES)}
    return np.array([index.get(s, UNKNOWN_SEX) for s in sex], dtype=np.int64)


def _metres(column: pl.Series) -> Floats:
    return column.to_numpy().astype(float)


def _log_constant(cells: _Cells, effort: Floats, *, poisson: bool, unit_size: bool) -> float:
    """The part of log Pr(w) that holds no parameter, after secr's collapse of occasions.

    Poisson: w log E - log w! of collapsed counts, in place of nothing in our kernel. Binomial and collapsed
    binary data: log choose(E, w). Binary data whose efforts are not all 0 or 1 do not collapse: 0.
    """
    collapses = poisson or unit_size or bool(np.isin(effort, (0.0, 1.0)).all())
    if not collapses:
        return 0.0
    pairs, group = np.unique(np.column_stack([cells.animal, cells.detector]), axis=0, return_inverse=True)
    w = np.bincount(group.ravel(), weights=cells.count)
    total = effort.sum(axis=1)[pairs[:, 1]]
    if poisson:
        return float((w * np.log(total) - gammaln(w + 1)).sum())
    return float((gammaln(total + 1) - gammaln(w + 1) - gammaln(total - w + 1)).sum())


def _blocks(x_m: Floats, y_m: Floats) -> tuple[Ints, list[slice]]:
    """An order of the mask points in which compact blocks are contiguous, and the blocks."""
    pieces = list(_halves(x_m, y_m, np.arange(len(x_m))))
    ends = np.cumsum([len(p) for p in pieces])
    return np.concatenate(pieces), [slice(int(e) - len(p), int(e)) for e, p in zip(ends, pieces, strict=True)]


def _halves(x_m: Floats, y_m: Floats, index: Ints) -> Iterator[Ints]:
    """`index` cut at the median of its longer extent until pieces are small."""
    if len(index) <= _BLOCK_POINTS:
        yield index
        return
    x, y = x_m[index], y_m[index]
    along = x if np.ptp(x) >= np.ptp(y) else y
    order = index[np.argsort(along, kind="stable")]
    middle = len(order) // 2
    yield from _halves(x_m, y_m, order[:middle])
    yield from _halves(x_m, y_m, order[middle:])


def _nearest_m2(x: Floats, y: Floats, block_x: Floats, block_y: Floats) -> Floats:
    """Squared distance from each detector to the bounding box of a block: a lower bound for its points."""
    dx = np.maximum(np.maximum(block_x.min() - x, x - block_x.max()), 0.0)
    dy = np.maximum(np.maximum(block_y.min() - y, y - block_y.max()), 0.0)
    return np.asarray(dx * dx + dy * dy)


def _central_points(rows: Floats, x: Floats, y: Floats, mask_x: Floats, mask_y: Floats) -> Ints:
    """Mask point nearest to the mean position of each history's detections; `x`, `y` by column."""
    weights = rows / rows.sum(axis=1, keepdims=True)
    return _nearest(mask_x, mask_y, weights @ x, weights @ y)


def nearest_mask_point(session: Session, x_m: Floats, y_m: Floats) -> Ints:
    """Row (block order) of the mask point nearest to each position."""
    return _nearest(session.mask_x_m, session.mask_y_m, x_m, y_m)


def _nearest(mask_x: Floats, mask_y: Floats, x: Floats, y: Floats) -> Ints:
    tree = cKDTree(np.column_stack([mask_x, mask_y]))
    return np.asarray(tree.query(np.column_stack([x, y]))[1], dtype=np.int64)
