"""Model by model, the field's trusted program gives the same log-likelihood, estimates and standard errors.

Reference: R secr 5.5.0 (`secr.fit` with the same masks; density there is per hectare). Coefficients stand in
`reference_fits.csv` in the order of ours.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.population.scr import Covariates, Fit, Model, fit

DATA = Path(__file__).parents[2] / "data" / "scr"
SINGLE, MULTI = "single", "multi"


@dataclass(frozen=True)
class Survey:
    """Captures in live traps, and a mask."""

    history: CaptureHistory
    mask: Mask
    covariates: Covariates = Covariates()


@cache
def survey(name: str) -> Survey:
    """One of the data sets that stand beside these tests."""
    folder = DATA / name
    traps = pl.read_csv(folder / "traps.csv", schema_overrides={"trap": pl.String})
    captures = pl.read_csv(folder / "captures.csv", schema_overrides={"trap": pl.String, "id": pl.String})
    animals = captures["id"].unique(maintain_order=True)
    history = CaptureHistory(
        "1",
        MULTI if name == "stoatDNA" else SINGLE,
        traps.select(
            pl.col("trap").alias("detector"),
            pl.lit("P").alias("party"),
            pl.col("x").cast(float).alias("x_m"),
            pl.col("y").cast(float).alias("y_m"),
        ),
        pl.DataFrame({"individual": animals, "sex": None}),
        captures.select(
            pl.col("id").alias("individual"), pl.col("trap").alias("detector"), "occasion", pl.lit(1).alias("count")
        ),
        np.ones((traps.height, 7 if name == "stoatDNA" else 5)),
    )
    if name == "possum":
        points = pl.read_csv(gzip.decompress((folder / "mask.csv.gz").read_bytes()))
        x, y = (points[c].cast(float).to_numpy() for c in "xy")
        return Survey(history, _mask(x, y, 20.0), Covariates(mask=(points.select("d.to.shore"),)))
    first, spacing, buffer = (268.671875, 7.34375, 100.0) if name == "secrdemo" else (-2460.9375, 78.125, 1000.0)
    at = first + spacing * np.arange(64)
    x, y = (a.ravel() for a in np.meshgrid(at, at))
    away = np.hypot(x[:, None] - traps["x"].to_numpy(), y[:, None] - traps["y"].to_numpy()).min(axis=1)
    return Survey(history, _mask(x[away <= buffer], y[away <= buffer], spacing))


def _mask(x: np.ndarray, y: np.ndarray, spacing_m: float) -> Mask:
    return Mask(x, y, (spacing_m / 1000) ** 2, np.full(len(x), ""), np.ones(len(x), dtype=bool))


def fitted(name: str, model: Model) -> Fit:
    """The model fitted to one of the data sets."""
    given = survey(name)
    return fit((given.history,), (given.mask,), model, given.covariates)


CASES: dict[str, tuple[str, Model, float]] = {
    "null": ("secrdemo", Model("HN"), -759.025746),
    "b": ("secrdemo", Model("HN", lambda0="~ b"), -759.016423),
    "bk": ("secrdemo", Model("HN", lambda0="~ bk"), -758.694193),
    "t": ("secrdemo", Model("HN", lambda0="~ t"), -758.861561),
    "T": ("secrdemo", Model("HN", lambda0="~ T"), -759.008365),
    "HR": ("secrdemo", Model("HR"), -758.528863),
    "EX": ("secrdemo", Model("EX"), -767.119533),
    "HHN": ("secrdemo", Model("HHN"), -758.86811),
    "binomial": ("secrdemo", Model("HN", number="binomial"), -758.495021),
    "conditional": ("secrdemo", Model("HN", likelihood="conditional"), -755.940344),
    "D ~ x + y": ("secrdemo", Model("HN", D="~ x + y"), -759.019372),
    "D ~ polynomial": ("secrdemo", Model("HN", D="~ x + y + x^2 + y^2 + x:y"), -758.832111),
    "stoat HN": ("stoatDNA", Model("HN"), -144.001517),
    "stoat EX": ("stoatDNA", Model("EX"), -144.708286),
    "possum": ("possum", Model("HN"), -1097.107166),
}
REFERENCE = pl.read_csv(DATA / "reference_fits.csv")


@pytest.mark.parametrize("case", CASES)
def test_a_fit_equals_the_reference(case: str) -> None:
    name, model, log_likelihood = CASES[case]
    found, rows = fitted(name, model), REFERENCE.filter(case=case)
    reference = rows["estimate"].to_numpy().copy()
    reference[0] += np.log(1e4) * (model.likelihood == "full")  # hectares to 100 km2
    assert found.log_likelihood == pytest.approx(log_likelihood, abs=2e-6)
    assert found.beta == pytest.approx(reference, abs=1e-4)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(rows["se"].to_numpy(), rel=2e-3)


def test_density_by_distance_to_the_shore_reaches_the_maximum_that_the_reference_missed() -> None:
    found = fitted("possum", Model("HN", D="~ d.to.shore"))
    assert found.log_likelihood == pytest.approx(-1096.5604, abs=1e-3)
    assert found.log_likelihood > fitted("possum", Model("HN")).log_likelihood
    there, slope = found.problem.value(found.beta)
    assert there == pytest.approx(found.log_likelihood)
    assert np.abs(slope * np.sqrt(np.diag(found.covariance))).max() < 1e-3


def test_a_bird_gone_after_its_last_capture_explains_the_reference_fit() -> None:
    traps = pl.read_csv(DATA / "ovenbird_multi" / "traps.csv", schema_overrides={"trap": pl.String})
    captures = pl.read_csv(
        DATA / "ovenbird_multi" / "captures.csv", schema_overrides={"trap": pl.String, "id": pl.String}
    )
    histories = tuple(_nets(traps.filter(session=year), captures.filter(session=year)) for year in range(2005, 2010))
    points = pl.read_csv(gzip.decompress((DATA / "ovenbird_proximity" / "mask.csv.gz").read_bytes()))
    x, y = (points[c].cast(float).to_numpy() for c in "xy")
    found = fit(histories, (_mask(x, y, 15.0),), Model("HN"))
    assert found.log_likelihood == pytest.approx(-931.140443, abs=2e-5)
    assert found.beta == pytest.approx([-0.0936589454 + np.log(1e4), -3.56078526, 4.36405835], abs=1e-3)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx([0.1373527, 0.15059, 0.08114265], rel=0.005)


def _nets(traps: pl.DataFrame, captures: pl.DataFrame) -> CaptureHistory:
    year = traps["session"][0]
    gone = pl.when((pl.col("individual") == "1911.52289") & (year == 2009)).then(3)
    return CaptureHistory(
        str(year),
        MULTI,
        traps.select(
            pl.col("trap").alias("detector"),
            pl.lit("P").alias("party"),
            pl.col("x").cast(float).alias("x_m"),
            pl.col("y").cast(float).alias("y_m"),
        ),
        captures.select(pl.col("id").alias("individual"), sex=None)
        .unique(maintain_order=True)
        .with_columns(removed_after=gone),
        captures.select(
            pl.col("id").alias("individual"), pl.col("trap").alias("detector"), "occasion", pl.lit(1).alias("count")
        ),
        np.ones((traps.height, 9 if year == 2005 else 10)),
    )
