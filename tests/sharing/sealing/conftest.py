"""A small package to attack, and the tools of somebody who can read it and wants it to say something else."""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from types import ModuleType
from typing import Any

import pyrage
import pytest

from sharedrange.core.canonical import canonical, read_canonical
from sharedrange.core.errors import InputError
from sharedrange.core.release import MANIFEST
from sharedrange.records import Body, Key, Record, RecordSet, key_from_seed
from sharedrange.records.record import next_after, shape_of
from sharedrange.sharing.agreement import Agreement
from sharedrange.sharing.kinds import AgreementSigned, Release
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Released, Request, Standing, names_needed, release
from sharedrange.sharing.sealing import CHAIN, Expected, Package, pack, refusals, seal, unseal
from sharedrange.sharing.sealing.container import contained

OWNER, STRANGER = key_from_seed(b"westfell of these tests"), key_from_seed(b"nobody that westfell knows")
US, THEM = (
    pyrage.x25519.Identity.generate(),
    pyrage.x25519.Identity.generate(),
)  # what is tested does not depend on them
WHEN = "2026-11-22T10:00:00Z"


def released(kit: Any, agreement: Agreement, *, on: date | None = None, seen: Any = None) -> Released:
    """What leaves of the kit's survey, its pseudonyms counted rather than drawn."""
    content = kit.delivered(kit.survey(seen=seen or kit.SEEN))
    numbers = iter(range(1, 10_000))
    table = Pseudonyms(agreement.id).with_names(
        names_needed(content, agreement), lambda n: next(numbers).to_bytes(n, "big")
    )
    request = Request(kit.RECIPIENT, kit.PURPOSE, on or kit.TODAY)
    return release(content, agreement, request, Standing(frozenset(agreement.parties)), table)


def chain(key: Key, *bodies: Body) -> tuple[Record, ...]:
    """Records of these, one after another, in the chain of a key."""
    made: list[Record] = []
    for body in bodies:
        made.append(next_after(made[-1] if made else None, body.KIND, body.to_body(), key, WHEN))
    return tuple(made)


def lines(*records: Record) -> bytes:
    """Records as they stand in a file."""
    return b"".join(record.line() + b"\n" for record in records)


def signed(agreement: Agreement, party: str) -> AgreementSigned:
    """That a party signed an agreement."""
    return AgreementSigned(agreement.id, agreement.hash, party, f"{party}/director")


@dataclass(frozen=True, slots=True)
class Sealed:
    """A package: its id, the file that leaves, how many rows it has."""

    package: str
    content: bytes
    rows: int


def sealed(kit: Any, *, key: Key = OWNER, records: bytes | None = None, nonce: str = "ab" * 16, **more: Any) -> Sealed:
    """The kit's release, sealed for us; `records`: what the owner recorded before."""
    return sealed_of(released(kit, kit.agreement(), **more), kit, key=key, records=records, nonce=nonce)


def sealed_of(
    one: Released, kit: Any, *, key: Key = OWNER, records: bytes | None = None, nonce: str = "ab" * 16
) -> Sealed:
    """A release, sealed for us and vouched for by `key`."""
    before = lines(*chain(key, signed(kit.agreement(), kit.OWNER))) if records is None else records
    packed = pack(one, key.id, str(US.to_public()), nonce=nonce)
    return Sealed(packed.package, seal(packed, vouched(before, packed.files[MANIFEST], key)), packed.rows)


def vouched(records: bytes, manifest: bytes, key: Key, **changes: Any) -> bytes:
    """Records, and after them the one by which `key` vouches for a manifest."""
    told = read_canonical(manifest)
    body = {
        "package": hashlib.sha256(manifest).hexdigest(),
        "agreement": told["agreement"]["id"],
        "hash": told["agreement"]["hash"],
        "recipient": told["recipient"],
        "purpose": told["purpose"],
        "on": told["released_on"],
        "rows": sum(table["rows"] for table in told["tables"].values()),
        "approved_by": "westfell/data-steward",
        **changes,
    }
    known = [record for line in records.splitlines() if (record := shape_of(line)) and record.author_key == key.id]
    last = next_after(known[-1] if known else None, Release.KIND, body, key, WHEN)
    return records + lines(last)


def plain_of(content: bytes) -> bytes:
    """What a recipient finds under the encryption."""
    return bytes(pyrage.decrypt(content, [US]))


def closed(plain: bytes) -> bytes:
    """Anything at all, encrypted for us: whoever knows our public key can."""
    return bytes(pyrage.encrypt(plain, [US.to_public()]))


def files_of(content: bytes) -> dict[str, bytes]:
    """Name -> content of the files in a sealed package, in their order."""
    with zipfile.ZipFile(io.BytesIO(plain_of(content))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def forged(content: bytes, key: Key | None = None, **changes: Callable[[Any], Any]) -> bytes:
    """The package with fields of its manifest changed, signed by `key` where there is one."""
    files = files_of(content)
    manifest = read_canonical(files[MANIFEST])
    for name, change in changes.items():
        manifest[name] = change(manifest.get(name))
    return with_manifest(files, canonical(manifest), key)


def with_manifest(files: Mapping[str, bytes], manifest: bytes, key: Key | None) -> bytes:
    """The files with another manifest, signed by `key` where there is one; but for what is no manifest at all."""
    records = files[CHAIN]
    if key is not None:
        with suppress(ValueError, KeyError, TypeError, AttributeError):  # what is no manifest cannot be recorded
            records = vouched(without_last(records), manifest, key)
    return closed(contained({**files, MANIFEST: manifest, CHAIN: records}))


def without_last(records: bytes) -> bytes:
    """Records but for the last."""
    return b"".join(records.splitlines(keepends=True)[:-1])


def with_records(content: bytes, records: bytes) -> bytes:
    """The package with other records."""
    return closed(contained({**files_of(content), CHAIN: records}))


def with_table(content: bytes, file: str, table: bytes, key: Key | None = None) -> bytes:
    """The package with another table; the manifest made to fit where `key` can sign it."""
    files = {**files_of(content), file: table}
    if key is None:
        return closed(contained(files))
    manifest = read_canonical(files[MANIFEST])
    told = manifest["tables"][file.removesuffix(".csv")]
    told |= {"bytes": len(table), "sha256": hashlib.sha256(table).hexdigest()}
    return with_manifest(files, canonical(manifest), key)


def refused(content: bytes, identity: str | None = None) -> list[str]:
    """The rules by which a package is refused."""
    with pytest.raises(InputError) as error:
        unseal(content, identity or str(US))
    return [finding.rule for finding in error.value.findings]


def expected(kit: Any, **changes: Any) -> Expected:
    """What the recipient's node knows on the day when everything is right."""
    agreement = kit.agreement()
    known: dict[str, Any] = {
        "party": kit.RECIPIENT,
        "agreement": agreement,
        "standing": Standing(frozenset(agreement.parties)),
        "trusted": {kit.OWNER: frozenset({OWNER.id})},
        "records": RecordSet(),
        "opened": frozenset(),
        "on": kit.TODAY,
    }
    return Expected(**{**known, **changes})


def opened(content: bytes) -> Package:
    """The package, opened by us."""
    return unseal(content, str(US))


def refused_inside(plain: bytes) -> list[str]:
    """The rules by which something that was encrypted for us is refused."""
    return refused(closed(plain))


def rules(kit: Any, content: bytes, **changes: Any) -> list[str]:
    """The rules by which the recipient's node does not open a package that is whole."""
    return [finding.rule for finding in refusals(opened(content), expected(kit, **changes))]


@pytest.fixture(scope="session")
def tools() -> ModuleType:
    """All of the above."""
    return sys.modules[__name__]


@pytest.fixture(scope="session")
def content(kit: Any) -> bytes:
    """One sealed package, for all who want to damage it."""
    return sealed(kit).content
