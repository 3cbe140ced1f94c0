"""The rules of disclosure for numbers: who agreed, about how many animals, and what could be subtracted from what.

Every agreement behind a number must let it be told; of several outputs that match, the strictest value wins, as for
rules. Against differencing (Denning & Denning 1979, ACM Computing Surveys 11:227-249): a part of a total is told only
with all other parts or with none, a number that changed is told anew only after a while, and never where it moved by
fewer animals than may be told of.
"""

from __future__ import annotations

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
    of_others = estimate.value - number.of_reader
    if number.behind is None or number.behind < least or (estimate.unit == _ANIMALS and of_others < least):
        yield "few-animals"
    yield from _about_change(estimate, output, on, [told for told in earlier if _is_same(told.estimate, estimate)])


def _about_change(estimate: Estimate, output: Output, on: date, before: Sequence[Told]) -> Iterator[str]:
    """What a reader could learn from a number that it was told before with another value."""
    changed = [told for told in before if _values(told.estimate) != _values(estimate)]
    if any((on - told.on).days < output.wait_days for told in changed):
        yield "told-lately"
    if estimate.unit == _ANIMALS and any(
        abs(told.estimate.value - estimate.value) < output.least_animals for told in changed
    ):
        yield "change-small"


def _values(estimate: Estimate) -> tuple[float | None, ...]:
    return estimate.value, estimate.low, estimate.high, estimate.se


def _is_same(one: Estimate, other: Estimate) -> bool:
    """Whether two numbers are about the same thing, at times that overlap, so that their difference tells something.

    Estimates by two methods differ by more than an animal; lists differ by whom they leave out, of stages too.
    """
    a, b = one.scope, other.scope
    alike = (one.quantity, one.unit, a.taxon, a.sex, a.place) == (other.quantity, other.unit, b.taxon, b.sex, b.place)
    lists = one.is_count and other.is_count
    stages = bool(set(a.stage.split("+")) & set(b.stage.split("+"))) if lists else a.stage == b.stage
    return alike and stages and (lists or a.method == b.method) and _overlap(a.period, b.period)


def _overlap(one: str, other: str) -> bool:
    """Whether two periods share a day; of names that are no days, whether they share one."""
    days = [_days(period) for period in (one, other)]
    if days[0] and days[1]:
        return days[0][0] <= days[1][1] and days[1][0] <= days[0][1]
    return one == other or bool(set(one.split("/")) & set(other.split("/")))


def _days(period: str) -> tuple[date, date] | None:
    try:
        start, end = (date.fromisoformat(day) for day in period.split("/"))
    except ValueError:
        return None
    return start, end


def _together(verdict: Verdict, verdicts: Sequence[Verdict]) -> Verdict:
    """A verdict in the light of the others: one thing has one number, and of parts of a total all are told or none."""
    if not verdict.may:
        return verdict
    number = verdict.number
    # Whether or not the other may be told: else tightening, which takes it away, would let this one out.
    if any(_contradicts(other.number.estimate, number.estimate) for other in verdicts):
        return replace(verdict, reasons=("told-twice",))
    kept = [other for other in verdicts if not other.may and _is_part_with(other.number, number)]
    return replace(verdict, reasons=("part-of-total",)) if kept and number.kind == _SIDES else verdict


def _contradicts(one: Estimate, other: Estimate) -> bool:
    """Whether two numbers say different things of one thing: of two questions, one of which leaves something out."""
    return _is_same(one, other) and _values(one) != _values(other)


def _is_part_with(one: Number, other: Number) -> bool:
    """Whether two numbers are parts of one total: lists of one question and time, or estimates of them."""
    a, b = one.estimate, other.estimate
    same = (one.question, one.kind, a.scope.period) == (other.question, other.kind, b.scope.period)
    return same and a.is_count == b.is_count
