"""The shared words of a programme as typed facts: what programme.toml holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from sharedrange.core.periods import Interval, read_period

State = Literal["to be confirmed", "planned", "agreed", "moved", "partly done", "done", "unknown"]


@dataclass(frozen=True, slots=True)
class Party:
    """An organisation with an id and a state (ISO 3166-1 alpha-2; empty for a secretariat or an NGO).

    `memberships`: convention -> yes, no or unknown, with a remark if needed. `source` says where this is
    written, `to_verify` why it cannot yet be shown as a fact; so on every entry of the register.
    """

    id: str
    name: str
    state: str = ""
    memberships: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    to_verify: str = ""


@dataclass(frozen=True, slots=True)
class Species:
    """A species of the programme. `aliases` are other scientific names under which deliveries list it.

    `names`: language -> name; `unreviewed`: languages whose name no native speaker has reviewed;
    `listings`: red list or convention -> category or appendix, as the source writes it.
    """

    key: str
    taxon: str
    names: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    unreviewed: tuple[str, ...] = ()
    listings: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    source: str = ""
    to_verify: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a component runs, as far as it is settled."""

    start: Interval | None = None
    end: Interval | None = None
    status: State = "unknown"

    @property
    def interval(self) -> Interval | None:
        """From the first day of the start to the last day of the end; None if neither is known."""
        return between(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the programme: where, when, for which species, and whose side is where.

    `projection` is ``auto`` (equal-area, centred on the sides), a CRS, or ``local:<name>``; `sides` maps a
    party to a file (GeoJSON, relative to the node) or WKT of its side, in degrees or in the local frame;
    `occasion_timezone` is the zone whose days are the occasions. `period`, `areas` and `objective` are texts
    as the programme's document has them, empty where its cell is empty; `found` is what became of it.
    """

    id: str
    title: str
    parties: tuple[str, ...] = ()
    species: tuple[str, ...] = ()
    period: str = ""
    areas: tuple[str, ...] = ()
    objective: str = ""
    projection: str = "auto"
    occasion_timezone: str = "UTC"
    sides: Mapping[str, str] = field(default_factory=dict)
    schedule: Schedule = Schedule()
    found: str = ""
    note: str = ""
    source: str = ""
    to_verify: str = ""


@dataclass(frozen=True, slots=True)
class MaskSpec:
    """How a question's habitat mask is made: points of a file, or a buffer around the detectors.

    `buffer_m` around all detectors, cut to `polygon` (GeoJSON file or WKT, as sides) where given, on a grid
    of `spacing_m`; or `points`: a CSV of x, y (frame of the component) with `spacing_m`.
    """

    buffer_m: float | None = None
    spacing_m: float | None = None
    polygon: str = ""
    points: str = ""


@dataclass(frozen=True, slots=True)
class VisitsSpec:
    """What a visit and a site are, where a question asks at what share of sites a species lives.

    `source`: ``cameras`` or ``transects``; where empty, what was delivered. Cameras: a visit is a run of
    `occasion_days`. Transects: those walked by one of `methods` (empty: sign and snow-track transects). `cell_m`:
    sites are the cells of the grid called `grid`, so long; where None, camera stations, or the sites as named.
    """

    source: Literal["", "cameras", "transects"] = ""
    occasion_days: int = 7
    methods: tuple[str, ...] = ()
    cell_m: float | None = None
    grid: str = "grid"


@dataclass(frozen=True, slots=True)
class CountsSpec:
    """How counts of a year become one number, where a question asks for a trend.

    `statistic`: the highest count of a site and year, or their mean. `season`: first and last month, empty for
    the whole year; (11, 2) is a winter, told by the year in which it ends. `methods`: counts by these only.
    """

    statistic: Literal["peak", "mean"] = "peak"
    season: tuple[int, ...] = ()
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One question: an engine, its inputs' scope, and its settings (a table with the engine's own schema).

    Dated surveys give `start` and `end`, or several `periods` (``2024-02-01/2024-04-30``), each closed; undated
    ones `sessions`. `life_stages`: animals counted, and those whose stage nobody recorded unless
    `count_unknown_stage` is false. `datasets`: answer from these only. `barriers`: name -> line that animals may not
    cross (a file, WKT, or ``sides``: where the sides meet); `passages`: name of a barrier -> file of its openings.
    """

    id: str
    engine: str
    component: str
    species: str
    start: date | None = None
    end: date | None = None
    sessions: tuple[str, ...] = ()
    periods: tuple[str, ...] = ()
    life_stages: tuple[str, ...] = ("adult",)
    count_unknown_stage: bool = True
    datasets: tuple[str, ...] = ()
    mask: MaskSpec = MaskSpec()
    visits: VisitsSpec = VisitsSpec()
    counts: CountsSpec = CountsSpec()
    barriers: Mapping[str, str] = field(default_factory=dict)
    passages: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def days(self) -> tuple[tuple[date, date], ...]:
        """First and last day of each period; the programme was read, so they can be read."""
        return tuple(read_period(text) for text in self.periods)


@dataclass(frozen=True, slots=True)
class Project:
    """The project that pays: who, how much, how long. `start` and `approved` as precise as they are known."""

    name: str
    funder: str = ""
    budget_usd: float | None = None
    months: int | None = None
    period: str = ""
    start: Interval | None = None
    approved: Interval | None = None
    approved_by: str = ""
    status: State = "unknown"
    note: str = ""
    source: str = ""
    to_verify: str = ""


@dataclass(frozen=True, slots=True)
class Area:
    """A target area by name: no position and no boundary."""

    id: str
    name: str
    state: str = ""
    kind: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    unreviewed: tuple[str, ...] = ()
    component: str = ""
    topic: str = ""
    note: str = ""
    source: str = ""
    to_verify: str = ""


@dataclass(frozen=True, slots=True)
class Milestone:
    """A line of a work plan: `planned` as written, its dates as read, and what was `found` to have happened."""

    id: str
    activity: str
    planned: str = ""
    planned_start: Interval | None = None
    planned_end: Interval | None = None
    component: str = ""
    topic: str = ""
    found: str = ""
    status: State = "unknown"
    source: str = ""
    to_verify: str = ""

    @property
    def interval(self) -> Interval | None:
        """From the first to the last planned day; None if neither is known."""
        return between(self.planned_start, self.planned_end)


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the timeline; `date` as written."""

    date: str
    what: str
    actor: str = ""
    meeting: str = ""
    component: str = ""
    source: str = ""
    to_verify: str = ""


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """Something that the parties were asked, in the words it was asked; `about`: milestones or components."""

    id: str
    text: str
    asked_by: str = ""
    asked_of: str = ""
    about: tuple[str, ...] = ()
    topic: str = ""
    status: State = "unknown"
    source: str = ""
    to_verify: str = ""


@dataclass(frozen=True, slots=True)
class Programme:
    """programme.toml, read. `simulated` puts SIMULATED on every figure, table and file name."""

    id: str
    title: str
    seed: int
    parties: tuple[Party, ...]
    species: tuple[Species, ...]
    components: tuple[Component, ...]
    questions: tuple[Question, ...]
    languages: tuple[str, ...] = ("en",)
    simulated: bool = False
    folder: Path = Path()
    project: Project | None = None
    areas: tuple[Area, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    events: tuple[Event, ...] = ()
    open_questions: tuple[OpenQuestion, ...] = ()

    @property
    def has_register(self) -> bool:
        """Whether the programme keeps a register (project, work plan, timeline or open questions)."""
        return bool(self.project or self.milestones or self.events or self.open_questions)


def without_register(programme: Programme) -> Programme:
    """The programme as everybody may read it: what is asked of which species, where and by whom, and nothing else.

    Budgets, work plans, open questions, remarks and what is to be verified are kept between the parties.
    """
    return replace(
        programme,
        parties=tuple(replace(one, source="", to_verify="") for one in programme.parties),
        species=tuple(replace(one, note="", source="", to_verify="") for one in programme.species),
        components=tuple(_bare(component) for component in programme.components),
        project=None,
        areas=(),
        milestones=(),
        events=(),
        open_questions=(),
    )


def _bare(component: Component) -> Component:
    return replace(
        component, period="", areas=(), objective="", schedule=Schedule(), found="", note="", source="", to_verify=""
    )


def between(start: Interval | None, end: Interval | None) -> Interval | None:
    """From the first day of `start` to the last day of `end`, open where one is unknown."""
    if start is None and end is None:
        return None
    return Interval(start.first if start else date.min, end.last if end else date.max)
