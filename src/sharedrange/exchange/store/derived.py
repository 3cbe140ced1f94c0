"""What is worked out once, when the first question comes, so that questions need not read every record again.

`events` and `captures` hold one row a burst instead of one a photograph; `watched` holds when stations watched.
An event ends when `BURST_MINUTES` pass without a record (O'Brien, Kinnaird & Wibisono 2003, Animal Conservation
6:131-139); each knows the time since the record before (`gap_s`), so that any longer interval can be asked too.
An event never spans two deliveries, as in the detection rates of one survey.
"""

# ruff: noqa: S608  (values enter SQL through duck.text; names of tables and columns are ours)

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from sharedrange.core.bursts import BURST_MINUTES
from sharedrange.core.files import sha256_of
from sharedrange.core.individuals import CATALOGUE
from sharedrange.core.progress import Progress
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, Survey
from sharedrange.core.when import Spans, run_spans, union
from sharedrange.exchange.store.duck import IMPORT_MEMORY_MB, Duck, duck, files, load, save, text
from sharedrange.exchange.store.generations import Import, Part
from sharedrange.exchange.store.layout import NO_YEAR, TABLES, WATCHED, place

_BURST_S = BURST_MINUTES * 60


def is_derived(known: Import) -> bool:
    """Whether a delivery needs nothing more before questions: it has no survey, or its tables are there."""
    return "survey" not in known.facts or any(part.table == "watched" for part in known.parts)


def derive(known: Import, root: Path, folder: Path, progress: Progress) -> tuple[Import, dict[str, Path]]:
    """A delivery with its derived tables, and path in the store -> file in `folder` now."""
    parts: list[Part] = []
    staged: dict[str, Path] = {}
    for done, (table, year, file, rows) in enumerate(_tables(known, root, folder), start=1):
        path = place(table, known.party, known.dataset, year, f"{known.source} {known.reader}")
        parts.append(Part(table, year, path, rows, sha256_of(file)))
        staged[path] = file
        progress(done / (done + 4))
    return replace(known, parts=tuple(sorted((*known.parts, *parts), key=lambda part: part.path))), staged


def _tables(known: Import, root: Path, folder: Path) -> Iterator[tuple[str, int, Path, int]]:
    deployments, effort = (load(known.paths(root, n), TABLES[n].schema) for n in ("deployments", "effort"))
    spans = watched(survey_of(known.facts["survey"], deployments, effort), known.source)
    file, station = folder / "watched.parquet", folder / "stations.parquet"
    save(spans.lazy(), file)
    yield "watched", NO_YEAR, file, spans.height
    save(stations(deployments).lazy(), station)
    if observations := known.paths(root, "observations"):
        with duck(IMPORT_MEMORY_MB, folder) as open_duck:
            yield from Deriving(open_duck, observations, station, file, known.source).write(folder)


def stations(deployments: pl.DataFrame) -> pl.DataFrame:
    """Columns deployment and station: where none is named, deployments at one position share the first one's id."""
    first_here = pl.when(pl.col("x").is_not_null()).then(pl.col("deployment").min().over("x", "y"))
    return deployments.select("deployment", station=pl.coalesce("station", first_here, "deployment"))


def watched(survey: Survey, source: str) -> pl.DataFrame:
    """When each station watched (schema WATCHED), from a survey's deployments and effort."""
    station = stations(survey.deployments)
    rows = _spans(survey, dict(station.iter_rows())) if survey.dated else _occasions(survey, station)
    return rows.select(pl.lit(source).alias("source"), *WATCHED.names()[1:]).cast(WATCHED)


def _spans(survey: Survey, station: Mapping[str, str]) -> pl.DataFrame:
    of_station: dict[str, list[list[int]]] = {}
    for deployment, spans in run_spans(survey).items():
        of_station.setdefault(station[deployment], []).extend(spans.tolist())
    rows = [(name, *span) for name, spans in sorted(of_station.items()) for span in union(_array(spans)).tolist()]
    table = pl.DataFrame(rows, schema={"station": pl.String(), "start": pl.Int64(), "end": pl.Int64()}, orient="row")
    return table.with_columns(
        *(pl.from_epoch(name, "us").dt.replace_time_zone("UTC") for name in ("start", "end")),
        *(pl.lit(None).alias(name) for name in ("session", "occasion", "effort")),
    )


def _array(spans: list[list[int]]) -> Spans:
    return pl.DataFrame(spans, schema=["start", "end"], orient="row").to_numpy()


def _occasions(survey: Survey, station: pl.DataFrame) -> pl.DataFrame:
    """The largest effort that any deployment of a station had on an occasion: together they are one detector."""
    rows = survey.effort.filter(pl.col("occasion").is_not_null()).join(station, on="deployment")
    grouped = rows.group_by("station", "session", "occasion").agg(effort=pl.col("effort").fill_null(1.0).max())
    none = pl.lit(None)
    return grouped.with_columns(start=none, end=none).sort("station", "session", "occasion")


def survey_of(facts: Mapping[str, object], deployments: pl.DataFrame, effort: pl.DataFrame) -> Survey:
    """A survey of deployments and effort alone."""
    empty = Survey("", "", "", dated=bool(facts["dated"]), deployments=deployments, observations=pl.DataFrame())
    return empty.with_tables(deployments=deployments.cast(DEPLOYMENTS), effort=effort.cast(EFFORT))


class Deriving:
    """The derived tables of one delivery, in SQL over its files. `observations`: where its observations lie."""

    def __init__(self, duck: Duck, observations: list[Path], station: Path, spans: Path, source: str) -> None:
        self._duck, self._source = duck, source
        seen = f"""SELECT o.*, s.station FROM {files(observations)} o JOIN {files([station])} s USING (deployment)
                   WHERE o.type = 'animal' AND o.taxon IS NOT NULL"""
        self._duck.run(f"CREATE OR REPLACE TEMP VIEW seen AS {seen}")
        self._duck.run(f"CREATE OR REPLACE TEMP VIEW spans AS SELECT * FROM {files([spans])}")

    def write(self, folder: Path) -> Iterator[tuple[str, int, Path, int]]:
        """Write `events` and `captures` by year into `folder`: table, year, file, rows."""
        for table, order in (("events", "taxon, station"), ("captures", "taxon, individual, station")):
            whole = folder / f"{table}.parquet"
            self._duck.write(getattr(self, f"_{table}")(), whole)
            for year in self._years(whole):
                file = folder / f"{table}-{year}.parquet"
                chosen = f"SELECT * FROM {files([whole])} WHERE coalesce(year(start), {NO_YEAR}) = {year}"
                yield table, year, file, self._duck.write(f"{chosen} ORDER BY {order}, start, session, occasion", file)
            whole.unlink()

    def _years(self, file: Path) -> list[int]:
        found = self._duck.table(f"SELECT DISTINCT coalesce(year(start), {NO_YEAR}) AS year FROM {files([file])}")
        return sorted(int(year) for year in found["year"])

    def _events(self) -> str:
        key = "station, taxon"
        return f"""
            WITH bursts AS ({_bursts(key, "")}), dated AS (
                SELECT b.*, coalesce(b.start <= w."end", false) AS in_effort
                FROM bursts b ASOF LEFT JOIN (SELECT * FROM spans WHERE start IS NOT NULL) w
                ON b.station = w.station AND b.start >= w.start
            ), undated AS (
                SELECT {key}, session, occasion, sum(coalesce(count, 1)) AS events, count(*) AS records
                FROM seen WHERE start IS NULL GROUP BY ALL
            )
            SELECT {text(self._source)} AS source, station, taxon, start, "end", NULL::VARCHAR AS session,
                   NULL::INTEGER AS occasion, 1::BIGINT AS events, records, gap_s, in_effort FROM dated
            UNION ALL
            SELECT {text(self._source)}, u.station, u.taxon, NULL, NULL, u.session, u.occasion, u.events::BIGINT,
                   u.records, NULL, coalesce(w.effort > 0, false)
            FROM undated u LEFT JOIN spans w
            ON u.station = w.station AND u.session = w.session AND u.occasion = w.occasion"""

    def _captures(self) -> str:
        key = "deployment, catalogue, individual"
        identified = f"""SELECT * REPLACE (coalesce(catalogue, {text(CATALOGUE)}) AS catalogue) FROM seen
                         WHERE individual IS NOT NULL"""
        columns = f"{text(self._source)} AS source, station, {key}, taxon"
        return f"""
            WITH seen AS ({identified}),
            bursts AS ({_bursts(key, "min(station) AS station, min(taxon) AS taxon,")})
            SELECT {columns}, start, NULL::VARCHAR AS session, NULL::INTEGER AS occasion, 1::BIGINT AS events, gap_s
            FROM bursts
            UNION ALL
            SELECT {columns}, NULL, session, occasion, sum(coalesce(count, 1))::BIGINT, NULL
            FROM (SELECT {key}, session, occasion, count, station, taxon FROM seen WHERE start IS NULL)
            GROUP BY ALL"""


def _bursts(key: str, more: str) -> str:
    """One row a burst of the dated rows of `seen` by `key`: start, end, records, gap_s, and `more`."""
    return f"""
        SELECT {key}, {more} min(start) AS start, max(until) AS "end", count(*) AS records, min(gap_s) AS gap_s FROM (
            SELECT *, sum(CASE WHEN gap < {_BURST_S} THEN 0 ELSE 1 END) OVER along AS burst,
                   CASE WHEN gap < {_BURST_S} THEN NULL ELSE gap END AS gap_s
            FROM (
                SELECT {key}, {_carried(more)} start, until, row_number() OVER earlier AS place,
                       (epoch_us(start) - max(epoch_us(until)) OVER earlier) // 1000000 AS gap
                FROM (SELECT *, greatest(start, coalesce("end", start)) AS until FROM seen WHERE start IS NOT NULL)
                WINDOW earlier AS (PARTITION BY {key} ORDER BY start, observation
                                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            ) WINDOW along AS (PARTITION BY {key} ORDER BY place ROWS UNBOUNDED PRECEDING)
        ) GROUP BY {key}, burst"""


def _carried(more: str) -> str:
    return "station, taxon," if more else ""
