"""Which tables the store keeps, how a delivery becomes them and comes out again, and where their files lie."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from sharedrange.core.canonical import digest
from sharedrange.core.contents import (
    ALLELES,
    COUNTS,
    FIXES,
    PATROL_OBSERVATIONS,
    PATROLS,
    PROPOSALS,
    SAMPLES,
    VISITS,
    Crossings,
    Delivered,
    Genotypes,
    Patrols,
    Proposals,
    SiteCounts,
    Tracks,
)
from sharedrange.core.release import CROSSINGS
from sharedrange.core.survey import BOXES, DEPLOYMENTS, EFFORT, MEDIA, OBSERVATIONS, UTC, Survey

ROW = "row"  # column of the files: the place of a row in its table as delivered
NOTES = "notes"  # what the reader of a delivery says about it, a file beside its tables
NO_YEAR = 0  # the year of rows without a date
HASH_LENGTH = 16
LONGEST_NAME = 60  # characters of a party or dataset in a path; up to 240 bytes, where 255 are allowed
_YEAR, _PLACE = " year", " place"  # beginning with a space, as no column of a table does
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|=%]|^\.')


@dataclass(frozen=True, slots=True)
class Kept:
    """A table as the store keeps it.

    `part`, `field`: where it stands in a delivery; `time`: the column whose year (UTC) says into which folder a
    row goes; `order`: how rows are sorted within a file, so that whole row groups can be passed over; `key`: the
    column that names a row, which no other delivery of the dataset may have too.
    """

    name: str
    schema: pl.Schema
    part: str
    field: str
    time: str = ""
    order: tuple[str, ...] = ()
    key: str = ""


TABLES: Mapping[str, Kept] = {
    kept.name: kept
    for kept in (
        Kept("deployments", DEPLOYMENTS, "survey", "deployments", "start", ("deployment",)),
        Kept("effort", EFFORT, "survey", "effort", "start", ("deployment", "start", "session", "occasion")),
        Kept("media", MEDIA, "survey", "media", "taken", ("deployment", "taken"), "media"),
        Kept("boxes", BOXES, "survey", "boxes", "", ("media",)),
        Kept("observations", OBSERVATIONS, "survey", "observations", "start", ("deployment", "start"), "observation"),
        Kept("visits", VISITS, "counts", "visits", "start", ("site", "start"), "visit"),
        Kept("counts", COUNTS, "counts", "counts", "", ("visit", "taxon")),
        Kept("fixes", FIXES, "tracks", "fixes", "at", ("animal", "at")),
        Kept("samples", SAMPLES, "genotypes", "samples", "taken", ("sample",), "sample"),
        Kept("alleles", ALLELES, "genotypes", "alleles", "", ("sample", "locus")),
        Kept("patrols", PATROLS, "patrols", "patrols", "start", ("patrol",), "patrol"),
        Kept(
            "patrol_observations", PATROL_OBSERVATIONS, "patrols", "observations", "at", ("patrol", "at"), "observation"
        ),
        Kept("proposals", PROPOSALS, "proposals", "proposals", "", ("media",)),
        Kept("crossings", CROSSINGS, "crossings", "seasons", "", ("taxon", "partner")),
    )
}
"""The tables of deliveries. Deployments have no key here: a trap of an earlier season may be delivered again."""

EVENTS = pl.Schema(
    {
        # Independent events of a taxon at a station: one row an event; of undated surveys one row an occasion.
        "source": pl.String(),
        "station": pl.String(),
        "taxon": pl.String(),
        "start": UTC,  # of the first record; null in an undated survey
        "end": UTC,
        "session": pl.String(),
        "occasion": pl.Int32(),
        "events": pl.Int64(),  # that the row stands for: 1; of undated surveys the counts as delivered
        "records": pl.Int64(),
        "gap_s": pl.Int64(),  # seconds since the record before at this station of this taxon; null for the first
        "in_effort": pl.Boolean(),  # whether the station watched then, by its own record
    }
)
CAPTURES = pl.Schema(
    {
        # Encounters of identified animals at a deployment, by the same rule.
        "source": pl.String(),
        "station": pl.String(),
        "deployment": pl.String(),
        "catalogue": pl.String(),
        "individual": pl.String(),
        "taxon": pl.String(),
        "start": UTC,
        "session": pl.String(),
        "occasion": pl.Int32(),
        "events": pl.Int64(),
        "gap_s": pl.Int64(),
    }
)
WATCHED = pl.Schema(
    {
        # When a station watched: disjoint spans; of undated surveys one row an occasion with its effort.
        "source": pl.String(),
        "station": pl.String(),
        "start": UTC,
        "end": UTC,
        "session": pl.String(),
        "occasion": pl.Int32(),
        "effort": pl.Float64(),
    }
)
DERIVED: Mapping[str, pl.Schema] = {"events": EVENTS, "captures": CAPTURES, "watched": WATCHED}

_PARTS: Mapping[str, tuple[type, tuple[str, ...]]] = {
    "survey": (Survey, ("party", "dataset", "frame", "dated", "source", "kind", "resolution", "taxa", "not_taxa")),
    "counts": (SiteCounts, ("party", "dataset", "frame", "source")),
    "tracks": (Tracks, ("party", "dataset", "frame", "source")),
    "genotypes": (Genotypes, ("party", "dataset", "frame", "source")),
    "patrols": (Patrols, ("party", "dataset", "frame", "source")),
    "proposals": (Proposals, ("party", "dataset", "source")),
    "crossings": (Crossings, ("party", "dataset", "resolution", "timezone", "source")),
}


def tables_of(delivered: Delivered) -> Iterator[tuple[Kept, pl.DataFrame]]:
    """Every table of a delivery that has rows."""
    for kept in TABLES.values():
        part = getattr(delivered, kept.part)
        if part is not None and (rows := getattr(part, kept.field)).height:
            yield kept, rows


def facts_of(delivered: Delivered) -> dict[str, Any]:
    """What a delivery says beside its tables, as JSON values; the same for every piece of one delivery."""
    facts: dict[str, Any] = {
        name: {key: getattr(part, key) for key in keys}
        for name, (_, keys) in _PARTS.items()
        if (part := getattr(delivered, name)) is not None
    }
    return {**facts, "not_carried": list(delivered.not_carried)}


def assembled(facts: Mapping[str, Any], tables: Mapping[str, pl.DataFrame]) -> Delivered:
    """The delivery again: the reverse of `facts_of` and `tables_of`."""
    parts = {
        name: make(**_as_given(facts[name]), **{k.field: tables[k.name] for k in TABLES.values() if k.part == name})
        for name, (make, _) in _PARTS.items()
        if name in facts
    }
    return replace(Delivered(**parts), not_carried=tuple(facts["not_carried"]))


def _as_given(facts: Mapping[str, Any]) -> dict[str, Any]:
    """JSON knows lists only; what is kept here was tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()}


def owner(delivered: Delivered) -> tuple[str, str]:
    """Party and dataset of a delivery, ("", "") if there is nothing in it."""
    for name in _PARTS:
        part = getattr(delivered, name)
        if part is not None:
            return part.party, part.dataset
    return "", ""


def years_of(kept: Kept, rows: pl.DataFrame) -> Iterator[tuple[int, pl.Series]]:
    """Where the rows of each year (UTC) of the table's time stand, in the order of the file of that year."""
    year = pl.col(kept.time).dt.year().fill_null(NO_YEAR) if kept.time else pl.lit(NO_YEAR)
    keys = rows.select(year.cast(pl.Int32).alias(_YEAR), *kept.order).with_row_index(_PLACE)
    places = keys.sort(*kept.order, _PLACE).select(_YEAR, _PLACE)
    for (number,), of_year in places.partition_by(_YEAR, as_dict=True, maintain_order=True).items():
        yield int(number), of_year[_PLACE]


def place(table: str, party: str, dataset: str, year: int, source: str, *, ending: str = "parquet") -> str:
    """Where a file lies in the store, relative to it, with ``/`` between folders.

    Examples
    --------
    >>> place("media", "north", "Камеры 2024", 2024, "ab12").rpartition("/")[0]
    'media/party=north/dataset=Камеры 2024/year=2024'
    """
    name = digest(["part", table, party, dataset, year, source])[:HASH_LENGTH]
    return f"{table}/party={in_path(party)}/dataset={in_path(dataset)}/year={year}/part-{name}.{ending}"


def in_path(name: str) -> str:
    """A party or dataset as it may stand in a path. For people: the manifest holds the true name.

    Examples
    --------
    >>> in_path("a/b=c")
    'a%2Fb%3Dc'
    """
    safe = _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", name)
    return safe if len(safe) <= LONGEST_NAME else f"{safe[: LONGEST_NAME - 9]}-{digest(name)[:8]}"
