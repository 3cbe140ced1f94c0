"""What is to be simulated: sides, camera arrays, species and catalogues as frozen facts.

All lengths are metres in an equal-area projection around `Design.longitude`, `Design.latitude`; x = 0 is the
meridian of that longitude.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import shapely
from shapely.geometry.base import BaseGeometry

from sharedrange.core.places import Projection, equal_area
from sharedrange.core.survey import GAP_REASONS

_EDGE_STEP_M = 5000.0  # a straight edge in metres is a curve in degrees; this keeps it within a few metres


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle in metres. Raises ValueError if it is empty."""

    west_m: float
    south_m: float
    east_m: float
    north_m: float

    def __post_init__(self) -> None:
        if self.west_m >= self.east_m or self.south_m >= self.north_m:
            raise ValueError(f"{self} is empty")

    @property
    def area_km2(self) -> float:
        """Area of the rectangle."""
        return (self.east_m - self.west_m) * (self.north_m - self.south_m) / 1e6

    def within(self, other: Rectangle) -> Rectangle:
        """What this rectangle and `other` have in common."""
        return Rectangle(
            max(self.west_m, other.west_m),
            max(self.south_m, other.south_m),
            min(self.east_m, other.east_m),
            min(self.north_m, other.north_m),
        )

    def polygon(self) -> BaseGeometry:
        """The rectangle as a polygon in metres, its edges cut so that they stay straight on the ground."""
        box = shapely.box(self.west_m, self.south_m, self.east_m, self.north_m)
        return shapely.segmentize(box, _EDGE_STEP_M)


@dataclass(frozen=True, slots=True)
class CameraArray:
    """A grid of stations centred on (`x_m`, `y_m`); each station is moved by up to `jitter_m` each way."""

    columns: int
    rows: int
    spacing_m: float
    x_m: float
    y_m: float = 0.0
    jitter_m: float = 500.0


@dataclass(frozen=True, slots=True)
class Camera:
    """A side's kind of station.

    `sensitivity` multiplies every species' baseline rate; `both_flanks` is the share of passages that show
    both flanks (the others show left or right, each half of the time).
    """

    type: str
    sensitivity: float
    both_flanks: float

    def __post_init__(self) -> None:
        if self.sensitivity < 0 or not 0 <= self.both_flanks <= 1:
            raise ValueError(f"{self}: sensitivity must not be negative and both_flanks is a share")


@dataclass(frozen=True, slots=True)
class Gaps:
    """How a reason stops cameras: the share of stations it strikes and for how many days on average.

    `together`: all struck stations stop at the same time (a snow storm). `lasting`: until the station is
    taken down (a stolen camera, an empty battery); `mean_days` is then not used.
    """

    reason: str
    share_of_stations: float
    mean_days: float = 0.0
    together: bool = False
    lasting: bool = False

    def __post_init__(self) -> None:
        if self.reason not in GAP_REASONS:
            raise ValueError(f"reason {self.reason!r} is none of {', '.join(GAP_REASONS)}")


@dataclass(frozen=True, slots=True)
class PartyDesign:
    """One side: its ground, its cameras and how its people name animals.

    `codes` maps a species key to the pattern of its catalogue's codes, with the places ``{letter}`` (F, M or
    U as the animal's sex was seen) and ``{number}``. `newcomers` is the share of animals that the
    catalogue had not known before: their left and right flanks are joined only if one photograph shows both.
    `lead_days`: how long before the design's first day the cameras run.
    """

    id: str
    name: str
    state: str
    timezone: str
    side: Rectangle
    array: CameraArray
    camera: Camera
    codes: Mapping[str, str]
    station_pattern: str = "S{number:02d}"
    lead_days: int = 0
    setup_days: int = 4
    gaps: tuple[Gaps, ...] = ()
    newcomers: float = 0.0

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which this party writes times."""
        return ZoneInfo(self.timezone)


@dataclass(frozen=True, slots=True)
class SpeciesDesign:
    """A species with individuals.

    `density_per_100km2`: adults per 100 km2 on each party's side; `sigma_m` and `lambda0_per_day` by sex,
    hazard half-normal: an animal passes a station at distance d at the rate
    ``lambda0 * sensitivity * exp(-d**2 / (2 * sigma**2))`` per day. `female_share` of adults and subadults.
    `breeding_share` of adult females lead a litter of 1, 2, ... cubs with the chances `litter`; a cub shows
    on `cubs_seen` of its mother's photographs. `sex_seen`: share of photographs that show the sex.
    """

    key: str
    taxon: str
    name: str
    density_per_100km2: Mapping[str, float]
    sigma_m: Mapping[str, float]
    lambda0_per_day: Mapping[str, float]
    female_share: float = 0.5
    subadults_per_adult: float = 0.0
    breeding_share: float = 0.0
    litter: tuple[float, ...] = (1.0,)
    cubs_seen: float = 0.6
    sex_seen: float = 1.0


@dataclass(frozen=True, slots=True)
class Bycatch:
    """A species that is photographed and counted but not told apart: groups of 1 + Poisson(`extra`)."""

    key: str
    taxon: str
    name: str
    passages_per_day: float
    extra: float = 0.0


@dataclass(frozen=True, slots=True)
class Design:
    """A whole simulated programme.

    `habitat`: where activity centres may lie, cut by each party's side. The window of interest is
    `first_day` and the `days` from there. `wrong_labels`: share of recaptures that get a wrong code;
    of these, `ghosts` get a code of their own and the others the code of the animal of the same sex and
    stage that was photographed nearest. Raises ValueError if the sides overlap, a species lacks a side's
    density or codes, or a side names two species by one pattern.
    """

    id: str
    title: str
    parties: tuple[PartyDesign, ...]
    species: tuple[SpeciesDesign, ...]
    habitat: Rectangle
    first_day: date
    days: int
    longitude: float = 118.0
    latitude: float = 46.5
    occasion_timezone: str = "UTC"
    wrong_labels: float = 0.0
    ghosts: float = 0.5
    bycatch: tuple[Bycatch, ...] = ()
    dataset: str = ""

    def __post_init__(self) -> None:
        problems = [*_overlaps(self.parties), *_missing(self.parties, self.species)]
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def projection(self) -> Projection:
        """The projection whose metres the design is drawn in."""
        return equal_area(self.longitude, self.latitude)

    @property
    def dataset_name(self) -> str:
        """Name of every party's dataset; says that it is simulated."""
        return self.dataset or f"SIMULATED-cameras-{self.first_day.year}"

    def ground(self, party: PartyDesign) -> Rectangle:
        """Where activity centres of a party's side may lie."""
        return party.side.within(self.habitat)

    def party(self, party_id: str) -> PartyDesign:
        """The party with this id. Raises KeyError if there is none."""
        return {p.id: p for p in self.parties}[party_id]

    def expected_adults(self, species: SpeciesDesign) -> dict[str, float]:
        """Expected number of adult activity centres on each party's side: density times area."""
        return {p.id: species.density_per_100km2[p.id] * self.ground(p).area_km2 / 100 for p in self.parties}


def _overlaps(parties: tuple[PartyDesign, ...]) -> list[str]:
    pairs = [(a, b) for i, a in enumerate(parties) for b in parties[i + 1 :]]
    return [
        f"the sides of {a.id} and {b.id} overlap"
        for a, b in pairs
        if a.side.polygon().intersection(b.side.polygon()).area > 0
    ]


def _missing(parties: tuple[PartyDesign, ...], species: tuple[SpeciesDesign, ...]) -> list[str]:
    pairs = [(party, one) for party in parties for one in species]
    return [
        *(f"{one.key} has no density on the side of {p.id}" for p, one in pairs if p.id not in one.density_per_100km2),
        *(f"{p.id} has no codes for {one.key}" for p, one in pairs if one.key not in p.codes),
        *(f"{p.id} names two species by one pattern" for p in parties if len(set(p.codes.values())) < len(p.codes)),
    ]
