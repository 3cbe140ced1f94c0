"""Which column of a SMART query table is what: SMART's own columns, category levels, attributes of the data model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.opening import shown
from sharedrange.exchange.smart.headers import by_place
from sharedrange.exchange.smart.model import Model, fold
from sharedrange.exchange.tables import ROW, Sheet

# SMART's own columns as its English interface heads them; in other languages `headers.by_place` finds those of a query.
OWN: Mapping[str, str] = {
    "patrol id": "patrol",
    **dict.fromkeys(("patrol start date", "start date"), "start"),
    **dict.fromkeys(("patrol end date", "end date"), "end"),
    **dict.fromkeys(("patrol transport type", "transport type"), "transport"),
    "waypoint id": "waypoint",
    "waypoint date": "date",
    "waypoint time": "time",
    "x": "x",
    "y": "y",
    **dict.fromkeys(("distance (km)", "patrol distance (km)", "total distance (km)"), "distance_km"),
    **dict.fromkeys(("hours", "patrol hours", "number of patrol hours", "total hours"), "hours"),
    **dict.fromkeys(("people", "number of people", "number of members", "patrol members"), "people"),
}
PERSONAL = frozenset(
    ("nameornames", "nationalidnumber", "phonenumber", "placeofresidence", "placeoforigin", "suspectinformation")
)
"""Attributes about people, which never enter a table: no question about wildlife needs them."""
_LEVEL = re.compile(r"(?:observation )?category (\d{1,2})")
_KNOWN_OWN = frozenset((*OWN.values(), *OWN))


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of one table are.

    `own`: SMART's column -> column of the file; `levels`: columns of categories from the root down;
    `attributes`: column of the file -> key of the data model; `unread`: columns that nothing holds.
    """

    own: Mapping[str, str]
    levels: tuple[str, ...]
    attributes: Mapping[str, str]
    unread: tuple[str, ...]

    @property
    def has_observations(self) -> bool:
        """Whether a row is an observation at a place, not a patrol."""
        return "x" in self.own and "y" in self.own


def columns_of(sheet: Sheet, model: Model, delivery: Delivery) -> tuple[Columns, list[Finding]]:
    """What the columns of a table are; a label that may mean several attributes is an error.

    A header says what its column is, in English or as the delivery declares; else its place and its cells do.
    """
    names = [column for column in sheet.rows.columns if column != ROW]
    told = {name: role for name in names if (role := _told(name, delivery))}
    placed = by_place(sheet, names, told, model, delivery.date_format)
    roles = {**told, **placed}
    own: dict[str, str] = {}
    levels: dict[int, str] = {}
    attributes: dict[str, str] = {}
    unread: list[str] = []
    found = _by_place_note(sheet, placed)
    for name in names:
        role = roles.get(name, "")
        keys = model.headers.get(_declared(delivery).get(fold(name), fold(name)), set())
        if level := _LEVEL.fullmatch(role):
            levels[int(level[1])] = name
        elif role:
            found += _twice(sheet, own, role, name)
            own.setdefault(role, name)
        elif not keys or not levels:  # SMART writes attributes after the categories
            unread.append(name)
        else:
            keys = _narrowed(keys, model, sheet, levels)
            found += _doubtful(sheet, name, keys)
            attributes[name] = min(keys)
    return Columns(own, tuple(levels[n] for n in sorted(levels)), attributes, tuple(unread)), found


def _declared(delivery: Delivery) -> Mapping[str, str]:
    return {fold(name): fold(meaning) for name, meaning in delivery.columns.items()}


def _told(name: str, delivery: Delivery) -> str:
    """What a header says that its column is: a role, ``category 0``, or nothing."""
    declared = _declared(delivery)
    word = declared.get(fold(name), fold(name))
    if level := _LEVEL.fullmatch(word):
        return f"category {level[1]}"
    return OWN.get(word, word if word in _KNOWN_OWN and fold(name) in declared else "")


def _by_place_note(sheet: Sheet, placed: Mapping[str, str]) -> list[Finding]:
    """What was understood without knowing the words, for a person to look at."""
    if not placed:
        return []
    understood = ", ".join(f"{shown(name)} = {role}" for name, role in placed.items())
    return [Finding("smart-columns-by-place", {"columns": understood}, Where(sheet.file, row=1), Severity.WARNING)]


def _twice(sheet: Sheet, own: Mapping[str, str], role: str, name: str) -> list[Finding]:
    if role not in own:
        return []
    return [Finding("duplicate-column", {"column": shown(name)}, Where(sheet.file, row=1, field=shown(name)))]


def _narrowed(keys: set[str], model: Model, sheet: Sheet, levels: Mapping[int, str]) -> set[str]:
    """Of several attributes with one label, those that a category of the table asks for, if that leaves any."""
    if len(keys) == 1 or not levels:
        return keys
    rows = sheet.rows.select(levels[n] for n in sorted(levels)).unique().iter_rows()
    asked = set().union(*(model.asks(path) for path in categories(model, rows)))
    return keys & asked or keys


def categories(model: Model, rows: Iterable[tuple[str | None, ...]]) -> set[str]:
    """The paths of the categories that rows of labels name."""
    return {path for labels in rows for path in model.category([label for label in labels if label])}


def _doubtful(sheet: Sheet, name: str, keys: set[str]) -> list[Finding]:
    if len(keys) == 1:
        return []
    facts = {"label": shown(name), "keys": ", ".join(sorted(keys))}
    return [Finding("ambiguous-label", facts, Where(sheet.file, row=1, field=shown(name)))]


def about_columns(sheet: Sheet, columns: Columns) -> list[Finding]:
    """A note for the columns that nothing holds, and one for those about people."""
    found = []
    where = Where(sheet.file, row=1)
    if columns.unread:
        facts: dict[str, Fact] = {"columns": ", ".join(map(shown, columns.unread)), "number": len(columns.unread)}
        found.append(Finding("not-carried", facts, where, Severity.NOTE))
    people = sorted(set(columns.attributes.values()) & PERSONAL)
    if people:
        found.append(Finding("personal-left-out", {"columns": ", ".join(people)}, where, Severity.NOTE))
    return found
