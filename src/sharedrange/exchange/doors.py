"""The doors of the house, and what the node asks of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sharedrange.core.finding import Finding, Where
from sharedrange.core.survey import Survey
from sharedrange.exchange import camtrapdp, captures
from sharedrange.exchange.delivery import FILE_NAME, FORMATS, Delivery, read_delivery
from sharedrange.exchange.opening import Opened, open_path, shown

Read = Callable[[Path, Delivery], tuple[Survey | None, tuple[Finding, ...]]]


@dataclass(frozen=True, slots=True)
class Door:
    """A format that comes in. `read` gives the survey, or None and at least one error, and raises nothing."""

    name: str
    read: Read


DOORS: Mapping[str, Door] = {
    "captures": Door("captures", captures.read),
    "camtrap-dp": Door("camtrap-dp", camtrapdp.read),
}


def read_delivered(folder: Path, party: str) -> tuple[Survey | None, Delivery | None, tuple[Finding, ...]]:
    """The survey of a folder (or zip) that holds delivery.toml and the files it speaks of.

    `party` is whose folder it is; an empty one accepts any. No survey if a finding is an error.
    """
    delivery, found = read_delivery(folder, party)
    if delivery is None:
        return None, None, found
    survey, more = DOORS[delivery.format].read(folder, delivery)
    return survey, delivery, (*found, *more)


def guess(path: Path) -> str | None:
    """The door for a bare folder or zip without delivery.toml, or None."""
    opened, _ = open_path(path)
    return None if opened is None else _door_of(opened)


def _door_of(opened: Opened) -> str | None:
    names = {name.lower() for name in opened.sizes}
    if any(name.rpartition("/")[2] == camtrapdp.PACKAGE for name in names):
        return "camtrap-dp"
    if names & {"captures.csv", "captures.txt"} or names & {"traps.csv", "traps.txt"}:
        return "captures"
    return None


def check_path(path: Path) -> tuple[Survey | None, tuple[Finding, ...]]:
    """The survey of any folder or zip that a door knows, with or without delivery.toml, and all findings."""
    opened, found = open_path(path)
    if opened is None:
        return None, tuple(found)
    if FILE_NAME in opened.sizes:
        survey, _, findings = read_delivered(path, "")
        return survey, findings
    name = _door_of(opened)
    if name is None:
        return None, (Finding("unknown-kind", {"known": ", ".join(FORMATS)}, Where(file=shown(path.name))),)
    return DOORS[name].read(path, Delivery("", path.name if path.is_dir() else path.stem, name))
