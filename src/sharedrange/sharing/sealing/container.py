"""A sealed package: tables, manifest and records in a plain zip, encrypted with age for one recipient.

What signs a package is the record of its release: it names the hash of the manifest, which names the hash of every
table, and it is the last of the chain that travels in the package. So nothing can be opened that was not recorded, and
whoever gets one package and nothing more holds what its owner recorded of it.

The zip is written in one way only - these files in this order, stored without compression, at one fixed time - so that
a reader can write it again from what it read and compare every byte. A package that hides something between its files,
names a file twice, links, or swells when it is unpacked is then no package at all.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from sharedrange.core.canonical import Json, canonical
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.core.release import MANIFEST, MOST_PICTURES, TABLES, file_of, picture_file
from sharedrange.core.sheets import neutral_csv
from sharedrange.records import RecordSet, lines
from sharedrange.sharing.folds import predecessors
from sharedrange.sharing.release import Released

if TYPE_CHECKING:
    from pyrage.x25519 import Recipient

CHAIN = "records.jsonl"
ORDER = (MANIFEST, CHAIN, *sorted(map(file_of, TABLES)))  # in which they stand; then come pictures
MOST_FILES = len(ORDER) + MOST_PICTURES
_PICTURE = re.compile(picture_file("P-[0-9a-f]{16}").replace(".", r"\."))
MAX_BYTES = 512 << 20  # of a package: five times a million rows; opening takes four times as much memory
_ROOM = 8 << 20  # for what the container (140 bytes a picture), the encryption and the record of the release add
_WHEN = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can hold
_MODE = 0o600 << 16
_UNIX = 3
_SHORT = 12


@dataclass(frozen=True, slots=True)
class Packed:
    """A package without its records: its id (SHA-256 of its manifest), its files, for whom, how many rows in all."""

    package: str
    files: Mapping[str, bytes]
    recipient: str
    rows: int


def pack(released: Released, author_key: str, recipient: str, *, nonce: str, beside: int = 0) -> Packed:
    """A release as the files of a package that `author_key` will vouch for, to be sealed for an age public key.

    `nonce`: random text that makes two packages of the same content two packages; `beside`: how many bytes of records
    will travel with it. Depends on the arguments alone.
    Raises ValueError if `recipient` is no age public key, InputError if the package is too large to be opened again.
    """
    _public(recipient)
    tables = {file_of(name): csv_of(table) for name, table in sorted(released.tables.items())}
    manifest = canonical(_manifest(released, tables, author_key, nonce))
    files = {MANIFEST: manifest, **tables, **released.files}
    size = sum(map(len, files.values())) + beside
    if size > MAX_BYTES - _ROOM:
        raise InputError([Finding("package-large", {"bytes": size, "largest": MAX_BYTES - _ROOM})])
    rows = sum(table.height for table in released.tables.values())
    return Packed(hashlib.sha256(manifest).hexdigest(), files, recipient, rows)


def seal(packed: Packed, chain: bytes) -> bytes:
    """A package with the chain of its owner, which ends with the record of this release, encrypted for its recipient.

    Everything before encryption depends on the arguments alone.
    """
    from pyrage import encrypt_io  # noqa: PLC0415  (start-up stays light)

    files = {**packed.files, CHAIN: chain}
    plain = io.BytesIO(contained({name: files[name] for name in in_order(files)}))
    sealed = io.BytesIO()
    encrypt_io(plain, sealed, [_public(packed.recipient)])  # `encrypt` would hold what it makes twice
    return sealed.getvalue()


def _public(recipient: str) -> Recipient:
    from pyrage import RecipientError, x25519  # noqa: PLC0415  (start-up stays light)

    try:
        return x25519.Recipient.from_str(recipient)
    except RecipientError:
        raise ValueError("the recipient is no age public key") from None  # not repeated: it may be a secret one


def package_name(owner: str, recipient: str, package: str) -> str:
    """The file name of a package.

    Examples
    --------
    >>> package_name("westfell", "secretariat", "0123456789abcdef" * 4)
    'westfell-to-secretariat-0123456789ab.age'
    """
    return f"{owner}-to-{recipient}-{package[:_SHORT]}.age"


def chain_of(records: RecordSet, key: str) -> bytes:
    """The chains that travel with a package signed by `key`: its own, and before it those of its predecessors."""
    told = predecessors(records, key)
    return lines(record for record in records if record.author_key in told)


def csv_of(table: pl.DataFrame) -> bytes:
    """A table as it travels: CSV (RFC 4180) in UTF-8, dates as ISO 8601; no text that a spreadsheet would calculate."""
    return neutral_csv(table)


def is_picture(name: str) -> bool:
    """Whether a file of a package has the name of a picture.

    Examples
    --------
    >>> is_picture("pictures/P-0123456789abcdef.jpg"), is_picture("pictures/../P-0123456789abcdef.jpg")
    (True, False)
    """
    return _PICTURE.fullmatch(name) is not None


def in_order(names: Iterable[str]) -> list[str]:
    """Those of these names that a package may hold, in the one order."""
    there = set(names)
    return [*(name for name in ORDER if name in there), *sorted(filter(is_picture, there))]


def hashed(content: bytes) -> dict[str, Json]:
    """What a manifest says of a file: its size and its SHA-256."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def contained(files: Mapping[str, bytes]) -> bytes:
    """The one zip that holds these files, in this order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, _WHEN)
            info.external_attr, info.create_system = _MODE, _UNIX
            archive.writestr(info, content)
    return buffer.getvalue()


def _manifest(released: Released, files: Mapping[str, bytes], author_key: str, nonce: str) -> dict[str, Json]:
    tables: dict[str, Json] = {
        name: {
            **hashed(files[file_of(name)]),
            "columns": list(TABLES[name]),
            "file": file_of(name),
            "rows": table.height,
        }
        for name, table in sorted(released.tables.items())
    }
    return {**released.manifest, "author_key": author_key, "nonce": nonce, "tables": tables}
