"""Estimates as lines of text: names, digits and units are the report's own, so that both say the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from sharedrange.assessment.report.naming import Naming
from sharedrange.assessment.report.numbers import readable, shown
from sharedrange.cli.face import grid

if TYPE_CHECKING:
    from rich.table import Table

    from sharedrange.core.answer import Answer, Estimate
    from sharedrange.core.words import Words

HEADLINES = ("N", "minimum_number", "rate")  # what a question asks for, before what stands behind it


@dataclass(frozen=True, slots=True)
class Line:
    """An estimate as cells of a table: name, value, unit, and the interval with its level."""

    name: str
    value: str
    unit: str
    interval: str

    @classmethod
    def of(cls, naming: Naming, estimate: Estimate) -> Line:
        """The line of an estimate."""
        parts = shown(estimate, naming.words)
        told = naming.words("report.interval", interval=parts.interval, level=parts.level) if parts.interval else ""
        return cls(naming.quantity(estimate), parts.value, naming.unit(estimate.unit), told)

    @property
    def bare(self) -> str:
        """Value and interval: for a sentence that names the unit itself."""
        return f"{self.value} ({self.interval})" if self.interval else self.value

    def __str__(self) -> str:
        value = f"{self.value} {self.unit}".rstrip()
        return f"{value} ({self.interval})" if self.interval else value


def headline(answer: Answer) -> Estimate | None:
    """The estimate that answers the question; None if there is none."""
    wanted = (answer[quantity] for quantity in HEADLINES if quantity in answer)
    return next(wanted, answer.estimates[0] if answer.estimates else None)


def estimates_table(naming: Naming, estimates: Iterable[Estimate]) -> Table:
    """Estimates below each other: what, how much, between which bounds."""
    return lines_table(Line.of(naming, estimate) for estimate in readable(estimates))


def lines_table(lines: Iterable[Line]) -> Table:
    """Lines below each other, values aligned at their last digit."""
    table = grid("left", "right", "left", "left")
    for line in lines:
        table.add_row(Text(line.name), Text(line.value), Text(line.unit), Text(line.interval, style="dim"))
    return table


def scope_text(words: Words, estimate: Estimate) -> str:
    """What a number is about: the animals, the place, the time, the method."""
    scope = estimate.scope
    parts = [scope.taxon, scope.stage, scope.sex, scope.place, scope.period]
    method = f"method.{scope.method}"
    parts.append(words(method) if method in words else scope.method)
    return ", ".join(part for part in parts if part)
