"""A register as tables of plain text, for reports and data products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from typing import Any

import polars as pl

from sharedrange.assessment.programme import Interval, Programme
from sharedrange.assessment.register.linting import Sourced, planned
from sharedrange.core.periods import span

_NAMES = ("en", "zh-Hans", "ja", "ko", "mn", "ru")
_SOURCE = ("source", "to_verify")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    # Tables of a register and their columns: text as written, and `first_day` and `last_day` as dates.
    "project": (
        "name", "funder", "budget_usd", "months", "period", "start", "approved", "approved_by", "status", "note",
        *_SOURCE,
    ),
    "components": (
        "id", "title", "parties", "species", "period", "first_day", "last_day", "status", "areas", "objective",
        "found", "note", *_SOURCE,
    ),
    "areas": ("id", "name", "state", "kind", "component", "topic", "names", "unreviewed", "note", *_SOURCE),
    "milestones": (
        "id", "planned", "first_day", "last_day", "activity", "component", "topic", "found", "status", *_SOURCE,
    ),
    "open_questions": ("id", "text", "asked_by", "asked_of", "about", "topic", "status", *_SOURCE),
    "events": ("date", "first_day", "last_day", "meeting", "actor", "what", "component", *_SOURCE),
    "species": ("key", "taxon", "aliases", *_NAMES, "unreviewed", "listings", "note", *_SOURCE),
    "parties": ("id", "name", "state", "memberships", *_SOURCE),
}  # fmt: skip


def register_tables(programme: Programme) -> dict[str, pl.DataFrame]:
    """The register as tables of plain text, for a report; columns as in COLUMNS, empty cells empty.

    Open ends of a time are null. Events are in order of time, those whose date cannot be read last.
    """
    rows: dict[str, list[dict[str, Any]]] = {
        "project": [_fields(programme.project)] if programme.project else [],
        "components": [_fields(c) | _days(planned(c)) | {"status": c.schedule.status} for c in programme.components],
        "areas": [_fields(a) for a in programme.areas],
        "milestones": [_fields(m) | _days(m.interval or span(m.planned)) for m in programme.milestones],
        "open_questions": [_fields(q) for q in programme.open_questions],
        "events": [_fields(e) | _days(span(e.date)) for e in programme.events],
        "species": [_fields(s) | {code: s.names.get(code, "") for code in _NAMES} for s in programme.species],
        "parties": [_fields(p) for p in programme.parties],
    }
    tables = {name: pl.DataFrame(rows[name], schema=_schema(columns)) for name, columns in COLUMNS.items()}
    in_time = tables["events"].sort("first_day", "last_day", nulls_last=True, maintain_order=True)
    return tables | {"events": in_time}


def _schema(columns: tuple[str, ...]) -> dict[str, pl.DataType]:
    return {name: pl.Date() if name in ("first_day", "last_day") else pl.String() for name in columns}


def _fields(entry: Sourced) -> dict[str, Any]:
    """The fields of an entry as text."""
    return {f.name: _text(getattr(entry, f.name)) for f in fields(entry)}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {text}" for key, text in value.items())
    if isinstance(value, tuple):
        return "; ".join(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _days(when: Interval | None) -> dict[str, date | None]:
    return {
        "first_day": when.first if when and when.first != date.min else None,
        "last_day": when.last if when and when.last != date.max else None,
    }
