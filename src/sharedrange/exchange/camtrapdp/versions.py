"""Older versions in the words and columns of 1.0.2.

Columns without a place in 1.0.2 (`taxonID`, `countNew`, `_id`) are not carried. 0.1.6 knew sequences, no events: an
observation's event is its sequence, from its own time to the last photograph of the sequence; what speaks of one
photograph is of level media.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from sharedrange.exchange.camtrapdp.constraints import TEXT, Kept, Table
from sharedrange.exchange.tables import ROW

_RENAMED: Mapping[str, Mapping[str, str]] = {
    "deployments": {
        "start": "deploymentStart",
        "end": "deploymentEnd",
        "cameraInterval": "cameraDelay",
        "tags": "deploymentTags",
        "comments": "deploymentComments",
    },
    "media": {"favourite": "favorite", "comments": "mediaComments", "sequenceID": "eventID"},
    "observations": {
        "sequenceID": "eventID",
        "timestamp": "eventStart",
        "behaviour": "behavior",
        "classificationConfidence": "classificationProbability",
        "comments": "observationComments",
    },
}
_MEANT = {"offspring": "juvenile", "unknown": None}  # words of 0.1.6 that 1.0 has no more
LOST: Mapping[str, tuple[str, ...]] = {
    "0.1.6": ("taxonID", "countNew", "_id", "cameraSetup"),
    "1.0-rc.1": ("taxonID",),
}
"""Version -> columns of its standard that have no place in 1.0.2 or in a survey."""


def old_columns(version: str, table: str, kept: Kept) -> Kept:
    """What must be kept of a table of this version, so that `renewed` can make what `kept` names."""
    if version != "0.1.6":
        return kept
    old = {new: name for name, new in _RENAMED[table].items()}
    lacking = {"observations": {"eventEnd", "observationLevel"}}.get(table, set())
    columns = {old.get(name, name) for name in kept.columns - lacking}
    columns |= {"media": {"sequenceID"}}.get(table, set())
    return replace(
        kept, columns=frozenset(columns), texts=frozenset(old.get(name, name) for name in kept.texts - lacking)
    )


def renewed(version: str, tables: Mapping[str, Table]) -> dict[str, Table]:
    """The tables with the columns of 1.0.2."""
    if version != "0.1.6":
        return dict(tables)
    new = {name: replace(table, rows=_renamed(name, table.rows)) for name, table in tables.items()}
    new["observations"] = replace(new["observations"], rows=_events(new["observations"].rows, new["media"].rows))
    new["media"] = replace(new["media"], rows=new["media"].rows.drop("eventID"))
    return new


def _renamed(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    names = {old + suffix: new + suffix for old, new in _RENAMED[table].items() for suffix in ("", TEXT)}
    rows = rows.rename(names, strict=False)
    words = [name for name in ("sex", "lifeStage") if name in rows.columns]
    return rows.with_columns(pl.col(name).cast(pl.String).replace(_MEANT).cast(pl.Categorical) for name in words)


def _events(observations: pl.DataFrame, media: pl.DataFrame) -> pl.DataFrame:
    """Observations with the end and level of their events."""
    last = media.filter(pl.col("eventID").is_not_null()).group_by("deploymentID", "eventID")
    ends = last.agg(pl.col("timestamp").max().alias("eventEnd"))
    on_media = pl.col("mediaID").is_not_null()
    rows = observations.join(ends, on=["deploymentID", "eventID"], how="left", maintain_order="left")
    end = pl.when(on_media).then("eventStart").otherwise(pl.max_horizontal("eventStart", "eventEnd"))
    level = pl.when(on_media).then(pl.lit("media")).otherwise(pl.lit("event"))
    return rows.with_columns(end.alias("eventEnd"), level.cast(pl.Categorical).alias("observationLevel")).sort(ROW)
