"""Samples as they leave: which animal, in which cell and period. What was read in their genes has no column.

Two parties that typed the same animal need its name and where and when it left a sign, to count it once. Alleles are a
picture of it that anybody can match for ever; they stay, with the ids of samples, permits and laboratories.

Each sample is a place of its own: whether two were found at one spot does not leave. So the rule of few stations counts
samples, and of those only the ones that leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from sharedrange.core.contents import Genotypes
from sharedrange.core.individuals import CATALOGUE, LocalIndividual
from sharedrange.core.release import KEYS, POSITION, SAMPLES
from sharedrange.core.survey import conform
from sharedrange.sharing.agreement import Agreement, Frame, Terms, terms_of
from sharedrange.sharing.pseudonyms import Name
from sharedrange.sharing.release.places import generalised, position_columns
from sharedrange.sharing.release.surveys import name_told
from sharedrange.sharing.release.types import TRUNCATED, Under, Withheld, is_ready

_GROUP = ("taxon", "period", "x", "y", "cell")


def names_of_samples(genotypes: Genotypes, agreement: Agreement) -> Iterator[Name]:
    """Everything about samples that a release gives a pseudonym."""
    giving = _giving(genotypes, agreement)
    rows = genotypes.samples.filter(pl.col("taxon").is_in(list(giving)))
    for sample, taxon, catalogue, code in rows.select("sample", "taxon", "catalogue", "individual").iter_rows():
        yield _sample_name(genotypes, sample)
        if code is not None and giving[taxon].identity == "pseudonym":
            yield ("individual", genotypes.party, catalogue or CATALOGUE, code)


def release_samples(genotypes: Genotypes, frame: Frame, under: Under) -> tuple[pl.DataFrame, list[Withheld]]:
    """The table SAMPLES of what may leave, and what stays.

    Samples without a date stay, and those without a place where others leave with one.
    """
    giving = _giving(genotypes, under.agreement)
    asked = genotypes.samples.filter(pl.col("taxon").is_in(list(giving)))
    dated = asked.filter(pl.col("taken").is_not_null()).with_columns(period=_period(frame, under.agreement))
    ready = dated.filter(is_ready(frame, under.on))
    placed = _placed(ready, frame, under.agreement)
    shared = placed.filter(pl.col("cell").is_not_null()) if frame.cell is not None else placed
    told = _without_few(shared, giving)
    withheld = [
        *_without_rule(genotypes, giving),
        Withheld("samples-undated", asked.height - dated.height),
        Withheld("too-recent", dated.height - ready.height),
        Withheld("samples-without-place", ready.height - placed.height),
        Withheld("samples-few", placed.height - told.height),
    ]
    table = _as_agreed(_named(genotypes, told, giving, under), giving)
    return table.sort("sample"), [one for one in withheld if one.n]


def _giving(genotypes: Genotypes, agreement: Agreement) -> dict[str, Terms]:
    """The taxa of which samples may leave, with their terms."""
    terms = {taxon: terms_of(agreement, taxon) for taxon in genotypes.samples["taxon"].drop_nulls().unique().sort()}
    return {taxon: one for taxon, one in terms.items() if one is not None and one.samples is not None}


def _sample_name(genotypes: Genotypes, sample: str) -> Name:
    return ("sample", genotypes.party, genotypes.dataset, sample)


def _period(frame: Frame, agreement: Agreement) -> pl.Expr:
    """The first day of the period in which a sample was taken."""
    return pl.col("taken").dt.convert_time_zone(agreement.timezone).dt.date().dt.truncate(TRUNCATED[frame.resolution])


def _placed(samples: pl.DataFrame, frame: Frame, agreement: Agreement) -> pl.DataFrame:
    """Samples with their cells instead of positions: null where too few share one; those without are left out."""
    bare = samples.drop("x", "y", "uncertainty_m")
    if frame.cell is None:
        return bare.with_columns(pl.lit(None, pl.Float64).alias(name) for name in POSITION)
    here = pl.col("x").is_not_null() & pl.col("y").is_not_null()
    known, grid = samples.filter(here), agreement.named_grid
    cells = generalised(grid, known["x"].to_numpy(), known["y"].to_numpy(), frame)
    return known.drop("x", "y", "uncertainty_m").hstack(position_columns(grid, cells))


def _without_few(samples: pl.DataFrame, giving: Mapping[str, Terms]) -> pl.DataFrame:
    """Samples without those of which a taxon has fewer in a cell and period than may be told."""
    least = {taxon: terms.suppress_below for taxon, terms in giving.items()}
    needed = pl.col("taxon").replace_strict(least, return_dtype=pl.Int64)
    return samples.filter(pl.len().over(_GROUP) >= needed) if samples.height else samples


def _without_rule(genotypes: Genotypes, giving: Mapping[str, Terms]) -> Iterator[Withheld]:
    counted = genotypes.samples.drop_nulls("taxon").group_by("taxon").len().sort("taxon")
    for taxon, n in counted.iter_rows():
        if taxon not in giving:
            yield Withheld("no-rule", n, taxon)


def _named(genotypes: Genotypes, samples: pl.DataFrame, giving: Mapping[str, Terms], under: Under) -> pl.DataFrame:
    """Samples under the names that they and their animals leave by."""
    names, party = under.pseudonyms.names, genotypes.party
    rows = samples.select("taxon", pl.col("catalogue").fill_null(CATALOGUE), "individual").iter_rows()
    told = [
        name_told(LocalIndividual(party, catalogue, code), giving[taxon], giving[taxon].samples, under)
        if code is not None
        else (None, None)
        for taxon, catalogue, code in rows
    ]
    return samples.with_columns(
        sample=pl.Series([names[_sample_name(genotypes, one)] for one in samples["sample"]], dtype=pl.String),
        catalogue=pl.Series([catalogue for catalogue, _ in told], dtype=pl.String),
        individual=pl.Series([name for _, name in told], dtype=pl.String),
    )


def _as_agreed(samples: pl.DataFrame, giving: Mapping[str, Terms]) -> pl.DataFrame:
    """Each taxon's samples with the columns that its terms give."""
    parts = [pl.DataFrame(schema=SAMPLES)]
    for taxon, terms in giving.items():
        may = {*KEYS["samples"], *POSITION, *(terms.samples or ())}
        of_taxon = samples.filter(pl.col("taxon") == taxon)
        parts.append(conform(of_taxon.select(name for name in SAMPLES if name in may), SAMPLES))
    return pl.concat(parts)
