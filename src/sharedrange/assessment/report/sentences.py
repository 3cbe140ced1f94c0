"""What we found, in sentences: the answer first, then what sharing bought."""

from __future__ import annotations

from markupsafe import Markup

from sharedrange.assessment.report.printing import Printer
from sharedrange.assessment.report.tables import excess, group_of, interval_ratio
from sharedrange.assessment.results import Convention, JointSheet, Result
from sharedrange.core.answer import Answer, Estimate

# A sentence of its own for the quantities that open an answer; each is ``report.found.<quantity>``.
OPENING = ("N", "minimum_number")
_MOST_LISTED = 4  # numbers that stand in sentences of their own; the table holds all


def found(result: Result, printer: Printer) -> tuple[Markup, ...]:
    """The sentences of one question."""
    if result.answer.refusal:
        return (printer.say("report.found.refused"), *_least(result, printer))
    opening = _opening(result, result.answer, printer)
    return (*opening, *_sides(result, printer), *_surveyed(result.answer, printer), *_lists(result, printer))


def bought(sheet: JointSheet, step: str, printer: Printer) -> Markup:
    """What sharing bought, in a sentence with the numbers behind it; empty where nothing can be said."""
    if not sheet.bought:
        return Markup("")
    return printer.say(
        f"report.bought.{sheet.bought}",
        excess=_own_excess(sheet, step, printer),
        times=_bold(interval_ratio(sheet, step), printer),
    )


def _opening(result: Result, answer: Answer, printer: Printer) -> tuple[Markup, ...]:
    naming, question = printer.naming, result.question
    for quantity in OPENING:
        if quantity in answer:
            number = printer.number(answer[quantity])
            animals, place = naming.animals(question), naming.places(question)
            return (printer.say(f"report.found.{quantity}", number=number, animals=animals, place=place),)
    rates = [e for e in answer.estimates if group_of(e) == "rate" and not e.is_count]
    rates = [e for e in rates if e.quantity.count(".") == 1] or rates  # of the species asked about, if there is one
    told = [_plainly(e, printer) for e in (rates or answer.estimates)[:_MOST_LISTED]]
    return (printer.say("report.found.rates"), *told) if rates else tuple(told)


def _plainly(estimate: Estimate, printer: Printer) -> Markup:
    """A number with its name and unit."""
    naming = printer.naming
    facts = {"quantity": naming.quantity(estimate), "unit": naming.unit(estimate.unit)}
    return printer.say("report.found.other", number=printer.number(estimate), **facts)


def _sides(result: Result, printer: Printer) -> tuple[Markup, ...]:
    """Whose side the animals live on: activity centres by party."""
    answer, parties = result.answer, printer.naming.component(result.question.component).parties
    told = [
        printer.say("report.found.side", number=printer.compact(answer[f"N.{p}"]), party=printer.naming.party(p))
        for p in parties
        if f"N.{p}" in answer
    ]
    return (printer.say("report.found.sides", sides=Markup("; ").join(told)),) if len(told) > 1 else ()


def _surveyed(answer: Answer, printer: Printer) -> tuple[Markup, ...]:
    """How much of the number was surveyed, and how much extrapolated."""
    if "N.surveyed" not in answer or "N.extrapolated" not in answer:
        return ()
    numbers = {name: printer.compact(answer[f"N.{name}"]) for name in ("surveyed", "extrapolated")}
    return (printer.say("report.found.surveyed", **numbers),)


def _lists(result: Result, printer: Printer) -> tuple[Markup, ...]:
    """The lists beside the estimate: known animals, and what adding the lists would say."""
    lists = result.sheet.lists if result.sheet else Answer()
    if not all(quantity in lists for quantity in ("minimum_number", "naive_sum", "shared")):
        return ()
    numbers = {key: printer.value(lists[key]) for key in ("minimum_number", "naive_sum", "shared")}
    return (printer.say("report.found.lists", **numbers),)


def _least(result: Result, printer: Printer) -> tuple[Markup, ...]:
    """What can be said although the question was declined."""
    lists = result.sheet.lists if result.sheet else Answer()
    return _opening(result, lists, printer) if "minimum_number" in lists else ()


def _own_excess(sheet: JointSheet, step: str, printer: Printer) -> Markup:
    return _bold(excess(Convention.OWN, sheet.facts.get(f"excess_pct.{Convention.OWN}"), step), printer)


def _bold(estimate: Estimate | None, printer: Printer) -> Markup:
    return Markup("<b>{}</b>").format(printer.value(estimate)) if estimate else Markup("")
