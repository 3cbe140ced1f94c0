"""What two packages with the same joint ids tell of where an animal crosses the border: simulated, with known truth.

    python -m benchmarks.joint_ids --populations 100

Each population of the preset `small` (two sides of a straight border of 48 km, 25 + 25 cameras, sigma 3.4 and 4.8 km)
is photographed once. An animal that was met on both sides crosses the border somewhere about its activity centre: in
the model of `population.scr` normally, with its own sigma. The attacker guesses the point of the border that is level
with the mean place of its encounters, and knows those places exactly, or by the centres of their cells; from both
sides, as joint ids allow, or from the nearer side alone, as one package does. Beside it: a point of the border at
random. Told is how likely the crossing is within 1 and 5 km of the guess, and how far the guess is from the animal's
own middle.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from benchmarks.coarsening import GRID, design_of
from numpy.typing import NDArray
from scipy.stats import norm

from sharedrange.core.chance import stream
from sharedrange.core.grids import Grid
from sharedrange.population.simulate import Design, Simulation, simulate

Floats = NDArray[np.float64]
NEAR_M = (1000.0, 5000.0)
SCATTER_M = 2000.0
BOTH, ONE, RANDOM = "both sides", "nearer side alone", "a point of the border at random"


@dataclass(frozen=True, slots=True)
class Guess:
    """One animal's crossing as one way guesses it: how far from its own middle, and the chance of each of `NEAR_M`."""

    way: str
    off_m: float
    near: tuple[float, ...]


def guesses(population: int) -> Iterator[Guess]:
    """Every animal that was met on both sides, by every way."""
    design = design_of(population, SCATTER_M)
    simulation = simulate(design, stream(population, "benchmarks.joint_ids"))
    rng = stream(population, "benchmarks.joint_ids.random")
    grid = Grid(GRID.id, GRID.crs, GRID.sizes)
    for met in _met(design, simulation).partition_by("animal"):
        if met["party"].n_unique() < 2:
            continue
        middle_m, sigma_m = float(met["middle_m"][0]), float(met["sigma_m"][0])
        nearer = met.filter(pl.col("party") == met.sort(pl.col("x_m").abs())["party"][0])
        for places, rows in ((BOTH, met), (ONE, nearer)):
            yield _guess(f"{places}, exact", float(rows["y_m"].to_numpy().mean()), middle_m, sigma_m)
            for cell in GRID.sizes:
                y_m = float(_in_cells(design, grid, rows, cell).mean())
                yield _guess(f"{places}, cells of {cell:g}", y_m, middle_m, sigma_m)
        anywhere = rng.uniform(design.habitat.south_m, design.habitat.north_m)
        yield _guess(RANDOM, anywhere, middle_m, sigma_m)


def _met(design: Design, simulation: Simulation) -> pl.DataFrame:
    """Every encounter: animal, its middle along the border and sigma, whose camera, and where that stands."""
    stations = pl.concat([survey.deployments.select("deployment", "x", "y", party=pl.lit(survey.party))
                          for survey in simulation.surveys])  # fmt: skip
    x_m, y_m = design.projection.forward(stations["x"].to_numpy(), stations["y"].to_numpy())
    stations = stations.with_columns(x_m=pl.Series(x_m), y_m=pl.Series(y_m))
    seen = pl.concat([survey.observations.select("observation", "deployment", party=pl.lit(survey.party))
                      for survey in simulation.surveys])  # fmt: skip
    labels = simulation.truth.labels.select("party", "observation", "animal")
    sigma_m = design.species[0].sigma_m
    animals = simulation.truth.animals.select(
        "animal", middle_m="y_m", sigma_m=pl.col("sex").replace_strict(dict(sigma_m), return_dtype=pl.Float64)
    )
    located = seen.join(labels, on=["party", "observation"]).join(stations, on=["party", "deployment"])
    return located.join(animals, on="animal").sort("animal", "observation")


def _in_cells(design: Design, grid: Grid, rows: pl.DataFrame, cell: float) -> Floats:
    """The centres of the cells of encounters, along the border in metres, shape (n,)."""
    columns, lines = grid.cells_of(rows["x"].to_numpy(), rows["y"].to_numpy(), cell)
    _, y_m = design.projection.forward(*grid.centres(columns, lines, cell))
    return np.asarray(y_m)


def _guess(way: str, guess_m: float, middle_m: float, sigma_m: float) -> Guess:
    off_m = guess_m - middle_m
    near = (norm.cdf((off_m + d) / sigma_m) - norm.cdf((off_m - d) / sigma_m) for d in NEAR_M)
    return Guess(way, abs(off_m), tuple(map(float, near)))


def main() -> int:
    """Simulate and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--populations", type=int, default=100)
    made = [guess for population in range(1, parser.parse_args().populations + 1) for guess in guesses(population)]
    print("| places | crossing within 1 km of the guess | within 5 km | median from the animal's middle, km |")
    print("| --- | --- | --- | --- |")
    for way in dict.fromkeys(guess.way for guess in made):
        of_way = [guess for guess in made if guess.way == way]
        near = " | ".join(f"{100 * np.mean([guess.near[k] for guess in of_way]):.0f} %" for k in range(len(NEAR_M)))
        print(f"| {way} | {near} | {np.median([guess.off_m for guess in of_way]) / 1000:.1f} |")
    print(f"{sum(guess.way == RANDOM for guess in made)} animals")
    return 0


if __name__ == "__main__":
    sys.exit(main())
