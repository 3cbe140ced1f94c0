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
from sharedrange.records import Key, Keys, Passphrase, RecordSet, concordance, fingerprint, merge
from sharedrange.sharing import folds
from sharedrange.sharing.agreement import Agreement, read_agreement
from sharedrange.sharing.concerning import shown_to
from sharedrange.sharing.release import Standing

AGREEMENTS = "agreements"
_SHORT = 12
KEY = "sharing"  # name of the key that signs agreements, releases and openings; another one signs decisions
WAITING = f"{KEY}-new"  # a key whose predecessor has not made room yet


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

    def signing_key(self, passphrase: Passphrase) -> Key:
        """The key that signs. Raises InputError if there is none that opens, or it is giving its place to another."""
        if found := about_rotation(self.keys, self.node.records):
            raise InputError(found)
        return self.keys.load(KEY, passphrase)

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

    def shown_to(self, party: str) -> RecordSet:
        """The records of this node's sharing keys as `party` is shown them: what does not concern it is hidden."""
        own = RecordSet(tuple(record for record in self.node.records if record.author_key in self.own_keys))
        return shown_to(party, own, self.node.records, self.agreements.values(), self.trusted)

    def standing(self, agreement: Agreement) -> Standing:
        """Who signed exactly this text, and whether a party to it revoked it."""
        return folds.standing(self.node.records, agreement, self.trusted)

    def agreement(self, wanted: str) -> Agreement:
        """The agreement of this id or file name. Raises AgreementError if the node has none such."""
        for agreement in self.agreements.values():
            if wanted in (agreement.id, agreement.file, Path(agreement.file).stem):
                return agreement
        known = ", ".join(f"{Path(a.file).stem} ({a.id})" for _, a in sorted(self.agreements.items())) or "-"
        raise AgreementError([Finding("agreement-unknown", {"given": wanted, "known": known}, Where(AGREEMENTS))])

    def delivery(self, dataset: str) -> Delivered:
        """The node's own delivery of this name; what others own does not leave, nor what is hidden.

        Raises InputError if there is none.
        """
        own = [delivered for delivered in self.node.deliveries if delivered.is_own]
        for delivered in own:
            if delivered.is_hidden and dataset.rstrip("/").rpartition("/")[2] in (
                delivered.dataset,
                delivered.path.name,
            ):
                raise InputError([Finding("hidden-stays", {"source": delivered.dataset}, Where(delivered.source.path))])
            if delivered.dataset == dataset.rstrip("/").rpartition("/")[2]:
                return delivered
        known = ", ".join(delivered.dataset for delivered in own) or "-"
        raise InputError([Finding("dataset-unknown", {"given": dataset, "known": known})])

    def joint_ids(self, taxa: Iterable[str]) -> dict[LocalIndividual, str]:
        """Animals of this node's own catalogues that some other party knows too -> their joint id."""
        told: dict[LocalIndividual, str] = {}
        for name, members in self._joint_animals(taxa):
            if name.startswith("J-") and len({who.party for who in members}) > 1:
                told |= {who: name for who in members if who.party == self.node.party}
        return told

    def known_to(self, taxa: Iterable[str]) -> dict[LocalIndividual, frozenset[str]]:
        """Animals of this node's own catalogues that other parties know too -> those parties."""
        told: dict[LocalIndividual, frozenset[str]] = {}
        for _, members in self._joint_animals(taxa):
            others = frozenset(who.party for who in members) - {self.node.party}
            told |= {who: others for who in members if others and who.party == self.node.party}
        return told

    def _joint_animals(self, taxa: Iterable[str]) -> Iterable[tuple[str, tuple[LocalIndividual, ...]]]:
        """Every animal that somebody decided about, with its members."""
        decided, _ = concordance(self.node.records, set(taxa))
        linked = {who for link in decided.links for who in link.pair}
        return decided.partition(linked).groups.items()


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


def about_rotation(keys: Keys, records: RecordSet) -> list[Finding]:
    """What is wrong where a node's key is giving its place to another: it is not finished, or the other is lost.

    A key signs nothing after it named its successor, and never names another one: who names two is taken for a thief.
    """
    if KEY not in keys.names():
        return []
    named = folds.successors(records, keys.public(KEY)).items()
    is_waiting = WAITING in keys.names()
    here = {(keys.public(WAITING), keys.public(WAITING, ".age"))} if is_waiting and named else set()
    if lost := named - here:
        return [Finding("successor-lost", {"fingerprint": fingerprint(key)}) for key, _ in sorted(lost)]
    return [Finding("rotation-unfinished", {})] if is_waiting else []


def agreement_files(folder: Path) -> list[Path]:
    """The files of the agreements of a node or a courier folder; hidden ones are somebody's half-written copies."""
    return sorted(path for path in (folder / AGREEMENTS).glob("*.toml") if not path.name.startswith("."))


def about_agreement(agreement: Agreement, node: OpenNode) -> list[Finding]:
    """What is wrong with an agreement in this node: parties that its programme does not know."""
    known = {party.id for party in node.programme.parties}
    told = (party for output in agreement.outputs for party in output.to)
    strangers = [party for party in (*agreement.parties, *agreement.onward_to, *told) if party not in known]
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
