"""Facts beside the numbers: days lost by reason, findings by rule, entries of the register."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from sharedrange.assessment.results import Result
from sharedrange.core.finding import Finding, Severity
from sharedrange.core.ledger import Ledger

MOST_ALIKE_PRINTED = {Severity.ERROR: 3, Severity.WARNING: 3, Severity.NOTE: 1}
_TITLES = ("title", "name", "activity", "text", "what", "taxon")  # the column that names an entry
_MARKS = ("date", "planned", "key", "id", "period")  # the column that stands beside it


def gap_reasons(told: str) -> tuple[tuple[str, float], ...]:
    """Days lost by reason, from ``snow 120, theft 31``.

    Examples
    --------
    >>> gap_reasons("snow 120, theft 31")
    (('snow', 120.0), ('theft', 31.0))
    """
    pairs = (piece.strip().rpartition(" ") for piece in told.split(",") if piece.strip())
    return tuple((reason, float(days)) for reason, _, days in pairs)


def overview_step(ledger: Ledger, results: tuple[Result, ...]) -> str:
    """The step behind the facts about deliveries: the overview, or the first question's where there is none."""
    overview = [key for key, step in ledger.steps.items() if step.operation == "assessment.overview"]
    return overview[0] if overview else (results[0].step if results else "")


@dataclass(frozen=True, slots=True)
class Told:
    """Findings of one rule: the first few, and how many more the findings file holds."""

    severity: Severity
    shown: tuple[Finding, ...]
    more: int


def told(findings: Iterable[Finding]) -> tuple[Told, ...]:
    """Findings by rule, in order, so that forty alike take three lines."""
    by_rule: dict[tuple[Severity, str], list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault((finding.severity, finding.rule), []).append(finding)
    return tuple(
        Told(severity, tuple(alike[: MOST_ALIKE_PRINTED[severity]]), max(0, len(alike) - MOST_ALIKE_PRINTED[severity]))
        for (severity, _), alike in by_rule.items()
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the register: what it is called, what stands beside it, and its other cells that are not empty."""

    title: str
    mark: str
    fields: tuple[tuple[str, str], ...]


def entries(table: pl.DataFrame) -> tuple[Entry, ...]:
    """Rows of a wide table as entries, which print better than fifteen columns."""
    title = next((c for c in _TITLES if c in table.columns), table.columns[0])
    mark = next((c for c in _MARKS if c in table.columns and c != title), "")
    return tuple(_entry(row, title, mark) for row in table.iter_rows(named=True))


def _entry(row: Mapping[str, object], title: str, mark: str) -> Entry:
    rest = ((key, _cell(value)) for key, value in row.items() if key not in (title, mark))
    return Entry(_cell(row[title]), _cell(row.get(mark)), tuple((key, value) for key, value in rest if value))


def _cell(value: object) -> str:
    return "" if value is None else str(value)
