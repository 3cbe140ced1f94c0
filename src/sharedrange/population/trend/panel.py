"""Counts as the model sees them: every site at every time, from a plain table checked once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding, Severity, Where

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TABLE = "counts"  # how findings call the table
STATISTIC, METHOD, PARTY = "statistic", "method", "party"
_ROW, _LISTED = "__row", "__listed"


@dataclass(frozen=True, slots=True)
class Panel:
    """Every site at every time (and month), in order of site, time and month: N rows.

    `site`, `time`, `month` (N,) index `sites`, `times` (years) and `months` (() where there is one count a time).
    `count` is NaN where nothing was counted; `weight` is above 0; `covariates` hold the level's index of each row,
    `levels` the names of the levels, the first the reference. Sites without a single animal are left out and named
    in `removed`: their level is zero whatever the trend. `notes` are findings worth knowing.
    """

    sites: tuple[str, ...]
    times: tuple[int, ...]
    months: tuple[int, ...]
    site: Ints
    time: Ints
    month: Ints
    count: Floats
    weight: Floats
    covariates: Mapping[str, Ints]
    levels: Mapping[str, tuple[str, ...]]
    removed: tuple[str, ...] = ()
    notes: tuple[Finding, ...] = ()

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Whether something was counted, shape (N,)."""
        return ~np.isnan(self.count)


def read_panel(table: pl.DataFrame, covariates: Sequence[str] = ()) -> Panel:
    """A plain table of counts as a Panel.

    Columns ``site``, ``time`` (a whole number, usually a year), ``count`` (0 or more; null: not counted); optional
    ``weight`` (above 0), ``month`` (1 to 12) and the covariates, which are categories. A site and time without a row
    were not counted; its weight and covariates are taken from the site's other rows where those agree. A column
    ``statistic`` says what a count is (peak, mean); ``method`` and ``party`` are checked where present.

    Raises InputError with all findings.
    """
    found = list(_column_findings(table, covariates))
    if found:
        raise InputError(found)
    rows, found = _typed(table, covariates)
    found += [*_row_findings(rows, covariates), *_series_findings(rows, covariates)]
    if found:
        raise InputError(found)
    return _panel(rows, covariates)


def _column_findings(table: pl.DataFrame, covariates: Sequence[str]) -> Iterator[Finding]:
    for column in ("site", "time", "count", *covariates):
        if column not in table.columns:
            yield Finding("missing-column", {"column": column}, Where(table=TABLE, field=column))
    if table.is_empty():
        yield Finding("trend-no-rows", {}, Where(table=TABLE))


def _typed(table: pl.DataFrame, covariates: Sequence[str]) -> tuple[pl.DataFrame, list[Finding]]:
    """The columns that are needed in their types, with the row as an editor numbers it; what is not a number."""
    rows = table.with_row_index(_ROW, offset=2)
    numbers = {"time": pl.Int64, "count": pl.Float64, "weight": pl.Float64, "month": pl.Int64}
    wanted = [_ROW, "site", *(c for c in numbers if c in table.columns), *_groups(table, covariates)]
    typed = rows.select(list(dict.fromkeys(wanted))).with_columns(
        pl.col("site").cast(pl.String), *(pl.col(c).cast(d, strict=False) for c, d in numbers.items() if c in wanted)
    )
    found = []
    for column in (c for c in numbers if c in wanted):
        lost = rows.filter(rows[column].is_not_null() & typed[column].is_null())
        broken = rows.filter(_not_whole(rows[column])) if numbers[column] == pl.Int64 else lost.clear()
        found += list(_bad(pl.concat([lost, broken]).unique(_ROW).sort(_ROW), "trend-not-a-number", column))
    return typed, found


def _groups(table: pl.DataFrame, covariates: Sequence[str]) -> list[str]:
    """Columns of categories that are looked at."""
    return [*covariates, *(c for c in (STATISTIC, METHOD, PARTY) if c in table.columns and c not in covariates)]


def _not_whole(column: pl.Series) -> pl.Series:
    """Whether a number is not a whole one (a year of 2001.5)."""
    if not column.dtype.is_float():
        return pl.repeat(value=False, n=len(column), dtype=pl.Boolean, eager=True)
    return ((column % 1) != 0).fill_null(value=False)


def _bad(rows: pl.DataFrame, rule: str, column: str) -> Iterator[Finding]:
    """One finding about a column, at the first of the rows that are wrong."""
    if rows.is_empty():
        return
    value = str(rows[column][0])
    facts: dict[str, Fact] = {"column": column, "n": rows.height, "value": value}
    yield Finding(rule, facts, Where(table=TABLE, row=int(rows[_ROW][0]), field=column))


def _row_findings(rows: pl.DataFrame, covariates: Sequence[str]) -> Iterator[Finding]:
    """What is wrong with single rows: empty cells, negative counts, weights of zero, a site and time told twice."""
    keys = ["site", "time", *(["month"] if "month" in rows.columns else [])]
    for column in (*keys, *covariates):
        yield from _bad(rows.filter(pl.col(column).is_null()), "trend-cell-empty", column)
    yield from _bad(
        rows.filter(~(pl.col("count") >= 0) | pl.col("count").is_infinite()), "trend-count-unusable", "count"
    )
    if "weight" in rows.columns:
        unusable = ~((pl.col("weight") > 0) & pl.col("weight").is_finite()).fill_null(value=False)
        yield from _bad(rows.filter(unusable), "trend-weight-unusable", "weight")
    if "month" in rows.columns:
        yield from _bad(rows.filter(~pl.col("month").is_between(1, 12)), "trend-month-unusable", "month")
    twice = rows.filter(pl.struct(keys).is_duplicated()) if rows.select(keys).is_duplicated().any() else rows.clear()
    if twice.height:
        facts: dict[str, Fact] = {"site": twice["site"][0], "time": twice["time"][0], "n": twice.height}
        yield Finding("trend-count-twice", facts, Where(table=TABLE, row=int(twice[_ROW][0])))


def _series_findings(rows: pl.DataFrame, covariates: Sequence[str]) -> Iterator[Finding]:
    """Counts that are no one series: peaks beside means, methods without a covariate, a method changed at a site."""
    counted = rows.drop_nulls("count")
    if STATISTIC in rows.columns and (kinds := _distinct(counted, STATISTIC))[1:]:
        yield Finding("trend-statistics-mixed", {"statistics": ", ".join(kinds)}, Where(table=TABLE, field=STATISTIC))
    if METHOD not in rows.columns:
        return
    if METHOD not in covariates and (methods := _distinct(counted, METHOD))[1:]:
        yield Finding("trend-methods-mixed", {"methods": ", ".join(methods)}, Where(table=TABLE, field=METHOD))
    changed = counted.group_by("site").agg(pl.col(METHOD).n_unique().alias("n")).filter(pl.col("n") > 1).sort("site")
    if METHOD in covariates and changed.height:
        facts: dict[str, Fact] = {"site": changed["site"][0], "n": changed.height}
        yield Finding("trend-method-changed", facts, Where(table=TABLE, field=METHOD))


def _distinct(rows: pl.DataFrame, column: str) -> list[str]:
    return [str(v) for v in rows[column].fill_null("?").unique().sort()]


def _panel(rows: pl.DataFrame, covariates: Sequence[str]) -> Panel:
    """The full grid of the sites that have animals. Raises InputError where a covariate or weight is unknown."""
    rows, removed = _with_animals(rows)
    keys = ["site", "time", *(["month"] if "month" in rows.columns else [])]
    about = [*covariates, *(["weight"] if "weight" in rows.columns else [])]
    values = {key: rows[key].unique().sort() for key in keys}
    grid = _every(values).join(rows.with_columns(pl.lit(value=True).alias(_LISTED)), on=keys, how="left")
    grid = _filled(grid.sort(keys), about)
    found = [f for column in about for f in _unknown(grid, column)]
    if found:
        raise InputError(found)
    index = {key: np.searchsorted(values[key].to_numpy(), grid[key].to_numpy()) for key in keys[1:]}
    levels = {c: tuple(rows[c].unique().sort().cast(pl.String)) for c in covariates}
    n_sites, n_rows = len(values["site"]), grid.height
    return Panel(
        sites=tuple(values["site"]),
        times=tuple(values["time"]),
        months=tuple(values.get("month", ())),
        site=np.repeat(np.arange(n_sites), n_rows // max(n_sites, 1)),
        time=index["time"].astype(np.int64),
        month=index.get("month", np.zeros(n_rows, int)).astype(np.int64),
        count=grid["count"].fill_null(np.nan).to_numpy().astype(np.float64),
        weight=grid["weight"].to_numpy().astype(np.float64) if "weight" in about else np.ones(n_rows),
        covariates={c: _codes(grid[c], levels[c]) for c in covariates},
        levels=levels,
        removed=removed,
        notes=tuple(_notes(rows, removed, covariates)),
    )


def _with_animals(rows: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Rows of sites where at least one animal was counted, and the names of the other sites.

    All times stay: a row without a count keeps a time that only sites without animals had, so that it is found.
    """
    animals = rows.group_by("site").agg(pl.col("count").sum().alias("n"))
    kept = animals.filter(pl.col("n") > 0).select("site")
    removed = animals.filter(~(pl.col("n") > 0))["site"].sort()
    left = rows.join(kept, on="site", how="semi", maintain_order="left")
    lost = rows.join(left.select("time").unique(), on="time", how="anti").unique("time", maintain_order=True)
    if left.height and lost.height:
        stand_in = lost.select("time").with_columns(pl.lit(left["site"][0]).alias("site"))
        left = pl.concat([left, stand_in], how="diagonal_relaxed")
    return left, tuple(removed)


def _every(values: Mapping[str, pl.Series]) -> pl.DataFrame:
    """All combinations of the keys."""
    grid = pl.DataFrame({"site": values["site"]})
    for key in list(values)[1:]:
        grid = grid.join(pl.DataFrame({key: values[key]}), how="cross")
    return grid


def _filled(grid: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Where a site has no row, what its other rows agree on."""
    if not columns or not sum(grid.select(columns).null_count().row(0)):
        return grid
    alone = [
        pl.when(pl.col(c).drop_nulls().n_unique().over("site") == 1).then(pl.col(c).drop_nulls().first().over("site"))
        for c in columns
    ]
    return grid.with_columns(pl.col(c).fill_null(value) for c, value in zip(columns, alone, strict=True))


def _unknown(grid: pl.DataFrame, column: str) -> Iterator[Finding]:
    """A covariate or weight that changes at a site and is not told where nothing was counted."""
    rows = grid.filter(pl.col(column).is_null())
    if rows.height:
        facts: dict[str, Fact] = {"column": column, "site": rows["site"][0], "time": rows["time"][0], "n": rows.height}
        yield Finding("trend-covariate-unknown", facts, Where(table=TABLE, field=column))


def _codes(column: pl.Series, levels: tuple[str, ...]) -> Ints:
    """Index of each row's level."""
    where = {level: code for code, level in enumerate(levels)}
    text = column.cast(pl.String)
    return text.replace_strict(where, return_dtype=pl.Int64).to_numpy().astype(np.int64)


def _notes(rows: pl.DataFrame, removed: tuple[str, ...], covariates: Sequence[str]) -> Iterator[Finding]:
    where = Where(table=TABLE)
    if removed:
        facts: dict[str, Fact] = {"n": len(removed), "sites": ", ".join(removed[:5]) + ("…" if removed[5:] else "")}
        yield Finding("trend-sites-without-animals", facts, where, Severity.NOTE)
    if PARTY in rows.columns and PARTY not in covariates and (parties := _distinct(rows, PARTY))[1:]:
        yield Finding("trend-parties-pooled", {"parties": ", ".join(parties)}, where, Severity.WARNING)
