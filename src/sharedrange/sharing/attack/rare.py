"""Whom does a small count name? Rows that are alone in their cell, period and taxon.

Who knows of one event, from a newspaper, a village or a ranger's day, finds its row in a release, if it is the only one
of that species, place and time, and learns all else that the row and its pseudonyms tell. How many rows look alike is
k-anonymity (Sweeney 2002, International Journal of Uncertainty, Fuzziness and Knowledge-Based Systems 10:557-570).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from sharedrange.sharing.anonymity import Tables
from sharedrange.sharing.attack.types import Attack, judged

NAME = "rare-records"
KNOWN = ("taxon", "x", "y", "cell", "period")  # what an outsider may know of an event

K_ANONYMITY = pl.Schema(
    {
        "taxon": pl.String(),
        "k": pl.UInt32(),  # rows that are alike in cell and period
        "groups": pl.UInt32(),
        "rows": pl.UInt32(),
    }
)


def pick_out_rows(tables: Tables) -> Attack:
    """How often somebody who knows taxon, cell and period of an event picks its row, against any row of the taxon.

    Rows are encounters of a station, and counts above 0 of a visit. No truth is needed: that a row is alone is seen.
    """
    rows = _rows(tables).with_columns(alike=pl.len().over(KNOWN), of_taxon=pl.len().over("taxon"))
    hits, chance = (1 / rows[name].to_numpy().astype(float) for name in ("alike", "of_taxon"))
    return judged(NAME, hits, chance, hits)


def unique_share(tables: Tables) -> float:
    """The share of rows that are alone in their taxon, cell and period; 0 where there is no row."""
    alike = _rows(tables).select(alone=pl.len().over(KNOWN) == 1)["alone"]
    return float(np.mean(alike.to_numpy())) if alike.len() else 0.0


def k_anonymity(tables: Tables) -> pl.DataFrame:
    """How many rows are alike, by taxon (table K_ANONYMITY)."""
    groups = _rows(tables).group_by(KNOWN).agg(k=pl.len())
    counted = groups.group_by("taxon", "k").agg(groups=pl.len(), rows=pl.col("k").sum())
    return counted.select(pl.col(name).cast(dtype) for name, dtype in K_ANONYMITY.items()).sort("taxon", "k")


def _rows(tables: Tables) -> pl.DataFrame:
    """Every released row about a taxon, with what may be known of it (columns KNOWN)."""
    parts = [pl.DataFrame(schema={name: pl.Date if name == "period" else _type(name) for name in KNOWN})]
    if "encounters" in tables and "stations" in tables:
        met = tables["encounters"].join(tables["stations"].select("station", "x", "y", "cell"), on="station")
        parts.append(met.select(KNOWN))
    if "counts" in tables and "visits" in tables:
        told = tables["counts"].filter(pl.col("suppressed").fill_null(value=False) | (pl.col("count") > 0))
        parts.append(told.join(tables["visits"], on="visit").select(KNOWN))
    return pl.concat(parts)


def _type(name: str) -> type[pl.DataType]:
    return pl.String if name == "taxon" else pl.Float64
