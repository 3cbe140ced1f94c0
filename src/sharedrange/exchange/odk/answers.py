"""Answers to our own forms become rows of our tables, by the joint words of the forms and without a mapping."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sharedrange.core.canonical import canonical
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.exchange import forms
from sharedrange.exchange.forms.joint import XY
from sharedrange.exchange.opening import shown
from sharedrange.exchange.plain import text_sheet
from sharedrange.exchange.submissions import Item, Submission
from sharedrange.exchange.tables import Sheet
from sharedrange.exchange.targets import TARGETS

_PARENTS = {"counts": "visits", "effort": "deployments", "patrol_observations": "patrols"}
_GROUP = re.compile(r"[/\-]")
_TEXT_VALUE = re.compile(r"'([^']*)'")


@dataclass(frozen=True, slots=True)
class Form:
    """One of our forms.

    `fields`: field -> (table, column, repeat); `words`: field -> answer -> value; `needed`: fields that every
    submission answers; `calculated`: field -> its constant.
    """

    name: str
    fields: Mapping[str, tuple[str, str, str | None]]
    words: Mapping[str, Mapping[str, str | None]]
    needed: frozenset[str]
    calculated: Mapping[str, str]

    @property
    def tables(self) -> dict[str, str | None]:
        """The tables that the form fills -> the repeat whose items are their rows; None: the submission is the row."""
        return {table: repeat for table, _, repeat in self.fields.values()}


@lru_cache(maxsize=8)
def form(name: str) -> Form:
    """What the joint words say of a form."""
    rows = forms.form_table(name).to_dicts()
    constants = {row["name"]: match[1] for row in rows if (match := _TEXT_VALUE.fullmatch(row["value"] or ""))}
    return Form(
        name,
        {row["name"]: (row["table"], row["column"], row["repeat"]) for row in rows if row["table"]},
        forms.values(name),
        frozenset(r["name"] for r in rows if r["required"] and not r["repeat"] and not r["relevant"]),
        constants,
    )


def form_of(one: Submission) -> Form | None:
    """The form of ours that a submission answers: its needed fields are all answered; of several the longest."""
    answered = {_last(name) for name in one.answers}
    fitting = [known for name in forms.FORMS if (known := form(name)).needed <= answered]
    named = [known for known in fitting if known.name in (one.form, one.file)]
    return max(named or fitting, key=lambda known: len(known.needed), default=None)


def _last(name: str) -> str:
    """Name of a field without the groups that it stands in."""
    return _GROUP.split(name)[-1]


def sheets(of: Form, submissions: Sequence[Submission]) -> tuple[list[tuple[str, Sheet]], list[Finding]]:
    """Sheets of text by target of submissions of one form, one sheet a table and file."""
    made: list[tuple[str, Sheet]] = []
    found: list[Finding] = []
    for file in sorted({one.file for one in submissions}):
        here = [one for one in submissions if one.file == file]
        for table in of.tables:
            rows = [row for one in here for row in _rows(of, table, one, found)]
            made.append((table, text_sheet(file, _columns(table), rows)))
    return made, found


def _columns(table: str) -> tuple[str, ...]:
    return TARGETS[table].names


def _rows(of: Form, table: str, one: Submission, found: list[Finding]) -> Iterator[tuple[int, dict[str, str | None]]]:
    repeat = of.tables[table]
    if table == "deployments" and "since" not in {_last(name) for name in one.answers}:
        facts = {"station": shown(_answer(one.answers, "station"))}
        found.append(Finding("camera-set-up", facts, Where(one.file, row=one.row), Severity.NOTE))
        return
    items: Iterable[Item] = [one.answers] if repeat is None else one.repeats.get(repeat, ())
    for number, item in enumerate(items, start=1):
        cells = _cells(of, table, item, one, found)
        for key, value in _keys(of, table, one, number if repeat else 0).items():
            cells.setdefault(key, value)
        yield one.row, cells


def _answer(item: Item, field: str) -> str:
    return next((text for name, text in item.items() if _last(name) == field), "")


def _identity(one: Submission) -> str:
    """The id that stays when a submission is edited."""
    return one.root or one.instance


def _keys(of: Form, table: str, one: Submission, number: int) -> dict[str, str | None]:
    """Ids of a row that the form does not ask for: the submission's own, and that of the row it belongs to."""
    own = f"{_identity(one)}/{number}" if number else _identity(one)
    keys: dict[str, str | None] = dict.fromkeys(TARGETS[table].key[:1], own)
    parent = _PARENTS.get(table)
    if parent in of.tables:
        column = TARGETS[parent].key[0]
        asked = next((f for f, (t, c, _) in of.fields.items() if (t, c) == (parent, column)), "")
        keys[column] = _answer(one.answers, asked) or _identity(one)
    return keys


def _cells(of: Form, table: str, item: Item, one: Submission, found: list[Finding]) -> dict[str, str | None]:
    """The columns of one row that answers fill."""
    cells: dict[str, str | None] = {}
    said: dict[str, str] = {}
    for name, (to, column, _) in of.fields.items():
        answer = _answer(item, name) or of.calculated.get(name, "")
        if to != table or not answer:
            continue
        if column == XY:
            cells.update(_position(answer))
        elif column == "attributes":
            said[name] = answer
        elif (value := _value(of, name, answer, one, found)) is not None:
            cells[column] = value
    if said:
        cells["attributes"] = canonical(said).decode()
    return cells


def _value(of: Form, name: str, answer: str, one: Submission, found: list[Finding]) -> str | None:
    offered = of.words.get(name)
    if offered is None or answer in offered:
        return answer if offered is None else offered[answer]
    facts = {"value": shown(answer), "known": ", ".join(offered)}
    found.append(Finding("unknown-choice", facts, Where(one.file, row=one.row, field=name)))
    return None


def _position(answer: str) -> dict[str, str | None]:
    """Latitude, longitude, altitude, accuracy as ODK writes them (ODK XForms specification, geopoint)."""
    latitude, longitude, _, accuracy = [*answer.split(), "-", "-", "-", "-"][:4]
    zero = accuracy in ("-", "0", "0.0")
    return {"x": longitude, "y": latitude, "uncertainty_m": None if zero else accuracy}


def unasked(of: Form, submissions: Iterable[Submission]) -> list[str]:
    """The fields of a form that were answered and that no table holds."""
    answered = {
        _last(name) for one in submissions for item in (one.answers, *_items(one)) for name in item if item[name]
    }
    return sorted(answered - set(of.fields))


def _items(one: Submission) -> Iterator[Item]:
    return (item for items in one.repeats.values() for item in items)


def doubts(of: Form, submissions: Iterable[Submission]) -> list[Finding]:
    """What a form's answers say against each other: a camera that did not work, without a gap in its effort."""
    if "deployments" not in of.tables:
        return []
    return [
        Finding(
            "camera-state-without-gap",
            {"station": shown(_answer(one.answers, "station")), "state": shown(_answer(one.answers, "state"))},
            Where(one.file, row=one.row, field="state"),
            Severity.WARNING,
        )
        for one in submissions
        if _answer(one.answers, "state") not in ("", "working") and not one.repeats.get("gap")
    ]
