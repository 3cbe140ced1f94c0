"""Exports of ODK Central and KoboToolbox: CSV tables with their repeats, OData and API JSON, alone or in a ZIP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.opening import MIB, Opened, open_path, shown
from sharedrange.exchange.submissions import Item, Submission
from sharedrange.exchange.tables import DELIMITERS, ROW, Sheet, read_csv
from sharedrange.exchange.trees import MAX_DEPTH, read_json

MAX_FILE_BYTES = 256 * MIB
MAX_NESTED = 20  # archives in one folder
_INSTANCE = ("meta/instanceID", "meta-instanceID", "instanceID", "KEY", "__id", "_uuid")
_ROOT = ("KEY", "__id", "meta/rootUuid")
_DEPRECATED = ("meta/deprecatedID", "meta-deprecatedID", "deprecatedID")
_CHANGED = ("updatedAt", "UpdatedAt", "SubmissionDate", "submissionDate", "_submission_time")
# Columns by which servers keep their books, and which no one in the field filled in.
_BOOKS = re.compile(
    r"KEY|PARENT_KEY|SET-OF-.*|SubmissionDate|Submitter(ID|Name)|Attachments(Present|Expected)|Status|ReviewState|"
    r"DeviceID|Edits|FormVersion|(.*[-/])?(instanceID|instanceName|deprecatedID|rootUuid)|meta|__.*|"
    r"_(id|uuid|submission_time|validation_status|notes|status|submitted_by|tags|index|xform_id_string|attachments|"
    r"geolocation|parent_.*|submission_.*|bamboo_dataset_id)|formhub/uuid|.*@odata\..*|updatedAt"
)
_POINT_PARTS = ("Latitude", "Longitude", "Altitude", "Accuracy")
_KOBO_POINT = re.compile(r"_(.+)_(latitude|longitude|altitude|precision)")
_ITEM = re.compile(r"([^/\[\]]+)\[\d+\]$")


@dataclass(slots=True)
class Export:
    """What was read so far: submissions, tables of repeats not yet joined to theirs, findings."""

    submissions: list[Submission] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)
    media: list[str] = field(default_factory=list)


def read_exports(folder: Path, opened: Opened, delivery: Delivery) -> Export:
    """The submissions of every CSV, JSON and ZIP file of a delivery."""
    export = Export()
    for part in _parts(folder, opened, export.found):
        by_folder: dict[str, list[Sheet]] = {}  # an export's own: two of them may hold the same repeats
        for name in sorted(part.sizes):
            if name.lower().endswith((".csv", ".tsv")):
                tables = by_folder.setdefault(name.rpartition("/")[0], [])
                tables += _csv(part, name, delivery, export.found)
            elif name.lower().endswith((".json", ".geojson")):
                _take_json(export, part, name)
        for tables in by_folder.values():
            _take_tables(export, tables)
    return export


def _parts(folder: Path, opened: Opened, found: list[Finding]) -> Iterator[Opened]:
    """The delivery itself, and each archive that lies in its folder."""
    yield opened
    archives = [name for name in sorted(opened.sizes) if name.lower().endswith(".zip")] if opened.is_folder else []
    if len(archives) > MAX_NESTED:
        found.append(Finding("too-many-files", {"path": shown(folder.name), "limit": MAX_NESTED}, Where()))
        return
    for name in archives:
        archive, wrong = open_path(folder / name)
        found += wrong
        if archive is not None:
            yield archive


# --- CSV ---


def _csv(part: Opened, name: str, delivery: Delivery, found: list[Finding]) -> list[Sheet]:
    text, wrong = part.text(name, delivery.encoding, MAX_FILE_BYTES)
    found += wrong
    if text is None:
        return []
    sheet, wrong = read_csv(shown(name), text, max(DELIMITERS, key=text.partition("\n")[0].count))
    found += wrong
    return [] if sheet is None else [sheet]


def _take_tables(export: Export, tables: Sequence[Sheet]) -> None:
    """Submissions of tables; a table with PARENT_KEY holds a repeat, its rows go to their parents."""
    children: dict[str, list[tuple[str, int, Item]]] = {}
    roots = []
    for table in tables:
        if not table.has("PARENT_KEY"):
            roots.append(table)
            continue
        for cells in table.rows.iter_rows(named=True):
            children.setdefault(cells["PARENT_KEY"] or "", []).append((table.file, cells[ROW], _given(cells)))
    for table in roots:
        export.submissions += _of_table(export, table, children)
    for parent, items in children.items():
        where = Where(items[0][0], row=items[0][1], field="PARENT_KEY")
        facts: dict[str, Fact] = {"value": shown(parent), "rows": len(items)}
        export.found.append(Finding("repeat-without-parent", facts, where))


def _given(cells: Mapping[str, Any]) -> dict[str, str]:
    return {name: text for name, text in cells.items() if name != ROW and text is not None}


def _of_table(export: Export, table: Sheet, children: dict[str, list[tuple[str, int, Item]]]) -> Iterator[Submission]:
    if not any(table.has(name) for name in _INSTANCE):
        facts = {"columns": ", ".join(_INSTANCE)}
        export.found.append(Finding("no-instance-id", facts, Where(table.file, row=1)))
        return
    for cells in table.rows.iter_rows(named=True):
        given = _given(cells)
        repeats = dict(_joined(given.get("KEY", ""), children))
        one = _submission(given, repeats, table.file, cells[ROW])
        if one is None:
            export.found.append(Finding("no-instance-id", {"columns": "KEY"}, Where(table.file, row=cells[ROW])))
        else:
            yield one


def _joined(
    key: str, children: dict[str, list[tuple[str, int, Item]]], depth: int = 0
) -> Iterator[tuple[str, tuple[Item, ...]]]:
    """The items of the repeats of one row, and those of the repeats within them; each is taken once."""
    items: dict[str, list[Item]] = {}
    for _, _, item in children.pop(key, []) if key and depth < MAX_DEPTH else []:
        name = match[1] if (match := _ITEM.search(item.get("KEY", ""))) else "repeat"
        items.setdefault(name, []).append(_plain(item))
        for inner, more in _joined(item.get("KEY", ""), children, depth + 1):
            items.setdefault(inner, []).extend(more)
    return iter([(name, tuple(given)) for name, given in items.items()])


# --- JSON ---


def _take_json(export: Export, part: Opened, name: str) -> None:
    content, found = read_json(part, name)
    export.found += found
    if found:
        return
    listed = _listed(content)
    if listed is None:
        where = Where(file=shown(name))
        export.found.append(Finding("unread-file", {"path": shown(name)}, where, Severity.NOTE))
        return
    for number, record in enumerate(listed, start=1):
        answers, repeats = _flat(record)
        one = _submission(answers, repeats, shown(name), number)
        if one is None:
            facts = {"columns": ", ".join(_INSTANCE)}
            export.found.append(Finding("no-instance-id", facts, Where(shown(name), row=number)))
        else:
            export.submissions.append(one)


def _listed(content: Any) -> list[dict[str, Any]] | None:
    """The records of an OData answer (``value``), of Kobo's API (``results``), of a list, or the one record."""
    listed: Any = content
    if isinstance(content, dict):
        inner = content.get("value", content.get("results"))
        listed = inner if isinstance(inner, list) else [content]
    if not isinstance(listed, list) or not all(isinstance(record, dict) for record in listed):
        return None
    return listed


def _flat(record: Mapping[str, Any], above: str = "") -> tuple[dict[str, str], dict[str, tuple[Item, ...]]]:
    """Answers by path (groups joined by a slash) and the items of repeats, of a nested record."""
    answers: dict[str, str] = {}
    repeats: dict[str, tuple[Item, ...]] = {}
    for name, value in record.items():
        path = name if not above else f"{above}/{name}"
        if name == "__system" and isinstance(value, dict):
            answers |= {key: str(value[key]) for key in ("submissionDate", "updatedAt", "edits") if value.get(key)}
        elif (point := _point(value)) is not None:
            answers[path] = point
        elif isinstance(value, dict):
            inner, more = _flat(value, path)
            answers |= inner
            repeats |= more
        elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
            if value and not _BOOKS.fullmatch(name):
                _take_items(repeats, path.rpartition("/")[2], value)
        elif (text := _text(value)) is not None:
            answers[path] = text
    return answers, repeats


def _take_items(repeats: dict[str, tuple[Item, ...]], name: str, items: Sequence[Mapping[str, Any]]) -> None:
    for item in items:
        answers, inner = _flat(item)
        repeats[name] = (*repeats.get(name, ()), _plain(answers))
        for deeper, more in inner.items():
            repeats[deeper] = (*repeats.get(deeper, ()), *more)


def _point(value: Any) -> str | None:
    """A GeoJSON point as ODK writes a position: latitude, longitude, altitude, accuracy."""
    if not isinstance(value, dict) or value.get("type") != "Point" or not isinstance(value.get("coordinates"), list):
        return None
    longitude, latitude, altitude = [*value["coordinates"], None, None, None][:3]
    properties = value.get("properties")
    accuracy = properties.get("accuracy") if isinstance(properties, dict) else None
    return " ".join("-" if part is None else str(part) for part in (latitude, longitude, altitude, accuracy))


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)


# --- one submission ---


def _submission(
    given: Mapping[str, str], repeats: Mapping[str, tuple[Item, ...]], file: str, row: int
) -> Submission | None:
    """A submission from what a server says of it; None if it has no id."""
    instance = _uuid(_first(given, _INSTANCE))
    if not instance:
        return None
    edits = _first(given, ("Edits", "edits"))
    return Submission(
        instance=instance,
        form=given.get("_xform_id_string", ""),
        answers=_plain(given),
        repeats=repeats,
        root=_uuid(_first(given, _ROOT)),
        deprecated=_uuid(_first(given, _DEPRECATED)),
        edits=int(edits) if edits.isascii() and edits.isdigit() and len(edits) < 7 else 0,
        at=_instant(_first(given, _CHANGED)),
        file=file,
        row=row,
    )


def _first(given: Mapping[str, str], names: Sequence[str]) -> str:
    return next((given[name] for name in names if given.get(name)), "")


def _uuid(text: str) -> str:
    """An id as OpenRosa writes it: Kobo leaves ``uuid:`` out in some columns."""
    return f"uuid:{text}" if re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) else text


def _instant(text: str) -> str:
    """When a server took a submission, as comparable text; both servers keep UTC. Empty if it is no time."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return ""
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError:
        return ""


def _plain(given: Mapping[str, str]) -> dict[str, str]:
    """The answers among what an export gives: positions as one text, the columns of the server left out."""
    answers = {name: text for name, text in given.items() if not _BOOKS.fullmatch(name)}
    answers.pop("submissionDate", None)
    answers.pop("edits", None)
    for name in [name for name in answers if name.endswith("-Latitude")]:
        stem = name.removesuffix("-Latitude")
        parts = [answers.pop(f"{stem}-{part}", "-") for part in _POINT_PARTS]
        answers[stem] = " ".join(parts)
    for name in [
        name for name in answers if (match := _KOBO_POINT.fullmatch(name)) and match[1] in _last_names(answers)
    ]:
        del answers[name]
    return answers


def _last_names(answers: Mapping[str, str]) -> set[str]:
    return {name.rpartition("/")[2] for name in answers}
