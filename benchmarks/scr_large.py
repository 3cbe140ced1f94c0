"""Time one large spatial capture-recapture fit: 364 animals, 400 cameras, 90 days, 10,000 mask points.

Usage: ``python benchmarks/scr_large.py [FOLDER] [--side 100]``. FOLDER holds ``traps.csv`` and, plain or gzipped,
``captures.csv``, ``individuals.csv`` and the days without effort (``gaps.csv``) or all efforts (``usage.csv``);
by default the simulated park that the tests use. `--side` is the number of mask points along each side of the
same square: 200 gives 40,000 points.

The stored time is that of R secr 5.5.0 on the same data with 10,000 points, measured once on a busy machine
(798 CPU-seconds, 1.5 GB): the ratio is *against stored times*, not side by side.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import gzip
import platform
import resource
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.population.scr import Model, fit

STORED_CPU_S, STORED_PEAK_MB, STORED_LOG_LIKELIHOOD = 798.2, 1516.0, -8112.75869
DAYS = 90
EXTENT_M, CENTRE_M = 97_000.0, 28_500.0
DEFAULT = Path(__file__).parents[1] / "tests" / "data" / "scr" / "bench_single"


def text(folder: Path, name: str) -> pl.DataFrame | None:
    for path in (folder / f"{name}.csv.gz", folder / f"{name}.csv"):
        if path.exists():
            raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            return pl.read_csv(raw, infer_schema_length=0)
    return None


def needed(folder: Path, name: str) -> pl.DataFrame:
    table = text(folder, name)
    if table is None:
        sys.exit(f"{folder}: {name}.csv is missing")
    return table


def effort_of(folder: Path, traps: pl.DataFrame) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    row = {trap: j for j, trap in enumerate(traps["trap"])}
    effort = np.ones((len(row), DAYS))
    gaps, usage = text(folder, "gaps"), text(folder, "usage")
    for trap, day in gaps.select("trap", "occasion").iter_rows() if gaps is not None else ():
        effort[row[trap], int(day) - 1] = 0.0
    for trap, day, value in usage.select("trap", "occasion", "effort").iter_rows() if usage is not None else ():
        effort[row[trap], int(day) - 1] = float(value)
    return effort


def history_of(folder: Path) -> CaptureHistory:
    traps, captures, animals = (needed(folder, name) for name in ("traps", "captures", "individuals"))
    place = [pl.col("x").cast(pl.Float64).alias("x_m"), pl.col("y").cast(pl.Float64).alias("y_m")]
    blank = pl.lit(None, dtype=pl.String)
    return CaptureHistory(
        session="1",
        kind="proximity",
        detectors=traps.select(
            pl.col("trap").alias("detector"), blank.alias("party"), blank.alias("camera_type"), *place
        ),
        individuals=animals.select(pl.col("id").alias("individual"), blank.alias("sex"), blank.alias("life_stage")),
        captures=captures.select(
            pl.col("id").alias("individual"),
            pl.col("trap").alias("detector"),
            pl.col("occasion").cast(pl.Int32),
            pl.col("count").cast(pl.Int32),
        ),
        effort=effort_of(folder, traps),
    )


def mask_of(side: int) -> Mask:
    cell_m = EXTENT_M / side
    at = CENTRE_M - EXTENT_M / 2 + cell_m * (np.arange(side) + 0.5)
    x, y = (a.ravel() for a in np.meshgrid(at, at))
    return Mask(x, y, (cell_m / 1000) ** 2, np.full(len(x), ""), np.ones(len(x), dtype=bool))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--side", type=int, default=100)
    chosen = parser.parse_args()
    history, mask = history_of(chosen.folder), mask_of(chosen.side)
    cpu, wall = time.process_time(), time.perf_counter()
    found = fit((history,), (mask,), Model("HHN"))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{history.n_individuals} animals, {history.detectors.height} cameras, {len(mask)} points; {platform.machine()}"
    )
    print(f"log-likelihood {found.log_likelihood:.5f} (stored, 10,000 points: {STORED_LOG_LIKELIHOOD})")
    print(f"CPU {cpu:.2f} s, wall {wall:.2f} s, {found.evaluations} evaluations, peak memory {peak_mb:.0f} MB")
    if len(mask) == 10_000:
        print(
            f"against stored times: {STORED_CPU_S / cpu:.0f} x less CPU, {STORED_PEAK_MB / peak_mb:.1f} x less memory"
        )


if __name__ == "__main__":
    main()
