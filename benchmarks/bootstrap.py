"""Time bootstrap refits of a park, and check how often intervals hold the truth with few animals.

Usage: ``python benchmarks/bootstrap.py [--replicates 1000] [--workers 2]``: a simulated park of 100 cameras, 60 days,
about 30 animals detected and 5,000 mask points; every replicate is drawn from the fit and fitted again. The
alternative printed beside it is what a user would do without warm starts: the whole fit of each history anew, with
its starting values and Hessian (timed on a few histories).

``python benchmarks/bootstrap.py coverage [--replicates 300] [--animals 8]``: surveys of a small park in which about
so many animals are detected; coverage of 95 % intervals, log-normal and profile, of the expected number and of the
animals that were there. Surveys without a spatial recapture or without a maximum are counted as failed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl

from sharedrange.core.answer import Scope
from sharedrange.core.chance import stream
from sharedrange.core.errors import DidNotConverge
from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.population.scr import ENGINE, Fit, Model, fit, prepare_sessions
from sharedrange.population.scr.bootstrapping import bootstrap
from sharedrange.population.scr.derived import Population
from sharedrange.population.scr.design import design
from sharedrange.population.scr.estimates import Numbers
from sharedrange.population.scr.profiled import profiles_of
from sharedrange.population.scr.simulate import simulate, simulate_histories

SEED = 20260101
MODEL = Model("HHN")
LAMBDA0, SIGMA_M = 0.05, 2500.0


def park(cameras: int, points: int, animals: float, days: int) -> Fit:
    """A park without data yet: cameras and mask points on squares, and the parameters that hold there.

    `animals` lie on the mask on average.
    """
    at = 2.0 * SIGMA_M * (np.arange(cameras) - (cameras - 1) / 2)
    x, y = (a.ravel() for a in np.meshgrid(at, at))
    reach = at[-1] + 4.0 * SIGMA_M
    places = np.linspace(-reach, reach, points)
    mask_x, mask_y = (a.ravel() for a in np.meshgrid(places, places))
    cell_km2 = ((places[1] - places[0]) / 1000.0) ** 2
    mask = Mask(mask_x, mask_y, cell_km2, np.full(len(mask_x), ""), np.ones(len(mask_x), dtype=bool))
    names = {"detector": [f"camera-{j:03d}" for j in range(len(x))], "party": "simulated", "camera_type": None}
    detectors = pl.DataFrame({**names, "x_m": x, "y_m": y}, schema=DETECTORS)
    one = pl.DataFrame({"individual": ["nobody"], "sex": [None], "life_stage": [None]}, schema=INDIVIDUALS)
    seen = pl.DataFrame([("nobody", "camera-000", 1, 1)], schema=CAPTURES, orient="row")
    history = CaptureHistory("simulated", "proximity", detectors, one, seen, np.ones((len(x), days)))
    sessions, detection = prepare_sessions((history,), (mask,), MODEL)
    made, sessions = design(MODEL, sessions, detection)
    beta = np.array([np.log(animals / (len(mask_x) * cell_km2) * 100.0), np.log(LAMBDA0), np.log(SIGMA_M)])
    return Fit(made, sessions, (), beta, np.eye(3), 0.0, np.zeros(3), 0)


def mask_of(truth: Fit) -> Mask:
    s = truth.sessions[0]
    order = np.argsort(s.mask_row)
    x, y = s.place_x_m[order], s.place_y_m[order]
    return Mask(x, y, s.cell_area_km2, np.full(len(x), ""), np.ones(len(x), dtype=bool))


def cpu_s() -> float:
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def speed(replicates: int, workers: int) -> None:
    truth = park(10, 71, 45.0, 60)
    rng = stream(SEED, "benchmark.bootstrap")
    mask = mask_of(truth)
    found = fit(simulate_histories(truth, rng), [mask], MODEL)
    print(f"{found.n_animals} animals detected, {len(mask.x_m)} mask points, {len(found.sessions[0].x_m)} cameras")
    before, clock = cpu_s(), time.perf_counter()
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        made = bootstrap(found, replicates, rng=rng, executor=pool)
    wall, cpu = time.perf_counter() - clock, cpu_s() - before
    print(f"ours: {replicates} refits on {workers} workers: wall {wall:.1f} s, CPU {cpu:.1f} s, {made.failed} failed")
    print(f"      {1000 * cpu / replicates:.1f} CPU-ms a refit, workers' start and imports included")
    histories = [simulate_histories(found, rng) for _ in range(10)]
    before = cpu_s()
    for history in histories:
        fit(history, [mask], MODEL)
    anew = (cpu_s() - before) / len(histories)
    print(f"alternative, each fitted anew: {1000 * anew:.1f} CPU-ms a fit; ratio {anew / (cpu / replicates):.1f}")
    print(made.summary())


def survey(truth: Fit, mask: Mask, number: int) -> tuple[int, dict[str, bool]] | None:
    """Animals detected in one survey, and whether each interval holds the truth; None where there is no fit."""
    drawn = simulate(truth, stream(SEED, f"benchmark.coverage.{number}"))[0]
    if drawn.history.n_spatial_recaptures < 1:
        return None
    try:
        found = fit([drawn.history], [mask], MODEL)
        population = Population(found, (), 0.9)
        profiles = profiles_of(population, 0.95)
    except DidNotConverge:
        return None
    estimates = {e.quantity: e for e in Numbers(population, Scope(), 0.95).all([drawn.history])}
    s = truth.sessions[0]
    expected = float(np.exp(truth.beta[0])) / 100.0 * s.cell_area_km2 * len(s.place_x_m)
    true = {"N_expected": expected, "N": float(drawn.animals), "sigma": SIGMA_M, "lambda0": LAMBDA0}
    held = {}
    for name, value in true.items():
        e, p = estimates[name], profiles[name]
        held[f"{name} lognormal"] = (e.low or 0.0) <= value <= (e.high or np.inf)
        held[f"{name} profile"] = p.low <= value <= p.high
    return found.n_animals, held


def coverage(replicates: int, workers: int, animals: float) -> None:
    truth = park(6, 30, 10.0, 40)
    mask = mask_of(truth)
    seen = float(1.0 - truth.at_maximum()[0].classes[0].terms.undetected.mean())
    truth = replace(truth, beta=truth.beta + np.array([np.log(animals / (10.0 * seen)), 0.0, 0.0]))
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        done = list(pool.map(partial(survey, truth, mask), range(replicates), chunksize=5))
    rows = [row for row in done if row]
    print(
        f"{replicates} surveys, {replicates - len(rows)} failed, {np.mean([n for n, _ in rows]):.1f} animals detected"
    )
    for name in rows[0][1]:
        share = float(np.mean([held[name] for _, held in rows]))
        print(f"{name:24s} {100 * share:5.1f} %  +- {100 * np.sqrt(share * (1 - share) / len(rows)):.1f}")


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("speed", "coverage"), default="speed")
    parser.add_argument("--replicates", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--animals", type=float, default=8.0)
    return parser.parse_args()


if __name__ == "__main__":
    print(f"inference of {ENGINE.name}")
    chosen = asked()
    if chosen.what == "speed":
        speed(chosen.replicates or 1000, chosen.workers)
    else:
        coverage(chosen.replicates or 300, chosen.workers, chosen.animals)
