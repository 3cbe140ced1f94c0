"""How often is each species met? Detection rates: what data without known individuals can honestly say.

A rate mixes how many animals there are with how well cameras see them. It is neither abundance nor density,
and rates of unlike cameras are not compared (Sollmann et al. 2013, Biological Conservation 159:405-412).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import chi2, t

from sharedrange.core.answer import LISTED, Answer, Estimate, Refusal, Scope
from sharedrange.core.bursts import with_bursts
from sharedrange.core.engine import Engine
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.progress import Progress, part
from sharedrange.core.release import is_pseudonym
from sharedrange.core.survey import Survey, stations
from sharedrange.core.when import (
    Spans,
    Window,
    dated_and_undated,
    day_effort,
    deployed_spans,
    gap_spans,
    length_days,
    run_spans,
    session_effort,
    union,
    whole_window,
    without,
)

Floats = NDArray[np.float64]

NAME = "population.rates"
PER = 100  # rates are told per 100 station-days
DATED_UNIT, UNDATED_UNIT = "per_100_station_days", "per_100_station_occasions"

RATES = pl.Schema(
    {
        # One row a party and taxon. Effort in station-days, or station-occasions of undated surveys.
        "party": pl.String(),
        "taxon": pl.String(),
        "events": pl.Int64(),
        "stations": pl.Int64(),  # with effort
        "stations_with": pl.Int64(),  # where the taxon was met
        "station_days": pl.Float64(),
        "rate": pl.Float64(),  # events per 100 station-days
        "low": pl.Float64(),
        "high": pl.Float64(),
        "camera_types": pl.String(),
    }
)
EFFORT_BY_DEPLOYMENT = pl.Schema(
    {
        # One row a deployment. Undated surveys: occasions instead of days, no first and last day.
        "deployment": pl.String(),
        "station": pl.String(),
        "first_day": pl.Date(),  # UTC, or the window's zone
        "last_day": pl.Date(),
        "run_days": pl.Float64(),
        "gap_days": pl.Float64(),
        "gap_reasons": pl.String(),  # "snow 120, theft 31", the longest first
    }
)


@dataclass(frozen=True, slots=True)
class RatesInputs:
    """Surveys of one or more parties, and when to look at them.

    `window` None: each party's own whole period. `taxa`: a taxon's name -> the names under which deliveries
    list it. Without it, the taxon of `scope`; without that, every taxon as delivered.
    """

    surveys: tuple[Survey, ...]
    window: Window | None = None
    scope: Scope = Scope()
    taxa: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RatesSettings:
    """What is one event, and how sure the interval is. `all_taxa`: a rate for every taxon delivered."""

    independence_minutes: float = 30.0
    level: float = 0.95
    all_taxa: bool = False

    def __post_init__(self) -> None:
        if not self.independence_minutes >= 0:
            raise ValueError(f"independence_minutes: {self.independence_minutes} (0 or more)")
        if not 0 < self.level < 1:
            raise ValueError(f"level: {self.level} (between 0 and 1)")


@dataclass(frozen=True, slots=True)
class Rate:
    """Events per station-day with an interval."""

    value: float
    low: float
    high: float


def rate_of(events: Floats, station_days: Floats, level: float = 0.95) -> Rate:
    """The ratio of events to effort over stations, with an interval that lets events clump at stations.

    `events` and `station_days` have shape (J,). The variance of the ratio is that of stations as clusters,
    J / (J - 1) * sum (y_j - r T_j)^2 / (sum T)^2 (Cochran 1977, Sampling Techniques, section 2.11; the same as
    a quasi-Poisson regression's sandwich), never below the Poisson variance; the interval is log-normal with
    Student's t on J - 1 degrees of freedom. With one station or no events: the exact Poisson interval (Garwood
    1936), which holds only if events are independent.
    """
    n, effort = float(events.sum()), float(station_days.sum())
    rate, n_stations = n / effort, len(events)
    if n == 0 or n_stations < 2:
        tail = (1 - level) / 2
        low = chi2.ppf(tail, 2 * n) / 2 if n else 0.0
        return Rate(rate, float(low / effort), float(chi2.ppf(1 - tail, 2 * n + 2) / 2 / effort))
    clumped = n_stations / (n_stations - 1) * float(((events - rate * station_days) ** 2).sum())
    se = np.sqrt(max(clumped, n)) / effort
    factor = np.exp(t.ppf(0.5 + level / 2, n_stations - 1) * se / rate)
    return Rate(rate, float(rate / factor), float(rate * factor))


def effort_table(survey: Survey, window: Window | None = None) -> pl.DataFrame:
    """How long each deployment watched and what kept it from watching (schema EFFORT_BY_DEPLOYMENT).

    Within the days of `window`, or all the time. Undated surveys count occasions (of the window's sessions):
    `run_days` is their effort, `gap_days` the number of occasions without any.
    """
    rows = _dated_effort(survey, window) if survey.dated else _undated_effort(survey, window)
    return pl.DataFrame(list(rows), schema=EFFORT_BY_DEPLOYMENT, orient="row").sort("deployment")


def _dated_effort(survey: Survey, window: Window | None) -> Iterator[tuple[object, ...]]:
    deployed, ran, gaps = deployed_spans(survey), run_spans(survey), gap_spans(survey)
    timezone = window.timezone if window else "UTC"
    dates = survey.deployments.select(
        "deployment", *(pl.col(c).dt.convert_time_zone(timezone).dt.date() for c in ("start", "end"))
    )
    station = stations(survey)
    for name, first, last in dates.iter_rows():
        run_days = length_days(_inside(ran.get(name), window))
        stood_days = length_days(_inside(deployed.get(name), window))
        reasons = _reasons(survey, name, deployed.get(name), window) if name in gaps else ""
        yield name, station[name], first, last, run_days, stood_days - run_days, reasons


def _inside(spans: Spans | None, window: Window | None) -> Spans:
    """The part of spans that lies in the window."""
    if spans is None:
        return np.empty((0, 2), dtype=np.int64)
    if window is None or not window.dated:
        return union(spans)
    edges_us = window.edges_us()
    return union(np.clip(spans, edges_us[0], edges_us[-1]))


def _reasons(survey: Survey, deployment: str, deployed: Spans | None, window: Window | None) -> str:
    """Days lost by reason while the deployment stood."""
    lost: dict[str, float] = {}
    stood = _inside(deployed, window)
    rows = survey.effort.filter(pl.col("deployment") == deployment, pl.col("start").is_not_null())
    for (reason,), gaps in rows.group_by("reason"):
        spans = gaps.select(pl.col("start").dt.epoch("us"), pl.col("end").dt.epoch("us")).to_numpy()
        lost[str(reason or "other")] = length_days(stood) - length_days(without(stood, spans))
    return _in_words(lost)


def _undated_effort(survey: Survey, window: Window | None) -> Iterator[tuple[object, ...]]:
    rows = survey.effort.filter(pl.col("occasion").is_not_null())
    if window is not None and window.sessions:
        rows = rows.filter(pl.col("session").is_in(list(window.sessions)))
    effort = pl.col("effort").fill_null(1.0)
    lost = rows.filter(effort == 0)
    run = dict(rows.group_by("deployment").agg(effort.sum()).iter_rows())
    idle = dict(lost.group_by("deployment").agg(pl.len()).iter_rows())
    reasons: dict[str, dict[str, float]] = {}
    for name, reason, n in lost.drop_nulls("reason").group_by("deployment", "reason").agg(pl.len()).iter_rows():
        reasons.setdefault(name, {})[reason] = n
    for name, station in stations(survey).items():
        yield name, station, None, None, run.get(name, 0.0), float(idle.get(name, 0)), _in_words(reasons.get(name, {}))


def _in_words(lost: Mapping[str, float]) -> str:
    longest_first = sorted(lost.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {days:.0f}" for reason, days in longest_first if days > 0)


@dataclass(frozen=True, slots=True)
class _Tally:
    """What one party's stations met, and for how long they watched.

    `effort`: station -> station-days; `events` has the columns taxon, station, n; `lost`: events at stations
    that did not run then, by their own record.
    """

    party: str
    cameras: tuple[str, ...]
    effort: Mapping[str, float]
    events: pl.DataFrame
    lost: int

    def of(self, taxon: str) -> tuple[Floats, Floats]:
        """Events of a taxon and station-days, shape (J,) each."""
        met = dict(self.events.filter(pl.col("taxon") == taxon).select("station", "n").iter_rows())
        names = sorted(self.effort)
        return np.array([met.get(name, 0) for name in names], float), np.array([self.effort[n] for n in names])

    def method(self, name: str) -> str:
        """The method of its rates: unlike cameras are unlike methods, whose numbers do not add."""
        return f"{name or 'detection-rate'}: {' + '.join(self.cameras) or f'? ({self.party})'}"


def _answer(
    inputs: RatesInputs,
    settings: RatesSettings,
    *,
    rng: np.random.Generator,  # noqa: ARG001  (the engine contract; the interval is analytic)
    progress: Progress,
    executor: Executor | None,  # noqa: ARG001  (the engine contract; counting is quick)
    checkpoint: MutableMapping[str, Any],  # noqa: ARG001  (the engine contract)
) -> Answer:
    """Detection rates by party and taxon with intervals, effort, and what a rate cannot say."""
    progress(0.0)
    mixed = dated_and_undated(inputs.surveys, inputs.window or Window())
    if mixed:
        raise InputError(mixed)
    tallies = _tallies(inputs, settings, part(progress, 0.0, 0.8))
    watched = [tally for tally in tallies if tally.effort]
    if not watched:
        progress(1.0)
        return Answer(refusal=_no_effort(tallies))
    rows = [_row(tally, taxon, settings.level) for tally in watched for taxon in _taxa_of(tally, inputs)]
    table = pl.DataFrame(rows, schema=RATES, orient="row")
    estimates = tuple(_estimates(table, watched, inputs, settings.level))
    progress(1.0)
    return Answer(estimates=estimates, tables={"rates": table}, findings=tuple(_findings(tallies)))


ENGINE = Engine(NAME, 1, RatesSettings, RatesInputs, _answer)


def _no_effort(tallies: Sequence[_Tally]) -> Refusal:
    have: dict[str, Fact] = {"stations_with_effort": 0, "parties": len(tallies)}
    return Refusal(NAME, have, {"stations_with_effort": 1}, ())


def _tallies(inputs: RatesInputs, settings: RatesSettings, progress: Progress) -> list[_Tally]:
    names = _names(inputs, settings)
    parties = sorted({survey.party for survey in inputs.surveys})
    tallies = []
    for done, party in enumerate(parties, start=1):
        own = [s for s in inputs.surveys if s.party == party]
        tallies.append(_together([_tally(s, _window(s, inputs.window), names, settings) for s in own]))
        progress(done / len(parties))
    return tallies


def _together(tallies: Sequence[_Tally]) -> _Tally:
    """The tallies of one party's surveys as one."""
    return _Tally(
        tallies[0].party,
        tuple(sorted({camera for tally in tallies for camera in tally.cameras})),
        {station: days for tally in tallies for station, days in tally.effort.items()},
        pl.concat([tally.events for tally in tallies]),
        sum(tally.lost for tally in tallies),
    )


def _tally(survey: Survey, window: Window, names: Mapping[str, str], settings: RatesSettings) -> _Tally:
    watched = _watched(survey, window)
    effort: dict[str, float] = {}
    for (_, station), days in watched.items():
        effort[station] = effort.get(station, 0.0) + float(days.sum())
    used = {station: days for station, days in effort.items() if days > 0}
    met = _met(survey, window, names, settings.independence_minutes)
    met = met.join(_watched_table(watched), on=["station", "session", "occasion"], how="left")
    counted = met.drop_nulls("watched").group_by("taxon", "station").agg(pl.col("n").sum())
    at = f"{survey.dataset}/"
    return _Tally(
        survey.party,
        _cameras(survey, used),
        {at + station: days for station, days in used.items()},
        counted.with_columns(pl.concat_str(pl.lit(at), "station").alias("station")),
        int(met.filter(pl.col("watched").is_null())["n"].sum()),
    )


def _window(survey: Survey, asked: Window | None) -> Window:
    """The window asked; where it is open, the whole period of the survey."""
    if asked is not None and (asked.dated or asked.sessions):
        return asked
    return whole_window([survey], asked.timezone if asked else "UTC")


def _watched(survey: Survey, window: Window) -> dict[tuple[str, str], Floats]:
    """(Session, station) -> effort of each occasion."""
    station = stations(survey)
    if window.dated:
        return {(window.label, name): days for name, days in day_effort(survey, window, station).items()}
    efforts = {session: session_effort(survey, session, station) for session in window.sessions}
    return {(session, name): days for session, at in efforts.items() for name, days in at.items()}


def _watched_table(watched: Mapping[tuple[str, str], Floats]) -> pl.DataFrame:
    """One row a station, session and occasion with effort."""
    rows = [(s, name, int(k) + 1, True) for (s, name), days in watched.items() for k in np.flatnonzero(days)]
    schema = {"session": pl.String(), "station": pl.String(), "occasion": pl.Int32(), "watched": pl.Boolean()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _cameras(survey: Survey, used: Mapping[str, float]) -> tuple[str, ...]:
    station = stations(survey)
    types = survey.deployments.select("deployment", "camera_type").drop_nulls("camera_type").iter_rows()
    return tuple(sorted({camera for deployment, camera in types if station[deployment] in used}))


def _asked(inputs: RatesInputs) -> Mapping[str, frozenset[str]]:
    """Taxon -> the names under which deliveries list it, of the taxa asked about."""
    taxon = inputs.scope.taxon
    return inputs.taxa or ({taxon: frozenset({taxon})} if taxon else {})


def _names(inputs: RatesInputs, settings: RatesSettings) -> Mapping[str, str]:
    """Name as delivered -> taxon that it is told under."""
    asked = _asked(inputs)
    named = {alias: taxon for taxon, aliases in asked.items() for alias in (taxon, *aliases)}
    if named and not settings.all_taxa:
        return named
    delivered = {name for s in inputs.surveys for name in s.observations["taxon"].drop_nulls().unique()}
    return {**{name: name for name in delivered}, **named}


def _met(survey: Survey, window: Window, names: Mapping[str, str], minutes: float) -> pl.DataFrame:
    """Independent events: station, taxon, session, occasion, n."""
    station = pl.col("deployment").replace_strict(stations(survey), return_dtype=pl.String)
    rows = survey.observations.filter(pl.col("type") == "animal", pl.col("taxon").is_in(list(names)))
    rows = rows.with_columns(pl.col("taxon").replace(names), station=station)
    if window.dated:
        rows = rows.with_columns(session=pl.lit(window.label), occasion=window.occasion("start"))
        rows = with_bursts(rows.drop_nulls("occasion"), ("station", "taxon"), minutes)
        rows = rows.group_by("station", "taxon", "burst", maintain_order=True).agg(
            pl.col("session", "occasion").first(), n=pl.lit(1)
        )
    else:
        rows = rows.filter(pl.col("session").is_in(list(window.sessions))).with_columns(n=pl.col("count").fill_null(1))
    return rows.group_by("station", "taxon", "session", "occasion").agg(pl.col("n").sum().cast(pl.Int64))


def _taxa_of(tally: _Tally, inputs: RatesInputs) -> list[str]:
    """The taxa that a party gets a rate for: those asked about, also where it met none, and those it met."""
    return sorted(set(_asked(inputs)) | set(tally.events["taxon"]))


def _row(tally: _Tally, taxon: str, level: float) -> dict[str, object]:
    events, station_days = tally.of(taxon)
    rate = rate_of(events, station_days, level)
    return {
        "party": tally.party,
        "taxon": taxon,
        "events": int(events.sum()),
        "stations": len(events),
        "stations_with": int((events > 0).sum()),
        "station_days": float(station_days.sum()),
        "rate": PER * rate.value,
        "low": PER * rate.low,
        "high": PER * rate.high,
        "camera_types": ", ".join(tally.cameras),
    }


def _estimates(table: pl.DataFrame, tallies: Sequence[_Tally], inputs: RatesInputs, level: float) -> Iterator[Estimate]:
    """Rate and events by party and taxon (``rate.<party>``, for taxa not asked alone ``.<taxon>``), and effort."""
    dated = inputs.surveys[0].dated
    rate_unit, effort_unit = (DATED_UNIT, "station_days") if dated else (UNDATED_UNIT, "station_occasions")
    asked = list(_asked(inputs))
    method = inputs.scope.method
    scope = {t.party: replace(inputs.scope, place=t.party, method=t.method(method)) for t in tallies}
    for row in table.iter_rows(named=True):
        party, taxon = row["party"], row["taxon"]
        name = party if [taxon] == asked else f"{party}.{taxon.replace(' ', '_')}"
        about = replace(scope[party], taxon=taxon, stage="", sex="")
        yield Estimate(f"rate.{name}", row["rate"], rate_unit, row["low"], row["high"], level=level, scope=about)
        yield Estimate(f"events.{name}", row["events"], "events", scope=replace(about, kind=LISTED))
    for tally in tallies:
        about = replace(scope[tally.party], taxon="", stage="", sex="", kind=LISTED)
        yield Estimate(f"effort.{tally.party}", sum(tally.effort.values()), effort_unit, scope=about)


def _findings(tallies: Sequence[_Tally]) -> Iterator[Finding]:
    """What a reader of the rates must know."""
    yield Finding("rate-is-not-abundance", severity=Severity.NOTE)
    watched = [tally for tally in tallies if tally.effort]
    for tally in tallies:
        for rule, facts, severity in _about(tally):
            yield Finding(rule, {"party": tally.party, **facts}, severity=severity)
    cameras = {tally.party: ", ".join(tally.cameras) for tally in watched}
    if len(set(cameras.values())) > 1 or (len(cameras) > 1 and "" in cameras.values()):
        yield _unlike(watched)


def _unlike(watched: Sequence[_Tally]) -> Finding:
    """That cameras are not known to be alike; a model that its owner released without its name is not named."""
    told = "; ".join(f"{tally.party}: {_models(tally) or '?'}" for tally in watched)
    unnamed = ", ".join(tally.party for tally in watched if any(map(is_pseudonym, tally.cameras)))
    if unnamed:
        return Finding("unlike-cameras-unnamed", {"cameras": told, "parties": unnamed}, severity=Severity.WARNING)
    return Finding("unlike-cameras", {"cameras": told}, severity=Severity.WARNING)


def _models(tally: _Tally) -> str:
    """The camera models of a party; "?" for each that it released under a pseudonym."""
    return ", ".join("?" if is_pseudonym(model) else model for model in tally.cameras)


def _about(tally: _Tally) -> Iterator[tuple[str, dict[str, Fact], Severity]]:
    if not tally.effort:
        yield "no-effort", {}, Severity.WARNING
    if len(tally.effort) == 1:
        yield "one-station", {}, Severity.NOTE
    if len(tally.cameras) > 1:
        yield "mixed-cameras", {"cameras": _models(tally)}, Severity.NOTE
    if tally.lost:
        yield "events-without-effort", {"n": tally.lost}, Severity.WARNING
