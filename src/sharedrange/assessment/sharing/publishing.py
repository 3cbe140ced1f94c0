"""Numbers of a joint result for somebody who may not see what they were made from: what may be told, and its telling.

Nothing is told but numbers that every agreement behind them lets be told (`sharing.outputs`). What was told is kept in
``published/`` and recorded, so that the owners of the data learn of it with the next exchange.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sharedrange.assessment.assessing import assessed, check_reader
from sharedrange.assessment.node import told, writing
from sharedrange.assessment.programme import read_node
from sharedrange.assessment.published import Publication, keep, numbers_table, publications, told_before
from sharedrange.assessment.results import Assessment, Result
from sharedrange.assessment.running import Tell, quiet
from sharedrange.assessment.sharing.ground import Ground, open_ground
from sharedrange.assessment.superseding import release_of
from sharedrange.core.answer import Answer, Estimate
from sharedrange.core.audience import Audience, meet
from sharedrange.core.errors import AgreementError, InputError
from sharedrange.core.finding import Finding, Where
from sharedrange.records import Passphrase, in_force, open_store
from sharedrange.sharing import kinds
from sharedrange.sharing.outputs import Asked, Basis, Number, Verdict, as_told, judge, kind_of

_NONCE_BYTES = 16
_ANSWERS = ("answer", "lists")
_FOUND = {"psi": "sites_found", "occupied": "sites_found"}  # what numbers of sites rest on


@dataclass(frozen=True, slots=True)
class Telling:
    """What a reader could be told: a verdict on every number that has a kind of output and is not theirs already."""

    ground: Ground
    assessment: Assessment
    asked: Asked
    verdicts: tuple[Verdict, ...]

    @property
    def may(self) -> tuple[Verdict, ...]:
        """The numbers that may be told."""
        return tuple(verdict for verdict in self.verdicts if verdict.may)


def what_would_be_told(folder: Path | str, asked: Asked, *, workers: int = 1, progress: Tell = quiet) -> Telling:
    """What `publish` would tell, and why not the rest. Nothing of it is told.

    Raises ProgrammeError and InputError with all findings; AgreementError where the reader is the node's own party.
    """
    folder = read_node(Path(folder)).folder
    with writing(folder):
        return _telling(folder, asked, workers, progress)


def publish(
    folder: Path | str,
    asked: Asked,
    *,
    by: str,
    recorded_at: str,
    passphrase: Passphrase = None,
    workers: int = 1,
    progress: Tell = quiet,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[Telling, Publication]:
    """Tell a reader what may be told: keep it in ``published/``, with a record of it.

    `assess` for the reader then answers from what has a record, and from nothing else: a run that stopped in between
    told nothing. Raises as `what_would_be_told`, and AgreementError where no number may be told.
    """
    folder = read_node(Path(folder)).folder
    with writing(folder), told(folder):
        telling = _telling(folder, asked, workers, progress)
        if not telling.may:
            raise AgreementError([Finding("nothing-to-publish", {"reader": asked.reader})])
        publication = _publication(telling, by, random_bytes(_NONCE_BYTES).hex())
        key = telling.ground.signing_key(passphrase)
        body = kinds.Publication(
            publication=publication.id,
            reader=asked.reader,
            purpose=asked.purpose,
            on=str(asked.on),
            agreements=tuple(sorted(publication.agreements.values())),
            by=by,
        )
        keep(publication, folder)  # nobody is told of what has no record
        open_store(folder / "records").append(body.KIND, body.to_body(), key, recorded_at)
    return telling, publication


def _telling(folder: Path, asked: Asked, workers: int, progress: Tell) -> Telling:
    ground = open_ground(folder)
    check_reader(ground.node, asked.reader)
    if asked.reader == ground.node.party:
        raise AgreementError([Finding("reader-is-own", {"reader": asked.reader})])
    if found := tuple(_about_lost(ground)):
        raise InputError(found)
    assessment = assessed(ground.node, workers, progress)
    bases = {a.id: Basis(a, ground.standing(a)) for a in ground.agreements.values()}
    numbers = tuple(_numbers(ground, assessment, asked.reader))
    return Telling(ground, assessment, asked, judge(numbers, bases, asked, told_before(folder)))


def _about_lost(ground: Ground) -> Iterator[Finding]:
    """What was told by this node's records and is not kept any more: nobody knows then what could be subtracted."""
    kept = {publication.id for publication in publications(ground.node.folder)}
    for record, body in in_force(ground.node.records, kinds.Publication):
        if record.author_key in ground.own_keys and body.publication not in kept:
            yield Finding("published-lost", {"on": body.on, "reader": body.reader}, Where("published"))


def _publication(telling: Telling, by: str, nonce: str) -> Publication:
    asked, node = telling.asked, telling.ground.node
    numbers = [verdict.number for verdict in telling.may]
    names = {name for number in numbers for name in number.under}
    questions = {number.question for number in numbers}
    return Publication(
        reader=asked.reader,
        purpose=asked.purpose,
        on=asked.on,
        by=by,
        agreements={name: telling.ground.agreements[name].hash for name in sorted(names)},
        parties={r.question.id: r.parties for r in telling.assessment.results if r.question.id in questions},
        numbers=numbers_table((number.question, number.estimate) for number in numbers),
        nonce=nonce,
        simulated=node.programme.simulated,
    )


def _numbers(ground: Ground, assessment: Assessment, reader: str) -> Iterator[Number]:
    """The numbers that have a kind of output and that the reader may not see already, with what stands behind them."""
    parties = {party.id for party in assessment.programme.parties}
    for result in assessment.results:
        for estimate in _told_of(result):
            made_from = _Behind.of(ground, assessment, estimate)
            kind, side = kind_of(estimate, parties, made_from.alone)
            if kind is not None and not made_from.audience.holds(reader):
                yield Number(
                    question=result.question.id,
                    estimate=as_told(estimate),
                    kind=kind,
                    side=side,
                    behind=animals_behind(result, estimate, side),
                    of_one=_of_one(result, estimate, side),
                    under=made_from.under,
                    is_agreed=made_from.is_agreed,
                    sources=made_from.sources,
                )


def _told_of(result: Result) -> Iterator[Estimate]:
    """The numbers of a question that a report is about; rates only where nothing better can be said."""
    names = (*_ANSWERS, "rates") if result.answer.refusal is not None else _ANSWERS
    for name in names:
        yield from result.answers.get(name, Answer()).estimates


@dataclass(frozen=True, slots=True)
class _Behind:
    """What a number is made from: who may see all of it, under which agreements it came, whose it is where of one."""

    audience: Audience
    under: frozenset[str]
    is_agreed: bool
    sources: frozenset[str]
    alone: str

    @classmethod
    def of(cls, ground: Ground, assessment: Assessment, estimate: Estimate) -> _Behind:
        sources = {key for _, key, _ in assessment.ledger.back(estimate.step)}
        used = [delivered for delivered in ground.node.deliveries if delivered.source.id in sources]
        others = [delivered for delivered in used if not delivered.is_own]
        texts = [release_of(delivered.path).get("agreement", {}) for delivered in others]
        agreed = all(
            (known := ground.agreements.get(str(text.get("id")))) is not None and known.hash == text.get("hash")
            for text in texts
        )
        under = frozenset(str(text["id"]) for text in texts if "id" in text)
        owners = {delivered.party for delivered in used}
        alone = owners.pop() if len(owners) == 1 else ""
        keys = frozenset(delivered.source.id for delivered in used)
        return cls(meet(delivered.audience for delivered in used), under, agreed, keys, alone)


def animals_behind(result: Result, estimate: Estimate, side: str = "") -> int | None:
    """How many known animals a number rests on: in its own time and on its own side where that is told.

    Of rates the detections, of occupancy the sites where the species was found, of counted totals the smallest.
    """
    main, lists = result.answer, result.answers.get("lists", Answer())
    head, _, rest = estimate.quantity.partition(".")
    everything = (*main.estimates, *result.answers.get("rates", Answer()).estimates, *lists.estimates)
    totals = [e.value for e in main.estimates if e.quantity.startswith("total.")]
    if totals:
        own = [e.value for e in main.estimates if e.quantity == f"total.{rest}"]
        return int(min(own or totals))
    if head == "rate":
        return _first(everything, f"events.{rest}")
    if head in _FOUND:
        return _first(everything, _FOUND[head])
    wanted = [f"n.{estimate.scope.period}"] if not side else [f"minimum.{side}", f"distinct.{side}"]
    return _first((*lists.estimates, *main.estimates), *wanted, "minimum_number", "distinct", "n")


def _first(estimates: tuple[Estimate, ...], *quantities: str) -> int | None:
    """The first of these quantities that is there, where it counts animals and not their sessions."""
    for quantity in quantities:
        for estimate in estimates:
            if estimate.quantity == quantity and estimate.unit != "animal_sessions" and estimate.is_count:
                return int(estimate.value)
    return None


def _of_one(result: Result, estimate: Estimate, side: str) -> float:
    """The largest part of a list that one party knows and can subtract; an estimate has no such part.

    Of a party's own list that is what it shares with others: they know it.
    """
    head = estimate.quantity.partition(".")[0]
    if not estimate.is_count or head not in ("minimum_number", "distinct", "known", "minimum"):
        return 0.0
    if side:
        wanted = {"distinct.shared" if head == "distinct" else "shared"}
    else:
        own = "distinct" if head == "distinct" else "known"
        wanted = {f"{own}.{party}" for party in result.parties}
    lists = [e for answer in (result.answer, *result.answers.values()) for e in answer.estimates if e.is_count]
    return max((e.value for e in lists if e.quantity in wanted), default=0.0)
