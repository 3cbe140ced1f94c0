"""A protocol that partners agreed on, and whether a survey or a count kept to it.

protocol.toml says how many cameras stand at a station, how far apart stations are, how long they watch, which sides of
an animal are wanted, and by which methods counts are made. A survey that did otherwise is no error: the findings are
warnings, and say how far it is off. They name stations and distances to a tenth of a kilometre, never a position.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.contents import COUNT_METHODS, SiteCounts
from sharedrange.core.engine import read_settings, unknown_key
from sharedrange.core.errors import ProgrammeError
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.places import Projection, equal_area
from sharedrange.core.survey import Survey
from sharedrange.core.when import Spans, deployed_spans, length_days, run_spans, union
from sharedrange.exchange.opening import MIB, decode, shown

MAX_BYTES = 1 << 16  # an agreement on a page, not data
Floats = NDArray[np.float64]
FlankRule = Literal["any", "left", "right", "both"]
_SHOWN_KM = 1  # decimals of a distance in a finding: enough to act on, too few to lay a camera down by


@dataclass(frozen=True, slots=True)
class CameraRules:
    """``[cameras]``. What is not set is not checked.

    `per_station`: cameras at a station at the same time; `spacing_min_km`, `spacing_max_km`: from a station to the
    nearest other one; `days_min`: days that a station watched, gaps left out; `flanks`: which sides of every
    identified animal are wanted; `stations_min`: stations of the survey.
    """

    per_station: int | None = None
    spacing_min_km: float | None = None
    spacing_max_km: float | None = None
    days_min: float | None = None
    flanks: FlankRule = "any"
    stations_min: int | None = None


@dataclass(frozen=True, slots=True)
class CountRules:
    """``[counts]``. What is not set is not checked.

    `methods`: words of `COUNT_METHODS` that are allowed; `visits_min`: visits of a site; `observers_min`: at a visit;
    `complete`: every visit records every species that was looked for.
    """

    methods: tuple[str, ...] = ()
    visits_min: int | None = None
    observers_min: int | None = None
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Protocol:
    """protocol.toml, read. `name` is its title, as findings say it."""

    name: str
    cameras: CameraRules = CameraRules()
    counts: CountRules = CountRules()


# --- reading ---


def read_protocol(path: Path) -> tuple[Protocol | None, tuple[Finding, ...]]:
    """The protocol of a TOML file; None and every mistake in it at once."""
    given, found = _parsed(path)
    if found:
        return None, tuple(found)
    name = given.pop("name", "")
    file = shown(path.name)
    if not isinstance(name, str) or not name:
        found.append(Finding("missing-key", {"key": "name"}, Where(file=file, field="name")))
    read: dict[str, Any] = {}
    schemas: Mapping[str, type] = {"cameras": CameraRules, "counts": CountRules}
    for table, rules in given.items():
        if table not in schemas:
            found.append(unknown_key(shown(table), ["name", *schemas], Where(file=file, field=shown(table))))
            continue
        try:
            read[table] = read_settings(
                schemas[table], rules if isinstance(rules, dict) else {"": rules}, Where(file, table)
            )
        except ProgrammeError as error:
            found += error.findings
    found += [finding for table in read.values() for finding in _out_of_range(table, file)]
    return (None if found else Protocol(str(name), **read)), tuple(found)


def _parsed(path: Path) -> tuple[dict[str, Any], list[Finding]]:
    where = Where(file=shown(path.name))
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError:
        return {}, [Finding("no-such-path", {"path": shown(path.name)}, where)]
    if len(content) > MAX_BYTES:
        return {}, [Finding("file-too-large", {"path": shown(path.name), "limit_mib": MAX_BYTES / MIB}, where)]
    text, found = decode(shown(path.name), content, "utf-8")
    if text is None:
        return {}, found
    try:
        return tomllib.loads(text), []
    except (ValueError, RecursionError) as error:
        line = re.search(r"at line (\d+)", str(error))
        at = Where(file=shown(path.name), row=int(line[1]) if line else None)
        return {}, [Finding("bad-toml", {"problem": shown(str(error))}, at)]


def _out_of_range(rules: CameraRules | CountRules, file: str) -> Iterator[Finding]:
    """Numbers below zero, and what contradicts itself."""
    table = "cameras" if isinstance(rules, CameraRules) else "counts"
    for spec in fields(rules):
        value = getattr(rules, spec.name)
        if isinstance(value, int | float) and not (0 <= value < np.inf):
            facts: dict[str, Fact] = {"key": spec.name, "value": value}
            yield Finding("protocol-number", facts, Where(file, table, field=spec.name))
    if isinstance(rules, CountRules):
        for method in rules.methods:
            if method not in COUNT_METHODS:
                yield unknown_key(shown(method), COUNT_METHODS, Where(file, table, field="methods"))
        return
    low, high = rules.spacing_min_km, rules.spacing_max_km
    if low is not None and high is not None and low > high:
        yield Finding("protocol-spacing-order", {"low": low, "high": high}, Where(file, table, field="spacing_min_km"))


# --- checking ---


def check_protocol(delivered: Survey | SiteCounts, protocol: Protocol) -> tuple[Finding, ...]:
    """Where a survey or counts differ from a protocol: warnings, in the order of the rules."""
    if isinstance(delivered, SiteCounts):
        return tuple(_check_counts(delivered, protocol.counts))
    return tuple(_check_cameras(delivered, protocol.cameras))


def _check_cameras(survey: Survey, rules: CameraRules) -> Iterator[Finding]:
    stations = survey.deployments["station"].n_unique()
    if rules.stations_min is not None and stations < rules.stations_min:
        yield _off("protocol-stations", "deployments", stations=stations, needed=rules.stations_min)
    yield from _check_cameras_per_station(survey, rules)
    yield from _check_spacing(survey, rules)
    yield from _check_days(survey, rules)
    yield from _check_flanks(survey, rules)


def _off(rule: str, table: str, **facts: Fact) -> Finding:
    return Finding(rule, facts, Where(table=table), Severity.WARNING)


def _check_cameras_per_station(survey: Survey, rules: CameraRules) -> Iterator[Finding]:
    if rules.per_station is None:
        return
    for station, cameras in _cameras_at_once(survey).items():
        if cameras < rules.per_station:
            yield _off("protocol-cameras", "deployments", station=station, cameras=cameras, needed=rules.per_station)


def _cameras_at_once(survey: Survey) -> dict[str, int]:
    """Station -> the most cameras that stood there at the same time; in an undated survey, all of them."""
    deployed = deployed_spans(survey) if survey.dated else {}
    return {
        station: _most_at_once([deployed[name] for name in names if name in deployed]) if survey.dated else len(names)
        for station, names in _deployments_by_station(survey).items()
    }


def _deployments_by_station(survey: Survey) -> dict[str, list[str]]:
    rows = survey.deployments.sort("station", "deployment").select("station", "deployment").drop_nulls()
    return dict(rows.group_by("station", maintain_order=True).agg("deployment").iter_rows())


def _most_at_once(spans: list[Spans]) -> int:
    """The greatest number of spans that hold one moment. One that ends as another starts does not overlap it."""
    if not spans:
        return 0
    rows = np.concatenate(spans)
    moments = np.concatenate([rows[:, 0], rows[:, 1]])
    steps = np.repeat([1, -1], len(rows))
    return int(np.cumsum(steps[np.lexsort((steps, moments))]).max(initial=0))


def _check_spacing(survey: Survey, rules: CameraRules) -> Iterator[Finding]:
    low, high = rules.spacing_min_km, rules.spacing_max_km
    if low is None and high is None:
        return
    for station, neighbour, km in _nearest_stations(survey):
        facts: dict[str, Fact] = {"station": station, "other": neighbour, "km": round(km, _SHOWN_KM)}
        if low is not None and km < low:
            yield _off("protocol-too-near", "deployments", **facts, limit_km=low)
        if high is not None and km > high:
            yield _off("protocol-too-far", "deployments", **facts, limit_km=high)


def _nearest_stations(survey: Survey) -> Iterator[tuple[str, str, float]]:
    """Each station, the nearest other one, their distance in kilometres. A station is the middle of its cameras."""
    from scipy.spatial import cKDTree  # noqa: PLC0415  (kept out of start-up)

    placed = survey.deployments.drop_nulls(["station", "x", "y"])
    if placed["station"].n_unique() < 2:
        return
    x_m, y_m = _projection(survey, placed).forward(placed["x"].to_numpy(), placed["y"].to_numpy())
    middles = (
        placed.select("station", x_m=pl.Series(x_m), y_m=pl.Series(y_m)).group_by("station").mean().sort("station")
    )
    names, points = middles["station"].to_list(), middles.select("x_m", "y_m").to_numpy()
    distances_m, order = map(np.asarray, cKDTree(points).query(points, k=2))
    for number, name in enumerate(names):
        other = next(n for n in order[number] if n != number)  # two stations at one point: itself may come second
        yield name, names[other], float(distances_m[number, 1]) / 1000


def _projection(survey: Survey, placed: pl.DataFrame) -> Projection:
    """Metres for the distances of a survey: its own local frame, or equal-area about its middle.

    At 300 km from its centre the scale of that projection is off by 0.03 % (Snyder 1987, ch. 24: sec c/2).
    """
    if survey.frame.startswith("local:"):
        return Projection(survey.frame)
    middle = placed.select(pl.col("x", "y").mean()).row(0)
    return equal_area(*middle)


def _check_days(survey: Survey, rules: CameraRules) -> Iterator[Finding]:
    if rules.days_min is None:
        return
    if not survey.dated:
        yield _off("protocol-days-unknown", "deployments", dataset=survey.dataset, needed=rules.days_min)
        return
    ran = run_spans(survey)
    for station, names in _deployments_by_station(survey).items():
        spans = [ran[name] for name in names if name in ran]
        days = length_days(union(np.concatenate(spans))) if spans else 0.0
        if days < rules.days_min:
            yield _off("protocol-days", "deployments", station=station, days=round(days, 1), needed=rules.days_min)


def _check_flanks(survey: Survey, rules: CameraRules) -> Iterator[Finding]:
    if rules.flanks == "any":
        return
    wanted = {"left", "right"} if rules.flanks == "both" else {rules.flanks}
    seen = (
        survey.observations.drop_nulls("individual")
        .group_by("catalogue", "individual")
        .agg(pl.col("flank").drop_nulls().unique().sort())
        .sort("catalogue", "individual", nulls_last=True)
    )
    for catalogue, individual, flanks in seen.iter_rows():
        sides = {"left", "right"} if "both" in flanks else set(flanks)
        if lacking := wanted - sides:
            facts = {"individual": individual, "catalogue": catalogue or "", "lacking": ", ".join(sorted(lacking))}
            yield _off("protocol-flank", "observations", **facts)


def _check_counts(counts: SiteCounts, rules: CountRules) -> Iterator[Finding]:
    visits = counts.visits
    if rules.methods:
        other = visits.filter(~pl.col("method").is_in(rules.methods).fill_null(value=False))
        by_method = other.group_by(pl.col("method").fill_null("?")).len().sort("method")
        for method, number in by_method.iter_rows():
            allowed = ", ".join(rules.methods)
            yield _off("protocol-method", "visits", method=method, visits=number, allowed=allowed)
    if rules.visits_min is not None:
        by_site = visits.drop_nulls("site").group_by("site").len().sort("site")
        for site, number in by_site.filter(pl.col("len") < rules.visits_min).iter_rows():
            yield _off("protocol-visits", "visits", site=site, visits=number, needed=rules.visits_min)
    if rules.observers_min is not None:
        few = visits.filter((pl.col("observers") < rules.observers_min).fill_null(value=True))
        for visit, observers in few.select("visit", "observers").iter_rows():
            said = "?" if observers is None else observers
            yield _off("protocol-observers", "visits", visit=visit, observers=said, needed=rules.observers_min)
    if rules.complete:
        for visit in visits.filter(~pl.col("complete").fill_null(value=False))["visit"]:
            yield _off("protocol-incomplete", "visits", visit=visit)
