"""Numpy, numba or JAX for the integral over activity centres? One likelihood, five engines, side by side.

    python benchmarks/compiled_engines.py [--sides 100 200 400] [--engines numpy-grid numba-grid ...]

Hazard half-normal spatial capture-recapture on the simulated park of the tests (364 animals, 400 cameras, 90 days),
one density; `sides` are points along each side of the square mask. Every engine gives the log-likelihood and its
gradient by the intensity and scale of every camera, summed to three parameters, and climbs to the same maximum:

* ``sharedrange``: `fit` as it is; one evaluation is the fit's time over its evaluations, of which some may be on a
  thinned mask;
* ``numpy-grid``: numpy; a half-normal on a grid is a product of a function of x and one of y, so the total hazard of
  the whole mask and its gradient are matrix products; the counts are sparse; animals are skipped where they are not;
* ``numba``: fused loops, compiled; skips the same; any mask, so one exponential a camera and point;
* ``numba-grid``: the same loops with the products of ``numpy-grid``; ``numba-grid-2`` on two threads;
* ``jax``: dense, 10,000 points at a time, compiled for the CPU in double precision, differentiated by JAX.

Each runs in a process of its own: CPU seconds of all threads (least of several), wall seconds, peak memory,
seconds to import, seconds of the first call beyond a later one (compiling; once more with numba's cache warm).
An engine that is not installed is named and left out. `compiled_problem.py` holds the likelihood and numpy's way,
`compiled_loops.py` numba's.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import importlib
import importlib.metadata
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# not this folder: numba looks for a module `coverage`, and would find the benchmark of that name
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.remove(str(Path(__file__).resolve().parent))

import numpy as np
from benchmarks.compiled_problem import Evaluate, Floats, Problem, numpy_grid, problem_of
from benchmarks.scr_large import DEFAULT, history_of, mask_of
from scipy.optimize import minimize

from sharedrange.population.scr import Model, fit

ENGINES = ("sharedrange", "numpy-grid", "numba", "numba-grid", "numba-grid-2", "jax")
BRINGS = {"numba": ("numba", "llvmlite"), "jax": ("jax", "jaxlib", "ml_dtypes", "opt_einsum")}
START = np.array([1.7, -3.6, 8.1])  # log animals per 100 km2, log lambda0, log sigma (m): a tenth to a third off
TILE = {"numpy": (16, 25), "numba": (12, 16), "jax": (25, 25)}  # points along a tile: masks to 10,000 points, above
PATIENCE_S = 4.0  # a whole fit is not waited for where one evaluation takes longer
JAX_POINTS = 10_000  # mask points at once: bounds its memory


def jax_dense(p: Problem) -> Evaluate:
    """The likelihood as JAX compiles and differentiates it: every camera at every point, 64 bits."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", val=True)
    jnp = jax.numpy
    counts = jnp.asarray(p.counts.toarray())
    x, y = (jnp.asarray(v.reshape(-1, min(v.size, JAX_POINTS))) for v in np.meshgrid(p.grid_x_m, p.grid_y_m))

    def log_likelihood(log_density: Any, log_g0: Any, log_sigma: Any) -> Any:
        def piece(place: Any) -> Any:
            d2 = (place[0] - p.x_m[:, None]) ** 2 + (place[1] - p.y_m[:, None]) ** 2
            log_g = log_g0[:, None] - 0.5 * d2 * jnp.exp(-2.0 * log_sigma)[:, None]
            g = jnp.exp(jnp.maximum(log_g, -300.0))  # g^2 stands in its derivative and must not underflow
            hazard = p.effort @ g
            log_joint = counts @ (log_g + g + jnp.log(-jnp.expm1(-g) / g)) - hazard
            return jax.scipy.special.logsumexp(log_joint, axis=1), -jnp.expm1(-hazard).sum()

        integral, detected = jax.lax.map(jax.checkpoint(piece), (x, y))
        integral = jax.scipy.special.logsumexp(integral, axis=0) + log_density
        return integral.sum() - jnp.exp(log_density) * detected.sum() + p.constant

    both = jax.jit(jax.value_and_grad(log_likelihood, argnums=(0, 1, 2)))

    def evaluate(beta: Floats) -> tuple[float, Floats]:
        ones = np.ones(len(p.x_m))
        value, gradient = both(beta[0] + p.log_cell, beta[1] * ones, beta[2] * ones)
        return float(value), np.array([float(np.asarray(part).sum()) for part in gradient])

    return evaluate


@dataclass
class Climb:
    """A fit by BFGS and one Newton step on central differences, as `fit` does, of any engine."""

    evaluate: Evaluate
    evaluations: int = 0

    def __call__(self) -> tuple[Floats, float]:
        """Parameters and log-likelihood at the maximum."""
        self.evaluations = 0
        found = minimize(
            self._negative,
            START,
            jac=True,
            method="BFGS",
            options={"gtol": 1e-3, "hess_inv0": np.diag([0.003, 0.001, 0.0002])},
        )
        beta = np.asarray(found.x, dtype=float)
        rows = [self._slope(beta + shift) - self._slope(beta - shift) for shift in 1e-4 * np.eye(len(beta))]
        hessian = (np.array(rows) + np.array(rows).T) / 4e-4
        beta = beta + np.linalg.solve(hessian, self._slope(beta))
        return beta, -self._negative(beta)[0]

    def _negative(self, beta: Floats) -> tuple[float, Floats]:
        self.evaluations += 1
        value, gradient = self.evaluate(beta)
        return -value, -gradient

    def _slope(self, beta: Floats) -> Floats:
        return self._negative(beta)[1]


def evaluator(engine: str, p: Problem) -> Evaluate:
    if engine.startswith("numba"):
        # imported here: it weighs on the memory of no other engine
        from benchmarks.compiled_loops import numba_loops

        return numba_loops(p, products="grid" in engine, threads=2 if engine.endswith("2") else 1)
    return jax_dense(p) if engine == "jax" else numpy_grid(p)


@dataclass(frozen=True)
class Measured:
    """One engine at one size. Pairs are CPU and wall seconds; what was not measured is None.

    `value` and `gradient` stand at START, `maximum` is the log-likelihood at the engine's own maximum.
    """

    each_s: tuple[float, float]
    fit_s: tuple[float, float] | None
    evaluations: int
    peak_mb: float
    first_s: float | None = None
    maximum: float | None = None
    value: float | None = None
    gradient: tuple[float, ...] = ()


def timed(work: Callable[[], Any], rounds: int) -> tuple[Any, tuple[float, float]]:
    """What it returns, and its least CPU seconds (all threads) and wall seconds."""
    times, found = [], None
    for _ in range(rounds):
        cpu, wall = time.process_time(), time.perf_counter()
        found = work()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpus, walls = zip(*times, strict=True)
    return found, (min(cpus), min(walls))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_ours(side: int) -> Measured:
    history, mask = history_of(DEFAULT), mask_of(side)
    found, (cpu, wall) = timed(lambda: fit((history,), (mask,), Model("HHN")), 3 if side <= 100 else 1)
    each = cpu / found.evaluations, wall / found.evaluations
    return Measured(each, (cpu, wall), found.evaluations, peak_mb(), maximum=found.log_likelihood)


def measure(engine: str, side: int) -> Measured:
    """All that is to be known of one engine at one size, in this process."""
    if engine == "sharedrange":
        return measure_ours(side)
    tile = TILE[engine.partition("-")[0]][side > 100]
    evaluate = evaluator(engine, problem_of(history_of(DEFAULT), mask_of(side), tile))
    _, (_, first_s) = timed(lambda: evaluate(START), 1)
    rounds = 11 if side <= 100 else 4
    (value, gradient), each_s = timed(lambda: evaluate(START), rounds)
    known = {"each_s": each_s, "first_s": first_s - each_s[1], "value": value, "gradient": tuple(gradient.tolist())}
    if each_s[0] > PATIENCE_S:
        return Measured(fit_s=None, evaluations=0, peak_mb=peak_mb(), **known)
    climb = Climb(evaluate)
    (_, top), fit_s = timed(climb, rounds // 4)
    return Measured(fit_s=fit_s, evaluations=climb.evaluations, peak_mb=peak_mb(), maximum=top, **known)


def child(engine: str, side: int, cache: str) -> Measured | None:
    """`measure` in a process of its own, numba's cache in folder `cache`."""
    command = [sys.executable, __file__, "--one", engine, str(side)]
    surroundings = os.environ | {"NUMBA_CACHE_DIR": cache}
    run = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    if run.returncode:
        print(f"{engine}, {side * side:,} points: failed ({(run.stderr.strip().splitlines() or ['killed'])[-1]})")
        return None
    return Measured(**json.loads(run.stdout))


def size_mb(packages: tuple[str, ...]) -> float:
    """What the packages take on disk."""
    paths = [Path(str(f.locate())) for package in packages for f in importlib.metadata.files(package) or ()]
    return sum(path.stat().st_size for path in paths if path.exists()) / 1e6


def import_s(module: str) -> float:
    """CPU seconds that importing it adds to a process with numpy and scipy.optimize, least of three."""
    code = (
        f"import time, numpy, scipy.optimize\nt = time.process_time()\nimport {module}\nprint(time.process_time() - t)"
    )
    command = [sys.executable, "-P", "-c", code]
    return min(float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(3))


def row(engine: str, side: int, m: Measured, cached_s: float | None) -> str:
    fit_cpu, fit_wall = m.fit_s or (None, None)
    seconds = [f"{v:.4f}" for v in m.each_s]
    seconds += ["-" if v is None else f"{v:.2f}" for v in (fit_cpu, fit_wall, m.first_s, cached_s)]
    top = "-" if m.maximum is None else f"{m.maximum:.9f}"
    cells = (engine, f"{side * side:,}", *seconds, str(m.evaluations or "-"), f"{m.peak_mb:.0f}", top)
    return f"| {' | '.join(cells)} |"


def agreement(found: list[Measured]) -> str:
    """How far the engines are apart at START and at the maximum."""
    known: dict[str, list[Any]] = {
        "values": [m.value for m in found if m.value is not None],
        "gradients": [m.gradient for m in found if m.gradient],
        "maxima": [m.maximum for m in found if m.maximum is not None],
    }
    apart = [f"{name} {np.ptp(np.array(v), axis=0).max():.1e}" for name, v in known.items() if len(v) > 1]
    return f"largest differences: {', '.join(apart) or 'nothing to compare'}"


def compare(engines: list[str], side: int, *, warm: bool) -> None:
    """One size: a row per engine; numba once more with its cache if `warm`."""
    found = []
    for engine in engines:
        with tempfile.TemporaryDirectory() as cache:
            measured = child(engine, side, cache)
            again = child(engine, side, cache) if measured and warm and engine.startswith("numba") else None
        if measured:
            found.append(measured)
            print(row(engine, side, measured, again.first_s if again else None), flush=True)
    print(f"{side * side:,} points: {agreement(found)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", nargs="+", type=int, default=[100, 200, 400])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(asdict(measure(chosen.one[0], int(chosen.one[1])))))
        return
    missing = {name for name in BRINGS if not importlib.util.find_spec(name)}
    for name, packages in BRINGS.items():
        known = "not installed" if name in missing else f"{size_mb(packages):.0f} MB, import {import_s(name):.2f} CPU-s"
        print(f"{name}: {known}")
    print("| engine | points | one CPU s | wall | fit CPU s | wall | first s | cached | evaluations | MB | maximum |")
    print("| --- " * 11 + "|")
    engines = [e for e in chosen.engines if e.partition("-")[0] not in missing]
    for side in chosen.sides:
        compare(engines, side, warm=side == chosen.sides[0])


if __name__ == "__main__":
    main()
