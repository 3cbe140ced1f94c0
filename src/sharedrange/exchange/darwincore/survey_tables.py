"""A dated survey of cameras as the tables of an archive.

A deployment is an event (`eventType` deployment) with its effort in Humboldt terms, also where it saw nothing. What was
seen at one time is an event in it, and every animal with a name is an occurrence of that event. Media are rows of
Audiovisual Core; what no vocabulary has a term for (gaps, side seen, catalogue) are measurements.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.survey import Survey
from sharedrange.core.when import length_days, run_spans
from sharedrange.exchange.darwincore.rows import instant, measurements, period
from sharedrange.exchange.darwincore.terms import (
    CAMERA_MODEL,
    CATALOGUE,
    DEPLOYMENT,
    DETECTOR,
    FLANK,
    GAP,
    LIST,
    WRITTEN_UNITS,
)
from sharedrange.exchange.positions import WGS84

_TOLD = ("deployment", "event", "start", "end", "start_text")  # what rows of one event say alike


def survey_tables(survey: Survey, deployments: pl.DataFrame, looked_for: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Tables by name, the core first. `deployments`: those of the survey with what is noted about them."""
    seen = _with_events(_named(survey.observations), deployments["deployment"])
    media = {"multimedia": _media(survey.media)} if survey.media.height else {}
    return {
        "event": pl.concat([_deployments(deployments), _events(seen)], how="diagonal"),
        "occurrence": _occurrences(seen),
        "humboldt": _inventory(survey, looked_for),
        **media,
        "extendedmeasurementorfact": _measurements(survey, seen),
    }


def without_media(survey: Survey) -> Survey:
    """The survey without its pictures, and without their names in the observations."""
    nameless = survey.observations.with_columns(pl.lit(None, dtype=pl.String).alias("media"))
    return survey.with_tables(media=survey.media.clear(), observations=nameless)


def left_out(survey: Survey, shown: Survey) -> list[Finding]:
    """Notes on rows that are not written: media, and blanks, people, vehicles, animals without a name."""
    named = _named(survey.observations).height
    lost = {"observations": survey.observations.height - named, "media": survey.media.height - shown.media.height}
    found = []
    for table, rows in lost.items():
        if rows:
            facts: dict[str, Fact] = {"rows": rows, "table": table}
            found.append(Finding("dwca-not-written", facts, Where(table=table), Severity.NOTE))
    return found


def _named(observations: pl.DataFrame) -> pl.DataFrame:
    present = pl.col("count").is_null() | (pl.col("count") > 0)
    return observations.filter((pl.col("type") == "animal") & pl.col("taxon").is_not_null() & present)


# --- events ---


def _with_events(seen: pl.DataFrame, deployments: pl.Series) -> pl.DataFrame:
    """Observations with the `eventID` of their event: its own where no other has it, else deployment and number."""
    groups = seen.select(_TOLD).unique(maintain_order=True).sort(_TOLD, nulls_last=True)
    number = (pl.int_range(pl.len()).over("deployment") + 1).cast(pl.String)
    numbered = pl.col("deployment") + pl.lit(":") + number
    own = pl.col("event").is_unique() & ~pl.col("event").is_in(deployments.to_list())
    groups = groups.with_columns(numbered.alias("numbered"))
    taken = pl.col("event").is_in(groups["numbered"].to_list())  # nobody else's number
    ids = pl.when(own & ~taken).then("event").otherwise("numbered")
    groups = groups.with_columns(ids.alias("eventID")).drop("numbered")
    return seen.join(groups, on=_TOLD, how="left", nulls_equal=True, maintain_order="left")


def _deployments(deployments: pl.DataFrame) -> pl.DataFrame:
    return deployments.select(
        pl.col("deployment").alias("eventID"),
        pl.lit(None, dtype=pl.String).alias("parentEventID"),
        pl.lit(DEPLOYMENT).alias("eventType"),
        pl.lit(None, dtype=pl.String).alias("fieldNumber"),
        pl.col("station").alias("locationID"),
        pl.col("y").alias("decimalLatitude"),
        pl.col("x").alias("decimalLongitude"),
        pl.when(pl.col("x").is_not_null()).then(pl.lit(WGS84)).alias("geodeticDatum"),
        pl.col("uncertainty_m").alias("coordinateUncertaintyInMeters"),
        period().alias("eventDate"),
        pl.lit(None, dtype=pl.String).alias("verbatimEventDate"),
        pl.lit("camera trap").alias("samplingProtocol"),
        pl.col("data_generalizations").alias("dataGeneralizations"),
        pl.col("information_withheld").alias("informationWithheld"),
    )


def _events(seen: pl.DataFrame) -> pl.DataFrame:
    """One row an event. Its place and protocol are those of its deployment, so they are not told again."""
    first = seen.unique("eventID", keep="first", maintain_order=True).sort("deployment", "start", "eventID")
    return first.select(
        "eventID",
        pl.col("deployment").alias("parentEventID"),
        pl.lit("observation").alias("eventType"),
        pl.col("event").alias("fieldNumber"),
        period().alias("eventDate"),
        pl.col("start_text").alias("verbatimEventDate"),
    )


# --- what belongs to events ---


def _occurrences(seen: pl.DataFrame) -> pl.DataFrame:
    return seen.sort("observation").select(
        "eventID",
        pl.col("observation").alias("occurrenceID"),
        pl.lit("MachineObservation").alias("basisOfRecord"),
        pl.lit("present").alias("occurrenceStatus"),
        pl.col("taxon").alias("scientificName"),
        pl.col("count").alias("individualCount"),
        pl.col("life_stage").alias("lifeStage"),
        "sex",
        pl.col("individual").alias("organismID"),
        pl.col("media").alias("associatedMedia"),
    )


def _inventory(survey: Survey, looked_for: Sequence[str]) -> pl.DataFrame:
    """The Humboldt Extension: how long each camera watched, its gaps taken off. Nothing is said of absences."""
    spans = run_spans(survey)
    days = [length_days(spans[name]) if name in spans else None for name in survey.deployments["deployment"]]
    return survey.deployments.select(
        pl.col("deployment").alias("eventID"),
        pl.lit(LIST.join(looked_for)).alias("targetTaxonomicScope"),
        pl.lit("false").alias("isAbsenceReported"),
        pl.lit("camera trap").alias("protocolNames"),
        pl.Series("isSamplingEffortReported", ["false" if n is None else "true" for n in days], pl.String),
        pl.Series("samplingEffortValue", days, pl.Float64).round(4),
        pl.lit(WRITTEN_UNITS["station_days"]).alias("samplingEffortUnit"),
    )


def _media(media: pl.DataFrame) -> pl.DataFrame:
    return media.sort("media").select(
        pl.col("deployment").alias("eventID"),
        pl.col("media").alias("identifier"),
        pl.col("path").alias("accessURI"),
        instant("taken").alias("CreateDate"),
    )


def _measurements(survey: Survey, seen: pl.DataFrame) -> pl.DataFrame:
    gaps = survey.effort.with_columns(period().alias("measured")).sort("deployment", "start")
    parts = [
        measurements(survey.deployments, "deployment", "camera_type", CAMERA_MODEL),
        measurements(survey.deployments, "deployment", "detector", DETECTOR),
        measurements(gaps, "deployment", "reason", GAP),
        measurements(seen, "eventID", "flank", FLANK, "observation"),
        measurements(seen, "eventID", "catalogue", CATALOGUE, "observation"),
    ]
    return pl.concat(parts)
