"""From what parties deliver to visits of sites: camera surveys by station or cell, and transects by site or cell.

Patrols are not read: their tables hold where something was seen but not where the patrol went, so the visits on
which nothing was found cannot be told. Deliver walked transects as visits with their effort instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.contents import SIGN_METHODS, SiteCounts
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.grids import Grid
from sharedrange.core.places import Projection, Sides
from sharedrange.core.survey import Survey, stations
from sharedrange.core.when import SLIVER, Window, dated_and_undated, day_effort, session_effort
from sharedrange.population.occupancy.visits import SiteVisits, site_visits

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Cells:
    """How positions become cells: a named grid in metres, which of its sizes, and whose side a place is on.

    Without `sides` a cell belongs to the party that looked there.

    Raises ValueError for a grid in degrees, whose cells are unlike, and for a size that the grid does not have.
    """

    grid: Grid
    cell_m: float
    sides: Sides | None = None

    def __post_init__(self) -> None:
        if self.grid.unit != "m" or self.cell_m not in self.grid.sizes:
            raise ValueError(f"cell_m: {self.cell_m} (one of the grid's sizes, in metres)")

    def of(self, x: Floats, y: Floats) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
        """Cell of each kept position, and the side of the cell's centre ("" without `sides`), shape (n,)."""
        projection = Projection(self.grid.crs)
        columns, rows = self.grid.cells_of(*projection.forward(x, y), self.cell_m)
        names = self.grid.names(columns, rows, self.cell_m)
        if self.sides is None:
            return names, np.full(len(names), "", dtype=np.str_)
        return names, self.sides.of(*projection.inverse(*self.grid.centres(columns, rows, self.cell_m)))


@dataclass(frozen=True, slots=True)
class _Watched:
    """One station: where it counts, and what it did on each of K days or occasions (effort, found), shape (K,)."""

    site: str
    side: str
    party: str
    camera_type: str
    effort: Floats
    found: Bools


def visits_of_surveys(
    surveys: Sequence[Survey],
    taxa: frozenset[str],
    window: Window,
    *,
    occasion_days: int = WEEK_DAYS,
    cells: Cells | None = None,
) -> tuple[SiteVisits, tuple[Finding, ...]]:
    """Camera surveys as visits: sites are stations, or the cells that hold them; visits are runs of `occasion_days`.

    Effort is in station-days watched (station-occasions of an undated survey, one session at a time); a run of days
    without effort is no visit. Sites have the columns `party` and `camera_type`. Records on days on which their
    station did not run are not counted, with a warning. `window` is closed (`common_time.common_window`).

    Raises InputError where dated and undated surveys meet, or several sessions.
    """
    if occasion_days < 1:
        raise ValueError(f"occasion_days: {occasion_days} (1 or more)")
    wrong = dated_and_undated(surveys, window)
    if not window.dated and len(window.sessions) != 1:
        wrong.append(Finding("occupancy-one-session", {"sessions": ", ".join(window.sessions) or "-"}))
    if wrong:
        raise InputError(wrong)
    found: list[Finding] = []
    watched = [station for survey in surveys for station in _watched(survey, taxa, window, cells, found)]
    length = occasion_days if window.dated else 1
    rows, sites = _camera_rows(watched, length), _camera_sites(watched)
    unit = "station_days" if window.dated else "station_occasions"
    return site_visits(rows, sites=sites, effort_unit=unit, kind="cell" if cells else "station"), tuple(found)


def _watched(
    survey: Survey, taxa: frozenset[str], window: Window, cells: Cells | None, found: list[Finding]
) -> Iterator[_Watched]:
    """The stations of one survey that ran; records without effort are counted in `found`."""
    station = stations(survey)
    effort = (
        day_effort(survey, window, station) if window.dated else session_effort(survey, window.sessions[0], station)
    )
    met = _met(survey, taxa, window, station)
    place = _places(survey, station, cells)
    lost = 0
    for name, days in effort.items():
        at = [k for k in met.get(name, ()) if k < len(days)]
        hits = np.bincount(at, minlength=len(days))[: len(days)] if at else np.zeros(len(days), dtype=np.int64)
        ran = days > 0
        lost += int(hits[~ran].sum())
        share = np.where((days < SLIVER) & (hits == 0), 0.0, days) if window.dated else days
        site, side, camera_type = place[name]
        yield _Watched(site, side or survey.party, survey.party, camera_type, share, (hits > 0) & ran)
    if lost:
        facts: dict[str, Fact] = {"party": survey.party, "n": lost}
        found.append(Finding("events-without-effort", facts, severity=Severity.WARNING))


def _met(survey: Survey, taxa: frozenset[str], window: Window, station: dict[str, str]) -> dict[str, list[int]]:
    """Station -> day or occasion (from 0) of each record of the species."""
    rows = survey.observations.filter(pl.col("type") == "animal", pl.col("taxon").is_in(list(taxa)))
    rows = rows.filter(pl.col("count").fill_null(1) > 0)
    if window.dated:
        rows = rows.with_columns(occasion=window.occasion("start"))
    else:
        rows = rows.filter(pl.col("session") == window.sessions[0])
    met: dict[str, list[int]] = {}
    for deployment, occasion in rows.drop_nulls("occasion").select("deployment", "occasion").iter_rows():
        met.setdefault(station[deployment], []).append(occasion - 1)
    return met


def _places(survey: Survey, station: dict[str, str], cells: Cells | None) -> dict[str, tuple[str, str, str]]:
    """Station -> its site, side and camera type."""
    rows = survey.deployments.with_columns(pl.col("deployment").replace_strict(station).alias("station"))
    types = pl.col("camera_type").drop_nulls().unique().sort().str.join(" + ")
    table = rows.group_by("station", maintain_order=True).agg(pl.col("x").mean(), pl.col("y").mean(), types)
    if cells is None:
        sites = [f"{survey.party}/{survey.dataset}/{name}" for name in table["station"]]
        sides = [""] * len(sites)
    else:
        named, of_cell = cells.of(table["x"].to_numpy().astype(float), table["y"].to_numpy().astype(float))
        sites, sides = named.tolist(), of_cell.tolist()
    return {
        name: (site, side, camera or "")
        for name, site, side, camera in zip(table["station"], sites, sides, table["camera_type"], strict=True)
    }


def _camera_rows(watched: Sequence[_Watched], length: int) -> pl.DataFrame:
    """One row a site and run of `length` days with effort: efforts of a cell's stations add."""
    schema = {"site": pl.String(), "visit": pl.Int64(), "detected": pl.Int64(), "effort": pl.Float64()}
    parts = [pl.DataFrame(schema=schema)]
    for one in watched:
        day = np.arange(len(one.effort))
        table = {"site": [one.site] * len(day), "visit": day // length + 1, "detected": one.found, "effort": one.effort}
        parts.append(pl.DataFrame(table).with_columns(pl.col("detected").cast(pl.Int64)))
    runs = pl.concat(parts).group_by("site", "visit").agg(pl.col("detected").max(), pl.col("effort").sum())
    return runs.filter(pl.col("effort") > 0)


def _camera_sites(watched: Sequence[_Watched]) -> pl.DataFrame:
    rows = [(w.site, w.side, w.party, w.camera_type) for w in watched]
    table = pl.DataFrame(rows, schema=dict.fromkeys(("site", "side", "party", "camera_type"), pl.String), orient="row")
    joined = [pl.col(c).unique().sort().str.join(" + ") for c in ("side", "party")]
    camera = pl.col("camera_type").filter(pl.col("camera_type") != "").unique().sort().str.join(" + ")
    return table.group_by("site").agg(*joined, camera).sort("site")


def visits_of_transects(
    deliveries: Sequence[SiteCounts],
    taxa: frozenset[str],
    *,
    methods: Sequence[str] = SIGN_METHODS,
    cells: Cells | None = None,
) -> tuple[SiteVisits, tuple[Finding, ...]]:
    """Sign and snow-track transects as visits: sites as named, or the cells in which the transects begin.

    A count above 0 is a detection and 0 is none. Where the species is not listed it was looked for and not found if
    the visit is `complete`; else nobody knows, and the visit is left out with a note. So is one that lists the species
    without a number and nothing else of it. Visits of a site are numbered
    by time: give the segments of a transect as visits in the order in which they were walked. Sites have the column
    `party`; visits have `effort` (nan where it is not known), `method` and `observers`.

    Raises InputError where efforts have unlike units, or as `site_visits` does.
    """
    found: list[Finding] = []
    parts = [_transects(one, taxa, methods, cells, found) for one in deliveries]
    table = pl.concat(parts) if parts else pl.DataFrame(schema=_TRANSECTS)
    units = sorted(table.filter(pl.col("effort").is_not_null())["effort_unit"].fill_null("?").unique())
    if len(units) > 1:
        raise InputError([Finding("occupancy-effort-units", {"units": ", ".join(units)})])
    found += _mixed_methods(table)
    order = pl.struct("start", "name").rank("ordinal").over("site").cast(pl.Int64)
    rows = table.with_columns(visit=order)
    joined = [pl.col(c).unique().sort().str.join(" + ") for c in ("side", "party")]
    sites = table.group_by("site").agg(joined).sort("site")
    rows = rows.select("site", "visit", "detected", "effort", "method", "observers")
    return site_visits(rows, sites=sites, effort_unit=(units or [""])[0]), tuple(found)


_TRANSECTS = pl.Schema(
    {
        "site": pl.String(),
        "side": pl.String(),
        "party": pl.String(),
        "name": pl.String(),
        "start": pl.Datetime("us", "UTC"),
        "detected": pl.Int64(),
        "effort": pl.Float64(),
        "effort_unit": pl.String(),
        "method": pl.String(),
        "observers": pl.Float64(),
    }
)


def _transects(
    delivery: SiteCounts, taxa: frozenset[str], methods: Sequence[str], cells: Cells | None, found: list[Finding]
) -> pl.DataFrame:
    """One row a visit of which it is known whether the species was found (schema _TRANSECTS)."""
    walked = delivery.visits.filter(pl.col("method").is_in(list(methods)))
    rows = walked.join(_listed(delivery.counts, taxa), on="visit", how="left").with_columns(
        pl.when("listed").then("detected").when("complete").then(0).alias("detected")
    )
    unknown = int(rows["detected"].null_count())
    if unknown:
        facts: dict[str, Fact] = {"party": delivery.party, "number": unknown}
        found.append(Finding("occupancy-visit-incomplete", facts, Where(table="visits"), Severity.NOTE))
    rows = rows.drop_nulls("detected")
    site, side = _sites_of(rows, delivery, cells, found)
    return rows.select(
        site=site,
        side=side,
        party=pl.lit(delivery.party),
        name=pl.col("visit"),
        start=pl.col("start"),
        detected=pl.col("detected"),
        effort=pl.col("effort"),
        effort_unit=pl.col("effort_unit"),
        method=pl.col("method"),
        observers=pl.col("observers").cast(pl.Float64),
    ).cast(_TRANSECTS)


def _listed(counts: pl.DataFrame, taxa: frozenset[str]) -> pl.DataFrame:
    """Visits that list the species, by animals or signs: found (1), looked for and not found (0), not counted (null).

    Not `core.counts`, where a number is asked for: there animals and each kind of sign are rows of their own and a
    visit speaks only of what its method ever listed. Here anything of the species is a detection, and a complete
    visit speaks of it whatever was listed elsewhere, because the question says that the method looks for it.
    """
    found = pl.when((pl.col("count") > 0).any()).then(1).when(pl.col("count").is_not_null().all()).then(0)
    rows = counts.filter(pl.col("taxon").is_in(list(taxa)))
    return rows.group_by("visit").agg(found.cast(pl.Int64).alias("detected"), pl.lit(value=True).alias("listed"))


def _sites_of(
    rows: pl.DataFrame, delivery: SiteCounts, cells: Cells | None, found: list[Finding]
) -> tuple[pl.Series, pl.Series]:
    """Site and side of each visit."""
    if cells is None:
        named = [f"{delivery.party}/{site}" for site in rows["site"]]
        return pl.Series(named, dtype=pl.String), pl.Series([delivery.party] * len(named), dtype=pl.String)
    vague = rows.filter(pl.col("uncertainty_m").fill_null(0.0) > cells.cell_m / 2).height
    if vague:
        facts: dict[str, Fact] = {"party": delivery.party, "number": vague, "cell_m": cells.cell_m}
        found.append(Finding("occupancy-position-vague", facts, Where(table="visits"), Severity.WARNING))
    sites, sides = cells.of(rows["x"].to_numpy().astype(float), rows["y"].to_numpy().astype(float))
    named = [side or delivery.party for side in sides.tolist()] if cells.sides is None else sides.tolist()
    return pl.Series(sites.tolist(), dtype=pl.String), pl.Series(named, dtype=pl.String)


def _mixed_methods(table: pl.DataFrame) -> list[Finding]:
    """A warning where signs were looked for in unlike ways."""
    methods = sorted(table["method"].drop_nulls().unique())
    if len(methods) < 2:
        return []
    return [Finding("occupancy-methods-mixed", {"methods": ", ".join(methods)}, severity=Severity.WARNING)]
