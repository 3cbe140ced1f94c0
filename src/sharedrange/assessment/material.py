"""What a question is answered from: surveys, identities, windows and masks, each made when first needed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl
import shapely

from sharedrange.assessment.crossings import Told, crossings_in, most_shared
from sharedrange.assessment.node import Delivered, OpenNode
from sharedrange.assessment.programme import Component, Programme, Question, Species, read_geometry, read_sides
from sharedrange.assessment.programme.points import read_points
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.answer import Refusal
from sharedrange.core.common_time import about_window, common_window
from sharedrange.core.contents import Crossings, SiteCounts
from sharedrange.core.errors import NotEnoughData, ProgrammeError
from sharedrange.core.files import sha256_of
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.history import CaptureHistory
from sharedrange.core.individuals import Concordance, Link, LocalIndividual, Partition, Verdict
from sharedrange.core.places import Floats, Mask, Projection, Sides, equal_area
from sharedrange.core.release import JOINT
from sharedrange.core.survey import Survey
from sharedrange.core.when import Window
from sharedrange.population.crossed import Crossing
from sharedrange.population.encounters import encounters, known_flanks, local_individuals
from sharedrange.population.histories import OneFlank, capture_histories
from sharedrange.population.masks import clip_to_side, make_mask
from sharedrange.records import concordance

_YEAR = re.compile(r"\d{4}")


def _in_years(day: date) -> float:
    """A day as a number of years: 2024.5 is the middle of 2024."""
    start, end = date(day.year, 1, 1), date(day.year + 1, 1, 1)
    return day.year + (day - start).days / (end - start).days


def _with_visits(counts: SiteCounts, visits: pl.DataFrame) -> SiteCounts:
    return replace(counts, visits=visits, counts=counts.counts.join(visits, on="visit", how="semi"))


def species_of(programme: Programme, key: str) -> Species:
    """The species with this key; the programme was read, so it exists."""
    return next(s for s in programme.species if s.key == key)


def component_of(programme: Programme, key: str) -> Component:
    """The component with this id; the programme was read, so it exists."""
    return next(c for c in programme.components if c.id == key)


@dataclass(frozen=True)
class Material:
    """The material of one question. Every property is made when first asked for, and once."""

    node: OpenNode
    question: Question
    surveys: Surveys = field(repr=False)

    @cached_property
    def component(self) -> Component:
        """The component that the question belongs to."""
        return component_of(self.node.programme, self.question.component)

    @cached_property
    def species(self) -> Species:
        """The species that the question is about."""
        return species_of(self.node.programme, self.question.species)

    @cached_property
    def taxa(self) -> frozenset[str]:
        """Every scientific name under which deliveries may list the species."""
        return frozenset({self.species.taxon, *self.species.aliases})

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Parties of the component, in the programme's order."""
        return self.component.parties or tuple(p.id for p in self.node.programme.parties)

    @cached_property
    def deliveries(self) -> tuple[Delivered, ...]:
        """The deliveries that the question is answered from."""
        asked = self.question.datasets
        return tuple(d for d in self.node.deliveries if d.party in self.members and (not asked or d.dataset in asked))

    @cached_property
    def parties(self) -> tuple[str, ...]:
        """Parties of the component that delivered something, in the programme's order."""
        delivered = {d.party for d in self.deliveries}
        return tuple(p for p in self.members if p in delivered)

    @cached_property
    def about_parties(self) -> tuple[Finding, ...]:
        """A warning for each party of the component without data: nothing is said about its side."""
        absent = [p for p in self.component.parties if p not in self.watching]
        return tuple(self._about_absent(p) for p in absent if p in self.component.sides)

    def _about_absent(self, party: str) -> Finding:
        facts: dict[str, Fact] = {"party": party, "component": self.component.id}
        if not self.surveys_of([party], all_taxa=True):
            return Finding("party-without-data", facts, severity=Severity.WARNING)
        return Finding("party-without-species", facts | {"taxon": self.species.taxon}, severity=Severity.WARNING)

    @cached_property
    def watching(self) -> tuple[str, ...]:
        """Parties that delivered a survey with detectors: numbers of animals may be told for their sides."""
        return tuple(p for p in self.parties if self.surveys_of([p]))

    def surveys_of(self, parties: Iterable[str], *, all_taxa: bool = False) -> tuple[Survey, ...]:
        """The surveys that these parties delivered: that tell of the species, or of `all_taxa`."""
        wanted = set(parties)
        surveys = (self.surveys.of(d, None if all_taxa else self.taxa) for d in self.deliveries if d.party in wanted)
        return tuple(s for s in surveys if s is not None and (all_taxa or s.tells_of(self.taxa)))

    @cached_property
    def site_counts(self) -> tuple[SiteCounts, ...]:
        """The counts at sites that were delivered, of all taxa."""
        counts = (self.surveys.counts(delivered) for delivered in self.deliveries)
        return tuple(one for one in counts if one is not None)

    def counts_by(self, methods: Collection[str] = ()) -> tuple[SiteCounts, ...]:
        """The counts of visits on the question's days, made by one of `methods` (empty: by any)."""
        question, zone = self.question, self.component.occasion_timezone
        asked = pl.col("method").is_in(list(methods)) if methods else pl.lit(value=True)
        if question.start and question.end:
            day = pl.col("start").dt.convert_time_zone(zone).dt.date()
            asked &= day.is_between(question.start, question.end)
        return tuple(_with_visits(one, one.visits.filter(asked)) for one in self.site_counts)

    @cached_property
    def sides(self) -> Sides:
        """Whose side is where, in the frame that positions are kept in."""
        return read_sides(self.component, self.node.folder)

    @cached_property
    def projection(self) -> Projection:
        """The projection in which the component is computed."""
        if self.component.projection != "auto":
            return Projection(self.component.projection)
        surveys, counts = self.surveys_of(self.parties), self.site_counts
        frames = {*(survey.frame for survey in surveys), *(one.frame for one in counts)}
        local = {frame for frame in frames if frame.startswith("local:")}
        if local:
            return Projection(min(local))
        if self.sides.polygons:
            west, south, east, north = shapely.total_bounds(list(self.sides.polygons.values()))
            return equal_area((west + east) / 2, (south + north) / 2)
        places = pl.concat([*(s.deployments.select("x", "y") for s in surveys), *(c.visits["x", "y"] for c in counts)])
        return equal_area(float(places["x"].mean()), float(places["y"].mean()))  # type: ignore[arg-type]  # f64

    @cached_property
    def asked_windows(self) -> tuple[Window, ...]:
        """The windows that the question asks for: one a period; a single one, open where the question does not say."""
        question, zone = self.question, self.component.occasion_timezone
        if question.periods:
            return tuple(Window(first, last, zone) for first, last in question.days)
        return (Window(question.start, question.end, zone, question.sessions),)

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """The closure windows common to all parties, one each asked window.

        Raises NotEnoughData where nobody delivered a survey, or the parties share no time in one of them.
        """
        surveys = self.surveys_of(self.parties)
        if not surveys:
            raise NotEnoughData(Refusal(self.question.id, {"surveys": 0}, {"surveys": 1}, (), self.about_parties))
        return tuple(common_window(surveys, asked, self.question.id) for asked in self.asked_windows)

    @cached_property
    def about_window(self) -> tuple[Finding, ...]:
        """What the closure windows cost: how they differ from those asked."""
        surveys = self.surveys_of(self.parties)
        pairs = zip(self.asked_windows, self.windows, strict=True)
        return tuple(finding for asked, used in pairs for finding in about_window(surveys, asked, used))

    @cached_property
    def period_names(self) -> tuple[str, ...]:
        """What each period is called: the year in which it ends, or the period itself where two end in one year."""
        years = [str(last.year) for _, last in self.question.days]
        return tuple(years if len(set(years)) == len(years) else self.question.periods)

    @cached_property
    def _session_names(self) -> dict[str, str]:
        """Label of a window -> what its period is called; empty where the question names no periods."""
        return {w.label: name for w, name in zip(self.windows, self.period_names, strict=False)}

    @cached_property
    def times(self) -> tuple[float, ...]:
        """When each period was, in years; of sessions that are called by years, the years. Else empty."""
        if self.question.periods:
            return tuple(_in_years(first + (last - first) / 2) for first, last in self.question.days)
        names = [label for window in self.windows for label in window.labels]
        return tuple(float(n) for n in names) if all(_YEAR.fullmatch(n) for n in names) else ()

    def decisions(self, parties: frozenset[str]) -> Concordance:
        """The decisions in force about this species among the catalogues of `parties`, and joint ids in releases."""
        decided = decisions_among(self.node, self.taxa, parties)
        return with_joint_ids(decided, self._released_animals(parties)) if len(parties) > 1 else decided

    def _released_animals(self, parties: frozenset[str]) -> tuple[LocalIndividual, ...]:
        """The animals in releases of these parties: only there does one go by a joint id."""
        released = (d for d in self.deliveries if d.party in parties and d.source.released_under)
        surveys = (self.surveys.of(delivered, self.taxa) for delivered in released)
        return local_individuals([survey for survey in surveys if survey is not None], self.taxa)

    def partition(self, parties: frozenset[str]) -> Partition:
        """Who is who, for somebody who sees only `parties`."""
        individuals = local_individuals(self.surveys_of(parties), self.taxa)
        return self.decisions(parties).partition(individuals)

    def encounters(self, parties: frozenset[str]) -> pl.DataFrame:
        """Encounters of what `parties` saw in the closure windows."""
        surveys, partition = self.surveys_of(parties), self.partition(parties)
        met = pl.concat([encounters(surveys, partition, window, self.taxa) for window in self.windows])
        return met.with_columns(pl.col("session").replace(self._session_names))

    def crossings(self, parties: frozenset[str]) -> tuple[tuple[Crossing, ...], tuple[Finding, ...]]:
        """What `parties` told of animals that they share without telling which, and where that cannot be used."""
        told = self._told(parties)
        return crossings_in(told, self.taxa, self.windows, parties) if told else ((), ())

    def _told(self, parties: frozenset[str]) -> list[Told]:
        """What several parties delivered, with crossings where it is a release; nothing where none of it is."""
        asked = [delivered for delivered in self.deliveries if delivered.party in parties]
        if len(parties) < 2 or not any(delivered.source.released_under for delivered in asked):
            return []
        return [Told(d.party, self.surveys.of(d, self.taxa), self._released_crossings(d)) for d in asked]

    def _released_crossings(self, delivered: Delivered) -> Crossings | None:
        return self.surveys.crossings(delivered) if delivered.source.released_under else None

    def flanks(self, parties: frozenset[str]) -> pl.DataFrame:
        """Which flanks each of `parties` knows of each animal, from all its data."""
        return known_flanks(self.surveys_of(parties), self.partition(parties), self.taxa)

    def histories(
        self, parties: frozenset[str], one_flank: OneFlank = "larger"
    ) -> tuple[tuple[CaptureHistory, ...], tuple[Finding, ...]]:
        """Capture histories of what `parties` saw, one a session or period; see `capture_histories`.

        Raises InputError for animals caught where nobody watched, NotEnoughData where none of `parties` watched.
        """
        windows, surveys = self.windows, self.surveys_of(parties)
        if not surveys:
            raise NotEnoughData(Refusal(self.question.id, {"surveys": 0}, {"surveys": 1}, (), self.about_parties))
        histories, findings = capture_histories(
            surveys,
            self.partition(parties),
            windows,
            self.taxa,
            self.question.life_stages,
            self.projection,
            count_unknown_stage=self.question.count_unknown_stage,
            one_flank=one_flank,
        )
        histories = tuple(replace(h, session=self._session_names.get(h.session, h.session)) for h in histories)
        return histories, (*self.about_parties, *self.about_window, *self._about_unlinked(parties), *findings)

    def _about_unlinked(self, parties: frozenset[str]) -> tuple[Finding, ...]:
        """A warning where animals are known to two parties and nobody told which: each is two in a joint fit."""
        n = most_shared(self._told(parties), self.taxa, parties)
        return (Finding("crossings-not-in-fit", {"n": n}, severity=Severity.WARNING),) if n else ()

    def mask(self, histories: tuple[CaptureHistory, ...], clipped_to: str = "") -> tuple[Mask, tuple[Finding, ...]]:
        """The habitat mask around the detectors of `histories`, on the side of `clipped_to` only if given.

        Raises NotEnoughData where detectors have no places: an agreement may let animals leave without them.
        """
        spec, folder = self.question.mask, self.node.folder
        self._require_places(histories)
        mask, findings = make_mask(
            histories,
            self.projection,
            self._ground(),
            buffer_m=spec.buffer_m,
            spacing_m=spec.spacing_m,
            polygon=read_geometry(spec.polygon, folder) if spec.polygon else None,
            points=self._points(spec.points) if spec.points else None,
        )
        return (clip_to_side(mask, clipped_to) if clipped_to else mask), findings

    def _require_places(self, histories: tuple[CaptureHistory, ...]) -> None:
        n = sum(history.detectors.height for history in histories)
        placed = n - sum(history.detectors["x_m"].null_count() for history in histories)
        if placed < n:
            have, need = {"detectors_with_places": placed}, {"detectors_with_places": n}
            raise NotEnoughData(Refusal(self.question.id, have, need, ("population.closed", "population.minimum")))

    def _ground(self) -> Sides:
        """Whose each place is. Without sides all ground is that of the one party.

        Raises ProgrammeError if a party that delivered has no side, and is not alone without any.
        """
        if len(self.watching) == 1 and not self.sides.polygons:
            return Sides({self.watching[0]: shapely.box(-np.inf, -np.inf, np.inf, np.inf)})
        without = [party for party in self.watching if party not in self.sides.polygons]
        if without:
            facts = {"component": self.component.id, "parties": ", ".join(without)}
            raise ProgrammeError(
                [Finding("sides-missing", facts, Where("programme.toml", "components", field="sides"))]
            )
        return self.sides

    def _points(self, name: str) -> tuple[Floats, Floats]:
        """Points of a mask file with the columns x and y, in the kept frame. Raises as `read_points`."""
        where = Where("programme.toml", f"questions.{self.question.id}.mask")
        x, y = read_points(name, self.node.folder, where)[0].T
        return x, y

    def mask_files(self) -> dict[str, str]:
        """Hashes of the files that the mask is made from."""
        named = {"points_sha256": self.question.mask.points, "polygon_sha256": self.question.mask.polygon}
        files = {key: self.node.folder / name for key, name in named.items() if name}
        return {key: sha256_of(file) for key, file in files.items() if file.is_file()}


def decisions_among(node: OpenNode, taxa: frozenset[str], parties: frozenset[str]) -> Concordance:
    """The decisions in force about `taxa`, as those see them who see `parties`.

    Several parties use every decision: a chain that makes two of their animals one may lead through a third
    party's catalogue. Who sees one party only knows its animals by its own codes and decisions: what was
    decided between parties, joint ids too, must not change what a party alone would have said.
    """
    in_force, _ = concordance(node.records, taxa)
    if len(parties) > 1:
        return in_force
    return Concordance(tuple(link for link in in_force.links if {link.a.party, link.b.party} <= parties))


def with_joint_ids(decided: Concordance, released: Iterable[LocalIndividual]) -> Concordance:
    """Decisions, and what releases say: animals that go by one joint id are one, and the one that has it here.

    No record is needed. That they are one was decided when the id was given; a release under it says so again. What
    was decided here about two of them goes before it.
    """
    told = {who: who.code for who in released if who.catalogue == JOINT}
    named = {**decided.joint_ids, **told}
    members: dict[str, list[LocalIndividual]] = {joint: [] for joint in told.values()}
    for who, joint in sorted(named.items()):
        if joint in members:
            members[joint].append(who)
    judged = {link.pair for link in decided.links}
    implied = (Link(a, b, Verdict.SAME, evidence=JOINT) for group in members.values() for a, b in pairwise(group))
    return Concordance((*decided.links, *(link for link in implied if link.pair not in judged)), named)
