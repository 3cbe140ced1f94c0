"""Time `population.open`: 5 years, 100 cameras, 4,000 mask points, about 100 animals detected.

Usage: ``python benchmarks/open_model.py [--full]``.

Beside it, in the same run, the model as a textbook writes it: for every animal a recursion over all years and mask
points with the movement kernel as a matrix, and a gradient by differences. Both give the same log-likelihood. The
plain gradient is timed once; ``--full`` fits the model with it too, which takes a long time.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import platform
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from sharedrange.core.chance import stream
from sharedrange.population.open import ENGINE, OpenSettings, YearsDesign, fit, simulate_years
from sharedrange.population.open.evaluate import Evaluator
from sharedrange.population.open.fitting import designed
from sharedrange.population.open.start import starting_values

Floats = NDArray[np.float64]

DESIGN = YearsDesign(
    width_m=80_000.0,
    height_m=50_000.0,
    cell_m=1_000.0,
    camera_spacing_m=5_200.0,
    watched=0.85,
    years=5,
    density_per_100km2=1.8,
    move_m=4_000.0,
)
SETTINGS = OpenSettings(density="~ 1", lambda0="~ 1", sigma="~ 1")


def plain_log_likelihood(theta: Floats, years: list[tuple[Floats, Floats]], distance: tuple[Floats, Floats]) -> float:
    """D, phi, f, move, lambda0 and sigma on their links; `years`: (counts, effort); `distance`: squares, in m2."""
    density, f, move_m, lambda0, sigma_m = np.exp(theta[[0, 2, 3, 4, 5]])
    phi, (to_cameras, between) = expit(theta[1]), distance
    kernel = np.exp(-0.5 * between / move_m**2)
    kernel /= kernel.sum(axis=0)
    hazard = lambda0 * np.exp(-0.5 * to_cameras / sigma_m**2)
    points = len(between)
    here = np.full(points, density / 100.0 * (DESIGN.cell_m / 1000.0) ** 2)
    pattern, arrivals = here / here.sum(), [here]
    for _ in years[1:]:
        arrivals.append(pattern * f * here.sum())
        here = phi * (kernel @ here) + arrivals[-1]
    missed = [np.exp(-effort @ hazard) for _, effort in years]
    never = np.ones(points)
    later = [never]
    for t in range(len(years) - 1, 0, -1):
        never = 1.0 - phi + phi * ((missed[t] * never) @ kernel)
        later.insert(0, never)
    detected = sum(float((b * (1.0 - m * c)).sum()) for b, m, c in zip(arrivals, missed, later, strict=True))
    log_detected = np.log(-np.expm1(-hazard)) + hazard
    value = 0.0
    for i in range(len(years[0][0])):
        value += _plain_animal(
            [counts[i] for counts, _ in years], arrivals, missed, later, log_detected=log_detected, step=phi * kernel
        )
    return value - detected


def _plain_animal(
    seen: list[Floats],
    arrivals: list[Floats],
    missed: list[Floats],
    later: list[Floats],
    *,
    log_detected: Floats,
    step: Floats,
) -> float:
    years = [t for t, counts in enumerate(seen) if counts.any()]
    alive = np.zeros(len(step))
    for t in range(years[-1] + 1):
        alive = (step @ alive if t else alive) + (arrivals[t] if t <= years[0] else 0.0)
        alive = alive * missed[t] * np.exp(seen[t] @ log_detected)
    return float(np.log(alive @ later[years[-1]]))


def numeric_gradient(function: Callable[[Floats], float], theta: Floats) -> tuple[float, Floats]:
    centre, step = function(theta), 1e-5
    return centre, np.array([(function(theta + step * e) - centre) / step for e in np.eye(len(theta))])


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    chosen = parser.parse_args()
    histories, truth = simulate_years(DESIGN, stream(1, "benchmark"))
    mask = DESIGN.mask()
    design, _, _ = designed(histories, mask, SETTINGS)
    theta, evaluator = starting_values(design, histories), Evaluator(design)
    cameras, animals = histories[0].detectors.height, len(design.data.individuals)
    print(f"{ENGINE.name}: {animals} animals detected in {DESIGN.years} years, {cameras} cameras, {len(mask)} points;")
    print(f"alive {truth.alive}; {platform.machine()}")
    found, cpu, wall = timed(lambda: fit(histories, mask, SETTINGS))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"fit: {cpu:.2f} CPU-s, {wall:.2f} s, {found.evaluations} evaluations with gradient, peak {peak_mb:.0f} MB")
    (value, gradient), own_cpu, own_wall = timed(lambda: evaluator.log_likelihood(theta))
    plain = _plain(histories, design)
    (plain_value, plain_gradient), cpu, wall = timed(lambda: numeric_gradient(plain, theta))
    off = float(np.abs(gradient - plain_gradient).max() / np.abs(gradient).max())
    print(f"value and gradient, ours:  {own_cpu:8.3f} CPU-s {own_wall:8.3f} s   log-likelihood {value:.6f}")
    print(f"value and gradient, plain: {cpu:8.3f} CPU-s {wall:8.3f} s   log-likelihood {plain_value:.6f}")
    print(f"plain / ours: {cpu / own_cpu:.0f} in CPU, {wall / own_wall:.0f} in time; gradients differ by {off:.1e}")
    if chosen.full:
        best, cpu, wall = timed(lambda: _plain_fit(plain, theta))
        print(f"plain fit: {cpu:.1f} CPU-s, {wall:.1f} s, estimates differ by {np.abs(best - found.theta).max():.1e}")


def _plain(histories: Any, design: Any) -> Callable[[Floats], float]:
    names = {who: i for i, who in enumerate(design.data.individuals)}
    years = []
    for history in histories:
        counts = np.zeros((len(names), history.detectors.height))
        counts[[names[who] for who in history.individuals["individual"]]] = history.counts()
        years.append((counts, history.effort.sum(axis=1)))
    mask, at = design.data.mask, histories[0].detectors.select("x_m", "y_m").to_numpy()
    points = np.column_stack([mask.x_m, mask.y_m])
    to_cameras = ((at[:, None] - points) ** 2).sum(axis=2)
    between = (mask.x_m[:, None] - mask.x_m) ** 2 + (mask.y_m[:, None] - mask.y_m) ** 2
    return lambda theta: plain_log_likelihood(theta, years, (to_cameras, between))


def _plain_fit(plain: Callable[[Floats], float], theta: Floats) -> Floats:
    def negative(values: Floats) -> tuple[float, Floats]:
        value, gradient = numeric_gradient(plain, values)
        return -value, -gradient

    return np.asarray(minimize(negative, theta, jac=True, method="BFGS", options={"gtol": 1e-2}).x)


if __name__ == "__main__":
    main()
