"""Sources that would endanger somebody, should this machine be searched: hidden here, with their lineage whole.

`hidden.json` beside node.toml says which of the node's own deliveries are hidden, by slow salted hashes and not by
name; it is never exchanged. A hidden delivery has another name from the moment the node is opened (`Hidden.name`), and
its content other ids from the moment it is read (`masked`). Nothing later knows the true ones, so nothing can tell
them. Ids keep their order, so numbers are those of the delivery unhidden.

What is hidden is the name of the source, and those of its files and stations. The files themselves lie in `own/` as
before, and the animals keep their codes: people decided about these.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from sharedrange.core.canonical import canonical, read_canonical
from sharedrange.core.contents import Delivered as Content
from sharedrange.core.errors import InputError, ProgrammeError
from sharedrange.core.files import write_atomically
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.ledger import HIDDEN
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.doors import read_delivered

if TYPE_CHECKING:
    from sharedrange.assessment.node import Delivered

HIDDEN_FILE = "hidden.json"
UNTOLD = "…"
_FORMAT = "sharedrange-hidden-1"
_SALT_BYTES, _HASH_BYTES, _NAME_LENGTH = 16, 32, 12
_COST = 1 << 13  # scrypt's n: 8 MiB and some 20 ms for each name that somebody tries, or that a node holds


@dataclass(frozen=True, slots=True)
class Hidden:
    """Which of a node's own deliveries are hidden: hashes of their names, salted so that no table of them helps."""

    salt: str = ""
    hashes: frozenset[str] = frozenset()

    def holds(self, dataset: str) -> bool:
        """Whether the delivery of this name is hidden."""
        return bool(self.hashes) and _hash(self.salt, dataset) in self.hashes

    def name(self, dataset: str) -> str:
        """What a hidden delivery is called instead: the same as long as it is hidden."""
        return _name_of(_hash(self.salt, dataset))

    @property
    def names(self) -> tuple[str, ...]:
        """What all that is hidden is called."""
        return tuple(sorted(map(_name_of, self.hashes)))

    def with_one(self, dataset: str) -> Hidden:
        """The same with one delivery more."""
        salt = self.salt or secrets.token_hex(_SALT_BYTES)
        return Hidden(salt, self.hashes | {_hash(salt, dataset)})

    def without(self, dataset: str) -> Hidden:
        """The same with one delivery less."""
        return Hidden(self.salt, self.hashes - {_hash(self.salt, dataset)})


@lru_cache(maxsize=1024)
def _hash(salt: str, dataset: str) -> str:
    """A name's hash, slow to make: names are short, and somebody with the salt could try many."""
    name = unicodedata.normalize("NFC", dataset)
    return hashlib.scrypt(name.encode(), salt=bytes.fromhex(salt), n=_COST, r=8, p=1, dklen=_HASH_BYTES).hex()


def _name_of(digest: str) -> str:
    return f"{HIDDEN}{digest[:_NAME_LENGTH]}"


def read_hidden(folder: Path) -> Hidden:
    """What is hidden in a node. Raises ProgrammeError if the file is damaged: it must not show what it hides."""
    try:
        given = read_canonical((folder / HIDDEN_FILE).read_bytes().rstrip(b"\n"))
        salt, hashes, is_ours = given["salt"], frozenset(given["hidden"]), given["format"] == _FORMAT
        sound = is_ours and len(bytes.fromhex(salt)) == _SALT_BYTES and all(isinstance(one, str) for one in hashes)
    except FileNotFoundError:
        return Hidden()
    except (OSError, ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise ProgrammeError([Finding("hidden-damaged", {"file": HIDDEN_FILE}, Where(HIDDEN_FILE))])
    return Hidden(salt, hashes)


def write_hidden(folder: Path, hidden: Hidden) -> None:
    """Keep what is hidden, for this user's eyes."""
    told = {"format": _FORMAT, "hidden": sorted(hidden.hashes), "salt": hidden.salt}
    write_atomically(folder / HIDDEN_FILE, canonical(told) + b"\n")
    (folder / HIDDEN_FILE).chmod(0o600)


def about_absent(hidden: Hidden, here: Iterable[str]) -> Iterator[Finding]:
    """A warning for each hidden delivery whose folder is not in the node: nothing is computed from it."""
    for name in sorted(set(hidden.names) - set(here)):
        yield Finding("hidden-away", {"source": name}, Where(HIDDEN_FILE), Severity.WARNING)


# --- findings ---


def masked_finding(finding: Finding, place: str | None = None) -> Finding:
    """A finding about a hidden delivery: its rule, its row and its numbers stay, every word of the files goes."""
    facts: dict[str, Fact] = {key: UNTOLD if isinstance(fact, str) else fact for key, fact in finding.facts.items()}
    return replace(finding, facts=facts, where=Where(place, row=finding.where.row))


@contextmanager
def untold(place: str) -> Iterator[None]:
    """What the system says against a file of a hidden delivery names the file: here it becomes a finding that does not.

    `place`: what the delivery is called; empty for one that is not hidden, of which everything is told as it is.
    """
    try:
        yield
    except OSError as error:
        if not place:
            raise
        facts: dict[str, Fact] = {"path": place, "problem": error.strerror or UNTOLD}
        raise InputError([Finding("system-refused", facts, Where(place))]) from None


# --- content ---

_Group = tuple[tuple[str, str], ...]  # names of one kind of thing, wherever they stand: (table, column)
_IDS: dict[str, tuple[_Group, ...]] = {
    "survey": (
        (  # a station may be called as a deployment
            ("deployments", "deployment"), ("deployments", "station"), ("effort", "deployment"),
            ("media", "deployment"), ("observations", "deployment"),
        ),
        (("media", "media"), ("observations", "media"), ("boxes", "media")),
        (("observations", "observation"),),
        (("observations", "event"),),
        (("media", "path"),),
    ),
    "counts": ((("visits", "visit"), ("counts", "visit")), (("visits", "site"),)),
    "tracks": ((("fixes", "tag"),),),
    "genotypes": ((("samples", "sample"), ("alleles", "sample")), (("samples", "permit"),)),
    "patrols": ((("patrols", "patrol"), ("observations", "patrol")), (("observations", "observation"),)),
    "proposals": ((("proposals", "media"),), (("proposals", "source"),)),
    "crossings": (),
}  # fmt: skip

_TEXTS: dict[str, _Group] = {"patrols": (("observations", "attributes"),)}  # words of rangers


def masked(content: Content, name: str) -> Content:
    """The content of a delivery under another name, with numbers in the order of the true ids in their place."""
    parts = {part: _masked_part(getattr(content, part), name, part) for part in _IDS}
    return replace(content, not_carried=(), **parts)


def _masked_part(part: Any, name: str, kind: str) -> Any:
    if part is None:
        return None
    part = replace(part, dataset=name)
    for group in _IDS[kind]:
        part = _renumbered(part, group)
    for table, column in _TEXTS.get(kind, ()):
        part = replace(part, **{table: getattr(part, table).with_columns(pl.lit(None, pl.String).alias(column))})
    return part


def _renumbered(part: Any, group: _Group) -> Any:
    """A part whose ids of one kind are numbers, as texts that sort as the ids did."""
    known = pl.concat([getattr(part, table)[column].drop_nulls().unique() for table, column in group]).unique().sort()
    if known.is_empty():
        return part
    width = len(str(known.len()))
    numbers = pl.Series([f"{n:0{width}}" for n in range(1, known.len() + 1)], dtype=pl.String)
    tables: dict[str, pl.DataFrame] = {}
    for table, column in group:
        rows = tables.get(table, getattr(part, table))
        tables[table] = rows.with_columns(pl.col(column).replace_strict(known, numbers, return_dtype=pl.String))
    return replace(part, **tables)


def read_as_told(delivered: Delivered) -> tuple[Content | None, Delivery | None, tuple[Finding, ...]]:
    """What its door says of a delivery: content, declaration and findings, masked where it is hidden."""
    with untold(delivered.source.path if delivered.is_hidden else ""):
        content, declared, findings = read_delivered(delivered.path, delivered.party)
    if not delivered.is_hidden:
        return content, declared, findings
    told = tuple(masked_finding(finding) for finding in findings)
    return (None if content is None else masked(content, delivered.dataset)), declared, told
