"""Questions to the store, answered from its derived tables. DuckDB chooses and adds up, polars knows the zones."""

# ruff: noqa: S608  (values enter SQL through duck.text; names of tables and columns are ours)

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from sharedrange.core.bursts import BURST_MINUTES
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.core.survey import UTC as UTC_TIME
from sharedrange.core.when import DAY_US
from sharedrange.exchange.store.duck import Duck, duck, files, text, texts
from sharedrange.exchange.store.generations import Generation, Import, Part
from sharedrange.exchange.store.layout import NO_YEAR, WATCHED

EFFORT_BY_MONTH = pl.Schema(
    {
        "party": pl.String(),
        "dataset": pl.String(),
        "station": pl.String(),
        "month": pl.Date(),  # its first day, in the zone asked; null in undated surveys
        "session": pl.String(),  # null in dated surveys
        "station_days": pl.Float64(),  # of 24 hours; of undated surveys station-occasions
    }
)
RATES = pl.Schema(
    {
        "party": pl.String(),
        "taxon": pl.String(),
        "events": pl.Int64(),  # while the station watched
        "events_without_effort": pl.Int64(),  # while it did not, by its own record; not in the rate
        "stations_with": pl.Int64(),
        "stations": pl.Int64(),  # with effort
        "station_days": pl.Float64(),
        "rate": pl.Float64(),  # events per 100 station-days; null without effort
    }
)
EVENTS_MET = pl.Schema(
    {
        "party": pl.String(),
        "dataset": pl.String(),
        "station": pl.String(),
        "taxon": pl.String(),
        "start": UTC_TIME,
        "end": UTC_TIME,
        "session": pl.String(),
        "occasion": pl.Int32(),
        "events": pl.Int64(),
        "records": pl.Int64(),
        "in_effort": pl.Boolean(),
    }
)
CAPTURES_BY_DAY = pl.Schema(
    {
        "party": pl.String(),
        "catalogue": pl.String(),
        "individual": pl.String(),
        "taxon": pl.String(),
        "dataset": pl.String(),
        "station": pl.String(),
        "day": pl.Date(),  # on which the encounter began, in the zone asked; null in undated surveys
        "session": pl.String(),
        "occasion": pl.Int32(),
        "events": pl.Int64(),
    }
)
PER = 100  # rates are told per 100 station-days
MOST_EVENTS = 1_000_000  # one by one: about 300 MB; twelve million took 4.5 GB


@dataclass(frozen=True, slots=True)
class Selection:
    """What a question is about; an empty part leaves nothing out.

    `start`, `end`: first and last day in `timezone`. A period holds what began in it; rows of undated surveys
    are in no period.
    """

    parties: tuple[str, ...] = ()
    taxa: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None
    timezone: str = "UTC"

    @property
    def from_us(self) -> int | None:
        """The midnight that the period begins with, microseconds UTC."""
        return None if self.start is None else _midnight_us(self.start, self.timezone)

    @property
    def until_us(self) -> int | None:
        """The midnight that it ends with."""
        return None if self.end is None else _midnight_us(self.end + timedelta(days=1), self.timezone)

    def may_hold(self, part: Part) -> bool:
        """Whether a file of events may hold rows of the period, by its year (UTC)."""
        low = -math.inf if self.from_us is None else _year(self.from_us)
        high = math.inf if self.until_us is None else _year(self.until_us)
        has_period = self.start is not None or self.end is not None
        return low <= part.year <= high if part.year != NO_YEAR else not has_period

    def sql(self, *, taxa: bool = True) -> str:
        """The selection as a condition on `taxon` and `start`."""
        conditions = [f"taxon IN {texts(self.taxa)}"] if self.taxa and taxa else []
        conditions += [f"start >= {_instant(self.from_us)}"] if self.from_us is not None else []
        conditions += [f"start < {_instant(self.until_us)}"] if self.until_us is not None else []
        return " AND ".join(conditions) or "true"


EVERYTHING = Selection()


def effort(now: Generation, root: Path, of: Selection) -> pl.DataFrame:
    """Station-days by station and month of the zone (schema EFFORT_BY_MONTH)."""
    spans, occasions = _watched(now, root, of)
    by_month = _by_month(spans, of.timezone)
    place = ["party", "dataset", "station"]
    dated = by_month.group_by(*place, "month").agg(station_days=pl.col("days").sum())
    undated = occasions.group_by(*place, "session").agg(station_days=pl.col("effort").sum())
    both = pl.concat([pl.DataFrame(schema=EFFORT_BY_MONTH), dated, undated], how="diagonal")
    return both.filter(pl.col("station_days") > 0).sort(*place, "month", "session")


def rates(now: Generation, root: Path, of: Selection, independence_minutes: float) -> pl.DataFrame:
    """Events and effort by party and taxon (schema RATES); every party has every taxon that it met.

    A rate is neither abundance nor density, and unlike cameras are not compared; the engine `population.rates`
    gives it an interval.
    """
    least_s = _least_gap_s(independence_minutes)
    watched = effort(now, root, Selection(of.parties, (), of.start, of.end, of.timezone))
    by_party = watched.group_by("party").agg(
        pl.struct("dataset", "station").n_unique().cast(pl.Int64).alias("stations"), pl.col("station_days").sum()
    )
    counted = _counted(now, root, of, least_s)
    rate = PER * pl.col("events") / pl.col("station_days")
    table = counted.join(by_party, on="party", how="left").with_columns(
        pl.col("stations", "station_days").fill_null(0),
    )
    table = table.with_columns(rate=pl.when(pl.col("station_days") > 0).then(rate))
    return table.select(RATES.names()).cast(RATES).sort("party", "taxon")


def _counted(now: Generation, root: Path, of: Selection, least_s: int) -> pl.DataFrame:
    """Columns party, taxon, events, events_without_effort, stations_with. One pass a dataset: stations are its own."""
    counts = [pl.DataFrame(schema={name: RATES[name] for name in RATES.names()[:5]})]
    independent = f"(gap_s IS NULL OR gap_s >= {least_s})"
    with duck() as open_duck:
        for party, _, paths in _datasets(now, root, of, "events"):
            counts.append(
                open_duck.table(f"""
                    WITH by_station AS (
                        SELECT taxon, station, sum(events) FILTER (in_effort) AS inside, sum(events) AS whole
                        FROM {files(paths)} WHERE {of.sql()} AND {independent} GROUP BY ALL
                    )
                    SELECT {text(party)} AS party, taxon, coalesce(sum(inside), 0)::BIGINT AS events,
                           sum(whole - coalesce(inside, 0))::BIGINT AS events_without_effort,
                           count(*) FILTER (inside > 0) AS stations_with
                    FROM by_station GROUP BY taxon""")
            )
    return pl.concat(counts).group_by("party", "taxon").agg(pl.all().sum())


def events(now: Generation, root: Path, of: Selection, independence_minutes: float) -> pl.DataFrame:
    """Events one by one (schema EVENTS_MET), ordered by party, dataset, station, taxon and time."""
    least_s = _least_gap_s(independence_minutes)
    found = [pl.DataFrame(schema=EVENTS_MET)]
    with duck() as open_duck:
        _refuse_many(open_duck, now, root, of)
        for party, dataset, paths in _datasets(now, root, of, "events", whole=True):
            sql = _merged("source, station, taxon", "events, records, in_effort", files(paths), of, least_s)
            found.append(_named(open_duck.table(sql), party, dataset, EVENTS_MET))
    return pl.concat(found, rechunk=False).sort("party", "dataset", "station", "taxon", "start", "session", "occasion")


def _refuse_many(open_duck: Duck, now: Generation, root: Path, of: Selection) -> None:
    """Raise InputError if a list of events would not fit the memory that a question may take."""
    counted = (
        open_duck.table(f"SELECT count(*) AS n FROM {files(paths)} WHERE {of.sql()}").item()
        for _, _, paths in _datasets(now, root, of, "events")
    )
    if (n := sum(counted)) > MOST_EVENTS:
        raise InputError([Finding("too-many-events", {"n": n, "most": MOST_EVENTS})])


def _merged(key: str, columns: str, table: str, of: Selection, least_s: int) -> str:
    """Events joined where less than `least_s` lies between them; as they are stored if that is no more than then."""
    taxa = f"taxon IN {texts(of.taxa)}" if of.taxa else "true"
    if least_s <= BURST_MINUTES * 60:
        return f"""SELECT {key}, start, "end", session, occasion, {columns} FROM {table} WHERE {of.sql()}"""
    return f"""
        SELECT {key}, start, "end", session, occasion, {columns} FROM (
            SELECT {key}, min(start) AS start, max("end") AS "end", session, occasion,
                   first(events) AS events, sum(records)::BIGINT AS records, arg_min(in_effort, start) AS in_effort
            FROM (SELECT *, sum(CASE WHEN gap_s < {least_s} THEN 0 ELSE 1 END)
                      OVER (PARTITION BY {key}, session, occasion ORDER BY start ROWS UNBOUNDED PRECEDING) AS event
                  FROM {table} WHERE {taxa})
            GROUP BY {key}, session, occasion, event
        ) WHERE {of.sql()}"""


def captures(now: Generation, root: Path, of: Selection, independence_minutes: float) -> pl.DataFrame:
    """Individual x station x day (schema CAPTURES_BY_DAY): what capture histories are made of.

    Individuals are those of the party's own catalogue; who is who between catalogues, decisions say.
    """
    independent = f"(gap_s IS NULL OR gap_s >= {_least_gap_s(independence_minutes)})"
    columns = "station, catalogue, individual, taxon, start, session, occasion, events"
    found = [pl.DataFrame(schema={**CAPTURES_BY_DAY, "start": UTC_TIME}).drop("day")]
    with duck() as open_duck:
        for party, dataset, paths in _datasets(now, root, of, "captures"):
            sql = f"SELECT {columns} FROM {files(paths)} WHERE {of.sql()} AND {independent}"
            found.append(_named(open_duck.table(sql), party, dataset, found[0].schema))
    day = pl.col("start").dt.convert_time_zone(of.timezone).dt.date()
    key = CAPTURES_BY_DAY.names()[:-1]
    met = pl.concat(found).with_columns(day=day).group_by(key).agg(pl.col("events").sum())
    return met.select(CAPTURES_BY_DAY.names()).sort(key)


def _named(rows: pl.DataFrame, party: str, dataset: str, schema: pl.Schema) -> pl.DataFrame:
    """Rows of one dataset with its party and its name, as `schema` orders them."""
    whole = rows.with_columns(pl.lit(party).alias("party"), pl.lit(dataset).alias("dataset"))
    return whole.select(schema.names()).cast(schema)


def _datasets(
    now: Generation, root: Path, of: Selection, table: str, *, whole: bool = False
) -> Iterator[tuple[str, str, list[Path]]]:
    """Party, dataset and the files that may hold rows of the selection, of each that has any.

    `whole`: the files of all years, for events that longer intervals join across New Year.
    """
    paths: dict[tuple[str, str], list[Path]] = {}
    for known in _chosen(now, of):
        wanted = [p for p in known.parts if p.table == table and (whole or of.may_hold(p))]
        if wanted:
            paths.setdefault((known.party, known.dataset), []).extend(root / part.path for part in wanted)
    for (party, dataset), named in sorted(paths.items()):
        yield party, dataset, named


def _chosen(now: Generation, of: Selection) -> list[Import]:
    return [known for known in now.imports if not of.parties or known.party in of.parties]


def _watched(now: Generation, root: Path, of: Selection) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Disjoint spans in the period by party, dataset and station (columns start_us, end_us), and undated occasions.

    Two deliveries of one dataset may both say that a station watched: their times are joined.
    """
    schema = pl.Schema({"party": pl.String(), "dataset": pl.String(), **{k: WATCHED[k] for k in WATCHED.names()[1:]}})
    tables = [pl.DataFrame(schema=schema)]
    with duck() as open_duck:
        for party, dataset, paths in _datasets(now, root, Selection(of.parties), "watched"):
            tables.append(
                _named(open_duck.table(f"SELECT * EXCLUDE (source) FROM {files(paths)}"), party, dataset, schema)
            )
    rows = pl.concat(tables)
    spans = _joined(rows.filter(pl.col("start").is_not_null()))
    spans = spans.with_columns(pl.col("start_us", "end_us").clip(of.from_us, of.until_us)).filter(
        pl.col("start_us") < pl.col("end_us")
    )
    undated = rows.filter(pl.col("start").is_null() & (of.start is None and of.end is None))
    occasion = ["party", "dataset", "station", "session", "occasion"]
    return spans, undated.group_by(occasion).agg(pl.col("effort").max())


def _joined(rows: pl.DataFrame) -> pl.DataFrame:
    """Spans of a station that touch or overlap made one."""
    place = ["party", "dataset", "station"]
    spans = rows.select(*place, start_us=pl.col("start").dt.epoch("us"), end_us=pl.col("end").dt.epoch("us"))
    spans = spans.sort(*place, "start_us")
    before = pl.col("end_us").cum_max().shift(1).over(place)
    begins = before.is_null() | (pl.col("start_us") > before)
    spans = spans.with_columns(span=begins.cum_sum())
    return spans.group_by(*place, "span").agg(pl.col("start_us").min(), pl.col("end_us").max()).drop("span")


def _by_month(spans: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """Spans cut at the midnights that months begin with: party, dataset, station, month, days."""
    months, edges_us = _months(spans, timezone)
    start, end = spans["start_us"].to_numpy(), spans["end_us"].to_numpy()
    first = np.searchsorted(edges_us, start, side="right") - 1
    touched = np.searchsorted(edges_us, end, side="left") - first
    row = np.repeat(np.arange(len(start)), touched)
    month = np.arange(len(row)) - np.repeat(np.cumsum(touched) - touched, touched) + first[row]
    inside = np.minimum(end[row], edges_us[month + 1]) - np.maximum(start[row], edges_us[month])
    cut = spans.select("party", "dataset", "station")[row]
    return cut.with_columns(month=pl.Series(months, dtype=pl.Date)[month], days=pl.Series(inside / DAY_US))


def _months(spans: pl.DataFrame, timezone: str) -> tuple[list[date], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """First days of the months that spans touch, and the midnights that bound them (one more), microseconds UTC."""
    if spans.is_empty():
        return [], np.zeros(1, dtype=np.int64)
    zone = ZoneInfo(timezone)
    low, high = (_local(int(us), zone) for us in (spans["start_us"].min(), spans["end_us"].max()))  # type: ignore[arg-type]  # Int64
    count = (high.year - low.year) * 12 + high.month - low.month + 2
    months = [date(low.year + (low.month - 1 + k) // 12, (low.month - 1 + k) % 12 + 1, 1) for k in range(count)]
    return months[:-1], np.array([_midnight_us(month, timezone) for month in months], dtype=np.int64)


def _least_gap_s(independence_minutes: float) -> int:
    """The interval in whole seconds. Raises InputError below the one that events are stored with."""
    if not independence_minutes >= BURST_MINUTES:
        facts = {"minutes": independence_minutes, "least": BURST_MINUTES}
        raise InputError([Finding("independence-too-short", facts)])
    return math.ceil(independence_minutes * 60)


def _midnight_us(day: date, timezone: str) -> int:
    return round(datetime.combine(day, time.min, ZoneInfo(timezone)).timestamp()) * 1_000_000


def _local(at_us: int, zone: ZoneInfo) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).astimezone(zone).date()


def _year(at_us: int) -> int:
    return _local(at_us, ZoneInfo("UTC")).year


def _instant(at_us: int | None) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us or 0)
    return f"TIMESTAMPTZ {text(at.isoformat())}"
