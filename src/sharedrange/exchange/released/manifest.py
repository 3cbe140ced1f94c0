"""What release.json says that the tables of a release cannot be read without."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sharedrange.core.finding import Finding, Where
from sharedrange.core.grids import GEOGRAPHIC, Grid
from sharedrange.core.release import (
    COUNT_TABLES,
    CROSSING_TABLES,
    FORMAT,
    MANIFEST,
    PICTURE_TABLES,
    RESOLUTIONS,
    SAMPLE_TABLES,
    SURVEY_TABLES,
    file_of,
)
from sharedrange.core.when import is_zone
from sharedrange.exchange.delivery import LOCAL
from sharedrange.exchange.opening import MIB, Opened, shown

MAX_BYTES = MIB
KINDS: Mapping[str, tuple[str, ...]] = {
    "survey": tuple(SURVEY_TABLES),
    "counts": tuple(COUNT_TABLES),
    "crossings": tuple(CROSSING_TABLES),
    "pictures": tuple(PICTURE_TABLES),
    "samples": tuple(SAMPLE_TABLES),
}
"""Kind of a package's content -> its tables. All of a kind's tables are there, some of them perhaps without rows."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a release says of itself.

    `owner`: whose data; `timezone`: where its days begin; `grid`: by which its cells are cut; `resolutions`: kind of
    content -> how long its periods are; `sha256`: table -> hash of its file, where a package was made of it; `taxa` and
    `not_taxa`: what the records of a survey can be of (`core.survey.Survey`).
    """

    owner: str
    timezone: str
    grid: Grid
    resolutions: Mapping[str, str]
    sha256: Mapping[str, str]
    taxa: tuple[str, ...] = ()
    not_taxa: tuple[str, ...] = ()

    @property
    def crs(self) -> str:
        """The frame of positions, as a delivery declares it."""
        return "EPSG:4326" if self.grid.crs == GEOGRAPHIC else self.grid.crs

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that have to be there."""
        return tuple(table for kind in self.resolutions for table in KINDS[kind])


def read_told(opened: Opened, party: str) -> tuple[Told | None, list[Finding]]:
    """release.json of an opened delivery, which lies in the folder of `party`; None if there is a finding."""
    text, found = opened.text(MANIFEST, "utf-8", MAX_BYTES)
    if text is None:
        return None, found
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        return None, [Finding("bad-json", {"problem": shown(str(error))}, Where(MANIFEST))]
    if found := [*_wrong(given), *_wrong_owner(given, party)]:
        return None, found
    resolutions = {kind: frame["resolution"] for kind, frame in given["frames"].items()}
    sha256 = {name: entry["sha256"] for name, entry in given.get("tables", {}).items()}
    return Told(given["owner"], given["timezone"], _grid(given["grid"]), resolutions, sha256, *_taxa(given)), []


def _taxa(given: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the records of a survey can be of (nothing: of all), and what of that they are not."""
    survey = given["frames"].get("survey", {})
    return tuple(survey.get("taxa", ())), tuple(survey.get("taxa_withheld", ()))


def _wrong(given: Any) -> Iterator[Finding]:
    """Everything in a manifest that is not as releases are."""
    if not isinstance(given, dict) or given.get("format") != FORMAT:
        told = given.get("format") if isinstance(given, dict) else None
        yield Finding("released-format", {"given": shown(str(told)), "known": FORMAT}, Where(MANIFEST))
        return
    for key, (is_right, expected) in _EXPECTED.items():
        if not is_right(given.get(key)):
            yield Finding("released-manifest", {"key": key, "expected": expected}, Where(MANIFEST, field=key))


def _wrong_owner(given: Any, party: str) -> Iterator[Finding]:
    owner = given.get("owner") if isinstance(given, dict) else None
    if party and isinstance(owner, str) and owner != party:
        yield Finding("party-differs", {"declared": shown(owner), "expected": party}, Where(MANIFEST, field="owner"))


def _is_grid(given: Any) -> bool:
    if not isinstance(given, dict) or not isinstance(given.get("id"), str) or not isinstance(given.get("crs"), str):
        return False
    try:
        grid = _grid(given)
    except (ValueError, TypeError, KeyError, ArithmeticError):
        return False
    return grid.crs == GEOGRAPHIC or LOCAL.fullmatch(grid.crs) is not None


def _grid(given: Mapping[str, Any]) -> Grid:
    return Grid(given["id"], given["crs"], tuple(float(size) for size in given["sizes"]))


def _are_frames(given: Any) -> bool:
    return isinstance(given, dict) and bool(given) and all(map(_is_frame, given, given.values()))


def _is_frame(kind: Any, frame: Any) -> bool:
    if kind not in KINDS or not isinstance(frame, dict) or frame.get("resolution") not in RESOLUTIONS:
        return False
    named = [frame.get(key, []) for key in ("taxa", "taxa_withheld")]
    return all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in named)


def _are_tables(given: Any) -> bool:
    """Whether this says of tables which files they are; a release that was not sealed says nothing."""
    if given is None:
        return True
    known = {name for tables in KINDS.values() for name in tables}
    return isinstance(given, dict) and all(
        name in known
        and isinstance(entry, dict)
        and entry.get("file") == file_of(name)
        # a text of any other shape is no file's hash, and the file will be found changed
        and isinstance(entry.get("sha256"), str)
        for name, entry in given.items()
    )


_EXPECTED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "owner": (lambda given: isinstance(given, str) and bool(given), "a party's id"),
    "timezone": (lambda given: isinstance(given, str) and is_zone(given), "an IANA time zone"),
    "grid": (_is_grid, "id, crs (geographic or local:<name>) and sizes of a grid"),
    "frames": (_are_frames, f"{', '.join(KINDS)}, each with a resolution of {', '.join(RESOLUTIONS)}"),
    "tables": (_are_tables, "name, file and sha256 of each table"),
}
