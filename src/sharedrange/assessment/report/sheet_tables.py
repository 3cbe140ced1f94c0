"""A joint sheet as tables: the lists by party and stage, and what each says alone against all together."""

from __future__ import annotations

from dataclasses import dataclass

from sharedrange.assessment.programme import Programme
from sharedrange.assessment.report.grouping import party_of
from sharedrange.assessment.report.ways_back import excess
from sharedrange.assessment.results import Convention, JointSheet
from sharedrange.core.answer import Answer, Estimate
from sharedrange.core.survey import LIFE_STAGES, SEXES

SLICES = (*LIFE_STAGES, "unknown_stage", *SEXES, "unknown_sex")  # last parts of the lists' quantities


@dataclass(frozen=True, slots=True)
class ListRow:
    """One quantity of the lists: the animals asked for, then slices of them (None where the lists do not say)."""

    whole: Estimate
    slices: tuple[Estimate | None, ...]


@dataclass(frozen=True, slots=True)
class ListGroup:
    """The rows about one party's list, or (`party` empty) about all lists together."""

    party: str
    rows: tuple[ListRow, ...]


@dataclass(frozen=True, slots=True)
class ListTable:
    """Lists by party; `slices` are the columns beside the animals asked for."""

    slices: tuple[str, ...]
    groups: tuple[ListGroup, ...]

    @property
    def columns(self) -> int:
        """How many columns the table has."""
        return 2 + len(self.slices)


@dataclass(frozen=True, slots=True)
class AloneRow:
    """One convention: an estimate a party (None where its data were refused), the sum, and its excess."""

    convention: Convention
    parts: tuple[Estimate | None, ...]
    total: Estimate | None
    excess: Estimate | None


def list_table(lists: Answer, programme: Programme) -> ListTable:
    """Each party's list, then what they are together; with the slices in which somebody is listed."""
    known = {e.quantity: e for e in lists.estimates}
    slices = tuple(s for s in SLICES if any(e.value for q, e in known.items() if q.endswith(f".{s}")))
    by_owner: dict[str, list[ListRow]] = {party: [] for party in (*(p.id for p in programme.parties), "")}
    for quantity, estimate in known.items():
        if quantity.rpartition(".")[2] not in SLICES:
            sliced = tuple(known.get(f"{quantity}.{s}") for s in slices)
            by_owner[party_of(estimate, by_owner)].append(ListRow(estimate, sliced))
    return ListTable(slices, tuple(ListGroup(party, tuple(rows)) for party, rows in by_owner.items() if rows))


def alone_rows(sheet: JointSheet, parties: tuple[str, ...], step: str) -> tuple[AloneRow, ...]:
    """A row a convention; the excess is a number like others and goes back to `step`."""
    return tuple(
        AloneRow(
            alone.convention,
            tuple(alone.parts.get(party) for party in parties),
            alone.total,
            excess(alone.convention, alone.excess_pct, step),
        )
        for alone in sheet.sums
    )


def sheet_parties(sheet: JointSheet) -> tuple[str, ...]:
    """Parties that have a number of their own on the sheet, in its order."""
    return tuple(dict.fromkeys(party for alone in sheet.sums for party in alone.parts))
