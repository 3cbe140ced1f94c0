"""What parties released of the animals that others know too, where it is about a question's days.

Crossings are told of whole seasons. They are used where the animals of a delivery that fall into the question's window
are those of one season, or all that it tells of; else they would be about other animals than the lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from sharedrange.core.contents import Crossings
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.release import CROSSINGS, period_of
from sharedrange.core.survey import Survey
from sharedrange.core.when import Window
from sharedrange.population.crossed import Crossing


@dataclass(frozen=True, slots=True)
class Told:
    """One delivery of a party: its survey of the species, and the crossings that came with it."""

    party: str
    survey: Survey | None
    crossings: Crossings | None


def crossings_in(
    told: Sequence[Told], taxa: frozenset[str], windows: Sequence[Window], parties: frozenset[str]
) -> tuple[tuple[Crossing, ...], tuple[Finding, ...]]:
    """What parties told of each other's animals in the one window of a question, and where that cannot be used."""
    telling = {one.party for one in told if _about(one, taxa, parties).height}
    if not telling:
        return (), ()
    if len(windows) != 1:
        return (), (_unused(telling, "periods"),)
    found: list[Crossing] = []
    unused: list[Finding] = []
    for party in sorted(telling):
        rows = [_rows(one, taxa, windows[0], parties) for one in told if one.party == party]
        if any(part is None for part in rows):
            unused.append(_unused({party}, "days"))
        else:
            found += _summed(party, [part for part in rows if part is not None])
    return tuple(found), tuple(unused)


def most_shared(told: Sequence[Told], taxa: frozenset[str], parties: frozenset[str]) -> int:
    """The largest number of animals known to two parties that was told, of whatever season."""
    rows = pl.concat([pl.DataFrame(schema=CROSSINGS), *(_about(one, taxa, parties) for one in told)])
    return max(rows["known_to_both"].drop_nulls().to_list(), default=0)


def _unused(parties: Iterable[str], why: str) -> Finding:
    facts: dict[str, Fact] = {"parties": ", ".join(sorted(parties))}
    return Finding(f"crossings-unused-{why}", facts, severity=Severity.WARNING)


def _about(told: Told, taxa: frozenset[str], parties: frozenset[str]) -> pl.DataFrame:
    """The rows of crossings (CROSSINGS) about a species and the parties that were asked too."""
    if told.crossings is None:
        return pl.DataFrame(schema=CROSSINGS)
    return told.crossings.seasons.filter(pl.col("taxon").is_in(list(taxa)), pl.col("partner").is_in(list(parties)))


def _rows(told: Told, taxa: frozenset[str], window: Window, parties: frozenset[str]) -> pl.DataFrame | None:
    """The rows about exactly the animals of a delivery in the window; None where no rows are about them."""
    rows = _about(told, taxa, parties)
    if told.survey is None or not _met(told.survey, window).height:
        return rows.clear()  # nothing of it is in the lists
    if told.crossings is None:
        return None
    season = _season(told.survey, told.crossings, window, set(rows["season"].drop_nulls()))
    return rows.filter(pl.col("season").eq_missing(pl.lit(season[0], pl.Date))) if season else None


def _identified(survey: Survey) -> pl.DataFrame:
    return survey.observations.filter(pl.col("individual").is_not_null(), pl.col("start").is_not_null())


def _met(survey: Survey, window: Window) -> pl.DataFrame:
    return _identified(survey).filter(window.occasion("start").is_not_null())


def _season(survey: Survey, crossings: Crossings, window: Window, told: set[date]) -> tuple[date | None] | tuple[()]:
    """The season of which all animals, and no others, fall into the window (None: all `told`); empty if there is none.

    A period belongs to the season in which it begins, as in the release.
    """
    day = pl.col("start").dt.convert_time_zone(crossings.timezone).dt.date()
    inside = window.occasion("start").is_not_null()
    days = _identified(survey).select(day.alias("day"), inside.alias("inside")).unique()
    of: dict[bool, set[date]] = {True: set(), False: set()}
    for met, is_in in days.iter_rows():
        of[is_in].add(period_of(period_of(met, survey.resolution or "day"), crossings.resolution))
    if not of[True] <= told or of[True] & of[False]:
        return ()
    if of[True] == told and not of[False]:
        return (None,)
    return (next(iter(of[True])),) if len(of[True]) == 1 else ()


def _summed(party: str, parts: Sequence[pl.DataFrame]) -> Iterator[Crossing]:
    """Each partner's numbers over deliveries and names of the species: no fewer than the animals that both know."""
    whole = pl.when(pl.col("known_to_both").null_count() == 0).then(pl.col("known_to_both").sum())
    for partner, both in pl.concat(parts).group_by("partner").agg(both=whole).sort("partner").iter_rows():
        yield Crossing(party, partner, both)
