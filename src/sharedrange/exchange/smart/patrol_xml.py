"""Patrol files of SMART desktop (XML): legs, days, tracks and observations, written in keys already."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.exchange.opening import Opened, shown
from sharedrange.exchange.smart.records import Sighting
from sharedrange.exchange.trees import local, read_xml

_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")


@dataclass(frozen=True, slots=True)
class PatrolFile:
    """One patrol. `patrol`: its cells as text, by column; `sightings`: what it met."""

    file: str
    patrol: Mapping[str, str | None]
    sightings: tuple[Sighting, ...]


def read_patrol_files(opened: Opened, models: Collection[str]) -> tuple[list[PatrolFile], list[Finding]]:
    """Every patrol file of a delivery; an XML file that is neither patrol nor model is a note."""
    files, found = [], []
    for name in sorted(opened.sizes):
        if not name.lower().endswith(".xml") or name in models:
            continue
        root, _ = read_xml(opened, name)  # what is wrong with it was said when models were looked for
        if root is not None and local(root).lower() == "patrol":
            files.append(_patrol_file(shown(name), root))
        elif root is not None:
            found.append(Finding("unread-file", {"path": shown(name)}, Where(file=shown(name)), Severity.NOTE))
    return files, found


def _patrol_file(file: str, root: ET.Element) -> PatrolFile:
    days = [day for leg in _named(root, "legs") for day in _named(leg, "days")]
    distances = [
        d for day in days for track in _named(day, "track") if (d := _number(track.get("distance"))) is not None
    ]
    hours = [h for day in days if (h := _hours(day)) is not None]
    identity = root.get("id") or None
    patrol = {
        "patrol": identity,
        "start": min(filter(None, (_moment(day, "startTime") for day in days)), default=_midnight(root, "startDate")),
        "end": max(filter(None, (_moment(day, "endTime") for day in days)), default=None),
        "transport": " + ".join(sorted(_transports(root))) or None,
        "distance_km": f"{sum(distances):.6f}" if distances else None,
        "hours": f"{sum(hours):.4f}" if hours else None,
        "people": str(people) if (people := len(_people(root))) else None,
    }
    return PatrolFile(file, patrol, tuple(s for day in days for s in _sightings(day, identity)))


def _named(parent: ET.Element, name: str) -> Iterator[ET.Element]:
    return (child for child in parent if local(child) == name)


def _transports(root: ET.Element) -> set[str]:
    return {t.get("value", "") for leg in _named(root, "legs") for t in _named(leg, "transportType")} - {""}


def _people(root: ET.Element) -> set[tuple[str, ...]]:
    """Who went, told apart by number or name; only how many there were is kept."""
    return {
        (
            m.get("employeeId", ""),
            *((m.get("givenName", ""), m.get("familyName", "")) if not m.get("employeeId") else ()),
        )
        for leg in _named(root, "legs")
        for m in _named(leg, "members")
    }


def _midnight(root: ET.Element, name: str) -> str | None:
    day = root.get(name)
    return f"{day}T00:00:00" if day else None


def _moment(day: ET.Element, name: str) -> str | None:
    date, clock = day.get("date"), day.get(name)
    return f"{date}T{clock}" if date and clock else None


def _hours(day: ET.Element) -> float | None:
    """Hours of a day on patrol, its rest taken off; None where the day says no times or they run backwards."""
    start, end = _clock(day.get("startTime")), _clock(day.get("endTime"))
    if start is None or end is None or end < start:
        return None
    return max((end - start).total_seconds() / 3600 - (_number(day.get("restMinutes")) or 0.0) / 60, 0.0)


def _clock(text: str | None) -> datetime | None:
    if text is None or not _CLOCK.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(f"2000-01-01T{text:0>8}" if text.count(":") == 2 else f"2000-01-01T{text:0>5}")
    except ValueError:
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _sightings(day: ET.Element, patrol: str | None) -> Iterator[Sighting]:
    for waypoint in _named(day, "waypoints"):
        at = _moment_of(day, waypoint)
        for observation in (o for group in _named(waypoint, "groups") for o in _named(group, "observations")):
            yield Sighting(
                row=0,
                patrol=patrol,
                waypoint=waypoint.get("id"),
                at=at,
                written=at,
                x=waypoint.get("x"),
                y=waypoint.get("y"),
                category=observation.get("categoryKey", "").strip("."),
                given=tuple(_attributes(observation)),
            )


def _moment_of(day: ET.Element, waypoint: ET.Element) -> str | None:
    date, clock = day.get("date"), waypoint.get("time")
    return f"{date}T{clock}" if date and clock else None


def _attributes(observation: ET.Element) -> Iterator[tuple[str, str]]:
    for attribute in _named(observation, "attributes"):
        for value in attribute:
            if value.text and value.text.strip():
                yield attribute.get("attributeKey", ""), value.text.strip().strip(".")
