"""When a question looks: windows, occasions, and the share of each occasion that a detector ran.

Times are kept in UTC. Occasions are days in a declared zone, because a night's last photograph in Hunchun
belongs to the next day in Vladivostok. Time becomes occasions in this module and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.errors import ProgrammeError
from sharedrange.core.finding import Finding
from sharedrange.core.survey import Survey

Floats = NDArray[np.float64]
Spans = NDArray[np.int64]  # shape (n, 2): start and end in microseconds since 1970 UTC, end exclusive

DAY_US = 86_400_000_000
FULL = 1 - 1 / 1440  # a camera collected at 23:59 ran that day
SLIVER = 0.02  # under half an hour: the walk away from a camera just set, not a day of watching


@dataclass(frozen=True, slots=True)
class Window:
    """When a question looks: days in a zone (`start` to `end`, both included), or sessions of undated surveys.

    A window with neither is open; `common_time.common_window` closes it to what all parties have.

    Raises ProgrammeError for a zone that nobody knows and for an end before the start.

    Examples
    --------
    >>> window = Window(date(2026, 1, 1), date(2026, 3, 31), "Asia/Vladivostok")
    >>> window.label, window.n_days
    ('2026-01-01/2026-03-31', 90)
    """

    start: date | None = None
    end: date | None = None
    timezone: str = "UTC"
    sessions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        found = []
        if not is_zone(self.timezone):
            found.append(Finding("occasion-timezone", {"timezone": self.timezone}))
        if self.start and self.end and self.end < self.start:
            found.append(Finding("window-order", {"start": str(self.start), "end": str(self.end)}))
        if found:
            raise ProgrammeError(found)

    @property
    def dated(self) -> bool:
        """Whether this window is a closed run of days."""
        return self.start is not None and self.end is not None

    @property
    def n_days(self) -> int:
        """Number of days. Raises ProgrammeError where the window is not a closed run of days."""
        first, last = self._days()
        return (last - first).days + 1

    @property
    def label(self) -> str:
        """The days as ISO 8601 writes an interval; sessions separated by commas."""
        return f"{self.start}/{self.end}" if self.dated else ",".join(self.sessions)

    @property
    def labels(self) -> tuple[str, ...]:
        """The session labels: one for a run of days, else the sessions."""
        return (self.label,) if self.dated else self.sessions

    def edges_us(self) -> NDArray[np.int64]:
        """Midnights that bound the occasions, shape (K + 1,), microseconds UTC. A day of a clock change is not 24 h."""
        first, _ = self._days()
        zone = ZoneInfo(self.timezone)
        midnights = (datetime.combine(first + timedelta(days=k), time.min, zone) for k in range(self.n_days + 1))
        return np.array([round(midnight.timestamp()) * 1_000_000 for midnight in midnights], dtype=np.int64)

    def occasion(self, column: str) -> pl.Expr:
        """Occasion (1, 2, ...) of a UTC column; null outside the window."""
        first, _ = self._days()
        day = pl.col(column).dt.convert_time_zone(self.timezone).dt.date()
        occasion = (day - pl.lit(first)).dt.total_days() + 1
        return pl.when(occasion.is_between(1, self.n_days)).then(occasion).cast(pl.Int32)

    def day(self, occasion: int) -> date:
        """The day of an occasion."""
        first, _ = self._days()
        return first + timedelta(days=occasion - 1)

    def _days(self) -> tuple[date, date]:
        if self.start is None or self.end is None:
            raise ProgrammeError([Finding("window-open")])
        return self.start, self.end


def union(spans: Spans) -> Spans:
    """Spans that touch or overlap joined into one, in order; empty ones dropped.

    Examples
    --------
    >>> union(np.array([[5, 9], [0, 6], [20, 20]])).tolist()
    [[0, 9]]
    """
    joined: list[list[int]] = []
    for start, end in sorted(spans.tolist()):
        if end <= start:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return as_spans(joined)


def without(spans: Spans, gaps: Spans) -> Spans:
    """What is left of spans when gaps are taken out.

    Examples
    --------
    >>> without(np.array([[0, 10]]), np.array([[3, 4], [8, 20]])).tolist()
    [[0, 3], [4, 8]]
    """
    kept: list[list[int]] = union(spans).tolist()
    for gap_start, gap_end in union(gaps).tolist():
        halves = [half for s, e in kept for half in ([s, min(e, gap_start)], [max(s, gap_end), e])]
        kept = [half for half in halves if half[0] < half[1]]
    return as_spans(kept)


def length_days(spans: Spans) -> float:
    """Summed length of disjoint spans, in days of 24 hours."""
    return float((spans[:, 1] - spans[:, 0]).sum() / DAY_US)


def run_share(spans: Spans, edges_us: NDArray[np.int64]) -> Floats:
    """Share of each occasion covered by spans, shape (K,) for K + 1 edges; a full day is exactly 1.

    Examples
    --------
    >>> run_share(np.array([[6, 24]]), np.array([0, 12, 24, 36])).tolist()
    [0.5, 1.0, 0.0]
    """
    disjoint = union(spans)
    if not len(disjoint):
        return np.zeros(len(edges_us) - 1)
    watched_after = np.cumsum(disjoint[:, 1] - disjoint[:, 0])
    watched = np.column_stack([np.r_[0, watched_after[:-1]], watched_after])
    origin = edges_us[0]
    at_edges = np.interp((edges_us - origin).astype(float), (disjoint - origin).ravel().astype(float), watched.ravel())
    share = np.diff(at_edges) / np.diff(edges_us)
    return np.where(share >= FULL, 1.0, share)


def deployed_spans(survey: Survey) -> dict[str, Spans]:
    """Deployment -> when it stood in the field, gaps and all. Deployments without dates are left out."""
    return _spans_by(survey.deployments, "deployment")


def gap_spans(survey: Survey) -> dict[str, Spans]:
    """Deployment -> when it stood but did not watch."""
    return _spans_by(survey.effort, "deployment")


def run_spans(survey: Survey) -> dict[str, Spans]:
    """Deployment -> when it watched: its dates without its gaps."""
    gaps = gap_spans(survey)
    return {name: without(spans, gaps.get(name, as_spans([]))) for name, spans in deployed_spans(survey).items()}


def day_effort(survey: Survey, window: Window, station: Mapping[str, str]) -> dict[str, Floats]:
    """Station -> share of each day of the window that any of its deployments watched, shape (K,).

    `station` maps deployment to station. Two cameras at one station are one detector: their times are joined.
    """
    edges_us = window.edges_us()
    spans = _joined(run_spans(survey), station)
    return {name: run_share(spans.get(name, as_spans([])), edges_us) for name in sorted(set(station.values()))}


def session_effort(survey: Survey, session: str, station: Mapping[str, str]) -> dict[str, Floats]:
    """Station -> effort of each occasion of an undated session, shape (K,); stations without a row are left out."""
    rows = survey.effort.filter(pl.col("session") == session, pl.col("occasion").is_not_null())
    n_occasions = int(rows["occasion"].max() or 0)  # type: ignore[arg-type]  # an Int32 column's maximum
    effort: dict[str, Floats] = {}
    for deployment, occasion, value in rows.select("deployment", "occasion", "effort").iter_rows():
        at = effort.setdefault(station[deployment], np.zeros(n_occasions))
        at[occasion - 1] = max(at[occasion - 1], 1.0 if value is None else value)
    return effort


def whole_window(surveys: Sequence[Survey], timezone: str) -> Window:
    """The window from the first day that any camera stood to the last, or all sessions of undated surveys."""
    if not any(survey.dated for survey in surveys):
        return Window(timezone=timezone, sessions=tuple(sorted({s for survey in surveys for s in sessions_of(survey)})))
    rows = [row for survey in surveys for part in deployed_spans(survey).values() for row in part.tolist()]
    spans = union(as_spans(rows))
    if not len(spans):
        return Window(timezone=timezone)
    return Window(
        local_day(int(spans[:, 0].min()), timezone), local_day(int(spans[:, 1].max()) - 1, timezone), timezone
    )


def dated_and_undated(surveys: Sequence[Survey], asked: Window) -> list[Finding]:
    """A finding for each survey whose kind of time is not that of the window, or of the first survey."""
    if not surveys:
        return []
    dated = asked.start is not None or asked.end is not None or (not asked.sessions and surveys[0].dated)
    return [Finding("dated-and-undated", {"party": s.party, "dataset": s.dataset}) for s in surveys if s.dated != dated]


def sessions_of(survey: Survey) -> dict[str, int]:
    """Session -> number of occasions with effort."""
    rows = survey.effort.filter(pl.col("session").is_not_null(), pl.col("effort").fill_null(1) > 0)
    return dict(rows.group_by("session").agg(pl.col("occasion").max()).iter_rows())


def is_zone(name: str) -> bool:
    """Whether a name is a time zone of the IANA data base."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def as_spans(rows: Sequence[Sequence[int]]) -> Spans:
    """Pairs of start and end, microseconds since 1970 UTC, as spans; none at all too."""
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def _spans_by(table: pl.DataFrame, key: str) -> dict[str, Spans]:
    dated = table.filter(pl.col("start").is_not_null() & pl.col("end").is_not_null())
    rows: dict[str, list[tuple[int, int]]] = {}
    for name, start, end in dated.select(
        key, pl.col("start").dt.epoch("us"), pl.col("end").dt.epoch("us").alias("end")
    ).iter_rows():
        rows.setdefault(name, []).append((start, end))
    return {name: as_spans(spans) for name, spans in rows.items()}


def _joined(spans: Mapping[str, Spans], station: Mapping[str, str]) -> dict[str, Spans]:
    """Spans of deployments put together by station."""
    rows: dict[str, list[Spans]] = {}
    for deployment, part in spans.items():
        rows.setdefault(station[deployment], []).append(part)
    return {name: union(np.concatenate(parts)) for name, parts in rows.items()}


def local_day(at_us: int, timezone: str) -> date:
    """The day of a moment, microseconds since 1970 UTC, in a zone."""
    return datetime.fromtimestamp(at_us / 1e6, ZoneInfo(timezone)).date()
