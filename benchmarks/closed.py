"""Closed models (`population.closed`) beside a table of all 2^t capture histories, and the cost of an interval.

    python benchmarks/closed.py [--occasions 18]

The alternative is the way of general log-linear software: one row for each of the 2^t - 1 histories and iteratively
reweighted least squares over them, in plain numpy. Both fit models Mt and Mth (Darroch) to the same simulated
animals, in one run, and must give the same number.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import itertools
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sharedrange.core.answer import Scope
from sharedrange.core.chance import stream
from sharedrange.core.progress import silent
from sharedrange.population import closed

Floats = NDArray[np.float64]


def animals(n: int, occasions: int) -> closed.Captures:
    """SIMULATED animals of unlike catchability on occasions of unlike luck."""
    rng = stream(1, "benchmarks.closed")
    chance = rng.beta(2, 8, n)[:, None] * rng.uniform(0.5, 1.5, occasions)
    return closed.from_matrix(rng.random((n, occasions)) < np.clip(chance, 0, 1))


def by_table(captures: closed.Captures, *, unlike: bool) -> float:
    """N by a table of all histories and iteratively reweighted least squares."""
    assert captures.matrix is not None
    t = captures.n_occasions
    rows = np.array(list(itertools.product((0.0, 1.0), repeat=t)))[1:]
    place = (captures.matrix @ (1 << np.arange(t)[::-1])) - 1
    seen = np.bincount(place, minlength=len(rows)).astype(float)
    caught = rows.sum(axis=1)
    x = np.column_stack([np.ones(len(rows)), rows, *([caught**2 / 2] if unlike else [])])
    beta = np.r_[np.log(captures.n), np.full(t, -2.0), *([[0.0]] if unlike else [])]
    for _ in range(100):
        mean = np.exp(x @ beta)
        step = np.linalg.solve(x.T @ (mean[:, None] * x), x.T @ (seen - mean))
        beta = beta + step * min(1.0, 1.0 / float(np.abs(step).max()))
        if np.abs(step).max() < 1e-8:
            break
    return float(captures.n + np.exp(beta[0]))


def timed(work: Callable[[], float]) -> tuple[float, float, float, float]:
    """What `work` gives, its CPU and wall seconds, and in a second run its peak of memory in MiB."""
    cpu, wall = time.process_time(), time.perf_counter()
    number = work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return number, cpu, wall, peak


def side_by_side(occasions: int) -> None:
    captures = animals(120, occasions)
    print(f"{captures.n} animals seen, {captures.n_captures} captures, {occasions} occasions")
    print("| model | ours N | CPU s | wall s | MiB | table N | CPU s | wall s | MiB | table / ours, CPU |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for model, unlike in (("Mt", False), ("Mth Darroch", True)):
        ours = timed(lambda model=model: closed.fit(captures, model).n_hat)  # type: ignore[misc]  # bound at once
        table = timed(lambda unlike=unlike: by_table(captures, unlike=unlike))  # type: ignore[misc]  # bound at once
        cells = " | ".join(f"{n:.3f} | {cpu:.4f} | {wall:.4f} | {mib:.1f}" for n, cpu, wall, mib in (ours, table))
        print(f"| {model} | {cells} | {table[1] / ours[1]:.0f} |")


def ours_alone() -> None:
    """What no table of histories can do, and what an answer costs."""
    ninety = animals(120, 90)
    number, cpu, wall, mib = timed(lambda: closed.fit(ninety, "Mth Darroch").n_hat)
    print(f"Mth Darroch, 90 occasions: N {number:.1f}, CPU {cpu:.3f} s, wall {wall:.3f} s, {mib:.1f} MiB")
    ten = animals(30, 10)
    inputs = closed.ClosedInputs(captures=(ten,), scope=Scope(taxon="SIMULATED"))

    def asked() -> float:
        settings = closed.ClosedSettings(splitting_error=0.1, splitting_tested=100)
        rng = stream(1, closed.ENGINE.name)
        return closed.ENGINE.answer(inputs, settings, rng=rng, progress=silent)["N"].value

    number, cpu, wall, _ = timed(asked)
    print(f"a whole answer, {ten.n} animals, 10 occasions: N {number:.1f}, CPU {cpu:.2f} s, wall {wall:.2f} s")
    cpu = time.process_time()
    closed.inflation(stream(1, "ghosts"))
    print(f"the curve of ghosts, 7 rates x 1,000 surveys: CPU {time.process_time() - cpu:.3f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--occasions", type=int, default=16, help="2^t rows: 20 need gigabytes")
    side_by_side(parser.parse_args().occasions)
    ours_alone()


if __name__ == "__main__":
    main()
