"""What the tables say about each other, and no schema can ask: periods, media, individuals.

Each function takes checked tables (columns of 1.0.2, typed) and names the rows that cannot be, or should be looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
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
    beside = beside_deployments(rows.select("deploymentID", "eventStart", "eventEnd"), deployments)
    outside = (beside["eventStart"] < beside["deploymentStart"]) | (beside["eventEnd"] > beside["deploymentEnd"])
    backwards = rows.filter(pl.col("eventEnd") < pl.col("eventStart")).select(ROW, id="observationID")
    out = rows.filter(outside).select(ROW, id="observationID", deployment="deploymentID")
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
    """Where in `known` each value first stands, null where it does not.

    Texts meet by their hash, which takes a third of the memory of a join; the texts themselves are compared
    afterwards, as unlike texts may share one.
    """
    at = _at_like(values, known)
    equal = (known.gather(at) == values).fill_null(value=False)
    if (equal | at.is_null()).all():
        return at
    whole = pl.DataFrame({"k": known}).with_row_index("at").unique("k", keep="first")  # two texts of one hash
    return pl.DataFrame({"k": values}).join(whole, on="k", how="left", maintain_order="left")["at"]


def _at_like(values: pl.Series, known: pl.Series) -> pl.Series:
    """Where in `known` the first text with the hash of each value stands; null where there is none, and for null."""
    hashes = known.hash().to_numpy()
    order = np.flatnonzero(known.is_not_null().to_numpy())
    order = order[np.argsort(hashes[order], kind="stable")].astype(np.uint32)
    if not len(order):
        return pl.Series("at", [None], pl.UInt32).new_from_index(0, len(values))
    wanted, sorted_hashes = values.hash().to_numpy(), hashes[order]
    place = np.minimum(np.searchsorted(sorted_hashes, wanted), len(order) - 1)
    there = (sorted_hashes[place] == wanted) & values.is_not_null().to_numpy()
    at = pl.DataFrame({"at": order[place], "there": there})
    return at.select(pl.when("there").then("at").alias("at"))["at"]


def _strangers(rows: pl.DataFrame, column: str, known: pl.Series) -> pl.DataFrame:
    """Rows with a value that the table it refers to does not have."""
    values = rows[column].unique().drop_nulls().cast(pl.String)
    strange = values.filter(~values.is_in(known.drop_nulls().cast(pl.String).to_list()))
    named = rows if len(strange) else rows.head(0)  # looked for among a few names, not among a million rows
    return named.filter(named[column].cast(pl.String).is_in(strange.to_list())).select(ROW, value=column)


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
