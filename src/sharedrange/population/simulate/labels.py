"""Names: what each photograph shows, and the code that the party's people write under it.

Each side names animals by itself. Three things go wrong, as they do in parks: an animal gets a second code (a
ghost), an animal is taken for another one, and the two flanks of a newcomer get a code each.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from sharedrange.population.simulate.animals import ANIMALS
from sharedrange.population.simulate.cameras import Cameras, Floats
from sharedrange.population.simulate.design import Design, PartyDesign, SpeciesDesign
from sharedrange.population.simulate.passages import PASSAGES

RIGHT, GHOST, SWAPPED = "", "ghost", "swapped"
_LETTERS = {"female": "F", "male": "M"}
_UNUSED_CODES = 1.5  # a catalogue also holds animals that this season did not show

SIGHTINGS = pl.Schema(
    {
        **PASSAGES,
        "party": pl.String(),
        **{name: ANIMALS[name] for name in ("species", "taxon", "life_stage", "sex")},
        "flank": pl.String(),
        "sex_seen": pl.String(),  # null where the photograph does not show it
        "x_m": pl.Float64(),  # of the station
        "y_m": pl.Float64(),
    }
)


def sightings_of(
    species: SpeciesDesign,
    passages: pl.DataFrame,
    animals: pl.DataFrame,
    cameras: Cameras,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """What the photographs of a species' passages show: flank and sex; schema `SIGHTINGS`."""
    flank_rng, sex_rng = rng.spawn(2)
    both_share = cameras.both_flanks[passages["station"].to_numpy()]
    known = passages.with_columns(_flanks(both_share, flank_rng).alias("flank"))
    known = known.hstack(cameras.stations.select("party", "x_m", "y_m")[passages["station"]])
    known = known.join(animals.select("animal", "species", "taxon", "life_stage", "sex"), on="animal", how="left")
    shows_sex = pl.Series(sex_rng.random(known.height) < species.sex_seen) & (pl.col("life_stage") != "juvenile")
    seen = known.with_columns(pl.when(shows_sex).then("sex").alias("sex_seen"))
    return seen.select(pl.col(name).cast(dtype) for name, dtype in SIGHTINGS.items())


def _flanks(both_share: Floats, rng: np.random.Generator) -> pl.Series:
    """Draw both flanks with the given chance, else left or right, each half of the time."""
    drawn = rng.random(len(both_share))
    left = drawn < both_share + (1 - both_share) / 2
    return pl.Series(np.where(drawn < both_share, "both", np.where(left, "left", "right")), dtype=pl.String)


def labelled(design: Design, party: PartyDesign, sightings: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """One party's sightings of one species, with `identity`, `wrong` and `code`.

    `identity` is what the party holds to be one animal; two parties' codes are drawn without regard to each
    other, and a code says nothing about the animal's true name.
    """
    newcomer_rng, error_rng, code_rng = rng.spawn(3)
    identified = _identified(sightings, party.newcomers, newcomer_rng)
    mistaken = _mistaken(identified, design.wrong_labels, design.ghosts, error_rng)
    return mistaken.join(_codes(mistaken, party, code_rng), on="identity", how="left", maintain_order="left")


def _identified(sightings: pl.DataFrame, newcomers: float, rng: np.random.Generator) -> pl.DataFrame:
    """Identity: the animal, or the animal's flank where a newcomer was never seen from both sides at once."""
    animals = sightings["animal"].unique().sort()
    new = animals.filter(pl.Series(rng.random(len(animals)) < newcomers))
    apart = pl.col("animal").is_in(new.to_list()) & ~(pl.col("flank") == "both").any().over("animal")
    by_flank = pl.concat_str("animal", "flank", separator="/")
    return sightings.with_columns(pl.when(apart).then(by_flank).otherwise("animal").alias("identity"))


def _mistaken(sightings: pl.DataFrame, rate: float, ghosts: float, rng: np.random.Generator) -> pl.DataFrame:
    """Identities after mistakes: `rate` of an identity's later sightings are wrong, the first is always right."""
    n = sightings.height
    wrong, ghost = rng.random(n) < rate, rng.random(n) < ghosts
    later = sightings.select(pl.int_range(pl.len()).over("identity") > 0).to_series().to_numpy()
    names = [RIGHT] * n
    identities = sightings["identity"].to_list()
    for row in np.flatnonzero(wrong & later):
        other = None if ghost[row] else _taken_for(sightings, int(row))
        names[row] = GHOST if other is None else SWAPPED
        identities[row] = f"{identities[row]}/ghost-{row}" if other is None else other
    return sightings.with_columns(
        pl.Series("identity", identities, dtype=pl.String), pl.Series("wrong", names, dtype=pl.String)
    )


def _taken_for(sightings: pl.DataFrame, row: int) -> str | None:
    """The identity that a sighting is mistaken for: of another animal of its sex and stage, photographed nearest.

    People look at the place too; nobody takes a leopard for one that was never seen within 50 km.
    """
    one = sightings.row(row, named=True)
    alike = (pl.col("sex") == one["sex"]) & (pl.col("life_stage") == one["life_stage"])
    others = sightings.filter(alike & (pl.col("animal") != one["animal"]))
    apart_m2 = (pl.col("x_m") - one["x_m"]) ** 2 + (pl.col("y_m") - one["y_m"]) ** 2
    nearest: list[str] = others.sort(apart_m2, "identity")["identity"].head(1).to_list()
    return nearest[0] if nearest else None


def _codes(sightings: pl.DataFrame, party: PartyDesign, rng: np.random.Generator) -> pl.DataFrame:
    """The code of each identity: a number drawn without order, and a letter for the sex that photographs showed."""
    sexes = pl.col("sex_seen").drop_nulls().first().replace_strict(_LETTERS, return_dtype=pl.String)
    identities = sightings.group_by("identity").agg(pl.col("species").first(), sexes.alias("letter")).sort("identity")
    highest = int(np.ceil(_UNUSED_CODES * identities.height))
    numbers = 1 + rng.permutation(highest)[: identities.height]
    codes = [
        party.codes[species].format(letter=letter or "U", number=number)
        for species, letter, number in zip(identities["species"], identities["letter"], numbers, strict=True)
    ]
    return identities.select("identity", pl.Series("code", codes, dtype=pl.String))
