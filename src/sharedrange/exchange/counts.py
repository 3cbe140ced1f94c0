"""Door `counts`: waterbird counts, sign and snow-track transects, point counts, as visits and what was counted on them.

``visits.csv`` has a row for every visit, also where nothing was seen: site, time, method, effort, observers, whether
the count was complete. ``counts.csv`` has a row a species (or sign) and visit. Their columns are ours; sheets of any
other layout, also sites by species, come with a ``mapping.toml`` (see `mapping`).

Zero is not missing: a count of 0 was looked for and not found, an empty count was not counted. A species that is not
listed is zero where the visit is complete and unknown where it is not (`every_taxon`). The method stays on every visit:
numbers of unlike methods are never one column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import polars as pl

from sharedrange.core.contents import Delivered, SiteCounts
from sharedrange.core.files import write_atomically
from sharedrange.core.finding import Finding
from sharedrange.core.sheets import neutral_csv
from sharedrange.exchange.delivery import Delivery, write_delivery
from sharedrange.exchange.native import read_native, written_times

TABLES = ("visits", "counts")


def read(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """The counts of a folder or zip: visits.csv and counts.csv, or sheets with a mapping; None on an error."""
    return read_native(folder, delivery, TABLES)


def every_taxon(counts: SiteCounts, looked_for: Mapping[str, Sequence[str]] = MappingProxyType({})) -> pl.DataFrame:
    """A row for each visit and taxon: what was counted, 0 where it was looked for and not found, else null.

    Columns visit, site, method, start, taxon, sign, count. A visit speaks of the taxa that its own method ever listed,
    and of `looked_for` (method -> taxa): no tiger track is missing on a waterbird count. Animals and the signs of them
    are rows of their own and never summed; life stages and sexes are. One uncounted part leaves the sum unknown.
    """
    visits = counts.visits.select("visit", "site", "method", "start", "complete")
    kinds = _kinds(counts, looked_for)
    crossed = visits.join(kinds, on="method", how="left", maintain_order="left").drop_nulls("taxon")
    sums = counts.counts.group_by("visit", "taxon", "sign").agg(
        pl.when(pl.col("count").is_not_null().all()).then(pl.col("count").sum()).alias("count"),
        pl.lit(value=True).alias("listed"),
    )
    rows = crossed.join(sums, on=["visit", "taxon", "sign"], how="left", nulls_equal=True, maintain_order="left")
    absent = pl.col("listed").is_null() & pl.col("complete").fill_null(value=False)
    count = pl.when(absent).then(0).otherwise(pl.col("count")).alias("count")
    return rows.select("visit", "site", "method", "start", "taxon", "sign", count).sort("visit", "taxon", "sign")


def _kinds(counts: SiteCounts, looked_for: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Method, taxon and sign of what is or may be counted: what each method listed, and animals that it looked for."""
    methods = counts.visits.select("visit", "method")
    listed = counts.counts.join(methods, on="visit", how="inner").select("method", "taxon", "sign").drop_nulls("taxon")
    named = [(method, taxon, None) for method, taxa in looked_for.items() for taxon in taxa]
    declared = pl.DataFrame(named, schema=listed.schema, orient="row")
    known = listed.select("method", "taxon")
    return pl.concat([listed, declared.join(known, on=["method", "taxon"], how="anti")]).unique()


def write(counts: SiteCounts, folder: Path) -> None:
    """Write visits.csv, counts.csv and delivery.toml into `folder`; door `counts` reads them back."""
    write_atomically(folder / "visits.csv", neutral_csv(written_times(counts.visits)))
    write_atomically(folder / "counts.csv", neutral_csv(counts.counts))
    write_delivery(Delivery(counts.party, counts.dataset, "counts", crs=counts.frame), folder)
