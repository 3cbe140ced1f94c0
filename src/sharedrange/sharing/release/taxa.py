"""Names of taxa as they leave: a rule for all taxa lets through what people typed, so that it has to look like a name.

A name that the agreement itself has leaves as it is. Under a rule for ``"*"`` a name leaves if it is written as
scientific names are: a genus with one or two epithets, a genus with "sp.", or a family, subfamily or order by its
ending. Everything else - a single word may be a person's, a sentence may name a valley - leaves under a pseudonym:
still one taxon, and nobody learns what it was called. The look is no proof: who has to be sure names the taxa.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import polars as pl

from sharedrange.core.contents import Delivered
from sharedrange.sharing.agreement import Agreement
from sharedrange.sharing.pseudonyms import Name
from sharedrange.sharing.release.types import Under

_SCIENTIFIC = re.compile(
    r"[A-Z][a-z]{2,}( [a-z]{2,}(-[a-z]{2,})?){1,2}"  # a genus and its epithets
    r"|[A-Z][a-z]{2,} (sp|spp)\.?"
    r"|[A-Z][a-z]{2,}(idae|inae|iformes)"  # endings of families, subfamilies (Code of Zoological Nomenclature), orders
)
_LONGEST = 80  # characters


def looks_scientific(name: str) -> bool:
    """Whether a name is written as scientific names are.

    Examples
    --------
    >>> [looks_scientific(name) for name in ("Panthera tigris altaica", "Larus sp.", "Anatidae", "Ivan", "camp 3")]
    [True, True, True, False, False]
    """
    return len(name) <= _LONGEST and _SCIENTIFIC.fullmatch(name) is not None


def names_of_taxa(content: Delivered, agreement: Agreement) -> Iterator[Name]:
    """The taxa of a delivery that leave, if they do, under a pseudonym."""
    tables: list[pl.DataFrame] = []
    if content.survey is not None:
        tables += [content.survey.observations, content.survey.boxes]
    if content.counts is not None:
        tables.append(content.counts.counts)
    if content.genotypes is not None:
        tables.append(content.genotypes.samples)
    for taxon in sorted({taxon for table in tables for taxon in table["taxon"].drop_nulls().unique()}):
        if agreement.rules_for(taxon) and not _by_name(agreement, taxon):
            yield _name(agreement, taxon)


def with_taxa_told(tables: Mapping[str, pl.DataFrame], under: Under) -> dict[str, pl.DataFrame]:
    """Tables with taxa as they leave; where that changed one, sorted anew, for the order would tell of the name."""
    return {name: _told(table, under) if "taxon" in table.columns else table for name, table in tables.items()}


def _told(table: pl.DataFrame, under: Under) -> pl.DataFrame:
    told = dict(_untyped(table["taxon"].drop_nulls().unique(), under))
    if not told:
        return table
    return table.with_columns(pl.col("taxon").replace(told)).sort(table.columns, nulls_last=True)


def _untyped(taxa: Iterable[str], under: Under) -> Iterator[tuple[str, str]]:
    """The taxa that leave under another name, with that name."""
    for taxon in taxa:
        if not _by_name(under.agreement, taxon):
            yield taxon, under.pseudonyms.names[_name(under.agreement, taxon)]


def _by_name(agreement: Agreement, taxon: str) -> bool:
    return looks_scientific(taxon) or any(taxon in rule.taxa for rule in agreement.rules)


def _name(agreement: Agreement, taxon: str) -> Name:
    return ("taxon", agreement.owner, taxon)
