"""Counts at sites as a Darwin Core archive: events, occurrences and effort in Humboldt terms; the door reads it back.

Positions are written as they are given. Who gives them has already made them as coarse as they may be; a position
without its uncertainty is refused, as nobody could tell a cell's centre from a den.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from sharedrange.core.contents import SiteCounts
from sharedrange.core.errors import InputError
from sharedrange.core.files import write_atomically
from sharedrange.core.finding import Finding, Where
from sharedrange.core.sheets import neutral_csv
from sharedrange.exchange.darwincore.archive import META
from sharedrange.exchange.darwincore.eml import LICENCES, About, eml
from sharedrange.exchange.darwincore.occurrences import KEY
from sharedrange.exchange.darwincore.terms import (
    COVER,
    DWC,
    ECO,
    EVENT,
    EXACTNESS,
    EXTENDED_MEASUREMENT,
    INVENTORY,
    LIST,
    OBSERVERS,
    OCCURRENCE,
    TEXT,
    WRITTEN_UNITS,
)
from sharedrange.exchange.opening import shown
from sharedrange.exchange.positions import WGS84

NOTES = pl.Schema({"visit": pl.String(), "data_generalizations": pl.String(), "information_withheld": pl.String()})
"""What was made coarse and what was left out, by visit."""
EML = "eml.xml"
_TIME = "%Y-%m-%dT%H:%M:%S%.fZ"
_ZIPPED = (1980, 1, 1, 0, 0, 0)  # the earliest that an archive can say, so that equal content is equal bytes
_DIALECT = (
    'encoding="UTF-8" fieldsTerminatedBy="," linesTerminatedBy="\\n" fieldsEnclosedBy="&quot;" ignoreHeaderLines="1"'
)
_ROW_TYPES: Mapping[str, str] = {
    "event": EVENT,
    "occurrence": OCCURRENCE,
    "humboldt": INVENTORY,
    "extendedmeasurementorfact": EXTENDED_MEASUREMENT,
}


def write(
    counts: SiteCounts,
    path: Path,
    *,
    title: str,
    looked_for: Sequence[str],
    notes: pl.DataFrame | None = None,
    description: str = "",
    contributor: str = "",
    email: str = "",
    licence: str = "CC-BY-4.0",
    published: str = "",
) -> None:
    """Write meta.xml, eml.xml and the tables of an archive into a folder, or into one file where `path` ends in .zip.

    `looked_for`: scientific names of the taxa or groups that were looked for, without which a zero means nothing;
    `notes`: rows of `NOTES`; `licence`: a key of `LICENCES`; `published`: a day, else that of the last visit.
    Times are written in UTC, as delivered beside it. Raises InputError where positions are not WGS 84, where a visit
    has a position without uncertainty, or no position and no word about what was withheld, and for another licence.
    """
    visits = counts.visits.join(_notes(notes), on="visit", how="left", maintain_order="left")
    if found := [*_cannot_write(counts, visits), *_wrong_licence(licence)]:
        raise InputError(found)
    rows = _in_order(counts.counts)
    tables = {
        "event": _events(visits),
        "occurrence": _occurrences(rows),
        "humboldt": _inventory(visits, rows, looked_for),
        "extendedmeasurementorfact": _measurements(visits, rows),
    }
    day = published or _last_day(visits)
    about = About(
        counts.party, counts.dataset, title, description or title, contributor or counts.party, email, licence, day
    )
    files = {f"{name}.csv": neutral_csv(table) for name, table in tables.items()}
    files |= {META: _meta(tables).encode(), EML: eml(about).encode()}
    _save(files, path)


def _last_day(visits: pl.DataFrame) -> str:
    """The day of the last visit, as this package reads no clock."""
    last: str | None = visits.select(pl.max_horizontal("start", "end").max().dt.strftime("%Y-%m-%d")).item()
    return last or "1970-01-01"


# --- what is refused ---


def _notes(notes: pl.DataFrame | None) -> pl.DataFrame:
    return pl.DataFrame(schema=NOTES) if notes is None else notes.select(NOTES.names()).unique("visit", keep="first")


def _cannot_write(counts: SiteCounts, visits: pl.DataFrame) -> list[Finding]:
    found = []
    if counts.frame != WGS84:
        facts = {"dataset": counts.dataset, "frame": counts.frame}
        found.append(Finding("not-on-earth", facts, Where(table="visits")))
    placed = pl.col("x").is_not_null() | pl.col("y").is_not_null()
    bare = placed & ~(pl.col("uncertainty_m") > 0).fill_null(value=False)
    silent = ~placed & pl.col("information_withheld").is_null()
    at = Where(table="visits", field="uncertainty_m")
    found += [Finding("dwca-no-uncertainty", {"visit": name}, at) for name in visits.filter(bare)["visit"]]
    at = Where(table="visits", field="information_withheld")
    return [*found, *(Finding("dwca-no-place", {"visit": name}, at) for name in visits.filter(silent)["visit"])]


def _wrong_licence(licence: str) -> list[Finding]:
    if licence in LICENCES:
        return []
    return [Finding("dwca-licence", {"licence": shown(licence), "known": ", ".join(LICENCES)})]


# --- the tables ---


def _in_order(counts: pl.DataFrame) -> pl.DataFrame:
    """Counts with an `occurrence` id that depends on nothing but the counts of the visit."""
    rows = counts.sort(KEY, nulls_last=True, maintain_order=True)
    number = (pl.int_range(pl.len()).over("visit") + 1).cast(pl.String)
    return rows.with_columns((pl.col("visit") + ":" + number).alias("occurrence"))


def _events(visits: pl.DataFrame) -> pl.DataFrame:
    start, end = (pl.col(name).dt.strftime(_TIME) for name in ("start", "end"))
    unit = pl.col("effort_unit").replace(WRITTEN_UNITS)
    return visits.select(
        pl.col("visit").alias("eventID"),
        pl.col("site").alias("locationID"),
        pl.col("y").alias("decimalLatitude"),
        pl.col("x").alias("decimalLongitude"),
        pl.when(pl.col("x").is_not_null()).then(pl.lit(WGS84)).alias("geodeticDatum"),
        pl.col("uncertainty_m").alias("coordinateUncertaintyInMeters"),
        pl.concat_str([start, end], separator="/", ignore_nulls=True).replace("", None).alias("eventDate"),
        pl.col("start_text").alias("verbatimEventDate"),
        pl.col("method").alias("samplingProtocol"),
        pl.concat_str([pl.col("effort").cast(pl.String), unit], separator=" ").alias("samplingEffort"),
        pl.col("data_generalizations").alias("dataGeneralizations"),
        pl.col("information_withheld").alias("informationWithheld"),
    )


def _occurrences(rows: pl.DataFrame) -> pl.DataFrame:
    absent = (pl.col("count") == 0).fill_null(value=False)
    return rows.select(
        pl.col("visit").alias("eventID"),
        pl.col("occurrence").alias("occurrenceID"),
        pl.lit("HumanObservation").alias("basisOfRecord"),
        pl.when(absent).then(pl.lit("absent")).otherwise(pl.lit("present")).alias("occurrenceStatus"),
        pl.col("taxon").alias("scientificName"),
        pl.when(pl.col("sign").is_null()).then("count").alias("individualCount"),
        pl.when(pl.col("sign").is_not_null()).then("count").alias("organismQuantity"),
        pl.col("sign").alias("organismQuantityType"),  # three tracks are not three animals
        pl.col("life_stage").alias("lifeStage"),
        pl.col("sex"),
    )


def _inventory(visits: pl.DataFrame, rows: pl.DataFrame, looked_for: Sequence[str]) -> pl.DataFrame:
    """The Humboldt Extension, one row a visit."""
    by_visit = rows.group_by("visit").agg(
        pl.col("taxon").filter(pl.col("count") == 0).unique().sort().alias("absent"),
        pl.col("count").is_not_null().any().alias("counted"),
    )
    beside = visits.join(by_visit, on="visit", how="left", maintain_order="left")
    absent = pl.col("absent").list.join(LIST).fill_null("")
    reported = pl.col("effort").is_not_null()
    return beside.select(
        pl.col("visit").alias("eventID"),
        pl.lit(LIST.join(looked_for)).alias("targetTaxonomicScope"),
        _flag(pl.col("complete")).alias("isTaxonomicScopeFullyReported"),
        _flag(absent != "").alias("isAbsenceReported"),
        pl.when(absent != "").then(absent).alias("absentTaxa"),
        _flag(pl.col("counted").fill_null(value=False)).alias("isAbundanceReported"),
        pl.col("method").alias("protocolNames"),
        _flag(reported).alias("isSamplingEffortReported"),
        pl.col("effort").alias("samplingEffortValue"),
        pl.col("effort_unit").replace(WRITTEN_UNITS).alias("samplingEffortUnit"),
    )


def _flag(value: pl.Expr) -> pl.Expr:
    return value.cast(pl.String)


def _measurements(visits: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """What neither vocabulary has a term for."""
    of_visits = visits.with_columns(pl.lit(None, dtype=pl.String).alias("occurrence"))
    observers, cover = _of(of_visits, "observers", OBSERVERS), _of(of_visits, "cover_share", COVER)
    return pl.concat([observers, cover, _of(rows, "exactness", EXACTNESS)])


def _of(table: pl.DataFrame, name: str, kind: str) -> pl.DataFrame:
    return table.filter(pl.col(name).is_not_null()).select(
        pl.col("visit").alias("eventID"),
        pl.col("occurrence").alias("occurrenceID"),
        pl.lit(kind).alias("measurementType"),
        pl.col(name).cast(pl.String).alias("measurementValue"),
    )


# --- the files ---


def _meta(tables: Mapping[str, pl.DataFrame]) -> str:
    """meta.xml: the first table is the core, its first column joins the others."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<archive xmlns="{TEXT}" metadata="{EML}">']
    for number, (name, table) in enumerate(tables.items()):
        element, identifier = ("extension", "coreid") if number else ("core", "id")
        opening = f'  <{element} rowType="{_ROW_TYPES[name]}" {_DIALECT}>'
        lines += [opening, f"    <files><location>{name}.csv</location></files>", f'    <{identifier} index="0"/>']
        lines += [f'    <field index="{n}" term="{_term(name, column)}"/>' for n, column in enumerate(table.columns)]
        lines.append(f"  </{element}>")
    return "\n".join([*lines, "</archive>"]) + "\n"


def _term(table: str, column: str) -> str:
    """The IRI of a column."""
    if table == "humboldt" and column != "eventID":
        return ECO + column
    return DWC + column


def _save(files: Mapping[str, bytes], path: Path) -> None:
    if path.suffix.lower() != ".zip":
        for name, content in files.items():
            write_atomically(path / name, content)
        return
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIPPED), content, zipfile.ZIP_DEFLATED)
    write_atomically(path, out.getvalue())
