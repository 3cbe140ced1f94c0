"""A whole simulation: each side's survey as it would deliver it, and the truth beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from sharedrange.core.individuals import CATALOGUE
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, MEDIA, OBSERVATIONS, UTC, Survey, conform
from sharedrange.population.simulate.animals import ANIMALS, animals_of
from sharedrange.population.simulate.cameras import Cameras, cameras_of
from sharedrange.population.simulate.design import Design, PartyDesign
from sharedrange.population.simulate.labels import GHOST, SIGHTINGS, labelled, sightings_of
from sharedrange.population.simulate.passages import bycatch_of, passages_of
from sharedrange.population.simulate.truth import CODES, LABELS, NUMBERS, Truth

_POSITION_UNCERTAINTY_M = 10.0
_DEGREE_DIGITS = 6  # a tenth of a metre

_LABELLED = pl.Schema({**SIGHTINGS, "identity": pl.String(), "wrong": pl.String(), "code": pl.String()})


@dataclass(frozen=True, slots=True)
class Simulation:
    """What each party would deliver (`surveys`, in the design's order of parties), and the `truth`."""

    surveys: tuple[Survey, ...]
    truth: Truth

    def survey(self, party: str) -> Survey:
        """The survey of a party. Raises KeyError if there is none."""
        return {survey.party: survey for survey in self.surveys}[party]


def simulate(design: Design, rng: np.random.Generator) -> Simulation:
    """Simulate `design`; everything random comes from `rng`, so equal generators give equal simulations.

    Chance is dealt out in named streams, one a stage and in it one a species or a party: a species or a
    party that is added last moves no animal of the others.
    """
    stage = dict(zip(("animals", "cameras", "passages", "labels", "bycatch"), rng.spawn(5), strict=True))
    cameras = cameras_of(design, stage["cameras"])
    animals = _animals(design, stage["animals"])
    sightings = _sightings(design, animals, cameras, stage["passages"])
    named = _named(design, sightings, stage["labels"])
    observed = _observed(named, _unnamed(design, cameras, stage["bycatch"]))
    surveys = tuple(_survey(design, party, cameras, observed) for party in design.parties)
    return Simulation(surveys, _truth(design, animals, observed))


def _animals(design: Design, rng: np.random.Generator) -> pl.DataFrame:
    streams = rng.spawn(len(design.species))
    species = [animals_of(design, one, stream) for one, stream in zip(design.species, streams, strict=True)]
    return pl.concat([pl.DataFrame(schema=ANIMALS), *species])


def _sightings(design: Design, animals: pl.DataFrame, cameras: Cameras, rng: np.random.Generator) -> pl.DataFrame:
    """What the photographs of all species show; passages are numbered species by species."""
    found = [pl.DataFrame(schema=SIGHTINGS)]
    for species, stream in zip(design.species, rng.spawn(len(design.species)), strict=True):
        walk, look = stream.spawn(2)
        its_animals = animals.filter(pl.col("species") == species.key)
        passages = passages_of(species, its_animals, cameras, walk)
        found.append(sightings_of(species, passages, its_animals, cameras, look))
    return pl.concat(found)


def _named(design: Design, sightings: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The sightings with their codes, each party and species for itself."""
    named = [pl.DataFrame(schema=_LABELLED)]
    for party, at_party in zip(design.parties, rng.spawn(len(design.parties)), strict=True):
        for species, stream in zip(design.species, at_party.spawn(len(design.species)), strict=True):
            here = sightings.filter((pl.col("party") == party.id) & (pl.col("species") == species.key))
            named.append(labelled(design, party, here, stream))
    return pl.concat(named)


def _unnamed(design: Design, cameras: Cameras, rng: np.random.Generator) -> pl.DataFrame:
    """Passages of the species that nobody tells apart, with their party and taxon."""
    found = []
    for species, stream in zip(design.bycatch, rng.spawn(len(design.bycatch)), strict=True):
        passages = bycatch_of(species, cameras, stream)
        parties = cameras.stations["party"].gather(passages["station"])
        facts = (parties.alias("party"), pl.lit(species.key).alias("species"), pl.lit(species.taxon).alias("taxon"))
        found.append(passages.with_columns(*facts))
    return pl.concat(found) if found else pl.DataFrame()


def _observed(named: pl.DataFrame, unnamed: pl.DataFrame) -> pl.DataFrame:
    """All observations of all parties, numbered by time within the party so that ids tell nothing."""
    together = pl.concat([named.with_columns(pl.lit(1, dtype=pl.Int32).alias("count")), unnamed], how="diagonal")
    ordered = together.sort("party", "at_s", "station", "taxon", "passage", "code")
    same_burst = pl.struct("at_s", "station", "taxon", "passage")
    event = same_burst.rank("dense").over("party")
    number = pl.int_range(1, pl.len() + 1).over("party")
    return ordered.with_columns(
        pl.format("o{}", number.cast(pl.String).str.zfill(5)).alias("observation"),
        pl.format("e{}", event.cast(pl.String).str.zfill(5)).alias("event"),
        pl.format("m{}", event.cast(pl.String).str.zfill(5)).alias("media"),
    )


def _survey(design: Design, party: PartyDesign, cameras: Cameras, observed: pl.DataFrame) -> Survey:
    """What one party delivers: nothing here knows an animal's true name or centre."""
    own = cameras.stations.filter(pl.col("party") == party.id)
    seen = observed.filter(pl.col("party") == party.id)
    seen = seen.with_columns(cameras.stations["deployment"].gather(seen["station"]).alias("deployment"))
    return Survey(
        party=party.id,
        dataset=design.dataset_name,
        frame="EPSG:4326",
        dated=True,
        deployments=_deployments(design, party, own),
        observations=_observations(party, seen),
        media=_media(party, seen),
        effort=_effort(cameras.gaps.filter(pl.col("deployment").is_in(own["deployment"].to_list()))),
    )


def _deployments(design: Design, party: PartyDesign, stations: pl.DataFrame) -> pl.DataFrame:
    longitude, latitude = design.projection.inverse(stations["x_m"].to_numpy(), stations["y_m"].to_numpy())
    table = stations.select(
        "deployment",
        "station",
        pl.Series("x", np.round(longitude, _DEGREE_DIGITS)),
        pl.Series("y", np.round(latitude, _DEGREE_DIGITS)),
        pl.lit(_POSITION_UNCERTAINTY_M).alias("uncertainty_m"),
        _utc("start_s").alias("start"),
        _utc("end_s").alias("end"),
        pl.lit(party.camera.type).alias("camera_type"),
        pl.lit("count").alias("detector"),
    )
    return conform(table, DEPLOYMENTS)


def _effort(gaps: pl.DataFrame) -> pl.DataFrame:
    nothing = pl.lit(0.0).alias("effort")
    table = gaps.sort("deployment", "start_s").select(
        "deployment", _utc("start_s").alias("start"), _utc("end_s").alias("end"), nothing, "reason"
    )
    return conform(table, EFFORT)


def _observations(party: PartyDesign, seen: pl.DataFrame) -> pl.DataFrame:
    table = seen.with_columns(
        _utc("at_s").alias("start"),
        _utc("at_s").alias("end"),
        _local_text("at_s", party).alias("start_text"),
        pl.lit("animal").alias("type"),
        pl.col("sex_seen").alias("sex"),
        pl.col("code").alias("individual"),
        pl.when(pl.col("code").is_not_null()).then(pl.lit(CATALOGUE)).alias("catalogue"),
    )
    return conform(table, OBSERVATIONS)


def _media(party: PartyDesign, seen: pl.DataFrame) -> pl.DataFrame:
    table = seen.unique("media", maintain_order=True).select(
        "media",
        "deployment",
        _utc("at_s").alias("taken"),
        _local_text("at_s", party).alias("taken_text"),
        pl.format("SIMULATED-{}-{}.jpg", "deployment", "media").alias("path"),
    )
    return conform(table, MEDIA)


def _utc(seconds: str) -> pl.Expr:
    return pl.from_epoch(seconds, time_unit="s").dt.replace_time_zone("UTC").cast(UTC)


def _local_text(seconds: str, party: PartyDesign) -> pl.Expr:
    """ISO 8601 with the offset of the party's zone, as the party would write it."""
    return _utc(seconds).dt.convert_time_zone(party.timezone).dt.strftime("%Y-%m-%dT%H:%M:%S%:z")


def _truth(design: Design, animals: pl.DataFrame, observed: pl.DataFrame) -> Truth:
    named = observed.filter(pl.col("code").is_not_null())
    labels = conform(named.with_columns(pl.lit(design.dataset_name).alias("dataset")), LABELS)
    return Truth(animals, _codes(named), labels, _numbers(design, animals))


def _codes(named: pl.DataFrame) -> pl.DataFrame:
    """Every code with the animal it was made for: that of its right labels, or of the ghost's only one."""
    rightly = pl.col("animal").sort_by(pl.col("wrong") == "swapped", maintain_order=True).first()
    one_sided = pl.when(pl.col("flank").n_unique() == 1).then(pl.col("flank").first()).otherwise(pl.lit("both"))
    codes = named.group_by("party", "taxon", "code").agg(
        rightly, one_sided.alias("flanks"), (pl.col("wrong") == GHOST).all().alias("ghost")
    )
    return conform(codes.with_columns(pl.lit(CATALOGUE).alias("catalogue")), CODES).sort("party", "taxon", "code")


def _numbers(design: Design, animals: pl.DataFrame) -> pl.DataFrame:
    rows = [
        {
            "taxon": species.taxon,
            "side": party,
            "life_stage": stage,
            "animals": animals.filter(
                (pl.col("species") == species.key) & (pl.col("side") == party) & (pl.col("life_stage") == stage)
            ).height,
            "expected": expected if stage == "adult" else None,
        }
        for species in design.species
        for party, expected in design.expected_adults(species).items()
        for stage in ("adult", "subadult", "juvenile")
    ]
    return pl.DataFrame(rows, schema=NUMBERS)
