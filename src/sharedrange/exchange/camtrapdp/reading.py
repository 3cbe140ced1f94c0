"""Door `camtrap-dp`: Camera Trap Data Packages 1.0, 1.0.1 and 1.0.2 (https://camtrap-dp.tdwg.org), plain path.

Deployments, media and observations of a folder or zip become a dated survey. Beside the standard we read a
table ``effort.csv`` (deploymentID, start, end, reason) of the times when a camera did not watch, and the side
of the animal that was seen: a column ``flank`` of the observations or a tag ``flank:left``.

The same animal may be in a package twice, in observations of an event and in observations of the event's
media. It is counted once: where a deployment has observations of events those are kept, else those of media.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Finding, Severity, Where, errors
from sharedrange.core.survey import (
    DEPLOYMENTS,
    EFFORT,
    FLANKS,
    GAP_REASONS,
    LIFE_STAGES,
    MEDIA,
    OBSERVATIONS,
    SEXES,
    Survey,
    conform,
)
from sharedrange.exchange.delivery import FILE_NAME, Delivery
from sharedrange.exchange.opening import MIB, Opened, open_path, shown
from sharedrange.exchange.tables import DELIMITERS, Column, Sheet, flag, read_csv, repeated, strangers, typed

VERSIONS = ("1.0", "1.0.1", "1.0.2")
TABLES = ("deployments", "media", "observations")
PACKAGE = "datapackage.json"
EFFORT_FILE = "effort.csv"
MAX_PACKAGE_BYTES = 32 * MIB
_VERSION = re.compile(r"/camtrap-dp/([^/]+)/")
_FLANK_TAG = r"(?i)(?:^|\|)\s*flank\s*:\s*([^|]*?)\s*(?:\||$)"


def _same(words: Iterable[str]) -> dict[str, str]:
    return {word.lower(): word for word in words}


_TYPES = ("animal", "human", "vehicle", "blank", "unknown", "unclassified")
_DEPLOYMENT_COLUMNS = (
    Column("deploymentID", required=True),
    Column("locationID"),
    Column("latitude", "number", required=True, low=-90, high=90, private=True),
    Column("longitude", "number", required=True, low=-180, high=180, private=True),
    Column("coordinateUncertainty", "number", low=1),
    Column("deploymentStart", "time", required=True),
    Column("deploymentEnd", "time", required=True),
    Column("cameraModel"),
    Column("timestampIssues", "flag"),
)
_MEDIA_COLUMNS = (
    Column("mediaID", required=True),
    Column("deploymentID", required=True),
    Column("timestamp", "time", required=True),
    Column("filePath", required=True),
)
_OBSERVATION_COLUMNS = (
    Column("observationID", required=True),
    Column("deploymentID", required=True),
    Column("mediaID"),
    Column("eventID"),
    Column("eventStart", "time", required=True),
    Column("eventEnd", "time", required=True),
    Column("observationLevel", "word", required=True, words=_same(("media", "event"))),
    Column("observationType", "word", required=True, words=_same(_TYPES)),
    Column("scientificName"),
    Column("count", "whole", low=1),
    Column("lifeStage", "word", words=_same(LIFE_STAGES)),
    Column("sex", "word", words=_same(SEXES)),
    Column("individualID"),
    Column("flank", "word", words=_same(FLANKS)),
    Column("observationTags"),
)
_EFFORT_COLUMNS = (
    Column("deploymentID", required=True),
    Column("start", "time", required=True),
    Column("end", "time", required=True),
    Column("reason", "word", required=True, words=_same(GAP_REASONS)),
)


@dataclass(frozen=True, slots=True)
class Package:
    """datapackage.json, found and parsed. `base`: its folder in the delivery ("" or ending in a slash)."""

    opened: Opened
    base: str
    json: Mapping[str, Any]

    @property
    def file(self) -> str:
        """Name of the package file, for findings."""
        return shown(self.base + PACKAGE)

    def resource(self, name: str) -> Mapping[str, Any]:
        """The resource of this name; empty if there is none."""
        resources = self.json.get("resources")
        listed = resources if isinstance(resources, list) else []
        return next((r for r in listed if isinstance(r, dict) and r.get("name") == name), {})


@dataclass(frozen=True, slots=True)
class Tables:
    """The typed tables of a package; `gaps` is None where there is no effort table."""

    deployments: Sheet
    media: Sheet
    observations: Sheet
    gaps: Sheet | None


def read(folder: Path, delivery: Delivery) -> tuple[Survey | None, tuple[Finding, ...]]:
    """The survey of a delivered package (folder or zip, or a folder that holds a zip); None on an error."""
    opened, found = _opened(folder, delivery)
    if opened is None:
        return None, tuple(found)
    package, found = find_package(opened)
    if package is None:
        return None, tuple(found)
    found += _wrong_version(package)
    tables, more = _tables(package, delivery)
    found += more
    if tables is None:
        return None, tuple(found)
    found += [*_wrong_deployments(tables), *_wrong_media(tables), *_wrong_observations(tables), *_wrong_gaps(tables)]
    observations, notes = counted_once(tables.observations)
    found += notes
    if errors(found):
        return None, tuple(found)
    survey = _survey(replace(tables, observations=observations), delivery)
    return replace(survey, source=folder_hash(folder)), tuple(found)


# --- the package ---


def _opened(folder: Path, delivery: Delivery) -> tuple[Opened | None, list[Finding]]:
    """The folder or archive with the package: what `files.package` names, else this one, else its only zip."""
    opened, found = open_path(folder)
    if opened is None or not opened.is_folder:
        return opened, found
    archives = [name for name in opened.sizes if name.lower().endswith(".zip")]
    name = delivery.files.get("package") or (archives[0] if len(archives) == 1 and not _bases(opened) else "")
    if not name or posixpath.basename(name) == PACKAGE:
        return opened, found
    if name not in opened.sizes:
        return None, [Finding("file-not-found", {"path": shown(name)}, Where(file=FILE_NAME, field="files.package"))]
    return open_path(folder / name)


def _bases(opened: Opened) -> list[str]:
    """Folders that hold a package file, the shallowest first."""
    names = [name for name in opened.sizes if posixpath.basename(name) == PACKAGE]
    return sorted((name.removesuffix(PACKAGE) for name in names), key=lambda base: (base.count("/"), base))


def find_package(opened: Opened) -> tuple[Package | None, list[Finding]]:
    """datapackage.json of an opened folder or archive; of several the shallowest."""
    bases = _bases(opened)
    if not bases:
        return None, [Finding("no-package", {"file": PACKAGE}, Where(file=shown(opened.path.name)))]
    name = bases[0] + PACKAGE
    text, found = opened.text(name, "utf-8", MAX_PACKAGE_BYTES)
    if text is None:
        return None, found
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = Where(file=shown(name), row=getattr(error, "lineno", None))
        return None, [Finding("bad-json", {"problem": shown(str(error))}, where)]
    if not isinstance(content, dict):
        return None, [Finding("bad-json", {"problem": type(content).__name__}, Where(file=shown(name), row=1))]
    return Package(opened, bases[0], content), []


def version(package: Package) -> str:
    """Camtrap DP version of the package's profile, else of a table's schema; empty if neither says."""
    texts = [package.json.get("profile"), *(package.resource(name).get("schema") for name in TABLES)]
    said = [match[1] for text in texts if isinstance(text, str) and (match := _VERSION.search(text))]
    return said[0] if said else ""


def _wrong_version(package: Package) -> list[Finding]:
    said = version(package)
    if said in VERSIONS:
        return []
    facts = {"version": shown(said) or "?", "known": ", ".join(VERSIONS)}
    return [Finding("unknown-version", facts, Where(file=package.file, field="profile"))]


# --- the tables ---


def _tables(package: Package, delivery: Delivery) -> tuple[Tables | None, list[Finding]]:
    columns = dict(zip(TABLES, (_DEPLOYMENT_COLUMNS, _MEDIA_COLUMNS, _OBSERVATION_COLUMNS), strict=True))
    sheets: dict[str, Sheet] = {}
    found: list[Finding] = []
    for name in TABLES:
        sheet, more = _sheet(package, name, _path_of(package, name), delivery)
        found += more
        if sheet is not None:
            sheets[name], more = typed(sheet, columns[name], delivery.timezone)
            found += more
    gaps, more = _gaps(package, delivery)
    found += more
    if len(sheets) < len(TABLES):
        return None, found
    return Tables(sheets["deployments"], sheets["media"], _with_flank(sheets["observations"]), gaps), found


def _path_of(package: Package, name: str) -> str | Finding:
    """Path of a resource in the delivery, or what is wrong with it."""
    resource = package.resource(name)
    where = Where(file=package.file, table=name, field="path")
    path = resource.get("path")
    if isinstance(path, list) and len(path) == 1:
        path = path[0]
    if not isinstance(path, str):
        return Finding("no-resource", {"table": name}, where)
    if "://" in path:
        return Finding("remote-resource", {"table": name, "path": shown(path)}, where)
    return package.base + path


def _sheet(package: Package, name: str, path: str | Finding, delivery: Delivery) -> tuple[Sheet | None, list[Finding]]:
    if isinstance(path, Finding):
        return None, [path]
    resource = package.resource(name)
    encoding = resource.get("encoding")
    text, found = package.opened.text(path, encoding if isinstance(encoding, str) else delivery.encoding)
    if text is None:
        return None, found
    return read_csv(shown(path), text, _delimiter(resource))


def _delimiter(resource: Mapping[str, Any]) -> str:
    """The delimiter of a resource's CSV dialect (Frictionless Data), a comma where it says nothing we read."""
    dialect = resource.get("dialect")
    given = dialect.get("delimiter") if isinstance(dialect, dict) else None
    return given if given in DELIMITERS else ","


def _gaps(package: Package, delivery: Delivery) -> tuple[Sheet | None, list[Finding]]:
    """The effort table: the file that the delivery names, the resource `effort`, or effort.csv beside the package."""
    declared = delivery.files.get("effort")
    path: str | Finding = declared or package.base + EFFORT_FILE
    if not declared and package.resource("effort"):
        path = _path_of(package, "effort")
    elif path not in package.opened.sizes and not declared:
        return None, []
    sheet, found = _sheet(package, "effort", path, delivery)
    if sheet is None:
        return None, found
    sheet, more = typed(sheet, _EFFORT_COLUMNS, delivery.timezone)
    return sheet, [*found, *more]


def _with_flank(observations: Sheet) -> Sheet:
    """Observations with the side seen: the column `flank`, else the tag ``flank:...``."""
    tag = pl.col("observationTags").str.extract(_FLANK_TAG, 1).str.to_lowercase()
    return observations.with_rows(observations.rows.with_columns(tag.alias("flank tag")))


# --- what may be wrong ---


def _wrong_deployments(tables: Tables) -> list[Finding]:
    sheet = tables.deployments
    facts = {"deployment": pl.col("deploymentID")}
    backwards = pl.col("deploymentEnd") < pl.col("deploymentStart")
    doubtful = pl.col("timestampIssues")
    return [
        *repeated(sheet, ["deploymentID"], "duplicate-id", {"id": pl.col("deploymentID")}),
        *flag(sheet, backwards, "end-before-start", field="deploymentEnd", facts={"id": pl.col("deploymentID")}),
        *flag(sheet, doubtful, "doubtful-clock", field="timestampIssues", facts=facts, severity=Severity.WARNING),
    ]


def _wrong_media(tables: Tables) -> list[Finding]:
    return [
        *repeated(tables.media, ["mediaID"], "duplicate-id", {"id": pl.col("mediaID")}),
        *strangers(tables.media, "deploymentID", tables.deployments.rows["deploymentID"], "unknown-deployment"),
    ]


def _wrong_observations(tables: Tables) -> list[Finding]:
    sheet = _beside_deployments(tables.observations, tables)
    who = {"id": pl.col("observationID")}
    outside = (pl.col("eventStart") < pl.col("deploymentStart")) | (pl.col("eventEnd") > pl.col("deploymentEnd"))
    facts = {**who, "deployment": pl.col("deploymentID")}
    many = pl.col("individualID").is_not_null() & (pl.col("count") > 1)
    herd = {**who, "individual": pl.col("individualID"), "count": pl.col("count")}
    side = {"value": pl.col("flank tag"), "known": pl.lit(", ".join(FLANKS))}
    strange = pl.col("flank tag").is_not_null() & ~pl.col("flank tag").is_in(FLANKS)
    backwards = pl.col("eventEnd") < pl.col("eventStart")
    warn = Severity.WARNING
    return [
        *repeated(sheet, ["observationID"], "duplicate-id", who),
        *strangers(sheet, "deploymentID", tables.deployments.rows["deploymentID"], "unknown-deployment"),
        *strangers(sheet, "mediaID", tables.media.rows["mediaID"], "unknown-media"),
        *flag(sheet, backwards, "end-before-start", field="eventEnd", facts=who),
        *flag(sheet, outside, "outside-deployment", field="eventStart", facts=facts, severity=warn),
        *flag(sheet, many, "individual-with-count", field="count", facts=herd, severity=warn),
        *flag(sheet, strange, "unknown-word", field="observationTags", facts=side),
    ]


def _beside_deployments(sheet: Sheet, tables: Tables) -> Sheet:
    """Rows with the start and end of their deployment."""
    period = tables.deployments.rows.select("deploymentID", "deploymentStart", "deploymentEnd")
    period = period.filter(pl.col("deploymentID").is_not_null()).unique("deploymentID", keep="first")
    return sheet.with_rows(sheet.rows.join(period, on="deploymentID", how="left", maintain_order="left"))


def _wrong_gaps(tables: Tables) -> list[Finding]:
    if tables.gaps is None:
        return []
    sheet = _beside_deployments(tables.gaps, tables)
    facts = {"deployment": pl.col("deploymentID")}
    outside = (pl.col("start") < pl.col("deploymentStart")) | (pl.col("end") > pl.col("deploymentEnd"))
    backwards = pl.col("end") <= pl.col("start")
    earlier = sheet.with_rows(sheet.rows.sort("deploymentID", "start", "end"))
    overlap = pl.col("start") < pl.col("end").cum_max().shift().over("deploymentID")
    return [
        *strangers(sheet, "deploymentID", tables.deployments.rows["deploymentID"], "unknown-deployment"),
        *flag(sheet, backwards, "end-before-start", field="end", facts={"id": pl.col("deploymentID")}),
        *flag(sheet, outside, "gap-outside-deployment", field="start", facts=facts),
        *flag(earlier, overlap, "gaps-overlap", field="start", facts=facts),
    ]


# --- counted once ---


def counted_once(observations: Sheet) -> tuple[Sheet, list[Finding]]:
    """Observations at one level a deployment: of events where it has any, else of media.

    A note says how many rows of media each deployment leaves out; a warning names every individual that only
    those rows know.
    """
    is_event = pl.col("observationLevel") == "event"
    dropped = is_event.any().over("deploymentID") & ~is_event
    marked = observations.rows.with_columns(dropped.fill_null(value=False).alias("dropped"))
    sheet = observations.with_rows(marked)
    known = marked.filter(~pl.col("dropped")).select("deploymentID", "individualID").drop_nulls().unique()
    lost = marked.filter("dropped").join(known, on=["deploymentID", "individualID"], how="anti", maintain_order="left")
    lost = lost.filter(pl.col("individualID").is_not_null()).unique(
        ["deploymentID", "individualID"], keep="first", maintain_order=True
    )
    facts = {"individual": pl.col("individualID"), "deployment": pl.col("deploymentID")}
    warned = flag(
        observations.with_rows(lost),
        pl.lit(value=True),
        "individual-only-on-media",
        field="individualID",
        facts=facts,
        severity=Severity.WARNING,
    )
    return observations.with_rows(marked.filter(~pl.col("dropped")).drop("dropped")), [*_left_out(sheet), *warned]


def _left_out(marked: Sheet) -> list[Finding]:
    counts = marked.rows.filter("dropped").group_by("deploymentID", maintain_order=True).agg(pl.len().alias("n"))
    return [
        Finding(
            "media-level-left-out",
            {"deployment": shown(str(deployment)), "rows": n},
            Where(file=marked.file, field="observationLevel"),
            Severity.NOTE,
        )
        for deployment, n in counts.iter_rows()
    ]


# --- the survey ---


def _survey(tables: Tables, delivery: Delivery) -> Survey:
    return Survey(
        party=delivery.party,
        dataset=delivery.dataset,
        frame="EPSG:4326",
        dated=True,
        deployments=_deployments(tables.deployments.rows, delivery),
        media=_renamed(tables.media.rows, _MEDIA_NAMES, MEDIA),
        observations=_observations(tables.observations.rows, delivery),
        effort=_effort(tables.gaps),
        kind="camera",
    )


_MEDIA_NAMES = {
    "mediaID": "media",
    "deploymentID": "deployment",
    "timestamp": "taken",
    "timestamp text": "taken_text",
    "filePath": "path",
}
_OBSERVATION_NAMES = {
    "observationID": "observation",
    "deploymentID": "deployment",
    "mediaID": "media",
    "eventID": "event",
    "eventStart": "start",
    "eventEnd": "end",
    "eventStart text": "start_text",
    "observationType": "type",
    "scientificName": "taxon",
    "lifeStage": "life_stage",
    "individualID": "individual",
}


def _renamed(rows: pl.DataFrame, names: Mapping[str, str], schema: pl.Schema) -> pl.DataFrame:
    return conform(rows.rename(dict(names)), schema)


def _deployments(rows: pl.DataFrame, delivery: Delivery) -> pl.DataFrame:
    return conform(
        rows.select(
            pl.col("deploymentID").alias("deployment"),
            pl.coalesce("locationID", "deploymentID").alias("station"),
            pl.col("longitude").alias("x"),
            pl.col("latitude").alias("y"),
            pl.col("coordinateUncertainty").alias("uncertainty_m"),
            pl.col("deploymentStart").alias("start"),
            pl.col("deploymentEnd").alias("end"),
            pl.col("cameraModel").alias("camera_type"),
            pl.lit(delivery.detector or None, dtype=pl.String).alias("detector"),
        ),
        DEPLOYMENTS,
    )


def _observations(rows: pl.DataFrame, delivery: Delivery) -> pl.DataFrame:
    own = pl.when(pl.col("individualID").is_not_null()).then(pl.lit(delivery.catalogue))
    flank = pl.coalesce("flank", "flank tag")
    return _renamed(rows.with_columns(own.alias("catalogue"), flank.alias("flank")), _OBSERVATION_NAMES, OBSERVATIONS)


def _effort(gaps: Sheet | None) -> pl.DataFrame:
    if gaps is None:
        return pl.DataFrame(schema=EFFORT)
    return conform(
        gaps.rows.with_columns(pl.col("deploymentID").alias("deployment"), pl.lit(0.0).alias("effort")), EFFORT
    )
