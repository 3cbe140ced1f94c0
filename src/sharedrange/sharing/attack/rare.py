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

    Rows are encounters of a station, counts above 0 of a visit, and samples. No truth is needed: that a row is alone
    is seen.
    """
    groups = _alike(tables).with_columns(of_taxon=pl.col("k").sum().over("taxon"))
    k = groups["k"].to_numpy()
    hits, chance = (np.repeat(1 / groups[name].to_numpy().astype(float), k) for name in ("k", "of_taxon"))
    return judged(NAME, hits, chance, hits)


def unique_share(tables: Tables) -> float:
    """The share of rows that are alone in their taxon, cell and period; 0 where there is no row."""
    k = _alike(tables)["k"].to_numpy()
    return float((k == 1).sum() / k.sum()) if len(k) else 0.0


def k_anonymity(tables: Tables) -> pl.DataFrame:
    """How many rows are alike, by taxon (table K_ANONYMITY)."""
    counted = _alike(tables).group_by("taxon", "k").agg(groups=pl.len(), rows=pl.col("k").sum())
    return counted.select(pl.col(name).cast(dtype) for name, dtype in K_ANONYMITY.items()).sort("taxon", "k")


def _alike(tables: Tables) -> pl.DataFrame:
    """The groups of released rows that are alike in what may be known of them: columns taxon, k (rows)."""
    parts = [pl.DataFrame(schema={"taxon": pl.String, "k": pl.UInt32})]
    if "encounters" in tables and "stations" in tables:
        parts.append(_grouped(tables["encounters"], tables["stations"], "station"))
    if "counts" in tables and "visits" in tables:
        told = tables["counts"].filter(pl.col("suppressed").fill_null(value=False) | (pl.col("count") > 0))
        parts.append(_grouped(told, tables["visits"], "visit"))
    if "samples" in tables:
        parts.append(_grouped(tables["samples"].select("sample", "taxon"), tables["samples"], "sample"))
    return pl.concat(parts)


def _grouped(rows: pl.DataFrame, places: pl.DataFrame, key: str) -> pl.DataFrame:
    """Rows of places counted by what may be known of them. Cells by a number: there may be a million rows."""
    cells = places.with_columns(cell=pl.struct("x", "y", "cell").rank("dense"))
    at = cells.select(key, "cell", *(["period"] if "period" in places.columns else []))
    known = rows.lazy().select(key, "taxon", *(["period"] if "period" in rows.columns else []))
    alike = known.join(at.lazy(), on=key).group_by("taxon", "cell", "period").agg(k=pl.len())
    return alike.select("taxon", "k").sort("taxon", "k").collect()
