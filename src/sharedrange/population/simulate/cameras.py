"""Stations, when they stood, and when they looked: deployments, gaps with reasons, watched stretches.

Times inside the simulator are whole seconds since 1970-01-01 UTC, so that arithmetic is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.population.simulate.design import Design, Gaps, PartyDesign

Seconds = NDArray[np.int64]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
DAY_S = 86_400
_MINUTE_S = 60
_FIRST_HOUR, _LAST_HOUR = 8, 17  # people set cameras up by daylight

STATIONS = pl.Schema(
    {
        "party": pl.String(),
        "deployment": pl.String(),
        "station": pl.String(),
        "x_m": pl.Float64(),
        "y_m": pl.Float64(),
        "start_s": pl.Int64(),
        "end_s": pl.Int64(),
    }
)
GAPS = pl.Schema({"deployment": pl.String(), "start_s": pl.Int64(), "end_s": pl.Int64(), "reason": pl.String()})


def stations_of(design: Design, party: PartyDesign, rng: np.random.Generator) -> pl.DataFrame:
    """The party's stations, each with one deployment that covers the design's window; schema `STATIONS`."""
    array = party.array
    column, row = np.divmod(np.arange(array.columns * array.rows), array.rows)
    n = len(column)
    names = [party.station_pattern.format(number=number) for number in range(1, n + 1)]
    starts, ends = _standing(design, party, n, rng)
    return pl.DataFrame(
        {
            "party": [party.id] * n,
            "deployment": [f"{name}-{design.first_day.year}" for name in names],
            "station": names,
            "x_m": array.x_m + _centred(column, array.columns) * array.spacing_m + _jitter(array.jitter_m, n, rng),
            "y_m": array.y_m + _centred(row, array.rows) * array.spacing_m + _jitter(array.jitter_m, n, rng),
            "start_s": starts,
            "end_s": ends,
        },
        schema=STATIONS,
    )


def _centred(index: NDArray[np.int64], size: int) -> Floats:
    return np.asarray(index - (size - 1) / 2, dtype=float)


def _jitter(limit_m: float, n: int, rng: np.random.Generator) -> Floats:
    return rng.uniform(-limit_m, limit_m, n)


def _standing(design: Design, party: PartyDesign, n: int, rng: np.random.Generator) -> tuple[Seconds, Seconds]:
    """When stations were set up and taken down: within `setup_days` before and after what is to be covered."""
    opening = datetime.combine(design.first_day - timedelta(days=party.lead_days), time(), party.zone)
    closing = datetime.combine(design.first_day + timedelta(days=design.days), time(), party.zone)
    starts = int(opening.timestamp()) - rng.integers(1, party.setup_days + 1, n) * DAY_S + _daylight(n, rng)
    ends = int(closing.timestamp()) + rng.integers(1, party.setup_days + 1, n) * DAY_S + _daylight(n, rng)
    return starts, ends


def _daylight(n: int, rng: np.random.Generator) -> Seconds:
    """Minutes of a working day, in seconds after midnight."""
    minutes = rng.integers(_FIRST_HOUR * 60, _LAST_HOUR * 60, n)
    return np.asarray(minutes * _MINUTE_S, dtype=np.int64)


def gaps_of(stations: pl.DataFrame, kinds: tuple[Gaps, ...], rng: np.random.Generator) -> pl.DataFrame:
    """When which station did not look, and why; schema `GAPS`, no two gaps of a station overlap."""
    drawn = [_drawn(stations, kind, one) for kind, one in zip(kinds, rng.spawn(len(kinds)), strict=True)]
    return _apart(pl.concat([pl.DataFrame(schema=GAPS), *drawn]))


def _drawn(stations: pl.DataFrame, kind: Gaps, rng: np.random.Generator) -> pl.DataFrame:
    """Gaps of one kind, whole minutes within the deployments."""
    n = stations.height
    struck = rng.random(n) < kind.share_of_stations
    first, last = stations["start_s"].to_numpy(), stations["end_s"].to_numpy()
    starts = _moments(first, last, kind.together, rng)
    days = rng.exponential(kind.mean_days, n) if kind.mean_days else np.zeros(n)
    ends = last if kind.lasting else np.minimum(last, starts + _MINUTE_S + _whole_minutes(days * DAY_S))
    gaps = {"deployment": stations["deployment"], "start_s": starts, "end_s": ends, "reason": [kind.reason] * n}
    return pl.DataFrame(gaps, schema=GAPS).filter(pl.Series(struck) & (pl.col("start_s") < pl.col("end_s")))


def _moments(first: Seconds, last: Seconds, together: bool, rng: np.random.Generator) -> Seconds:
    """A moment of each deployment, or one moment of the whole season for all of them."""
    if not together:
        return first + _whole_minutes(rng.random(len(first)) * (last - first))
    storm = int(first.min()) + _whole_minutes(np.full(len(first), rng.random()) * (last.max() - first.min()))
    return np.maximum(first, storm)


def _whole_minutes(seconds: Floats) -> Seconds:
    return np.asarray(seconds // _MINUTE_S * _MINUTE_S, dtype=np.int64)


def _apart(gaps: pl.DataFrame) -> pl.DataFrame:
    """Overlapping gaps of a deployment told apart: what stopped the camera first is the reason."""
    ordered = gaps.sort("deployment", "start_s", "end_s", "reason")
    until = pl.col("end_s").cum_max().shift(1).over("deployment")
    begins = pl.max_horizontal("start_s", until).alias("start_s")
    return ordered.with_columns(begins).filter(pl.col("start_s") < pl.col("end_s"))


@dataclass(frozen=True, slots=True)
class Watch:
    """When each station looked: stretches between its gaps, per station in table order (seconds, UTC)."""

    starts: tuple[Seconds, ...]
    ends: tuple[Seconds, ...]

    def seconds(self) -> Floats:
        """Seconds watched by each station, shape (J,)."""
        pairs = zip(self.starts, self.ends, strict=True)
        return np.array([float((end - start).sum()) for start, end in pairs])

    def clock(self, station: int, watched_s: Floats) -> Seconds:
        """The time when a station had looked for `watched_s` seconds, to the second below; shape as given."""
        lengths = self.ends[station] - self.starts[station]
        before = np.concatenate([[0], np.cumsum(lengths)])
        whole = np.floor(watched_s).astype(np.int64)
        stretch = np.searchsorted(before, whole, side="right") - 1
        return np.asarray(self.starts[station][stretch] + whole - before[stretch], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Cameras:
    """All parties' stations (schema `STATIONS`), their gaps (`GAPS`), and what each could see, in table order.

    `sensitivity` (shape (J,)) multiplies a species' baseline rate; `both_flanks` (shape (J,)) is the share of
    passages that show both flanks.
    """

    stations: pl.DataFrame
    gaps: pl.DataFrame
    watch: Watch
    sensitivity: Floats
    both_flanks: Floats

    @property
    def effort_days(self) -> Floats:
        """Days watched times sensitivity, shape (J,): what a rate per day is multiplied by."""
        return self.watch.seconds() / DAY_S * self.sensitivity


def cameras_of(design: Design, rng: np.random.Generator) -> Cameras:
    """The cameras of all parties."""
    stations, gaps = [], [pl.DataFrame(schema=GAPS)]
    for party, stream in zip(design.parties, rng.spawn(len(design.parties)), strict=True):
        place, stop = stream.spawn(2)
        stations.append(stations_of(design, party, place))
        gaps.append(gaps_of(stations[-1], party.gaps, stop))
    every, stopped = pl.concat(stations), pl.concat(gaps)
    kinds = [design.party(party).camera for party in every["party"]]
    return Cameras(
        every,
        stopped,
        watch_of(every, stopped),
        np.array([kind.sensitivity for kind in kinds]),
        np.array([kind.both_flanks for kind in kinds]),
    )


def watch_of(stations: pl.DataFrame, gaps: pl.DataFrame) -> Watch:
    """What is left of each deployment when its gaps are taken out."""
    by_deployment = _by_deployment(gaps)
    looked = [
        _between(start, end, by_deployment.get(deployment, []))
        for deployment, start, end in stations.select("deployment", "start_s", "end_s").iter_rows()
    ]
    return Watch(tuple(starts for starts, _ in looked), tuple(ends for _, ends in looked))


def _by_deployment(gaps: pl.DataFrame) -> Mapping[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for deployment, start, end in gaps.select("deployment", "start_s", "end_s").iter_rows():
        found.setdefault(deployment, []).append((start, end))
    return found


def _between(start: int, end: int, gaps: list[tuple[int, int]]) -> tuple[Seconds, Seconds]:
    starts = np.array([start, *(gap_end for _, gap_end in gaps)], dtype=np.int64)
    ends = np.array([*(gap_start for gap_start, _ in gaps), end], dtype=np.int64)
    return starts[starts < ends], ends[starts < ends]
