"""Pieces of tables that counts and surveys are both written with."""

from __future__ import annotations

import polars as pl

NOTES = pl.Schema({"event": pl.String(), "data_generalizations": pl.String(), "information_withheld": pl.String()})
"""What was made coarse and what was left out, by event: a visit of counts, a deployment of a survey."""
_TIME = "%Y-%m-%dT%H:%M:%S%.fZ"


def instant(column: str) -> pl.Expr:
    """A time as ISO 8601 in UTC."""
    return pl.col(column).dt.strftime(_TIME)


def period() -> pl.Expr:
    """`start` and `end` as an ISO 8601 interval, one of them alone where the other is not known."""
    text = pl.concat_str([instant("start"), instant("end")], separator="/", ignore_nulls=True)
    return text.replace("", None)


def noted(table: pl.DataFrame, key: str, notes: pl.DataFrame | None) -> pl.DataFrame:
    """`table` with the notes on its events."""
    given = pl.DataFrame(schema=NOTES) if notes is None else notes.select(NOTES.names()).unique("event", keep="first")
    return table.join(given, left_on=key, right_on="event", how="left", maintain_order="left")


def measurements(table: pl.DataFrame, event: str, name: str, kind: str, occurrence: str = "") -> pl.DataFrame:
    """The column `name` as measurements of one kind, a row where it holds anything. `event`, `occurrence`: columns."""
    of = pl.col(occurrence) if occurrence else pl.lit(None, dtype=pl.String)
    date = pl.col("measured") if "measured" in table.columns else pl.lit(None, dtype=pl.String)
    return table.filter(pl.col(name).is_not_null()).select(
        pl.col(event).alias("eventID"),
        of.alias("occurrenceID"),
        pl.lit(kind).alias("measurementType"),
        pl.col(name).cast(pl.String).alias("measurementValue"),
        date.alias("measurementDeterminedDate"),
    )
