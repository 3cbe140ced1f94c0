"""Capture histories of several years as arrays. The only module here that knows `population.scr`'s sessions.

Detectors that stand at one place under one set of covariates in several years are one detector: distances, hazards
and their derivatives are then worked out once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.history import CAPTURES, DETECTORS, CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.survey import SEXES
from sharedrange.population.open.likelihood import Spans
from sharedrange.population.scr.detection import Detection, FunctionName
from sharedrange.population.scr.session import Session, prepare

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Columns = Mapping[str, NDArray[np.generic]]

UNKNOWN_SEX = -1


@dataclass(frozen=True, slots=True)
class Watch:
    """All detectors of all years, each distinct (place, covariates) once: S of them.

    `columns`: covariates by name, each (S,); `effort` (T, S): summed over the occasions of a year; a column q is a
    detector (`column_detector`) under one effort (`column_effort`), for detections.
    """

    x_m: Floats
    y_m: Floats
    columns: Columns
    effort: Floats
    column_detector: Ints
    column_effort: Floats


@dataclass(frozen=True, slots=True)
class Year:
    """What was recorded in a year: `counts` (animals seen, their columns), of `animals` in `columns` of the Watch."""

    animals: Ints
    columns: Ints
    counts: Floats


@dataclass(frozen=True, slots=True)
class Records:
    """Everything that the likelihood needs. n animals, T years, M mask points (positions from the mask's mean)."""

    names: tuple[str, ...]
    times: Floats
    individuals: tuple[str, ...]
    sex: Ints
    spans: Spans
    watch: Watch
    years: tuple[Year, ...]
    mask: Mask
    detection: Detection
    log_constant: float

    @property
    def gap_years(self) -> Floats:
        """Time from each year's survey to the next, shape (T - 1,)."""
        return np.diff(self.times)

    def some(self, animals: Ints) -> Records:
        """The records of some animals, given by their places in rising order."""
        kept = [np.isin(year.animals, animals) for year in self.years]
        years = tuple(
            Year(np.searchsorted(animals, year.animals[here]), year.columns, year.counts[here])
            for year, here in zip(self.years, kept, strict=True)
        )
        spans = Spans(self.spans.first[animals], self.spans.last[animals])
        names = tuple(self.individuals[i] for i in animals)
        return replace(self, individuals=names, sex=self.sex[animals], spans=spans, years=years)

    def distance2_m2(self) -> Floats:
        """Squared distance from each distinct detector to each mask point, shape (S, M)."""
        dx = self.watch.x_m[:, None] - self.mask.x_m
        dy = self.watch.y_m[:, None] - self.mask.y_m
        return np.asarray(dx * dx + dy * dy)


def records(
    histories: Sequence[CaptureHistory],
    mask: Mask,
    times: Sequence[float],
    function: FunctionName,
    used: Collection[str],
) -> Records:
    """`histories` as arrays; `used`: covariates of detectors that the model's formulas name.

    Expects what `checks.check_inputs` lets pass.
    """
    counts = histories[0].kind == "count"
    by_hazard = Detection(function, counts_poisson=False).by_hazard
    detection = Detection(function, counts_poisson=counts and by_hazard)
    sessions = [
        prepare(h, mask, poisson=detection.counts_poisson, unit_size=counts and not by_hazard) for h in histories
    ]
    when = np.array(times or range(len(histories)), dtype=float)
    individuals = tuple(sorted({who for s in sessions for who in s.individuals}))
    watch, years = _watch(histories, sessions, when, individuals, used)
    return Records(
        names=tuple(h.session for h in histories),
        times=when,
        individuals=individuals,
        sex=_sexes(histories, individuals),
        spans=_spans(years, len(individuals)),
        watch=watch,
        years=years,
        mask=mask,
        detection=detection,
        log_constant=sum(s.log_constant for s in sessions),
    )


def _watch(
    histories: Sequence[CaptureHistory],
    sessions: Sequence[Session],
    when: Floats,
    individuals: tuple[str, ...],
    used: Collection[str],
) -> tuple[Watch, tuple[Year, ...]]:
    """The distinct detectors, and each year's records in their columns."""
    table = _detector_years(histories, when)
    covariates = [name for name in ("year", "t", "party", "camera_type") if name in used]
    keys = table.select("x_m", "y_m", *covariates)
    distinct = keys.unique(maintain_order=True)
    numbered = distinct.with_row_index("place")
    place = keys.join(numbered, on=keys.columns, how="left", nulls_equal=True, maintain_order="left")["place"]
    of_year = [place.filter(table["number"] == t).to_numpy().astype(np.int64) for t in range(len(sessions))]
    effort = np.zeros((len(sessions), distinct.height))
    for t, (session, where) in enumerate(zip(sessions, of_year, strict=True)):
        np.add.at(effort[t], where, session.total_effort)
    pairs = [np.column_stack([w[s.column_detector], s.column_effort]) for s, w in zip(sessions, of_year, strict=True)]
    columns, column = np.unique(np.concatenate(pairs), axis=0, return_inverse=True)
    ends = np.cumsum([len(p) for p in pairs])[:-1]
    index = {who: i for i, who in enumerate(individuals)}
    years = tuple(
        Year(np.array([index[who] for who in s.individuals], dtype=np.int64), own.astype(np.int64), _counts(s))
        for s, own in zip(sessions, np.split(column.ravel(), ends), strict=True)
    )
    values = {name: _values(distinct[name]) for name in covariates}
    x, y = (distinct[axis].to_numpy().astype(float) for axis in ("x_m", "y_m"))
    return Watch(x, y, values, effort, columns[:, 0].astype(np.int64), columns[:, 1]), years


def _detector_years(histories: Sequence[CaptureHistory], when: Floats) -> pl.DataFrame:
    """One row a detector that ran and year, in the order of the prepared sessions' detectors."""
    return pl.concat(
        history.detectors.filter(pl.Series(history.effort.sum(axis=1) > 0)).select(
            pl.col("x_m", "y_m").cast(pl.Float64),
            pl.col("party", "camera_type").cast(pl.String).fill_null(""),
            pl.lit(history.session).alias("year"),
            pl.lit(when[t] - when[0]).alias("t"),
            pl.lit(t).alias("number"),
        )
        for t, history in enumerate(histories)
    )


def _values(column: pl.Series) -> NDArray[np.generic]:
    return column.to_numpy().astype(str if column.dtype == pl.String else float)


def _counts(session: Session) -> Floats:
    """Detections of each animal (not each distinct history) in each column."""
    return session.counts[session.row_of_animal]


def _sexes(histories: Sequence[CaptureHistory], individuals: tuple[str, ...]) -> Ints:
    """Index into SEXES, from any year in which the sex was recorded."""
    known = {who: sex for h in histories for who, sex in h.individuals.select("individual", "sex").iter_rows() if sex}
    index = {sex: i for i, sex in enumerate(SEXES)}
    return np.array([index.get(known.get(who, ""), UNKNOWN_SEX) for who in individuals], dtype=np.int64)


def _spans(years: Sequence[Year], n: int) -> Spans:
    seen = np.zeros((len(years), n), dtype=bool)
    for t, year in enumerate(years):
        seen[t, year.animals] = True
    return Spans(seen.argmax(axis=0), len(years) - 1 - seen[::-1].argmax(axis=0))


def without_space(histories: Sequence[CaptureHistory], mask: Mask) -> tuple[tuple[CaptureHistory, ...], Mask]:
    """The same animals without places: seen or not seen in each year, anywhere in the area of the mask.

    What is left is the model of Jolly, Seber and Arnason (Schwarz & Arnason 1996, Biometrics 52:860-873), in which an
    animal that has gone where nobody looks is as good as dead.
    """
    middle = (float(mask.x_m.mean()), float(mask.y_m.mean()))
    point = Mask(
        np.array([middle[0]]), np.array([middle[1]]), mask.area_km2, np.array([""]), np.array([True]), np.array([False])
    )
    return tuple(_anywhere(history, middle) for history in histories), point


def _anywhere(history: CaptureHistory, middle: tuple[float, float]) -> CaptureHistory:
    detector = pl.DataFrame([("anywhere", None, None, *middle)], schema=DETECTORS, orient="row")
    seen = history.individuals.select("individual").with_columns(
        pl.lit("anywhere").alias("detector"),
        pl.lit(1, dtype=pl.Int32).alias("occasion"),
        pl.lit(1, dtype=pl.Int32).alias("count"),
    )
    return CaptureHistory(
        history.session, "proximity", detector, history.individuals, seen.cast(CAPTURES), np.ones((1, 1))
    )
