"""Capture histories with a known answer: reference data sets, and two sides of a border simulated."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sharedrange.core.answer import Answer
from sharedrange.core.chance import stream
from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.progress import silent
from sharedrange.population.scr import ENGINE, ScrInputs, ScrSettings

DATA = Path(__file__).parents[2] / "data" / "scr"


@dataclass(frozen=True)
class World:
    """A simulated survey: what was seen, where animals may live, and how many truly live on each side."""

    history: CaptureHistory
    mask: Mask
    truth: dict[str, int]
    expected: dict[str, float]


def simulate(
    seed: int = 1,
    *,
    density_per_100km2: tuple[float, float] = (2.0, 2.0),
    lambda0: tuple[float, float] = (0.08, 0.08),
    sigma_m: tuple[float, float] = (2500.0, 2500.0),
    share_of_males: float = 0.4,
    sex_missing: float = 0.0,
    gaps: float = 0.0,
    kind: str = "proximity",
    rows: int = 8,
    days: int = 60,
) -> World:
    """Two sides, west and east, of equal size; `lambda0` by side, `sigma_m` for females and males."""
    rng = stream(seed, "tests.scr")
    at = np.arange(rows) * 3000.0
    x, y = (a.ravel() for a in np.meshgrid(at, at))
    border, cell = float(at.mean()), 1000.0
    low, high = at[0] - 4 * max(sigma_m), at[-1] + 4 * max(sigma_m)
    grid = np.arange(low + cell / 2, high, cell)
    mask_x, mask_y = (a.ravel() for a in np.meshgrid(grid, grid))
    reach = np.sqrt(np.min((mask_x[:, None] - x) ** 2 + (mask_y[:, None] - y) ** 2, axis=1))
    mask = Mask(mask_x, mask_y, (cell / 1000) ** 2, np.where(mask_x < border, "west", "east"), reach <= 3000.0)
    half_km2 = (high - low) ** 2 / 2e6
    numbers = rng.poisson([d * half_km2 / 100 for d in density_per_100km2])
    centre_x = np.concatenate([rng.uniform(low, border, numbers[0]), rng.uniform(border, high, numbers[1])])
    centre_y = rng.uniform(low, high, numbers.sum())
    male = rng.random(numbers.sum()) < share_of_males
    party = np.where(x < border, "west", "east")
    effort = (rng.random((len(x), days)) >= gaps).astype(float)
    distance2 = (x - centre_x[:, None]) ** 2 + (y - centre_y[:, None]) ** 2
    sigma = np.where(male, sigma_m[1], sigma_m[0])[:, None]
    hazard = np.where(party == "west", *lambda0) * np.exp(-distance2 / (2 * sigma**2))
    mean = hazard[:, :, None] * effort
    seen = rng.poisson(mean) if kind == "count" else (rng.random(mean.shape) < -np.expm1(-mean)).astype(int)
    animals = np.flatnonzero(seen.any(axis=(1, 2)))
    sexes = [None if rng.random() < sex_missing else ("male" if male[i] else "female") for i in animals]
    cells = [(i, j, k) for i in animals for j, k in zip(*np.nonzero(seen[i]), strict=True)]
    history = CaptureHistory(
        "1",
        kind,
        pl.DataFrame(
            {"detector": [f"c{j}" for j in range(len(x))], "party": party, "camera_type": "", "x_m": x, "y_m": y},
            schema=DETECTORS,
        ),
        pl.DataFrame(
            {"individual": [f"a{i}" for i in animals], "sex": sexes, "life_stage": "adult"}, schema=INDIVIDUALS
        ),
        pl.DataFrame([(f"a{i}", f"c{j}", k + 1, seen[i, j, k]) for i, j, k in cells], schema=CAPTURES, orient="row"),
        effort,
    )
    truth = {"west": int(numbers[0]), "east": int(numbers[1])}
    expected = dict(zip(("west", "east"), (d * half_km2 / 100 for d in density_per_100km2), strict=True))
    return World(history, mask, truth, expected)


def ask(world: World, sides: tuple[str, ...] = ("west", "east"), **settings: object) -> Answer:
    """The engine's answer for a simulated world."""
    return ENGINE.answer(
        ScrInputs((world.history,), (world.mask,), sides),
        ScrSettings(**settings),  # type: ignore[arg-type]  # tests spell settings out
        rng=np.random.default_rng(0),
        progress=silent,
    )


def _text(path: Path) -> pl.DataFrame:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return pl.read_csv(raw, infer_schema_length=0)


def _history(
    traps: pl.DataFrame, captures: pl.DataFrame, animals: pl.DataFrame, days: int, sex: pl.Expr
) -> CaptureHistory:
    return CaptureHistory(
        traps["session"][0],
        "proximity",
        traps.select(
            pl.col("trap").alias("detector"),
            pl.lit("P").alias("party"),
            pl.lit("").alias("camera_type"),
            pl.col("x").cast(pl.Float64).alias("x_m"),
            pl.col("y").cast(pl.Float64).alias("y_m"),
        ),
        animals.select(pl.col("id").alias("individual"), sex.alias("sex"), pl.lit("adult").alias("life_stage")),
        captures.select(
            pl.col("id").alias("individual"),
            pl.col("trap").alias("detector"),
            pl.col("occasion").cast(pl.Int32),
            pl.col("count").cast(pl.Int32),
        ),
        np.ones((traps.height, days)),
    )


def read_ovenbirds() -> tuple[tuple[CaptureHistory, ...], Mask]:
    """Five sessions of the ovenbirds, and their mask."""
    folder = DATA / "ovenbird_proximity"
    traps, captures, animals = (_text(folder / f"{name}.csv") for name in ("traps", "captures", "individuals"))
    sex = pl.col("Sex").replace_strict({"F": "female", "M": "male"}, default=None, return_dtype=pl.String)
    histories = tuple(
        _history(
            traps.filter(session=s),
            captures.filter(session=s),
            animals.filter(session=s),
            9 if s == "2005" else 10,
            sex,
        )
        for s in traps["session"].unique(maintain_order=True)
    )
    points = _text(folder / "mask.csv.gz").cast(pl.Float64)
    size = points.height
    area_km2 = points["area_ha"][0] / 100
    x, y = points["x"].to_numpy(), points["y"].to_numpy()
    return histories, Mask(x, y, area_km2, np.full(size, "P"), np.ones(size, dtype=bool))


def read_bench() -> tuple[CaptureHistory, Mask]:
    """The simulated park of 400 cameras, and its mask of 10,000 points."""
    folder = DATA / "bench_single"
    traps = _text(folder / "traps.csv")
    captures, animals, gaps = (_text(folder / f"{n}.csv.gz") for n in ("captures", "individuals", "gaps"))
    sex = pl.col("sex").replace_strict({"F": "female", "M": "male"}, default=None, return_dtype=pl.String)
    history = _history(traps, captures, animals, 90, sex)
    row = {trap: j for j, trap in enumerate(traps["trap"])}
    for trap, day in gaps.iter_rows():
        history.effort[row[trap], int(day) - 1] = 0.0
    at = -19515.0 + 970.0 * np.arange(100)
    x, y = (a.ravel() for a in np.meshgrid(at, at))
    return history, Mask(x, y, 0.9409, np.full(len(x), "P"), np.ones(len(x), dtype=bool))


@pytest.fixture
def world() -> Callable[..., World]:
    """A maker of simulated worlds."""
    return simulate


@pytest.fixture
def answered() -> Callable[..., Answer]:
    """The engine, asked about a simulated world."""
    return ask


@pytest.fixture(scope="session")
def ovenbirds() -> tuple[tuple[CaptureHistory, ...], Mask]:
    """Five sessions of the ovenbirds, and their mask."""
    return read_ovenbirds()


@pytest.fixture(scope="session")
def bench() -> tuple[CaptureHistory, Mask]:
    """The simulated park of 400 cameras, and its mask of 10,000 points."""
    return read_bench()


@pytest.fixture(scope="session")
def plain() -> tuple[World, Answer]:
    """A simulated world and what the engine says about it with its default settings."""
    made = simulate(3)
    return made, ask(made)
