"""A dated survey as a Camera Trap Data Package 1.0.2 with an effort table; door `camtrap-dp` reads it back."""

from __future__ import annotations

import json
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sharedrange.core.errors import InputError
from sharedrange.core.files import write_atomically
from sharedrange.core.finding import Finding, Where
from sharedrange.core.sheets import neutral_csv
from sharedrange.core.survey import Survey
from sharedrange.exchange.camtrapdp.cells import standard_times
from sharedrange.exchange.camtrapdp.package import NEUTRAL, PACKAGE
from sharedrange.exchange.camtrapdp.schema import NEWEST, TABLES, schemas
from sharedrange.exchange.delivery import Delivery, write_delivery

_SCHEMAS = f"https://raw.githubusercontent.com/tdwg/camtrap-dp/{NEWEST}"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


_EFFORT_COLUMNS = ("deploymentID", "start", "end", "reason")
_EFFORT_SCHEMA = {
    "fields": [
        {"name": "deploymentID", "type": "string", "constraints": {"required": True}},
        {"name": "start", "type": "datetime", "format": "%Y-%m-%dT%H:%M:%S%z", "constraints": {"required": True}},
        {"name": "end", "type": "datetime", "format": "%Y-%m-%dT%H:%M:%S%z", "constraints": {"required": True}},
        {"name": "reason", "type": "string", "constraints": {"required": True}},
    ],
    "foreignKeys": [
        {"fields": "deploymentID", "reference": {"resource": "deployments", "fields": "deploymentID"}},
    ],
}


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a package says about itself beyond its tables."""

    title: str
    description: str
    contributor: str
    created: str
    prefix: str
    sampling_design: str
    licence: str


def write(
    survey: Survey,
    folder: Path,
    *,
    title: str,
    catalogue: str = "main",
    description: str = "",
    contributor: str = "",
    created: str = "",
    prefix: str = "",
    sampling_design: str = "systematicRandom",
    licence: str = "CC0-1.0",
) -> None:
    """Write datapackage.json, deployments, media, observations, effort and delivery.toml into `folder`.

    `created`: ISO 8601 with offset; empty: the end of the last deployment, as this package reads no clock.
    `prefix` stands before every table's file name (``SIMULATED-``); `sampling_design` is a word of the
    standard, `licence` an SPDX name for data and media. Times are written in UTC to the second, a flank as the
    tag ``flank:left``, text that a spreadsheet may take for a formula with an apostrophe before it;
    detector and catalogue, which the standard has no place for, go into delivery.toml.
    Raises InputError if the survey is undated or its positions are not longitude and latitude.
    """
    if found := _cannot_write(survey):
        raise InputError(found)
    made = created or survey.deployments.select(_time("end").max()).item() or "1970-01-01T00:00:00Z"
    facts = _Facts(title, description, contributor or survey.party, made, prefix, sampling_design, licence)
    tables = {
        "deployments": _deployments(survey),
        "media": _media(survey),
        "observations": _observations(survey),
        "effort": _effort(survey),
    }
    for name, table in tables.items():
        write_atomically(folder / _file(name, facts), neutral_csv(_in_order(table, _columns(name))))
    package = json.dumps(_package(survey, facts), ensure_ascii=False, indent=2) + "\n"
    write_atomically(folder / PACKAGE, package.encode())
    write_delivery(_delivery(survey, catalogue), folder)


def _delivery(survey: Survey, catalogue: str) -> Delivery:
    detectors = survey.deployments["detector"].unique().drop_nulls()
    detector = detectors[0] if len(detectors) == 1 else ""
    return Delivery(survey.party, survey.dataset, "camtrap-dp", catalogue=catalogue, detector=detector)


def _cannot_write(survey: Survey) -> list[Finding]:
    found = []
    if not survey.dated:
        found.append(Finding("survey-is-undated", {"dataset": survey.dataset}, Where(table=survey.dataset)))
    if survey.frame != "EPSG:4326":
        facts = {"dataset": survey.dataset, "frame": survey.frame}
        found.append(Finding("not-on-earth", facts, Where(table="deployments")))
    return found


def _file(table: str, facts: _Facts) -> str:
    return f"{facts.prefix}{table}.csv"


def _columns(table: str) -> tuple[str, ...]:
    """Every column of the standard's table schemas, in their order: Frictionless readers expect them all."""
    return schemas(NEWEST)[table].names if table in TABLES else _EFFORT_COLUMNS


def _in_order(table: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    return table.select(
        pl.col(name) if name in table.columns else pl.lit(None, dtype=pl.String).alias(name) for name in columns
    )


def _time(column: str) -> pl.Expr:
    return pl.col(column).dt.strftime(_TIME)


def _as_delivered(table: pl.DataFrame, column: str) -> pl.Series:
    """Times as they were delivered where that is the standard's form and still says the same instant, else in UTC.

    A text from another door may be of another form, and a clock may have been corrected since.
    """
    text = table[f"{column}_text"]
    told, _ = standard_times(text)
    same = (told == table[column].dt.truncate("1s")).fill_null(value=False)
    return text.zip_with(same, table.select(_time(column)).to_series())


def _deployments(survey: Survey) -> pl.DataFrame:
    return survey.deployments.select(
        pl.col("deployment").alias("deploymentID"),
        pl.col("station").alias("locationID"),
        pl.col("y").alias("latitude"),
        pl.col("x").alias("longitude"),
        pl.col("uncertainty_m").ceil().clip(1).cast(pl.Int64).alias("coordinateUncertainty"),
        _time("start").alias("deploymentStart"),
        _time("end").alias("deploymentEnd"),
        pl.col("camera_type").alias("cameraModel"),
    )


def _media(survey: Survey) -> pl.DataFrame:
    path = pl.coalesce("path", pl.lit("media/") + pl.col("media") + ".jpg")
    kind = path.map_elements(lambda name: mimetypes.guess_type(name)[0] or "image/jpeg", return_dtype=pl.String)
    return survey.media.select(
        pl.col("media").alias("mediaID"),
        pl.col("deployment").alias("deploymentID"),
        pl.lit("activityDetection").alias("captureMethod"),
        _as_delivered(survey.media, "taken").alias("timestamp"),
        path.alias("filePath"),
        pl.lit("false").alias("filePublic"),
        kind.alias("fileMediatype"),
    )


def _observations(survey: Survey) -> pl.DataFrame:
    start = pl.lit(_as_delivered(survey.observations, "start"))
    # One level a deployment, or a reader that counts each animal once would leave half of them out.
    on_media = pl.col("media").is_not_null().all().over("deployment")
    return survey.observations.select(
        pl.col("observation").alias("observationID"),
        pl.col("deployment").alias("deploymentID"),
        pl.col("media").alias("mediaID"),
        pl.col("event").alias("eventID"),
        start.alias("eventStart"),
        pl.coalesce(_time("end"), start).alias("eventEnd"),
        pl.when(on_media).then(pl.lit("media")).otherwise(pl.lit("event")).alias("observationLevel"),
        pl.col("type").alias("observationType"),
        pl.col("taxon").alias("scientificName"),
        pl.col("count"),
        pl.col("life_stage").alias("lifeStage"),
        pl.col("sex"),
        pl.col("individual").alias("individualID"),
        (pl.lit("flank:") + pl.col("flank")).alias("observationTags"),
    )


def _effort(survey: Survey) -> pl.DataFrame:
    return survey.effort.select(
        pl.col("deployment").alias("deploymentID"), _time("start").alias("start"), _time("end").alias("end"), "reason"
    )


def _package(survey: Survey, facts: _Facts) -> dict[str, Any]:
    """datapackage.json of the standard's profile, with our effort table as one resource more."""
    taxa = survey.observations["taxon"].drop_nulls().unique().sort()
    return {
        "resources": [*(_resource(name, facts) for name in TABLES), _effort_resource(facts)],
        "profile": f"{_SCHEMAS}/camtrap-dp-profile.json",
        "name": survey.dataset.lower(),
        NEUTRAL: True,
        "created": facts.created,
        "title": facts.title,
        "description": facts.description,
        "contributors": [{"title": facts.contributor, "role": "contributor"}],
        "licenses": [
            {"name": facts.licence, "scope": "data"},
            {"name": facts.licence, "scope": "media"},
        ],
        "project": _project(survey, facts),
        "spatial": _box(survey),
        "temporal": _period(survey),
        "taxonomic": [{"scientificName": name} for name in taxa],
    }


def _resource(name: str, facts: _Facts) -> dict[str, Any]:
    return {
        "name": name,
        "path": _file(name, facts),
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": f"{_SCHEMAS}/{name}-table-schema.json",
    }


def _effort_resource(facts: _Facts) -> dict[str, Any]:
    return {**_resource("effort", facts), "schema": _EFFORT_SCHEMA}


def _project(survey: Survey, facts: _Facts) -> dict[str, Any]:
    levels = _observations(survey)["observationLevel"].unique().sort().to_list()
    return {
        "title": facts.title,
        "samplingDesign": facts.sampling_design,
        "captureMethod": ["activityDetection"],
        "individualAnimals": not survey.observations["individual"].is_null().all(),
        "observationLevel": levels or ["event"],
    }


def _box(survey: Survey) -> dict[str, Any]:
    """Bounding box of the deployments as a GeoJSON polygon; an empty one where there are none."""
    if survey.deployments.is_empty():
        return {"type": "Polygon", "coordinates": []}
    x, y = survey.deployments["x"], survey.deployments["y"]
    west, east, south, north = x.min(), x.max(), y.min(), y.max()
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _period(survey: Survey) -> dict[str, str]:
    days = survey.deployments.select(
        pl.col("start").min().dt.strftime("%Y-%m-%d"), pl.col("end").max().dt.strftime("%Y-%m-%d")
    )
    return {name: day or "" for name, day in zip(("start", "end"), days.row(0), strict=True)}
