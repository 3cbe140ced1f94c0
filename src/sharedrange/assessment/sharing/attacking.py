"""What the built-in attackers achieve on what would leave, alone and beside what left before.

They run on the very tables that would leave, with the truth that only their owner has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl
import shapely
from shapely.geometry.base import BaseGeometry

from sharedrange.assessment.node import OpenNode
from sharedrange.assessment.programme import read_geometry, read_line, read_sides
from sharedrange.assessment.sharing.earlier import Left
from sharedrange.assessment.sharing.releasing import Leaving
from sharedrange.core.release import JOINT, RESOLUTIONS, SURVEY_TABLES
from sharedrange.sharing.anonymity import Known, Tables
from sharedrange.sharing.attack import (
    ENOUGH,
    Attack,
    Stood,
    changes_between,
    compare_successive,
    link_individuals,
    link_stations,
    pick_out_rows,
    recover_stations,
    resolution_told,
    same_places,
    true_positions,
)
from sharedrange.sharing.pseudonyms import Pseudonyms

STATIONS = "stations"  # the attack that a release must withstand
SAMPLES = "samples"  # the same, on where samples were found
TOGETHER = "stations-together"  # the same, by somebody who has what left for others too
PUBLIC = "public"  # what everybody can know of the ground: public/habitat.geojson, public/trails.geojson

Owned = tuple[str, str]  # an animal as its owner calls it: catalogue and code


@dataclass(frozen=True, slots=True)
class Beside:
    """What is found by who lays a release beside the newest one of another agreement."""

    agreement: str
    recipient: str
    on: str
    attacks: tuple[Attack, ...]


def attacks_on(leaving: Leaving, known: Known, places: Mapping[str, Stood], held: Tables) -> Iterator[Attack]:
    """The attacks that this kind of release invites. `held`: the cells that its readers were told of before."""
    tables = leaving.released.tables
    if told := _placed(tables):
        grid, truth = leaving.agreement.named_grid, true_positions(places)
        yield recover_stations(told, grid, known, truth, earlier=[held])
        yield recover_stations(told, grid, known, truth, earlier=[held], against="cells")
    if told := _sampled(tables):
        attack = recover_stations(told, leaving.agreement.named_grid, known, true_positions(places), earlier=[held])
        yield replace(attack, name=SAMPLES)
    yield pick_out_rows(tables)


def attack_together(leaving: Leaving, known: Known, places: Mapping[str, Stood], cells: Tables) -> Iterator[Attack]:
    """The station attack by readers of several agreements who lay all together that was ever told."""
    if told := _placed(leaving.released.tables):
        grid = leaving.agreement.named_grid
        attack = recover_stations(told, grid, known, true_positions(places), earlier=[cells])
        yield replace(attack, name=TOGETHER)


def attacks_since(leaving: Leaving, before: Tables) -> Iterator[Attack]:
    """What totals by cell tell of what was added since the agreement's last release."""
    if changes := changes_between(before, leaving.released.tables):
        yield compare_successive(changes)


def attacks_beside(leaving: Leaving, places: Mapping[str, Stood], other: Left) -> Beside:
    """How many stations and animals are linked with the release of another agreement, and told by it."""
    mine, theirs = leaving.released.tables, other.tables()
    attacks: list[Attack] = []
    if all(name in tables for name in SURVEY_TABLES for tables in (mine, theirs)):
        resolution = max(resolution_told(mine), resolution_told(theirs), key=RESOLUTIONS.index)
        same = _same_animals(leaving, theirs["encounters"], other.pseudonyms)
        stations = same_places(places, other.places)
        attacks += [
            link_stations(mine, theirs, stations, max(ENOUGH, resolution, key=RESOLUTIONS.index)),
            link_individuals(mine, theirs, same, resolution),
        ]
    return Beside(other.agreement, other.recipient, other.on, tuple(attack for attack in attacks if attack.n))


def known_of(node: OpenNode, party: str, tables: Tables) -> Known:
    """What everybody can know of where a party's stations are: its side, and what lies in ``public/``.

    A programme that draws no side for the party declares the ground around the released cells.
    """
    sides = [
        polygons[party]
        for component in node.programme.components
        if party in (polygons := read_sides(component, node.folder).polygons)
    ]
    declared = shapely.union_all(sides) if sides else _around(tables)
    folder, habitat, trails = node.folder, f"{PUBLIC}/habitat.geojson", f"{PUBLIC}/trails.geojson"
    area = read_geometry(habitat, folder) if (folder / habitat).is_file() else None
    lines = shapely.get_parts(read_line(trails, folder)) if (folder / trails).is_file() else ()
    return Known(declared, area, trails=tuple(lines))


def _around(tables: Tables) -> BaseGeometry:
    """The hull of all cells that would leave."""
    cells = [
        shapely.box(x - cell / 2, y - cell / 2, x + cell / 2, y + cell / 2)
        for name in ("stations", "visits", "samples")
        if name in tables
        for x, y, cell in tables[name].select("x", "y", "cell").drop_nulls().unique().iter_rows()
    ]
    hull: BaseGeometry = shapely.convex_hull(shapely.union_all(cells)) if cells else shapely.box(-180, -90, 180, 90)
    return hull


def _placed(tables: Tables) -> dict[str, pl.DataFrame]:
    """The tables with the stations that have a cell; nothing where none has."""
    stations = tables["stations"].filter(pl.col("cell").is_not_null()) if "stations" in tables else pl.DataFrame()
    return {**tables, "stations": stations} if stations.height else {}


def _sampled(tables: Tables) -> dict[str, pl.DataFrame]:
    """The samples that have a cell, each as the station that it would be; nothing where none has."""
    samples = tables["samples"].drop_nulls("cell") if "samples" in tables else pl.DataFrame()
    return {"stations": samples.rename({"sample": "station"})} if samples.height else {}


def _same_animals(leaving: Leaving, theirs: pl.DataFrame, pseudonyms: Pseudonyms) -> dict[str, str]:
    """Which name of an animal in this release is which in another's encounters, made with other pseudonyms."""
    mine = leaving.released.tables["encounters"]
    taxa = {*mine["taxon"].drop_nulls(), *theirs["taxon"].drop_nulls()}
    joint = {name: (who.catalogue, who.code) for who, name in sorted(leaving.ground.joint_ids(taxa).items())}
    called = {owned: name for name, owned in sorted(_animals(theirs, pseudonyms, joint).items())}
    animals = _animals(mine, leaving.pseudonyms, joint)
    return {name: called[owned] for name, owned in animals.items() if owned in called}


def _animals(encounters: pl.DataFrame, pseudonyms: Pseudonyms, joint: Mapping[str, Owned]) -> dict[str, Owned]:
    """What the owner calls each animal that a release names: by a pseudonym, a joint id or its code."""
    minted = {name: (owned[2], owned[3]) for owned, name in pseudonyms.names.items() if owned[0] == "individual"}
    rows = encounters.select("individual", "catalogue").drop_nulls("individual").unique()
    return {
        name: minted.get(name) or (joint.get(name, (JOINT, name)) if catalogue == JOINT else (catalogue or "", name))
        for name, catalogue in rows.iter_rows()
    }
