"""What is doubtful in an agreement that can be read: rules without effect, gaps, dates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.grids import DEGREE_M, GEOGRAPHIC
from sharedrange.core.release import PICTURE_TABLES, SURVEY_TABLES
from sharedrange.sharing.agreement.terms import frame_of, terms_of
from sharedrange.sharing.agreement.types import EVERY_TAXON, Agreement, Rule

_SOON = timedelta(days=60)
_SHORT = ("day", "week")
_FRESH_DAYS = 7  # who reads of last week can go where the animal was
_TELLS_ONE = 2  # with less, a season in which one animal was known to both says so
_DATA = {"encounters", "counts", "samples"}  # what numbers are computed from
_NEEDS = {"encounters": "stations", "effort": "stations", "counts": "visits"}


def lint(agreement: Agreement, today: date) -> tuple[Finding, ...]:
    """Everything doubtful in an agreement on a day: warnings, and an error where it has expired."""
    where = Where(agreement.file or agreement.id)
    found = [
        *_about_dates(agreement, today),
        *_contradictions(agreement),
        *_gaps(agreement),
        *(finding for rule in agreement.rules for finding in _about_rule(rule)),
        *_about_areas(agreement),
        *_idle(agreement),
    ]
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
        left = {
            "encounters": terms and terms.encounters,
            "counts": terms and terms.counts,
            "pictures": terms and terms.pictures,
            "samples": terms and terms.samples,
        }
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
        yield from _about_pictures(rule)
        if set(rule.tables) - set(PICTURE_TABLES) and rule.cell is None:
            yield Finding("rule-without-cell", {"rule": rule.id}, severity=Severity.WARNING)
        if rule.identity == "none" and _names_animals(rule):
            yield Finding("rule-without-identity", {"rule": rule.id}, severity=Severity.WARNING)


def _names_animals(rule: Rule) -> bool:
    return any("individual" in rule.tables.get(table, ()) for table in ("encounters", "pictures", "samples"))


def _about_pictures(rule: Rule) -> Iterator[Finding]:
    """Pictures that one key gives and another keeps."""
    if "pictures" in rule.tables and rule.media == "none":
        yield Finding("rule-without-media", {"rule": rule.id}, severity=Severity.WARNING)
    if "pictures" in rule.tables and rule.media == "originals":
        yield Finding("rule-originals", {"rule": rule.id}, severity=Severity.WARNING)
    if "pictures" not in rule.tables and rule.media != "none":
        facts: dict[str, Fact] = {"rule": rule.id, "media": rule.media}
        yield Finding("rule-without-pictures", facts, severity=Severity.WARNING)


def _about_rule(rule: Rule) -> Iterator[Finding]:
    """What a rule can hardly mean: names that will not leave, seasons that tell of one animal, fresh records."""
    named = {"rule": rule.id}
    if rule.identity == "code" and (bare := _codes_without_catalogue(rule)):
        yield Finding("rule-code-without-catalogue", {**named, "tables": ", ".join(bare)}, severity=Severity.WARNING)
    if needed := _needed_of_concordance(rule):
        facts: dict[str, Fact] = {**named, "concordance": rule.concordance, "needed": needed}
        yield Finding("rule-concordance-idle", facts, severity=Severity.WARNING)
    elif rule.concordance == "crossings" and rule.suppress_below < _TELLS_ONE:
        yield Finding("rule-crossings-of-one", {**named}, severity=Severity.WARNING)
    if set(rule.tables) & set(SURVEY_TABLES) and rule.resolution in _SHORT and rule.delay_days < _FRESH_DAYS:
        facts = {**named, "delay_days": rule.delay_days, "resolution": rule.resolution}
        yield Finding("rule-nearly-live", facts, severity=Severity.WARNING)


def _needed_of_concordance(rule: Rule) -> str:
    """What a rule would have to give so that anything is told of common animals; empty where nothing is missing."""
    if rule.concordance == "crossings" and "encounters" not in rule.tables:
        return "encounters"
    return "individual" if rule.concordance == "joint-id" and not _names_animals(rule) else ""


def _codes_without_catalogue(rule: Rule) -> list[str]:
    """Tables that give codes of animals and not whose codes they are: then these stay, since two may be one."""
    return [name for name, given in rule.tables.items() if "individual" in given and "catalogue" not in given]


def _about_areas(agreement: Agreement) -> Iterator[Finding]:
    """Cells smaller than the ground that an outsider must be left with: nothing could ever leave in them."""
    frames = (frame_of(agreement, "survey"), frame_of(agreement, "counts"))
    asked = {(frame.cell, frame.least_area_km2) for frame in frames if frame is not None and frame.cell is not None}
    for cell, least_km2 in sorted(asked):
        largest_km2 = _largest_km2(agreement, cell)
        if least_km2 > largest_km2:
            facts: dict[str, Fact] = {"least_km2": least_km2, "cell": cell, "cell_km2": float(f"{largest_km2:.3g}")}
            yield Finding("agreement-area-larger-than-cell", facts, severity=Severity.WARNING)


def _largest_km2(agreement: Agreement, cell: float) -> float:
    """The area of a cell; in degrees that of one at the equator, where cells are largest."""
    side_m = cell * DEGREE_M if agreement.grid.crs == GEOGRAPHIC else cell
    return (side_m / 1000) ** 2


def _idle(agreement: Agreement) -> Iterator[Finding]:
    """What is agreed about things that no rule lets leave."""
    gives_models = any("camera_type" in rule.tables.get("stations", ()) for rule in agreement.rules)
    if agreement.cameras.names and not gives_models:
        yield Finding("cameras-idle", {}, severity=Severity.WARNING)
    for output in agreement.outputs:
        taxa = output.taxa or (EVERY_TAXON,)
        if without := [taxon for taxon in taxa if not _gives(agreement, taxon)]:
            facts: dict[str, Fact] = {"output": output.kind, "taxa": ", ".join(without)}
            yield Finding("output-without-data", facts, severity=Severity.WARNING)


def _gives(agreement: Agreement, taxon: str) -> bool:
    """Whether records of a taxon may leave; of every taxon: of any."""
    if taxon == EVERY_TAXON:
        return any(_DATA & set(rule.tables) for rule in agreement.rules)
    terms = terms_of(agreement, taxon)
    return terms is not None and {terms.encounters, terms.counts, terms.samples} != {None}


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
