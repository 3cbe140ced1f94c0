"""What the report prints as tables: estimates by group, lists by stage, alone against together, facts of deliveries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from sharedrange.assessment.programme import Programme
from sharedrange.assessment.report.cells import are_coarse
from sharedrange.assessment.report.numbers import readable
from sharedrange.assessment.results import AloneSum, Convention, JointSheet, Result
from sharedrange.core.answer import Answer, Estimate
from sharedrange.core.finding import Finding, Severity
from sharedrange.core.ledger import Ledger
from sharedrange.core.survey import LIFE_STAGES, SEXES

# First part of a quantity -> the group it is printed in, in the order of printing.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "trend": ("trend", "index", "total"),
    "permeability": ("permeability", "power", "animals_needed"),
    "animals": ("N", "N_at_least", "N_without_ghosts", "N_expected"),
    "change": ("phi", "f", "lambda", "crossings", "sigma_move"),
    "occupancy": ("psi", "occupied", "theta0", "theta1", "p", "c_hat"),
    "use": ("N_use", "resident", "shared"),
    "density": ("D",),
    "area": ("area",),
    "rate": ("rate", "events", "effort"),
    "detection": ("lambda0", "g0", "sigma", "z", "psi_male", "pmix", "p_year"),
    "lists": ("n", "returned", "known", "minimum", "minimum_number", "naive_sum", "overcount", "distinct", "codes",
              "near", "crossed"),
    "finds": ("sites_found", "sites_visited", "naive"),
}  # fmt: skip
OTHER = "other"
POSITIONS = frozenset({"x", "y", "x_m", "y_m", "longitude", "latitude", "lon", "lat", "easting", "northing"})
PRINTED = (
    "slopes",
    "models",
    "identity",
    "tests",
    "fit",
    "goodness",
    "barriers",
    "change",
    "power",
)  # what a reader of a report asks for; all tables are data products
PLACED_THINGS = frozenset({"individual", "code", "detector", "deployment", "station", "observation", "capture"})
SITES = "map"  # the table of sites: positions where a site is a station
SURFACE = "density"  # the one table that may ever hold positions: those of mask cells
SLICES = (*LIFE_STAGES, "unknown_stage", *SEXES, "unknown_sex")  # last parts of the lists' quantities
COLUMNS: Mapping[str, tuple[str, ...]] = {
    # Of a table that is wider than a page, what is printed; its data product has it all.
    "barriers": ("barrier", "permeability", "low", "high", "animals_near", "animals_on_both_sides"),
    "slopes": ("covariate", "level", "since", "upto", "multiplicative", "low", "high", "p", "trend"),
}
MOST_ROWS_PRINTED = 24
MOST_COLUMNS_OF_A_ROW = 6


@dataclass(frozen=True, slots=True)
class Group:
    """Estimates printed under one heading, ``report.group.<name>``; `names_parties`: they are of several parties."""

    name: str
    estimates: tuple[Estimate, ...]
    names_parties: bool = True


@dataclass(frozen=True, slots=True)
class AloneRow:
    """One convention: an estimate a party (None where its data were refused), the sum, and its excess."""

    convention: Convention
    parts: tuple[Estimate | None, ...]
    total: Estimate | None
    excess: Estimate | None


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


def with_steps(result: Result) -> Result:
    """The result with a step on every number, so that each has a way back.

    A sum of the parties' numbers is made when the sheet is made; it goes back to the question's own step.
    """
    answers = {name: _with_step(answer, result.step) for name, answer in result.answers.items()}
    return replace(result, answers=answers, sheet=_sheet_with_steps(result.sheet, result.step))


def _with_step(answer: Answer, step: str) -> Answer:
    return replace(answer, estimates=tuple(_at(e, step) for e in answer.estimates))


def _at(estimate: Estimate, step: str) -> Estimate:
    return estimate if estimate.step else replace(estimate, step=step)


def _named_sum(alone: AloneSum, step: str) -> Estimate | None:
    """The sum under a quantity of its own, so that the sums of three conventions have three ids."""
    return replace(alone.total, quantity=f"sum.{alone.convention}", step=step) if alone.total else None


def sheet_numbers(result: Result) -> tuple[Estimate, ...]:
    """The numbers that only the sheet makes: sums, how far they lie above the joint number, what sharing bought."""
    if result.sheet is None:
        return ()
    sums = [alone.total for alone in result.sheet.sums]
    above = [excess(alone.convention, alone.excess_pct, result.step) for alone in result.sheet.sums]
    return tuple(e for e in (*sums, *above, interval_ratio(result.sheet, result.step)) if e is not None)


def interval_ratio(sheet: JointSheet, step: str) -> Estimate | None:
    """How many times as wide intervals are alone as together: mean over parties, on the log scale."""
    ratios = [value for key, value in sheet.facts.items() if key.startswith("interval_ratio.")]
    return Estimate("interval_ratio", sum(ratios) / len(ratios), "times", step=step) if ratios else None


def _sheet_with_steps(sheet: JointSheet | None, step: str) -> JointSheet | None:
    if sheet is None:
        return None
    sums = tuple(
        replace(
            alone,
            parts={party: _at(part, step) for party, part in alone.parts.items()},
            total=_named_sum(alone, step),
        )
        for alone in sheet.sums
    )
    joint = _with_step(sheet.joint, step) if sheet.joint else None
    survival = {how: {party: _at(e, step) for party, e in own.items()} for how, own in sheet.survival.items()}
    return replace(sheet, lists=_with_step(sheet.lists, step), sums=sums, joint=joint, survival=survival)


def groups(estimates: Iterable[Estimate], programme: Programme) -> tuple[Group, ...]:
    """Estimates in readable units by group, in the order of GROUPS, what belongs to none last.

    In a group numbers of one kind stand together, those of parties in the programme's order.
    """
    by_group: dict[str, list[Estimate]] = {name: [] for name in (*GROUPS, OTHER)}
    for estimate in by_party(readable(estimates), programme):
        by_group[group_of(estimate)].append(estimate)
    named = {party_of(e, {p.id for p in programme.parties}) for found in by_group.values() for e in found} - {""}
    return tuple(Group(name, _by_kind(name, found), len(named) > 1) for name, found in by_group.items() if found)


def _by_kind(group: str, estimates: list[Estimate]) -> tuple[Estimate, ...]:
    heads = GROUPS.get(group, ())
    rank = {head: i for i, head in enumerate(heads)}
    return tuple(sorted(estimates, key=lambda e: rank.get(_head(e), len(heads))))


def by_party(estimates: Iterable[Estimate], programme: Programme) -> tuple[Estimate, ...]:
    """Estimates in the programme's order of parties; those that name none come first, and none moves among its like."""
    rank = {party.id: i for i, party in enumerate(programme.parties)}
    return tuple(sorted(estimates, key=lambda e: rank.get(party_of(e, rank), -1)))


def party_of(estimate: Estimate, parties: Collection[str]) -> str:
    """The party that a number's quantity names; empty where it names none."""
    return next((part for part in estimate.quantity.split(".")[1:] if part in parties), "")


def _head(estimate: Estimate) -> str:
    return estimate.quantity.partition(".")[0]


def is_sessions(estimate: Estimate) -> bool:
    """Whether a count has an animal once in each session that it was known in."""
    return estimate.unit == "animal_sessions"


def instead(result: Result) -> tuple[Estimate, ...]:
    """What can be said where the main answer was refused: the minimum number if somebody is known, and rates."""
    if result.answer.refusal is None:
        return ()
    lists, rates = (result.answers.get(name, Answer()) for name in ("lists", "rates"))
    least = [lists["minimum_number"]] if "minimum_number" in lists else []
    return (*(e for e in least if e.value > 0), *rates.estimates)


def group_of(estimate: Estimate) -> str:
    """The group in which an estimate is printed."""
    head = _head(estimate)
    if estimate.is_count and head == "shared":  # the same word for a list's count and for an estimate
        return "lists"
    return next((name for name, heads in GROUPS.items() if head in heads), OTHER)


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


def excess(convention: Convention, excess_pct: float | None, step: str) -> Estimate | None:
    """How far a sum lies above the joint number, as a number with a way back."""
    return None if excess_pct is None else Estimate(f"excess_pct.{convention}", excess_pct, "percent", step=step)


def sheet_parties(sheet: JointSheet) -> tuple[str, ...]:
    """Parties that have a number of their own on the sheet, in its order."""
    return tuple(dict.fromkeys(party for alone in sheet.sums for party in alone.parts))


# ---- tables that engines made -------------------------------------------------------------------------------


def may_leave(name: str, table: pl.DataFrame, *, is_nowhere: bool) -> bool:
    """Whether a table may be written as a data product: no position of an animal, a camera or a capture.

    The points of a density surface, and which of them were surveyed, tell where the cameras stand; a table of sites
    tells where an animal was found, unless the sites are cells of 10 km or more. They leave
    only where `is_nowhere`: the animals are simulated, or the frame has no place on Earth.
    """
    columns = {column.lower() for column in table.columns}
    if name.rpartition(".")[2] == SITES and not is_nowhere and not are_coarse(table):
        return False
    if not columns & POSITIONS:
        return True
    return is_nowhere and name.rpartition(".")[2] == SURFACE and not columns & PLACED_THINGS


def printable(name: str, table: pl.DataFrame) -> bool:
    """Whether a table is one that readers ask for, and short enough."""
    return name in PRINTED and 0 < table.height <= MOST_ROWS_PRINTED


def as_printed(name: str, table: pl.DataFrame) -> pl.DataFrame:
    """The columns of a table that fit on a page."""
    return table.select(COLUMNS[name]) if name in COLUMNS else table


def stands_upright(table: pl.DataFrame) -> bool:
    """Whether a table is better read turned: one row of many columns."""
    return table.height == 1 and table.width > MOST_COLUMNS_OF_A_ROW


# ---- facts --------------------------------------------------------------------------------------------------


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


MOST_ALIKE_PRINTED = {Severity.ERROR: 3, Severity.WARNING: 3, Severity.NOTE: 1}


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


_TITLES = ("title", "name", "activity", "text", "what", "taxon")  # the column that names an entry
_MARKS = ("date", "planned", "key", "id", "period")  # the column that stands beside it


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
