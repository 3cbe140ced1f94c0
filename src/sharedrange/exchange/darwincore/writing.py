"""Counts at sites and surveys of cameras as Darwin Core archives: events, occurrences, effort in Humboldt terms.

Positions are written as they are given. Who gives them has already made them as coarse as they may be; a position
without its uncertainty is refused, as nobody could tell a cell's centre from a den. The door reads what is written.
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
from sharedrange.core.survey import Survey
from sharedrange.exchange.darwincore.archive import META
from sharedrange.exchange.darwincore.eml import LICENCES, About, eml
from sharedrange.exchange.darwincore.occurrences import KEY
from sharedrange.exchange.darwincore.rows import measurements, noted, period
from sharedrange.exchange.darwincore.survey_tables import left_out, survey_tables, without_media
from sharedrange.exchange.darwincore.terms import (
    COVER,
    DWC,
    ECO,
    EVENT,
    EXACTNESS,
    EXTENDED_MEASUREMENT,
    INVENTORY,
    LIST,
    MEDIA,
    MEDIA_TERMS,
    OBSERVERS,
    OCCURRENCE,
    TEXT,
    WRITTEN_UNITS,
)
from sharedrange.exchange.opening import shown
from sharedrange.exchange.positions import WGS84

EML = "eml.xml"
_ZIPPED = (1980, 1, 1, 0, 0, 0)  # the earliest that an archive can say, so that equal content is equal bytes
_DIALECT = (
    'encoding="UTF-8" fieldsTerminatedBy="," linesTerminatedBy="\\n" fieldsEnclosedBy="&quot;" ignoreHeaderLines="1"'
)
_ROW_TYPES: Mapping[str, str] = {
    "event": EVENT,
    "occurrence": OCCURRENCE,
    "humboldt": INVENTORY,
    "multimedia": MEDIA,
    "extendedmeasurementorfact": EXTENDED_MEASUREMENT,
}


def write(
    contents: SiteCounts | Survey,
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
    media: bool = False,
) -> tuple[Finding, ...]:
    """Write meta.xml, eml.xml and the tables of an archive into a folder, or into one file where `path` ends in .zip.

    `looked_for`: scientific names of the taxa or groups that were looked for, without which a zero means nothing;
    `notes`: rows of `NOTES`; `licence`: a key of `LICENCES`; `published`: a day, else that of the last event;
    `media`: whether pictures are listed too, with the paths of their files, which may name places and people.
    Times are written in UTC, as delivered beside it. Gives notes on the rows that the archive has no place for. Raises
    InputError where positions are not WGS 84, where an event has a position without uncertainty, or no position and no
    word about what was withheld, for an undated survey, and for another licence.
    """
    table, key = (
        (contents.visits, "visit") if isinstance(contents, SiteCounts) else (contents.deployments, "deployment")
    )
    events = noted(table, key, notes)
    if found := [*_cannot_write(contents, events, key), *_wrong_licence(licence)]:
        raise InputError(found)
    if isinstance(contents, SiteCounts):
        tables, lost = _count_tables(contents, events, looked_for), []
    else:
        shown_survey = contents if media else without_media(contents)
        tables, lost = survey_tables(shown_survey, events, looked_for), left_out(contents, shown_survey)
    day, who = published or _last_day(events), contributor or contents.party
    about = About(contents.party, contents.dataset, title, description or title, who, email, licence, day)
    files = {f"{name}.csv": neutral_csv(table) for name, table in tables.items()}
    files |= {META: _meta(tables).encode(), EML: eml(about).encode()}
    _save(files, path)
    return tuple(lost)


def _last_day(events: pl.DataFrame) -> str:
    """The day of the last event, as this package reads no clock."""
    last: str | None = events.select(pl.max_horizontal("start", "end").max().dt.strftime("%Y-%m-%d")).item()
    return last or "1970-01-01"


# --- what is refused ---


def _cannot_write(contents: SiteCounts | Survey, events: pl.DataFrame, key: str) -> list[Finding]:
    found = []
    if isinstance(contents, Survey) and not contents.dated:
        found.append(Finding("survey-is-undated", {"dataset": contents.dataset}, Where(table=contents.dataset)))
    if contents.frame != WGS84:
        facts = {"dataset": contents.dataset, "frame": contents.frame}
        found.append(Finding("not-on-earth", facts, Where(table=f"{key}s")))
    placed = pl.col("x").is_not_null() | pl.col("y").is_not_null()
    bare = placed & ~(pl.col("uncertainty_m") > 0).fill_null(value=False)
    silent = ~placed & pl.col("information_withheld").is_null()
    at = Where(table=f"{key}s", field="uncertainty_m")
    found += [Finding("dwca-no-uncertainty", {"visit": name}, at) for name in events.filter(bare)[key]]
    at = Where(table=f"{key}s", field="information_withheld")
    return [*found, *(Finding("dwca-no-place", {"visit": name}, at) for name in events.filter(silent)[key])]


def _wrong_licence(licence: str) -> list[Finding]:
    if licence in LICENCES:
        return []
    return [Finding("dwca-licence", {"licence": shown(licence), "known": ", ".join(LICENCES)})]


# --- the tables of counts ---


def _count_tables(counts: SiteCounts, visits: pl.DataFrame, looked_for: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Tables by name, the core first."""
    rows = _in_order(counts.counts)
    return {
        "event": _events(visits),
        "occurrence": _occurrences(rows),
        "humboldt": _inventory(visits, rows, looked_for),
        "extendedmeasurementorfact": pl.concat(
            [
                measurements(visits, "visit", "observers", OBSERVERS),
                measurements(visits, "visit", "cover_share", COVER),
                measurements(rows, "visit", "exactness", EXACTNESS, "occurrence"),
            ]
        ),
    }


def _in_order(counts: pl.DataFrame) -> pl.DataFrame:
    """Counts with an `occurrence` id that depends on nothing but the counts of the visit."""
    rows = counts.sort(KEY, nulls_last=True, maintain_order=True)
    number = (pl.int_range(pl.len()).over("visit") + 1).cast(pl.String)
    return rows.with_columns((pl.col("visit") + ":" + number).alias("occurrence"))


def _events(visits: pl.DataFrame) -> pl.DataFrame:
    unit = pl.col("effort_unit").replace(WRITTEN_UNITS)
    return visits.select(
        pl.col("visit").alias("eventID"),
        pl.col("site").alias("locationID"),
        pl.col("y").alias("decimalLatitude"),
        pl.col("x").alias("decimalLongitude"),
        pl.when(pl.col("x").is_not_null()).then(pl.lit(WGS84)).alias("geodeticDatum"),
        pl.col("uncertainty_m").alias("coordinateUncertaintyInMeters"),
        period().alias("eventDate"),
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
    if table == "multimedia" and column in MEDIA_TERMS:
        return MEDIA_TERMS[column]
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
