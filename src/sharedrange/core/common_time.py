"""When all parties watched: the days or sessions that a joint question may look at, and what keeping to them cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from sharedrange.core.answer import Refusal
from sharedrange.core.errors import InputError, NotEnoughData
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.release import next_period, period_of
from sharedrange.core.survey import Survey
from sharedrange.core.when import (
    DAY_US,
    SLIVER,
    Spans,
    Window,
    as_spans,
    dated_and_undated,
    deployed_spans,
    local_day,
    run_share,
    run_spans,
    sessions_of,
    whole_window,
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
        first = period_of(local_day(start_us + half_us, used.timezone), resolution)
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
    return {party: run_share(as_spans(rows), edges_us) >= SLIVER for party, rows in spans.items()}


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
            for session, occasions in sessions_of(survey).items():
                sessions[session] = max(occasions, sessions.get(session, 0))
    return sessions


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
