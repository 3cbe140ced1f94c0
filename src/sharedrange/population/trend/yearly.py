"""Counts of visits as one value a site and year: the peak, or the mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import polars as pl

from sharedrange.core.contents import SiteCounts
from sharedrange.core.counts import every_visit
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding, Severity

Statistic = Literal["peak", "mean"]
ALL_YEAR = (1, 12)
_UNEVEN = 1.5  # years with so many times the visits of others have higher peaks for that alone

YEARLY = pl.Schema(
    {
        # One row a site, year and method; the table that a trend starts from.
        "site": pl.String(),  # <party>/<site>
        "party": pl.String(),
        "time": pl.Int64(),  # the year; of a season over the new year, the one in which it ends
        "count": pl.Float64(),  # null: visited, not counted
        "method": pl.String(),
        "statistic": pl.String(),  # peak | mean
        "visits": pl.Int64(),  # on which the taxon was counted
    }
)


def yearly_counts(
    deliveries: Sequence[SiteCounts],
    taxon: frozenset[str],
    statistic: Statistic | Mapping[str, Statistic] = "peak",
    *,
    season: tuple[int, int] = ALL_YEAR,
    timezone: str = "UTC",
) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """One value a site and year (schema YEARLY) from the visits of one or several parties, and what is worth knowing.

    `taxon`: the names under which the species is listed; animals only, no signs of them, stages and sexes summed.
    What a visit that does not list it says, 0 or nothing, see `core.counts.every_taxon`. `statistic`: ``peak``, the
    highest count of the visits, or ``mean``; by party where parties do not say the same, which is an error: peaks and
    means are no one series. `season`: first and last month, in `timezone`; (11, 2) is a winter.

    Raises InputError with all findings.
    """
    found = list(_statistic_findings(deliveries, statistic))
    visits = [_visits(delivered, taxon, timezone) for delivered in deliveries]
    rows = pl.concat(visits) if visits else pl.DataFrame()
    if rows.is_empty():
        found.append(Finding("trend-taxon-not-counted", {"taxon": ", ".join(sorted(taxon))}))
        raise InputError(found)
    undated = rows["year"].null_count()
    rows = _in_season(rows.drop_nulls("year"), season)
    found += _methods_at_one_site(rows)
    if found:
        raise InputError(found)
    how = {d.party: statistic if isinstance(statistic, str) else statistic[d.party] for d in deliveries}
    table = _by_year(rows, how)
    return table, tuple(_notes(table, undated))


def _statistic_findings(
    deliveries: Sequence[SiteCounts], statistic: Statistic | Mapping[str, Statistic]
) -> Iterator[Finding]:
    if isinstance(statistic, str):
        return
    parties = {delivered.party for delivered in deliveries}
    if untold := sorted(parties - set(statistic)):
        yield Finding("trend-statistic-untold", {"parties": ", ".join(untold)})
    told = {statistic[party] for party in parties & set(statistic)}
    if len(told) > 1:
        yield Finding("trend-statistics-mixed", {"statistics": ", ".join(sorted(told))})


def _visits(delivered: SiteCounts, taxon: frozenset[str], timezone: str) -> pl.DataFrame:
    """Each visit that could tell of the species: site, party, method, year, month, count (null: not counted)."""
    local = pl.col("start").dt.convert_time_zone(timezone)
    return every_visit(delivered, taxon).select(
        pl.concat_str(pl.lit(delivered.party), pl.col("site"), separator="/").alias("site"),
        pl.lit(delivered.party).alias("party"),
        "method",
        local.dt.year().cast(pl.Int64).alias("year"),
        local.dt.month().cast(pl.Int64).alias("month"),
        pl.col("count").cast(pl.Float64),
    )


def _in_season(rows: pl.DataFrame, season: tuple[int, int]) -> pl.DataFrame:
    """Visits in the season; of one over the new year, the year is that in which it ends."""
    first, last = season
    month = pl.col("month")
    if first <= last:
        return rows.filter(month.is_between(first, last))
    year = pl.when(month >= first).then(pl.col("year") + 1).otherwise(pl.col("year"))
    return rows.filter((month >= first) | (month <= last)).with_columns(year.alias("year"))


def _methods_at_one_site(rows: pl.DataFrame) -> Iterator[Finding]:
    """Sites counted with several methods in one year: no value is the site's."""
    kinds = rows.group_by("site", "year").agg(pl.col("method").unique().sort()).filter(pl.col("method").list.len() > 1)
    if kinds.height:
        site, year, methods = kinds.sort("site", "year").row(0)
        told = ", ".join(method or "?" for method in methods)
        facts: dict[str, Fact] = {"site": site, "year": year, "methods": told, "n": kinds.height}
        yield Finding("trend-methods-at-one-site", facts)


def _by_year(rows: pl.DataFrame, how: Mapping[str, Statistic]) -> pl.DataFrame:
    statistic = pl.col("party").replace_strict(how, return_dtype=pl.String).alias("statistic")
    count = pl.when(pl.col("statistic") == "peak").then(pl.col("peak")).otherwise(pl.col("mean")).alias("count")
    grouped = rows.group_by("site", "party", "year", "method").agg(
        pl.col("count").max().alias("peak"),
        pl.col("count").mean().alias("mean"),
        pl.col("count").count().alias("visits"),
    )
    table = grouped.rename({"year": "time"}).with_columns(statistic).with_columns(count)
    return table.select(pl.col(c).cast(d) for c, d in YEARLY.items()).sort("site", "time")


def _notes(table: pl.DataFrame, undated: int) -> Iterator[Finding]:
    if undated:
        yield Finding("trend-visits-undated", {"n": undated}, severity=Severity.WARNING)
    counted = table.filter(pl.col("visits") > 0)
    visits = counted.group_by("time").agg(pl.col("visits").mean())["visits"]
    least, most = (round(float(v), 1) for v in (visits.min() or 0, visits.max() or 0))  # type: ignore[arg-type]  # numbers
    if "peak" in table["statistic"].to_list() and most > _UNEVEN * least:
        yield Finding("trend-peaks-uneven-visits", {"least": least, "most": most}, severity=Severity.WARNING)
