"""What the rules that match come to: the strictest value of every field.

Two questions, because they must not tell of each other. `terms_of` a taxon: which columns of its records may leave,
under which names. `frame_of` a kind of package: in which cells and periods all of its stations and visits leave, and
which of their columns. The
frame depends on the agreement alone, never on what was caught: were a station coarser because a listed species passed
it, the size of its cell would tell where the species is. So every record at a station where a listed species was
caught has the cell that the species asks for, and so has every other station of the package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from sharedrange.core.release import COUNT_TABLES, PICTURE_TABLES, RESOLUTIONS, SAMPLE_TABLES, SURVEY_TABLES
from sharedrange.sharing.agreement.types import (
    CONCORDANCES,
    FEWS,
    IDENTITIES,
    MEDIA,
    Agreement,
    Concordance,
    Identity,
    Media,
    Rule,
)

Kind = Literal["survey", "counts", "crossings", "pictures", "samples"]
V = TypeVar("V")
SEASON = "quarter"  # crossings are told of no shorter time
_TABLES_OF: Mapping[Kind, Iterable[str]] = {
    "survey": SURVEY_TABLES,
    "counts": COUNT_TABLES,
    "pictures": PICTURE_TABLES,
    "samples": SAMPLE_TABLES,
}
_TIMED_BY: Mapping[Kind, Iterable[str]] = {**_TABLES_OF, "pictures": (*PICTURE_TABLES, *SURVEY_TABLES)}
"""Kind -> the tables whose rules say how late and in which periods it leaves: a picture is one of a survey."""
_PLACES_OF: Mapping[Kind, Iterable[str]] = {"survey": ("stations", "effort"), "counts": ("visits",)}


@dataclass(frozen=True, slots=True)
class Terms:
    """What the records of one taxon may carry: columns beyond their keys. None: its records stay."""

    rules: tuple[str, ...]
    encounters: frozenset[str] | None
    counts: frozenset[str] | None
    pictures: frozenset[str] | None
    samples: frozenset[str] | None
    identity: Identity
    media: Media
    concordance: Concordance
    suppress_below: int


@dataclass(frozen=True, slots=True)
class Frame:
    """How the stations or visits of one kind of package leave. Without a `cell` no position does.

    `columns`: table -> columns beyond its keys, of the tables that tell where and when was looked.
    """

    rules: tuple[str, ...]
    columns: Mapping[str, frozenset[str]]
    cell: float | None
    least_stations: int
    few_stations: str
    delay_days: int
    resolution: str
    least_area_km2: float


def terms_of(agreement: Agreement, taxon: str) -> Terms | None:
    """The terms of a taxon's records; None where no rule names it, or it is ours: they stay."""
    rules = agreement.rules_for(taxon)
    if not rules or is_people(taxon):
        return None
    return Terms(
        rules=tuple(rule.id for rule in rules),
        encounters=_common(rules, "encounters"),
        counts=_common(rules, "counts"),
        pictures=_common(rules, "pictures"),
        samples=_common(rules, "samples"),
        identity=_first((rule.identity for rule in rules), IDENTITIES),
        media=_first((rule.media for rule in rules), MEDIA),
        concordance=_first((rule.concordance for rule in rules), CONCORDANCES),
        suppress_below=max(rule.suppress_below for rule in rules),
    )


def is_people(taxon: str) -> bool:
    """Whether records of a taxon are of people: no rule lets them leave, whatever else is said of the record.

    Examples
    --------
    >>> is_people("homo sapiens"), is_people("Panthera tigris")
    (True, False)
    """
    return taxon.casefold().split()[:1] == ["homo"]


def frame_of(agreement: Agreement, kind: Kind) -> Frame | None:
    """The frame of a package of this kind; None where no rule lets a table of it leave.

    Rules that let nothing leave, or pictures alone, count too with what they say of cells: their taxa were caught at
    the same stations.
    """
    if kind == "crossings":
        return _frame_of_crossings(agreement)
    giving = [rule for rule in agreement.rules if set(rule.tables) & set(_TABLES_OF[kind])]
    if not giving:
        return None
    asked = [*giving, *(rule for rule in agreement.rules if not set(rule.tables) - {*PICTURE_TABLES})]
    timed = [rule for rule in agreement.rules if set(rule.tables) & set(_TIMED_BY[kind])]
    return Frame(
        rules=tuple(dict.fromkeys(rule.id for rule in asked)),
        columns={
            t: columns for t in _PLACES_OF.get(kind, ()) if (columns := _common(_naming(giving, t), t)) is not None
        },
        cell=_coarsest(giving, asked),
        least_stations=max(rule.least_stations for rule in asked),
        few_stations=_first((rule.few_stations for rule in asked), FEWS),
        delay_days=max(rule.delay_days for rule in timed),
        resolution=_first((rule.resolution for rule in timed), RESOLUTIONS[::-1]),
        least_area_km2=max(rule.least_area_km2 for rule in asked),
    )


def _frame_of_crossings(agreement: Agreement) -> Frame | None:
    """That of the survey that they are told of, in seasons: quarters, or its own periods where these are longer."""
    frame = frame_of(agreement, "survey")
    told = any(rule.concordance == "crossings" and "encounters" in rule.tables for rule in agreement.rules)
    if frame is None or not told:
        return None
    return replace(frame, resolution=_first((SEASON, frame.resolution), RESOLUTIONS[::-1]))


def _common(rules: Sequence[Rule], table: str) -> frozenset[str] | None:
    """The columns that all of these rules give; None if one of them does not give the table, or there is no rule."""
    if not rules or any(table not in rule.tables for rule in rules):
        return None
    return frozenset.intersection(*(frozenset(rule.tables[table]) for rule in rules))


def _naming(rules: Iterable[Rule], table: str) -> list[Rule]:
    return [rule for rule in rules if table in rule.tables]


def _coarsest(giving: Sequence[Rule], asked: Sequence[Rule]) -> float | None:
    """The largest cell asked for; None if a rule that lets records leave says nothing of cells."""
    if any(rule.cell is None for rule in giving):
        return None
    return max(rule.cell for rule in asked if rule.cell is not None)


def _first(given: Iterable[V], strictest_first: Sequence[V]) -> V:
    return min(given, key=strictest_first.index)
