"""What does not fit together in a register, found by rules that know no programme by name; "today" is handed in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from itertools import chain
from textwrap import shorten

from sharedrange.assessment.programme import (
    Area,
    Component,
    Event,
    Interval,
    Milestone,
    OpenQuestion,
    Party,
    Programme,
    Project,
    Species,
)
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.periods import add_months, find_dates, span

Findings = Iterator[Finding]
Sourced = Party | Species | Component | Project | Area | Milestone | Event | OpenQuestion

FILE = "programme.toml"
_TO_BE_CONFIRMED = re.compile(r"\bt\.?b\.?[cad]\b|\bto be (?:confirmed|announced|decided)\b", re.IGNORECASE)
# English words that no finished phrase ends with: a text that does was cut off, on a slide or in copying.
_DANGLING = (
    "a", "an", "the", "and", "or", "of", "for", "to", "in", "on", "at", "by", "with", "from", "between", "among",
    "into", "as", "its", "their", "this", "that", "which", "&",
)  # fmt: skip
_SETTLED = ("done", "partly done", "moved")


def lint(programme: Programme, on: date | None = None) -> tuple[Finding, ...]:
    """What does not fit together, or is missing, in the register of `programme`; nothing if it keeps none.

    `on` is the day to judge by whether something is past; without it nothing is. No finding is an error: a
    register may be incomplete, but must not hide it.
    """
    if not programme.has_register:
        return ()
    rules = (
        _empty_cells, _texts_cut_off, _to_be_confirmed, _structured_against_text, _unread_dates,
        _components_against_project, _milestones_against_their_text, _questions_against_milestones,
        _unknown_outcomes, _sources, _not_verified, _names_unreviewed,
    )  # fmt: skip
    past = _past(programme, on) if on else iter(())
    return tuple(chain(*(rule(programme) for rule in rules), past))


def _warning(rule: str, table: str, field: str, **facts: Fact) -> Finding:
    return Finding(f"register-{rule}", facts, Where(FILE, table, field=field or None), Severity.WARNING)


def _note(rule: str, table: str, field: str, **facts: Fact) -> Finding:
    return Finding(f"register-{rule}", facts, Where(FILE, table, field=field or None), Severity.NOTE)


# What is not there


def _empty_cells(programme: Programme) -> Findings:
    """Cells that a reader of the table looks for, and that are empty. They stay empty."""
    for component in programme.components:
        yield from _empty("components", component.id, component, ("period", "areas", "objective"))
    if programme.project:
        yield from _empty("project", programme.project.name, programme.project, ("funder", "budget_usd", "months"))


def _empty(table: str, entry: str, of: Component | Project, cells: tuple[str, ...]) -> Findings:
    if missing := [cell for cell in cells if getattr(of, cell) in ("", (), None)]:
        yield _warning("empty-cells", table, missing[0], entry=entry, cells=", ".join(missing), count=len(missing))


def _texts_cut_off(programme: Programme) -> Findings:
    for table, entry, field, text in _texts(programme):
        if is_cut_off(text):
            yield _warning("text-cut-off", table, field, entry=entry, cell=field, end=text[-40:])


def is_cut_off(text: str) -> bool:
    """Whether an English text ends in mid-phrase: on a word like "the", a comma, or with a bracket open.

    Examples
    --------
    >>> is_cut_off("create the condition for the"), is_cut_off("TLNP LLNP (Amur tiger &"), is_cut_off("Conserve.")
    (True, True, False)
    """
    words = text.lower().split()
    return bool(words) and (words[-1] in _DANGLING or text.rstrip()[-1] in ",-(" or text.count("(") > text.count(")"))


def _texts(programme: Programme) -> Iterator[tuple[str, str, str, str]]:
    """Texts copied from a document: table, entry, field, text."""
    for c in programme.components:
        areas = [("areas", area) for area in c.areas]
        for field, text in (("title", c.title), *areas, ("objective", c.objective)):
            yield "components", c.id, field, text
    for m in programme.milestones:
        yield "milestones", m.id, "activity", m.activity
    for q in programme.open_questions:
        yield "open_questions", q.id, "text", q.text


def _unknown_outcomes(programme: Programme) -> Findings:
    """Open questions of which nobody has written down what became of them."""
    for question in programme.open_questions:
        if question.status not in _SETTLED:
            yield _note("question-open", "open_questions", "status", question=question.id)


# Dates


def _to_be_confirmed(programme: Programme) -> Findings:
    for table, entry, text, status in _planned_texts(programme):
        if _TO_BE_CONFIRMED.search(text) or status == "to be confirmed":
            yield _warning("to-be-confirmed", table, "", entry=entry, text=text or status)


def _planned_texts(programme: Programme) -> Iterator[tuple[str, str, str, str]]:
    """When things are planned, as written: table, entry, text, status."""
    for c in programme.components:
        yield "components", c.id, c.period, c.schedule.status
    for m in programme.milestones:
        yield "milestones", m.id, m.planned, m.status
    if project := programme.project:
        yield "project", project.name, project.period, project.status


def _structured_against_text(programme: Programme) -> Findings:
    """Dates typed beside a text that says other dates."""
    components = [("components", c.id, c.period, c.schedule.interval) for c in programme.components]
    milestones = [("milestones", m.id, m.planned, m.interval) for m in programme.milestones]
    for table, entry, text, typed in components + milestones:
        written = span(text)
        if typed and written and not (written.first <= typed.first and typed.last <= written.last):
            yield _warning("dates-differ", table, "", entry=entry, text=text, typed=str(typed))


def _unread_dates(programme: Programme) -> Findings:
    """Texts that stand where a date belongs and that hold none that can be read."""
    events = [("events", shorten(e.what, 60, placeholder=" ..."), e.date) for e in programme.events]
    planned = [(table, entry, text) for table, entry, text, _ in _planned_texts(programme)]
    for table, entry, text in planned + events:
        if text and span(text) is None:
            yield _note("date-unread", table, "", entry=entry, text=text)


def planned(component: Component) -> Interval | None:
    """When a component runs: its typed schedule, else what its period says."""
    return component.schedule.interval or span(component.period)


def _components_against_project(programme: Programme) -> Findings:
    """Components that begin before their project or go on after its money."""
    project = programme.project
    begin = (project.start or project.approved) if project else None
    if project is None or begin is None:
        return
    counted_from = "start" if project.start else "approved"
    end = _end(begin, project.months) if project.months else None
    for component in programme.components:
        runs = planned(component)
        if runs and runs.first < begin.first:
            facts: dict[str, Fact] = {"component": component.id, "runs": str(runs), "begin": str(begin)}
            yield _warning("component-early", "components", "period", counted_from=counted_from, **facts)
        if runs and end and runs.last > end.last:
            facts = {"component": component.id, "runs": str(runs), "end": str(end), "begin": str(begin)}
            yield _warning(
                "component-late", "components", "period", counted_from=counted_from, months=project.months, **facts
            )


def _end(begin: Interval, months: int) -> Interval:
    """When a project ends that began some day in `begin`; as precise as the beginning is known."""
    return Interval(add_months(begin.first, months), add_months(begin.last, months))


def _milestones_against_their_text(programme: Programme) -> Findings:
    """A milestone planned for one time whose own text speaks of another."""
    for milestone in programme.milestones:
        when = milestone.interval or span(milestone.planned)
        if said := _contradiction(milestone.activity, when):
            plan = milestone.planned or str(when)
            yield _warning(
                "milestone-contradicts", "milestones", "planned", entry=milestone.id, planned=plan, said=said
            )


def _questions_against_milestones(programme: Programme) -> Findings:
    """A question that asks for something at another time than the work plan has it."""
    plans = {c.id: (planned(c), c.period) for c in programme.components}
    plans |= {m.id: (m.interval or span(m.planned), m.planned) for m in programme.milestones}
    for question in programme.open_questions:
        for subject in question.about:
            when, text = plans[subject]
            if said := _contradiction(question.text, when):
                facts: dict[str, Fact] = {"about": subject, "planned": text or str(when), "said": said}
                yield _warning("question-contradicts", "open_questions", "text", question=question.id, **facts)


def _contradiction(text: str, when: Interval | None) -> str:
    """The dates in `text`, if it has some and none of them shares a day with `when`; else nothing."""
    phrases = find_dates(text)
    if when is None or any(p.interval.overlaps(when) for p in phrases):
        return ""
    return ", ".join(p.text for p in phrases)


def _past(programme: Programme, on: date) -> Findings:
    """Milestones and components whose time is over by `on` and whose outcome nobody has written down."""
    entries = [("milestones", m.id, m.interval or span(m.planned), m.status) for m in programme.milestones]
    entries += [("components", c.id, planned(c), c.schedule.status) for c in programme.components]
    for table, entry, when, status in entries:
        if when and when.last < on and status not in _SETTLED:
            facts: dict[str, Fact] = {"planned": str(when), "status": status, "on": on.isoformat()}
            yield _warning("past-and-open", table, "status", entry=entry, **facts)


# Trust


def _sourced(programme: Programme) -> Iterator[tuple[str, tuple[Sourced, ...]]]:
    yield "parties", programme.parties
    yield "species", programme.species
    yield "components", programme.components
    yield "project", (programme.project,) if programme.project else ()
    yield "areas", programme.areas
    yield "milestones", programme.milestones
    yield "events", programme.events
    yield "open_questions", programme.open_questions


def _sources(programme: Programme) -> Findings:
    """Entries that do not say where they are written. One finding a table: there may be many."""
    yield from _counted(programme, "no-source", lambda entry: not entry.source)


def _not_verified(programme: Programme) -> Findings:
    """Entries that may not yet be shown as facts."""
    yield from _counted(programme, "not-verified", lambda entry: bool(entry.to_verify))


def _counted(programme: Programme, rule: str, wanted: Callable[[Sourced], bool]) -> Findings:
    for table, entries in _sourced(programme):
        if chosen := [_label(entry) for entry in entries if wanted(entry)]:
            facts: dict[str, Fact] = {"section": table, "count": len(chosen), "of": len(entries)}
            yield _note(rule, table, "", entries="; ".join(chosen), **facts)


def _label(entry: Sourced) -> str:
    match entry:
        case Species():
            return entry.key
        case Project():
            return entry.name
        case Event():
            return f"{entry.date} {shorten(entry.what, 40, placeholder=' ...')}"
        case _:
            return entry.id


def _names_unreviewed(programme: Programme) -> Findings:
    """Names that no native speaker has reviewed, counted by language."""
    named = [("species", s) for s in programme.species] + [("areas", a) for a in programme.areas]
    pairs = [(table, code) for table, entry in named for code in entry.unreviewed]
    for table, language in dict.fromkeys(pairs):
        facts: dict[str, Fact] = {"section": table, "language": language, "count": pairs.count((table, language))}
        yield _note("names-unreviewed", table, "unreviewed", **facts)
