"""What a delivery can hold beside a survey: counts at sites, tracks, genotypes, patrols.

Each is tables with exactly the columns of its schemas. `party`, `dataset`, `frame`, `dated` and `source` mean what they
mean in `Survey`; times are UTC with the original text beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from sharedrange.core.survey import UTC, Survey

VISITS = pl.Schema(
    {
        # One row a visit of a site: what was done there, also when nothing was seen.
        "visit": pl.String(),
        "site": pl.String(),
        "x": pl.Float64(),  # longitude in degrees; the start of a transect
        "y": pl.Float64(),
        "start": UTC,
        "end": UTC,
        "start_text": pl.String(),
        "method": pl.String(),  # one of COUNT_METHODS; numbers of unlike methods are never mixed
        "effort": pl.Float64(),
        "effort_unit": pl.String(),  # minutes | km | station_days
        "observers": pl.Int32(),
        "complete": pl.Boolean(),  # every species looked for was recorded: what is not listed is zero
        "cover_share": pl.Float64(),  # share of the site that could be seen
        "uncertainty_m": pl.Float64(),  # of the position; large where a place was made coarse before it was given
    }
)
COUNTS = pl.Schema(
    {
        # One row a species (or sign) and visit. A count of 0 was looked for and not found; null was not counted.
        "visit": pl.String(),
        "taxon": pl.String(),
        "count": pl.Int32(),
        "exactness": pl.String(),  # exact | estimate | minimum
        "sign": pl.String(),  # track | scat | scrape | hair | kill; null for animals seen
        "life_stage": pl.String(),
        "sex": pl.String(),
    }
)
SIGN_METHODS = ("sign-transect", "snow-track-transect")  # on which signs are looked for, not animals
COUNT_METHODS = ("waterbird-count", "sign-transect", "snow-track-transect", "point-count", "nest-count", "other")
FIXES = pl.Schema(
    {
        "animal": pl.String(),
        "tag": pl.String(),
        "taxon": pl.String(),
        "at": UTC,
        "at_text": pl.String(),
        "x": pl.Float64(),
        "y": pl.Float64(),
        "outlier": pl.Boolean(),  # marked so by whoever delivered it
    }
)
SAMPLES = pl.Schema(
    {
        "sample": pl.String(),
        "taxon": pl.String(),
        "individual": pl.String(),  # in `catalogue`; null until assigned
        "catalogue": pl.String(),
        "sex": pl.String(),
        "x": pl.Float64(),
        "y": pl.Float64(),
        "taken": UTC,
        "taken_text": pl.String(),
        "permit": pl.String(),
        "uncertainty_m": pl.Float64(),  # of the position; large where a place was made coarse before it was given
    }
)
ALLELES = pl.Schema({"sample": pl.String(), "locus": pl.String(), "allele_1": pl.String(), "allele_2": pl.String()})
PATROLS = pl.Schema(
    {
        "patrol": pl.String(),
        "start": UTC,
        "end": UTC,
        "start_text": pl.String(),
        "transport": pl.String(),
        "distance_km": pl.Float64(),
        "hours": pl.Float64(),
        "people": pl.Int32(),
    }
)
PATROL_OBSERVATIONS = pl.Schema(
    {
        "observation": pl.String(),
        "patrol": pl.String(),
        "at": UTC,
        "at_text": pl.String(),
        "x": pl.Float64(),
        "y": pl.Float64(),
        "category": pl.String(),  # key of the data model, never a label
        "threat": pl.String(),  # snare | poaching-camp | logging | fire | livestock | ...; null if none
        "taxon": pl.String(),
        "count": pl.Int32(),
        "attributes": pl.String(),  # canonical JSON of attribute key -> value
    }
)
PROPOSALS = pl.Schema(
    {
        # One row a thing that a model says is in a picture. Never an observation before a person decides.
        "media": pl.String(),  # of the survey delivered with it
        "box_x": pl.Float64(),  # left edge, share of the picture's width; null: the whole picture
        "box_y": pl.Float64(),  # upper edge, share of its height
        "box_width": pl.Float64(),
        "box_height": pl.Float64(),
        "category": pl.String(),  # animal | human | vehicle | blank | unknown
        "confidence": pl.Float64(),  # of the detection, 0 to 1, as the model gives it: no probability
        "model": pl.String(),
        "model_version": pl.String(),
        "taxon": pl.String(),  # scientific name of the lowest rank that the classifier gives
        "label": pl.String(),  # as the classifier wrote it
        "label_confidence": pl.Float64(),
        "classifier": pl.String(),  # model and version of the classifier
        "source": pl.String(),  # name of the file
    }
)


@dataclass(frozen=True, slots=True)
class SiteCounts:
    """Counts at sites by visit, with effort and completeness. Zero is not missing."""

    party: str
    dataset: str
    frame: str
    visits: pl.DataFrame
    counts: pl.DataFrame
    source: str = ""


@dataclass(frozen=True, slots=True)
class Tracks:
    """Positions of tagged animals over time."""

    party: str
    dataset: str
    frame: str
    fixes: pl.DataFrame
    source: str = ""


@dataclass(frozen=True, slots=True)
class Genotypes:
    """Alleles per sample and locus, with where, when and under which permit a sample was taken."""

    party: str
    dataset: str
    frame: str
    samples: pl.DataFrame
    alleles: pl.DataFrame
    source: str = ""


@dataclass(frozen=True, slots=True)
class Patrols:
    """Patrols with their effort, and what they met."""

    party: str
    dataset: str
    frame: str
    patrols: pl.DataFrame
    observations: pl.DataFrame
    source: str = ""


@dataclass(frozen=True, slots=True)
class Proposals:
    """What models say about the media of the survey that is delivered with them."""

    party: str
    dataset: str
    proposals: pl.DataFrame
    source: str = ""


@dataclass(frozen=True, slots=True)
class Crossings:
    """How many animals of a party's surveys other parties know too, as it released that (`core.release.CROSSINGS`).

    `resolution`: how long its seasons are (`core.release.RESOLUTIONS`); `timezone`: where their days begin.
    """

    party: str
    dataset: str
    resolution: str
    timezone: str
    seasons: pl.DataFrame
    source: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Everything that one delivery holds: at most one of each."""

    survey: Survey | None = None
    counts: SiteCounts | None = None
    tracks: Tracks | None = None
    genotypes: Genotypes | None = None
    patrols: Patrols | None = None
    not_carried: tuple[str, ...] = field(default=())  # columns of the files that no table holds
    proposals: Proposals | None = None
    crossings: Crossings | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        held = (self.survey, self.counts, self.tracks, self.genotypes, self.patrols, self.proposals, self.crossings)
        return not any(held)
