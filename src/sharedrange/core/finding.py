"""A finding is data: which rule, where, the facts. The words come later, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

Fact = str | int | float | bool | None


class Severity(StrEnum):
    """How much a finding weighs: an error stops the work, a warning is shown, a note explains."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Where:
    """The place in a delivery that a finding points to; every part may be unknown.

    `row` is the line number that a text editor shows (the header is line 1).
    """

    file: str | None = None
    table: str | None = None
    row: int | None = None
    field: str | None = None

    def __str__(self) -> str:
        parts = [self.file or self.table, f"row {self.row}" if self.row else None, self.field]
        return ", ".join(p for p in parts if p)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or worth knowing.

    `rule` names two sentences of the catalogue, ``finding.<rule>.fact`` and ``finding.<rule>.remedy``;
    `facts` fill their places. Raw values of fields go into `facts` as text, never positions of animals.

    Examples
    --------
    >>> str(Finding("unknown-key", {"key": "specie", "nearest": "species"}, Where(file="programme.toml")))
    'unknown-key (programme.toml): key=specie, nearest=species'
    """

    rule: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    where: Where = Where()
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))

    def __str__(self) -> str:
        where = f" ({self.where})" if str(self.where) else ""
        return f"{self.rule}{where}: " + ", ".join(f"{k}={v}" for k, v in self.facts.items())

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return Finding, (self.rule, dict(self.facts), self.where, self.severity)

    def __hash__(self) -> int:
        return hash((self.rule, tuple(sorted(self.facts.items(), key=str)), self.where))


def errors(findings: tuple[Finding, ...] | list[Finding]) -> list[Finding]:
    """The findings that stop the work."""
    return [f for f in findings if f.severity is Severity.ERROR]
