"""What a party says about a dataset it delivers: format, frame, time zone, catalogue (delivery.toml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Delivery:
    """delivery.toml, read. What neither the files nor this say about place and time is a finding, never a guess.

    `party`, `dataset`: whose, and the folder's name; `format`: the door (``captures``, ``camtrap-dp``);
    `crs`: CRS of the coordinates, or ``local:<name>`` for metres without a place on Earth;
    `timezone`: IANA zone for times without an offset; `encoding`: of text files;
    `catalogue`: name of the catalogue that individual codes belong to; `taxon`: for files that name none;
    `detector`: proximity, count, multi or single; `sessions`: session -> first day, where files count days.
    """

    party: str
    dataset: str
    format: str
    crs: str = ""
    timezone: str = ""
    encoding: str = "utf-8"
    catalogue: str = "main"
    taxon: str = ""
    detector: str = ""
    sessions: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
