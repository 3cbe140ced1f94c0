"""Animals and their activity centres: a Poisson process by density on each side, cubs with their mothers."""

from __future__ import annotations

import numpy as np
import polars as pl

from sharedrange.population.simulate.design import Design, PartyDesign, SpeciesDesign

ANIMALS = pl.Schema(
    {
        "animal": pl.String(),  # the truth's own name, in no catalogue
        "species": pl.String(),
        "taxon": pl.String(),
        "life_stage": pl.String(),
        "sex": pl.String(),
        "side": pl.String(),  # party on whose side the activity centre lies
        "x_m": pl.Float64(),
        "y_m": pl.Float64(),
        "mother": pl.String(),
    }
)


def animals_of(design: Design, species: SpeciesDesign, rng: np.random.Generator) -> pl.DataFrame:
    """All animals of a species, with the schema `ANIMALS`: adults and subadults by side, then cubs."""
    *sides, young = rng.spawn(len(design.parties) + 1)
    grown = pl.concat([_grown(design, species, party, side) for party, side in zip(design.parties, sides, strict=True)])
    grown = _named(grown, species, first=1)
    cubs = _named(_cubs(grown, species, young), species, first=grown.height + 1)
    return pl.concat([grown, cubs]).cast(ANIMALS)


def _grown(design: Design, species: SpeciesDesign, party: PartyDesign, rng: np.random.Generator) -> pl.DataFrame:
    """Adults and subadults with centres on one side: numbers are Poisson, places uniform."""
    ground = design.ground(party)
    adults_expected = species.density_per_100km2[party.id] * ground.area_km2 / 100
    adults, subadults = rng.poisson([adults_expected, adults_expected * species.subadults_per_adult])
    n = adults + subadults
    return pl.DataFrame(
        {
            "life_stage": ["adult"] * adults + ["subadult"] * subadults,
            "sex": np.where(rng.random(n) < species.female_share, "female", "male"),
            "side": [party.id] * n,
            "x_m": rng.uniform(ground.west_m, ground.east_m, n),
            "y_m": rng.uniform(ground.south_m, ground.north_m, n),
            "mother": [""] * n,
        },
        schema_overrides={"life_stage": pl.String, "sex": pl.String, "side": pl.String, "mother": pl.String},
    )


def _cubs(grown: pl.DataFrame, species: SpeciesDesign, rng: np.random.Generator) -> pl.DataFrame:
    """A litter for each breeding female: at her centre, of either sex, her name as `mother`."""
    females = grown.filter((pl.col("life_stage") == "adult") & (pl.col("sex") == "female"))
    breeds = rng.random(females.height) < species.breeding_share
    sizes = 1 + rng.choice(len(species.litter), size=females.height, p=species.litter)
    mothers = females[np.repeat(np.arange(females.height), np.where(breeds, sizes, 0))]
    sexes = np.where(rng.random(mothers.height) < 0.5, "female", "male")
    return mothers.select(
        pl.lit("juvenile").alias("life_stage"),
        pl.Series("sex", sexes, dtype=pl.String),
        "side",
        "x_m",
        "y_m",
        pl.col("animal").alias("mother"),
    )


def _named(animals: pl.DataFrame, species: SpeciesDesign, first: int) -> pl.DataFrame:
    names = [f"{species.key}-{number:03d}" for number in range(first, first + animals.height)]
    return animals.select(
        pl.Series("animal", names, dtype=pl.String),
        pl.lit(species.key).alias("species"),
        pl.lit(species.taxon).alias("taxon"),
        pl.all(),
    )
