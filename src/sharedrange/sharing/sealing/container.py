"""A sealed package: tables and manifest in a plain zip, signed, and encrypted with age for one recipient.

The zip is written in one way only - these files in this order, stored without compression, at one fixed time - so that
a reader can write it again from what it read and compare every byte. A package that hides something between its files,
names a file twice, links, or swells when it is unpacked is then no package at all.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from sharedrange.core.canonical import Json, canonical
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.core.release import MANIFEST, TABLES, file_of
from sharedrange.core.sheets import neutral_csv
from sharedrange.records import Key, RecordSet
from sharedrange.sharing.folds import predecessors
from sharedrange.sharing.release import Released

SIGNATURE = "release.sig"
CHAIN = "records.jsonl"
ORDER = (MANIFEST, SIGNATURE, CHAIN, *sorted(map(file_of, TABLES)))  # in which the files of a container stand
MAX_BYTES = 512 << 20  # of a package: five times a million rows; opening takes four times as much memory
_WHEN = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can hold
_MODE = 0o600 << 16
_UNIX = 3
_SHORT = 12


@dataclass(frozen=True, slots=True)
class Sealed:
    """A package: its id (SHA-256 of its manifest), what is written to the stick, and the number of rows in it."""

    package: str
    content: bytes
    rows: int


def seal(released: Released, key: Key, recipient: str, *, chain: bytes, nonce: str) -> Sealed:
    """Sign a release with `key` and encrypt it for `recipient`, an age public key.

    `chain`: the sender's chain of sharing records so far; `nonce`: random text that makes two packages of the same
    content two packages. Everything before encryption depends on the arguments alone.
    Raises ValueError if `recipient` is no age public key, InputError if the package is too large to be opened again.
    """
    from pyrage import RecipientError, encrypt, x25519  # noqa: PLC0415  (start-up stays light)

    try:
        public = x25519.Recipient.from_str(recipient)
    except RecipientError:
        raise ValueError("the recipient is no age public key") from None  # not repeated: it may be a secret one
    files = {file_of(name): csv_of(table) for name, table in sorted(released.tables.items())}
    manifest = canonical({**_manifest(released, files, key, nonce), "records": hashed(chain)})
    package = hashlib.sha256(manifest).hexdigest()
    signature = key.sign(message_of(package)).encode("ascii")
    content = encrypt(contained({MANIFEST: manifest, SIGNATURE: signature, CHAIN: chain, **files}), [public])
    if len(content) > MAX_BYTES:
        raise InputError([Finding("package-large", {"bytes": len(content), "largest": MAX_BYTES})])
    return Sealed(package, content, sum(table.height for table in released.tables.values()))


def package_name(owner: str, recipient: str, package: str) -> str:
    """The file name of a package.

    Examples
    --------
    >>> package_name("westfell", "secretariat", "0123456789abcdef" * 4)
    'westfell-to-secretariat-0123456789ab.age'
    """
    return f"{owner}-to-{recipient}-{package[:_SHORT]}.age"


def message_of(package: str) -> bytes:
    """What is signed: one line that a person can read."""
    return f"sharedrange package {package}".encode("ascii")


def chain_of(records: RecordSet, key: str) -> bytes:
    """The chains that travel with a package signed by `key`: its own, and before it those of its predecessors."""
    told = predecessors(records, key)
    return b"".join(record.line() + b"\n" for record in records if record.author_key in told)


def csv_of(table: pl.DataFrame) -> bytes:
    """A table as it travels: CSV (RFC 4180) in UTF-8, dates as ISO 8601; no text that a spreadsheet would calculate."""
    return neutral_csv(table)


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


def _manifest(released: Released, files: Mapping[str, bytes], key: Key, nonce: str) -> dict[str, Json]:
    tables: dict[str, Json] = {
        name: {
            **hashed(files[file_of(name)]),
            "columns": list(TABLES[name]),
            "file": file_of(name),
            "rows": table.height,
        }
        for name, table in sorted(released.tables.items())
    }
    return {**released.manifest, "author_key": key.id, "nonce": nonce, "tables": tables}
