"""Capture histories drawn from a fitted model: animals, where they live, and who would have been caught.

Every detector is worked by one process. An animal at m meets detector j on occasion k at times of a Poisson process
with mean h e: the hazard of a full occasion times the effort. What is recorded of these meetings is what the
likelihood says (see `detection`): their number (Poisson counts), whether there was one (binary), in how many of e
units of effort there was one (binomial), or one of the occasion's meetings taken at random (detectors that hold the
animal: Pr(caught at j) = (1 - exp(-H_k)) h_j e_j / H_k). So no cell without a meeting is ever visited.

An animal that learns has a process for each state (never caught, caught elsewhere, caught here); a meeting counts if
it belongs to the state that the animal is in by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.history import CAPTURES, INDIVIDUALS, CaptureHistory
from sharedrange.core.survey import SEXES
from sharedrange.population.scr.blocks import Field
from sharedrange.population.scr.design import Design
from sharedrange.population.scr.detection import Detection, fall
from sharedrange.population.scr.encounters import NAIVE, TRAPPED, TRAPPED_HERE
from sharedrange.population.scr.fitting import Fit
from sharedrange.population.scr.session import UNKNOWN_SEX, Session

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_VALUES_AT_ONCE = 4_000_000  # 32 MB of doubles
_MOST_ROUNDS = 1000


@dataclass(frozen=True, slots=True)
class Simulated:
    """One simulated session: what was recorded, and how many animals lived on the mask and on each of its sides."""

    history: CaptureHistory
    animals: int
    animals_by_side: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Animals:
    """Activity centres (mask points in block order) and classes, each (A,)."""

    point: Ints
    kind: Ints

    def __getitem__(self, some: NDArray[np.generic]) -> _Animals:
        return _Animals(self.point[some], self.kind[some])


@dataclass(frozen=True, slots=True)
class _Captures:
    """Captures, one row a cell: animal, detector, occasion (from 0), count."""

    animal: Ints
    detector: Ints
    occasion: Ints
    count: Ints


def simulate(fit: Fit, rng: np.random.Generator) -> tuple[Simulated, ...]:
    """One draw of every session from a fitted model, at its estimates.

    Activity centres stand on mask points, as in the likelihood. The number of animals is Poisson, or for
    ``number="binomial"`` the estimate rounded up or down at random; conditional on detection, as many animals are
    detected as in the data, of centres spread evenly. Traps for one animal catch several, as in the fit. Where the
    sexes are classes, the sex of as many animals is missing as in the data, on average; else nobody's is recorded.
    Raises ValueError where next to nobody can be detected under a conditional likelihood.
    """
    return tuple(_simulated(fit.design, fit.beta, i, s, rng) for i, s in enumerate(fit.sessions))


def simulate_histories(fit: Fit, rng: np.random.Generator) -> tuple[CaptureHistory, ...]:
    """The capture histories of `simulate` alone: what `refit` takes."""
    return tuple(one.history for one in simulate(fit, rng))


def row_hazards(
    session: Session, detection: Detection, field: Field, points: Ints | None = None, rows: Ints | None = None
) -> Floats:
    """Hazard h of a full occasion for animals centred at `points` (block order) in `rows`: shape (points, rows).

    By default all points and all rows.
    """
    some = np.arange(len(session.rows.kernel)) if rows is None else rows
    at = np.arange(len(session.mask_x_m)) if points is None else points
    kernels, kernel_of_row = np.unique(session.rows.kernel[some], return_inverse=True)
    where = session.rows.kernel_detector[kernels]
    shape = None if field.log_shape is None else field.log_shape[kernels]
    if field.distance is None:
        dx = session.mask_x_m[at] - session.x_m[where][:, None]
        dy = session.mask_y_m[at] - session.y_m[where][:, None]
        squared = (dx * dx + dy * dy) * np.exp(-2.0 * field.log_sigma[kernels])[:, None]
        falls = fall(detection.function, squared, shape)
    else:
        falls = field.distance.fall(detection.function, where, at, field.log_sigma[kernels], shape)
    log_g = falls.value[kernel_of_row.ravel()] + field.log_g0[some][:, None]
    return np.asarray(detection.hazard(np.exp(log_g))[0].T)


def _simulated(design: Design, beta: Floats, index: int, session: Session, rng: np.random.Generator) -> Simulated:
    fields = design.fields(beta, index, session)
    if design.model.likelihood == "conditional":
        animals, captures = _detected(design, fields, session, rng)
    else:
        animals = _drawn(fields, _number(design, fields, rng), rng)
        captures = _caught(design.detection, fields, session, animals, rng)
    sides, numbers = np.unique(session.side[animals.point], return_counts=True)
    by_side = {str(side): int(n) for side, n in zip(sides, numbers, strict=True)}
    return Simulated(_history(design, session, animals, captures, rng), len(animals.point), by_side)


def _number(design: Design, fields: tuple[Field, ...], rng: np.random.Generator) -> int:
    expected = sum(float(np.exp(f.log_density).sum()) for f in fields)
    if design.model.number == "poisson":
        return int(rng.poisson(expected))
    return int(np.floor(expected + rng.random()))


def _drawn(fields: tuple[Field, ...], number: int, rng: np.random.Generator) -> _Animals:
    """Centres and classes in proportion to density."""
    cumulative = np.cumsum(np.concatenate([np.exp(f.log_density) for f in fields]))
    place = np.searchsorted(cumulative, rng.random(number) * cumulative[-1], side="right")
    kind, point = np.divmod(np.minimum(place, len(cumulative) - 1), len(fields[0].log_density))
    return _Animals(point.astype(np.int64), kind.astype(np.int64))


def _detected(
    design: Design, fields: tuple[Field, ...], session: Session, rng: np.random.Generator
) -> tuple[_Animals, _Captures]:
    """As many detected animals as in the data: animals are drawn until so many were detected."""
    wanted = session.n_animals
    found: list[tuple[_Animals, _Captures]] = []
    have = 0
    for _ in range(_MOST_ROUNDS):
        animals = _drawn(fields, 2 * wanted, rng)
        captures = _caught(design.detection, fields, session, animals, rng)
        seen = np.unique(captures.animal)[: wanted - have]
        found.append((animals[seen], _of_animals(captures, seen, have)))
        have += len(seen)
        if have == wanted:
            return _joined(found)
    raise ValueError("next to no animal is detected under this model")


def _of_animals(captures: _Captures, kept: Ints, first: int) -> _Captures:
    """The captures of `kept` (sorted), who are numbered from `first` on."""
    mine = np.isin(captures.animal, kept)
    animal = np.searchsorted(kept, captures.animal[mine]) + first
    return _Captures(animal.astype(np.int64), captures.detector[mine], captures.occasion[mine], captures.count[mine])


def _joined(found: list[tuple[_Animals, _Captures]]) -> tuple[_Animals, _Captures]:
    animals = _Animals(*(np.concatenate([getattr(a, n) for a, _ in found]) for n in ("point", "kind")))
    columns = ("animal", "detector", "occasion", "count")
    return animals, _Captures(*(np.concatenate([getattr(c, n) for _, c in found]) for n in columns))


# --- meetings ---


@dataclass(frozen=True, slots=True)
class _Meetings:
    """Meetings in the order of a table: animal, cell (detector x occasions + occasion), state of the process."""

    animal: Ints
    cell: Ints
    state: Ints

    def __getitem__(self, some: NDArray[np.generic]) -> _Meetings:
        return _Meetings(self.animal[some], self.cell[some], self.state[some])


def _caught(
    detection: Detection, fields: tuple[Field, ...], session: Session, animals: _Animals, rng: np.random.Generator
) -> _Captures:
    """What is recorded of these animals."""
    parts = list(_meetings(detection, fields, session, animals, rng))
    columns = ("animal", "cell", "state")
    met = _Meetings(*(np.concatenate([np.empty(0, np.int64), *(getattr(p, n) for p in parts)]) for n in columns))
    met = met[rng.permutation(len(met.animal))]  # which meeting of an occasion comes first is chance
    occasions = session.records.effort.shape[1]
    if session.rows.learns:
        met = met[_in_state(met, occasions, hold=detection.competing)]
    elif detection.competing:
        met = met[_first_of(met.animal * occasions + met.cell % occasions)]
    return _recorded(session, met, rng)


def _meetings(
    detection: Detection, fields: tuple[Field, ...], session: Session, animals: _Animals, rng: np.random.Generator
) -> Iterator[_Meetings]:
    """Meetings of every animal with every cell, piece by piece."""
    effort = session.records.effort
    states = session.rows.of_cell.shape[2]
    cells = [_CellsOfRows(session.rows.of_cell[:, :, s], effort, len(session.rows.kernel)) for s in range(states)]
    size = max(1, _VALUES_AT_ONCE // len(session.rows.kernel))
    for kind, field in enumerate(fields):
        mine = np.flatnonzero(animals.kind == kind)
        for start in range(0, len(mine), size):
            some = mine[start : start + size]
            hazard = row_hazards(session, detection, field, animals.point[some])
            for state, of_rows in enumerate(cells):
                number = rng.poisson(hazard * of_rows.exposure)
                who, row = np.nonzero(number)
                times = number[who, row]
                cell = of_rows.draw(np.repeat(row, times), rng)
                who = some[np.repeat(who, times)]
                yield _Meetings(who, cell, np.full(len(who), state, dtype=np.int64))


class _CellsOfRows:
    """The cells in which each row stands, drawn in proportion to their effort. `of_cell`, `effort`: (J, K)."""

    def __init__(self, of_cell: Ints, effort: Floats, rows: int) -> None:
        flat, weight = of_cell.ravel(), effort.ravel()
        self.exposure = np.bincount(flat, weight, rows)
        self._order = np.argsort(flat, kind="stable")
        self._upto = np.concatenate([[0.0], np.cumsum(weight[self._order])])
        self._first = np.searchsorted(flat[self._order], np.arange(rows + 1))

    def draw(self, row: Ints, rng: np.random.Generator) -> Ints:
        """A cell for each of `row`, all of which have effort."""
        low, high = self._upto[self._first[row]], self._upto[self._first[row + 1]]
        place = np.searchsorted(self._upto, low + rng.random(len(row)) * (high - low), side="right") - 1
        return np.asarray(self._order[np.minimum(place, self._first[row + 1] - 1)], dtype=np.int64)


def _first_of(key: Ints) -> Ints:
    """Place of the first of each value."""
    return np.asarray(np.unique(key, return_index=True)[1], dtype=np.int64)


def _in_state(met: _Meetings, occasions: int, *, hold: bool) -> Ints:
    """Places of the meetings that belong to the state their animal was in; with `hold`, the first of an occasion."""
    occasion = met.cell % occasions
    kept: list[int] = []
    animal, here, caught_here, today = -1, -1, set[int](), list[int]()
    for place in np.lexsort((occasion, met.animal)).tolist():
        who, when, where = int(met.animal[place]), int(occasion[place]), int(met.cell[place]) // occasions
        if who != animal:
            animal, caught_here = who, set()
            here, today = when, []
        elif when != here:
            caught_here.update(today)
            here, today = when, []
        state = TRAPPED_HERE if where in caught_here else TRAPPED if caught_here else NAIVE
        if met.state[place] == state and not (hold and today):
            kept.append(place)
            today.append(where)
    return np.array(kept, dtype=np.int64)


def _recorded(session: Session, met: _Meetings, rng: np.random.Generator) -> _Captures:
    """Counts of the cells in which there was a meeting."""
    cells = session.records.effort.size
    key = met.animal * cells + met.cell
    if session.records.unit_size:  # units of effort in which there was a meeting
        unit = np.floor(rng.random(len(key)) * session.records.effort.ravel()[met.cell]).astype(np.int64)
        key = np.unique(np.column_stack([key, unit]), axis=0)[:, 0]
    key, count = np.unique(key, return_counts=True)
    if not (session.records.unit_size or session.records.poisson):
        count = np.ones_like(count)
    animal, cell = np.divmod(key, cells)
    detector, occasion = np.divmod(cell, session.records.effort.shape[1])
    return _Captures(animal, detector, occasion, count)


# --- tables ---


def _history(
    design: Design, session: Session, animals: _Animals, captures: _Captures, rng: np.random.Generator
) -> CaptureHistory:
    who = np.unique(captures.animal)
    names = np.array([f"simulated-{i + 1:05d}" for i in range(len(who))], dtype=object)
    table = pl.DataFrame(
        {
            "individual": list(names[np.searchsorted(who, captures.animal)]),
            "detector": session.detectors["detector"].gather(captures.detector),
            "occasion": captures.occasion + 1,
            "count": captures.count,
        }
    )
    sexes = _sexes(design, session, animals.kind[who], rng)
    people = {"individual": list(names), "sex": sexes, "life_stage": [None] * len(who)}
    return CaptureHistory(
        session.name,
        _kind(session),
        session.detectors,
        pl.DataFrame(people, schema=INDIVIDUALS),
        table.cast(CAPTURES),
        session.records.effort,
    )


def _kind(session: Session) -> str:
    if session.records.competing:
        return "multi"
    return "count" if session.records.poisson or session.records.unit_size else "proximity"


def _sexes(design: Design, session: Session, kind: Ints, rng: np.random.Generator) -> list[str | None]:
    """Sexes of animals of these classes, some missing at random."""
    if not design.model.by_sex:
        return [None] * len(kind)
    known = rng.random(len(kind)) < float((session.records.sex != UNKNOWN_SEX).mean())
    of_class = [c.sex for c in design.classes]
    return [of_class[k] if sure and of_class[k] in SEXES else None for k, sure in zip(kind, known, strict=True)]
