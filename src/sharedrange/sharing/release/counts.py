"""Counts at sites as they leave: sites in cells, visits in periods, small counts withheld and never changed."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sharedrange.core.contents import SiteCounts
from sharedrange.core.release import COUNTS, KEYS, POSITION, VISITS
from sharedrange.core.survey import conform
from sharedrange.sharing.agreement import EVERY_TAXON, Agreement, Frame, Terms, terms_of
from sharedrange.sharing.pseudonyms import Name
from sharedrange.sharing.release.places import generalised, position_columns
from sharedrange.sharing.release.types import TRUNCATED, Under, Withheld, is_ready


def names_of_counts(counts: SiteCounts) -> Iterator[Name]:
    """Everything in counts that a release of them gives a pseudonym."""
    for visit in counts.visits["visit"].drop_nulls().unique():
        yield ("visit", counts.party, counts.dataset, visit)
    for site in counts.visits["site"].drop_nulls().unique():
        yield ("place", counts.party, counts.dataset, site)


def release_counts(counts: SiteCounts, frame: Frame, under: Under) -> tuple[dict[str, pl.DataFrame], list[Withheld]]:
    """The tables visits and counts that may leave, and what stays.

    A visit that was complete says "what is not listed was not there". Where not every taxon leaves, that would turn
    what stays into zeros: then the zeros of the taxa that leave are written out, and the visit is not called complete.
    """
    agreement, names, on = under.agreement, under.pseudonyms.names, under.on
    may = frame.columns.get("visits")
    if may is None:
        return {"visits": pl.DataFrame(schema=VISITS), "counts": pl.DataFrame(schema=COUNTS)}, []
    dated = counts.visits.filter(pl.col("start").is_not_null() & pl.col("site").is_not_null())
    period = pl.col("start").dt.convert_time_zone(agreement.timezone).dt.date().dt.truncate(TRUNCATED[frame.resolution])
    visits = dated.with_columns(period=period)
    ready = is_ready(frame, on)
    late, visits = visits.filter(~ready).height, visits.filter(ready)
    visits, unplaced = _placed(visits, agreement, frame)
    whole = _gives_all(agreement)
    rows, withheld = _counted(counts, visits, agreement, whole=whole)
    visit_names = {v: names["visit", counts.party, counts.dataset, v] for v in visits["visit"]}
    site_names = {s: names["place", counts.party, counts.dataset, s] for s in visits["site"].unique()}
    told = visits.with_columns(
        pl.col("complete") & pl.lit(whole),
        pl.col("visit").replace_strict(visit_names, return_dtype=pl.String),
        pl.col("site").replace_strict(site_names, return_dtype=pl.String),
    )
    keys = (*KEYS["visits"], *POSITION)
    told = conform(told.select(name for name in VISITS if name in keys or name in may), VISITS)
    rows = rows.with_columns(pl.col("visit").replace_strict(visit_names, return_dtype=pl.String))
    tables = {"visits": told.sort("visit"), "counts": rows.sort(COUNTS.names(), nulls_last=True)}
    more = [Withheld("few-stations", unplaced), Withheld("too-recent", late)]
    return tables, [*withheld, *(one for one in more if one.n)]


def _placed(visits: pl.DataFrame, agreement: Agreement, frame: Frame) -> tuple[pl.DataFrame, int]:
    """Visits with the cells of their sites instead of positions; those at sites too few to tell are left out."""
    bare = visits.drop("x", "y", "uncertainty_m")
    if frame.cell is None:
        nothing = [pl.lit(None, pl.Float64).alias(name) for name in POSITION]
        return bare.with_columns(nothing), 0
    here = visits.filter(pl.col("x").is_not_null() & pl.col("y").is_not_null())
    columns, rows = agreement.named_grid.cells_of(here["x"].to_numpy(), here["y"].to_numpy(), frame.cell)
    cells = here.select("site").with_columns(column=pl.Series(columns), row=pl.Series(rows))
    # A site with several starting points is in the cell of most of them; ties go to the first in order.
    sites = cells.group_by("site", "column", "row").len().sort("len", "column", "row", descending=[True, False, False])
    sites = sites.unique("site", keep="first", maintain_order=True).sort("site")
    x, y = agreement.named_grid.centres(sites["column"].to_numpy(), sites["row"].to_numpy(), frame.cell)
    positions = position_columns(
        agreement.named_grid,
        generalised(agreement.named_grid, x, y, frame),
    )
    placed = sites.select("site").hstack(positions).filter(pl.col("cell").is_not_null())
    return bare.join(placed, on="site"), sites.height - placed.height


def _gives_all(agreement: Agreement) -> bool:
    """Whether the counts of every taxon leave, whichever it is."""
    return any(EVERY_TAXON in rule.taxa and "counts" in rule.tables for rule in agreement.rules) and all(
        "counts" in rule.tables for rule in agreement.rules
    )


def _counted(
    counts: SiteCounts, visits: pl.DataFrame, agreement: Agreement, *, whole: bool
) -> tuple[pl.DataFrame, list[Withheld]]:
    """Rows of counts of the visits that leave, taxon by taxon as agreed, and what stays."""
    parts, stays = [pl.DataFrame(schema=COUNTS)], []
    rows = counts.counts.join(visits.select("visit"), on="visit", how="semi")
    for taxon in sorted(rows["taxon"].drop_nulls().unique()):
        of_taxon, terms = rows.filter(pl.col("taxon") == taxon), terms_of(agreement, taxon)
        if terms is None or terms.counts is None:
            stays.append(Withheld("no-rule", of_taxon.height, taxon))
            continue
        if "sign" not in terms.counts:  # without the word a track would be read as an animal
            stays.append(Withheld("signs", of_taxon["sign"].drop_nulls().len(), taxon))
            of_taxon = of_taxon.filter(pl.col("sign").is_null())
        if not whole:
            of_taxon = pl.concat([of_taxon, _zeros(of_taxon, visits, taxon)], how="diagonal")
        parts.append(_as_agreed(of_taxon, terms))
    return pl.concat(parts), [one for one in stays if one.n]


def _zeros(rows: pl.DataFrame, visits: pl.DataFrame, taxon: str) -> pl.DataFrame:
    """The zeros that complete visits say without writing them: of animals, by methods that ever listed some.

    The rule is that of `core.counts`; here it sees only what leaves.
    """
    animals = rows.filter(pl.col("sign").is_null()).join(visits.select("visit", "method"), on="visit")
    complete = visits.filter(pl.col("complete").fill_null(value=False)).select("visit", "method")
    speaking = complete.join(animals.select("method").unique(), on="method", how="semi", nulls_equal=True)
    missing = speaking.select("visit").join(animals, on="visit", how="anti")
    return missing.with_columns(taxon=pl.lit(taxon), count=pl.lit(0, pl.Int32), exactness=pl.lit("exact"))


def _as_agreed(rows: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    few = (pl.col("count") > 0) & (pl.col("count") < terms.suppress_below)
    told = rows.with_columns(
        suppressed=few.fill_null(value=False), count=pl.when(~few.fill_null(value=False)).then("count")
    )
    may = terms.counts or frozenset()
    return conform(told.select(name for name in COUNTS if name in KEYS["counts"] or name in may), COUNTS)
