"""Occurrences that are camera pictures as a survey, where they tell enough of their deployments.

The mapping is that of the community for Camtrap DP on its way to GBIF: `parentEventID` is the deployment, `eventID` the
event, `samplingEffort` the start and end of the deployment, `organismID` the individual.
"""

from __future__ import annotations

import polars as pl

from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.core.survey import DEPLOYMENTS, OBSERVATIONS
from sharedrange.exchange.darwincore.occurrences import absent_pictures, conformed
from sharedrange.exchange.darwincore.terms import CAMERA
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.tables import FILE, ROW, Column, Sheet, flag, typed

READ = ("parentEventID", "samplingEffort", "organismID")
_PERIOD = r"^\d{4}-\d{2}-\d{2}T[^/]+/\d{4}-\d{2}-\d{2}T[^/]+$"


def are_pictures(core: Sheet) -> bool:
    """Whether every occurrence is of a machine."""
    if not core.has("basisOfRecord") or core.rows.is_empty():
        return False
    return bool((core.rows["basisOfRecord"].str.to_lowercase() == CAMERA).fill_null(value=False).all())


def tell_deployments(core: Sheet) -> bool:
    """Whether every occurrence names its deployment and says from when to when that ran.

    Some programs write the time of the event where that of the deployment belongs: it is then equal to `eventDate`, or
    not the same in every row of a deployment.
    """
    needed = ("parentEventID", "samplingEffort", "eventDate", "decimalLatitude", "decimalLongitude")
    if not all(core.has(name) and core.rows[name].null_count() == 0 for name in needed):
        return False
    periods = core.rows.select("parentEventID", "samplingEffort").unique()
    one_each = periods["parentEventID"].is_unique().all()
    of_events = (core.rows["samplingEffort"] == core.rows["eventDate"]).any()
    return one_each and not of_events and bool(periods["samplingEffort"].str.contains(_PERIOD).all())


def survey_of(
    core: Sheet, events: Sheet, occurrences: Sheet, delivery: Delivery
) -> tuple[dict[str, Sheet], list[Finding]]:
    """Deployments and observations. `events`: place and time of each row, `occurrences`: what it is of, both typed."""
    told = core.rows.select(ROW, FILE, "samplingEffort", *(_text(core, name) for name in ("organismID", "eventID")))
    periods, found = _periods(core.with_rows(told), delivery)
    rows = events.rows.join(periods.rows, on=[FILE, ROW], how="left", maintain_order="left")
    rows = rows.join(occurrences.rows.select(FILE, ROW, *_OF), on=[FILE, ROW], how="left", maintain_order="left")
    sheet = core.with_rows(rows)
    found += _differing(sheet)
    found.append(Finding("dwca-only-seen", {}, Where(core.file), Severity.WARNING))
    found += absent_pictures(sheet)
    return {"deployments": _deployments(sheet), "observations": _observations(sheet)}, found


_OF = ("occurrenceID", "occurrenceStatus", "taxon", "count", "lifeStage", "sex")


def _text(sheet: Sheet, name: str) -> pl.Expr:
    return pl.col(name) if sheet.has(name) else pl.lit(None, dtype=pl.String).alias(name)


def _periods(sheet: Sheet, delivery: Delivery) -> tuple[Sheet, list[Finding]]:
    """`samplingEffort` as `began` and `ended`."""
    ends = pl.col("samplingEffort").str.splitn("/", 2).struct
    texts = sheet.rows.with_columns(ends.field("field_0").alias("began"), ends.field("field_1").alias("ended"))
    columns = [Column(FILE), Column("organismID"), Column("eventID"), Column("samplingEffort")]
    return typed(
        sheet.with_rows(texts), [*columns, Column("began", "time"), Column("ended", "time")], delivery.timezone
    )


def _differing(sheet: Sheet) -> list[Finding]:
    """Rows that tell another place or period of their deployment than its first row."""
    told = ("x", "y", "began", "ended", "locationID")
    differs = pl.any_horizontal(~pl.col(name).eq_missing(pl.col(name).first().over("parentEventID")) for name in told)
    facts = {"deployment": pl.col("parentEventID")}
    return flag(sheet, differs, "dwca-deployment-differs", field="parentEventID", facts=facts)


def _deployments(sheet: Sheet) -> Sheet:
    first = sheet.rows.unique("parentEventID", keep="first", maintain_order=True)
    named = first.select(
        pl.col(ROW, FILE),
        pl.col("parentEventID").alias("deployment"),
        pl.col("locationID").alias("station"),
        pl.col("x", "y"),
        pl.col("coordinateUncertaintyInMeters").alias("uncertainty_m"),
        pl.col("began").alias("start"),
        pl.col("ended").alias("end"),
    )
    return conformed(sheet.file, named, DEPLOYMENTS)


def _observations(sheet: Sheet) -> Sheet:
    named = sheet.rows.filter(pl.col("occurrenceStatus").fill_null("present") != "absent").select(
        pl.col(ROW, FILE),
        pl.col("occurrenceID").alias("observation"),
        pl.col("parentEventID").alias("deployment"),
        pl.col("eventID").alias("event"),
        pl.col("start", "end"),
        pl.col("given").alias("start_text"),
        pl.lit("animal").alias("type"),
        pl.col("taxon", "count"),
        pl.col("lifeStage").alias("life_stage"),
        pl.col("sex"),
        pl.col("organismID").alias("individual"),
    )
    return conformed(sheet.file, named, OBSERVATIONS)
