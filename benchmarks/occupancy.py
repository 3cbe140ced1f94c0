"""Time `population.occupancy`: a sign survey of 2,000 cells x 20 visits, two covariates each, beside plain scipy.

Usage: ``python benchmarks/occupancy.py [--sites 2000] [--visits 20] [--rounds 3]``. The alternative is what one writes
in an afternoon: the same likelihood in numpy, maximised by ``scipy.optimize.minimize`` (BFGS) with its own difference
quotients for gradient and inverse Hessian. Both are fitted to the same simulated data in one run; the least of the
rounds is shown. Then the same survey along transects (serial dependence), and one goodness-of-fit replicate.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import platform
import resource
import time
from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from sharedrange.population.occupancy import Model, SiteVisits, fit, goodness_of_fit

Floats = NDArray[np.float64]
TRUTH = np.array([0.3, 1.0, -0.5, -1.5, 0.5, -0.3])
MODEL = Model("~ forest + rugged", "~ snow + observers")


def survey(sites: int, visits: int) -> SiteVisits:
    rng = np.random.default_rng(20260101)
    forest, rugged = rng.normal(size=(2, sites))
    snow, observers = rng.normal(size=(2, sites, visits))
    psi = expit(TRUTH[0] + TRUTH[1] * forest + TRUTH[2] * rugged)
    p = expit(TRUTH[3] + TRUTH[4] * snow + TRUTH[5] * observers)
    visited = rng.random((sites, visits)) < 0.9
    found = (rng.random(sites) < psi)[:, None] & visited & (rng.random((sites, visits)) < p)
    table = pl.DataFrame({"site": [f"s{i:05}" for i in range(sites)], "forest": forest, "rugged": rugged})
    return SiteVisits(
        table, visited, found, np.ones((sites, visits)), covariates={"snow": snow, "observers": observers}
    )


def plain(visits: SiteVisits) -> tuple[float, Floats]:
    """The alternative: log-likelihood and estimates."""
    x = np.column_stack([np.ones(visits.sites.height), visits.sites["forest"], visits.sites["rugged"]])
    w = np.stack([np.ones(visits.visited.shape), visits.covariates["snow"], visits.covariates["observers"]], axis=-1)
    found = visits.found

    def negative(beta: Floats) -> float:
        eta, eta_p = x @ beta[:3], w @ beta[3:]
        terms = np.where(visits.detected, log_expit(eta_p), log_expit(-eta_p))
        here = log_expit(eta) + np.where(visits.visited, terms, 0.0).sum(axis=1)
        return -float(np.where(found, here, np.logaddexp(here, log_expit(-eta))).sum())

    best = minimize(negative, np.zeros(6), method="BFGS")
    return -float(best.fun), np.asarray(best.x, dtype=float)


def timed(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Least CPU and wall seconds."""
    cpus, walls = [], []
    for _ in range(rounds):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        cpus.append(time.process_time() - cpu)
        walls.append(time.perf_counter() - wall)
    return min(cpus), min(walls)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=2000)
    parser.add_argument("--visits", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    visits = survey(chosen.sites, chosen.visits)
    ours, theirs = fit(visits, MODEL), plain(visits)
    print(f"{chosen.sites} sites x {chosen.visits} visits, {platform.machine()}")
    print(f"log-likelihood {ours.log_likelihood:.6f} (ours), {theirs[0]:.6f} (plain scipy)")
    print(f"largest difference of an estimate {np.abs(ours.beta - theirs[1]).max():.1e}")
    cpu, wall = timed(lambda: fit(visits, MODEL), chosen.rounds)
    other_cpu, other_wall = timed(lambda: plain(visits), chosen.rounds)
    print(f"population.occupancy {cpu:.3f} CPU-s, wall {wall:.3f} s, {ours.evaluations} evaluations")
    print(f"plain scipy {other_cpu:.3f} CPU-s, wall {other_wall:.3f} s; plain / ours {other_cpu / cpu:.1f}")
    cpu, wall = timed(lambda: fit(visits, Model(MODEL.psi, MODEL.p, serial=True)), chosen.rounds)
    print(f"serial dependence along transects: {cpu:.3f} CPU-s, wall {wall:.3f} s")
    cpu, wall = timed(lambda: goodness_of_fit(ours, 1, np.random.default_rng(1)), 1)
    print(f"one goodness-of-fit replicate: {cpu:.3f} CPU-s, wall {wall:.3f} s")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
