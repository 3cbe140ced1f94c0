"""Visits to sites: where people or cameras looked, how much, and whether the species was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Where

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
SiteKind = Literal["cell", "station"]

VISIT = ("site", "visit", "detected")  # columns that every table of visits has
EFFORT = "effort"


@dataclass(frozen=True, slots=True)
class SiteVisits:
    """Detection histories of S sites and up to K visits each; the segments of a transect are visits too.

    `sites`: columns ``site`` (unique name), ``side`` (party on whose side it lies, "" or null for nobody's) and
    covariates of sites; it may hold sites that nobody visited, for the map. `visited`, `detected` (never without a
    visit) and `effort` (above 0 where visited, nan where it is not known; `effort_unit` such as ``km`` or
    ``station_days``) have shape (S, K).
    `covariates` of visits: name -> shape (S, K), read only where visited. `kind`: a grid ``cell``, or a camera
    ``station``, where occupancy means use of the place.
    """

    sites: pl.DataFrame
    visited: Bools
    detected: Bools
    effort: Floats
    effort_unit: str = ""
    covariates: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    kind: SiteKind = "cell"

    @property
    def surveyed(self) -> Bools:
        """Sites with at least one visit, shape (S,)."""
        return np.asarray(self.visited.any(axis=1))

    @property
    def found(self) -> Bools:
        """Sites with at least one detection, shape (S,)."""
        return np.asarray(self.detected.any(axis=1))

    @property
    def naive(self) -> float:
        """Share of surveyed sites with a detection: what a list of finds says; nan where nothing was surveyed."""
        return float(self.found.sum() / self.surveyed.sum()) if self.surveyed.any() else float("nan")

    def sides(self) -> NDArray[np.str_]:
        """Side of each site, "" where none is known, shape (S,)."""
        if "side" not in self.sites.columns:
            return np.full(self.sites.height, "")
        return self.sites["side"].fill_null("").to_numpy().astype(str)

    def site_columns(self) -> dict[str, NDArray[np.generic]]:
        """Covariates of sites by name, shape (S,) each."""
        return {name: _array(self.sites[name]) for name in self.sites.columns if name != "site"}

    def visit_columns(self) -> dict[str, NDArray[np.generic]]:
        """What may stand in a formula for detection, one value a visit that was made, in order of sites.

        Covariates of the site, of the visit, `effort`, and `visit` (its number as text: a factor).
        """
        row, column = np.nonzero(self.visited)
        of_site = {name: values[row] for name, values in self.site_columns().items()}
        of_visit = {name: np.asarray(values)[row, column] for name, values in self.covariates.items()}
        numbers = np.char.zfill((column + 1).astype(str), len(str(self.visited.shape[1])))
        return {**of_site, "visit": numbers, EFFORT: self.effort[row, column], **of_visit}


def _array(column: pl.Series) -> NDArray[np.generic]:
    """A column as numbers, or as text with "" for what is missing (a missing number is nan)."""
    if column.dtype.is_numeric():
        return np.asarray(column.cast(pl.Float64).to_numpy())
    return column.cast(pl.String).fill_null("").to_numpy().astype(str)


def site_visits(
    rows: pl.DataFrame,
    *,
    sites: pl.DataFrame | None = None,
    effort_unit: str = "",
    kind: SiteKind = "cell",
) -> SiteVisits:
    """Visits from a plain table: one row a visit with `site`, `visit`, `detected` (0 or 1; null: not looked for).

    Further columns: ``effort`` (1 if the column is not there, null where it is not known) and covariates of visits.
    Visits of a site are ordered by `visit`: the occasion, or the number of the segment along a transect. A visit
    number is the same occasion at every site. `sites` adds covariates of sites, the column ``side``, and sites that
    nobody visited.

    Raises InputError with everything that is wrong: missing columns, visits twice, unusable efforts, sites that
    are not in `sites` or stand there twice.

    Examples
    --------
    >>> table = pl.DataFrame({"site": ["a", "a", "b"], "visit": [1, 2, 1], "detected": [0, 1, 0]})
    >>> found = site_visits(table)
    >>> found.visited.tolist(), found.naive
    ([[True, True], [True, False]], 0.5)
    """
    lacking = [name for name in VISIT if name not in rows.columns]
    if lacking:
        raise InputError([Finding("occupancy-column-missing", {"column": name}) for name in lacking])
    made = rows.drop_nulls("detected").with_columns(pl.col("site").cast(pl.String))
    known = _site_table(made, sites)
    found = [*_wrong_sites(made, known), *_wrong_visits(made)]
    if found:
        raise InputError(found)
    return _arranged(made, known, effort_unit, kind)


def _site_table(rows: pl.DataFrame, sites: pl.DataFrame | None) -> pl.DataFrame:
    if sites is None:
        return rows.select("site").unique().sort("site")
    return sites.with_columns(pl.col("site").cast(pl.String)).sort("site")


def _wrong_sites(rows: pl.DataFrame, sites: pl.DataFrame) -> list[Finding]:
    twice = sites.filter(pl.col("site").is_duplicated())["site"].unique().sort().to_list()
    stranger = sorted(set(rows["site"].drop_nulls()) - set(sites["site"]))
    nameless = rows["site"].null_count()
    found = [Finding("occupancy-site-twice", {"site": site}, Where(table="sites")) for site in twice]
    found += [Finding("occupancy-site-unknown", {"site": site}, Where(table="visits")) for site in stranger]
    return found + ([Finding("occupancy-site-missing", {"number": nameless})] if nameless else [])


def _wrong_visits(rows: pl.DataFrame) -> list[Finding]:
    numbered = rows.with_row_index("row", offset=2)
    found = []
    for site, visit in (
        rows.filter(rows.select("site", "visit").is_duplicated())
        .select("site", "visit")
        .unique(maintain_order=True)
        .iter_rows()
    ):
        found.append(Finding("occupancy-visit-twice", {"site": site, "visit": str(visit)}, Where(table="visits")))
    unreadable = numbered.filter(~pl.col("detected").cast(pl.Int64, strict=False).is_in([0, 1]).fill_null(value=False))
    found += _at(unreadable, "occupancy-detected-value", "detected")
    found += _at(numbered.filter(pl.col("visit").is_null()), "occupancy-visit-missing", "visit")
    if EFFORT in rows.columns:
        effort = pl.col(EFFORT).cast(pl.Float64, strict=False)
        usable = (effort.is_finite() & (effort > 0)).fill_null(value=pl.col(EFFORT).is_null())
        found += _at(numbered.filter(~usable), "occupancy-effort-value", EFFORT)
    return found


def _at(rows: pl.DataFrame, rule: str, column: str) -> list[Finding]:
    return [
        Finding(rule, {"site": site, "given": str(given)}, Where(table="visits", row=row, field=column))
        for row, site, given in rows.select("row", "site", column).iter_rows()
    ]


def _arranged(rows: pl.DataFrame, sites: pl.DataFrame, effort_unit: str, kind: SiteKind) -> SiteVisits:
    """Rows as arrays (S, K): sites in the order of their names, visits in the order of theirs."""
    names = sites["site"].to_list()
    visits = rows["visit"].unique().sort().to_list()
    row = _index(rows["site"].to_list(), names)
    column = _index(rows["visit"].to_list(), visits)
    shape = (len(names), len(visits))
    visited, detected, effort = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool), np.zeros(shape)
    visited[row, column] = True
    detected[row, column] = rows["detected"].cast(pl.Int64).to_numpy() == 1
    effort[row, column] = _array(rows[EFFORT]) if EFFORT in rows.columns else 1.0
    more = [name for name in rows.columns if name not in (*VISIT, EFFORT)]
    covariates = {name: _spread(_array(rows[name]), row, column, shape) for name in more}
    return SiteVisits(sites, visited, detected, effort, effort_unit, covariates, kind)


def _index(values: Sequence[object], order: Sequence[object]) -> NDArray[np.int64]:
    place = {value: i for i, value in enumerate(order)}
    return np.array([place[value] for value in values], dtype=np.int64)


def _spread(
    values: NDArray[np.generic], row: NDArray[np.int64], column: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.generic]:
    empty = np.full(shape, np.nan) if values.dtype.kind == "f" else np.full(shape, "", dtype=values.dtype)
    empty[row, column] = values
    return empty
