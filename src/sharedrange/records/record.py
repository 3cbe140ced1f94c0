"""One record: what was decided or done, by which key, after which earlier record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from sharedrange.core.canonical import Json, canonical, digest, read_canonical
from sharedrange.core.finding import Finding, Where
from sharedrange.records.keys import Key, fingerprint
from sharedrange.records.schemes import SCHEMES, scheme_of, signature_holds

_FIELDS = {"author_key": str, "body": dict, "kind": str, "prev": str, "recorded_at": str, "seq": int, "sig": str}
_LINK = re.compile(r"(?:[0-9a-f]{64})?")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
_SHORT = 16


@dataclass(frozen=True)
class Record:
    """A signed entry of a key's chain.

    `seq` counts from 0; `prev` is the id of the record before (empty at 0), so that none can be taken out or
    put between. `recorded_at` (UTC, ISO 8601, ending in Z) is what the author's clock said: shown, and never
    decided by. `body` holds JSON values and is not changed after.
    """

    kind: str
    body: Mapping[str, Json]
    author_key: str
    seq: int
    prev: str
    recorded_at: str
    sig: str = ""

    @cached_property
    def id(self) -> str:
        """SHA-256 of the canonical JSON of everything but the signature, in hexadecimal."""
        return digest({name: getattr(self, name) for name in _FIELDS if name != "sig"})

    @property
    def message(self) -> bytes:
        """What is signed: one line that a person can read, so that a stamp on paper under it says the same."""
        return f"sharedrange record {self.id}".encode("ascii")

    def line(self) -> bytes:
        """The record as it stands in its chain's file, without the end of the line."""
        return canonical({name: getattr(self, name) for name in _FIELDS})

    def __hash__(self) -> int:
        return hash((self.id, self.sig))


def sign(kind: str, body: Mapping[str, Json], key: Key, recorded_at: str, *, seq: int = 0, prev: str = "") -> Record:
    """A record with its signature. Raises ValueError or TypeError if `body` has no canonical form."""
    settled = read_canonical(canonical(body))  # as a reader will see it: lists for tuples, text for enums
    unsigned = Record(kind, settled, key.id, seq, prev, recorded_at)
    return replace(unsigned, sig=key.sign(unsigned.message))


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
    return Record(**value) if _has_shape(value) else None


def _has_shape(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() != _FIELDS.keys():
        return False
    if any(type(value[name]) is not kind for name, kind in _FIELDS.items()):
        return False
    return bool(value["seq"] >= 0 and _LINK.fullmatch(value["prev"]) and scheme_of(value["author_key"]))


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
