"""What left this node and what arrived, for whoever has to answer for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

from sharedrange.assessment.node import RECEIVED, Delivered
from sharedrange.assessment.sharing.distrusting import about_lost_keys
from sharedrange.assessment.sharing.ground import Ground, folder_of, open_ground
from sharedrange.assessment.sharing.looks import FILE, Look, look
from sharedrange.assessment.sharing.releasing import copy_of
from sharedrange.core.finding import Finding, Severity
from sharedrange.records import Body, in_force
from sharedrange.sharing import folds, kinds
from sharedrange.sharing.agreement import lint

_SHORT = 12
B = TypeVar("B", bound=Body)


@dataclass(frozen=True, slots=True)
class Left:
    """A package that was made here; `opened`: whether its recipient's records say that it was opened there.

    `look`: what its owner was shown before it left.
    """

    package: str
    agreement: str
    recipient: str
    purpose: str
    on: str
    rows: int
    approved_by: str
    opened: bool
    look: Look


@dataclass(frozen=True, slots=True)
class Arrived:
    """A package that was opened here; `is_here`: whether its tables still lie in the node."""

    package: str
    owner: str
    on: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Published:
    """Numbers that somebody told a reader, made from data under these agreements (ids, of those that lie here)."""

    publication: str
    reader: str
    purpose: str
    on: str
    by: str
    agreements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Revoked:
    """An agreement that a party to it ended, and what partners said they did: (role, what) each."""

    agreement: str
    by: str
    reason: str
    answers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """The books of a node: what left, what arrived, what was told to others, what was revoked, and what is due."""

    left: tuple[Left, ...]
    arrived: tuple[Arrived, ...]
    told: tuple[Published, ...]
    revoked: tuple[Revoked, ...]
    findings: tuple[Finding, ...]


def audit(folder: Path | str, today: date) -> Audit:
    """What left this node and what arrived, by its records, with what is due or doubtful.

    Raises ProgrammeError and InputError if the node cannot be read.
    """
    ground = open_ground(folder)
    left, arrived = _left(ground), _arrived(ground)
    deliveries = (*ground.node.deliveries, *ground.node.superseded)
    found = [
        *ground.node.findings,
        *_about_left(left),
        *_about_agreements(ground, today),
        *_about_arrived(ground, arrived),
        *_about_expired(ground, today),
        *about_lost_keys(ground, deliveries),
    ]
    return Audit(left, arrived, _published(ground), _revoked(ground), tuple(found))


def _told(ground: Ground, kind: type[B], *, ours: bool = True) -> list[B]:
    """What this node's records say of one kind, or what the others' do."""
    made = in_force(ground.node.records, kind)
    return [body for record, body in made if (record.author_key in ground.own_keys) is ours]


def _left(ground: Ground) -> tuple[Left, ...]:
    elsewhere = {opening.package for opening in _told(ground, kinds.Opening, ours=False)}
    # The record of the look stands before that of the release.
    digests = {record.id: seen.digest for record, seen in in_force(ground.node.records, kinds.Preview)}
    rows = [
        Left(
            r.package, r.agreement, r.recipient, r.purpose, r.on, r.rows, r.approved_by,
            opened=r.package in elsewhere,
            look=look(copy_of(ground, r.agreement, r.package) / FILE, digests.get(record.prev, "")),
        )
        for record, r in in_force(ground.node.records, kinds.Release)
        if record.author_key in ground.own_keys
    ]  # fmt: skip
    return tuple(sorted(rows, key=lambda row: (row.on, row.package)))


def _about_left(left: Iterable[Left]) -> Iterator[Finding]:
    """Packages of which nobody can say any more what was seen before they left."""
    for row in left:
        facts = {"package": row.package[:_SHORT], "recipient": row.recipient}
        if row.look.state == "gone":
            yield Finding("preview-gone", facts, severity=Severity.WARNING)
        if row.look.state == "changed":
            yield Finding("preview-changed", facts, severity=Severity.WARNING)


def _arrived(ground: Ground) -> tuple[Arrived, ...]:
    received = ground.node.folder / RECEIVED
    rows = [
        Arrived(o.package, o.owner, o.on, any((received / o.owner / name).is_dir() for name in _names(o.package)))
        for o in _told(ground, kinds.Opening)
    ]
    return tuple(sorted(rows, key=lambda row: (row.on, row.package)))


def _published(ground: Ground) -> tuple[Published, ...]:
    """What this node told, and what partners told of data that came under the agreements that lie here."""
    known = {key for keys in ground.trusted.values() for key in keys}
    by_hash = {agreement.hash: agreement.id for agreement in ground.agreements.values()}
    rows = [
        Published(
            p.publication, p.reader, p.purpose, p.on, p.by, tuple(by_hash[h] for h in p.agreements if h in by_hash)
        )
        for record, p in in_force(ground.node.records, kinds.Publication)
        if record.author_key in known
    ]
    return tuple(sorted(rows, key=lambda row: (row.on, row.publication)))


def _revoked(ground: Ground) -> tuple[Revoked, ...]:
    known = {key for keys in ground.trusted.values() for key in keys}
    receipts = [(body, record.author_key) for record, body in in_force(ground.node.records, kinds.Receipt)]
    return tuple(
        Revoked(
            agreement.id,
            revocation.by,
            revocation.reason,
            tuple(sorted((r.by, r.what) for r, author in receipts if r.of == record.id and author in known)),
        )
        for _, agreement in sorted(ground.agreements.items())
        for record, revocation in folds.revocations(ground.node.records, agreement, ground.trusted)
    )


def _about_agreements(ground: Ground, today: date) -> list[Finding]:
    """What is doubtful in the agreements, and revocations that nobody here has answered for."""
    found: list[Finding] = []
    receipts = {receipt.of for receipt in _told(ground, kinds.Receipt)}
    for agreement in ground.agreements.values():
        if not ground.standing(agreement).revoked:
            found += [Finding(f.rule, f.facts, f.where, Severity.WARNING) for f in lint(agreement, today)]
        for record, _ in folds.revocations(ground.node.records, agreement, ground.trusted):
            due = agreement.duties.acknowledge_revocation and record.author_key not in ground.own_keys
            if due and record.id not in receipts:
                facts = {"agreement": agreement.id, "record": record.id}
                found.append(Finding("receipt-due", facts, severity=Severity.WARNING))
    return found


def _about_arrived(ground: Ground, arrived: tuple[Arrived, ...]) -> list[Finding]:
    """Packages that lie here though their agreement was revoked, or without a record of their opening."""
    found = []
    known = {f"{row.owner}/{name}" for row in arrived for name in _names(row.package)}
    for delivered in (*ground.node.deliveries, *ground.node.superseded):
        under = delivered.source.released_under
        path = {"path": delivered.source.path, "agreement": under}
        if under and f"{delivered.party}/{delivered.dataset}" not in known:
            found.append(Finding("package-unrecorded", path, severity=Severity.WARNING))
    return [*found, *about_revoked(ground, (*ground.node.deliveries, *ground.node.superseded))]


def about_revoked(ground: Ground, deliveries: Iterable[Delivered]) -> Iterator[Finding]:
    """A warning for each delivery that came under an agreement that a party to it revoked since."""
    revoked = {a.id for a in ground.agreements.values() if ground.standing(a).revoked}
    for delivered in deliveries:
        if delivered.source.released_under in revoked:
            facts = {"path": delivered.source.path, "agreement": delivered.source.released_under}
            yield Finding("package-of-revoked", facts, severity=Severity.WARNING)


def _about_expired(ground: Ground, today: date) -> Iterator[Finding]:
    """Packages that lie here though their agreement has ended, where it says that they are to be deleted then."""
    for delivered in (*ground.node.deliveries, *ground.node.superseded):
        agreement = ground.agreements.get(delivered.source.released_under)
        if agreement is not None and agreement.duties.delete_on_expiry and today > agreement.valid.end:
            facts = {"path": delivered.source.path, "agreement": agreement.id, "end": str(agreement.valid.end)}
            yield Finding("package-of-expired", facts, severity=Severity.WARNING)


def _names(package: str) -> tuple[str, str]:
    """The names that a package's folder may have."""
    return folder_of(package, simulated=False), folder_of(package, simulated=True)
