"""Before anything leaves: what would, what stays and why, what outsiders could make of it, and what it costs.

Nothing is written. Attacks run on the very tables that would leave, with the truth that only their owner has, alone
and beside what left before. The curve over cell sizes puts both sides of a negotiation on one axis: how wide the joint
interval becomes, and how many stations an attacker finds.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import polars as pl

from sharedrange.assessment.sharing.attacking import (
    SAMPLES,
    STATIONS,
    Beside,
    attack_together,
    attacks_beside,
    attacks_on,
    attacks_since,
    known_of,
)
from sharedrange.assessment.sharing.earlier import Left, cells_before, held_beside, left_before, newest
from sharedrange.assessment.sharing.releasing import Asked, Leaving, what_would_leave
from sharedrange.core.errors import AgreementError
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.release import COUNT_TABLES, SAMPLE_TABLES, SURVEY_TABLES
from sharedrange.sharing.agreement import Agreement, Kind, frame_of
from sharedrange.sharing.anonymity import Known, Tables, about_areas, effective_area_km2
from sharedrange.sharing.attack import Attack, stood, told_late
from sharedrange.sharing.release import Request, Withheld, names_needed, release

_AS_SMALL = 1 - 1e-9  # the same area, but for rounding


@dataclass(frozen=True, slots=True)
class Preview:
    """What would leave and what it would tell.

    `tables`: exactly what would be sealed; `manifest`: what the recipient is told of them; `withheld`: for the owner;
    `attacks`: what the built-in attackers achieve; `beside`: what they achieve who hold the newest release of another
    agreement too; `areas`: km2 in which an outsider has to look for each place; `findings`: what is doubtful; an error
    stops the sealing.
    """

    agreement: Agreement
    tables: Tables
    manifest: Mapping[str, object]
    withheld: tuple[Withheld, ...]
    attacks: tuple[Attack, ...]
    beside: tuple[Beside, ...]
    areas: pl.DataFrame
    findings: tuple[Finding, ...]

    @property
    def period(self) -> tuple[date, date] | None:
        """First days of the first and the last period that would leave."""
        days = [day for t in self.tables.values() if "period" in t.columns for day in t["period"].drop_nulls()]
        return (min(days), max(days)) if days else None


def preview(folder: Path | str, asked: Asked, *, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Preview:
    """Look at a release before it is made. Nothing is written.

    Raises ProgrammeError, InputError and AgreementError with every reason why nothing may leave at all.
    """
    return look_at(what_would_leave(folder, asked, random_bytes=random_bytes))


def look_at(leaving: Leaving) -> Preview:
    """What a release would tell; its findings hold an error where it must not leave as it is.

    Raises InputError if the pseudonyms of an earlier release are damaged.
    """
    agreement, tables = leaving.agreement, leaving.released.tables
    known = known_of(leaving.ground.node, agreement.owner, tables)
    left, gone = left_before(leaving.ground, leaving.content)
    places = stood(leaving.content, tables, leaving.pseudonyms)
    held, all_told = (cells_before(some, places) for some in (held_beside(left, leaving), left))
    areas = effective_area_km2(tables, agreement.named_grid, known, [held])
    attacks = [*attacks_on(leaving, known, places, held)]
    if _is_smaller(effective_area_km2(tables, agreement.named_grid, known, [all_told]), areas):
        attacks += attack_together(leaving, known, places, all_told)
    last = newest(left)
    since, late = _since(leaving, last.pop(agreement.id, None))
    beside = tuple(attacks_beside(leaving, places, other) for other in last.values())
    attacks += since
    found = (*gone, *_about_areas(leaving, areas), *_about_attacks(attacks), *_about_links(beside), *late)
    manifest, withheld = leaving.released.manifest, leaving.released.withheld
    return Preview(agreement, tables, manifest, withheld, tuple(attacks), beside, areas, found)


@dataclass(frozen=True, slots=True)
class Step:
    """One size of cells on the curve: what attackers achieve, and how many stations would leave."""

    cell: float
    stations: int
    attack: Attack | None


def attack_curve(leaving: Leaving, asked: Asked) -> tuple[Step, ...]:
    """What the station attack achieves for each size of the agreement's grid, all else as agreed.

    Cells that readers were told of before count here too: larger ones make nobody forget them.
    """
    known = known_of(leaving.ground.node, leaving.agreement.owner, leaving.released.tables)
    left, _ = left_before(leaving.ground, leaving.content)
    held = held_beside(left, leaving)
    return tuple(_step(leaving, asked, known, held, cell) for cell in leaving.agreement.grid.sizes)


def _step(leaving: Leaving, asked: Asked, known: Known, held: Iterable[Left], cell: float) -> Step:
    rules = tuple(replace(rule, cell=cell) if rule.cell is not None else rule for rule in leaving.agreement.rules)
    agreement = replace(leaving.agreement, rules=rules)
    standing = leaving.ground.standing(leaving.agreement)
    request = Request(asked.recipient, asked.purpose, asked.on)
    pseudonyms = leaving.pseudonyms.with_names(names_needed(leaving.content, agreement))
    try:
        released = release(leaving.content, agreement, request, standing, pseudonyms)
    except AgreementError:
        return Step(cell, 0, None)  # every station is alone in its cell
    would = replace(leaving, agreement=agreement, pseudonyms=pseudonyms, released=released)
    places = stood(leaving.content, released.tables, pseudonyms)
    attacks = attacks_on(would, known, places, cells_before(held, places))
    stations = released.tables["stations"].height if "stations" in released.tables else 0
    return Step(cell, stations, next((attack for attack in attacks if attack.name == STATIONS), None))


def _is_smaller(areas: pl.DataFrame, than: pl.DataFrame) -> bool:
    """Whether any place is left less ground; both in the same order."""
    return bool((areas["area_km2"] < than["area_km2"] * _AS_SMALL).any())


def _about_areas(leaving: Leaving, areas: pl.DataFrame) -> Iterator[Finding]:
    frames = [frame_of(leaving.agreement, kind) for kind in _kinds(leaving.released.tables)]
    least = max((frame.least_area_km2 for frame in frames if frame is not None), default=0.0)
    yield from about_areas(areas, least)


def _kinds(tables: Tables) -> Iterator[Kind]:
    if set(tables) & set(SURVEY_TABLES):
        yield "survey"
    if set(tables) & set(COUNT_TABLES):
        yield "counts"
    if set(tables) & set(SAMPLE_TABLES):
        yield "samples"


def _about_attacks(attacks: Iterable[Attack], **facts: Fact) -> Iterator[Finding]:
    """An attack on places that finds more than 5 points above guessing stops a release; the others are told."""
    for attack in attacks:
        if not attack.certified:
            told: dict[str, Fact] = {
                "attack": attack.name,
                "success_pct": round(100 * attack.success, 1),
                "chance_pct": round(100 * attack.chance, 1),
                "n": attack.n,
                **facts,
            }
            stops = attack.name in (STATIONS, SAMPLES)
            yield Finding(
                f"release-attacked-{attack.name}", told, severity=Severity.ERROR if stops else Severity.WARNING
            )


def _about_links(beside: Iterable[Beside]) -> Iterator[Finding]:
    """What is linked is told and stops nothing: nobody need hold both, and what left cannot be made to differ."""
    for one in beside:
        yield from _about_attacks(one.attacks, agreement=one.agreement, recipient=one.recipient, on=one.on)


def _since(leaving: Leaving, before: Left | None) -> tuple[list[Attack], list[Finding]]:
    """What the agreement's last release and this one tell together: by totals, and of what was added late."""
    if before is None:
        return [], []
    then = before.tables()
    late = told_late(then, leaving.released.tables)
    facts: dict[str, Fact] = {"added": late.added, "told": late.told, "on": before.on}
    found = [Finding("release-told-late", facts, severity=Severity.WARNING)] if late.added or late.told else []
    return list(attacks_since(leaving, then)), found
