"""Door `cybertracker`: what CyberTracker and SMART Mobile send to a webhook, kept as JSON (objects, lists or lines).

A sighting sent twice counts once, and its last version stands. Fields of SMART get the keys of the data model where a
configurable model lies beside the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sharedrange.core.contents import Delivered
from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.opening import Opened, open_path, shown
from sharedrange.exchange.plain import finished, fitted, nothing, text_sheet
from sharedrange.exchange.positions import WGS84
from sharedrange.exchange.smart.model import Model, read_models
from sharedrange.exchange.smart.records import Doubts, as_json, attributes_of, count, taxon, threat
from sharedrange.exchange.submissions import History, Item, Submission, current
from sharedrange.exchange.threats import SMART_KEYS
from sharedrange.exchange.trees import MAX_JSON_BYTES, parse_json

_COLUMNS = ("observation", "at", "x", "y", "category", "threat", "taxon", "count", "attributes")
_RECORDS = "records"
_PLACE = "Location"
_OF_SIGHTING = ("GroupList", _PLACE, "IncidentRecord")  # records of SMART that speak of the sighting as a whole
_SMART = "SMART_"
_ATTRIBUTE = "a:"  # SMART Mobile: a:<number>:<uuid of the attribute>
_LEFT_OUT = ("username", "deviceId", "sessionId", "SMART_Employees")


@dataclass(slots=True)
class Read:
    """What the files gave so far: sightings, findings, fields that nothing holds."""

    sightings: list[Submission] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)


def read(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """The sightings of a folder or zip, as observations; None if a finding is an error.

    Positions are WGS 84, as the phone's receiver gives them, unless `crs` says otherwise.
    """
    opened, found = open_path(folder)
    if opened is None:
        return None, tuple(found)
    model, _, found = read_models(opened)
    so_far = read_sightings(opened)
    so_far.found = [*found, *so_far.found]
    if not so_far.sightings:
        return nothing("sightings", "*.json", so_far.found)
    found = so_far.found + _about(so_far.sightings)
    sheets = []
    for file, shown_now in _by_file(so_far.sightings):
        sheet, more = _observations(file, shown_now, model, delivery)
        typed, wrong = fitted("patrol_observations", sheet, delivery.timezone)
        sheets.append(("patrol_observations", typed))
        found += [*more, *wrong]
    found.append(Finding("personal-left-out", {"columns": ", ".join(_LEFT_OUT)}, Where(), Severity.NOTE))
    placed = replace(delivery, crs=delivery.crs or WGS84)
    return finished(sheets, placed, folder_hash(folder), _LEFT_OUT, found)


# --- files ---


def read_sightings(opened: Opened) -> Read:
    """Every sighting of an opened folder or zip, in each version that lies there."""
    so_far = Read()
    for name in sorted(opened.sizes):
        if name.lower().endswith((".json", ".jsonl", ".ndjson")):
            _take(so_far, opened, name)
    return so_far


def _take(so_far: Read, opened: Opened, name: str) -> None:
    text, found = opened.text(name, "utf-8", MAX_JSON_BYTES)
    so_far.found += found
    if text is None:
        return
    for row, payload in _payloads(so_far, shown(name), text):
        sighting = _sighting(payload, shown(name), row)
        if sighting is None:
            so_far.found.append(Finding("no-instance-id", {"columns": "uid"}, Where(shown(name), row=row)))
        else:
            so_far.sightings.append(sighting)


def _payloads(so_far: Read, file: str, text: str) -> Iterator[tuple[int, Any]]:
    """(line or place in the list, payload) of a file that is one object, a list, or an object a line."""
    lines = [(row, line) for row, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if len(lines) > 1 and all(line.lstrip().startswith("{") and line.rstrip().endswith("}") for _, line in lines):
        for row, line in lines:
            payload, found = parse_json(file, line)
            so_far.found += [replace(f, where=replace(f.where, row=row)) for f in found]
            if not found:
                yield row, payload
        return
    content, found = parse_json(file, text)
    so_far.found += found
    if not found:
        yield from enumerate(content if isinstance(content, list) else [content], start=1)


def _sighting(payload: Any, file: str, row: int) -> Submission | None:
    """A payload as a submission: every value text, its records the items of a repeat. None without an id."""
    if not isinstance(payload, dict) or not isinstance(payload.get("uid"), str) or not payload["uid"]:
        return None
    project = payload.get("project")
    about = project if isinstance(project, dict) else {}
    records = payload.get("records")
    answers = {
        "at": _text(payload.get("createTime")),
        "location": _text(payload.get("location")),
        "project": _text(about.get("uid") or about.get("title")),
    }
    return Submission(
        instance=payload["uid"],
        form=_text(about.get("connector")),
        answers={name: text for name, text in answers.items() if text},
        repeats={_RECORDS: tuple(_record(r) for r in records if isinstance(r, dict))}
        if isinstance(records, list)
        else {},
        at=_instant(payload.get("updateTime")),
        file=file,
        row=row,
    )


def _record(record: Mapping[str, Any]) -> Item:
    """Id of each value -> the value as text; ``uid`` is the record's own id."""
    values = record.get("values")
    given = [v for v in values if isinstance(v, dict)] if isinstance(values, list) else []
    named = {_text(v.get("id") or v.get("name")): _text(v.get("value")) for v in given}
    return {name: text for name, text in {**named, "uid": _text(record.get("uid"))}.items() if name and text}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _instant(text: Any) -> str:
    """When a sighting was changed last, as comparable text; empty if nobody says."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="microseconds")
    except (TypeError, ValueError, OverflowError):
        return ""


# --- versions ---


def _about(sightings: Sequence[Submission]) -> list[Finding]:
    now = current(History.of(sightings))
    again = len(sightings) - len(now.shown) - len(now.superseded)
    counts = (("delivered-twice", again), ("submission-replaced", len(now.superseded)))
    found = [Finding(rule, {"rows": n}, Where(table="sightings"), Severity.NOTE) for rule, n in counts if n]
    unsettled = [(one.instance, Where(one.file, row=one.row)) for one in now.unsettled]
    return found + [Finding("submission-unsettled", {"id": shown(i)}, w, Severity.WARNING) for i, w in unsettled]


def _by_file(sightings: Sequence[Submission]) -> Iterator[tuple[str, list[Submission]]]:
    """The versions that stand, by the file that they are in."""
    files: dict[str, list[Submission]] = {}
    for one in current(History.of(sightings)).shown:
        files.setdefault(one.file, []).append(one)
    return iter(sorted(files.items()))


# --- observations ---


def _observations(file: str, sightings: Sequence[Submission], model: Model, delivery: Delivery) -> Any:
    """A sheet of text, a row a record that says what was seen; and what was not understood."""
    threats = {**SMART_KEYS, **delivery.threats}
    doubts = Doubts(file)
    found: list[Finding] = []
    rows = []
    for one in sightings:
        records = one.repeats.get(_RECORDS, ())
        seen = [record for record in records if not _speaks_of_all(record)]
        place = next((record[_PLACE] for record in records if _PLACE in record), one.answers.get("location", ""))
        if not seen:
            where = Where(file, row=one.row)
            found.append(Finding("record-without-observation", {"id": shown(one.instance)}, where, Severity.NOTE))
        for record in seen:
            cells = _cells(one, record, model, threats, doubts)
            rows.append((one.row, {**cells, **_position(record.get(_PLACE, place))}))
    unkeyed = sum(cells["category"] == "unknown" for _, cells in rows)
    if unkeyed:
        found.append(Finding("category-unknown", {"rows": unkeyed}, Where(file), Severity.WARNING))
    return text_sheet(file, _COLUMNS, rows), [*found, *doubts.findings()]


def _speaks_of_all(record: Item) -> bool:
    """Whether a record is the head of a sighting of SMART, and not something that was seen."""
    heads = [name for name in record if name in _OF_SIGHTING or name.startswith(_SMART)]
    return bool(heads) and len(heads) == len(record) - ("uid" in record) and _PLACE in record


def _cells(
    one: Submission, record: Item, model: Model, threats: Mapping[str, str], doubts: Doubts
) -> dict[str, str | None]:
    given = list(_given(record, model))
    values = attributes_of(model, given, one.row, doubts)
    category = _category(values, model) if one.form == "SMART" else one.answers.get("project", "")
    number = count(model, values)
    return {
        "observation": record.get("uid") or one.instance,
        "at": one.answers.get("at"),
        "category": category or "unknown",
        "threat": threat(category, values, threats),
        "taxon": taxon(values),
        "count": None if number is None else str(number),
        "attributes": as_json(values),
    }


def _given(record: Item, model: Model) -> Iterator[tuple[str, str]]:
    """(key of the data model, or the field's own id; value) of a record, SMART's books left out."""
    for name, text in record.items():
        if name == "uid" or name in _OF_SIGHTING or name.startswith(_SMART):
            continue
        uuid = name.rpartition(":")[2].lower() if name.startswith(_ATTRIBUTE) else ""
        yield model.uuids.get(uuid, name), text


def _category(values: Mapping[str, Sequence[str]], model: Model) -> str:
    """The one category that asks for all of these attributes; of several, one that lies above the others; else ""."""
    fitting = sorted(path for path in model.paths if set(values) <= model.asks(path)) if values else []
    if fitting and all(path == fitting[0] or path.startswith(f"{fitting[0]}.") for path in fitting):
        return fitting[0]
    return ""


def _position(text: str) -> dict[str, str | None]:
    """Longitude and latitude of ``[longitude, latitude, altitude, accuracy]``."""
    try:
        x, y, *_ = json.loads(text)
    except (ValueError, TypeError):
        return {"x": None, "y": None}
    return {"x": _text(x) or None, "y": _text(y) or None}
