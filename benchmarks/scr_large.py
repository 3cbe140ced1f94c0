"""Time one large spatial capture-recapture fit: 364 animals, 400 cameras, 90 days, 10,000 mask points.

Usage: ``python benchmarks/scr_large.py [FOLDER] [--side 100]``. FOLDER holds ``traps.csv`` and, plain or gzipped,
``captures.csv``, ``individuals.csv`` and the days without effort (``gaps.csv``) or all efforts (``usage.csv``);
by default the simulated park that the tests use. `--side` is the number of mask points along each side of the
same square: 200 gives 40,000 points.

``--country CAMERAS`` simulates a country instead: a square lattice of so many cameras 3 km apart for 90 days, about 100
mask points and 0.6 animals detected a camera. ``--curve`` does so at five sizes, each in a process of its own: cost and
memory should grow like the area (5,000 cameras: 500,000 points, 3,000 animals; goal 300 s and 4 GB on two cores).

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
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
from scipy.spatial import cKDTree

from sharedrange.core.chance import stream
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.population.scr import Model, fit

STORED_CPU_S, STORED_PEAK_MB, STORED_LOG_LIKELIHOOD = 798.2, 1516.0, -8112.75869
DAYS = 90
SPACING_M, SIGMA_M, LAMBDA0, BUFFER_M = 3000.0, 3000.0, 0.01, 12_000.0
SIZES = (100, 300, 800, 2000, 5000)
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


def country(cameras: int) -> tuple[CaptureHistory, Mask]:
    """SIMULATED: cameras 3 km apart, sigma 3 km, lambda0 0.01 a day, density so that 0.6 animals a camera are seen."""
    rng = stream(cameras, "benchmarks.country")
    columns = round(np.sqrt(cameras))
    rows = -(-cameras // columns)
    at_x, at_y = (a.ravel()[:cameras] * SPACING_M for a in np.meshgrid(np.arange(columns), np.arange(rows)))
    width, height = columns * SPACING_M + 2 * BUFFER_M, rows * SPACING_M + 2 * BUFFER_M
    cell_m = float(np.sqrt(width * height / (100 * cameras)))
    x, y = (a.ravel() for a in np.meshgrid(np.arange(0, width, cell_m), np.arange(0, height, cell_m)))
    mask = Mask(x - BUFFER_M, y - BUFFER_M, (cell_m / 1000) ** 2, np.full(len(x), ""), np.ones(len(x), dtype=bool))
    animals = rng.uniform((-BUFFER_M, -BUFFER_M), (width - BUFFER_M, height - BUFFER_M), (int(0.8 * cameras), 2))
    tree, captures = cKDTree(np.column_stack([at_x, at_y])), list[tuple[str, str, int, int]]()
    for i, centre in enumerate(animals):
        for j in tree.query_ball_point(centre, 5 * SIGMA_M):
            away2 = (at_x[j] - centre[0]) ** 2 + (at_y[j] - centre[1]) ** 2
            days = rng.random(DAYS) < -np.expm1(-LAMBDA0 * np.exp(-away2 / (2 * SIGMA_M**2)))
            captures += [(f"a{i}", f"c{j}", int(k) + 1, 1) for k in np.flatnonzero(days)]
    seen = list(dict.fromkeys(who for who, *_ in captures))
    blank = pl.lit(None, dtype=pl.String)
    history = CaptureHistory(
        "1",
        "proximity",
        pl.DataFrame({"detector": [f"c{j}" for j in range(cameras)], "party": "", "x_m": at_x, "y_m": at_y}),
        pl.DataFrame({"individual": seen}).with_columns(sex=blank),
        pl.DataFrame(captures, schema=["individual", "detector", "occasion", "count"], orient="row"),
        np.ones((cameras, DAYS)),
    )
    return history, mask


def curve() -> None:
    """The country at five sizes, one after the other."""
    for cameras in SIZES:
        subprocess.run([sys.executable, __file__, "--country", str(cameras)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--side", type=int, default=100)
    parser.add_argument("--country", type=int, metavar="CAMERAS")
    parser.add_argument("--curve", action="store_true")
    chosen = parser.parse_args()
    if chosen.curve:
        curve()
        return
    history, mask = country(chosen.country) if chosen.country else (history_of(chosen.folder), mask_of(chosen.side))
    cpu, wall = time.process_time(), time.perf_counter()
    found = fit((history,), (mask,), Model("HHN"))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{history.n_individuals} animals, {history.detectors.height} cameras, {len(mask)} points; {platform.machine()}"
    )
    stored = "" if chosen.country else f" (stored, 10,000 points: {STORED_LOG_LIKELIHOOD})"
    print(f"log-likelihood {found.log_likelihood:.5f}{stored}")
    print(f"CPU {cpu:.2f} s, wall {wall:.2f} s, {found.evaluations} evaluations, peak memory {peak_mb:.0f} MB")
    if len(mask) == 10_000 and not chosen.country:
        print(
            f"against stored times: {STORED_CPU_S / cpu:.0f} x less CPU, {STORED_PEAK_MB / peak_mb:.1f} x less memory"
        )


if __name__ == "__main__":
    main()
