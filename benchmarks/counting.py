"""Minimum numbers (`population.minimum`) and detection rates (`population.rates`) beside plain Python loops.

    python benchmarks/counting.py [--observations 200000]

The alternative is what somebody writes without a library: loops over csv rows with dicts and sets. Both sides
start from rows in memory, give the same numbers (checked), and are timed in one run in CPU and wall seconds.
Linking animals, flanks and life stages are ours alone: the loops only count distinct codes and events.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np
import polars as pl

from sharedrange.core.answer import Scope
from sharedrange.core.chance import stream
from sharedrange.core.individuals import Concordance
from sharedrange.core.survey import DEPLOYMENTS, OBSERVATIONS, Survey, conform
from sharedrange.core.when import Window, whole_window
from sharedrange.population import minimum, rates
from sharedrange.population.encounters import encounters, local_individuals

TAXON = "Panthera pardus"
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS, STATIONS, ANIMALS = 365, 400, 300
INDEPENDENT = timedelta(minutes=30)
T = TypeVar("T")


def made(n: int) -> Survey:
    """A survey of `n` observations of one species at STATIONS cameras over a year."""
    chance = stream(1, "benchmarks.counting")
    station = chance.integers(STATIONS, size=n)
    start = pl.Series([START]).dt.replace_time_zone("UTC")[0] + pl.Series(
        chance.integers(DAYS * 86_400, size=n) * 1_000_000
    ).cast(pl.Duration("us"))
    observations = pl.DataFrame(
        {
            "observation": [f"o{i}" for i in range(n)],
            "deployment": [f"d{j}" for j in station],
            "event": [f"e{i}" for i in range(n)],
            "start": start,
            "end": start,
            "type": ["animal"] * n,
            "taxon": [TAXON] * n,
            "count": [1] * n,
            "life_stage": ["adult"] * n,
            "individual": [f"a{i}" for i in chance.integers(ANIMALS, size=n)],
            "catalogue": ["main"] * n,
        }
    )
    names = [f"d{j}" for j in range(STATIONS)]
    deployments = pl.DataFrame(
        {
            "deployment": names,
            "station": names,
            "x": 118 + np.arange(STATIONS) / 1000,
            "y": 46 + np.arange(STATIONS) / 1000,
            "start": [START] * STATIONS,
            "end": [START + timedelta(days=DAYS)] * STATIONS,
            "detector": ["proximity"] * STATIONS,
        }
    )
    return Survey(
        "park", "cameras", "EPSG:4326", dated=True,
        deployments=conform(deployments, DEPLOYMENTS), observations=conform(observations, OBSERVATIONS),
    )  # fmt: skip


def our_minimum(survey: Survey, window: Window) -> float:
    """The minimum number by the engine."""
    taxa = frozenset({TAXON})
    partition = Concordance().partition(local_individuals([survey], taxa))
    met = encounters([survey], partition, window, taxa)
    inputs = minimum.MinimumInputs(met, partition, ("park",), Scope(taxon=TAXON))
    return float(asked(minimum.ENGINE, inputs)["minimum_number"].value)


def our_rate(survey: Survey, window: Window) -> float:
    """The detection rate by the engine."""
    inputs = rates.RatesInputs((survey,), window, Scope(taxon=TAXON))
    return float(asked(rates.ENGINE, inputs)["rate.park"].value)


def asked(engine: Any, inputs: Any) -> Any:
    """The engine's answer with its default settings."""
    return engine.answer(inputs, engine.Settings(), rng=stream(1, engine.name), progress=lambda _share: None)


def loop_minimum(rows: list[dict[str, Any]]) -> float:
    """Distinct codes, one row at a time."""
    known = set()
    for row in rows:
        if row["taxon"] == TAXON and row["individual"] is not None:
            known.add((row["catalogue"], row["individual"]))
    return float(len(known))


def loop_rate(rows: list[dict[str, Any]], station_days: float) -> float:
    """Independent events per 100 station-days, one row at a time."""
    by_station: dict[str, list[datetime]] = defaultdict(list)
    for row in rows:
        if row["taxon"] == TAXON:
            by_station[row["deployment"]].append(row["start"])
    events = 0
    for times in by_station.values():
        last: datetime | None = None
        for at in sorted(times):
            if last is None or at - last >= INDEPENDENT:
                events += 1
            last = at
    return 100 * events / station_days


def timed(do: Callable[[], T]) -> tuple[T, float, float]:
    """What `do` gives, and its CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    value = do()
    return value, time.process_time() - cpu, time.perf_counter() - wall


def main(n: int) -> None:
    survey = made(n)
    window = whole_window([survey], "UTC")
    rows = survey.observations.to_dicts()
    print(f"{n:,} observations, {STATIONS} stations, {DAYS} days")
    compared("population.minimum", lambda: our_minimum(survey, window), lambda: loop_minimum(rows))
    compared("population.rates", lambda: our_rate(survey, window), lambda: loop_rate(rows, STATIONS * DAYS))


def compared(name: str, ours: Callable[[], float], loop: Callable[[], float]) -> None:
    """Run both, check that they agree, print the ratio."""
    value, cpu, wall = timed(ours)
    other, loop_cpu, loop_wall = timed(loop)
    if abs(value - other) > 1e-6 * abs(other):
        raise SystemExit(f"{name}: {value} against {other}")
    print(f"{name}: ours {cpu:.2f} CPU-s, {wall:.2f} s; loops {loop_cpu:.2f} CPU-s, {loop_wall:.2f} s;", end=" ")
    print(f"loops / ours {loop_cpu / cpu:.2f} (CPU); both say {value:.4g}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--observations", type=int, default=200_000)
    main(parser.parse_args().observations)
