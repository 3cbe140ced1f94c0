"""Which numbers open an answer, and in which sentence: every engine answers first what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sharedrange.assessment.results import Result, last_year
from sharedrange.core.answer import Answer, Estimate

_MOST = 4  # numbers of one kind that open an answer; the table holds all


@dataclass(frozen=True, slots=True)
class Opening:
    """A number and the message of the sentence that tells it."""

    message: str
    estimate: Estimate


def openings(result: Result) -> tuple[Opening, ...]:
    """The numbers of the main answer that stand in sentences; none where its engine has no sentences of its own."""
    own = _OF_ENGINE.get(result.question.engine)
    return tuple(own(result.answer)) if own else ()


def _closed(answer: Answer) -> Iterator[Opening]:
    numbers = [e for e in answer.estimates if e.quantity.partition(".")[0] == "N"]
    for number in numbers[:_MOST]:
        yield Opening("report.found.closed.session" if "." in number.quantity else "report.found.closed", number)
    least = [e for e in answer.estimates if e.quantity == "N_without_ghosts"]
    yield from (Opening("report.found.closed.ghosts", number) for number in least)


def _occupancy(answer: Answer) -> Iterator[Opening]:
    yield from _told(answer, {"psi": "report.found.occupancy", "naive": "report.found.occupancy.naive"})


def _open(answer: Answer) -> Iterator[Opening]:
    rates = {"phi": "report.found.years.survival", "lambda": "report.found.years.growth"}
    yield from _told(answer, {f"N.{last_year(answer)}": "report.found.years"} | rates)
    crossings = [e for e in answer.estimates if e.quantity.startswith("crossings.")]
    yield from (Opening("report.found.years.crossings", latest) for latest in crossings[-1:])


def _permeability(answer: Answer) -> Iterator[Opening]:
    measured = [e for e in answer.estimates if e.quantity.startswith("permeability.")]
    yield from (Opening(_about_a_line(number), number) for number in measured[:_MOST])
    powers = [e for e in answer.estimates if e.quantity.startswith("power.")]
    yield from (Opening("report.found.permeability.power", number) for number in powers[:_MOST])


def _about_a_line(permeability: Estimate) -> str:
    """The sentence for a period of several, or for the ends that the interval reaches: neither, one, or both."""
    if permeability.quantity.count(".") > 1:
        return "report.found.permeability.period"
    closed, clear = permeability.low == 0.0, permeability.high == 1.0
    reach = {(False, False): "between", (True, False): "closed", (False, True): "open", (True, True): "unclear"}
    return f"report.found.permeability.{reach[closed, clear]}"


def _trend(answer: Answer) -> Iterator[Opening]:
    yield from _told(answer, {"trend": "report.found.trend"})
    levels = [e for e in answer.estimates if e.quantity.startswith("trend.")]
    yield from (Opening("report.found.trend.of", number) for number in levels[:_MOST])


def _told(answer: Answer, messages: Mapping[str, str]) -> Iterator[Opening]:
    for quantity, message in messages.items():
        if quantity in answer:
            yield Opening(message, answer[quantity])


_OF_ENGINE: Mapping[str, Callable[[Answer], Iterator[Opening]]] = {
    "population.closed": _closed,
    "population.occupancy": _occupancy,
    "population.open": _open,
    "population.permeability": _permeability,
    "population.trend": _trend,
}
