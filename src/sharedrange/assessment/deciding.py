"""Decisions about who is who, from a file or a terminal, as signed records of the node."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sharedrange.assessment.node import OpenNode, open_node, writing
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.core.individuals import LocalIndividual, Verdict
from sharedrange.population.encounters import local_individuals
from sharedrange.records import Decision, Key, Keys, RecordSet, about, concordance, in_force, mint, open_store

KEY = "node"  # name of the key that signs
REQUIRED = ("party_a", "catalogue_a", "code_a", "party_b", "catalogue_b", "code_b", "taxon", "verdict")
OPTIONAL = ("evidence", "probability", "by")


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key that was made: the file that holds it, and its fingerprint to read aloud."""

    file: Path
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a list of decisions: newly signed, in force before, and what is doubtful now.

    `made`: the node's key, where it was made to sign them.
    """

    new: int
    repeated: int
    conflicts: tuple[Finding, ...]
    made: MadeKey | None = None


def read_decisions(file: Path | str) -> tuple[Decision, ...]:
    """The decisions of a CSV file with the columns REQUIRED and, if wanted, OPTIONAL.

    Raises InputError with every finding: missing or unknown columns, fields that break the rules of a decision.
    """
    file = Path(file)
    rows, found = _rows(file)
    decisions = []
    for number, row in rows:
        try:
            decisions.append(_decision(row, Where(file=file.name, row=number)))
        except InputError as error:
            found += error.findings
    if found:
        raise InputError(found)
    return tuple(decisions)


def _rows(file: Path) -> tuple[list[tuple[int, dict[str, Any]]], list[Finding]]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError:
        return [], [Finding("no-such-path", {"path": file.name}, Where(file=file.name))]
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return [], [Finding("decisions-encoding", {"encoding": "UTF-8"}, Where(file=file.name, row=line))]
    reader = csv.DictReader(io.StringIO(text), restkey="")
    columns = reader.fieldnames or []
    missing = [name for name in REQUIRED if name not in columns]
    found = [Finding("missing-column", {"column": n, "table": file.name}, Where(file.name, field=n)) for n in missing]
    if missing:
        return [], found
    try:
        return [(reader.line_num, row) for row in reader], found
    except csv.Error:
        return [], [Finding("broken-quotes", {}, Where(file=file.name, row=reader.line_num))]


def _decision(row: dict[str, Any], where: Where) -> Decision:
    """One row as a decision. Raises InputError with everything that is wrong in it."""
    value = {key: text.strip() if isinstance(text, str) else "" for key, text in row.items()}
    probability = value.get("probability", "")
    body = {
        "a": [value[f"{part}_a"] for part in ("party", "catalogue", "code")],
        "b": [value[f"{part}_b"] for part in ("party", "catalogue", "code")],
        "by": value.get("by") or value["party_a"],
        "evidence": value.get("evidence", ""),
        "probability": _number(probability),
        "replaces": [],
        "taxon": value["taxon"],
        "verdict": value["verdict"].lower(),
    }
    return Decision.from_body(body, where)


def _number(text: str) -> float | str | None:
    """A number where the text is one; else the text, for the rules of a decision to complain about."""
    try:
        return float(text) if text else None
    except ValueError:
        return text


def decide(
    folder: Path | str,
    decisions: Iterable[Decision],
    recorded_at: str,
    *,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Decided:
    """Sign what is new in `decisions` with the node's key, and mint a joint id for every animal that has none.

    A decision about a pair that this key decided before replaces the earlier one. Against a decision of
    somebody else it stands beside it, and the pair is uncertain until one is replaced. `recorded_at` is UTC,
    ISO 8601, and is only a note: clocks never decide.

    Raises ProgrammeError or InputError if the node cannot be opened, or a decision names a stranger; nothing
    is signed then.
    """
    node = open_node(folder)
    decisions = tuple(decisions)
    _refuse_strangers(node, decisions)
    unknown = _unknown_animals(node, decisions)
    with writing(node.folder):
        store, (key, is_new) = open_store(node.folder / "records"), _key(node)
        new = [d for d in dict.fromkeys(decisions) if not _stands(node.records, d)]
        if new:
            store.append_all([_correcting(node.records, d, key) for d in new], key, recorded_at)
        taxa = {d.taxon for d in decisions}
        unnamed = _unnamed_animals(store.read(), taxa)
        if unnamed:
            store.append_all([mint(group, taxon, random_bytes) for taxon, group in unnamed], key, recorded_at)
        _, doubts = concordance(store.read(), taxa)
    made = MadeKey(node.keys / f"{KEY}.key", key.fingerprint) if is_new else None
    return Decided(len(new), len(decisions) - len(new), (*unknown, *doubts), made)


def _refuse_strangers(node: OpenNode, decisions: tuple[Decision, ...]) -> None:
    known = {party.id for party in node.programme.parties}
    found = [
        Finding("decision-stranger", {"individual": str(who), "party": who.party, "known": ", ".join(sorted(known))})
        for who in dict.fromkeys(who for d in decisions for who in (d.a, d.b))
        if who.party not in known
    ]
    taxa = {name for species in node.programme.species for name in (species.taxon, *species.aliases)}
    facts = [{"taxon": t, "known": ", ".join(sorted(taxa))} for t in dict.fromkeys(d.taxon for d in decisions)]
    found += [Finding("decision-taxon", f) for f in facts if f["taxon"] not in taxa]
    if found:
        raise InputError(found)


def _unknown_animals(node: OpenNode, decisions: tuple[Decision, ...]) -> tuple[Finding, ...]:
    """A warning for each individual that no delivery here knows: a slip of the pen, or data still to come."""
    surveys, taxa = Surveys(node), frozenset(d.taxon for d in decisions)
    try:
        held = [survey for d in node.deliveries if (survey := surveys.of(d, taxa)) is not None]
    except InputError:
        return ()  # the deliveries are wrong; `check` says how
    known = set(local_individuals(held, taxa))
    named = dict.fromkeys(who for d in decisions for who in (d.a, d.b))
    return tuple(
        Finding("decision-unknown-animal", {"individual": str(who)}, severity=Severity.WARNING)
        for who in named
        if who not in known and any(d.party == who.party for d in node.deliveries)
    )


def _key(node: OpenNode) -> tuple[Key, bool]:
    """The node's key, and whether it was made just now: that happens at the first decision."""
    keys = Keys(node.keys)
    return (keys.load(KEY), False) if KEY in keys.names() else (keys.create(KEY), True)


def _stands(records: RecordSet, decision: Decision) -> bool:
    """Whether this very decision is in force already."""
    same = {decision.a, decision.b}
    return any(
        {made.a, made.b} == same and (made.verdict, made.taxon) == (decision.verdict, decision.taxon)
        for _, made in in_force(records, Decision)
    )


def _correcting(records: RecordSet, decision: Decision, key: Key) -> Decision:
    """The decision, replacing what the same key decided about the pair before."""
    mine = {record.id for record in records if record.author_key == key.id}
    earlier = tuple(i for i in about(records, decision.a, decision.b) if i in mine)
    return replace(decision, replaces=tuple(dict.fromkeys((*decision.replaces, *earlier))))


def _unnamed_animals(records: RecordSet, taxa: set[str]) -> list[tuple[str, tuple[LocalIndividual, ...]]]:
    """(taxon, members) of every animal that several local individuals make up and that has no joint id yet."""
    unnamed = []
    for taxon in sorted(taxa):
        decided, _ = concordance(records, taxon)
        linked = {who for link in decided.links if link.verdict is Verdict.SAME for who in link.pair}
        for group in decided.partition(linked).groups.values():
            if not any(who in decided.joint_ids for who in group):
                unnamed.append((taxon, group))  # noqa: PERF401  (two loops read better apart)
    return unnamed
