"""Simulated animals over years whose number, survival and movement are known, as capture histories.

Names are invented: ``north`` and ``south`` are no real countries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
from sharedrange.core.places import Mask

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class YearsDesign:
    """A rectangle of habitat around (0, 0), cut in two sides by a border along x = `border_m`, watched for some years.

    Lengths in metres; `density_per_100km2` in the first year; `survival` and `recruits` (a head) for a year; one
    detector a cell of `camera_spacing_m` in the middle `watched` share of the rectangle's length and height. `sides`:
    names of what is west and east of the border.
    """

    width_m: float = 60_000.0
    height_m: float = 40_000.0
    cell_m: float = 2_000.0
    camera_spacing_m: float = 5_000.0
    watched: float = 0.7
    years: int = 4
    occasions: int = 30
    density_per_100km2: float = 2.0
    survival: float = 0.8
    recruits: float = 0.2
    move_m: float = 4_000.0
    sigma_m: float = 3_000.0
    lambda0: float = 0.05
    border_m: float = 0.0
    sides: tuple[str, str] = ("north", "south")

    def mask(self) -> Mask:
        """Every cell of the rectangle."""
        x, y = (_centres(length, self.cell_m) for length in (self.width_m, self.height_m))
        x_m, y_m = (axis.ravel() for axis in np.meshgrid(x, y))
        side = np.where(x_m < self.border_m, *self.sides)
        nowhere = np.zeros(len(x_m), dtype=bool)
        return Mask(x_m, y_m, (self.cell_m / 1000) ** 2, side, ~nowhere, nowhere)

    def detectors(self) -> pl.DataFrame:
        """Cameras on a grid, each its side's."""
        x, y = (_centres(self.watched * length, self.camera_spacing_m) for length in (self.width_m, self.height_m))
        x_m, y_m = (axis.ravel() for axis in np.meshgrid(x, y))
        names = [f"camera-{j:03d}" for j in range(len(x_m))]
        party = np.where(x_m < self.border_m, *self.sides)
        table = {"detector": names, "party": party, "camera_type": [None] * len(names), "x_m": x_m, "y_m": y_m}
        return pl.DataFrame(table, schema=DETECTORS)


@dataclass(frozen=True, slots=True)
class YearsTruth:
    """Animals alive in each year (`alive`) and by side, and how many moved from one side to the other by interval."""

    alive: tuple[int, ...]
    by_side: tuple[dict[str, int], ...]
    crossings: tuple[int, ...]
    survived: tuple[int, ...] = field(default=())


def simulate_years(design: YearsDesign, rng: np.random.Generator) -> tuple[tuple[CaptureHistory, ...], YearsTruth]:
    """Capture histories and the truth behind them."""
    area_100km2 = design.width_m * design.height_m / 1e8
    places = _anywhere(design, rng.poisson(design.density_per_100km2 * area_100km2), rng)
    names = np.arange(len(places))
    histories, alive, sides, crossings, survived = [], [], [], [], list[int]()
    born = len(places)

    def west(at: Floats) -> NDArray[np.bool_]:
        return np.asarray(at[:, 0] < design.border_m)

    for year in range(design.years):
        if year:
            lives = rng.random(len(places)) < design.survival
            come = rng.poisson(design.recruits * len(places))
            stayed = _moved(design, places[lives], rng)
            crossings.append(int((west(places[lives]) != west(stayed)).sum()))
            survived.append(len(stayed))
            places = np.concatenate([stayed, _anywhere(design, come, rng)])
            names = np.concatenate([names[lives], np.arange(born, born + come)])
            born += come
        alive.append(len(places))
        here = int(west(places).sum())
        sides.append(dict(zip(design.sides, (here, len(places) - here), strict=True)))
        histories.append(_caught(design, f"year {year + 1}", places, names, rng))
    return tuple(histories), YearsTruth(tuple(alive), tuple(sides), tuple(crossings), tuple(survived))


def of_party(histories: Sequence[CaptureHistory], party: str) -> tuple[CaptureHistory, ...]:
    """What one party would know alone: its detectors, and the animals that they detected."""
    return tuple(_of_party(history, party) for history in histories)


def _of_party(history: CaptureHistory, party: str) -> CaptureHistory:
    own = (history.detectors["party"] == party).fill_null(value=False)
    detectors = history.detectors.filter(own)
    captures = history.captures.filter(pl.col("detector").is_in(detectors["detector"].to_list()))
    individuals = history.individuals.filter(pl.col("individual").is_in(captures["individual"].to_list()))
    effort = history.effort[own.to_numpy()]
    return CaptureHistory(history.session, history.kind, detectors, individuals, captures, effort)


def _centres(length_m: float, spacing_m: float) -> Floats:
    n = max(1, round(length_m / spacing_m))
    return np.asarray(spacing_m * (np.arange(n) - (n - 1) / 2), dtype=float)


def _anywhere(design: YearsDesign, n: int, rng: np.random.Generator) -> Floats:
    return rng.uniform(-0.5, 0.5, (n, 2)) * (design.width_m, design.height_m)


def _moved(design: YearsDesign, places: Floats, rng: np.random.Generator) -> Floats:
    """Places a year later; a step off the habitat is drawn again."""
    after = places + rng.normal(0.0, design.move_m, places.shape)
    half = np.array([design.width_m, design.height_m]) / 2
    while (outside := (np.abs(after) > half).any(axis=1)).any():
        after[outside] = places[outside] + rng.normal(0.0, design.move_m, (int(outside.sum()), 2))
    return after


def _caught(
    design: YearsDesign, year: str, places: Floats, names: NDArray[np.int64], rng: np.random.Generator
) -> CaptureHistory:
    detectors = design.detectors()
    at = detectors.select("x_m", "y_m").to_numpy()
    d2 = ((places[:, None] - at) ** 2).sum(axis=2)
    chance = -np.expm1(-design.lambda0 * np.exp(-d2 / (2 * design.sigma_m**2)))
    animal, detector, occasion = np.nonzero(rng.random((*chance.shape, design.occasions)) < chance[:, :, None])
    who = [f"animal-{names[i]:04d}" for i in animal]
    rows = {
        "individual": who,
        "detector": [f"camera-{j:03d}" for j in detector],
        "occasion": occasion + 1,
        "count": np.ones(len(who), dtype=np.int32),
    }
    seen = sorted(set(who))
    individuals = pl.DataFrame(
        {"individual": seen, "sex": [None] * len(seen), "life_stage": "adult"}, schema=INDIVIDUALS
    )
    captures = pl.DataFrame(rows, schema_overrides={"occasion": pl.Int32}).cast(CAPTURES)
    return CaptureHistory(year, "proximity", detectors, individuals, captures, np.ones((len(at), design.occasions)))
