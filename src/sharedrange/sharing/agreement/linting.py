"""What is doubtful in an agreement that can be read: rules without effect, gaps, dates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.release import SURVEY_TABLES
from sharedrange.sharing.agreement.terms import terms_of
from sharedrange.sharing.agreement.types import EVERY_TAXON, Agreement, Rule

_SOON = timedelta(days=60)
_NEEDS = {"encounters": "stations", "effort": "stations", "counts": "visits"}


def lint(agreement: Agreement, today: date) -> tuple[Finding, ...]:
    """Everything doubtful in an agreement on a day: warnings, and an error where it has expired."""
    where = Where(agreement.file or agreement.id)
    found = [*_about_dates(agreement, today), *_contradictions(agreement), *_gaps(agreement)]
    return tuple(_at(finding, where) for finding in found)


def _at(finding: Finding, where: Where) -> Finding:
    return Finding(finding.rule, finding.facts, where, finding.severity)


def _about_dates(agreement: Agreement, today: date) -> Iterator[Finding]:
    valid = agreement.valid
    facts: dict[str, Fact] = {"start": str(valid.start), "end": str(valid.end), "today": str(today)}
    if today > valid.end:
        yield Finding("agreement-expired", facts)
    elif today < valid.start:
        yield Finding("agreement-not-begun", facts, severity=Severity.WARNING)
    elif valid.end - today < _SOON:
        yield Finding("agreement-ends-soon", facts, severity=Severity.WARNING)


def _contradictions(agreement: Agreement) -> Iterator[Finding]:
    """Tables that one rule gives and another, which matches the same taxon, takes back."""
    for taxon in _taxa(agreement):
        rules, terms = agreement.rules_for(taxon), terms_of(agreement, taxon)
        left = {"encounters": terms and terms.encounters, "counts": terms and terms.counts}
        given = {table for rule in rules for table in rule.tables}
        if taken := [table for table, columns in left.items() if table in given and columns is None]:
            facts: dict[str, Fact] = {
                "taxon": taxon,
                "tables": ", ".join(taken),
                "rules": ", ".join(rule.id for rule in rules),
            }
            yield Finding("agreement-contradiction", facts, severity=Severity.WARNING)


def _gaps(agreement: Agreement) -> Iterator[Finding]:
    """Rules whose records cannot be used: what they need is not given."""
    if not agreement.rules:
        yield Finding("agreement-gives-nothing", {}, severity=Severity.WARNING)
    for rule in agreement.rules:
        yield from _missing_tables(rule)
        if rule.tables and rule.cell is None:
            yield Finding("rule-without-cell", {"rule": rule.id}, severity=Severity.WARNING)
        if rule.identity == "none" and "individual" in rule.tables.get("encounters", ()):
            yield Finding("rule-without-identity", {"rule": rule.id}, severity=Severity.WARNING)


def _missing_tables(rule: Rule) -> Iterator[Finding]:
    for table, needed in _NEEDS.items():
        if table in rule.tables and needed not in rule.tables:
            facts: dict[str, Fact] = {"rule": rule.id, "table": table, "needed": needed}
            yield Finding("rule-gap", facts, severity=Severity.WARNING)
    if set(rule.tables) & set(SURVEY_TABLES) and "effort" not in rule.tables:
        facts = {"rule": rule.id, "table": "encounters", "needed": "effort"}
        yield Finding("rule-gap", facts, severity=Severity.WARNING)


def _taxa(agreement: Agreement) -> tuple[str, ...]:
    named = {taxon for rule in agreement.rules for taxon in rule.taxa}
    return tuple(sorted(named - {EVERY_TAXON})) or tuple(sorted(named))
