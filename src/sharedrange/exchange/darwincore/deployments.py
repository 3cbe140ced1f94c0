"""Events that are deployments of cameras, with the events seen in them, as a survey.

An archive tells its deployments where their `eventType` is deployment and every occurrence is of an event within one.
Unlike an archive of occurrences alone it has the cameras that saw nothing, so rates may be had from it.
"""

from __future__ import annotations

import polars as pl

from sharedrange.core.finding import Finding
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, GAP_REASONS, MEDIA, OBSERVATIONS
from sharedrange.exchange.darwincore import occurrences
from sharedrange.exchange.darwincore.archive import ID, Archive
from sharedrange.exchange.darwincore.events import MAX_LEVELS
from sharedrange.exchange.darwincore.occurrences import values_of, word
from sharedrange.exchange.darwincore.terms import (
    CAMERA_MODEL,
    CATALOGUE,
    DEPLOYMENT,
    DETECTOR,
    FLANK,
    GAP,
    MEASUREMENTS,
    MEDIA_ID,
    MEDIA_PATH,
    MEDIA_TAKEN,
)
from sharedrange.exchange.darwincore.terms import MEDIA as MULTIMEDIA
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.tables import FILE, ROW, Column, Sheet, typed

EVENT_READ = ("eventType", "fieldNumber")
OCCURRENCE_READ = ("organismID", "associatedMedia")
MEDIA_READ = (MEDIA_ID, MEDIA_PATH, MEDIA_TAKEN)
MEASUREMENT_READ = "measurementDeterminedDate"
KINDS = (GAP, CAMERA_MODEL, DETECTOR, FLANK, CATALOGUE)
_DEPLOYED = "deployment of event"


def tell_deployments(core: Sheet, seen: Sheet | None) -> bool:
    """Whether events say that they are deployments, and every occurrence is of an event within one."""
    if not (core.has("eventType") and core.has("parentEventID")):
        return False
    if not (core.rows["eventType"].str.to_lowercase() == DEPLOYMENT).any():
        return False
    within = _within(core).filter(pl.col(ID) != pl.col(_DEPLOYED))[ID]
    return seen is None or bool(seen.rows[ID].drop_nulls().is_in(within.to_list()).all())


def _within(core: Sheet) -> pl.DataFrame:
    """`ID` of each event in a deployment, and of that deployment; a deployment is in itself."""
    events = (
        core.rows.select(ID, "parentEventID", "eventType").filter(pl.col(ID).is_not_null()).unique(ID, keep="first")
    )
    is_deployment = pl.col("eventType").str.to_lowercase() == DEPLOYMENT
    known = events.filter(is_deployment).select(ID, pl.col(ID).alias(_DEPLOYED))
    inside = known
    for _ in range(MAX_LEVELS):
        above = inside.select(pl.col(ID).alias("parentEventID"), _DEPLOYED)
        inside = events.join(above, on="parentEventID").join(known, on=ID, how="anti").select(ID, _DEPLOYED)
        if inside.is_empty():
            break
        known = pl.concat([known, inside])
    return known


def survey_of(
    archive: Archive, events: Sheet, seen: Sheet, delivery: Delivery
) -> tuple[dict[str, Sheet], list[Finding]]:
    """Deployments, observations, gaps and media. `events`, `seen`: events and occurrences, typed.

    `seen` also has `OCCURRENCE_READ`, as text.
    """
    core, measured, media = archive.core.sheet, archive.of(*MEASUREMENTS), archive.joined(MULTIMEDIA)
    own = [pl.col(FILE, ROW), pl.col("fieldNumber" if core.has("fieldNumber") else ID).alias("event")]
    rows = events.rows.join(core.rows.select(own), on=[FILE, ROW], how="left", maintain_order="left")
    rows = rows.join(_within(core), on=ID, how="left", maintain_order="left")
    cameras, found = _deployments(core.with_rows(rows.filter(pl.col(ID) == pl.col(_DEPLOYED))), measured)
    observations, more = _observations(seen, rows, measured, media)
    found += more
    gaps, more = _gaps(core.file, measured, delivery)
    found += more
    sheets = {"deployments": cameras, "observations": observations, "effort": gaps}
    if media is not None:
        sheets["media"], more = _media(media, delivery)
        found += more
    return sheets, found


def _deployments(sheet: Sheet, measured: list[Sheet]) -> tuple[Sheet, list[Finding]]:
    models, found = values_of(measured, CAMERA_MODEL, "camera_type", Column("measurementValue"), ID)
    detectors, more = values_of(measured, DETECTOR, "detector", word("detector"), ID)
    rows = sheet.rows.join(models, on=ID, how="left").join(detectors, on=ID, how="left", maintain_order="left")
    named = rows.select(
        pl.col(ROW, FILE, "x", "y", "start", "end", "camera_type", "detector"),
        pl.col(ID).alias("deployment"),
        pl.coalesce("locationID", "locality").alias("station"),
        pl.col("coordinateUncertaintyInMeters").alias("uncertainty_m"),
    )
    return occurrences.conformed(sheet.file, named, DEPLOYMENTS), [*found, *more]


def _observations(
    seen: Sheet, events: pl.DataFrame, measured: list[Sheet], media: Sheet | None
) -> tuple[Sheet, list[Finding]]:
    flanks, found = values_of(measured, FLANK, "flank", word("flank"), "occurrenceID")
    catalogues, more = values_of(measured, CATALOGUE, "catalogue", Column("measurementValue"), "occurrenceID")
    times = events.select(ID, _DEPLOYED, "event", "start", "end", "given").unique(ID, keep="first")
    rows = seen.rows.join(times, on=ID, how="left", maintain_order="left")
    rows = rows.join(flanks, on="occurrenceID", how="left", maintain_order="left")
    rows = rows.join(catalogues, on="occurrenceID", how="left", maintain_order="left")
    known = [] if media is None or not media.has(MEDIA_ID) else media.rows[MEDIA_ID].drop_nulls().to_list()
    present = pl.col("occurrenceStatus").fill_null("present") != "absent"
    named = rows.filter(present).select(
        pl.col(ROW, FILE, "event", "start", "end", "taxon", "count", "sex", "flank", "catalogue"),
        pl.col("occurrenceID").alias("observation"),
        pl.col(_DEPLOYED).alias("deployment"),
        pl.when(pl.col("associatedMedia").is_in(known)).then("associatedMedia").alias("media"),
        pl.col("given").alias("start_text"),
        pl.lit("animal").alias("type"),
        pl.col("lifeStage").alias("life_stage"),
        pl.col("organismID").alias("individual"),
    )
    found += [*more, *occurrences.absent_pictures(seen)]
    return occurrences.conformed(seen.file, named, OBSERVATIONS), found


def _gaps(file: str, measured: list[Sheet], delivery: Delivery) -> tuple[Sheet, list[Finding]]:
    """When cameras did not watch: measurements whose date is an interval."""
    found: list[Finding] = []
    columns = [
        *(Column(ID, required=True), Column(FILE), Column("start", "time", required=True)),
        *(Column("end", "time", required=True), Column("measurementValue", "word", words={r: r for r in GAP_REASONS})),
    ]
    parts = [pl.DataFrame(schema={**EFFORT, ROW: pl.Int64(), FILE: pl.String()})]
    for sheet in measured:
        if not (sheet.has("measurementType") and sheet.has(MEASUREMENT_READ)):
            continue
        rows = sheet.rows.filter(pl.col("measurementType") == GAP)
        ends = pl.col(MEASUREMENT_READ).str.splitn("/", 2).struct
        texts = rows.with_columns(ends.field("field_0").alias("start"), ends.field("field_1").alias("end"))
        gaps, more = typed(sheet.with_rows(texts), columns, delivery.timezone)
        found += more
        named = gaps.rows.rename({ID: "deployment", "measurementValue": "reason"})
        parts.append(occurrences.conformed(sheet.file, named, EFFORT).rows.select(parts[0].columns))
    return Sheet(file, pl.concat(parts)), found


def _media(media: Sheet, delivery: Delivery) -> tuple[Sheet, list[Finding]]:
    columns = [
        *(Column(ID, required=True), Column(FILE), Column(MEDIA_ID, required=True), Column(MEDIA_PATH)),
        Column(MEDIA_TAKEN, "time", required=True),
    ]
    sheet, found = typed(media, columns, delivery.timezone)
    named = sheet.rows.select(
        pl.col(ROW, FILE),
        pl.col(MEDIA_ID).alias("media"),
        pl.col(ID).alias("deployment"),
        pl.col(MEDIA_TAKEN).alias("taken"),
        pl.col(f"{MEDIA_TAKEN} text").alias("taken_text"),
        pl.col(MEDIA_PATH).alias("path"),
    )
    return occurrences.conformed(media.file, named, MEDIA), found
