"""Which numbers open an answer, and in which sentence: every engine answers first what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sharedrange.assessment.results import Result
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


def last_year(answer: Answer) -> str:
    """The last of the years that an answer has a number of animals for; empty if there is none."""
    named = (e.quantity.split(".") for e in answer.estimates)
    return next(iter(sorted((parts[1] for parts in named if parts[0] == "N" and len(parts) == 2), reverse=True)), "")


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
    "population.trend": _trend,
}
