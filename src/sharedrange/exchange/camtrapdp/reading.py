"""Door `camtrap-dp`: Camera Trap Data Packages of five versions (https://camtrap-dp.tdwg.org) become surveys.

Deployments, media and observations of a folder or zip become a dated survey. Beside the standard we read a
table ``effort.csv`` (deploymentID, start, end, reason) of the times when a camera did not watch, and the side
of the animal that was seen: a column ``flank`` of the observations or a tag ``flank:left``.

The same animal may be in a package twice, in observations of an event and in observations of the event's
media. It is counted once: where a deployment has observations of events those are kept, else those of media.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from sharedrange.core.contents import Delivered
from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Finding, Severity, Where, errors
from sharedrange.core.survey import BOXES, DEPLOYMENTS, EFFORT, MEDIA, OBSERVATIONS, Survey, conform
from sharedrange.exchange.camtrapdp.broken import broken, findings
from sharedrange.exchange.camtrapdp.cells import long_texts
from sharedrange.exchange.camtrapdp.checking import BOX_COLUMNS, Checked, validate
from sharedrange.exchange.camtrapdp.constraints import TEXT, Table
from sharedrange.exchange.camtrapdp.meaning import flank_tag
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.opening import shown
from sharedrange.exchange.tables import ROW, Sheet


def read(folder: Path, delivery: Delivery) -> tuple[Survey | None, tuple[Finding, ...]]:
    """The survey of a delivered package (folder or zip, or a folder that holds a zip); None on an error."""
    content, found = read_delivered(folder, delivery)
    return (None if content is None else content.survey), found


def read_delivered(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """The survey with the columns of the package that it does not carry; None if a finding is an error."""
    checked, found = validate(folder, delivery)
    if checked is None:
        return None, found
    boxes = _boxes(checked.observations.rows, delivery)
    observations, notes = counted_once(replace(checked.observations, rows=checked.observations.rows.drop(BOX_COLUMNS)))
    checked = replace(checked, observations=observations)  # and the memory of what is not counted is free
    found = (*found, *notes)
    if errors(found):
        return None, found
    survey = replace(_survey(checked, delivery), boxes=boxes)
    return Delivered(survey=replace(survey, source=folder_hash(folder)), not_carried=checked.not_carried), found


# --- each animal once ---


def counted_once(observations: Table) -> tuple[Table, list[Finding]]:
    """Observations at one level a deployment: of events where it has any, else of media.

    A note says how many rows of media each deployment leaves out; a warning names every individual that only
    those rows know.
    """
    is_event = pl.col("observationLevel") == "event"
    dropped = (is_event.any().over("deploymentID") & ~is_event).fill_null(value=False)
    is_dropped = observations.rows.select("observationLevel", "deploymentID").select(dropped.alias("d"))["d"]
    if not is_dropped.any():
        return observations, []
    left_out = observations.rows.select(ROW, "deploymentID", "individualID").filter(is_dropped)
    kept = observations.rows.filter(~is_dropped)
    known = kept.select("deploymentID", "individualID").drop_nulls().unique()
    lost = left_out.filter(pl.col("individualID").is_not_null())
    lost = lost.join(known, on=["deploymentID", "individualID"], how="anti", maintain_order="left")
    lost = lost.unique(["deploymentID", "individualID"], keep="first", maintain_order=True)
    facts = lost.select(ROW, individual="individualID", deployment="deploymentID")
    where = (observations.file, "observations")
    warned = broken(where, "individual-only-on-media", "individualID", facts, Severity.WARNING)
    return replace(observations, rows=kept), [*_left_out(observations.file, left_out), *findings(warned)]


def _left_out(file: str, rows: pl.DataFrame) -> list[Finding]:
    counts = rows.group_by("deploymentID", maintain_order=True).agg(pl.len().alias("n"))
    return [
        Finding(
            "media-level-left-out",
            {"deployment": shown(str(deployment)), "rows": n},
            Where(file=file, field="observationLevel"),
            Severity.NOTE,
        )
        for deployment, n in counts.iter_rows()
    ]


# --- the survey ---


def _survey(checked: Checked, delivery: Delivery) -> Survey:
    return Survey(
        party=delivery.party,
        dataset=delivery.dataset,
        frame="EPSG:4326",
        dated=True,
        deployments=_deployments(checked.deployments.rows, delivery),
        media=_renamed(checked.media.rows, _MEDIA_NAMES, MEDIA),
        observations=_observations(checked.observations.rows, delivery),
        effort=_effort(checked.gaps),
        kind="camera",
    )


_MEDIA_NAMES = {
    "mediaID": "media",
    "deploymentID": "deployment",
    "timestamp": "taken",
    "timestamp" + TEXT: "taken_text",
    "filePath": "path",
}
_OBSERVATION_NAMES = {
    "observationID": "observation",
    "deploymentID": "deployment",
    "mediaID": "media",
    "eventID": "event",
    "eventStart": "start",
    "eventEnd": "end",
    "eventStart" + TEXT: "start_text",
    "observationType": "type",
    "scientificName": "taxon",
    "lifeStage": "life_stage",
    "individualID": "individual",
}


def _renamed(rows: pl.DataFrame, names: Mapping[str, str], schema: pl.Schema) -> pl.DataFrame:
    texts = [name for name in names if name.endswith(TEXT)]
    times = [long_texts(rows[name], rows[name.removesuffix(TEXT)]).alias(name) for name in texts]
    return conform(rows.with_columns(times).rename(dict(names)), schema)


def _deployments(rows: pl.DataFrame, delivery: Delivery) -> pl.DataFrame:
    return conform(
        rows.select(
            pl.col("deploymentID").alias("deployment"),
            pl.coalesce(pl.col("locationID", "deploymentID").cast(pl.String)).alias("station"),
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
    return _renamed(_with_names(rows, delivery), _OBSERVATION_NAMES, OBSERVATIONS)


def _with_names(rows: pl.DataFrame, delivery: Delivery) -> pl.DataFrame:
    """Observations with the catalogue of their individuals, and the flank that their column or a tag tells."""
    own = pl.when(pl.col("individualID").is_not_null()).then(pl.lit(delivery.catalogue))
    flank = pl.coalesce(pl.col("flank").cast(pl.String), flank_tag())
    return rows.with_columns(own.alias("catalogue"), flank.alias("flank"))


_BOX_NAMES = {
    "mediaID": "media",
    **dict(zip(BOX_COLUMNS, ("box_x", "box_y", "box_width", "box_height"), strict=True)),
    "observationType": "type",
    "scientificName": "taxon",
    "lifeStage": "life_stage",
    "individualID": "individual",
}


def _boxes(rows: pl.DataFrame, delivery: Delivery) -> pl.DataFrame:
    """What was told apart in each picture in which anything has a box, at whatever level the animals are counted."""
    boxed = rows.filter(pl.col("bboxX").is_not_null())["mediaID"].drop_nulls().unique()
    if not len(boxed):
        return pl.DataFrame(schema=BOXES)
    told = rows.filter(pl.col("mediaID").is_in(boxed.to_list()))
    return conform(_with_names(told, delivery).rename(_BOX_NAMES), BOXES)


def _effort(gaps: Sheet | None) -> pl.DataFrame:
    if gaps is None:
        return pl.DataFrame(schema=EFFORT)
    return conform(
        gaps.rows.with_columns(pl.col("deploymentID").alias("deployment"), pl.lit(0.0).alias("effort")), EFFORT
    )
