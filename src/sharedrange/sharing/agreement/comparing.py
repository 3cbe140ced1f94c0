"""What is doubtful in an agreement beside the others of a node: the same recipient would get things that do not fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.sharing.agreement.terms import frame_of, terms_of
from sharedrange.sharing.agreement.types import Agreement, as_compared


def lint_beside(agreement: Agreement, others: Iterable[Agreement]) -> tuple[Finding, ...]:
    """Everything doubtful in an agreement beside those of `others` that give to one of its recipients at its time."""
    found = [finding for other in others if other.id != agreement.id for finding in _beside(agreement, other)]
    return tuple(Finding(f.rule, f.facts, Where(agreement.file or agreement.id), Severity.WARNING) for f in found)


def _beside(agreement: Agreement, other: Agreement) -> Iterator[Finding]:
    both = sorted(set(agreement.recipients) & set(other.recipients))
    if not both or not _overlap(agreement, other):
        return
    facts: dict[str, Fact] = {"other": other.id, "recipients": ", ".join(both)}
    if agreement.timezone != other.timezone:
        yield Finding("agreements-timezones", {**facts, "here": agreement.timezone, "there": other.timezone})
    if _lattice(agreement) != _lattice(other):
        yield Finding("agreements-grids", {**facts, "here": agreement.grid.id, "there": other.grid.id})
    if unlike := sorted(_unlike_models(agreement, other)):
        yield Finding("agreements-cameras", {**facts, "models": ", ".join(unlike)})
    if agreement.owner == other.owner and (taxa := list(_given_unlike(agreement, other))):
        yield Finding("agreements-differ", {**facts, "taxa": ", ".join(taxa)})


def _overlap(agreement: Agreement, other: Agreement) -> bool:
    return agreement.valid.start <= other.valid.end and other.valid.start <= agreement.valid.end


def _lattice(agreement: Agreement) -> tuple[str, tuple[float, ...]]:
    """Where cells are cut: grids that are called unlike may be one."""
    return agreement.grid.crs, agreement.grid.sizes


def _unlike_models(agreement: Agreement, other: Agreement) -> Iterator[str]:
    """Camera models that the two write in unlike ways: their reader would take them for two."""
    there = {as_compared(name): name for name in other.cameras.names}
    for name in agreement.cameras.names:
        if there.get(as_compared(name), name) != name:
            yield name


def _given_unlike(agreement: Agreement, other: Agreement) -> Iterator[str]:
    """The taxa that both give, and one more than the other: a reader of both has what the looser one gives."""
    named = {taxon for one in (agreement, other) for rule in one.rules for taxon in rule.taxa}
    for taxon in sorted(named):
        given = [_given(one, taxon) for one in (agreement, other)]
        if None not in given and given[0] != given[1]:
            yield taxon


def _given(agreement: Agreement, taxon: str) -> tuple[object, ...] | None:
    """All that an agreement says of a taxon's records; None if none leave."""
    terms = terms_of(agreement, taxon)
    if terms is None or (terms.encounters is None and terms.counts is None):
        return None
    frames = [frame_of(agreement, kind) for kind in ("survey", "counts")]
    told = [(f.cell, f.least_stations, f.few_stations, f.delay_days, f.resolution) if f else None for f in frames]
    return (terms.encounters, terms.counts, terms.identity, terms.concordance, terms.suppress_below, *told)
