"""A survey as delivered by one party: typed tables, read once at the door and not checked again after it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Literal

import polars as pl

UTC = pl.Datetime("us", "UTC")

DEPLOYMENTS = pl.Schema(
    {
        "deployment": pl.String(),  # verbatim id; with party and dataset the key
        "station": pl.String(),
        "x": pl.Float64(),  # longitude in degrees (WGS 84), or metres of a local frame
        "y": pl.Float64(),  # latitude in degrees (WGS 84), or metres of a local frame
        "uncertainty_m": pl.Float64(),
        "start": UTC,  # null in an undated survey
        "end": UTC,
        "camera_type": pl.String(),
        "detector": pl.String(),  # proximity | count | multi | single
    }
)
EFFORT = pl.Schema(
    {
        # Dated surveys: one row a gap (`start`..`end` not watched, `reason` of GAP_REASONS, effort 0).
        # Undated surveys: one row per deployment, session and occasion with its effort.
        "deployment": pl.String(),
        "start": UTC,
        "end": UTC,
        "session": pl.String(),
        "occasion": pl.Int32(),
        "effort": pl.Float64(),
        "reason": pl.String(),
    }
)
MEDIA = pl.Schema(
    {"media": pl.String(), "deployment": pl.String(), "taken": UTC, "taken_text": pl.String(), "path": pl.String()}
)
BOXES = pl.Schema(
    {
        # One row a thing that somebody told apart in a picture, for pictures in which anything was given a box.
        # What is counted stands in OBSERVATIONS; here it only stands where it can be seen.
        "media": pl.String(),
        "box_x": pl.Float64(),  # left edge, share of the picture's width; null: somewhere in the picture
        "box_y": pl.Float64(),  # upper edge, share of its height
        "box_width": pl.Float64(),
        "box_height": pl.Float64(),
        "type": pl.String(),  # as in OBSERVATIONS, and so are the others
        "taxon": pl.String(),
        "count": pl.Int32(),
        "life_stage": pl.String(),
        "sex": pl.String(),
        "individual": pl.String(),
        "catalogue": pl.String(),
        "flank": pl.String(),
    }
)
OBSERVATIONS = pl.Schema(
    {
        "observation": pl.String(),
        "deployment": pl.String(),
        "media": pl.String(),
        "event": pl.String(),
        "start": UTC,  # null in an undated survey
        "end": UTC,
        "start_text": pl.String(),  # as delivered, with its offset
        "session": pl.String(),  # null in a dated survey
        "occasion": pl.Int32(),  # 1, 2, ...; null in a dated survey
        "type": pl.String(),  # animal | human | vehicle | blank | unknown | unclassified
        "taxon": pl.String(),  # scientific name as delivered
        "count": pl.Int32(),
        "life_stage": pl.String(),  # adult | subadult | juvenile
        "sex": pl.String(),  # female | male
        "individual": pl.String(),  # code in the catalogue of the party that delivered it
        "catalogue": pl.String(),  # a party may keep several
        "flank": pl.String(),  # left | right | both
    }
)
GAP_REASONS = ("snow", "theft", "bear", "battery", "card", "vegetation", "fire", "flood", "other")
LIFE_STAGES = ("adult", "subadult", "juvenile")
SEXES = ("female", "male")
FLANKS = ("left", "right", "both")
DETECTORS = ("proximity", "count", "multi", "single")


@dataclass(frozen=True, slots=True)
class Survey:
    """What one party delivered as one dataset.

    Keys of things are (party, dataset, verbatim id). `frame` is ``EPSG:4326`` or ``local:<name>``: the frame
    of `deployments.x` and `.y`. `dated` tells whether rows carry times (UTC) or only session and occasion.
    `resolution`: how long the periods are of which times were told (one of `core.release.RESOLUTIONS`); empty: to the
    minute. Within a period days are then a convention of whoever read it.
    `taxa`: what its records can be of (empty: all animals) without those of `not_taxa`; of any other, that it holds no
    record says nothing (`tells_of`). Every table has exactly the columns of its schema above. `source` is the content
    hash of the files.
    """

    party: str
    dataset: str
    frame: str
    dated: bool
    deployments: pl.DataFrame
    observations: pl.DataFrame
    media: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=MEDIA))
    effort: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EFFORT))
    source: str = ""
    kind: Literal["camera", "capture"] = "camera"
    resolution: str = ""
    taxa: tuple[str, ...] = ()
    not_taxa: tuple[str, ...] = ()
    boxes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=BOXES))

    def tells_of(self, names: Collection[str]) -> bool:
        """Whether an animal of one of these names would be in its records if it had been met."""
        return any((not self.taxa or name in self.taxa) and name not in self.not_taxa for name in names)

    def with_tables(self, **tables: pl.DataFrame) -> Survey:
        """The survey with some of its tables replaced."""
        return replace(self, **tables)  # type: ignore[arg-type]  # only tables are given


def conform(table: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """`table` with exactly the columns of `schema`: missing ones null, others dropped, types cast.

    Examples
    --------
    >>> conform(pl.DataFrame({"media": ["m1"], "extra": [1]}), MEDIA).columns
    ['media', 'deployment', 'taken', 'taken_text', 'path']
    """
    if not table.columns:  # a select of literals alone would make a row of nulls
        return pl.DataFrame(schema=schema)
    return table.select(
        (pl.col(name).cast(dtype) if name in table.columns else pl.lit(None, dtype=dtype)).alias(name)
        for name, dtype in schema.items()
    )


def stations(survey: Survey) -> dict[str, str]:
    """Deployment -> its station; where none is named, deployments at one position share the first one's id."""
    first_here = pl.when(pl.col("x").is_not_null()).then(pl.col("deployment").min().over("x", "y"))
    named = survey.deployments.select("deployment", station=pl.coalesce("station", first_here, "deployment"))
    return dict(named.iter_rows())
