"""The store beside plain polars over the same files: import, effort, rates, events, capture histories.

    python benchmarks/store.py [--seasons 10] [--rows 10000000] [--folder DIR] [--keep]

Makes `seasons` deliveries of `rows` observations each (seeded; bursts of photographs at 1,000 stations a party),
imports them piece by piece, works out the derived tables, and asks both sides the same in a process of its own each:
CPU seconds of all threads, peak memory of the whole process. The other side is what somebody writes with polars and
lazy scans; it may use OTHERS_GB and is "refused" beyond. The folder is deleted afterwards. A hundred million rows
take some 6 GB.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sharedrange.core.chance import stream
from sharedrange.core.contents import Delivered
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, OBSERVATIONS, Survey, conform
from sharedrange.exchange.store import Selection, Store

PIECE_ROWS = 500_000
PARTIES, STATIONS, VISITS = 5, 1_000, 4  # cards are changed four times a year
TAXA = [f"Simulatus {name}" for name in ("tigris", *(f"species{k}" for k in range(39)))]
CAT, ANIMALS = TAXA[0], 60  # the one whose individuals are known
SHARE_OF_TAXA = np.r_[0.01, 0.99 * (w := 1 / np.arange(2, 41)) / w.sum()]
BLANK, BURST = 0.25, 6.0  # share of triggers without an animal; photographs a burst
OTHERS_GB = 8
YEAR_S = 365 * 86_400


@dataclass(frozen=True)
class Season:
    """One delivery: a party's year, in pieces."""

    number: int
    rows: int

    def __len__(self) -> int:
        return math.ceil(self.rows / PIECE_ROWS)

    @property
    def start(self) -> datetime:
        """The first moment."""
        return datetime(2015 + self.number // PARTIES, 1, 1, tzinfo=UTC)

    def __iter__(self) -> Iterator[Delivered]:
        rng = stream(self.number, "benchmarks.store")
        for k in range(len(self)):
            rows = min(PIECE_ROWS, self.rows - k * PIECE_ROWS)
            yield Delivered(survey=self._survey(rng, k * PIECE_ROWS, rows, first=k == 0))

    def _survey(self, rng: np.random.Generator, offset: int, rows: int, *, first: bool) -> Survey:
        deployments, effort = self._cameras() if first else (pl.DataFrame(), pl.DataFrame())
        return Survey(
            f"party{self.number % PARTIES}", "cameras", "EPSG:4326", dated=True,
            deployments=conform(deployments, DEPLOYMENTS), effort=conform(effort, EFFORT),
            observations=conform(self._observations(rng, offset, rows), OBSERVATIONS),
        )  # fmt: skip

    def _cameras(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        k = np.arange(STATIONS * VISITS)
        start = pl.Series(np.int64(self.start.timestamp()) + (k % VISITS) * (YEAR_S // VISITS))
        at, days = pl.from_epoch(start).dt.replace_time_zone("UTC"), timedelta(days=365 // VISITS)
        names = pl.Series([self._deployment(int(i)) for i in k])
        deployments = {"deployment": names, "station": [f"s{i // VISITS}" for i in k], "start": at, "end": at + days}
        place = {"x": 100 + k // VISITS % 40 / 10, "y": 50 + k // VISITS // 40 / 10}
        gap = pl.DataFrame({"deployment": names, "start": at + timedelta(days=20), "end": at + timedelta(days=23)})
        return pl.DataFrame({**deployments, **place}), gap.gather_every(3).with_columns(reason=pl.lit("snow"))

    def _deployment(self, k: int) -> str:
        return f"d{self.number}-{k // VISITS}-{k % VISITS}"

    def _observations(self, rng: np.random.Generator, offset: int, rows: int) -> pl.DataFrame:
        size = rng.geometric(1 / BURST, size=int(rows / BURST * 1.2) + 20)
        burst = np.repeat(np.arange(len(size)), size)[:rows]
        if len(burst) < rows:
            raise SystemExit("too few bursts")
        n = burst[-1] + 1
        station, second = rng.integers(STATIONS, size=n), rng.integers(YEAR_S, size=n)
        taxon = rng.choice(len(TAXA), p=SHARE_OF_TAXA, size=n)
        animal, individual = rng.random(n) > BLANK, rng.integers(ANIMALS, size=n)
        step = np.arange(rows) - np.searchsorted(burst, burst)
        deployment = station * VISITS + np.minimum(second // (YEAR_S // VISITS), VISITS - 1)
        of = pl.DataFrame(
            {
                "deployment": pl.Series([self._deployment(i) for i in range(STATIONS * VISITS)])[deployment],
                "event": pl.Series(n_names("e", self.number * 10**9 + offset, n)),
                "at": pl.from_epoch(pl.Series(second + np.int64(self.start.timestamp()))).dt.replace_time_zone("UTC"),
                "type": pl.Series(["blank", "animal"])[animal.astype(int)],
                "taxon": pl.Series(TAXA)[taxon],
                "individual": pl.Series([f"A{i}" for i in range(ANIMALS)])[individual],
            }
        )
        is_animal = pl.col("type") == "animal"
        known = is_animal & (pl.col("taxon") == CAT)
        of = of.with_columns(
            taxon=pl.when(is_animal).then("taxon"), individual=pl.when(known).then("individual"),
            catalogue=pl.when(known).then(pl.lit("main")), life_stage=pl.when(known).then(pl.lit("adult")),
        )  # fmt: skip
        start = pl.col("at") + pl.duration(seconds="step")
        first = self.number * 10**9 + offset
        return of[burst].with_columns(step=pl.Series(step * 2)).with_columns(
            observation=pl.Series(n_names("o", first, rows)), media=pl.Series(n_names("m", first, rows)),
            start=start, end=start, count=pl.when(is_animal).then(1),
            start_text=start.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )  # fmt: skip


def n_names(letter: str, offset: int, n: int) -> pl.Series:
    """`n` ids in order."""
    return (letter + pl.Series(np.arange(offset, offset + n)).cast(pl.String)).rename(letter)


# --- the same questions on both sides ---

PERIOD = Selection(start=date(2015, 3, 1), end=date(2016, 9, 30), timezone="Asia/Vladivostok")
ONE = Selection(taxa=(CAT,))


def our_effort(store: Store) -> float:
    """Station-days in all."""
    return float(store.effort(Selection(timezone="Asia/Vladivostok"))["station_days"].sum())


def our_rates(store: Store) -> float:
    """Events of all taxa and parties."""
    return float(store.rates().select(pl.col("events") + pl.col("events_without_effort")).sum().item())


def our_rates_in_a_period(store: Store) -> float:
    """Events of all taxa and parties in a period that cuts years, by the time zone."""
    return float(store.rates(PERIOD).select(pl.col("events") + pl.col("events_without_effort")).sum().item())


def our_events(store: Store) -> float:
    """Events of one taxon, a row each."""
    return float(store.events(ONE).height)


def our_captures(store: Store) -> float:
    """Individual x station x day."""
    return float(store.captures(ONE)["events"].sum())


def scanned(store: Store, table: str) -> pl.LazyFrame:
    """A table of the store as polars reads it."""
    return pl.scan_parquet(store.folder / table / "**/*.parquet", hive_partitioning=True)


def their_effort(store: Store) -> float:
    """Days from date ranges, gaps taken away."""
    days = pl.date_ranges(pl.col("start").dt.date(), pl.col("end").dt.date(), closed="left")
    stood = scanned(store, "deployments").select("deployment", day=days).explode("day").unique()
    lost = scanned(store, "effort").select("deployment", day=days).explode("day").unique()
    left = stood.join(lost, on=["deployment", "day"], how="anti")
    by_month = left.group_by("deployment", pl.col("day").dt.truncate("1mo")).agg(pl.len())
    return float(by_month.select(pl.col("len").sum()).collect(engine="streaming").item())


def their_events(store: Store, condition: pl.Expr) -> pl.LazyFrame:
    """First records of bursts."""
    station = scanned(store, "deployments").select("party", "deployment", "station")
    seen = scanned(store, "observations").filter(pl.col("type") == "animal", condition)
    seen = seen.select("party", "deployment", "taxon", "start").join(station, on=["party", "deployment"])
    key = ["party", "station", "taxon"]
    gap = pl.col("start") - pl.col("start").shift(1).over(key)
    return seen.sort(*key, "start").with_columns(gap=gap).filter(
        pl.col("gap").is_null() | (pl.col("gap") >= timedelta(minutes=30))
    )  # fmt: skip


def their_rates(store: Store) -> float:
    """Events counted by party and taxon."""
    counted = their_events(store, pl.lit(True)).group_by("party", "taxon").agg(pl.len())  # noqa: FBT003  (a literal)
    return float(counted.select(pl.col("len").sum()).collect(engine="streaming").item())


def their_rates_in_a_period(store: Store) -> float:
    """The same in a period."""
    day = pl.col("start").dt.convert_time_zone(PERIOD.timezone).dt.date()
    counted = their_events(store, day.is_between(PERIOD.start, PERIOD.end)).group_by("party", "taxon").agg(pl.len())
    return float(counted.select(pl.col("len").sum()).collect(engine="streaming").item())


def their_one(store: Store) -> float:
    """Events of one taxon."""
    return float(their_events(store, pl.col("taxon") == CAT).collect(engine="streaming").height)


def their_captures(store: Store) -> float:
    """Bursts of individuals by station and day."""
    seen = scanned(store, "observations").filter(pl.col("individual").is_not_null(), pl.col("taxon") == CAT)
    key = ["party", "deployment", "catalogue", "individual"]
    gap = pl.col("start") - pl.col("start").shift(1).over(key)
    bursts = seen.select(*key, "start").sort(*key, "start").with_columns(gap=gap)
    bursts = bursts.filter(pl.col("gap").is_null() | (pl.col("gap") >= timedelta(minutes=30)))
    counted = bursts.group_by(*key, pl.col("start").dt.date()).agg(pl.len())
    return float(counted.select(pl.col("len").sum()).collect(engine="streaming").item())


ASKED: dict[str, tuple[Callable[[Store], float], Callable[[Store], float]]] = {
    "effort by station and month": (our_effort, their_effort),
    "detection rates, all": (our_rates, their_rates),
    "detection rates, 19 months of a zone": (our_rates_in_a_period, their_rates_in_a_period),
    "events of one taxon": (our_events, their_one),
    "individual x station x day": (our_captures, their_captures),
}


def ask(folder: Path, question: str, side: int) -> None:
    """Answer one question in this process; print value, CPU seconds, seconds, peak memory in MB."""
    if side:
        resource.setrlimit(resource.RLIMIT_DATA, (OTHERS_GB << 30, OTHERS_GB << 30))
    cpu, wall = time.process_time(), time.perf_counter()
    value = ASKED[question][side](Store(folder))
    print(json.dumps([value, time.process_time() - cpu, time.perf_counter() - wall, peak_mb()]))


def peak_mb() -> float:
    """Largest memory of this process (Linux). Not ru_maxrss, which begins with that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def asked(folder: Path, question: str, side: int) -> list[float] | None:
    """The same in a process of its own; None if it failed (out of memory)."""
    line = [sys.executable, __file__, "--folder", str(folder), "--ask", question, "--side", str(side)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def take_in(folder: Path, number: int, rows: int) -> None:
    """Import one season in this process; print seconds and peak memory."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = Season(number, rows)
    Store(folder).import_(made, f"{number:064d}", lambda share: print(f"\r{share:4.0%}", end="", file=sys.stderr))
    print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, peak_mb()]))


def work_out(folder: Path) -> None:
    """The derived tables of what came in last, in this process; print seconds, CPU seconds and peak memory."""
    wall, cpu = time.perf_counter(), time.process_time()
    Store(folder).derive()
    print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, peak_mb()]))


def made_alone(number: int, rows: int) -> float:
    """CPU seconds that making the rows takes without importing them."""
    cpu = time.process_time()
    for _ in Season(number, rows):
        pass
    return time.process_time() - cpu


def main(seasons: int, rows: int, folder: Path, *, others: bool) -> None:
    print(f"making alone: {made_alone(0, rows):.0f} CPU-s for {rows:,} rows")
    for number in range(seasons):
        line = [sys.executable, __file__, "--folder", str(folder), "--rows", str(rows)]
        for what, more in (("import", ["--take", str(number)]), ("derived tables", ["--derive"])):
            done = subprocess.run([*line, *more], stdout=subprocess.PIPE, check=True)
            wall, cpu, peak = json.loads(done.stdout)
            print(f"{what} {number + 1}: {rows:,} rows, {wall:.0f} s, {cpu:.0f} CPU-s, {peak:.0f} MB", flush=True)
    sizes = {t.name: sum(f.stat().st_size for f in t.rglob("*.parquet")) / 1e6 for t in folder.iterdir() if t.is_dir()}
    print("MB on disk:", {name: round(mb, 1) for name, mb in sizes.items() if mb}, "load", os.getloadavg())
    for question in ASKED:
        for side, name in enumerate(("ours", "polars")[: 1 + others]):
            told = asked(folder, question, side)
            print(f"{question}: {name}", end=" ")
            print("refused" if told is None else "{:.6g}; {:.2f} CPU-s, {:.2f} s, {:.0f} MB".format(*told), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seasons", type=int, default=10)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--alone", action="store_true", help="without the other side")
    parser.add_argument("--ask")
    parser.add_argument("--side", type=int, default=0)
    parser.add_argument("--take", type=int)
    parser.add_argument("--derive", action="store_true")
    given: Any = parser.parse_args()
    if given.ask:
        ask(given.folder, given.ask, given.side)
    elif given.derive:
        work_out(given.folder)
    elif given.take is not None:
        take_in(given.folder, given.take, given.rows)
    else:
        place = given.folder or Path(tempfile.mkdtemp(prefix="store-benchmark-"))
        try:
            main(given.seasons, given.rows, place, others=not given.alone)
        finally:
            if not given.keep:
                shutil.rmtree(place)
