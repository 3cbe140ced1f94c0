"""Door `odk`: submissions of ODK Central and KoboToolbox, as CSV, JSON or ZIP.

Every export in the delivery is read; a submission that several of them hold counts once, and of its versions the last
one stands. Answers to our own forms need no mapping; other forms need the team's mapping file, in which a form's table
goes by the name of its file, and a repeat by that name, a slash and its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sharedrange.core.contents import Delivered
from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.by_mapping import Filled, fill
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.odk import answers
from sharedrange.exchange.odk.files import read_exports
from sharedrange.exchange.opening import Opened, open_path, shown
from sharedrange.exchange.plain import finished, fitted, nothing, text_sheet
from sharedrange.exchange.positions import WGS84
from sharedrange.exchange.submissions import Current, History, Item, Submission, current, table_of
from sharedrange.exchange.tables import Sheet

KEY = "KEY"  # columns that a mapping may use to join a repeat to its submission
PARENT = "PARENT_KEY"


def read(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """What the submissions of a folder or zip deliver; None if a finding is an error.

    Positions are WGS 84, as the ODK XForms specification has them, unless `crs` says otherwise.
    """
    opened, found = open_path(folder)
    if opened is None:
        return None, tuple(found)
    export = read_exports(folder, opened, delivery)
    if not export.submissions:
        return nothing("submissions", "*.csv, *.json, *.zip", export.found)
    now = current(History.of(export.submissions))
    found = [*export.found, *_about(now, len(export.submissions))]
    filled = _filled(opened, now.shown, delivery)
    placed = replace(delivery, crs=delivery.crs or WGS84)
    return finished(filled.sheets, placed, folder_hash(folder), filled.not_carried, [*found, *filled.found])


def _about(now: Current, read_rows: int) -> list[Finding]:
    """What became of the submissions that were read: shown, the same again, replaced, contradicting."""
    again = read_rows - len(now.shown) - len(now.superseded)
    counts = (("delivered-twice", again), ("submission-replaced", len(now.superseded)))
    found = [Finding(rule, {"rows": rows}, Where(table="submissions"), Severity.NOTE) for rule, rows in counts if rows]
    found += [
        Finding("submission-unsettled", {"id": shown(one.instance)}, Where(one.file, row=one.row), Severity.WARNING)
        for one in now.unsettled
    ]
    return found


def _filled(opened: Opened, submissions: Sequence[Submission], delivery: Delivery) -> Filled:
    filled = Filled()
    by_form: dict[str, list[Submission]] = {}
    for one in submissions:
        known = answers.form_of(one)
        by_form.setdefault(known.name if known else "", []).append(one)
    others = by_form.pop("", [])
    for name, given in sorted(by_form.items()):
        _take_form(filled, answers.form(name), given, delivery)
    if others:
        by_theirs = fill(opened, _as_sheets(others), delivery)
        filled.sheets += by_theirs.sheets
        filled.found += by_theirs.found
        filled.not_carried += by_theirs.not_carried
    return filled


def _take_form(filled: Filled, form: answers.Form, given: Sequence[Submission], delivery: Delivery) -> None:
    sheets, found = answers.sheets(form, given)
    filled.found += [*found, *answers.doubts(form, given)]
    for to, sheet in sheets:
        typed, more = fitted(to, sheet, delivery.timezone)
        filled.sheets.append((to, typed))
        filled.found += more
    left = answers.unasked(form, given)
    if left:
        facts: dict[str, Fact] = {"columns": ", ".join(map(shown, left)), "number": len(left)}
        filled.found.append(Finding("not-carried", facts, Where(table=form.name), Severity.NOTE))
        filled.not_carried += [f"{form.name}: {name}" for name in left]


def _as_sheets(submissions: Sequence[Submission]) -> list[Sheet]:
    """Submissions of forms that we do not know, a sheet a form and a sheet a repeat, with `KEY` and `PARENT_KEY`.

    A position is spread over ``<field>-Latitude`` and ``<field>-Longitude``.
    """
    tables: dict[str, list[tuple[int, dict[str, str | None]]]] = {}
    for one in submissions:
        identity = one.root or one.instance
        table = table_of(one.file)
        tables.setdefault(table, []).append((one.row, {**_spread(one.answers), KEY: identity}))
        for name, items in one.repeats.items():
            for number, item in enumerate(items, start=1):
                keys = {KEY: f"{identity}/{name}[{number}]", PARENT: identity}
                tables.setdefault(f"{table}/{name}", []).append((one.row, {**_spread(item), **keys}))
    return [
        text_sheet(name, list(dict.fromkeys(column for _, cells in rows for column in cells)), rows)
        for name, rows in tables.items()
    ]


def _spread(item: Item) -> dict[str, str | None]:
    cells: dict[str, str | None] = {}
    for name, text in item.items():
        parts = text.split()
        if len(parts) == 4 and all(_is_part(part) for part in parts):
            cells |= {f"{name}-Latitude": parts[0], f"{name}-Longitude": parts[1]}
        else:
            cells[name] = text
    return cells


def _is_part(text: str) -> bool:
    return text == "-" or text.replace(".", "", 1).removeprefix("-").isdecimal()
