"""How many animals do the simulated presets hold and show? Means over 100 seeds, as in docs/simulate.md.

python benchmarks/presets.py
"""

from __future__ import annotations

import numpy as np
import polars as pl

from sharedrange.core.chance import stream
from sharedrange.population.simulate import Simulation, simulate, small, two_parks

SEEDS = range(1, 101)
COLUMNS = ("in the habitat", "photographed", "on both sides", "sightings")


def shown(simulation: Simulation, taxon: str) -> tuple[int, ...]:
    """Adults in the habitat, photographed, photographed on both sides; sightings of adults."""
    truth = simulation.truth
    adults = truth.animals.filter((pl.col("life_stage") == "adult") & (pl.col("taxon") == taxon))
    labels = truth.labels.join(adults, on="animal", how="semi")
    parties = labels.group_by("animal").agg(pl.col("party").n_unique())["party"]
    return adults.height, len(parties), int((parties > 1).sum()), labels.height


def main() -> None:
    print("| preset | species | " + " | ".join(COLUMNS) + " |")
    for design in (two_parks(), small()):
        runs = [simulate(design, stream(seed, "benchmarks.presets")) for seed in SEEDS]
        for species in design.species:
            means = np.mean([shown(run, species.taxon) for run in runs], axis=0)
            print(f"| `{design.id}` | {species.name} | " + " | ".join(f"{mean:.1f}" for mean in means) + " |")


if __name__ == "__main__":
    main()
