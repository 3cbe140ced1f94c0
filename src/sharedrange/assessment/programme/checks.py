"""What a programme's entries must agree on: ids, references, zones, projections, sides, dates."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from pyproj import CRS
from pyproj.exceptions import ProjError

from sharedrange.assessment.programme.barriers import wrong_barriers
from sharedrange.assessment.programme.contents import Contents, Head
from sharedrange.assessment.programme.sides import file_inside, look_at_sides, read_geometry
from sharedrange.assessment.programme.types import (
    Area,
    Component,
    CountsSpec,
    MaskSpec,
    Milestone,
    OpenQuestion,
    Party,
    Project,
    Question,
    Species,
    VisitsSpec,
)
from sharedrange.core.contents import COUNT_METHODS
from sharedrange.core.document import Document, Entry, Place, T, known_ids
from sharedrange.core.errors import ProgrammeError
from sharedrange.core.finding import Finding, Where
from sharedrange.core.periods import read_period
from sharedrange.core.survey import LIFE_STAGES

# Ids become names of files and parts of step ids on every system.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_STATE = re.compile(r"[A-Z]{2}", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?", re.ASCII)  # BCP 47, the plain part
_MEMBERSHIP = re.compile(r"(yes|no|unknown)\b")
_LARGEST_SEED = 2**53 - 1  # RFC 8785: seeds enter canonical JSON
_LONGEST_MONTHS = 1200

Findings = Iterator[Finding]


@dataclass(frozen=True, slots=True)
class Known:
    """Ids that entries may refer to, section by section."""

    parties: frozenset[str]
    species: frozenset[str]
    components: frozenset[str]
    milestones: frozenset[str]

    @classmethod
    def of(cls, document: Document) -> Known:
        """The ids written in `document`, also those of entries that are wrong otherwise."""
        sections = ("parties", "components", "milestones")
        return cls(species=known_ids(document, "species", "key"), **{s: known_ids(document, s) for s in sections})


def check_contents(contents: Contents, known: Known, folder: Path) -> list[Finding]:
    """Everything that is wrong with entries which, each for itself, could be read."""
    found = [*_head(contents.head)] if contents.head else []
    found += _each(contents.parties, _party)
    found += _each(contents.species, _species)
    found += _each(contents.components, lambda c, at: _component(c, at, known, folder))
    by_id = {c.value.id: c.value for c in contents.components}
    found += _each(contents.questions, lambda q, at: _question(q, at, known, by_id, folder))
    found += _each((contents.project,) if contents.project else (), _project)
    found += _each(contents.areas, lambda a, at: _area(a, at, known))
    found += _each(contents.milestones, lambda m, at: _milestone(m, at, known))
    found += _each(contents.events, lambda e, at: _references("components", (e.component,), known.components, at))
    found += _each(contents.open_questions, lambda q, at: _open_question(q, at, known))
    return found + _ids(contents)


def _each(entries: Iterable[Entry[T]], check: Callable[[T, Place], Findings]) -> list[Finding]:
    return [finding for entry in entries for finding in check(entry.value, entry.place)]


def _ids(contents: Contents) -> list[Finding]:
    """Ids that cannot stand in a file name, and ids used twice (also when only the case differs)."""
    found: list[Finding] = []
    for name in ("parties", "components", "questions", "areas", "milestones", "open_questions"):
        found += _ids_of([(e.value.id, e.place("id")) for e in getattr(contents, name)], name)
    found += _ids_of([(e.value.key, e.place("key")) for e in contents.species], "species")
    return found


def _ids_of(ids: list[tuple[str, Where]], section: str) -> Findings:
    seen: dict[str, str] = {}
    for given, where in ids:
        if not _ID.fullmatch(given):
            yield Finding("programme-id", {"section": section, "given": given}, where)
        elif given.casefold() in seen:
            yield Finding("programme-duplicate-id", {"section": section, "id": seen[given.casefold()]}, where)
        seen.setdefault(given.casefold(), given)


def _head(entry: Entry[Head]) -> Findings:
    head, at = entry.value, entry.place
    if not _ID.fullmatch(head.id):
        yield Finding("programme-id", {"section": "programme", "given": head.id}, at("id"))
    if not 0 <= head.seed <= _LARGEST_SEED:
        yield _out_of_range("seed", head.seed, f"0 .. {_LARGEST_SEED}", at)
    yield from _languages(head.languages, "languages", at)


def _party(party: Party, at: Place) -> Findings:
    yield from _state(party.state, at)
    for convention, text in party.memberships.items():
        if not _MEMBERSHIP.match(text):
            yield Finding("programme-membership", {"convention": convention, "given": text}, at("memberships"))


def _species(species: Species, at: Place) -> Findings:
    yield from _languages(species.names, "names", at)
    yield from _unreviewed(species, at)


def _area(area: Area, at: Place, known: Known) -> Findings:
    yield from _state(area.state, at)
    yield from _languages(area.names, "names", at)
    yield from _unreviewed(area, at)
    yield from _references("components", (area.component,), known.components, at)


def _unreviewed(named: Species | Area, at: Place) -> Findings:
    """A name can only be unreviewed if there is one."""
    for language in named.unreviewed:
        if language not in named.names:
            yield _unknown("names", language, named.names, at("unreviewed"))


def _component(component: Component, at: Place, known: Known, folder: Path) -> Findings:
    yield from _references("parties", component.parties, known.parties, at)
    yield from _references("species", component.species, known.species, at)
    yield from _references("parties", component.sides, frozenset(component.parties) or known.parties, at, "sides")
    yield from _zone(component.occasion_timezone, at("occasion_timezone"))
    yield from _projection(component.projection, at("projection"))
    yield from look_at_sides(component, folder, lambda _: at("sides"))[1]
    schedule = component.schedule
    yield from _in_order(schedule.start, schedule.end, at("schedule"))


def _question(question: Question, at: Place, known: Known, components: dict[str, Component], folder: Path) -> Findings:
    yield from _references("components", (question.component,), known.components, at)
    yield from _references("species", (question.species,), known.species, at)
    component = components.get(question.component)
    if component and question.species in known.species and question.species not in (component.species or known.species):
        yield _unknown("components.species", question.species, component.species, at("species"))
    yield from check_asked(question, at, folder)


def check_asked(question: Question, at: Place, folder: Path) -> Findings:
    """Everything that is wrong with a question for itself, whatever it refers to."""
    yield from _in_order(question.start, question.end, at("start"))
    if (question.start is None) != (question.end is None):
        yield Finding("missing-key", {"key": "end" if question.end is None else "start"}, at())
    if question.start and question.sessions:
        yield Finding("programme-dates-and-sessions", {"question": question.id}, at("sessions"))
    for stage in question.life_stages:
        if stage not in LIFE_STAGES:
            yield _unknown("life_stages", stage, LIFE_STAGES, at("life_stages"))
    yield from _periods(question, at)
    yield from _mask(question.mask, at, folder)
    yield from _visits(question.visits, at)
    yield from _counts(question.counts, at)
    yield from wrong_barriers(question.barriers, question.passages, folder, at("barriers"))


def _periods(question: Question, at: Place) -> Findings:
    """Each is two days, all in order and apart, and nothing else says when."""
    read: list[tuple[date, date]] = []
    for text in question.periods:
        try:
            read.append(read_period(text))
        except ValueError:
            yield Finding("programme-period", {"given": text[:200]}, at("periods"))
    if any(after[0] <= before[1] for before, after in pairwise(read)):
        yield Finding("programme-periods-order", {"periods": ", ".join(question.periods)}, at("periods"))
    if question.periods and (question.start or question.sessions):
        yield Finding("programme-dates-and-sessions", {"question": question.id}, at("periods"))


def _visits(visits: VisitsSpec, at: Place) -> Findings:
    if visits.occasion_days < 1:
        yield _out_of_range("occasion_days", visits.occasion_days, ">= 1", at)
    if visits.cell_m is not None and not 0 < visits.cell_m < float("inf"):
        yield _out_of_range("cell_m", visits.cell_m, "> 0", at)
    if not _ID.fullmatch(visits.grid):  # it becomes part of the names of cells
        yield Finding("programme-id", {"section": "visits.grid", "given": visits.grid}, at("visits"))
    yield from _methods(visits.methods, at("visits"))


def _counts(counts: CountsSpec, at: Place) -> Findings:
    months = counts.season
    if months and (len(months) != 2 or not all(1 <= month <= 12 for month in months)):
        yield Finding("programme-season", {"given": ", ".join(map(str, months))}, at("counts"))
    yield from _methods(counts.methods, at("counts"))


def _methods(given: Iterable[str], where: Where) -> Findings:
    for method in given:
        if method not in COUNT_METHODS:
            yield _unknown("methods", method, COUNT_METHODS, where)


def _mask(mask: MaskSpec, at: Place, folder: Path) -> Findings:
    for key, metres in (("buffer_m", mask.buffer_m), ("spacing_m", mask.spacing_m)):
        if metres is not None and not 0 < metres < float("inf"):
            yield _out_of_range(key, metres, "> 0", at)
    if mask.points and (mask.buffer_m is not None or mask.polygon):
        yield Finding("programme-mask-twice", {"points": mask.points}, at("mask"))
    if mask.points and mask.spacing_m is None:
        yield Finding("missing-key", {"key": "spacing_m"}, at("mask"))
    try:
        if mask.points:
            file_inside(mask.points, folder, at("points"))
        if mask.polygon:
            read_geometry(mask.polygon, folder, at("polygon"))
    except ProgrammeError as error:
        yield from error.findings


def _project(project: Project, at: Place) -> Findings:
    if project.budget_usd is not None and not 0 <= project.budget_usd < float("inf"):
        yield _out_of_range("budget_usd", project.budget_usd, ">= 0", at)
    if project.months is not None and not 1 <= project.months <= _LONGEST_MONTHS:
        yield _out_of_range("months", project.months, f"1 .. {_LONGEST_MONTHS}", at)


def _milestone(milestone: Milestone, at: Place, known: Known) -> Findings:
    yield from _references("components", (milestone.component,), known.components, at)
    yield from _in_order(milestone.planned_start, milestone.planned_end, at("planned_start"))


def _open_question(question: OpenQuestion, at: Place, known: Known) -> Findings:
    yield from _references("milestones, components", question.about, known.milestones | known.components, at, "about")


def _references(section: str, given: Iterable[str], known: frozenset[str], at: Place, key: str = "") -> Findings:
    """Ids that nobody has. An empty one refers to nothing."""
    singular = {"parties": "parties", "species": "species", "components": "component"}
    for name in given:
        if name and name not in known:
            yield _unknown(section, name, known, at(key or singular[section]))


def _unknown(section: str, given: str, known: Iterable[str], where: Where) -> Finding:
    names = sorted(known)
    if not names:
        return Finding("programme-reference-to-nothing", {"section": section, "given": given}, where)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.0)
    facts = {"section": section, "given": given, "nearest": near[0], "known": ", ".join(names)}
    return Finding("programme-unknown-reference", facts, where)


def _state(state: str, at: Place) -> Findings:
    if state and not _STATE.fullmatch(state):
        yield Finding("programme-state", {"given": state}, at("state"))


def _languages(codes: Iterable[str], key: str, at: Place) -> Findings:
    for code in codes:
        if not _LANGUAGE.fullmatch(code):
            yield Finding("programme-language", {"given": code}, at(key))


def _zone(name: str, where: Where) -> Findings:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; a path outside; a folder such as "Asia"
        near = difflib.get_close_matches(name, sorted(available_timezones()), n=1, cutoff=0.0)
        yield Finding("programme-timezone", {"given": name, "nearest": near[0] if near else "UTC"}, where)


def _projection(text: str, where: Where) -> Findings:
    if text == "auto" or (text.startswith("local:") and text != "local:"):
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old spellings such as +init are read all the same
            crs = CRS.from_user_input(text)
    except (ProjError, ValueError):
        yield Finding("programme-crs", {"given": text}, where)
        return
    if not crs.is_projected or any(axis.unit_conversion_factor != 1 for axis in crs.axis_info[:2]):
        yield Finding("programme-crs-not-metres", {"given": text, "name": crs.name}, where)


def _in_order(start: object, end: object, where: Where) -> Findings:
    """Start and end are both days or both intervals, or None."""
    if start is not None and end is not None and end < start:  # type: ignore[operator]  # alike by schema
        yield Finding("programme-dates-order", {"start": str(start), "end": str(end)}, where)


def _out_of_range(key: str, given: float, allowed: str, at: Place) -> Finding:
    return Finding("programme-range", {"key": key, "given": given, "allowed": allowed}, at(key))
