"""One session made ready for the likelihood: what was recorded, and the mask cut into compact blocks.

What a model needs of the records stands in `Session.seen` (see `encounters`): sufficient statistics for the rows,
pseudo-detectors, that the model tells apart. `prepare` gives the plain ones, a row a detector; `with_rows` others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree
from scipy.special import gammaln

from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.survey import SEXES
from sharedrange.population.scr.encounters import Cells, Encounters, Records, Rows, encounters, plain_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNKNOWN_SEX = -1
_OFF_GRID = 0.05  # share of a cell by which a point may miss the grid and still be on it
_BLOCK_POINTS = 256  # about 100 detectors x 256 points of doubles stay in a second-level cache


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of the mask.

    `points`: its rows; `nearest_m2`: lower bounds of squared distance to detectors, (J,); `box`: least and
    greatest x, least and greatest y of its points. `basis` (4, points): rows 1, x, y, x^2 + y^2 about `centre`,
    in which a squared distance is linear without loss of digits.
    """

    points: slice | Ints
    nearest_m2: Floats
    box: tuple[float, float, float, float]
    centre: tuple[float, float]
    basis: Floats

    @property
    def width_m(self) -> float:
        """The longer side of the box."""
        return max(self.box[1] - self.box[0], self.box[3] - self.box[2])


@dataclass(frozen=True, slots=True)
class Session:
    """Arrays of one session. n animals stand in u distinct histories; J detectors; Q columns; M mask points.

    `records`: what was recorded; `rows`: the pseudo-detectors that the model tells apart; `seen`: what the model
    needs of the records. `central_point` (u,): mask point nearest to the mean of a history's detections.
    Mask arrays are in block order; `open_edge` is the mask's own, if it has one; `mask_row` (M,) leads back to rows of
    the Mask and `place_x_m`, `place_y_m` are its positions. All other positions are metres from the detectors' mean,
    so that squares stay small. `mask_basis` (4, M): rows 1, x, y, -(x^2 + y^2), in which a squared distance is linear.
    """

    name: str
    records: Records
    rows: Rows
    seen: Encounters
    x_m: Floats
    y_m: Floats
    party: NDArray[np.str_]
    detectors: pl.DataFrame
    central_point: Ints
    mask_x_m: Floats
    mask_y_m: Floats
    mask_basis: Floats
    mask_row: Ints
    place_x_m: Floats
    place_y_m: Floats
    side: NDArray[np.str_]
    surveyed: NDArray[np.bool_]
    open_edge: NDArray[np.bool_] | None
    cell_area_km2: float
    blocks: tuple[Block, ...]

    @property
    def individuals(self) -> tuple[str, ...]:
        """Names of the animals detected."""
        return self.records.individuals

    @property
    def n_animals(self) -> int:
        """Animals detected."""
        return len(self.records.individuals)

    @property
    def edge(self) -> NDArray[np.bool_]:
        """Mask points beyond which animals may live that the mask leaves out, (M,); looked for when asked for."""
        mask = Mask(self.place_x_m, self.place_y_m, self.cell_area_km2, self.side, self.surveyed, self.open_edge)
        return mask.edge()

    @property
    def total_effort(self) -> Floats:
        """Effort of each detector, summed over occasions, shape (J,)."""
        return np.asarray(self.records.effort.sum(axis=1))

    @property
    def counts(self) -> Floats:
        """Detections of each distinct history in each column, shape (u, Q); sparse in `seen.counts`."""
        return np.asarray(self.seen.counts.toarray())

    @property
    def column_detector(self) -> Ints:
        """Detector of each column, shape (Q,)."""
        return self.rows.detector[self.seen.column_row]

    @property
    def column_effort(self) -> Floats:
        """Effort of each column, shape (Q,)."""
        return self.seen.column_effort

    @property
    def frequency(self) -> Floats:
        """Animals that share each distinct history, shape (u,)."""
        return self.seen.frequency

    @property
    def sex(self) -> Ints:
        """Sex of each distinct history: index into SEXES, or UNKNOWN_SEX, shape (u,)."""
        return self.seen.sex

    @property
    def row_of_animal(self) -> Ints:
        """From animals to distinct histories, shape (n,)."""
        return self.seen.row_of_animal

    @property
    def log_constant(self) -> float:
        """What secr adds to the log-likelihood for the detections (binomial coefficients, Poisson factorials)."""
        return self.seen.log_constant

    def detections_by_detector(self) -> Floats:
        """Detections at each detector, shape (J,)."""
        per_column = self.seen.counts.T @ self.frequency
        total = np.bincount(self.column_detector, weights=per_column, minlength=len(self.x_m))
        return total.astype(float)

    def log_ties(self, *, by_sex: bool) -> float:
        """Sum of log f! over groups of f animals with one history (and one sex), as secr subtracts it."""
        key = np.column_stack([self.seen.alike, self.records.sex]) if by_sex else self.seen.alike[:, None]
        _, size = np.unique(key, axis=0, return_counts=True)
        return float(gammaln(size + 1.0).sum())


def prepare(
    history: CaptureHistory, mask: Mask, *, poisson: bool = False, unit_size: bool = False, competing: bool = False
) -> Session:
    """`history` and `mask` as arrays; detectors that never ran are left out.

    `poisson`: counts are Poisson; `unit_size`: counts are binomial with effort as size; neither: binary.
    `competing`: detectors hold the animal. Expects what `checks.check_inputs` lets pass.
    """
    records, detectors = _records(history, poisson=poisson, unit_size=unit_size, competing=competing)
    rows = plain_rows(*records.effort.shape)
    seen = encounters(records, rows)
    x, y = _metres(detectors["x_m"]), _metres(detectors["y_m"])
    centre_x, centre_y = x.mean(), y.mean()
    order, slices = _blocks(mask.x_m, mask.y_m)
    mask_x, mask_y = mask.x_m[order] - centre_x, mask.y_m[order] - centre_y
    x, y = x - centre_x, y - centre_y
    where = rows.detector[seen.column_row]
    return Session(
        name=history.session,
        records=records,
        rows=rows,
        seen=seen,
        x_m=x,
        y_m=y,
        party=detectors["party"].fill_null("").to_numpy().astype(str),
        detectors=detectors,
        central_point=_central_points(seen.counts, (x[where], y[where]), mask_x, mask_y),
        mask_x_m=mask_x,
        mask_y_m=mask_y,
        mask_basis=np.stack([np.ones_like(mask_x), mask_x, mask_y, -(mask_x**2 + mask_y**2)]),
        mask_row=order,
        place_x_m=mask.x_m[order],
        place_y_m=mask.y_m[order],
        side=mask.side[order],
        surveyed=mask.surveyed[order],
        open_edge=None if mask.open_edge is None else mask.open_edge[order],
        cell_area_km2=mask.cell_area_km2,
        blocks=tuple(block_of(x, y, mask_x, mask_y, s) for s in slices),
    )


def with_rows(session: Session, rows: Rows) -> Session:
    """The session with the statistics that a model with these rows needs."""
    return _reseen(session, session.records, rows)


def collapsed(session: Session) -> Session:
    """The session with a row a detector, as `prepare` makes it: no occasion is told from another."""
    return with_rows(session, plain_rows(*session.records.effort.shape))


def with_captures(session: Session, history: CaptureHistory) -> Session:
    """The session with other animals and captures at the same detectors, effort and mask (a bootstrap sample)."""
    old = session.records
    records, _ = _records(history, poisson=old.poisson, unit_size=old.unit_size, competing=old.competing)
    return _reseen(session, records, session.rows)


def grid_place(session: Session) -> tuple[Ints, Ints] | None:
    """Column and row of each mask point on its grid, each (M,); None if the points stand on no grid."""
    cell_m = float(np.sqrt(session.cell_area_km2) * 1000.0)
    column = (session.mask_x_m - session.mask_x_m.min()) / cell_m
    row = (session.mask_y_m - session.mask_y_m.min()) / cell_m
    off = max(float(np.abs(column - np.rint(column)).max()), float(np.abs(row - np.rint(row)).max()))
    if off > _OFF_GRID:
        return None
    return np.rint(column).astype(np.int64), np.rint(row).astype(np.int64)


def recut(session: Session, keep: Ints, cell_area_km2: float) -> tuple[Session, Ints]:
    """The session on some of its mask points, cut into blocks anew, and those points in their new order."""
    order, slices = _blocks(session.mask_x_m[keep], session.mask_y_m[keep])
    index = keep[order]
    x, y = session.mask_x_m[index], session.mask_y_m[index]
    where = session.column_detector
    return (
        replace(
            session,
            central_point=_central_points(session.seen.counts, (session.x_m[where], session.y_m[where]), x, y),
            mask_x_m=x,
            mask_y_m=y,
            mask_basis=session.mask_basis[:, index],
            mask_row=session.mask_row[index],
            place_x_m=session.place_x_m[index],
            place_y_m=session.place_y_m[index],
            side=session.side[index],
            surveyed=session.surveyed[index],
            open_edge=None if session.open_edge is None else session.open_edge[index],
            cell_area_km2=cell_area_km2,
            blocks=tuple(block_of(session.x_m, session.y_m, x, y, s) for s in slices),
        ),
        index,
    )


def _reseen(session: Session, records: Records, rows: Rows) -> Session:
    seen = encounters(records, rows)
    where = rows.detector[seen.column_row]
    at = session.x_m[where], session.y_m[where]
    central = _central_points(seen.counts, at, session.mask_x_m, session.mask_y_m)
    return replace(session, records=records, rows=rows, seen=seen, central_point=central)


def _records(
    history: CaptureHistory, *, poisson: bool, unit_size: bool, competing: bool
) -> tuple[Records, pl.DataFrame]:
    """What was recorded, and the detectors that ran."""
    ran = history.effort.sum(axis=1) > 0
    detectors = history.detectors.filter(pl.Series(ran))
    names = tuple(history.individuals["individual"])
    sex = _sex_index(history.individuals["sex"])
    cells = _cells(history, names, detectors)
    last = _last_occasion(history)
    return Records(names, sex, history.effort[ran], cells, poisson, unit_size, competing, last), detectors


def _last_occasion(history: CaptureHistory) -> Ints | None:
    """Last occasion on which each animal was there, from ``removed_after``; None where nobody was removed."""
    column = history.individuals.get_column("removed_after", default=None)
    if column is None or column.null_count() == len(column):
        return None
    return np.asarray(column.fill_null(history.effort.shape[1]).to_numpy(), dtype=np.int64)


def _cells(history: CaptureHistory, names: tuple[str, ...], detectors: pl.DataFrame) -> Cells:
    animals = {who: i for i, who in enumerate(names)}
    places = {where: j for j, where in enumerate(detectors["detector"])}
    all_places = {where: j for j, where in enumerate(history.detectors["detector"])}
    captures = history.captures
    animal = np.array([animals[who] for who in captures["individual"]], dtype=np.int64)
    detector = np.array([places[where] for where in captures["detector"]], dtype=np.int64)
    row = np.array([all_places[where] for where in captures["detector"]], dtype=np.int64)
    occasion = captures["occasion"].to_numpy().astype(np.int64) - 1
    count = captures["count"].to_numpy().astype(float)
    return Cells(animal, detector, occasion, history.effort[row, occasion], count)


def _sex_index(sex: pl.Series) -> Ints:
    index = {name: i for i, name in enumerate(SEXES)}
    return np.array([index.get(s, UNKNOWN_SEX) for s in sex], dtype=np.int64)


def _metres(column: pl.Series) -> Floats:
    return column.to_numpy().astype(float)


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


def block_of(x: Floats, y: Floats, mask_x: Floats, mask_y: Floats, points: slice | Ints) -> Block:
    """A block of some mask points; from a detector at (x, y) to its box is at most as far as to its points."""
    at_x, at_y = mask_x[points], mask_y[points]
    box = (float(at_x.min()), float(at_x.max()), float(at_y.min()), float(at_y.max()))
    centre = (0.5 * (box[0] + box[1]), 0.5 * (box[2] + box[3]))
    dx, dy = at_x - centre[0], at_y - centre[1]
    basis = np.stack([np.ones_like(dx), dx, dy, dx * dx + dy * dy])
    return Block(points, distance2_to_box(x, y, box), box, centre, basis)


def distance2_to_box(x: Floats, y: Floats, box: tuple[float, float, float, float]) -> Floats:
    """Squared distance from each point to a box (0 inside)."""
    dx = np.maximum(np.maximum(box[0] - x, x - box[1]), 0.0)
    dy = np.maximum(np.maximum(box[2] - y, y - box[3]), 0.0)
    return np.asarray(dx * dx + dy * dy)


def _central_points(counts: csr_array, columns: tuple[Floats, Floats], mask_x: Floats, mask_y: Floats) -> Ints:
    """Mask point nearest to the mean position of each history's detections; `columns`: x and y of each column."""
    total = counts.sum(axis=1)
    return _nearest(mask_x, mask_y, counts @ columns[0] / total, counts @ columns[1] / total)


def nearest_mask_point(session: Session, x_m: Floats, y_m: Floats) -> Ints:
    """Row (block order) of the mask point nearest to each position."""
    return _nearest(session.mask_x_m, session.mask_y_m, x_m, y_m)


def _nearest(mask_x: Floats, mask_y: Floats, x: Floats, y: Floats) -> Ints:
    tree = cKDTree(np.column_stack([mask_x, mask_y]))
    return np.asarray(tree.query(np.column_stack([x, y]))[1], dtype=np.int64)
