"""The shared words of a programme: parties, species, components, questions (programme.toml as typed facts)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Party:
    """An organisation with an id and a state (ISO 3166-1 alpha-2; empty for a secretariat or an NGO)."""

    id: str
    name: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Species:
    """A species of the programme. `aliases` are other scientific names under which deliveries list it."""

    key: str
    taxon: str
    names: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the programme: where, when, for which species, and whose side is where.

    `projection` is ``auto`` (equal-area, centred on the sides), a CRS, or ``local:<name>``; `sides` maps a
    party to a file (GeoJSON, relative to the node) or WKT of its side, in degrees or in the local frame;
    `occasion_timezone` is the zone whose days are the occasions.
    """

    id: str
    title: str
    parties: tuple[str, ...] = ()
    species: tuple[str, ...] = ()
    period: str = ""
    areas: tuple[str, ...] = ()
    objective: str = ""
    projection: str = "auto"
    occasion_timezone: str = "UTC"
    sides: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MaskSpec:
    """How a question's habitat mask is made: points of a file, or a buffer around the detectors.

    `buffer_m` around all detectors, cut to `polygon` (GeoJSON file or WKT, as sides) where given, on a grid
    of `spacing_m`; or `points`: a CSV of x, y (frame of the component) with `spacing_m`.
    """

    buffer_m: float | None = None
    spacing_m: float | None = None
    polygon: str = ""
    points: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question: an engine, its inputs' scope, and its settings (a table with the engine's own schema).

    Dated surveys give `start` and `end`; undated ones `sessions`. `life_stages`: animals counted.
    """

    id: str
    engine: str
    component: str
    species: str
    start: date | None = None
    end: date | None = None
    sessions: tuple[str, ...] = ()
    life_stages: tuple[str, ...] = ("adult",)
    mask: MaskSpec = MaskSpec()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Programme:
    """programme.toml, read. `simulated` puts SIMULATED on every figure, table and file name."""

    id: str
    title: str
    seed: int
    parties: tuple[Party, ...]
    species: tuple[Species, ...]
    components: tuple[Component, ...]
    questions: tuple[Question, ...]
    languages: tuple[str, ...] = ("en",)
    simulated: bool = False
    folder: Path = Path()
