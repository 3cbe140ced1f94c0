"""The deliveries of a node, read: through their door once, from then on from the node's store in `work/store`.

The store knows a delivery by party, dataset and the hash of its bytes, and by the code that read it: other bytes or
other code are read anew. Whatever keeps the store from being used (a damaged file, a full disk, a folder that is not
ours to write to) costs time and nothing else: then the delivery is read through its door and kept in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import polars as pl

from sharedrange.assessment.cache import code_hash, finding_from, finding_value, versions
from sharedrange.assessment.masking import read_as_told
from sharedrange.assessment.node import Delivered, OpenNode
from sharedrange.core.canonical import digest
from sharedrange.core.contents import Crossings, SiteCounts
from sharedrange.core.contents import Delivered as Content
from sharedrange.core.errors import InputError
from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Fact, Finding, Severity, Where, errors
from sharedrange.core.survey import Survey
from sharedrange.exchange.instances import instance_ids
from sharedrange.exchange.store import Store

PICTURED = ("media", "boxes")  # no question is answered from them, and they are as large as the observations


@dataclass(frozen=True, slots=True)
class _Read:
    """What the door said of a delivery, and the ids of its submissions; `content` only where the store has it not."""

    findings: tuple[Finding, ...]
    instances: frozenset[str] = frozenset()
    content: Content | None = None


class Surveys:
    """The surveys of a node's deliveries. All are read when the first of them is asked for, and judged together.

    What a caller has let go is not kept in memory, but for the observations of single species. `reading` is told the
    path of each delivery that is about to go through its door, which takes long where it is large.
    """

    def __init__(self, node: OpenNode, reading: Callable[[str], None] = lambda _: None) -> None:
        self._node = node
        self._reading = reading
        self._store = Store(node.work / "store")
        self._chosen: dict[tuple[str, frozenset[str]], Survey | None] = {}

    @cached_property
    def _read(self) -> dict[str, _Read]:
        """By the id of its source, every delivery of the node; read one after the other. Raises InputError."""
        reader = digest([code_hash(), versions()])
        read: dict[str, _Read] = {}
        wrong: list[Finding] = []
        for delivered in self._node.deliveries:
            known = _known(self._store, delivered, reader)
            if known is None:
                self._reading(delivered.source.path)
                known, found = _by_door(self._store, delivered, reader)
                wrong += found
            read[delivered.source.id] = known
        if wrong:
            raise InputError(wrong)
        if not self._node.reader:  # what another reader may not see stays in the store
            self._forget_others()
        return read

    @cached_property
    def about_submissions(self) -> tuple[Finding, ...]:
        """A warning for every two deliveries that hold the same submissions: they count twice.

        Raises InputError with all findings of the node.
        """
        holding = [(d, ids) for d in self._node.deliveries if (ids := self._read[d.source.id].instances)]
        return tuple(
            _in_two(delivered, earlier, len(shared))
            for (earlier, some), (delivered, others) in combinations(holding, 2)
            if (shared := some & others)
        )

    def _forget_others(self) -> None:
        """Take out what is no longer in the node, so that the store says what the node holds."""
        held = {_key(delivered) for delivered in self._node.deliveries}
        with suppress(InputError):
            if gone := [known.key for known in self._store.imports() if known.key not in held]:
                self._store.remove(*gone)

    def content(self, delivered: Delivered) -> Content:
        """Everything that one delivery holds. Raises InputError with all findings of the node."""
        return self._content(delivered, None, ())

    def of(self, delivered: Delivered, taxa: frozenset[str] | None = None) -> Survey | None:
        """The survey of one delivery, if it holds one, without its media; of the observations those of `taxa`.

        Raises InputError with all findings of the node.
        """
        if taxa is None:
            return _survey(self._content(delivered, None, PICTURED), None)
        key = delivered.source.id, taxa
        if key not in self._chosen:
            self._chosen[key] = _survey(self._content(delivered, taxa, PICTURED), taxa)
        return self._chosen[key]

    def counts(self, delivered: Delivered) -> SiteCounts | None:
        """The counts at sites of one delivery, if it holds any. Raises InputError with all findings of the node."""
        return self._content(delivered, frozenset(), (*PICTURED, "observations", "proposals")).counts

    def crossings(self, delivered: Delivered) -> Crossings | None:
        """The crossings that one delivery tells of, if it does. Raises InputError with all findings of the node."""
        return self._content(delivered, frozenset(), (*PICTURED, "observations", "proposals")).crossings

    def findings(self, delivered: Delivered) -> tuple[Finding, ...]:
        """What is worth knowing about one delivery."""
        return tuple(_in_node(delivered, finding) for finding in self._read[delivered.source.id].findings)

    def _content(self, delivered: Delivered, taxa: frozenset[str] | None, without: tuple[str, ...]) -> Content:
        read = self._read[delivered.source.id]
        if read.content is not None:
            return read.content
        with suppress(InputError):  # damaged, or cleared away by somebody since it was looked at
            held = self._store.delivered(_key(delivered), taxa=taxa, without=without)
            if held is not None:
                return held
        content, _, findings = read_as_told(delivered)
        if content is None:
            raise InputError([_in_node(delivered, finding) for finding in findings])
        self._read[delivered.source.id] = replace(read, content=content)
        return content


def _key(delivered: Delivered) -> tuple[str, str, str]:
    return delivered.party, delivered.dataset, delivered.source.sha256


def _known(store: Store, delivered: Delivered, reader: str) -> _Read | None:
    """What the store holds whole of a delivery, or None; what is damaged is taken out."""
    try:
        notes = store.notes(_key(delivered), reader)
    except InputError:
        with suppress(InputError):
            store.clear()
        return None
    if notes is None:
        with suppress(InputError):
            if any(known.key == _key(delivered) for known in store.imports()):
                store.remove(_key(delivered))
        return None
    told = json.loads(notes)
    return _Read(tuple(map(finding_from, told["findings"])), frozenset(told["instances"]))


def _by_door(store: Store, delivered: Delivered, reader: str) -> tuple[_Read, list[Finding]]:
    """What the door says of a delivery, kept in the store if it can be; and the errors, with which nothing is kept."""
    content, declared, findings = read_as_told(delivered)
    wrong = list(findings) if content is None else errors(findings)
    if content is None or declared is None or wrong:
        return _Read(findings), [_in_node(delivered, finding) for finding in wrong]
    read = _Read(findings, instance_ids(delivered.path, declared))
    return (read if _keep(store, delivered, content, read, reader) else replace(read, content=content)), []


def _keep(store: Store, delivered: Delivered, content: Content, read: _Read, reader: str) -> bool:
    """Whether the store holds the delivery now."""
    if content.is_empty or folder_hash(delivered.path) != delivered.source.sha256:  # somebody is changing its files
        return False
    told = {"findings": [finding_value(f) for f in read.findings], "instances": sorted(read.instances)}
    notes = json.dumps(told, ensure_ascii=False)
    try:
        store.import_(content, delivered.source.sha256, replaces=True, reader=reader, notes=notes)
    except InputError:
        return False
    return True


def _survey(content: Content, taxa: frozenset[str] | None) -> Survey | None:
    """The survey without media, of `taxa` only: the same tables, in one piece each, wherever it was kept."""
    survey = content.survey
    if survey is None:
        return None
    rows = survey.observations if taxa is None else survey.observations.filter(pl.col("taxon").is_in(list(taxa)))
    tables: Mapping[str, pl.DataFrame] = {
        "deployments": survey.deployments, "effort": survey.effort, "observations": rows,
        "media": survey.media.clear(), "boxes": survey.boxes.clear(),
    }  # fmt: skip
    return survey.with_tables(**{name: table.rechunk() for name, table in tables.items()})


def _in_two(delivered: Delivered, earlier: Delivered, n: int) -> Finding:
    facts: dict[str, Fact] = {"n": n, "path": delivered.source.path, "same": earlier.source.path}
    return Finding("submissions-in-two", facts, Where(file=delivered.source.path), Severity.WARNING)


def _in_node(delivered: Delivered, finding: Finding) -> Finding:
    """A finding about a delivery, with its file told as the node knows it."""
    place = delivered.source.path
    file = f"{place}/{finding.where.file}" if finding.where.file else place
    return replace(finding, where=replace(finding.where, file=file))
