"""The doors of the house, and what the node asks of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sharedrange.core.contents import Delivered
from sharedrange.core.finding import Finding, Where
from sharedrange.core.release import MANIFEST
from sharedrange.core.survey import Survey
from sharedrange.exchange import (
    camtrapdp,
    captures,
    counts,
    cybertracker,
    darwincore,
    genotypes,
    movebank,
    nextgis,
    odk,
    photos,
    released,
    smart,
    spreadsheets,
    wildlife_insights,
)
from sharedrange.exchange.delivery import FILE_NAME, FORMATS, Delivery, declared, read_delivery, stated
from sharedrange.exchange.fieldtools import field_tool
from sharedrange.exchange.opening import Opened, open_path, shown

Read = Callable[[Path, Delivery], tuple[Delivered | None, tuple[Finding, ...]]]


@dataclass(frozen=True, slots=True)
class Door:
    """A format that comes in. `read` gives what it holds, or None and at least one error, and raises nothing."""

    name: str
    read: Read


def _surveys(read: Callable[[Path, Delivery], tuple[Survey | None, tuple[Finding, ...]]]) -> Read:
    """A door whose format holds a survey and nothing else."""

    def read_delivered(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
        survey, found = read(folder, delivery)
        return (None if survey is None else Delivered(survey=survey)), found

    return read_delivered


DOORS: Mapping[str, Door] = {
    door.name: door
    for door in (
        Door("captures", _surveys(captures.read)),
        Door("camtrap-dp", camtrapdp.read_delivered),
        Door("camera-folders", photos.read),
        Door("spreadsheet", spreadsheets.read),
        Door("wildlife-insights", wildlife_insights.read),
        Door("movebank", movebank.read),
        Door("counts", counts.read),
        Door("genotypes", genotypes.read),
        Door("smart", smart.read),
        Door("nextgis", nextgis.read),
        Door("odk", odk.read),
        Door("cybertracker", cybertracker.read),
        Door("darwin-core", darwincore.read),
        Door("released", released.read),
    )
}


def read_delivered(folder: Path, party: str) -> tuple[Delivered | None, Delivery | None, tuple[Finding, ...]]:
    """What a folder (or zip) holds that has delivery.toml and the files it speaks of.

    `party` is whose folder it is; an empty one accepts any. None if a finding is an error.
    """
    delivery, found = read_delivery(folder, party)
    if delivery is None:
        return None, None, found
    content, more = DOORS[delivery.format].read(folder, delivery)
    return content, delivery, (*found, *more)


def file_reader(folder: Path, party: str) -> Callable[[str], bytes | None]:
    """How the bytes of a delivery's media are had by the path that its tables say; None for what did not come along.

    Only files within the delivery are read, and nothing is fetched from a network. The folder is looked at when the
    first file is asked for.
    """

    @cache
    def reader() -> Callable[[str], bytes | None]:
        delivery, _ = read_delivery(folder, party)
        if delivery is None or delivery.format != "camtrap-dp":
            return lambda _: None
        return camtrapdp.photo_reader(folder, delivery)

    def read(path: str) -> bytes | None:
        return reader()(path)

    return read


def guess(path: Path) -> str | None:
    """The door for a bare folder or zip without delivery.toml, or None."""
    opened, _ = open_path(path)
    return None if opened is None else _door_of(opened)


def _door_of(opened: Opened) -> str | None:
    names = {name.lower() for name in opened.sizes}
    if MANIFEST in names:
        return "released"
    if any(name.rpartition("/")[2] == camtrapdp.PACKAGE for name in names):
        return "camtrap-dp"
    if any(name.rpartition("/")[2] in darwincore.FILES for name in names):
        return "darwin-core"
    if names & {"captures.csv", "captures.txt"} or names & {"traps.csv", "traps.txt"}:
        return "captures"
    if tool := field_tool(opened):
        return tool
    if spreadsheets.MAPPING_FILE in names:
        return "spreadsheet"
    if wildlife_insights.is_export(opened):
        return "wildlife-insights"
    if "visits.csv" in names:
        return "counts"
    if {"samples.csv", "alleles.csv"} <= names:
        return "genotypes"
    if any(name.endswith(photos.MEDIA_SUFFIXES) for name in names):
        return "camera-folders"
    return "movebank" if movebank.is_export(opened) else None


def check_path(path: Path, **told: Any) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """What any folder or zip holds that a door knows, with or without delivery.toml, and all findings.

    `told` stands in for what delivery.toml says (`crs`, `timezone`, `detector`, ...), and goes before it.
    """
    opened, found = open_path(path)
    if opened is None:
        return None, tuple(found)
    delivery, found = _said(opened, told)
    if delivery is None:
        return None, tuple(found)
    return DOORS[delivery.format].read(path, delivery)


def _said(opened: Opened, told: Mapping[str, Any]) -> tuple[Delivery | None, list[Finding]]:
    """What is said about an opened delivery: by its delivery.toml and by `told`, or by `told` alone."""
    if FILE_NAME in opened.sizes:
        return declared(opened, "", told)
    name = _door_of(opened)
    if name is None:
        return None, [Finding("unknown-kind", {"known": ", ".join(FORMATS)}, Where(file=shown(opened.path.name)))]
    return stated(opened, {"party": "", "format": name, **told})
