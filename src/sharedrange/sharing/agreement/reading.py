"""``agreements/<name>.toml`` read: every table typed, everything wrong told at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sharedrange.core.canonical import digest
from sharedrange.core.document import Document, Entry, Place, T, read_document, read_entry, read_section, unknown_keys
from sharedrange.core.errors import InputError, ProgrammeError
from sharedrange.core.finding import Fact, Finding
from sharedrange.core.grids import nests
from sharedrange.core.release import TABLES, UNNAMED_TABLES, is_pseudonym, may_name
from sharedrange.core.when import is_zone
from sharedrange.sharing.agreement.types import (
    FORMAT,
    OUTPUTS,
    Agreement,
    Cameras,
    Duties,
    GridSpec,
    Onward,
    Output,
    Rule,
    Valid,
    as_compared,
)

_URN = re.compile(r"urn:agreement:[a-z0-9][a-z0-9.:_-]*")
_LARGEST_CATEGORY = 4
_NAMED = tuple(table for table in TABLES if table not in UNNAMED_TABLES)
_LONGEST_MODEL = 80  # characters


@dataclass(frozen=True, slots=True)
class _Head:
    """The keys at the top of the file."""

    agreement: int
    id: str
    title: str
    owner: str
    recipients: tuple[str, ...]
    purposes: tuple[str, ...]
    approved_by: str
    onward: Onward = "none"
    onward_to: tuple[str, ...] = ()
    timezone: str = "UTC"
    language_of_reference: str = "en"


_PARTS = ("valid", "grid", "duties", "cameras", "rules", "outputs")
_LATER = ("cameras",)  # what format 1 had not from its first day


def read_agreement(path: Path) -> Agreement:
    """The agreement in a TOML file, with its hash.

    Raises InputError with everything that is wrong: not TOML, keys that nobody reads or that are missing, values out
    of range, tables and columns that no release has, cells that the grid does not have.
    """
    try:
        document = read_document(path)
    except ProgrammeError as error:
        raise InputError(error.findings) from None
    agreement, found = _agreement(document)
    if agreement is None or found:
        raise InputError(found)
    return agreement


def agreement_hash(agreement: Agreement) -> str:
    """SHA-256 of the canonical JSON of all that an agreement says; its file's name, spacing and comments do not count.

    Every field counts, those too that the file leaves to their strictest value: what both sides sign is whole. A part
    that came into the format later counts where it says something, so that what was signed before stays signed.
    """
    silent = [name for name in _LATER if getattr(agreement, name) == getattr(_SAYS_NOTHING, name)]
    said = {name: part for name, part in _plain(agreement).items() if name not in ("file", "hash", *silent)}
    return digest(said)


def _agreement(document: Document) -> tuple[Agreement | None, list[Finding]]:
    found = unknown_keys(document, [*(f.name for f in fields(_Head)), *_PARTS])
    top = {key: document.values[key] for key in document.values if key in {f.name for f in fields(_Head)}}
    head = read_entry(_Head, top, Place(document), found)
    valid = _table(document, "valid", Valid, found)
    grid = _table(document, "grid", GridSpec, found) or GridSpec()
    duties = _table(document, "duties", Duties, found) or Duties()
    cameras = _table(document, "cameras", Cameras, found) or Cameras()
    rules = read_section(document, "rules", Rule, found)
    outputs = read_section(document, "outputs", Output, found)
    if head is None or valid is None:
        return None, found
    found += [*_about_head(head, valid, Place(document)), *_about_grid(grid, Place(document, "grid"))]
    found += _about_cameras(cameras, Place(document, "cameras"))
    found += [finding for rule in rules for finding in _about_rule(rule, grid)]
    found += [*_twice(rules), *(finding for output in outputs for finding in _about_output(output))]
    written = {f.name: getattr(head, f.name) for f in fields(head) if f.name != "agreement"}
    whole = Agreement(
        **written,
        valid=valid,
        grid=grid,
        duties=duties,
        cameras=cameras,
        rules=tuple(_settled(entry.value) for entry in rules),
        outputs=tuple(entry.value for entry in outputs),
        file=document.name,
    )
    return (None if found else replace(whole, hash=agreement_hash(whole))), found


def _table(document: Document, name: str, schema: type[T], found: list[Finding]) -> T | None:
    """A table of the file; missing ones are told only where they have no default."""
    if name not in document.values and schema is not Valid:
        return None
    return read_entry(schema, _mapping(document.values.get(name)), Place(document, name), found)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _settled(rule: Rule) -> Rule:
    """A rule whose tables can neither change nor differ in form: columns sorted, as tuples."""
    return replace(
        rule, tables=MappingProxyType({name: tuple(sorted(rule.tables[name])) for name in sorted(rule.tables)})
    )


def _about_head(head: _Head, valid: Valid, place: Place) -> Iterator[Finding]:
    if head.agreement != FORMAT:
        yield Finding("agreement-format", {"given": head.agreement, "known": FORMAT}, place("agreement"))
    if not _URN.fullmatch(head.id):
        yield Finding("agreement-id", {"given": head.id[:80]}, place("id"))
    if not head.recipients or head.owner in head.recipients or len(set(head.recipients)) < len(head.recipients):
        facts: dict[str, Fact] = {"owner": head.owner, "recipients": ", ".join(head.recipients)}
        yield Finding("agreement-recipients", facts, place("recipients"))
    if not head.purposes:
        yield Finding("agreement-purposes", {}, place("purposes"))
    if valid.end < valid.start:
        facts = {"start": str(valid.start), "end": str(valid.end)}
        yield Finding("agreement-dates", facts, Place(place.document, "valid")("end"))
    if not is_zone(head.timezone):
        yield Finding("occasion-timezone", {"timezone": head.timezone}, place("timezone"))
    if (head.onward == "listed") != bool(head.onward_to):
        facts = {"onward": head.onward, "onward_to": ", ".join(head.onward_to)}
        yield Finding("agreement-onward", facts, place("onward"))


def _about_grid(grid: GridSpec, place: Place) -> Iterator[Finding]:
    sizes = ", ".join(f"{size:g}" for size in grid.sizes)
    rising = all(nests(smaller, larger) for smaller, larger in pairwise(grid.sizes))
    if not grid.sizes or min(grid.sizes) <= 0 or not rising:
        yield Finding("agreement-grid", {"sizes": sizes}, place("sizes"))
    if grid.crs != "geographic" and not grid.crs.startswith("local:"):
        yield Finding("agreement-grid-crs", {"given": grid.crs}, place("crs"))


def _about_cameras(cameras: Cameras, place: Place) -> Iterator[Finding]:
    """Names that are none, stand twice, or look like a name minted at random."""
    seen: set[str] = set()
    for name in cameras.names:
        compared = as_compared(name)
        if not compared or len(name) > _LONGEST_MODEL or compared in seen or is_pseudonym(name):
            yield Finding("cameras-name", {"given": name[:_LONGEST_MODEL]}, place("names"))
        seen.add(compared)


def _about_rule(entry: Entry[Rule], grid: GridSpec) -> Iterator[Finding]:
    rule, place = entry.value, entry.place
    if not rule.taxa:
        yield Finding("rule-taxa", {"rule": rule.id}, place("taxa"))
    if rule.cell is not None and rule.cell not in grid.sizes:
        sizes = ", ".join(f"{size:g}" for size in grid.sizes)
        yield Finding("rule-cell", {"rule": rule.id, "given": rule.cell, "known": sizes}, place("cell"))
    for name in ("least_stations", "delay_days", "suppress_below", "least_area_km2"):
        if getattr(rule, name) < 0:
            yield Finding("rule-negative", {"rule": rule.id, "key": name, "given": getattr(rule, name)}, place(name))
    if rule.category is not None and not 1 <= rule.category <= _LARGEST_CATEGORY:
        yield Finding("rule-category", {"rule": rule.id, "given": rule.category}, place("category"))
    yield from _about_columns(rule, place)


def _about_columns(rule: Rule, place: Place) -> Iterator[Finding]:
    written: Mapping[str, Any] = rule.tables  # as read: nobody has looked into it yet
    for table, columns in written.items():
        if table not in _NAMED:
            facts: dict[str, Fact] = {"rule": rule.id, "given": table[:80], "known": ", ".join(_NAMED)}
            yield Finding("rule-table", facts, place("tables"))
        elif not isinstance(columns, list | tuple) or (wrong := [c for c in columns if c not in may_name(table)]):
            given = ", ".join(map(str, wrong)) if isinstance(columns, list | tuple) else str(columns)[:80]
            facts = {"rule": rule.id, "table": table, "given": given, "known": ", ".join(may_name(table))}
            yield Finding("rule-column", facts, place("tables"))


def _about_output(entry: Entry[Output]) -> Iterator[Finding]:
    output, place = entry.value, entry.place
    if output.kind not in OUTPUTS:
        yield Finding("output-kind", {"given": output.kind[:80], "known": ", ".join(OUTPUTS)}, place("kind"))
    for name in ("least_animals", "wait_days"):
        if getattr(output, name) < 0:
            facts: dict[str, Fact] = {"rule": output.kind, "key": name, "given": getattr(output, name)}
            yield Finding("rule-negative", facts, place(name))


def _twice(rules: Iterable[Entry[Rule]]) -> Iterator[Finding]:
    seen: set[str] = set()
    for entry in rules:
        if entry.value.id in seen:
            yield Finding("rule-twice", {"rule": entry.value.id}, entry.place("id"))
        seen.add(entry.value.id)


_SAYS_NOTHING = Agreement("", "", "", (), (), Valid(date.min, date.max), "")


def _plain(value: Any) -> Any:
    """A value as canonical JSON can write it: dates as ISO text, dataclasses as their fields."""
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
