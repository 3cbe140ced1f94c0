"""What the tables say about each other, and no schema can ask: periods, media, individuals.

Each function takes checked tables (columns of 1.0.2, typed) and names the rows that cannot be, or should be looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from sharedrange.core.finding import Severity
from sharedrange.core.survey import FLANKS
from sharedrange.exchange.camtrapdp.broken import Broken, broken
from sharedrange.exchange.camtrapdp.constraints import Table
from sharedrange.exchange.tables import ROW

_FLANK_TAG = r"(?i)(?:^|\|)\s*flank\s*:\s*([^|]*?)\s*(?:\||$)"


def check_meaning(tables: Mapping[str, Table], at: pl.Series) -> list[Broken]:
    """Everything of this module. `at`: where in the media each observation's medium stands, null where it does not."""
    deployments, media, observations = (tables[name] for name in ("deployments", "media", "observations"))
    return [
        *check_deployments(deployments),
        *check_media(media, deployments),
        *check_observations(observations, media, deployments, at),
        *check_individuals(observations),
    ]


def check_deployments(deployments: Table) -> list[Broken]:
    """A deployment that ends before it starts; a clock that the delivery itself doubts."""
    where, rows = (deployments.file, "deployments"), deployments.rows
    backwards = rows.filter(pl.col("deploymentEnd") < pl.col("deploymentStart"))
    doubtful = rows.filter(pl.col("timestampIssues"))
    return [
        *broken(where, "end-before-start", "deploymentEnd", backwards.select(ROW, id="deploymentID")),
        *broken(
            where,
            "doubtful-clock",
            "timestampIssues",
            doubtful.select(ROW, deployment="deploymentID"),
            Severity.WARNING,
        ),
    ]


def check_media(media: Table, deployments: Table) -> list[Broken]:
    """Media of a deployment that is not there."""
    strange = _strangers(media.rows, "deploymentID", deployments.rows["deploymentID"])
    return broken((media.file, "media"), "unknown-deployment", "deploymentID", strange)


def check_observations(observations: Table, media: Table, deployments: Table, at: pl.Series) -> list[Broken]:
    """References, periods, media, counts and flanks of observations."""
    where, rows = (observations.file, "observations"), observations.rows
    slim = rows.select(ROW, "observationID", "deploymentID", "eventStart", "eventEnd")
    slim = beside_deployments(slim, deployments)
    outside = (pl.col("eventStart") < pl.col("deploymentStart")) | (pl.col("eventEnd") > pl.col("deploymentEnd"))
    backwards = slim.filter(pl.col("eventEnd") < pl.col("eventStart")).select(ROW, id="observationID")
    out = slim.filter(outside).select(ROW, id="observationID", deployment="deploymentID")
    strange = _strangers(rows, "deploymentID", deployments.rows["deploymentID"])
    return [
        *broken(where, "unknown-deployment", "deploymentID", strange),
        *_check_references(where, rows, media.rows, at),
        *broken(where, "end-before-start", "eventEnd", backwards),
        *broken(where, "outside-deployment", "eventStart", out, Severity.WARNING),
        *_check_counts(where, rows),
        *_check_flanks(where, rows),
    ]


def _check_references(where: tuple[str, str], rows: pl.DataFrame, media: pl.DataFrame, at: pl.Series) -> list[Broken]:
    """Media that are not there, and media of another deployment than the observation's."""
    strange = rows.filter(at.is_null() & rows["mediaID"].is_not_null()).select(ROW, value="mediaID")
    theirs = media["deploymentID"].gather(at)
    differ = theirs != rows["deploymentID"]
    facts = rows.filter(differ).select(ROW, id="observationID", deployment="deploymentID")
    facts = facts.with_columns(theirs.filter(differ).alias("media_deployment"))
    return [
        *broken(where, "unknown-media", "mediaID", strange),
        *broken(where, "other-deployment", "deploymentID", facts),
    ]


def at_of(values: pl.Series, known: pl.Series) -> pl.Series:
    """Where in `known` each value stands, null where it does not.

    Texts meet by their hash; the texts themselves are compared afterwards, as unlike texts may share one.
    """
    left = pl.DataFrame({"h": values.hash()})
    right = pl.DataFrame({"h": known.hash(), "at": pl.int_range(len(known), eager=True).cast(pl.UInt32)})
    at = left.join(
        right.filter(known.is_not_null()).unique("h", keep="first"), on="h", how="left", maintain_order="left"
    )["at"]
    equal = (known.gather(at) == values).fill_null(value=False)
    if (equal | at.is_null()).all():
        return at
    whole = pl.DataFrame({"k": known}).with_row_index("at").unique("k", keep="first")  # two texts of one hash
    return pl.DataFrame({"k": values}).join(whole, on="k", how="left", maintain_order="left")["at"]


def _strangers(rows: pl.DataFrame, column: str, known: pl.Series) -> pl.DataFrame:
    """Rows with a value that the table it refers to does not have."""
    values = rows.select(ROW, value=column).filter(pl.col("value").is_not_null())
    return values.join(known.drop_nulls().unique().to_frame("value"), on="value", how="anti", maintain_order="left")


def _check_counts(where: tuple[str, str], rows: pl.DataFrame) -> list[Broken]:
    herd = rows.filter(pl.col("individualID").is_not_null() & (pl.col("count") > 1))
    facts = herd.select(ROW, "count", id="observationID", individual="individualID")
    return broken(where, "individual-with-count", "count", facts, Severity.WARNING)


def _check_flanks(where: tuple[str, str], rows: pl.DataFrame) -> list[Broken]:
    tagged = rows.select(ROW, "observationTags").filter(pl.col("observationTags").is_not_null())
    sides = tagged.select(ROW, flank_tag().alias("value"), pl.lit(", ".join(FLANKS)).alias("known"))
    strange = sides.filter(pl.col("value").is_not_null() & ~pl.col("value").is_in(FLANKS))
    return broken(where, "unknown-word", "observationTags", strange)


def flank_tag() -> pl.Expr:
    """The side of the animal that a tag of an observation names (``flank:left``), else null."""
    return pl.col("observationTags").str.extract(_FLANK_TAG, 1).str.to_lowercase()


def beside_deployments(rows: pl.DataFrame, deployments: Table) -> pl.DataFrame:
    """Rows with the start and end of their deployment."""
    period = deployments.rows.select("deploymentID", "deploymentStart", "deploymentEnd")
    period = period.filter(pl.col("deploymentID").is_not_null()).unique("deploymentID", keep="first")
    return rows.join(period, on="deploymentID", how="left", maintain_order="left")


# --- individuals ---


def check_individuals(observations: Table) -> list[Broken]:
    """Individuals of two sexes or two species. People missex animals: look, do not refuse."""
    where, rows = (observations.file, "observations"), observations.rows
    known = rows.filter(pl.col("individualID").is_not_null())
    return [
        *_conflicting(where, known, "sex", "conflicting-sexes"),
        *_conflicting(where, known, "scientificName", "conflicting-taxa"),
    ]


def _conflicting(where: tuple[str, str], rows: pl.DataFrame, column: str, rule: str) -> list[Broken]:
    """One row for each value of an individual that is not its first."""
    said = rows.filter(pl.col(column).is_not_null()).select(ROW, id="individualID", other=column)
    said = said.with_columns(first=pl.col("other").first().over("id"))
    conflicts = said.filter(pl.col("other") != pl.col("first")).unique(
        ["id", "other"], keep="first", maintain_order=True
    )
    return broken(where, rule, column, conflicts, Severity.WARNING)
