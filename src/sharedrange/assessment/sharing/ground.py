"""A node as sharing sees it: its agreements, whom it trusts, and what its records say of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from sharedrange.assessment.node import Delivered, OpenNode, open_node
from sharedrange.core.errors import AgreementError, InputError
from sharedrange.core.finding import Fact, Finding, Where, errors
from sharedrange.core.individuals import LocalIndividual
from sharedrange.records import Keys, RecordSet, concordance, merge
from sharedrange.sharing import folds
from sharedrange.sharing.agreement import Agreement, read_agreement
from sharedrange.sharing.release import Standing

AGREEMENTS = "agreements"
_SHORT = 12
KEY = "sharing"  # name of the key that signs agreements, releases and openings; another one signs decisions


@dataclass(frozen=True)
class Ground:
    """A node opened for sharing. `agreements`: all that lie in its folder, by id."""

    node: OpenNode
    agreements: Mapping[str, Agreement]

    @property
    def keys(self) -> Keys:
        """The node's keys."""
        return Keys(self.node.keys)

    @cached_property
    def own_key(self) -> str:
        """The public id of the node's sharing key. Raises InputError where it has none yet."""
        return self.keys.public(KEY)

    @cached_property
    def own_keys(self) -> frozenset[str]:
        """The node's sharing key and those that it took over from."""
        return folds.predecessors(self.node.records, self.own_key)

    @cached_property
    def trusted(self) -> Mapping[str, frozenset[str]]:
        """Party -> the keys that this node takes for that party's; its own keys for its own party."""
        told = folds.trusted(self.node.records, self.own_keys)
        return {**told, self.node.party: told.get(self.node.party, frozenset()) | self.own_keys}

    @cached_property
    def sealed_for(self) -> Mapping[str, str]:
        """Party -> the age key that packages for it are sealed for."""
        return folds.sealed_for(self.node.records, self.own_keys)

    @cached_property
    def opened(self) -> frozenset[str]:
        """Ids of the packages that this node opened."""
        return folds.opened(self.node.records, self.own_keys)

    def with_records(self, theirs: RecordSet) -> Ground:
        """The ground as a partner's records would make it: its newest key, signatures and revocations count."""
        return replace(self, node=replace(self.node, records=merge(self.node.records, theirs)))

    def standing(self, agreement: Agreement) -> Standing:
        """Who signed exactly this text, and whether a party to it revoked it."""
        return folds.standing(self.node.records, agreement, self.trusted)

    def agreement(self, wanted: str) -> Agreement:
        """The agreement of this id or file name. Raises AgreementError if the node has none such."""
        for agreement in self.agreements.values():
            if wanted in (agreement.id, agreement.file, Path(agreement.file).stem):
                return agreement
        known = ", ".join(sorted(self.agreements)) or "-"
        raise AgreementError([Finding("agreement-unknown", {"given": wanted, "known": known}, Where(AGREEMENTS))])

    def delivery(self, dataset: str) -> Delivered:
        """The node's own delivery of this name; what others own does not leave. Raises InputError if there is none."""
        own = [delivered for delivered in self.node.deliveries if delivered.is_own]
        for delivered in own:
            if delivered.dataset == dataset.rstrip("/").rpartition("/")[2]:
                return delivered
        known = ", ".join(delivered.dataset for delivered in own) or "-"
        raise InputError([Finding("dataset-unknown", {"given": dataset, "known": known})])

    def joint_ids(self, taxa: Iterable[str]) -> dict[LocalIndividual, str]:
        """Animals of this node's own catalogues that some other party knows too -> their joint id."""
        decided, _ = concordance(self.node.records, set(taxa))
        told: dict[LocalIndividual, str] = {}
        linked = {who for link in decided.links for who in link.pair}
        for name, members in decided.partition(linked).groups.items():
            if name.startswith("J-") and len({who.party for who in members}) > 1:
                told |= {who: name for who in members if who.party == self.node.party}
        return told


def open_ground(folder: Path | str) -> Ground:
    """Open the node in `folder` with its agreements.

    Raises ProgrammeError if the node is wrong, InputError with all findings about agreements and records.
    """
    node = open_node(folder)
    found: list[Finding] = errors(node.findings)
    agreements: dict[str, Agreement] = {}
    for path in agreement_files(node.folder):
        try:
            agreement = read_agreement(path)
        except InputError as error:
            found += error.findings
            continue
        found += about_agreement(agreement, node)
        if agreement.id in agreements:
            files = f"{agreements[agreement.id].file}, {path.name}"
            facts: dict[str, Fact] = {"agreement": agreement.id, "files": files}
            found.append(Finding("agreement-twice", facts, Where(path.name)))
        agreements[agreement.id] = agreement
    if found:
        raise InputError(found)
    return Ground(node, agreements)


def agreement_files(folder: Path) -> list[Path]:
    """The files of the agreements of a node or a courier folder; hidden ones are somebody's half-written copies."""
    return sorted(path for path in (folder / AGREEMENTS).glob("*.toml") if not path.name.startswith("."))


def about_agreement(agreement: Agreement, node: OpenNode) -> list[Finding]:
    """What is wrong with an agreement in this node: parties that its programme does not know."""
    known = {party.id for party in node.programme.parties}
    strangers = [party for party in (*agreement.parties, *agreement.onward_to) if party not in known]
    facts: dict[str, Fact] = {
        "agreement": agreement.id,
        "parties": ", ".join(strangers),
        "known": ", ".join(sorted(known)),
    }
    return [Finding("agreement-stranger", facts, Where(agreement.file))] if strangers else []


def folder_of(package: str, *, simulated: bool) -> str:
    """The name of the folder in which a package's tables lie; simulated ones say so.

    Examples
    --------
    >>> folder_of("0123456789abcdef" * 4, simulated=True)
    'SIMULATED-release-0123456789ab'
    """
    return f"{'SIMULATED-' if simulated else ''}release-{package[:_SHORT]}"
