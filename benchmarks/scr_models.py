"""Time spatial capture-recapture models on a small trapping study: learned responses, time, latent classes.

Usage: ``python benchmarks/scr_models.py``. Engine: ``population.scr``. Data: 76 animals, 100 live traps, 5 occasions
(`captdata` of the R package secr, fictional), mask of 3,936 points, half-normal detection.

The stored times are those of R secr 5.5.0 on the same data and mask, the least of its runs on one core: the ratios are
*against stored times*, not side by side. secr's latent classes were not timed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import resource
import time
from pathlib import Path

import numpy as np
import polars as pl

from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.population.scr import Model, fit

DATA = Path(__file__).parents[1] / "tests" / "data" / "scr" / "secrdemo"
ROUNDS = 3
# model, stored CPU seconds, stored log-likelihood
MODELS: dict[str, tuple[Model, float | None, float | None]] = {
    "null": (Model("HN"), 3.17, -759.025746),
    "g0 ~ b": (Model("HN", lambda0="~ b"), 7.48, -759.016423),
    "g0 ~ bk": (Model("HN", lambda0="~ bk"), 25.93, -758.694193),
    "g0 ~ t": (Model("HN", lambda0="~ t"), 17.94, -758.861561),
    "g0 ~ T": (Model("HN", lambda0="~ T"), 10.32, -759.008365),
    "g0 ~ h2": (Model("HN", lambda0="~ h2"), None, None),
    "D ~ x + y + x^2 + y^2 + x:y": (Model("HN", D="~ x + y + x^2 + y^2 + x:y"), 12.27, -758.832111),
    "hazard rate": (Model("HR"), 7.75, -758.528863),
    "exponential": (Model("EX"), 4.21, -767.119533),
    "hazard half-normal": (Model("HHN"), 3.72, -758.86811),
    "conditional": (Model("HN", likelihood="conditional"), 2.72, -755.940344),
    "binomial": (Model("HN", number="binomial"), 3.77, -758.495021),
}


def survey() -> tuple[CaptureHistory, Mask]:
    """The captures, and the points within 100 m of a trap."""
    traps = pl.read_csv(DATA / "traps.csv", schema_overrides={"trap": pl.String})
    captures = pl.read_csv(DATA / "captures.csv", schema_overrides={"trap": pl.String, "id": pl.String})
    x, y = traps["x"].cast(float), traps["y"].cast(float)
    history = CaptureHistory(
        "1",
        "multi",
        pl.DataFrame({"detector": traps["trap"], "party": "", "x_m": x, "y_m": y}),
        pl.DataFrame({"individual": captures["id"].unique(maintain_order=True), "sex": None}),
        captures.select(individual="id", detector="trap", occasion="occasion", count=pl.lit(1)),
        np.ones((traps.height, 5)),
    )
    at = 268.671875 + 7.34375 * np.arange(64)
    mask_x, mask_y = (a.ravel() for a in np.meshgrid(at, at))
    near = np.hypot(mask_x[:, None] - x.to_numpy(), mask_y[:, None] - y.to_numpy()).min(axis=1) <= 100.0
    size = int(near.sum())
    return history, Mask(mask_x[near], mask_y[near], 7.34375e-3**2, np.full(size, ""), np.ones(size, dtype=bool))


def main() -> None:
    history, mask = survey()
    print(f"{history.n_individuals} animals, {history.detectors.height} traps, {len(mask)} points; least of {ROUNDS}")
    for name, (model, stored_cpu_s, stored_log_likelihood) in MODELS.items():
        cpu_s = np.inf
        for _ in range(ROUNDS):
            start = time.process_time()
            found = fit((history,), (mask,), model)
            cpu_s = min(cpu_s, time.process_time() - start)
        ratio = f"{stored_cpu_s / cpu_s:4.0f} x" if stored_cpu_s else "     -"
        off = f"{found.log_likelihood - stored_log_likelihood:+.1e}" if stored_log_likelihood else "-"
        print(
            f"{name:28s} {cpu_s:5.2f} CPU-s  {ratio} against stored  log-likelihood {found.log_likelihood:.5f} ({off})"
        )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
