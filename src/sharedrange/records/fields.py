"""The fields of a record's body: what each may hold, how it is read, and everything that is wrong with it at once.

A kind declares its fields with the types of this module; `Fields` reads and writes them:

    party: Text
    on: Day
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from functools import partial
from typing import Annotated, Any, Self, TypeVar, get_type_hints

from sharedrange.core.canonical import Json
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Where
from sharedrange.core.individuals import LocalIndividual, Verdict

_ROLE = re.compile(r"[a-z0-9]+(?:[._/-][a-z0-9]+)*")
_RECORD_ID = re.compile(r"[0-9a-f]{64}")
_LONGEST_CODE = 200
_SHOWN = 60  # characters of a wrong value that a finding repeats

T = TypeVar("T")

_NOBODY = LocalIndividual("", "", "")


@dataclass(slots=True)
class Reader:
    """Reads the fields of a body one by one, collects what is wrong, and raises it all at once in `done`.

    A field that cannot be read gives a stand-in, so that reading goes on to the next.
    """

    body: Mapping[str, Json]
    where: Where = Where()
    _seen: set[str] = field(default_factory=set)
    _findings: list[Finding] = field(default_factory=list)

    def text(self, name: str, *, empty: bool = False) -> str:
        """A text; not empty unless it may be."""
        value = self._take(name)
        if isinstance(value, str) and (value or empty):
            return value
        return self._wrong(name, value, "text", "")

    def matching(self, name: str, pattern: re.Pattern[str]) -> str:
        """A text of one form."""
        value = self._take(name)
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        return self._wrong(name, value, pattern.pattern, "")

    def whole(self, name: str) -> int:
        """A whole number of 0 or more."""
        value = self._take(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        return self._wrong(name, value, "0, 1, 2, ...", 0)

    def day(self, name: str) -> str:
        """A day in ISO 8601, as text."""
        value = self._take(name)
        try:
            if isinstance(value, str) and date.fromisoformat(value).isoformat() == value:
                return value
        except ValueError:
            pass  # told below
        return self._wrong(name, value, "2026-05-31", "")

    def role(self, name: str, *, empty: bool = False) -> str:
        """A role id: small letters, digits, ``. _ / -``. No spaces: a person's name is not written by habit."""
        value = self._take(name)
        if isinstance(value, str) and (_ROLE.fullmatch(value) or (empty and not value)):
            return value
        self._add("role-id", name, given=_shown(value))
        return ""

    def verdict(self, name: str) -> Verdict:
        """One of the verdicts."""
        value = self._take(name)
        if isinstance(value, str) and value in set(Verdict):
            return Verdict(value)
        return self._wrong(name, value, " | ".join(Verdict), Verdict.UNCERTAIN)

    def probability(self, name: str) -> float | None:
        """A number from 0 to 1, or nothing."""
        value = self._take(name)
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1:
            return float(value)
        return self._wrong(name, value, "0 ... 1", None)

    def individual(self, name: str) -> LocalIndividual:
        """[party, catalogue, code], none empty."""
        value = self._take(name)
        return _individual(value) or self._wrong(name, value, "[party, catalogue, code]", _NOBODY)

    def individuals(self, name: str) -> tuple[LocalIndividual, ...]:
        """One or more local individuals, each once."""
        value = self._take(name)
        members = [_individual(entry) for entry in value] if isinstance(value, list) else []
        found = tuple(who for who in members if who is not None)
        if found and len(set(found)) == len(members):
            return found
        return self._wrong(name, value, "[[party, catalogue, code], ...]", ())

    def record_ids(self, name: str) -> tuple[str, ...]:
        """Ids of records, each once; may be none."""
        value = self._take(name)
        ids = tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else None
        if ids is not None and len(set(ids)) == len(value) and all(map(_RECORD_ID.fullmatch, ids)):
            return ids
        return self._wrong(name, value, "[record id, ...]", ())

    def require(self, holds: bool, rule: str, **facts: str) -> None:
        """Add the finding `rule` unless it holds; not where a field could not even be read."""
        if not holds and not self._findings:
            self._findings.append(Finding(rule, facts, self.where))

    def done(self) -> None:
        """Raise InputError if anything was wrong, a field that nobody reads included."""
        for name in sorted(self.body.keys() - self._seen):
            self._add("record-extra-field", name)
        if self._findings:
            raise InputError(self._findings)

    def _take(self, name: str) -> Any:
        self._seen.add(name)
        return self.body.get(name)

    def _wrong(self, name: str, given: object, expected: str, stand_in: T) -> T:
        self._add("record-field", name, given=_shown(given), expected=expected)
        return stand_in

    def _add(self, rule: str, name: str, **facts: str) -> None:
        where = Where(self.where.file, self.where.table, self.where.row, name)
        self._findings.append(Finding(rule, {"field": name, **facts}, where))


def _individual(value: object) -> LocalIndividual | None:
    if isinstance(value, list) and len(value) == 3 and all(map(_can_be_written, value)):
        return LocalIndividual(*value)
    return None


def _can_be_written(part: object) -> bool:
    """Whether a party, catalogue or code is something that a person can write on paper."""
    return isinstance(part, str) and 0 < len(part) <= _LONGEST_CODE and part.isprintable()


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


# What a field of a kind may be: its type, and the way of a `Reader` to read it.
Text = Annotated[str, Reader.text]
TextOrNone = Annotated[str, partial(Reader.text, empty=True)]
Whole = Annotated[int, Reader.whole]
Day = Annotated[str, Reader.day]
Role = Annotated[str, Reader.role]
RoleOrNone = Annotated[str, partial(Reader.role, empty=True)]
OneVerdict = Annotated[Verdict, Reader.verdict]
Probability = Annotated[float | None, Reader.probability]
Individual = Annotated[LocalIndividual, Reader.individual]
Individuals = Annotated[tuple[LocalIndividual, ...], Reader.individuals]
RecordIds = Annotated[tuple[str, ...], Reader.record_ids]


class Fields:
    """A body that is a dataclass whose every field is of one of the types above, or says itself how it is read."""

    __slots__ = ()

    def to_body(self) -> dict[str, Json]:
        """The fields as JSON values."""
        return {name: _json(getattr(self, name)) for name in _readers(type(self))}

    @classmethod
    def from_body(cls, body: Mapping[str, Json], where: Where = Where()) -> Self:
        """The fields read back. Raises InputError with everything that is wrong."""
        read = Reader(body, where)
        made = cls(**{name: how(read, name) for name, how in _readers(cls).items()})
        made.between(read)
        read.done()
        return made

    def between(self, read: Reader) -> None:
        """Tell `read` what is wrong between fields that are right each by itself. A kind may have nothing to say."""


_READERS: dict[type, dict[str, Callable[[Reader, str], Any]]] = {}  # found once a kind


def _readers(kind: type) -> dict[str, Callable[[Reader, str], Any]]:
    """Field -> how it is read, in the order in which a kind declares them."""
    if kind not in _READERS:
        told = get_type_hints(kind, include_extras=True)
        _READERS[kind] = {one.name: told[one.name].__metadata__[0] for one in fields(kind)}
    return _READERS[kind]


def _json(value: object) -> Json:
    """A field as a JSON value: tuples as lists, names of things as texts."""
    if isinstance(value, tuple):
        return [_json(part) for part in value]
    return value if value is None or isinstance(value, int | float) else str(value)
