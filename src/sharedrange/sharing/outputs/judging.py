"""The rules of disclosure for numbers: who agreed, about how many animals, and what could be subtracted from what.

Every agreement behind a number must let it be told; of several outputs that match, the strictest value wins, as for
rules. Against differencing (Denning & Denning 1979, ACM Computing Surveys 11:227-249): a part of a total is told only
with all other parts or with none, a number that changed is told anew only after a while, and never where it moved by
fewer animals than may be told of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from sharedrange.core.answer import Estimate
from sharedrange.core.audience import EVERYBODY
from sharedrange.sharing.agreement import EVERY_TAXON, Agreement, Output
from sharedrange.sharing.outputs.types import Asked, Basis, Number, Told, Verdict

_SIDES = "abundance-by-side"
_ANIMALS = "animals"


def judge(
    numbers: Sequence[Number], bases: Mapping[str, Basis], asked: Asked, earlier: Iterable[Told] = ()
) -> tuple[Verdict, ...]:
    """What may be told of each number, in their order. `bases`: the node's agreements by id."""
    before = tuple(earlier)
    verdicts = [_alone(number, bases, asked, before) for number in numbers]
    return tuple(_together(verdict, verdicts) for verdict in verdicts)


def outputs_about(agreement: Agreement, number: Number) -> tuple[Output, ...]:
    """The outputs of an agreement that are about a number, whoever they let it be told to.

    All of them count: were the values of one for others left out, narrowing its audience could tell somebody more.
    """
    return tuple(
        output
        for output in agreement.outputs
        if output.kind == number.kind and _covers(agreement, output, number.estimate.scope.taxon)
    )


def _covers(agreement: Agreement, output: Output, taxon: str) -> bool:
    """Whether an output is about a taxon: one that it names, or without names any that a rule lets leave."""
    if output.taxa:
        return taxon in output.taxa or EVERY_TAXON in output.taxa
    return any(rule.tables for rule in agreement.rules_for(taxon))


def _holds(agreement: Agreement, output: Output, reader: str) -> bool:
    if output.audience == EVERYBODY:
        return True
    return reader != EVERYBODY and reader in {*agreement.parties, *agreement.onward_to, *output.to}


def _alone(number: Number, bases: Mapping[str, Basis], asked: Asked, earlier: tuple[Told, ...]) -> Verdict:
    """What speaks against telling a number, whatever else is told."""
    if number.kind is None:
        return Verdict(number, ("no-kind",))
    if not number.is_agreed:
        return Verdict(number, ("not-agreed",))
    against = [
        (reason, name) for name in sorted(number.under) for reason in _against(number, name, bases, asked, earlier)
    ]
    if not number.under:  # the node's own data: its own party decides, under the weakest rules that there are
        against = [(reason, "") for reason in _about_output(number, Output(number.kind), asked.on, earlier)]
    reasons = tuple(dict.fromkeys(reason for reason, _ in against))
    return Verdict(number, reasons, tuple(dict.fromkeys(name for _, name in against if name)))


def _against(
    number: Number, name: str, bases: Mapping[str, Basis], asked: Asked, earlier: tuple[Told, ...]
) -> Iterator[str]:
    """What one agreement has against telling a number."""
    basis = bases.get(name)
    if basis is None:
        yield "agreement-not-here"
        return
    agreement = basis.agreement
    if basis.standing.revoked:
        yield "agreement-revoked"
    if not set(agreement.parties) <= basis.standing.signed_by:
        yield "agreement-unsigned"
    if not agreement.valid.start <= asked.on <= agreement.valid.end:
        yield "agreement-not-valid"
    if asked.purpose not in agreement.purposes:
        yield "other-purpose"
    outputs = outputs_about(agreement, number)
    if not any(_holds(agreement, output, asked.reader) for output in outputs):
        yield "no-output"
        return
    yield from _about_output(number, _strictest(outputs), asked.on, earlier)


def _strictest(outputs: Sequence[Output]) -> Output:
    return replace(
        outputs[0],
        least_animals=max(output.least_animals for output in outputs),
        wait_days=max(output.wait_days for output in outputs),
    )


def _about_output(number: Number, output: Output, on: date, earlier: tuple[Told, ...]) -> Iterator[str]:
    estimate, least = number.estimate, output.least_animals
    of_others = estimate.value - number.of_one
    if number.behind is None or number.behind < least or (_counts_animals(estimate) and of_others < least):
        yield "few-animals"
    yield from _about_change(estimate, output, on, [told for told in earlier if _is_same(told.estimate, estimate)])


def _about_change(estimate: Estimate, output: Output, on: date, before: Sequence[Told]) -> Iterator[str]:
    """What a reader could learn from a number that it was told before with another value."""
    changed = [told for told in before if _values(told.estimate) != _values(estimate)]
    if any((on - told.on).days < output.wait_days for told in changed):
        yield "told-lately"
    if _counts_animals(estimate) and any(
        abs(told.estimate.value - estimate.value) < output.least_animals for told in changed
    ):
        yield "change-small"


def _counts_animals(estimate: Estimate) -> bool:
    """Whether a number is one of animals, or of their sessions."""
    return estimate.is_count or estimate.unit == _ANIMALS


def _values(estimate: Estimate) -> tuple[float | None, ...]:
    return estimate.value, estimate.low, estimate.high, estimate.se


def _is_same(one: Estimate, other: Estimate, *, wherever: bool = False) -> bool:
    """Whether two numbers are about the same thing, at times that overlap, so that their difference tells something.

    Estimates by two methods differ by more than an animal; lists differ by whom they leave out, of stages too.
    `wherever`: of lists that are made from the same data, the name of the place says nothing.
    """
    a, b = one.scope, other.scope
    lists = one.is_count and other.is_count
    alike = (_name(one), one.unit, a.taxon, a.sex) == (_name(other), other.unit, b.taxon, b.sex)
    alike = alike and ((wherever and lists) or a.place == b.place)
    stages = bool(set(a.stage.split("+")) & set(b.stage.split("+"))) if lists else a.stage == b.stage
    return alike and stages and (lists or a.method == b.method) and _overlap(a.period, b.period)


def _name(estimate: Estimate) -> str:
    """The quantity; animals known over several years and in one have one name, since one list holds the other."""
    return "minimum_number" if estimate.quantity == "distinct" else estimate.quantity


def _overlap(one: str, other: str) -> bool:
    """Whether two periods share a day. What cannot be known to lie apart, overlaps."""
    here, there = _spans(one), _spans(other)
    if here and there:
        return any(a[0] <= b[1] and b[0] <= a[1] for a in here for b in there)
    names = set(one.split("/")), set(other.split("/"))
    return bool(here or there or "" in names[0] | names[1] or names[0] & names[1])


def _spans(period: str) -> list[tuple[date, date]]:
    """First and last days of ``day/day``, of several of them, or of years; nothing where some of it is neither."""
    if years := re.fullmatch(r"\d{4}(?:[-/]\d{4})*", period):
        found = [int(year) for year in re.split("[-/]", years[0])]
        return [(date(year, 1, 1), date(year, 12, 31)) for year in found]
    try:
        days = [[date.fromisoformat(day) for day in part.split("/")] for part in period.split(", ")]
        return [(start, end) for start, end in days]
    except ValueError:
        return []


def _together(verdict: Verdict, verdicts: Sequence[Verdict]) -> Verdict:
    """A verdict in the light of the others: one thing has one number, and of parts of a total all are told or none."""
    if not verdict.may:
        return verdict
    number = verdict.number
    # Whether or not the other may be told: else tightening, which takes it away, would let this one out.
    if any(_contradicts(other.number, number) for other in verdicts):
        return replace(verdict, reasons=("told-twice",))
    kept = [other for other in verdicts if not other.may and _follows_from(other.number, number)]
    return replace(verdict, reasons=("part-of-total",)) if kept else verdict


def _contradicts(one: Number, other: Number) -> bool:
    """Whether two numbers say different things of one thing: of two questions, one of which leaves something out."""
    a, b = one.estimate, other.estimate
    return _is_same(a, b, wherever=bool(one.sources & other.sources)) and _values(a) != _values(b)


def _follows_from(kept: Number, told: Number) -> bool:
    """Whether a number that stays would follow from one that is told: a part from its like, animals from a density."""
    if told.kind == "density":
        return kept.kind == "total-abundance" and not kept.estimate.is_count and _is_of(kept, told)
    return told.kind == _SIDES and _is_part_with(kept, told)


def _is_of(one: Number, other: Number) -> bool:
    return (one.question, one.estimate.scope.period) == (other.question, other.estimate.scope.period)


def _is_part_with(one: Number, other: Number) -> bool:
    """Whether two numbers are parts of one total: lists of one question and time, or estimates of them."""
    return _is_of(one, other) and one.kind == other.kind and one.estimate.is_count == other.estimate.is_count
