"""Folds: the state that a set of records amounts to. Pure, and the same in whatever order records arrived.

A correction is a record that names what it replaces, whoever made it; nothing is decided by a clock or by
who came last. A replaced record stays replaced: to return to it, decide so again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from sharedrange.core.canonical import Json
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.individuals import Concordance, Link, LocalIndividual, Verdict, animals
from sharedrange.records.kinds import Body, Decision, FocalPoint, JointId, replaced_by
from sharedrange.records.record import Record, short

B = TypeVar("B", bound=Body)
_Pair = tuple[LocalIndividual, LocalIndividual]
_Made = tuple[Record, Decision]


def concordance(
    records: Iterable[Record], taxa: Collection[str] | str | None = None
) -> tuple[Concordance, tuple[Finding, ...]]:
    """The decisions in force about `taxa` (None: about all), at most one link a pair, and what is doubtful.

    Where decisions in force about one pair differ, the pair is uncertain until a decision replaces them
    (`decision-conflict`). Where *different* stands between members of one animal, the animal stays one
    (`decision-contradiction`). A joint id stays with the animal that has most of its members.
    """
    records = tuple(records)
    links, conflicts = _links(_about(taxa, in_force(records, Decision)))
    minted = [joint for _, joint in _about(taxa, in_force(records, JointId))]
    joint_ids, split = _joint_ids(minted, links)
    findings = (*_unknown_replaced(records, Decision), *conflicts, *_contradictions(links), *split)
    return Concordance(links, joint_ids), findings


def focal_points(records: Iterable[Record]) -> tuple[FocalPoint, ...]:
    """The focal points in force, by party and purpose; vacant places left out."""
    points = [point for _, point in in_force(records, FocalPoint) if point.role]
    return tuple(sorted(points, key=lambda point: (point.party, point.purpose, point.role)))


def in_force(records: Iterable[Record], kind: type[B]) -> list[tuple[Record, B]]:
    """Records of one kind that keep its rules and that no other of them replaces, in order of their ids."""
    made = _of_kind(records, kind)
    replaced = {earlier for _, body in made for earlier in replaced_by(body)}
    return [(record, body) for record, body in made if record.id not in replaced]


def about(records: Iterable[Record], a: LocalIndividual, b: LocalIndividual) -> tuple[str, ...]:
    """Ids of the decisions in force about a pair: what a new decision about it has to replace."""
    made = in_force(records, Decision)
    return tuple(record.id for record, decision in made if {decision.a, decision.b} == {a, b})


def decisions_value(decided: Concordance, individuals: Iterable[LocalIndividual] | None = None) -> dict[str, Json]:
    """The part of a concordance that can change who `individuals` are (None: all of it), as JSON values.

    For the parameters of a step: another decision about them gives another step, one about others does not.
    Decisions along a chain through other animals count too. Records are named, so that a number leads to them.
    """
    kept = None if individuals is None else _reach(decided.links, individuals)
    return {
        "joint_ids": [[*who, joint] for who, joint in sorted(decided.joint_ids.items()) if kept is None or who in kept],
        "links": [_link_value(link) for link in _ordered(decided.links) if kept is None or link.pair <= kept],
    }


def _of_kind(records: Iterable[Record], kind: type[B]) -> list[tuple[Record, B]]:
    made = []
    for record in sorted(records, key=lambda record: record.id):
        if record.kind == kind.KIND:
            try:
                made.append((record, kind.from_body(record.body)))
            except InputError:
                continue  # the record's set tells it as a finding
    return made


def _about(taxa: Collection[str] | str | None, made: list[tuple[Record, B]]) -> list[tuple[Record, B]]:
    if taxa is None:
        return made
    wanted = {taxa} if isinstance(taxa, str) else set(taxa)
    return [(record, body) for record, body in made if getattr(body, "taxon", None) in wanted]


def _unknown_replaced(records: Iterable[Record], kind: type[Body]) -> Iterator[Finding]:
    """Corrections of what is not here: most likely a chain that has not arrived."""
    made = _of_kind(records, kind)
    known = {record.id for record, _ in made}
    for record, body in made:
        for earlier in replaced_by(body):
            if earlier not in known:
                facts = {"record": short(record.id), "replaced": short(earlier)}
                yield Finding("decision-replaces-unknown", facts, severity=Severity.WARNING)


def _links(made: list[_Made]) -> tuple[tuple[Link, ...], list[Finding]]:
    by_pair: dict[_Pair, list[_Made]] = {}
    for record, decision in made:
        a, b = sorted((decision.a, decision.b))
        by_pair.setdefault((a, b), []).append((record, decision))
    links, conflicts = [], []
    for (a, b), rivals in sorted(by_pair.items()):
        if len({decision.verdict for _, decision in rivals}) == 1:
            links.append(_link(a, b, rivals))
        else:
            links.append(Link(a, b, Verdict.UNCERTAIN, record=" ".join(record.id for record, _ in rivals)))
            conflicts.append(_conflict(a, b, rivals))
    return tuple(links), conflicts


def _link(a: LocalIndividual, b: LocalIndividual, agreed: list[_Made]) -> Link:
    """The link of decisions that agree: the least sure of them, so that nobody's doubt is lost."""
    record, decision = min(agreed, key=lambda made: (_probability(made[1]), made[0].id))
    return Link(a, b, decision.verdict, decision.probability, decision.evidence, record.id)


def _probability(decision: Decision) -> float:
    return 1.0 if decision.probability is None else decision.probability


def _conflict(a: LocalIndividual, b: LocalIndividual, rivals: list[_Made]) -> Finding:
    said = "; ".join(f"{decision.by}: {decision.verdict} ({short(record.id)})" for record, decision in rivals)
    return Finding("decision-conflict", {"a": str(a), "b": str(b), "decisions": said}, severity=Severity.WARNING)


def _contradictions(links: tuple[Link, ...]) -> Iterator[Finding]:
    """Every *different* between two that a chain of *same* makes one animal, with the shortest such chain."""
    same: dict[LocalIndividual, list[LocalIndividual]] = {}
    for link in links:
        if link.verdict is Verdict.SAME:
            same.setdefault(link.a, []).append(link.b)
            same.setdefault(link.b, []).append(link.a)
    for link in links:
        chain = _chain(same, link.a, link.b) if link.verdict is Verdict.DIFFERENT else []
        if chain:
            facts = {"a": str(link.a), "b": str(link.b), "chain": " = ".join(map(str, chain))}
            yield Finding("decision-contradiction", {**facts, "record": short(link.record)}, severity=Severity.WARNING)


def _chain(
    same: Mapping[LocalIndividual, list[LocalIndividual]], start: LocalIndividual, end: LocalIndividual
) -> list[LocalIndividual]:
    """A shortest chain of *same* from `start` to `end`; empty if there is none."""
    before = {start: start}
    waiting = deque([start])
    while waiting and end not in before:
        who = waiting.popleft()
        for other in sorted(same.get(who, ())):
            if other not in before:
                before[other] = who
                waiting.append(other)
    if end not in before:
        return []
    chain = [end]
    while chain[-1] != start:
        chain.append(before[chain[-1]])
    return chain[::-1]


def _joint_ids(minted: list[JointId], links: tuple[Link, ...]) -> tuple[dict[LocalIndividual, str], list[Finding]]:
    """Who carries which joint id: of an animal split after its id was minted, the part with most members."""
    members: dict[str, set[LocalIndividual]] = {}
    for joint in minted:
        members.setdefault(joint.joint_id, set()).update(joint.members)
    first = animals(links, set().union(*members.values()))
    carried: dict[LocalIndividual, str] = {}
    split = []
    for name, named in sorted(members.items(), reverse=True):  # the first name wins: it is written last
        groups = _grouped(named, first)
        keeper = max(groups, key=len)
        carried.update(dict.fromkeys(keeper, name))
        if len(groups) > 1:
            facts: dict[str, Fact] = {"joint_id": name, "keeper": str(keeper[0]), "animals": len(groups)}
            split.append(Finding("joint-id-split", facts, severity=Severity.NOTE))
    return carried, split[::-1]


def _grouped(
    named: Iterable[LocalIndividual], first: Mapping[LocalIndividual, LocalIndividual]
) -> list[list[LocalIndividual]]:
    groups: dict[LocalIndividual, list[LocalIndividual]] = {}
    for who in sorted(named):
        groups.setdefault(first[who], []).append(who)
    return list(groups.values())


def _reach(links: tuple[Link, ...], individuals: Iterable[LocalIndividual]) -> set[LocalIndividual]:
    """`individuals` and everyone whom *same* decisions make one animal with any of them."""
    wanted = set(individuals)
    everyone = wanted.union(*(link.pair for link in links))
    first = animals(links, everyone)
    reached = {first[who] for who in wanted}
    return {who for who in everyone if first[who] in reached}


def _ordered(links: Iterable[Link]) -> list[Link]:
    return sorted(links, key=lambda link: (link.a, link.b))


def _link_value(link: Link) -> list[Json]:
    return [list(link.a), list(link.b), str(link.verdict), link.probability, link.record]
