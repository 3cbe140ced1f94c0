"""What a visit says of a taxon that it does not list: zero is not missing, and only here are they told apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

import polars as pl

from sharedrange.core.contents import SiteCounts


def every_taxon(counts: SiteCounts, looked_for: Mapping[str, Collection[str]] = MappingProxyType({})) -> pl.DataFrame:
    """A row for each visit and taxon: what was counted, 0 where it was looked for and not found, else null.

    Columns visit, site, method, start, taxon, sign, count. A visit speaks of the taxa that its own method ever listed,
    and of `looked_for` (method -> taxa): no tiger track is missing on a waterbird count. Animals and the signs of them
    are rows of their own and never summed; life stages and sexes are. One uncounted part leaves the sum unknown.
    """
    visits = counts.visits.select("visit", "site", "method", "start", "complete")
    kinds = _kinds(counts, looked_for)
    crossed = visits.join(kinds, on="method", how="left", nulls_equal=True, maintain_order="left").drop_nulls("taxon")
    sums = counts.counts.group_by("visit", "taxon", "sign").agg(
        pl.when(pl.col("count").is_not_null().all()).then(pl.col("count").sum()).alias("count"),
        pl.lit(value=True).alias("listed"),
    )
    rows = crossed.join(sums, on=["visit", "taxon", "sign"], how="left", nulls_equal=True, maintain_order="left")
    absent = pl.col("listed").is_null() & pl.col("complete").fill_null(value=False)
    count = pl.when(absent).then(0).otherwise(pl.col("count")).alias("count")
    return rows.select("visit", "site", "method", "start", "taxon", "sign", count).sort("visit", "taxon", "sign")


def every_visit(counts: SiteCounts, taxa: Collection[str]) -> pl.DataFrame:
    """A row for each visit that could tell of one species, known by the names `taxa`: animals of it, no signs.

    Columns visit, site, method, start, count; see `every_taxon`.
    """
    name = min(taxa, default="")
    animals = counts.counts.filter(pl.col("taxon").is_in(list(taxa)), pl.col("sign").is_null())
    one = SiteCounts(
        counts.party, counts.dataset, counts.frame, counts.visits, animals.with_columns(pl.lit(name).alias("taxon"))
    )
    return every_taxon(one).drop("taxon", "sign")


def _kinds(counts: SiteCounts, looked_for: Mapping[str, Collection[str]]) -> pl.DataFrame:
    """Method, taxon and sign of what is or may be counted: what each method listed, and animals that it looked for."""
    methods = counts.visits.select("visit", "method")
    listed = counts.counts.join(methods, on="visit", how="inner").select("method", "taxon", "sign").drop_nulls("taxon")
    named = [(method, taxon, None) for method, taxa in looked_for.items() for taxon in taxa]
    declared = pl.DataFrame(named, schema=listed.schema, orient="row")
    known = listed.select("method", "taxon")
    return pl.concat([listed, declared.join(known, on=["method", "taxon"], how="anti", nulls_equal=True)]).unique()
