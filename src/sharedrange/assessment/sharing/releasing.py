"""From a node's own delivery to a sealed package: what would leave, and its leaving, recorded before it is written."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path

import polars as pl

from sharedrange.assessment.node import told, writing
from sharedrange.assessment.programme import read_node
from sharedrange.assessment.sharing.ground import KEY, Ground, open_ground
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.contents import Delivered
from sharedrange.core.errors import AgreementError, InputError
from sharedrange.core.files import folder_in_place, write_atomically
from sharedrange.core.finding import Finding, Where, errors
from sharedrange.core.release import TABLES, file_of
from sharedrange.records import Passphrase, in_force, open_store
from sharedrange.sharing import kinds
from sharedrange.sharing.agreement import Agreement
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Released, Request, names_needed, release
from sharedrange.sharing.sealing import Sealed, chain_of, csv_of, package_name, seal

PSEUDONYMS = "pseudonyms"  # tables of pseudonyms, one an agreement: never exchanged
PACKAGES = "packages"
RELEASED = "released"  # copies of what left, by agreement and package: for the owner alone
_NAME_LENGTH = 16
_NONCE_BYTES = 16

RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked to leave: a dataset of the node, under an agreement (id or file), for whom, what for, which day."""

    dataset: str
    agreement: str
    recipient: str
    purpose: str
    on: date


@dataclass(frozen=True, slots=True)
class Leaving:
    """What would leave, and what its owner may lay beside it: the delivery as it is, and the pseudonyms."""

    ground: Ground
    agreement: Agreement
    content: Delivered
    pseudonyms: Pseudonyms
    released: Released


@dataclass(frozen=True, slots=True)
class SealedPackage:
    """A package as it was written: its file, its id, and the rows of each table."""

    file: Path
    package: str
    rows: dict[str, int]


def what_would_leave(folder: Path | str, asked: Asked, *, random_bytes: RandomBytes = secrets.token_bytes) -> Leaving:
    """What `seal_release` would let leave. Nothing is written: new pseudonyms are forgotten again.

    Raises ProgrammeError, InputError and AgreementError with every reason why nothing may leave.
    """
    ground = open_ground(folder)
    agreement = ground.agreement(asked.agreement)
    content = Surveys(ground.node).content(ground.delivery(asked.dataset))
    pseudonyms = _known(ground, agreement).with_names(names_needed(content, agreement), random_bytes)
    taxa = set() if content.survey is None else set(content.survey.observations["taxon"].drop_nulls().unique())
    released = release(
        content,
        agreement,
        Request(asked.recipient, asked.purpose, asked.on),
        ground.standing(agreement),
        pseudonyms,
        joint_ids=ground.joint_ids(taxa),
        simulated=ground.node.programme.simulated,
    )
    return Leaving(ground, agreement, content, pseudonyms, released)


def seal_release(
    folder: Path | str,
    asked: Asked,
    *,
    approved_by: str,
    recorded_at: str,
    check: Callable[[Leaving], Sequence[Finding]],
    out: Path | None = None,
    passphrase: Passphrase = None,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> SealedPackage:
    """Release a dataset, seal it for its recipient, record it, and write the package to `out` (``packages/``).

    `check` looks at what would leave (`preview.look_at`): an error among its findings stops it. A copy of the tables
    stays in ``released/``, to know what was given. The record comes before the package: what left without one could
    not be accounted for; what was recorded and not written can be sealed anew.

    Raises ProgrammeError, InputError and AgreementError with every reason why nothing may leave.
    """
    folder = read_node(Path(folder)).folder  # the lock is a file in it: is it a node at all?
    with writing(folder), told(folder):  # from the first look on: a name, or a revocation, may come in between
        leaving = what_would_leave(folder, asked, random_bytes=random_bytes)
        seen = tuple(check(leaving))
        if found := errors(seen):
            raise AgreementError(found)
        recipient = _seal_for(leaving.ground, leaving.agreement, asked, approved_by)
        key = leaving.ground.keys.load(KEY, passphrase)
        store = open_store(folder / "records")
        write_pseudonyms(leaving.ground, leaving.agreement, leaving.pseudonyms)
        chain = chain_of(store.read(), key.id)
        sealed = seal(leaving.released, key, recipient, chain=chain, nonce=random_bytes(_NONCE_BYTES).hex())
        _keep_copy(leaving.ground, leaving.agreement, sealed.package, leaving.released)
        bodies = _previewed(leaving, asked, seen, random_bytes), _recorded(leaving, asked, sealed, approved_by)
        store.append_all(bodies, key, recorded_at)
        file = (out or folder / PACKAGES) / package_name(leaving.agreement.owner, asked.recipient, sealed.package)
        write_atomically(file, sealed.content)
    return SealedPackage(file, sealed.package, {name: table.height for name, table in leaving.released.tables.items()})


def _recorded(leaving: Leaving, asked: Asked, sealed: Sealed, approved_by: str) -> kinds.Release:
    """The record that a package was sealed."""
    return kinds.Release(
        package=sealed.package,
        agreement=leaving.agreement.id,
        hash=leaving.agreement.hash,
        recipient=asked.recipient,
        purpose=asked.purpose,
        on=str(asked.on),
        sealed=sha256(sealed.content).hexdigest(),
        rows=sealed.rows,
        approved_by=approved_by,
    )


def _previewed(leaving: Leaving, asked: Asked, seen: Sequence[Finding], random_bytes: RandomBytes) -> kinds.Preview:
    """The record that somebody looked; what was seen is hashed with a salt, since the record travels."""
    digest = sha256(random_bytes(_NONCE_BYTES) + "\n".join(map(str, seen)).encode()).hexdigest()
    return kinds.Preview(
        agreement=leaving.agreement.id,
        hash=leaving.agreement.hash,
        dataset=str(leaving.released.manifest["dataset"]),
        recipient=asked.recipient,
        purpose=asked.purpose,
        on=str(asked.on),
        digest=digest,
    )


def _seal_for(ground: Ground, agreement: Agreement, asked: Asked, approved_by: str) -> str:
    """The age key of the recipient. Raises AgreementError if nobody knows it, or the wrong role approves."""
    found = []
    age = ground.sealed_for.get(asked.recipient, "")
    if not age:
        found.append(Finding("recipient-without-key", {"recipient": asked.recipient}))
    if approved_by != agreement.approved_by:
        facts = {"agreement": agreement.id, "given": approved_by, "needed": agreement.approved_by}
        found.append(Finding("release-not-approved", facts))
    if found:
        raise AgreementError(found)
    return age


def earlier_releases(ground: Ground, agreement: Agreement) -> list[dict[str, pl.DataFrame]]:
    """The tables that left under an agreement before, in order of their packages' names."""
    # Hidden ones are copies that a run left half-written when it was killed.
    kept = sorted(p for p in (ground.node.folder / RELEASED / _short(agreement)).glob("*/") if p.name[0] != ".")
    return [
        {
            name: pl.read_csv(file, schema=schema)
            for name, schema in TABLES.items()
            if (file := place / file_of(name)).is_file()
        }
        for place in kept
    ]


def _keep_copy(ground: Ground, agreement: Agreement, package: str, released: Released) -> None:
    with folder_in_place(ground.node.folder / RELEASED / _short(agreement) / package[:_NAME_LENGTH]) as place:
        for name, table in released.tables.items():
            (place / file_of(name)).write_bytes(csv_of(table))


def _short(agreement: Agreement) -> str:
    """A name for an agreement that any file system takes."""
    return sha256(agreement.id.encode()).hexdigest()[:_NAME_LENGTH]


def _known(ground: Ground, agreement: Agreement) -> Pseudonyms:
    """The pseudonyms of an agreement so far.

    Raises InputError if their table is damaged, or gone though something left: never begin a new one.
    """
    path = _table(ground, agreement)
    where = Where(f"{PSEUDONYMS}/{path.name}")
    if path.exists():
        return Pseudonyms.from_bytes(path.read_bytes(), where)
    if any(body.agreement == agreement.id for body in _own_releases(ground)):
        raise InputError([Finding("pseudonyms-lost", {"agreement": agreement.id}, where)])
    return Pseudonyms(agreement.id)


def _own_releases(ground: Ground) -> Iterator[kinds.Release]:
    """What this node released, by its own records."""
    for record, body in in_force(ground.node.records, kinds.Release):
        if record.author_key in ground.own_keys:
            yield body


def write_pseudonyms(ground: Ground, agreement: Agreement, table: Pseudonyms) -> None:
    """Keep the pseudonyms of an agreement: once told, a name stays."""
    path = _table(ground, agreement)
    path.parent.mkdir(mode=0o700, exist_ok=True)  # the table is nobody else's, from its first byte on
    write_atomically(path, table.to_bytes())
    path.chmod(0o600)


def _table(ground: Ground, agreement: Agreement) -> Path:
    return ground.node.folder / PSEUDONYMS / f"{_short(agreement)}.json"
