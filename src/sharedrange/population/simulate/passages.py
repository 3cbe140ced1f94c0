"""Passages: which animal passed which station when, in continuous time."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.population.simulate.cameras import Cameras, Watch
from sharedrange.population.simulate.design import Bycatch, SpeciesDesign

Floats = NDArray[np.float64]

PASSAGES = pl.Schema(
    {
        "passage": pl.Int64(),  # animals of one passage share its number (a mother and her cubs)
        "animal": pl.String(),
        "station": pl.Int64(),  # row of the stations' table
        "at_s": pl.Int64(),
    }
)


def hazard_per_day(species: SpeciesDesign, sexes: NDArray[np.str_], distance_m: Floats) -> Floats:
    """Passages per day at distances, hazard half-normal: shape (n, J) for n sexes and (n, J) distances.

    lambda(d) = lambda0 exp(-d^2 / (2 sigma^2)); a day's chance of at least one is 1 - exp(-lambda)
    (Efford & Fewster 2013, Oikos 122:918-928).
    """
    sigma_m = np.array([species.sigma_m[sex] for sex in sexes])[:, None]
    lambda0 = np.array([species.lambda0_per_day[sex] for sex in sexes])[:, None]
    return np.asarray(lambda0 * np.exp(-(distance_m**2) / (2 * sigma_m**2)))


def passages_of(
    species: SpeciesDesign, animals: pl.DataFrame, cameras: Cameras, rng: np.random.Generator
) -> pl.DataFrame:
    """Passages of a species' animals at watched stations; schema `PASSAGES`, in order of time."""
    counts, times, followers = rng.spawn(3)
    grown = animals.filter(pl.col("mother") == "")
    rates = hazard_per_day(species, grown["sex"].to_numpy(), _distances_m(grown, cameras.stations))
    who, where = _repeated(counts.poisson(rates * cameras.effort_days))
    passages = _in_order(grown["animal"].gather(who), where, _times(cameras.watch, where, times))
    return _with_cubs(passages, animals, species.cubs_seen, followers)


def bycatch_of(species: Bycatch, cameras: Cameras, rng: np.random.Generator) -> pl.DataFrame:
    """Passages of groups that nobody tells apart: schema `PASSAGES` with `animal` empty, and `count`."""
    _, where = _repeated(rng.poisson(species.passages_per_day * cameras.effort_days)[None, :])
    nobody = pl.Series([""] * len(where), dtype=pl.String)
    passages = _in_order(nobody, where, _times(cameras.watch, where, rng))
    return passages.with_columns(pl.Series("count", 1 + rng.poisson(species.extra, passages.height), dtype=pl.Int32))


def _distances_m(animals: pl.DataFrame, stations: pl.DataFrame) -> Floats:
    east = animals["x_m"].to_numpy()[:, None] - stations["x_m"].to_numpy()
    north = animals["y_m"].to_numpy()[:, None] - stations["y_m"].to_numpy()
    return np.asarray(np.hypot(east, north), dtype=float)


def _repeated(drawn: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of each unit of a table of counts."""
    rows, columns = np.nonzero(drawn)
    counts = drawn[rows, columns]
    return np.repeat(rows, counts), np.repeat(columns, counts)


def _times(watch: Watch, where: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """A time for each passage, uniform over what its station watched."""
    watched_s = rng.random(len(where)) * watch.seconds()[where]
    at_s = np.zeros(len(where), dtype=np.int64)
    for station in np.unique(where):
        here = where == station
        at_s[here] = watch.clock(int(station), watched_s[here])
    return at_s


def _in_order(animal: pl.Series, where: NDArray[np.int64], at_s: NDArray[np.int64]) -> pl.DataFrame:
    """Passages numbered by time, so that their order tells nothing of the animals."""
    table = pl.DataFrame({"animal": animal.alias("animal"), "station": where, "at_s": at_s})
    ordered = table.sort("at_s", "station", "animal")
    return ordered.with_row_index("passage").select(pl.col(name).cast(dtype) for name, dtype in PASSAGES.items())


def _with_cubs(
    passages: pl.DataFrame, animals: pl.DataFrame, cubs_seen: float, rng: np.random.Generator
) -> pl.DataFrame:
    """The passages, and beside each mother those of her cubs that show."""
    cubs = animals.filter(pl.col("mother") != "").select(pl.col("animal").alias("cub"), "mother")
    beside = passages.join(cubs, left_on="animal", right_on="mother").sort("passage", "cub")
    shown = beside.filter(pl.Series(rng.random(beside.height) < cubs_seen))
    followers = shown.select("passage", pl.col("cub").alias("animal"), "station", "at_s")
    return pl.concat([passages, followers]).sort("passage", maintain_order=True)
