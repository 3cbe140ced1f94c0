"""What we found, in sentences: the answer first, then what sharing bought."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from markupsafe import Markup

from sharedrange.assessment.report.grouping import by_party, group_of, instead, is_sessions
from sharedrange.assessment.report.openings import openings
from sharedrange.assessment.report.printing import Printer
from sharedrange.assessment.report.ways_back import excess, interval_ratio
from sharedrange.assessment.results import Convention, JointSheet, Result, last_year
from sharedrange.core.answer import Answer, Estimate
from sharedrange.population.crossed import FROM_CROSSINGS

_ABOUT_A_LINE = "population.permeability"  # its numbers of animals stand in the table: they were not asked for
_MOST_LISTED = 4  # numbers that stand in sentences of their own; the table holds all


def found(result: Result, printer: Printer) -> tuple[Markup, ...]:
    """The sentences of one question."""
    if result.answer.refusal:
        return _refused(result, printer)
    own = tuple(printer.say(o.message, **facts(result, o.estimate, printer)) for o in openings(result))
    opening = own or _opening(result, result.answer.estimates, printer)
    if result.question.engine == _ABOUT_A_LINE:
        return opening
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


def survival_alone(sheet: JointSheet, printer: Printer) -> tuple[Markup, ...]:
    """What each party alone would say of survival, with a map that ends at the border and with one that crosses it."""
    if sheet.joint is None or "phi" not in sheet.joint:
        return ()
    joint = printer.number(sheet.joint["phi"])
    return tuple(
        printer.say(f"report.alone.survival.{convention}", alone=_of_parties(own, printer), joint=joint)
        for convention, own in sheet.survival.items()
        if own
    )


def _of_parties(own: Mapping[str, Estimate], printer: Printer) -> Markup:
    """A number of each party: 0.71 (0.60-0.80) in Westfell; ..."""
    told = (
        printer.say("report.found.side", number=printer.compact(e), party=printer.naming.party(p))
        for p, e in own.items()
    )
    return Markup("; ").join(told)


def opening_message(result: Result, first: Estimate) -> str:
    """The sentence that opens an answer with `first`: a population, a minimum number, or any other number.

    With several sessions a population is the mean of them, and a list counts an animal once in each.
    """
    if first.quantity == "N" and first.low is not None:
        sessions = len(result.question.sessions) + len(result.question.periods)
        return "report.found.N.sessions" if sessions > 1 else "report.found.N"
    if first.quantity == "minimum_number":
        return "report.found.minimum_number.sessions" if is_sessions(first) else "report.found.minimum_number"
    return "report.found.rate" if first.quantity.startswith("rate.") else "report.found.other"


def opens(estimate: Estimate) -> bool:
    """Whether a number has a sentence of its own: a minimum number, or the rate of the species asked about."""
    head, *rest = estimate.quantity.split(".")
    return head == "minimum_number" or (head == "rate" and len(rest) == 1)


def _refused(result: Result, printer: Printer) -> tuple[Markup, ...]:
    """That the question was declined, and what can be said although it was."""
    species = printer.naming.heading(result.question)
    if result.answer.refusal is not None and result.answer.refusal.is_without_data:
        return (printer.say("report.found.without-data", species=species),)
    refused = printer.say("report.found.refused", species=species)
    told = by_party(instead(result), printer.naming.programme)
    if not told:
        return (refused, printer.say("report.found.refused.nothing"))
    opening = [_sentence(result, e, printer) for e in told if opens(e)]
    return (refused, *opening, printer.say("report.found.refused.why"))


def _opening(result: Result, estimates: Iterable[Estimate], printer: Printer) -> tuple[Markup, ...]:
    """The number that was asked for; for rates, that they are not numbers of animals, and those of the species."""
    naming, known = printer.naming, {e.quantity: e for e in estimates}
    told = [_sentence(result, known[head], printer) for head in ("N", "minimum_number") if head in known][:1]
    rates = [e for e in known.values() if group_of(e) == "rate" and not e.is_count]
    rates = [e for e in rates if e.quantity.count(".") == 1] or rates  # of the species asked about, if there is one
    if rates:
        told.append(printer.say("report.found.rates", species=naming.heading(result.question)))
    if rates or not told:
        listed = by_party(rates or known.values(), naming.programme)[:_MOST_LISTED]
        told += [_sentence(result, e, printer) for e in listed]
    return tuple(told)


def _sentence(result: Result, first: Estimate, printer: Printer) -> Markup:
    return printer.say(opening_message(result, first), **facts(result, first, printer))


def facts(result: Result, first: Estimate, printer: Printer) -> Mapping[str, object]:
    """What the sentences of `opening_message` name."""
    naming, question = printer.naming, result.question
    return {
        "species": naming.heading(question),
        "animals": naming.animals(question),
        "place": naming.places(question, result.parties),
        "party": naming.qualifier(first.quantity.partition(".")[2].partition(".")[0]),
        "of": naming.qualifier(first.quantity.rpartition(".")[2]),
        "sessions": len(question.sessions) + len(question.periods),
        "quantity": naming.quantity(first),
        "unit": naming.unit(first.unit),
        "value": printer.bold(first),
        "interval": printer.level_and_interval(first),
        "number": printer.number(first),
    }


def _sides(result: Result, printer: Printer) -> tuple[Markup, ...]:
    """Whose side the animals live on, in the last year if there are several: activity centres by party."""
    answer, naming = result.answer, printer.naming
    year = last_year(answer) if result.question.engine == "population.open" else ""
    head = f"N.{year}" if year else "N"
    parties = naming.component(result.question.component).parties or tuple(p.id for p in naming.programme.parties)
    told = [
        printer.say("report.found.side", number=printer.compact(answer[f"{head}.{p}"]), party=naming.party(p))
        for p in parties
        if f"{head}.{p}" in answer
    ]
    return (printer.say("report.found.sides", sides=Markup("; ").join(told)),) if len(told) > 1 else ()


def _surveyed(answer: Answer, printer: Printer) -> tuple[Markup, ...]:
    """How much of the number was surveyed, and how much extrapolated."""
    if "N.surveyed" not in answer or "N.extrapolated" not in answer:
        return ()
    numbers = {name: printer.compact(answer[f"N.{name}"]) for name in ("surveyed", "extrapolated")}
    return (printer.say("report.found.surveyed", **numbers),)


def _lists(result: Result, printer: Printer) -> tuple[Markup, ...]:
    """The lists beside the estimate: known animals, and what adding the lists of several parties would say."""
    lists = result.sheet.lists if result.sheet else Answer()
    if not all(quantity in lists for quantity in ("minimum_number", "naive_sum")):
        return ()
    told = {"distinct.shared": "both"} | {key: key for key in ("minimum_number", "naive_sum", "shared", "distinct")}
    numbers = {place: printer.value(lists[key]) for key, place in told.items() if key in lists}
    return (printer.say(_about_lists(lists), animals=printer.naming.animals(result.question), **numbers),)


def _about_lists(lists: Answer) -> str:
    """The sentence about the lists: of one party, of several that share an animal, of several that share none yet."""
    if any(finding.rule == FROM_CROSSINGS for finding in lists.findings):
        return "report.found.lists.crossings"
    if sum(e.quantity.startswith("known.") and e.quantity.count(".") == 1 for e in lists.estimates) < 2:
        return "report.found.lists.one"
    if any(finding.rule == "nothing-shared" for finding in lists.findings):
        return "report.found.lists.undecided"
    if not is_sessions(lists["minimum_number"]):
        return "report.found.lists"
    several = all(quantity in lists for quantity in ("distinct", "distinct.shared"))
    return "report.found.lists.sessions.distinct" if several else "report.found.lists.sessions"


def _own_excess(sheet: JointSheet, step: str, printer: Printer) -> Markup:
    return _bold(excess(Convention.OWN, sheet.facts.get(f"excess_pct.{Convention.OWN}"), step), printer)


def _bold(estimate: Estimate | None, printer: Printer) -> Markup:
    return Markup("<b>{}</b>").format(printer.value(estimate)) if estimate else Markup("")
