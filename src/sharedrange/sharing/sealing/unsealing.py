"""Opening a package: everything in it is verified before anything is given back, and no file is written here."""

from __future__ import annotations

import hashlib
import io
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from sharedrange.core.canonical import read_canonical
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding, errors
from sharedrange.core.release import FORMAT, MANIFEST, PICTURES, TABLES, file_of, picture_file
from sharedrange.records import Record, RecordSet, chain_file, from_files, schemes
from sharedrange.records.record import shape_of
from sharedrange.sharing.kinds import PARTY, Release
from sharedrange.sharing.pictures import LONGEST, is_bare
from sharedrange.sharing.pictures import MAX_BYTES as MAX_PICTURE_BYTES
from sharedrange.sharing.sealing.container import (
    CHAIN,
    MAX_BYTES,
    MOST_FILES,
    chain_of,
    contained,
    hashed,
    in_order,
    is_picture,
)

MAX_MANIFEST_BYTES = 1 << 20  # it is read before anybody vouches for it
_MEMBER = struct.Struct("<4s14xL4xHH")  # of a member's header: its mark, and how long are content, name and extras
_MEMBER_BYTES, _MEMBER_MARK = 30, b"PK\x03\x04"
_DATASET = re.compile(r"D-[0-9a-f]{16}")  # it becomes the name of a folder
_TEXTS = ("format", "nonce", "purpose", "timezone")
_DAYS = ("released_on", "valid_until")


@dataclass(frozen=True, slots=True)
class Package:
    """A package whose seal, signature, hashes and tables hold. Whether it may be opened here is `refusals`' to say.

    `files`: name -> content as it came, the manifest with the tables; `records`: the sender's chain, which ends with
    the record of this release.
    """

    package: str
    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]
    records: RecordSet

    @property
    def author_key(self) -> str:
        """The key that signed."""
        return str(self.manifest["author_key"])

    @property
    def approved_by(self) -> str:
        """The role that approved, as the record of the release says."""
        return str(self.records.of(self.author_key)[-1].body["approved_by"])

    @property
    def rows(self) -> Mapping[str, int]:
        """Table -> number of rows."""
        return {name: told["rows"] for name, told in self.manifest["tables"].items()}


def unseal(content: bytes, identity: str) -> Package:
    """The package in `content`, opened with an age identity (``AGE-SECRET-KEY-1...``), everything in it verified.

    Raises InputError with every finding: not sealed for this identity or damaged on the way, a container other than
    the one that its parts make, a manifest that is none, a signature, a hash, a number of rows or a column that is
    not as the manifest says, records that are not all the sender's.
    """
    files = _files(_decrypted(content, identity))
    manifest = _manifest(files[MANIFEST])
    package = hashlib.sha256(files[MANIFEST]).hexdigest()
    records, unsigned = _records(manifest, package, files[CHAIN])
    if unsigned:
        raise InputError(unsigned)  # nobody vouches for the rest: it is not even looked at
    found = list(_about_tables(manifest, files))
    found += [] if found else _about_pictures(files)
    if found:
        raise InputError(found)
    return Package(package, manifest, files, records)


def _decrypted(content: bytes, identity: str) -> bytes:
    from pyrage import DecryptError, IdentityError, decrypt, x25519  # noqa: PLC0415  (start-up stays light)

    if len(content) > MAX_BYTES:
        raise InputError([Finding("package-large", {"bytes": len(content), "largest": MAX_BYTES})])
    try:
        return bytes(decrypt(content, [x25519.Identity.from_str(identity)]))
    except IdentityError:
        raise InputError([Finding("age-identity", {})]) from None  # not repeated: it may be most of a secret
    except DecryptError as error:
        raise InputError([Finding("package-closed", {"problem": str(error)[:120]})]) from None


def _files(plain: bytes) -> dict[str, bytes]:
    """The files of the container, if it is byte for byte the one that they make, in the one order."""
    files = dict(_members(plain))
    is_in_order = list(files) == in_order(files)
    if not {MANIFEST, CHAIN} <= files.keys() or not is_in_order or contained(files) != plain:
        raise InputError([Finding("package-container", {})])
    return files


def _members(plain: bytes) -> Iterator[tuple[str, bytes]]:
    """What stands at the front of the container and looks like its members, one after another, none unpacked.

    No more than a package has: a directory of millions, or one stretch of bytes under many names, is never walked.
    """
    at = 0
    for _ in range(MOST_FILES):
        header = plain[at : at + _MEMBER_BYTES]
        if len(header) < _MEMBER_BYTES or not header.startswith(_MEMBER_MARK):
            return
        _, size, name_length, extra_length = _MEMBER.unpack(header)
        start = at + _MEMBER_BYTES
        name = plain[start : start + name_length].decode("ascii", "replace")
        start += name_length + extra_length
        at = start + size
        yield name, plain[start:at]


def _manifest(content: bytes) -> dict[str, Any]:
    malformed = InputError([Finding("package-manifest", {})])
    try:
        manifest = read_canonical(content) if len(content) <= MAX_MANIFEST_BYTES else None
    except ValueError:
        raise malformed from None
    if not isinstance(manifest, dict) or not _has_shape(manifest):
        raise malformed
    if manifest["format"] != FORMAT:
        raise InputError([Finding("package-format", {"given": manifest["format"][:80], "known": FORMAT})])
    return manifest


def _has_shape(manifest: Mapping[str, Any]) -> bool:
    """Whether everything that somebody here relies on is there, in form. Owner and dataset become folders' names."""
    agreement, tables = manifest.get("agreement"), manifest.get("tables")
    texts = all(isinstance(manifest.get(name), str) and manifest[name] for name in _TEXTS)
    days = all(_is_day(manifest.get(name)) for name in _DAYS)
    parties = all(_matches(PARTY, manifest.get(name)) for name in ("owner", "recipient"))
    named = _matches(_DATASET, manifest.get("dataset")) and bool(schemes.scheme_of(str(manifest.get("author_key"))))
    agreed = isinstance(agreement, dict) and all(isinstance(agreement.get(name), str) for name in ("hash", "id"))
    told = isinstance(tables, dict) and bool(tables) and all(map(_is_table, tables, tables.values()))
    return texts and days and parties and named and agreed and told


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and str(date.fromisoformat(value)) == value
    except ValueError:
        return False


def _is_hashed(told: Any) -> bool:
    return isinstance(told, dict) and type(told.get("bytes")) is int and isinstance(told.get("sha256"), str)


def _is_table(name: str, told: Any) -> bool:
    if name not in TABLES or not _is_hashed(told):
        return False
    as_agreed = told.get("file") == file_of(name) and told.get("columns") == list(TABLES[name])
    return as_agreed and type(told.get("rows")) is int


def _records(manifest: Mapping[str, Any], package: str, content: bytes) -> tuple[RecordSet, list[Finding]]:
    """The sender's chain and those of its predecessors, with what is wrong: with them, or with there being others.

    The chain of the author's key ends with the record of this release: that is what signs the package.
    """
    key = manifest["author_key"]
    if schemes.scheme_of(key) not in schemes.SCHEMES:
        return RecordSet(), [Finding("package-unknown-scheme", {"scheme": schemes.scheme_of(key)[:80]})]
    chains: dict[str, list[bytes]] = {}
    for line in content.splitlines(keepends=True):
        record = shape_of(line.rstrip(b"\n"))
        chains.setdefault(record.author_key if record else "", []).append(line)
    records = from_files({chain_file(key): b"".join(lines) for key, lines in chains.items()}, CHAIN)
    found = errors(records.findings)
    if not found and not _is_vouched_for(manifest, package, records.of(key)):
        found.append(Finding("package-signature", {"owner": manifest["owner"][:80]}))
    if not found and chain_of(records, key) != content:
        found.append(Finding("package-records", {}))
    return records, found


def _is_vouched_for(manifest: Mapping[str, Any], package: str, chain: Sequence[Record]) -> bool:
    """Whether a chain ends with the release of this package, and says the same of it as its manifest."""
    if not chain or chain[-1].kind != Release.KIND:
        return False
    told = Release.from_body(chain[-1].body)
    return told == Release(
        package=package,
        agreement=manifest["agreement"]["id"],
        hash=manifest["agreement"]["hash"],
        recipient=manifest["recipient"],
        purpose=manifest["purpose"],
        on=manifest["released_on"],
        rows=sum(table["rows"] for table in manifest["tables"].values()),
        approved_by=told.approved_by,
    )


def _about_tables(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Whether the tables are those of the manifest, each with its hash, size, columns and rows."""
    there = {name for name in files if not is_picture(name)} - {MANIFEST, CHAIN}
    told = {file_of(name) for name in manifest["tables"]}
    if there != told:
        yield Finding("package-files", {"files": ", ".join(sorted(there ^ told))})
        return
    for name, entry in manifest["tables"].items():
        content = files[file_of(name)]
        if hashed(content) != {key: entry[key] for key in ("bytes", "sha256")}:
            yield Finding("package-table-changed", {"table": name})
        elif (rows := _rows(name, content)) != entry["rows"]:
            facts: dict[str, Fact] = {"table": name, "rows": -1 if rows is None else rows, "told": entry["rows"]}
            yield Finding("package-table", facts)


def _rows(name: str, content: bytes) -> int | None:
    """Number of rows, if the content is a table with the columns and types that it should have."""
    header = ",".join(TABLES[name]).encode()
    if content.partition(b"\n")[0] != header:
        return None
    try:
        return pl.read_csv(io.BytesIO(content), schema=TABLES[name]).height
    except (PolarsError, ValueError):
        return None


def _about_pictures(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Whether the pictures are those of their table, which holds as it was signed, and have the form of what leaves."""
    table = files.get(file_of("pictures"))
    rows = pl.DataFrame(schema=PICTURES) if table is None else pl.read_csv(io.BytesIO(table), schema=PICTURES)
    told = {picture_file(str(name)): sha256 for name, sha256 in rows.select("picture", "sha256").iter_rows()}
    there = {name: content for name, content in files.items() if is_picture(name)}
    if there.keys() != told.keys() or len(told) < rows.height:
        strange = sorted(there.keys() ^ told.keys())
        yield Finding("package-pictures", {"n": len(strange), "files": ", ".join(strange[:3])[:200]})
        return
    changed = [name for name, content in there.items() if hashed(content)["sha256"] != told[name]]
    if changed:
        yield Finding("package-picture-changed", {"n": len(changed), "file": changed[0]})
    if strange := [name for name, content in there.items() if not _leaves_so(content)]:
        yield Finding("package-picture-form", {"n": len(strange), "file": strange[0]})


def _leaves_so(content: bytes) -> bool:
    """Whether a picture has the form of those that leave: pixels and nothing else, and not many of them."""
    return len(content) <= MAX_PICTURE_BYTES and is_bare(content, max(LONGEST.values()))
