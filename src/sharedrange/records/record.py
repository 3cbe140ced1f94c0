"""One record: what was decided or done, by which key, after which earlier record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from sharedrange.core.canonical import Json, canonical, digest, read_canonical
from sharedrange.core.finding import Finding, Where
from sharedrange.records.keys import Key, fingerprint
from sharedrange.records.schemes import SCHEMES, scheme_of, signature_holds

_CHAINED = {"author_key": str, "prev": str, "seq": int, "sig": str}  # told of every record
_CONTENT = {"body": dict, "kind": str, "recorded_at": str}  # told where the record is shown
_SHOWN = {**_CHAINED, **_CONTENT, "salt": str}
_HIDDEN = {**_CHAINED, "hidden": str}
_UNSALTED = {**_CHAINED, **_CONTENT}  # as records were before they had a salt
_TEXTS = {
    "hidden": re.compile(r"[0-9a-f]{64}"),
    "prev": re.compile(r"(?:[0-9a-f]{64})?"),
    "salt": re.compile(r"[0-9a-f]{32}"),
}
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
_SHORT = 16


@dataclass(frozen=True)
class Record:
    """A signed entry of a key's chain.

    `seq` counts from 0; `prev` is the id of the record before (empty at 0), so that none can be taken out or
    put between. `recorded_at` (UTC, ISO 8601, ending in Z) is what the author's clock said: shown, and never
    decided by. `body` holds JSON values and is not changed after.

    What a reader need not know can be hidden: of kind, body and time only their hash is told then, and signature and
    links hold all the same. `salt` is hashed with them, so that nobody finds out by trying what was hidden.
    """

    kind: str
    body: Mapping[str, Json]
    author_key: str
    seq: int
    prev: str
    recorded_at: str
    sig: str = ""
    salt: str = ""  # none: made before there was one; such a record is always shown
    hidden: str = ""  # the hash of what is not told; empty where all is

    @cached_property
    def id(self) -> str:
        """SHA-256 of the canonical JSON of the line as it stands hidden, without the signature, in hexadecimal."""
        hidden = self.hide()
        return digest(hidden._fields(hidden._form().keys() - {"sig"}))

    def hide(self) -> Record:
        """The record without kind, body and time. One without salt stays as it is."""
        if not self.salt:
            return self
        content = digest(self._fields({*_CONTENT, "salt"}))
        return replace(self, kind="", body={}, recorded_at="", salt="", hidden=content)

    @property
    def message(self) -> bytes:
        """What is signed: one line that a person can read, so that a stamp on paper under it says the same."""
        return f"sharedrange record {self.id}".encode("ascii")

    def line(self) -> bytes:
        """The record as it stands in its chain's file, without the end of the line."""
        return canonical(self._fields(self._form()))

    def _fields(self, names: Iterable[str]) -> dict[str, Json]:
        return {name: getattr(self, name) for name in names}

    def _form(self) -> Mapping[str, type]:
        return _HIDDEN if self.hidden else _SHOWN if self.salt else _UNSALTED

    def __hash__(self) -> int:
        return hash((self.id, self.sig))


def sign(kind: str, body: Mapping[str, Json], key: Key, recorded_at: str, *, seq: int = 0, prev: str = "") -> Record:
    """A record with its signature. Raises ValueError or TypeError if `body` has no canonical form."""
    settled = read_canonical(canonical(body))  # as a reader will see it: lists for tuples, text for enums
    bare = Record(kind, settled, key.id, seq, prev, recorded_at)
    salted = replace(bare, salt=key.salt(bare.line()))
    return replace(salted, sig=key.sign(salted.message))


def next_after(last: Record | None, kind: str, body: Mapping[str, Json], key: Key, recorded_at: str) -> Record:
    """The record that follows `last` in the chain of `key`, or starts it."""
    if last is None:
        return sign(kind, body, key, recorded_at)
    return sign(kind, body, key, recorded_at, seq=last.seq + 1, prev=last.id)


def read_line(line: bytes, where: Where = Where()) -> Record | Finding:
    """The record of one line (without its end), its signature checked; or what is wrong with it."""
    record = shape_of(line)
    if record is None:
        return Finding("record-malformed", {}, where)
    scheme = scheme_of(record.author_key)
    if scheme not in SCHEMES:
        return Finding("record-unknown-scheme", {"scheme": scheme}, where)
    if not signature_holds(record.author_key, record.message, record.sig):
        return Finding("record-signature", {"seq": record.seq, "key": fingerprint(record.author_key)}, where)
    return record


def shape_of(line: bytes) -> Record | None:
    """The record that a line claims to be, its signature not checked; None if it is none in canonical form."""
    try:
        value = read_canonical(line)
    except ValueError:
        return None
    if not isinstance(value, dict) or not any(_has_form(value, form) for form in (_SHOWN, _HIDDEN, _UNSALTED)):
        return None
    return Record(**{"kind": "", "body": {}, "recorded_at": "", **value})


def _has_form(value: Mapping[str, Any], form: Mapping[str, type]) -> bool:
    if value.keys() != form.keys() or any(type(value[name]) is not kind for name, kind in form.items()):
        return False
    texts = all(_TEXTS[name].fullmatch(value[name]) for name in _TEXTS.keys() & form.keys())
    return bool(texts and value["seq"] >= 0 and scheme_of(value["author_key"]))


def time_finding(recorded_at: str, where: Where = Where()) -> Finding | None:
    """What is wrong with a time, if it is no UTC time in ISO 8601 that ends in Z."""
    try:
        if _UTC.fullmatch(recorded_at):
            datetime.fromisoformat(recorded_at)
            return None
    except ValueError:
        pass
    return Finding("record-time", {"given": recorded_at}, where)


def short(record_id: str) -> str:
    """The first characters of an id: enough for a person to find the record."""
    return record_id[:_SHORT]
