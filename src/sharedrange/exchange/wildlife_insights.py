"""Door `wildlife-insights`: the four tables that Wildlife Insights exports (projects, cameras, deployments, images).

Positions are WGS 84, as the platform keeps them. Times have no zone there: `timezone` of delivery.toml says which it
is. An export that was opened in a spreadsheet program may hold times such as ``5/5/19 17:21``; which of its numbers is
the day is read from a value that leaves no choice, or asked (`date_order`).
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from sharedrange.core.contents import Delivered
from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Fact, Finding, Severity, Where, errors
from sharedrange.core.survey import LIFE_STAGES, SEXES
from sharedrange.exchange.assembling import as_target, assembled
from sharedrange.exchange.dates import DateStyle, iso_times
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.opening import Opened, open_path, shown
from sharedrange.exchange.positions import WGS84
from sharedrange.exchange.tables import FILE, ROW, Column, Sheet, flag, gathered, read_csv, typed

TABLES = ("projects", "cameras", "deployments", "images")
_UNKNOWN = dict.fromkeys(("unknown", "undetermined", "cannot be determined", "no cv result", "none"), "")
_STAGES = {**{word: word for word in LIFE_STAGES}, "young": "juvenile", "sub-adult": "subadult", **_UNKNOWN}
_SEXES = {**{word: word for word in SEXES}, **_UNKNOWN}
_BLANK = {"1": "true", "0": "false", "yes": "true", "no": "false", "true": "true", "false": "false"}
_CAMERA_COLUMNS = (Column("camera_id", required=True), Column("make"), Column("model"))
_DEPLOYMENT_COLUMNS = (
    Column("deployment_id", required=True),
    Column("placename"),
    Column("longitude", "number", required=True, low=-180, high=180, private=True),
    Column("latitude", "number", required=True, low=-90, high=90, private=True),
    Column("start_date", "time", required=True),
    Column("end_date", "time", required=True),
    Column("camera_id"),
    Column("camera_functioning"),
)
_IMAGE_COLUMNS = (
    Column("deployment_id", required=True),
    Column("image_id", required=True),
    Column("location"),
    Column("filename"),
    Column("is_blank", "word", words=_BLANK),
    *(Column(rank) for rank in ("class", "order", "family", "genus", "species", "common_name")),
    Column("timestamp", "time", required=True),
    Column("number_of_objects", "whole", low=0),
    Column("age", "word", words=_STAGES),
    Column("sex", "word", words=_SEXES),
    Column("individual_id"),
)
_WORKS = ("camera functioning", "")


@dataclass(frozen=True, slots=True)
class _Export:
    """The typed tables of an export, and the columns that nothing reads."""

    cameras: Sheet
    deployments: Sheet
    images: Sheet
    unused: Sequence[str]


def read(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """The survey of an export (folder or zip); None if a finding is an error."""
    opened, found = open_path(folder)
    if opened is None:
        return None, tuple(found)
    export, found = _export(opened, delivery)
    if export is None:
        return None, tuple(found)
    found += _not_working(export.deployments)
    if errors(found):
        return None, tuple(found)
    sheets = {
        "deployments": _deployments(export),
        "media": _media(export.images),
        "observations": _observations(export.images),
    }
    declared = replace(delivery, crs=WGS84, taxon="")
    delivered, more = assembled(sheets, declared, folder_hash(folder), export.unused)
    return delivered, (*found, *more)


def is_export(opened: Opened) -> bool:
    """Whether a folder or archive looks like an export: deployments and images beside projects or cameras."""
    stems = {table for name in opened.sizes if (table := _table_of(name))}
    return {"deployments", "images"} <= stems and bool(stems & {"projects", "cameras"})


def _table_of(name: str) -> str:
    """Which table a file holds: ``images.csv``, ``images_2001317.csv``; "" if none."""
    stem, dot, suffix = posixpath.basename(name).lower().rpartition(".")
    return next((t for t in TABLES if dot and suffix == "csv" and (stem == t or stem.startswith(f"{t}_"))), "")


# --- the files ---


def _export(opened: Opened, delivery: Delivery) -> tuple[_Export | None, list[Finding]]:
    sheets: dict[str, Sheet] = {}
    unused: list[str] = []
    found: list[Finding] = []
    wanted = {"cameras": _CAMERA_COLUMNS, "deployments": _DEPLOYMENT_COLUMNS, "images": _IMAGE_COLUMNS}
    for table, columns in wanted.items():
        parts, left, more = _parts(opened, table, columns, delivery)
        found += more
        unused += left
        if parts:
            sheets[table] = gathered(parts)
        elif table != "cameras":
            found.append(Finding("no-table", {"table": table, "names": f"{table}.csv"}, Where(file=f"{table}.csv")))
    if "projects" in {_table_of(name) for name in opened.sizes}:
        unused.append("projects.csv")
    found += _not_carried(unused)
    if not {"deployments", "images"} <= sheets.keys():
        return None, found
    empty, _ = typed(Sheet("cameras.csv", pl.DataFrame(schema={ROW: pl.Int64})), _CAMERA_COLUMNS)
    return _Export(sheets.get("cameras", empty), sheets["deployments"], sheets["images"], tuple(unused)), found


def _parts(
    opened: Opened, table: str, columns: Sequence[Column], delivery: Delivery
) -> tuple[list[Sheet], list[str], list[Finding]]:
    """The typed sheets of one table, the columns that nothing reads, and findings."""
    named = delivery.files.get(table)
    names = [named] if named else sorted(name for name in opened.sizes if _table_of(name) == table)
    parts, unused, found = [], [], []
    for name in names:
        text, more = opened.text(name, delivery.encoding)
        sheet, rest = read_csv(shown(name), text) if text is not None else (None, [])
        found += [*more, *rest]
        if sheet is None:
            continue
        unused += [f"{sheet.file}: {c}" for c in sheet.rows.columns if c != ROW and c not in _names(columns)]
        part, more = _typed(sheet, columns, delivery)
        parts.append(part)
        found += more
    return parts, list(dict.fromkeys(unused)), found


def _names(columns: Sequence[Column]) -> set[str]:
    return {column.name for column in columns}


def _typed(sheet: Sheet, columns: Sequence[Column], delivery: Delivery) -> tuple[Sheet, list[Finding]]:
    """`tables.typed` for times that a spreadsheet program may have rewritten; their text stays as delivered."""
    times = [column.name for column in columns if column.kind == "time" and sheet.has(column.name)]
    found: list[Finding] = []
    given = sheet
    for name in times:
        given, more = iso_times(given, name, DateStyle(delivery.date_order))
        found += more
    asked = {f.where.field for f in errors(found)}
    read, more = typed(given, columns, delivery.timezone)
    texts = [sheet.rows[name].alias(f"{name} text") for name in times]
    found += [f for f in more if f.where.field not in asked]
    return read.with_rows(read.rows.with_columns(texts)), found


def _not_carried(unused: Sequence[str]) -> list[Finding]:
    if not unused:
        return []
    facts: dict[str, Fact] = {"columns": shown(", ".join(unused)), "number": len(unused)}
    return [Finding("not-carried", facts, Where(), Severity.NOTE)]


# --- what they say ---


def _not_working(deployments: Sheet) -> list[Finding]:
    """Cameras that failed at a time that the export does not tell: their effort is too large."""
    failed = ~pl.col("camera_functioning").fill_null("").str.to_lowercase().is_in(_WORKS)
    facts = {"deployment": pl.col("deployment_id"), "problem": pl.col("camera_functioning")}
    return flag(
        deployments, failed, "camera-failed", field="camera_functioning", facts=facts, severity=Severity.WARNING
    )


def _deployments(export: _Export) -> Sheet:
    camera = export.cameras.rows.select(
        "camera_id", camera_type=pl.concat_str(["make", "model"], separator=" ", ignore_nulls=True)
    ).drop_nulls("camera_id")
    rows = export.deployments.rows.join(
        camera.unique("camera_id", keep="first"), on="camera_id", how="left", maintain_order="left"
    )
    names = {"deployment_id": "deployment", "placename": "station", "longitude": "x", "latitude": "y"}
    rows = rows.rename({**names, "start_date": "start", "end_date": "end"})
    kind = pl.when(pl.col("camera_type") != "").then("camera_type").alias("camera_type")
    return as_target("deployments", rows.with_columns(kind), export.deployments.file)


def _media(images: Sheet) -> Sheet:
    """One row an image; an image with several identifications stands in several rows of the export."""
    rows = images.rows.unique("image_id", keep="first", maintain_order=True)
    path = pl.coalesce("location", "filename", "image_id").alias("path")
    names = {"image_id": "media", "deployment_id": "deployment", "timestamp": "taken", "timestamp text": "taken_text"}
    return as_target("media", rows.with_columns(path).rename(names), images.file)


def _observations(images: Sheet) -> Sheet:
    nth = pl.int_range(pl.len()).over("image_id")
    numbered = pl.concat_str("image_id", (nth + 1).cast(pl.String), separator="-")
    observation = pl.when(nth == 0).then(pl.col("image_id")).otherwise(numbered)
    start = pl.col("timestamp")
    rows = images.rows.select(
        pl.col(ROW, FILE),
        observation.alias("observation"),
        pl.col("image_id").alias("media"),
        pl.col("deployment_id").alias("deployment"),
        start.alias("start"),
        start.alias("end"),
        pl.col("timestamp text").alias("start_text"),
        _type().alias("type"),
        pl.when(_type() == "animal").then(_taxon()).alias("taxon"),
        pl.col("number_of_objects").alias("count"),
        _said("age").alias("life_stage"),
        _said("sex").alias("sex"),
        pl.col("individual_id").alias("individual"),
    )
    return as_target("observations", rows, images.file)


def _said(column: str) -> pl.Expr:
    return pl.when(pl.col(column) != "").then(pl.col(column))


def _taxon() -> pl.Expr:
    """The finest rank that is given: a species needs its genus."""
    species = pl.when(pl.col("genus").is_not_null()).then(pl.concat_str("genus", "species", separator=" "))
    return pl.coalesce(species, "genus", "family", "order", "class")


def _type() -> pl.Expr:
    common = pl.col("common_name").fill_null("").str.to_lowercase()
    return (
        pl.when((pl.col("is_blank") == "true") | (common == "blank"))
        .then(pl.lit("blank"))
        .when((pl.col("genus") == "Homo") | common.str.contains(r"^(human|setup|camera trapper)"))
        .then(pl.lit("human"))
        .when(common.str.contains(r"\bvehicle\b"))
        .then(pl.lit("vehicle"))
        .when(common == "no cv result")
        .then(pl.lit("unclassified"))
        .when(_taxon().is_null())
        .then(pl.lit("unknown"))
        .otherwise(pl.lit("animal"))
    )
