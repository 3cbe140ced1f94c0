"""When a question looks: windows, occasions, and the share of each occasion that a detector ran.

Times are kept in UTC. Occasions are days in a declared zone, because a night's last photograph in Hunchun
belongs to the next day in Vladivostok. Time becomes occasions in this module and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.answer import Refusal
from sharedrange.core.errors import InputError, NotEnoughData, ProgrammeError
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.release import next_period, period_of
from sharedrange.core.survey import Survey

Floats = NDArray[np.float64]
Spans = NDArray[np.int64]  # shape (n, 2): start and end in microseconds since 1970 UTC, end exclusive

DAY_US = 86_400_000_000
FULL = 1 - 1 / 1440  # a camera collected at 23:59 ran that day
SLIVER = 0.02  # under half an hour: the walk away from a camera just set, not a day of watching


@dataclass(frozen=True, slots=True)
class Window:
    """When a question looks: days in a zone (`start` to `end`, both included), or sessions of undated surveys.

    A window with neither is open; `common_window` closes it to what all parties have.

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
    return _spans(joined)


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
    return _spans(kept)


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
    return {name: without(spans, gaps.get(name, _spans([]))) for name, spans in deployed_spans(survey).items()}


def day_effort(survey: Survey, window: Window, station: Mapping[str, str]) -> dict[str, Floats]:
    """Station -> share of each day of the window that any of its deployments watched, shape (K,).

    `station` maps deployment to station. Two cameras at one station are one detector: their times are joined.
    """
    edges_us = window.edges_us()
    spans = _joined(run_spans(survey), station)
    return {name: run_share(spans.get(name, _spans([])), edges_us) for name in sorted(set(station.values()))}


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
        return Window(timezone=timezone, sessions=tuple(sorted({s for survey in surveys for s in _sessions(survey)})))
    rows = [row for survey in surveys for part in deployed_spans(survey).values() for row in part.tolist()]
    spans = union(_spans(rows))
    if not len(spans):
        return Window(timezone=timezone)
    return Window(
        _local_day(int(spans[:, 0].min()), timezone), _local_day(int(spans[:, 1].max()) - 1, timezone), timezone
    )


def common_window(surveys: Sequence[Survey], asked: Window, question: str = "common-window") -> Window:
    """The closure window that all parties share, inside the window asked (`about_window` says what that cost).

    Dated: from the first to the last day on which every party had a camera running. Undated: the sessions
    that every party has. A joint number over periods that only one side watched would compare unlike things.

    Raises InputError where dated and undated surveys meet; NotEnoughData where the parties share no time.
    """
    mixed = dated_and_undated(surveys, asked)
    if mixed:
        raise InputError(mixed)
    if any(survey.dated for survey in surveys):
        return _common_days(surveys, asked, question)
    return _common_sessions(surveys, asked, question)


def about_window(surveys: Sequence[Survey], asked: Window, used: Window) -> tuple[Finding, ...]:
    """What is worth knowing about the window `used` where `asked` was asked: days, sessions, occasions lost."""
    if used.dated:
        return (*_about_days(surveys, asked, used), *_cut_periods(surveys, used))
    return (*_missing_sessions(surveys, asked), *_unequal_occasions(surveys, used))


def dated_and_undated(surveys: Sequence[Survey], asked: Window) -> list[Finding]:
    """A finding for each survey whose kind of time is not that of the window, or of the first survey."""
    if not surveys:
        return []
    dated = asked.start is not None or asked.end is not None or (not asked.sessions and surveys[0].dated)
    return [Finding("dated-and-undated", {"party": s.party, "dataset": s.dataset}) for s in surveys if s.dated != dated]


def _common_days(surveys: Sequence[Survey], asked: Window, question: str) -> Window:
    whole = whole_window(surveys, asked.timezone)
    if not whole.dated:
        raise NotEnoughData(_no_overlap(question, "common_days", dict.fromkeys(_parties(surveys), "none")))
    ran = _ran_by_party(surveys, whole)
    together = np.logical_and.reduce(list(ran.values()))
    wanted = together & _asked_days(asked, whole)
    if not wanted.any():
        missed = f"{asked.start}/{asked.end}" if together.any() else ""
        raise NotEnoughData(_no_overlap(question, "common_days", _periods(ran, whole), missed))
    return _between(wanted, whole)


def _about_days(surveys: Sequence[Survey], asked: Window, used: Window) -> tuple[Finding, ...]:
    whole = whole_window(surveys, asked.timezone)
    start, end = asked.start or whole.start, asked.end or whole.end
    if (used.start, used.end) == (start, end):
        return ()
    periods = _listed(_periods(_ran_by_party(surveys, whole), whole))
    facts: dict[str, Fact] = {"asked": f"{start}/{end}", "used": used.label, "periods": periods}
    return (Finding("window-cut", facts, severity=Severity.NOTE),)


def _cut_periods(surveys: Sequence[Survey], used: Window) -> Iterable[Finding]:
    """A warning for each survey told by periods where the window cuts one: what is inside it then is a convention."""
    for survey in surveys:
        if survey.resolution in ("", "day"):
            continue
        cut = {period for spans in deployed_spans(survey).values() for period in _cut(spans, survey.resolution, used)}
        if cut:
            facts: dict[str, Fact] = {
                "party": survey.party,
                "dataset": survey.dataset,
                "resolution": survey.resolution,
                "periods": ", ".join(map(str, sorted(cut))),
                "window": used.label,
            }
            yield Finding("window-cuts-periods", facts, severity=Severity.WARNING)


def _cut(spans: Spans, resolution: str, used: Window) -> Iterable[date]:
    """First days of the periods that begin on one side of an edge of the window, end on the other, and lose days.

    Half a day is nothing: periods may begin in another time zone than the days of the window.
    """
    half_us, (opens_us, closes_us) = DAY_US // 2, used.edges_us()[[0, -1]].tolist()
    opens, closes = used.day(1), used.day(used.n_days) + timedelta(days=1)
    for start_us, end_us in spans.tolist():
        first = period_of(_local_day(start_us + half_us, used.timezone), resolution)
        after = next_period(first, resolution)
        if first < opens < after and start_us < opens_us - half_us:
            yield first
        if first < closes < after and end_us > closes_us + half_us:
            yield first


def _asked_days(asked: Window, whole: Window) -> NDArray[np.bool_]:
    """Which days of `whole` the window asked holds, shape (K,)."""
    days = [whole.day(k + 1) for k in range(whole.n_days)]
    first, last = asked.start or days[0], asked.end or days[-1]
    return np.array([first <= day <= last for day in days])


def _ran_by_party(surveys: Sequence[Survey], whole: Window) -> dict[str, NDArray[np.bool_]]:
    """Party -> on which days of a window it had a camera running, shape (K,)."""
    edges_us = whole.edges_us()
    spans: dict[str, list[list[int]]] = {party: [] for party in _parties(surveys)}
    for survey in surveys:
        for part in run_spans(survey).values():
            spans[survey.party] += part.tolist()
    return {party: run_share(_spans(rows), edges_us) >= SLIVER for party, rows in spans.items()}


def _periods(ran: Mapping[str, NDArray[np.bool_]], whole: Window) -> dict[str, str]:
    """Party -> from its first day with a camera running to its last."""
    return {party: _between(days, whole).label if days.any() else "none" for party, days in ran.items()}


def _between(days: NDArray[np.bool_], hull: Window) -> Window:
    """The window from the first of these days to the last."""
    occasions = np.flatnonzero(days) + 1
    return replace(hull, start=hull.day(int(occasions[0])), end=hull.day(int(occasions[-1])))


def _common_sessions(surveys: Sequence[Survey], asked: Window, question: str) -> Window:
    had = _sessions_by_party(surveys)
    wanted = _wanted_sessions(had, asked)
    common = tuple(session for session in wanted if all(session in sessions for sessions in had.values()))
    if not common:
        sessions = {party: " ".join(sorted(own)) or "none" for party, own in had.items()}
        missed = " ".join(asked.sessions) if set.intersection(*map(set, had.values())) else ""
        raise NotEnoughData(_no_overlap(question, "common_sessions", sessions, missed))
    return Window(timezone=asked.timezone, sessions=common)


def _missing_sessions(surveys: Sequence[Survey], asked: Window) -> list[Finding]:
    had = _sessions_by_party(surveys)
    return [
        Finding("session-missing", {"party": party, "session": session}, severity=Severity.WARNING)
        for session in _wanted_sessions(had, asked)
        for party, sessions in had.items()
        if session not in sessions
    ]


def _unequal_occasions(surveys: Sequence[Survey], used: Window) -> list[Finding]:
    had = _sessions_by_party(surveys)
    found = []
    for session in used.sessions:
        occasions = {party: sessions[session] for party, sessions in had.items()}
        if len(set(occasions.values())) > 1:
            facts: dict[str, Fact] = {"session": session, "occasions": _listed(occasions)}
            found.append(Finding("unequal-occasions", facts, severity=Severity.WARNING))
    return found


def _wanted_sessions(had: Mapping[str, Mapping[str, int]], asked: Window) -> tuple[str, ...]:
    return asked.sessions or tuple(sorted({session for sessions in had.values() for session in sessions}))


def _sessions_by_party(surveys: Sequence[Survey]) -> dict[str, dict[str, int]]:
    return {party: _party_sessions(surveys, party) for party in _parties(surveys)}


def _party_sessions(surveys: Iterable[Survey], party: str) -> dict[str, int]:
    """Session -> number of occasions that a party has in it."""
    sessions: dict[str, int] = {}
    for survey in surveys:
        if survey.party == party:
            for session, occasions in _sessions(survey).items():
                sessions[session] = max(occasions, sessions.get(session, 0))
    return sessions


def _sessions(survey: Survey) -> dict[str, int]:
    """Session -> number of occasions with effort."""
    rows = survey.effort.filter(pl.col("session").is_not_null(), pl.col("effort").fill_null(1) > 0)
    return dict(rows.group_by("session").agg(pl.col("occasion").max()).iter_rows())


def _no_overlap(question: str, common: str, periods: Mapping[str, str], missed: str = "") -> Refusal:
    """`common`: what the parties have none of, ``common_days`` or ``common_sessions``.

    `missed`: the time asked for, where the parties did watch together but at another time.
    """
    have: dict[str, Fact] = {common: 0} | {f"period.{party}": period for party, period in periods.items()}
    facts: dict[str, Fact] = {"periods": _listed(periods)}
    note = Finding("no-common-window", facts, severity=Severity.NOTE)
    if missed:
        note = Finding("period-not-watched", {**facts, "asked": missed}, severity=Severity.NOTE)
    return Refusal(question, have, {common: 1}, ("population.minimum", "population.rates"), (note,))


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _parties(surveys: Iterable[Survey]) -> list[str]:
    return sorted({survey.party for survey in surveys})


def is_zone(name: str) -> bool:
    """Whether a name is a time zone of the IANA data base."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _spans(rows: Sequence[Sequence[int]]) -> Spans:
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def _spans_by(table: pl.DataFrame, key: str) -> dict[str, Spans]:
    dated = table.filter(pl.col("start").is_not_null() & pl.col("end").is_not_null())
    rows: dict[str, list[tuple[int, int]]] = {}
    for name, start, end in dated.select(
        key, pl.col("start").dt.epoch("us"), pl.col("end").dt.epoch("us").alias("end")
    ).iter_rows():
        rows.setdefault(name, []).append((start, end))
    return {name: _spans(spans) for name, spans in rows.items()}


def _joined(spans: Mapping[str, Spans], station: Mapping[str, str]) -> dict[str, Spans]:
    """Spans of deployments put together by station."""
    rows: dict[str, list[Spans]] = {}
    for deployment, part in spans.items():
        rows.setdefault(station[deployment], []).append(part)
    return {name: union(np.concatenate(parts)) for name, parts in rows.items()}


def _local_day(at_us: int, timezone: str) -> date:
    return datetime.fromtimestamp(at_us / 1e6, ZoneInfo(timezone)).date()
