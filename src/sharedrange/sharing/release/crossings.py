"""Crossings as they leave: of how many animals met here another party knows some too, season by season.

For parties who would not name the animals that they share: no joint id, no place, no station. A season leaves whole,
once all of it is old enough: what two releases tell of one that grows would be told of the months between them. What is
small is withheld: the animals that both know, and those that only one knows, for the one is all less the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from sharedrange.core.release import CROSSINGS
from sharedrange.core.survey import Survey, conform
from sharedrange.sharing.agreement import Frame, Terms, frame_of, terms_of
from sharedrange.sharing.release.surveys import met_as
from sharedrange.sharing.release.types import TRUNCATED, Under, is_ready

_WHO = ("taxon", "catalogue", "individual")
_KNOWN = pl.Schema({"catalogue": pl.String(), "individual": pl.String(), "partner": pl.String()})
_CODED = frozenset({"catalogue", "individual"})


def release_crossings(survey: Survey, frame: Frame, under: Under, *, stations: Collection[str]) -> pl.DataFrame:
    """The table CROSSINGS of a survey: of what leaves of it, at these stations, in the seasons of `frame`.

    An animal is counted by its code: one with two codes here is met as two, as it is in the list that leaves.
    Where animals leave under names, who was met in which season is told: the numbers of two seasons would tell which of
    them are shared. So of named animals `known_to_both` is told of all seasons together, and not where it is all.
    """
    giving = dict(_giving(survey, under))
    met = _met(survey, giving, frame, under, stations)
    known = _known_to(under, survey.party)
    counted = [
        _of_taxon(rows, known, giving[taxon], under.crossings_told)
        for (taxon,), rows in met.partition_by("taxon", as_dict=True).items()
    ]
    return pl.concat([pl.DataFrame(schema=CROSSINGS), *counted]).sort("taxon", "partner", "season", nulls_last=True)


def _giving(survey: Survey, under: Under) -> Iterator[tuple[str, Terms]]:
    """The taxa whose crossings leave, with their terms."""
    for taxon in survey.observations["taxon"].drop_nulls().unique().sort():
        terms = terms_of(under.agreement, taxon)
        if terms is not None and terms.concordance == "crossings" and terms.encounters is not None:
            yield taxon, terms


def _met(
    survey: Survey, giving: Mapping[str, Terms], frame: Frame, under: Under, stations: Collection[str]
) -> pl.DataFrame:
    """Taxon, catalogue, code and season of every identified animal that the package tells of, each once."""
    survey_frame = frame_of(under.agreement, "survey")
    assert survey_frame is not None  # noqa: S101  (crossings are those of a survey that leaves)
    coded = {
        taxon: replace(terms, identity="code", concordance="none", encounters=_CODED, suppress_below=0)
        for taxon, terms in giving.items()
    }
    met = met_as(survey, coded, survey_frame, under).filter(
        pl.col("individual").is_not_null(), pl.col("station").is_in(list(stations))
    )
    seasons = met.with_columns(pl.col("period").dt.truncate(TRUNCATED[frame.resolution]))
    return seasons.filter(is_ready(frame, under.on)).select(*_WHO, season="period").unique()


def _known_to(under: Under, party: str) -> pl.DataFrame:
    """Animals of a party's catalogues (catalogue, individual) and who knows them too (partner)."""
    rows = [
        (who.catalogue, who.code, partner)
        for who, partners in under.known_to.items()
        if who.party == party
        for partner in partners
    ]
    return pl.DataFrame(rows, schema=_KNOWN, orient="row")


def _of_taxon(met: pl.DataFrame, known: pl.DataFrame, terms: Terms, before: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows of one taxon: each party that knows one of its animals, each season and all of them."""
    times = pl.concat([met, met.with_columns(season=pl.lit(None, pl.Date)).unique()])
    here = times.group_by("taxon", "season").agg(known_here=pl.len())
    both = times.join(known, on=["catalogue", "individual"])
    partners = both.select("partner").unique()
    shared = both.group_by("season", "partner").agg(known_to_both=pl.len())
    rows = here.join(partners, how="cross").join(shared, on=["season", "partner"], how="left", nulls_equal=True)
    rows = _compared(rows.with_columns(pl.col("known_to_both").fill_null(0)), before, terms.suppress_below)
    told = _suppressed(rows, terms.suppress_below)
    if _are_named(terms):
        of_season = pl.col("season").is_not_null()
        all_of_them = pl.col("known_to_both") == pl.col("known_here")
        told = told.with_columns(known_to_both=pl.when(~of_season & ~all_of_them).then("known_to_both"))
    return conform(told, CROSSINGS)


def _are_named(terms: Terms) -> bool:
    """Whether a recipient can tell one animal from another, and so in which seasons each was met."""
    return terms.identity != "none" and "individual" in (terms.encounters or ())


def _compared(rows: pl.DataFrame, before: Sequence[pl.DataFrame], least: int) -> pl.DataFrame:
    """Rows, with whether a number moved by too few animals since it was told (`moved_few`).

    The difference of two releases is a number too: of the animals, and the decisions about them, in between.
    """
    key = ["taxon", "partner", "season"]
    told = pl.concat([pl.DataFrame(schema=CROSSINGS), *before]).drop_nulls("known_to_both")
    both = rows.join(told, on=key, suffix="_before", nulls_equal=True)
    here, shared = (pl.col(name).cast(pl.Int64) - pl.col(f"{name}_before") for name in ("known_here", "known_to_both"))
    few = pl.any_horizontal(_is_few(part.abs(), least) for part in (here, shared, here - shared))
    moved = both.group_by(key).agg(moved_few=few.fill_null(value=False).any())
    return rows.join(moved, on=key, how="left", nulls_equal=True).with_columns(
        pl.col("moved_few").fill_null(value=False)
    )


def _suppressed(rows: pl.DataFrame, least: int) -> pl.DataFrame:
    """Rows without numbers that are too small to tell, and without those from which such a number follows.

    If one season has to be silent, all of them are: what is told of the others and of all together would bound it.
    """
    few_both = _is_few(pl.col("known_to_both"), least)
    few_else = _is_few(pl.col("known_here") - pl.col("known_to_both"), least) | pl.col("moved_few")
    of_season = pl.col("season").is_not_null()
    silent = (few_both | few_else) | (of_season & ((few_both | few_else) & of_season).any().over("partner"))
    return rows.with_columns(
        known_here=pl.when(~_is_few(pl.col("known_here"), least)).then("known_here"),
        known_to_both=pl.when(~silent).then("known_to_both"),
    )


def _is_few(n: pl.Expr, least: int) -> pl.Expr:
    """Whether so many can be counted, and are too few to tell."""
    return (n.cast(pl.Int64) > 0) & (n.cast(pl.Int64) < least)
