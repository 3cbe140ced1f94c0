"""Numbers that an answer has for every year, as tables of a row a year and a column for everybody and each party."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sharedrange.assessment.programme import Programme
from sharedrange.assessment.report.numbers import readable
from sharedrange.core.answer import Estimate

KINDS = {"population.open": ("N", "N_expected", "D"), "population.trend": ("index", "total")}  # engine -> first parts
_LEAST = 3  # years that are worth a table of their own


@dataclass(frozen=True, slots=True)
class Column:
    """What stands in a column: a kind of number (``N``), and whose (empty: everybody's)."""

    kind: str
    party: str
    unit: str


@dataclass(frozen=True, slots=True)
class YearTable:
    """`rows`: a year and its number in each column, None where there is none."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[Estimate | None, ...]], ...]

    @property
    def is_of_parties(self) -> bool:
        """Whether the columns are one kind of number, of several parties."""
        return any(column.party for column in self.columns)


def year_tables(estimates: Iterable[Estimate], engine: str, programme: Programme) -> tuple[YearTable, ...]:
    """The tables of an answer: one a kind of number where parties have it too, else one of all kinds."""
    parties = ("", *(party.id for party in programme.parties))
    yearly = [e for e in readable(estimates) if _cell(e, engine, parties)]
    found = {_cell(e, engine, parties): e for e in yearly}
    years = tuple(dict.fromkeys(cell[0] for cell in found if cell))
    if len(years) < _LEAST:
        return ()
    units = {(cell[1], cell[2]): e.unit for cell, e in found.items() if cell}
    of_kind = [
        [Column(kind, party, units[kind, party]) for party in parties if (kind, party) in units]
        for kind in KINDS[engine]
    ]
    columns = [group for group in of_kind if group]
    if all(len(group) == 1 for group in columns):
        columns = [[one for group in columns for one in group]]
    return tuple(
        YearTable(tuple(group), tuple((y, tuple(found.get((y, c.kind, c.party)) for c in group)) for y in years))
        for group in columns
    )


def beside_years(
    estimates: Iterable[Estimate], tables: Sequence[YearTable], engine: str, programme: Programme
) -> tuple[Estimate, ...]:
    """The numbers that stand in no table of years."""
    parties = ("", *(party.id for party in programme.parties))
    return tuple(e for e in estimates if not (tables and _cell(e, engine, parties)))


def _cell(estimate: Estimate, engine: str, parties: Sequence[str]) -> tuple[str, str, str] | None:
    """Year, kind and party of a number that stands in a table of years; None where it stands in none."""
    kind, *rest = estimate.quantity.split(".")
    if kind not in KINDS.get(engine, ()) or not rest or len(rest) > 2:
        return None
    year, party = rest[0], rest[1] if len(rest) > 1 else ""
    return (year, kind, party) if party in parties else None
