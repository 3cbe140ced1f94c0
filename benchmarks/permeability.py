"""The permeability of a border from captures: coverage of its interval, power to see it close, and time of a fit.

Usage: ``python benchmarks/permeability.py`` times `sharedrange.population.permeability` beside what one would do
without it: a fit at each of 21 given permeabilities, the interval read off between them.

Then the engine `population.permeability` (fit, interval, profile, numbers) on the same survey, and with the border as a
river with a vertex every 100 m over 600 km, beside a fit on its course within 70 km thinned by 10 m only.

``--coverage N`` simulates N surveys at each of p = 0, 0.3, 0.7 and 1 and prints how often the 95 % interval holds the
truth; ``--power N`` simulates N pairs of surveys in which the border closes, wholly or in part. SIMULATED: 48 cameras
6 km apart for 60 days, sigma 4 km, a straight border through the middle with two passages of 2 km; about 89 animals
detected, 15 of them on both sides while the border is open.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
from dataclasses import dataclass

import numpy as np
import shapely
from scipy.optimize import brentq
from scipy.stats import chi2

from sharedrange.core.answer import Scope
from sharedrange.core.chance import stream
from sharedrange.core.errors import SharedRangeError
from sharedrange.core.history import CaptureHistory
from sharedrange.core.progress import silent
from sharedrange.population.design import grid_plan, mask_around
from sharedrange.population.permeability import (
    ENGINE,
    Animals,
    Barrier,
    PermeabilityInputs,
    PermeabilitySettings,
    fit_permeability,
    is_held,
    permeability,
    power,
    shared_animals,
    simulate_survey,
)
from sharedrange.population.permeability.crossing import CrossingDistance, angle_of, crossing_distance, open_share
from sharedrange.population.scr import Model, fit_sessions, prepare_sessions
from sharedrange.population.scr.distance import Ways
from sharedrange.population.scr.session import Session

SIGMA_M, SPACING_M = 4_000.0, 6_000.0
PLAN = grid_plan("border", columns=8, rows=6, spacing_m=SPACING_M, occasions=60)
MASK = mask_around(PLAN, SIGMA_M)
ANIMALS = Animals(density_per_100km2=3.25, lambda0=0.07, sigma_m=SIGMA_M)
LINE = Barrier("border", shapely.LineString([(0, -60_000), (0, 60_000)]))
BORDER = LINE.with_passage(0, -SPACING_M / 2, 2_000).with_passage(0, 1.5 * SPACING_M, 2_000)
NAME = "permeability.border"
CASES = ((1.0, 0.0), (1.0, 0.3), (0.7, 0.0), (0.7, 0.3))


def survey(p: float, rng: np.random.Generator) -> CaptureHistory:
    return simulate_survey(PLAN, MASK, BORDER, ANIMALS, permeability=[p], rng=rng)[0]


def coverage_of(p: float, replicates: int) -> str:
    held, failed, estimates, animals, shared = 0, 0, [], [], []
    cpu = time.process_time()
    for rng in stream(1, f"benchmarks.permeability.{p}").spawn(replicates):
        history = survey(p, rng)
        animals.append(history.n_individuals)
        shared.append(shared_animals(history, BORDER))
        try:
            found = fit_permeability((history,), (MASK,), [BORDER])
            held += is_held(found, NAME, p)
            estimates.append(float(open_share(found.beta[found.names.index(NAME)])))
        except SharedRangeError:
            failed += 1
    cpu = (time.process_time() - cpu) / replicates
    value, share = np.array(estimates), held / replicates
    return (
        f"| {p} | {replicates} | {np.mean(animals):.1f} | {np.mean(shared):.1f} | {value.mean():.2f} | "
        f"{(value < 1e-3).mean():.0%} | {(value > 1 - 1e-3).mean():.0%} | {share:.1%} "
        f"± {np.sqrt(share * (1 - share) / replicates):.1%} | {failed} | {cpu:.2f} |"
    )


def coverage(replicates: int) -> None:
    print(
        "| true p | surveys | animals | shared | mean estimate | at 0 | at 1 | held by 95 % interval | failed | CPU s |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for p in (0.0, 0.3, 0.7, 1.0):
        print(coverage_of(p, replicates), flush=True)


def closing(replicates: int) -> None:
    print("| before | after | pairs | animals | shared before, after | power | mean z | animals for 80 % | failed |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for before, after in CASES:
        rng = stream(1, f"benchmarks.permeability.power.{before}.{after}")
        found = power(PLAN, MASK, BORDER, ANIMALS, before=before, after=after, replicates=replicates, rng=rng)
        print(
            f"| {before} | {after} | {replicates} | {found.animals:.0f} | {found.shared_before:.1f}, "
            f"{found.shared_after:.1f} | {found.power:.0%} ± {found.power_se:.0%} | {found.mean_z:.2f} | "
            f"{found.animals_needed:.0f} | {found.failed} |",
            flush=True,
        )


@dataclass(frozen=True)
class Held:
    """The ways at one given permeability: a distance without a parameter."""

    ways: CrossingDistance
    p: float
    names: tuple[str, ...] = ()
    start: tuple[float, ...] = ()

    def between(self, session: Session, parameters: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Ways:  # noqa: ARG002  (protocol)
        """The ways of one session."""
        at = self.ways.between(session, np.array([angle_of(self.p)]))
        return Ways(at.metres, at.shares, np.empty((0, len(at.shares))))


def by_grid(history: CaptureHistory) -> tuple[float, float, float]:
    """Best of 21 permeabilities, and where straight lines between them fall by the 95 % point."""
    sessions, detection = prepare_sessions((history,), (MASK,), Model("HHN"))
    ways = crossing_distance(sessions, [BORDER])
    grid, height = np.linspace(0, 1, 21), []
    for p in grid:
        distance = Held(ways, float(p))
        height.append(fit_sessions(sessions, detection, Model("HHN", distance=distance)).log_likelihood)
    best = int(np.argmax(height))

    def above(p: float) -> float:
        return float(np.interp(p, grid, height)) - height[best] + float(chi2.ppf(0.95, 1)) / 2

    low = 0.0 if above(0.0) > 0 else brentq(above, 0.0, grid[best])
    high = 1.0 if above(1.0) > 0 else brentq(above, grid[best], 1.0)
    return float(grid[best]), float(low), float(high)


def timed() -> None:
    history = survey(0.5, stream(3, "benchmarks.permeability"))
    cpu, wall = time.process_time(), time.perf_counter()
    ours = permeability(fit_permeability((history,), (MASK,), [BORDER]), NAME)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    grid_cpu, grid_wall = time.process_time(), time.perf_counter()
    value, low, high = by_grid(history)
    grid_cpu, grid_wall = time.process_time() - grid_cpu, time.perf_counter() - grid_wall
    shared = shared_animals(history, BORDER)
    print(f"{history.n_individuals} animals, {shared} on both sides, {len(PLAN.detectors)} cameras, {len(MASK)} points")
    print(f"ours: p {ours.value:.3f} ({ours.low:.3f}-{ours.high:.3f}); CPU {cpu:.2f} s, wall {wall:.2f} s")
    print(f"grid: p {value:.3f} ({low:.3f}-{high:.3f}); CPU {grid_cpu:.2f} s, wall {grid_wall:.2f} s")
    print(f"side by side: {grid_cpu / cpu:.1f} x less CPU")


def winding() -> None:
    """A finely drawn line: the engine thins it by a tenth of the spread, a fit on the line as it stands does not."""
    history = survey(0.5, stream(3, "benchmarks.permeability"))
    y = np.linspace(-300_000, 300_000, 6_001)
    river = Barrier("border", shapely.LineString(np.column_stack([60 * np.sin(y / 700), y])))
    settings = PermeabilitySettings(density="pooled", lambda0=(), sigma=())
    for name, barrier in (("straight", BORDER), ("river", river)):
        inputs = PermeabilityInputs((history,), (MASK,), (barrier,), scope=Scope("SIMULATED"))
        cpu = time.process_time()
        answer = ENGINE.answer(inputs, settings, rng=stream(1, "engine"), progress=silent)
        cpu = time.process_time() - cpu
        number = answer[NAME]
        print(f"engine, {name}: p {number.value:.3f} ({number.low:.3f}-{number.high:.3f}); CPU {cpu:.2f} s")
    cpu = time.process_time()
    near = river.within(-70_000, -70_000, 70_000, 70_000).simplified(10.0)
    value = permeability(fit_permeability((history,), (MASK,), [near]), NAME).value
    cpu = time.process_time() - cpu
    print(f"fit and interval, {sum(map(len, near.solid))} vertices: p {value:.3f}; CPU {cpu:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coverage", type=int, metavar="N")
    parser.add_argument("--power", type=int, metavar="N")
    chosen = parser.parse_args()
    if chosen.coverage:
        coverage(chosen.coverage)
    if chosen.power:
        closing(chosen.power)
    if not (chosen.coverage or chosen.power):
        timed()
        winding()


if __name__ == "__main__":
    main()
