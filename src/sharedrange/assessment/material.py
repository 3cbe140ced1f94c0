"""What a question is answered from: surveys, identities, windows and masks, each made when first needed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
import shapely

from sharedrange.assessment.node import Delivered, OpenNode
from sharedrange.assessment.programme import Component, Programme, Question, Species, read_geometry, read_sides
from sharedrange.assessment.programme.sides import file_inside
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.errors import InputError, ProgrammeError
from sharedrange.core.files import sha256_of
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.core.history import CaptureHistory
from sharedrange.core.individuals import Concordance, Partition
from sharedrange.core.places import Floats, Mask, Projection, Sides, equal_area
from sharedrange.core.survey import Survey
from sharedrange.core.when import Window, about_window, common_window
from sharedrange.population.encounters import encounters, known_flanks, local_individuals
from sharedrange.population.histories import capture_histories
from sharedrange.population.masks import clip_to_side, make_mask
from sharedrange.records import concordance


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
        absent = [p for p in self.component.parties if p not in self.parties]
        facts = [{"party": p, "component": self.component.id} for p in absent if p in self.component.sides]
        return tuple(Finding("party-without-data", f, severity=Severity.WARNING) for f in facts)

    def surveys_of(self, parties: Iterable[str], *, all_taxa: bool = False) -> tuple[Survey, ...]:
        """The surveys that these parties delivered: of the species, or of `all_taxa`."""
        wanted = set(parties)
        surveys = (self.surveys.of(d, None if all_taxa else self.taxa) for d in self.deliveries if d.party in wanted)
        return tuple(survey for survey in surveys if survey is not None)

    @cached_property
    def sides(self) -> Sides:
        """Whose side is where, in the frame that positions are kept in."""
        return read_sides(self.component, self.node.folder)

    @cached_property
    def projection(self) -> Projection:
        """The projection in which the component is computed."""
        if self.component.projection != "auto":
            return Projection(self.component.projection)
        surveys = self.surveys_of(self.parties)
        local = {s.frame for s in surveys if s.frame.startswith("local:")}
        if local:
            return Projection(min(local))
        if self.sides.polygons:
            west, south, east, north = shapely.total_bounds(list(self.sides.polygons.values()))
            return equal_area((west + east) / 2, (south + north) / 2)
        places = pl.concat([s.deployments.select("x", "y") for s in surveys])
        return equal_area(float(places["x"].mean()), float(places["y"].mean()))  # type: ignore[arg-type]  # f64

    @cached_property
    def asked_window(self) -> Window:
        """The window that the question asks for; open where it does not say."""
        question = self.question
        return Window(question.start, question.end, self.component.occasion_timezone, question.sessions)

    @cached_property
    def window(self) -> Window:
        """The closure window common to all parties. Raises NotEnoughData if they share no time."""
        return common_window(self.surveys_of(self.parties), self.asked_window, self.question.id)

    @cached_property
    def about_window(self) -> tuple[Finding, ...]:
        """What the closure window cost: how it differs from the one asked."""
        return about_window(self.surveys_of(self.parties), self.asked_window, self.window)

    def decisions(self, parties: frozenset[str]) -> Concordance:
        """The decisions in force about this species among the catalogues of `parties`."""
        return decisions_among(self.node, self.taxa, parties)

    def partition(self, parties: frozenset[str]) -> Partition:
        """Who is who, for somebody who sees only `parties`."""
        individuals = local_individuals(self.surveys_of(parties), self.taxa)
        return self.decisions(parties).partition(individuals)

    def encounters(self, parties: frozenset[str]) -> pl.DataFrame:
        """Encounters of what `parties` saw in the closure window."""
        surveys = self.surveys_of(parties)
        return encounters(surveys, self.partition(parties), self.window, self.taxa)

    def flanks(self, parties: frozenset[str]) -> pl.DataFrame:
        """Which flanks each of `parties` knows of each animal, from all its data."""
        return known_flanks(self.surveys_of(parties), self.partition(parties), self.taxa)

    def histories(self, parties: frozenset[str]) -> tuple[tuple[CaptureHistory, ...], tuple[Finding, ...]]:
        """Capture histories of what `parties` saw. Raises InputError for animals caught where nobody watched."""
        histories, findings = capture_histories(
            self.surveys_of(parties),
            self.partition(parties),
            self.window,
            self.taxa,
            self.question.life_stages,
            self.projection,
            count_unknown_stage=self.question.count_unknown_stage,
        )
        return histories, (*self.about_parties, *self.about_window, *findings)

    def mask(self, histories: tuple[CaptureHistory, ...], clipped_to: str = "") -> tuple[Mask, tuple[Finding, ...]]:
        """The habitat mask around the detectors of `histories`, on the side of `clipped_to` only if given."""
        spec, folder = self.question.mask, self.node.folder
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

    def _ground(self) -> Sides:
        """Whose each place is. Without sides all ground is that of the one party.

        Raises ProgrammeError if a party that delivered has no side, and is not alone without any.
        """
        if len(self.parties) == 1 and not self.sides.polygons:
            return Sides({self.parties[0]: shapely.box(-np.inf, -np.inf, np.inf, np.inf)})
        without = [party for party in self.parties if party not in self.sides.polygons]
        if without:
            facts = {"component": self.component.id, "parties": ", ".join(without)}
            raise ProgrammeError(
                [Finding("sides-missing", facts, Where("programme.toml", "components", field="sides"))]
            )
        return self.sides

    def _points(self, name: str) -> tuple[Floats, Floats]:
        """Points of a mask file with the columns x and y, in the kept frame.

        Raises InputError with every line that holds no two numbers.
        """
        file = file_inside(name, self.node.folder, Where("programme.toml", f"questions.{self.question.id}.mask"))
        points, wrong = [], []
        lines = csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig", errors="replace")))
        missing = sorted({"x", "y"} - set(lines.fieldnames or ()))
        if missing:
            raise InputError([Finding("missing-column", {"column": c, "table": name}, Where(name)) for c in missing])
        for line in lines:
            try:
                points.append((float(line["x"]), float(line["y"])))
            except (TypeError, ValueError):
                wrong.append(Finding("mask-point", {}, Where(name, row=lines.line_num)))
        if wrong:
            raise InputError(wrong)
        x, y = np.array(points, dtype=float).reshape(-1, 2).T
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
