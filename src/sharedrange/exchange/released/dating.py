"""A dated survey out of periods, and visits out of theirs: a convention, and nothing that anybody watched.

A release says on how many days of a period a station watched and how often it met an animal, not when. Engines ask
for days. They get the simplest days that agree with what was told: see `_watched` and `_met`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from sharedrange.core import contents, survey
from sharedrange.core.contents import Genotypes, SiteCounts
from sharedrange.core.survey import DEPLOYMENTS, OBSERVATIONS, Survey, conform
from sharedrange.exchange.positions import frame_of
from sharedrange.exchange.released.tables import Released

APART_A_DAY = 46  # bursts, half an hour apart, in the shortest day: 23 hours, when summer time begins
_AT = ("station", "period")


def survey_of(released: Released, dataset: str, source: str) -> Survey:
    """The survey that stands for a release: one deployment a station and period, for the days that it was watched.

    Where effort did not leave, stations have one deployment each, without dates.
    """
    watched = _watched(released)
    days = _calendar(watched["begins"], watched["n_days"], released.told.timezone)
    return Survey(
        released.told.owner,
        dataset,
        frame_of(released.told.crs),
        dated=True,
        deployments=_deployments(released, watched, days),
        observations=_met(released, watched, days),
        effort=_gaps(watched, days),
        source=source,
        resolution=released.resolution,
        taxa=released.told.taxa,
        not_taxa=released.told.not_taxa,
    )


def counts_of(released: Released, dataset: str, source: str) -> SiteCounts:
    """The counts of a release: each visit begins with its period. Effort without its unit, or a unit alone, is left."""
    visits = released["visits"]
    days = _calendar(visits["period"], visits["days"], released.told.timezone)
    both = pl.col("effort").is_not_null() & pl.col("effort_unit").is_not_null()
    rows = visits.join(days.select(period="day", start="midnight"), on="period", how="left", maintain_order="left")
    rows = rows.with_columns(pl.when(both).then("effort"), pl.when(both).then("effort_unit"), _as_told("start_text"))
    return SiteCounts(
        released.told.owner,
        dataset,
        frame_of(released.told.crs),
        visits=conform(rows, contents.VISITS),
        counts=conform(released["counts"], contents.COUNTS),
        source=source,
    )


def genotypes_of(released: Released, dataset: str, source: str) -> Genotypes:
    """The samples of a release, without what was read in them: each was taken when its period begins."""
    samples = released["samples"]
    days = _calendar(samples["period"], samples["days"], released.told.timezone)
    rows = samples.join(days.select(period="day", taken="midnight"), on="period", how="left", maintain_order="left")
    return Genotypes(
        released.told.owner,
        dataset,
        frame_of(released.told.crs),
        samples=conform(rows.with_columns(_as_told("taken_text")), contents.SAMPLES),
        alleles=pl.DataFrame(schema=contents.ALLELES),
        source=source,
    )


# --- the convention ---


def _watched(released: Released) -> pl.DataFrame:
    """One row a station and period: period, days, deployment, and on which days of it the station watched.

    It watched the first days of its period, each whole; the last ones, where it goes on into the next period and comes
    from none before. `begins`: the first of these days; `n_days`: how many; `share`: of each of them. Where more was
    met than fits into so many days - they are rounded, and of a camera that stops and goes only the sum is told - it
    watched a share of as many days as are needed: one an encounter, or one for `APART_A_DAY` bursts.
    """
    effort = released["effort"]
    if not effort.height:  # did not leave: the times of encounters need days all the same
        effort = released["encounters"].select(*_AT, "days", days_watched=pl.col("days").cast(pl.Float64)).unique()
    needed = _with_needed(released).group_by(_AT).agg(pl.col("needed").max())
    rows = effort.join(needed, on=_AT, how="left").sort(_AT)
    whole = pl.max_horizontal(pl.col("days_watched").ceil().cast(pl.Int64), "needed")
    rows = rows.with_columns(n_days=pl.min_horizontal(whole, "days"))
    named = pl.concat_str(_AT, separator="/") if released["effort"].height else pl.col("station")
    return rows.select(
        *_AT,
        "days",
        "n_days",
        named.alias("deployment"),
        begins=pl.col("period")
        + pl.duration(days=pl.when(_sets_out()).then(pl.col("days") - pl.col("n_days")).otherwise(0)),
        share=pl.col("days_watched") / pl.col("n_days"),
    )


def _sets_out() -> pl.Expr:
    """Whether a station goes on from this period into the next one, and comes from none before; rows in order."""
    after = pl.col("period") + pl.duration(days=pl.col("days"))
    goes_on = (pl.col("period").shift(-1) == after).over("station")
    came = (after.shift(1) == pl.col("period")).over("station")
    return goes_on.fill_null(value=False) & ~came.fill_null(value=False)


def _with_needed(released: Released) -> pl.DataFrame:
    """Encounters with `n`, how often an animal was met (at least once, where it is not told), and `needed` days."""
    kinds = released["stations"].select("station", "detector")
    rows = released["encounters"].join(kinds, on="station", how="left", maintain_order="left")
    rows = rows.with_columns(n=pl.col("encounters").fill_null(1).cast(pl.Int64))
    bursts = (pl.col("detector") == "count").fill_null(value=False) | (pl.col("n") > pl.col("days"))
    of_bursts = (pl.col("n") / APART_A_DAY).ceil().cast(pl.Int64)
    return rows.with_columns(needed=pl.when(bursts).then(of_bursts).otherwise("n"))


def _met(released: Released, watched: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """One observation an encounter, spread evenly over the time watched; at proximity detectors no two on one day."""
    rows = _with_needed(released).drop("days").with_row_index("row")
    rows = rows.with_columns(k=pl.int_ranges(pl.col("n"))).explode("k")
    rows = rows.join(watched, on=_AT, how="left", maintain_order="left")
    at = (pl.col("k") + 0.5) / pl.col("n") * pl.col("n_days")
    fits = pl.col("n") <= APART_A_DAY * pl.col("share") * pl.col("n_days")
    part = (at - at.floor()) * pl.when(fits).then("share").otherwise(1.0)
    rows = _on_days(rows.with_columns(part=part), days, at.floor().cast(pl.Int64))
    start = pl.col("midnight") + _of_day(pl.col("part"))
    number = pl.concat_str(pl.col("row") + 1, pl.col("k") + 1, separator=".")
    return conform(
        rows.with_columns(
            _as_told("start_text"),
            start.alias("start"),
            start.alias("end"),
            observation=pl.concat_str("deployment", number, separator="/"),
            type=pl.lit("animal"),
            count=pl.when(pl.col("individual").is_not_null()).then(1),
        ),
        OBSERVATIONS,
    )


def _deployments(released: Released, watched: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """One deployment a station and period; without effort, one a station, and when it stood is not known."""
    stations, told = released["stations"], released["effort"].height > 0
    stood = _from_to(watched, days) if told else stations.select("station", deployment="station")
    if not stations.height:
        stations = watched.select("station").unique(maintain_order=True)
        stood = stood if told else stations.with_columns(deployment="station")
    return conform(stood.join(stations, on="station", how="left", maintain_order="left"), DEPLOYMENTS)


def _from_to(watched: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """From the midnight that begins the first day watched to the end of the last one's share."""
    first = _on_days(watched, days, pl.lit(0)).rename({"midnight": "start"}).drop("day", "length_us")
    end = pl.col("midnight") + _of_day(pl.col("share"))
    return _on_days(first, days, pl.col("n_days") - 1).with_columns(end=end)


def _gaps(watched: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """The rest of each day of which a station watched a share, but for the last, which ends with it."""
    parts = watched.filter(pl.col("share") < 1, pl.col("n_days") > 1)
    rows = parts.with_columns(k=pl.int_ranges(pl.col("n_days") - 1)).explode("k")
    rows = _on_days(rows, days, pl.col("k"))
    until = pl.col("midnight") + pl.duration(microseconds=pl.col("length_us"))
    gaps = rows.with_columns(
        start=pl.col("midnight") + _of_day(pl.col("share")), end=until, effort=pl.lit(0.0), reason=pl.lit("other")
    )
    return conform(gaps, survey.EFFORT)


# --- days ---


def _calendar(first: pl.Series, n_days: pl.Series, timezone: str) -> pl.DataFrame:
    """Every day of runs of days: day, its midnight (UTC), and length_us, for not every day has 24 hours."""
    runs = pl.DataFrame({"first": first, "n": n_days}).unique()
    wanted = {day + timedelta(days=k) for day, n in runs.iter_rows() for k in range(n + 1)}
    midnights = dict(_midnights(sorted(wanted), ZoneInfo(timezone)))
    rows = [
        (day, midnight, (midnights[after] - midnight) // timedelta(microseconds=1))
        for day, midnight in midnights.items()
        if (after := day + timedelta(days=1)) in midnights
    ]
    schema = {"day": pl.Date(), "midnight": survey.UTC, "length_us": pl.Int64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _midnights(days: Iterable[date], zone: ZoneInfo) -> Iterable[tuple[date, datetime]]:
    for day in days:
        yield day, datetime.combine(day, time.min, zone).astimezone(UTC)


def _on_days(rows: pl.DataFrame, days: pl.DataFrame, after: pl.Expr) -> pl.DataFrame:
    """Rows with the midnight and the length of the day that is so many days after the first one watched."""
    dated = rows.with_columns(day=pl.col("begins") + pl.duration(days=after))
    return dated.join(days, on="day", how="left", maintain_order="left")


def _of_day(share: pl.Expr) -> pl.Expr:
    """A share of a day as a length of time."""
    return pl.duration(microseconds=(share * pl.col("length_us")).round().cast(pl.Int64))


def _as_told(name: str) -> pl.Expr:
    """The period as it was told: its first and last day, as ISO 8601 writes an interval."""
    last = pl.col("period") + pl.duration(days=pl.col("days") - 1)
    return pl.concat_str(pl.col("period").cast(pl.String), last.cast(pl.String), separator="/").alias(name)
