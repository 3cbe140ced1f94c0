"""Before anything leaves: what would, what stays and why, what outsiders could make of it, and what it costs.

Nothing is written. Attacks run on the very tables that would leave, with the truth that only their owner has. The
curve over cell sizes puts both sides of a negotiation on one axis: how wide the joint interval becomes, and how many
stations an attacker finds.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import polars as pl
import shapely
from shapely.geometry.base import BaseGeometry

from sharedrange.assessment.node import OpenNode
from sharedrange.assessment.programme import read_geometry, read_line, read_sides
from sharedrange.assessment.sharing.releasing import Asked, Leaving, earlier_releases, what_would_leave
from sharedrange.core.errors import AgreementError
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.release import COUNT_TABLES, SURVEY_TABLES
from sharedrange.sharing.agreement import Agreement, Kind, frame_of
from sharedrange.sharing.anonymity import Known, about_areas, effective_area_km2
from sharedrange.sharing.attack import Attack, pick_out_rows, recover_stations, true_positions
from sharedrange.sharing.release import Released, Request, Withheld, names_needed, release

STATIONS = "stations"  # the attack that a release must withstand
PUBLIC = "public"  # what everybody can know of the ground: public/habitat.geojson, public/trails.geojson

Tables = Mapping[str, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Preview:
    """What would leave and what it would tell.

    `tables`: exactly what would be sealed; `manifest`: what the recipient is told of them; `withheld`: for the owner;
    `attacks`: what the built-in attackers achieve; `areas`: km2 in which an outsider has to look for each place;
    `findings`: what is doubtful; an error stops the sealing.
    """

    agreement: Agreement
    tables: Tables
    manifest: Mapping[str, object]
    withheld: tuple[Withheld, ...]
    attacks: tuple[Attack, ...]
    areas: pl.DataFrame
    findings: tuple[Finding, ...]

    @property
    def period(self) -> tuple[date, date] | None:
        """First days of the first and the last period that would leave."""
        days = [day for t in self.tables.values() if "period" in t.columns for day in t["period"].drop_nulls()]
        return (min(days), max(days)) if days else None


def preview(folder: Path | str, asked: Asked, *, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Preview:
    """Look at a release before it is made. Nothing is written.

    Raises ProgrammeError, InputError and AgreementError with every reason why nothing may leave at all.
    """
    return look_at(what_would_leave(folder, asked, random_bytes=random_bytes))


def look_at(leaving: Leaving) -> Preview:
    """What a release would tell; its findings hold an error where it must not leave as it is."""
    tables, known = leaving.released.tables, known_of(leaving.ground.node, leaving.agreement.owner, leaving)
    earlier = earlier_releases(leaving.ground, leaving.agreement)
    areas = effective_area_km2(tables, leaving.agreement.named_grid, known, earlier)
    attacks = tuple(_attacks(leaving, leaving.released, known, earlier))
    found = [*_about_areas(leaving, areas), *_about_attacks(attacks)]
    return Preview(
        leaving.agreement,
        tables,
        leaving.released.manifest,
        leaving.released.withheld,
        attacks,
        areas,
        tuple(found),
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One size of cells on the curve: what attackers achieve, and how many stations would leave."""

    cell: float
    stations: int
    attack: Attack | None


def attack_curve(leaving: Leaving, asked: Asked) -> tuple[Step, ...]:
    """What the station attack achieves for each size of the agreement's grid, all else as agreed.

    The pseudonyms do not matter here; they are those of the preview.
    """
    known = known_of(leaving.ground.node, leaving.agreement.owner, leaving)
    return tuple(_step(leaving, asked, known, cell) for cell in leaving.agreement.grid.sizes)


def _step(leaving: Leaving, asked: Asked, known: Known, cell: float) -> Step:
    rules = tuple(replace(rule, cell=cell) if rule.cell is not None else rule for rule in leaving.agreement.rules)
    agreement = replace(leaving.agreement, rules=rules)
    standing = leaving.ground.standing(leaving.agreement)
    request = Request(asked.recipient, asked.purpose, asked.on)
    pseudonyms = leaving.pseudonyms.with_names(names_needed(leaving.content, agreement))
    try:
        released = release(leaving.content, agreement, request, standing, pseudonyms)
    except AgreementError:
        return Step(cell, 0, None)  # every station is alone in its cell
    attacks = list(_attacks(replace(leaving, agreement=agreement, pseudonyms=pseudonyms), released, known, ()))
    stations = released.tables["stations"].height if "stations" in released.tables else 0
    return Step(cell, stations, attacks[0] if attacks else None)


def known_of(node: OpenNode, party: str, leaving: Leaving) -> Known:
    """What everybody can know of where a party's stations are: its side, and what lies in ``public/``.

    A programme that draws no side for the party declares the ground around the released cells.
    """
    sides = [
        polygons[party]
        for component in node.programme.components
        if party in (polygons := read_sides(component, node.folder).polygons)
    ]
    declared = shapely.union_all(sides) if sides else _around(leaving.released.tables)
    folder, habitat, trails = node.folder, f"{PUBLIC}/habitat.geojson", f"{PUBLIC}/trails.geojson"
    area = read_geometry(habitat, folder) if (folder / habitat).is_file() else None
    lines = shapely.get_parts(read_line(trails, folder)) if (folder / trails).is_file() else ()
    return Known(declared, area, trails=tuple(lines))


def _around(tables: Tables) -> BaseGeometry:
    """The hull of all cells that would leave."""
    cells = [
        shapely.box(x - cell / 2, y - cell / 2, x + cell / 2, y + cell / 2)
        for name in ("stations", "visits")
        if name in tables
        for x, y, cell in tables[name].select("x", "y", "cell").drop_nulls().unique().iter_rows()
    ]
    hull: BaseGeometry = shapely.convex_hull(shapely.union_all(cells)) if cells else shapely.box(-180, -90, 180, 90)
    return hull


def _attacks(leaving: Leaving, released: Released, known: Known, earlier: Sequence[Tables]) -> Iterator[Attack]:
    """The attacks that this kind of release invites."""
    grid, tables, survey = leaving.agreement.named_grid, released.tables, leaving.content.survey
    placed = survey is not None and "stations" in tables and tables["stations"]["cell"].drop_nulls().len() > 0
    if survey is not None and placed:
        truth = true_positions(survey, tables, leaving.pseudonyms, grid)
        told = {**tables, "stations": tables["stations"].filter(pl.col("cell").is_not_null())}
        yield recover_stations(told, grid, known, truth, earlier=earlier)
        yield recover_stations(told, grid, known, truth, earlier=earlier, against="cells")
    yield pick_out_rows(tables)


def _about_areas(leaving: Leaving, areas: pl.DataFrame) -> Iterator[Finding]:
    frames = [frame_of(leaving.agreement, kind) for kind in _kinds(leaving.released.tables)]
    least = max((frame.least_area_km2 for frame in frames if frame is not None), default=0.0)
    yield from about_areas(areas, least)


def _kinds(tables: Tables) -> Iterator[Kind]:
    if set(tables) & set(SURVEY_TABLES):
        yield "survey"
    if set(tables) & set(COUNT_TABLES):
        yield "counts"


def _about_attacks(attacks: tuple[Attack, ...]) -> Iterator[Finding]:
    """A station attack that finds more than 5 points above guessing stops a release; the others are told."""
    for attack in attacks:
        if not attack.certified:
            facts: dict[str, Fact] = {
                "attack": attack.name,
                "success_pct": round(100 * attack.success, 1),
                "chance_pct": round(100 * attack.chance, 1),
                "n": attack.n,
            }
            stops = attack.name == STATIONS
            yield Finding(
                f"release-attacked-{attack.name}", facts, severity=Severity.ERROR if stops else Severity.WARNING
            )
