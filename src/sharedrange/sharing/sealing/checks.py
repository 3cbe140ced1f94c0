"""Whether a package that is whole may be opened here: for us, from whom it says, agreed, in time, and not before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from sharedrange.core.canonical import canonical
from sharedrange.core.finding import Fact, Finding
from sharedrange.records import RecordSet, fingerprint
from sharedrange.sharing.agreement import Agreement
from sharedrange.sharing.folds import taken_back
from sharedrange.sharing.release import Standing, said_of
from sharedrange.sharing.sealing.unsealing import Package


@dataclass(frozen=True, slots=True)
class Expected:
    """What a node knows when it looks at a package.

    `party`: whose node it is; `agreement`: the one that the package names, if the node has it, and how it stands;
    `trusted`: party -> keys; `records`: all that the node holds; `opened`: packages that it opened before.
    """

    party: str
    agreement: Agreement | None
    standing: Standing
    trusted: Mapping[str, Collection[str]]
    records: RecordSet
    opened: Collection[str]
    on: date


def refusals(package: Package, expected: Expected) -> tuple[Finding, ...]:
    """Every reason why a package is not opened here; none if it may be."""
    return (
        *_about_sender(package, expected),
        *_about_recipient(package, expected),
        *_about_agreement(package, expected),
        *_about_records(package, expected),
    )


def _about_sender(package: Package, expected: Expected) -> Iterator[Finding]:
    owner = package.manifest["owner"]
    if package.author_key not in expected.trusted.get(owner, ()):
        facts: dict[str, Fact] = {"owner": owner, "fingerprint": fingerprint(package.author_key)}
        yield Finding("package-untrusted", facts)


def _about_recipient(package: Package, expected: Expected) -> Iterator[Finding]:
    if package.manifest["recipient"] != expected.party:
        yield Finding("package-recipient", {"recipient": package.manifest["recipient"], "party": expected.party})
    if package.package in expected.opened:
        yield Finding("package-opened", {"package": package.package[:12]})


def _about_agreement(package: Package, expected: Expected) -> Iterator[Finding]:
    told, agreement = package.manifest["agreement"], expected.agreement
    if agreement is None:
        yield Finding("package-agreement-unknown", {"agreement": told["id"]})
        return
    if agreement.hash != told["hash"]:
        yield Finding("package-agreement-changed", {"agreement": told["id"]})
        return
    facts: dict[str, Fact] = {"agreement": agreement.id}
    if unsigned := [party for party in agreement.parties if party not in expected.standing.signed_by]:
        yield Finding("agreement-unsigned", {**facts, "parties": ", ".join(unsigned)})
    if expected.standing.revoked:
        yield Finding("agreement-revoked", facts)
    for day in sorted({package.manifest["released_on"], str(expected.on)}):
        if not str(agreement.valid.start) <= day <= str(agreement.valid.end):
            valid = {"start": str(agreement.valid.start), "end": str(agreement.valid.end), "day": day}
            yield Finding("agreement-not-valid", {**facts, **valid})
    if agreement.approved_by != package.approved_by:
        roles = {"given": package.approved_by, "needed": agreement.approved_by, "owner": agreement.owner}
        yield Finding("package-not-approved", {**facts, **roles})
    told_of = {name: package.manifest.get(name) for name in said_of(agreement)}
    if unlike := [name for name, said in said_of(agreement).items() if canonical(said) != canonical(told_of[name])]:
        yield Finding("package-agreement-differs", {**facts, "keys": ", ".join(unlike)})
    if agreement.owner != package.manifest["owner"]:
        yield Finding("release-owner", {**facts, "owner": agreement.owner, "party": package.manifest["owner"]})
    if package.manifest["recipient"] not in agreement.recipients:
        known = ", ".join(agreement.recipients)
        yield Finding("release-recipient", {**facts, "recipient": package.manifest["recipient"], "known": known})
    if package.manifest["purpose"] not in agreement.purposes:
        known = ", ".join(agreement.purposes)
        yield Finding("release-purpose", {**facts, "purpose": package.manifest["purpose"][:80], "known": known})


def _about_records(package: Package, expected: Expected) -> Iterator[Finding]:
    """Whether the sender's chains go on from what was seen of them: nothing taken back, nothing told twice."""
    if lost := sum(taken_back(expected.records, package.records).values()):
        yield Finding("package-chain-rewritten", {"owner": package.manifest["owner"], "n": lost})
