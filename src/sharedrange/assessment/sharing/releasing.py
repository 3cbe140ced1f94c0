"""From a node's own delivery to a sealed package: what would leave, and its leaving, recorded before it is written."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from pathlib import Path

import polars as pl

from sharedrange.assessment.node import Delivered as Delivery
from sharedrange.assessment.node import told, writing
from sharedrange.assessment.programme import read_node
from sharedrange.assessment.sharing import looks
from sharedrange.assessment.sharing.ground import Ground, open_ground
from sharedrange.assessment.superseding import release_of
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.contents import Delivered
from sharedrange.core.errors import AgreementError, InputError
from sharedrange.core.files import folder_in_place, write_atomically, write_into
from sharedrange.core.finding import Finding, Where, errors
from sharedrange.core.progress import Progress, silent
from sharedrange.core.release import CROSSINGS, file_of
from sharedrange.core.survey import Survey
from sharedrange.exchange.doors import file_reader
from sharedrange.records import Passphrase, in_force, open_store
from sharedrange.sharing import kinds
from sharedrange.sharing.agreement import Agreement
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Released, Request, names_needed, release
from sharedrange.sharing.sealing import Packed, chain_of, pack, package_name, seal

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


def what_would_leave(
    folder: Path | str,
    asked: Asked,
    *,
    random_bytes: RandomBytes = secrets.token_bytes,
    progress: Progress = silent,
) -> Leaving:
    """What `seal_release` would let leave. Nothing is written: new pseudonyms are forgotten again.

    Raises ProgrammeError, InputError and AgreementError with every reason why nothing may leave.
    """
    ground = open_ground(folder)
    agreement = ground.agreement(asked.agreement)
    delivery = ground.delivery(asked.dataset)
    content = Surveys(ground.node).content(delivery)
    pseudonyms = _known(ground, agreement).with_names(names_needed(content, agreement), random_bytes)
    taxa = set() if content.survey is None else _taxa(content.survey)
    released = release(
        content,
        agreement,
        Request(asked.recipient, asked.purpose, asked.on),
        ground.standing(agreement),
        pseudonyms,
        joint_ids=ground.joint_ids(taxa),
        known_to=ground.known_to(taxa),
        crossings_told=tuple(_crossings_told(ground, agreement, pseudonyms, delivery)),
        simulated=ground.node.programme.simulated,
        read_file=file_reader(delivery.path, delivery.party),
        progress=progress,
    )
    return Leaving(ground, agreement, content, pseudonyms, released)


def _crossings_told(
    ground: Ground, agreement: Agreement, pseudonyms: Pseudonyms, delivery: Delivery
) -> Iterator[pl.DataFrame]:
    """What left of a delivery under an agreement before of the animals that others know too."""
    name = pseudonyms.names.get(("dataset", delivery.party, delivery.dataset))
    for body in own_releases(ground):
        copy = copy_of(ground, body.agreement, body.package)
        file = copy / file_of("crossings")
        if body.agreement == agreement.id and file.is_file() and release_of(copy).get("dataset") == name:
            yield pl.read_csv(file, schema=CROSSINGS)


def _taxa(survey: Survey) -> set[str]:
    """The taxa of everything that a survey tells of, whether counted or only seen in a picture."""
    return {taxon for table in (survey.observations, survey.boxes) for taxon in table["taxon"].drop_nulls().unique()}


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
    progress: Progress = silent,
) -> SealedPackage:
    """Release a dataset, seal it for its recipient, record it, and write the package to `out` (``packages/``).

    `check` looks at what would leave (`preview.look_at`): an error among its findings stops it. A copy of the tables
    stays in ``released/``, to know what was given, with what was seen of them. The record comes before the package,
    and travels in it: what left without one could not be accounted for. What was recorded and not written can be
    sealed anew.

    Raises ProgrammeError, InputError and AgreementError with every reason why nothing may leave.
    """
    folder = read_node(Path(folder)).folder  # the lock is a file in it: is it a node at all?
    with writing(folder), told(folder):  # from the first look on: a name, or a revocation, may come in between
        leaving = what_would_leave(folder, asked, random_bytes=random_bytes, progress=progress)
        seen = tuple(check(leaving))
        if found := errors(seen):
            raise AgreementError(found)
        leaving = replace(leaving, content=Delivered())  # a large one takes the memory that sealing needs
        recipient = _seal_for(leaving.ground, leaving.agreement, asked, approved_by)
        key = leaving.ground.signing_key(passphrase)
        store = open_store(folder / "records")
        write_pseudonyms(leaving.ground, leaving.agreement, leaving.pseudonyms)
        nonce, beside = random_bytes(_NONCE_BYTES).hex(), len(_chain(leaving.ground, asked.recipient))
        packed = pack(leaving.released, key.id, recipient, nonce=nonce, beside=beside)
        looked = looks.kept(seen, random_bytes(_NONCE_BYTES).hex())
        _keep_copy(leaving, packed, looked)
        bodies = _previewed(leaving, asked, looked), _recorded(leaving, asked, packed, approved_by)
        store.append_all(bodies, key, recorded_at)
        chain = _chain(leaving.ground.with_records(store.read()), asked.recipient)
        file = (out or folder / PACKAGES) / package_name(leaving.agreement.owner, asked.recipient, packed.package)
        write_atomically(file, seal(packed, chain))
    return SealedPackage(file, packed.package, {name: table.height for name, table in leaving.released.tables.items()})


def _chain(ground: Ground, recipient: str) -> bytes:
    """The node's chain as it travels to a recipient."""
    return chain_of(ground.shown_to(recipient), ground.own_key)


def _recorded(leaving: Leaving, asked: Asked, packed: Packed, approved_by: str) -> kinds.Release:
    """The record that a package is sealed, and its signature."""
    return kinds.Release(
        package=packed.package,
        agreement=leaving.agreement.id,
        hash=leaving.agreement.hash,
        recipient=asked.recipient,
        purpose=asked.purpose,
        on=str(asked.on),
        rows=packed.rows,
        approved_by=approved_by,
    )


def _previewed(leaving: Leaving, asked: Asked, looked: bytes) -> kinds.Preview:
    """The record that somebody looked."""
    return kinds.Preview(
        agreement=leaving.agreement.id,
        hash=leaving.agreement.hash,
        dataset=str(leaving.released.manifest["dataset"]),
        recipient=asked.recipient,
        purpose=asked.purpose,
        on=str(asked.on),
        digest=sha256(looked).hexdigest(),
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


def _keep_copy(leaving: Leaving, packed: Packed, looked: bytes) -> None:
    """Keep what leaves, and what was seen of it before."""
    with folder_in_place(copy_of(leaving.ground, leaving.agreement.id, packed.package)) as place:
        write_into(place, {**packed.files, looks.FILE: looked})


def copy_of(ground: Ground, agreement: str, package: str) -> Path:
    """The folder with the copy of what left under an agreement in a package, both by their ids."""
    return ground.node.folder / RELEASED / short_name(agreement) / package[:_NAME_LENGTH]


def short_name(agreement: str) -> str:
    """A name for an agreement, given by its id, that any file system takes."""
    return sha256(agreement.encode()).hexdigest()[:_NAME_LENGTH]


def _known(ground: Ground, agreement: Agreement) -> Pseudonyms:
    """The pseudonyms of an agreement so far.

    Raises InputError if their table is damaged, or gone though something left: never begin a new one.
    """
    path = table_of(ground, agreement.id)
    where = Where(f"{PSEUDONYMS}/{path.name}")
    if path.exists():
        return Pseudonyms.from_bytes(path.read_bytes(), where)
    if any(body.agreement == agreement.id for body in own_releases(ground)):
        raise InputError([Finding("pseudonyms-lost", {"agreement": agreement.id}, where)])
    return Pseudonyms(agreement.id)


def own_releases(ground: Ground) -> Iterator[kinds.Release]:
    """What this node released, by its own records."""
    for record, body in in_force(ground.node.records, kinds.Release):
        if record.author_key in ground.own_keys:
            yield body


def write_pseudonyms(ground: Ground, agreement: Agreement, table: Pseudonyms) -> None:
    """Keep the pseudonyms of an agreement: once told, a name stays."""
    path = table_of(ground, agreement.id)
    path.parent.mkdir(mode=0o700, exist_ok=True)  # the table is nobody else's, from its first byte on
    write_atomically(path, table.to_bytes())
    path.chmod(0o600)


def table_of(ground: Ground, agreement: str) -> Path:
    """The file of the pseudonyms of an agreement, given by its id."""
    return ground.node.folder / PSEUDONYMS / f"{short_name(agreement)}.json"
