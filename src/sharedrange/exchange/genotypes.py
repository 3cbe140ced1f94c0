"""Door `genotypes`: samples with place, date and permit, and their alleles by locus.

``samples.csv`` has a row a sample under our column names. ``alleles.csv`` is long (sample, locus, allele_1, allele_2)
or wide, as programs for genetics write it: a row a sample, and two columns a locus whose names differ in their end
only (``Pati01_a``, ``Pati01_b``; ``_1``, ``_2`` as well). ``0`` and ``-9`` are alleles that were not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from sharedrange.core.contents import Delivered, Genotypes
from sharedrange.core.files import write_atomically
from sharedrange.core.finding import Finding, Where
from sharedrange.core.sheets import neutral_csv
from sharedrange.exchange.delivery import Delivery, write_delivery
from sharedrange.exchange.native import read_native, written_times
from sharedrange.exchange.opening import shown
from sharedrange.exchange.tables import ROW, Sheet

TABLES = ("samples", "alleles")
NOT_READ = ("0", "00", "000", "-9", "-1", "?")  # GenAlEx, GENEPOP, STRUCTURE, and what people write
_HALF = re.compile(r"^(?P<locus>.+)[ _.\-](?P<half>[abAB12])$")
_FIRST = ("a", "1")


def read(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """The genotypes of a folder or zip: samples.csv and alleles.csv, or sheets with a mapping; None on an error."""
    return read_native(folder, delivery, TABLES, _long)


def _long(sheet: Sheet) -> tuple[Sheet, list[Finding]]:
    """Alleles one row a sample and locus, whichever way they were written."""
    if not sheet.has("locus"):
        sheet, found = _from_pairs(sheet)
        return _without_codes(sheet), found
    return _without_codes(sheet), []


def _without_codes(sheet: Sheet) -> Sheet:
    alleles = [name for name in ("allele_1", "allele_2") if sheet.has(name)]
    kept = (pl.when(~pl.col(name).is_in(NOT_READ)).then(pl.col(name)).alias(name) for name in alleles)
    return sheet.with_rows(sheet.rows.with_columns(kept))


def _from_pairs(sheet: Sheet) -> tuple[Sheet, list[Finding]]:
    """A wide sheet as a long one: every locus of every sample has a row, also where nothing was read."""
    pairs: dict[str, dict[bool, str]] = {}
    for column in sheet.rows.columns:
        if match := _HALF.match(column):
            pairs.setdefault(match["locus"], {})[match["half"].lower() in _FIRST] = column
    halves = [column for halves in pairs.values() if len(halves) == 1 for column in halves.values()]
    found = [Finding("locus-without-pair", {"column": shown(name)}, Where(sheet.file, row=1)) for name in halves]
    whole = {locus: halves for locus, halves in pairs.items() if len(halves) == 2}
    if not whole and not found:
        found = [Finding("missing-column", {"column": "locus"}, Where(sheet.file, row=1, field="locus"))]
    return sheet.with_rows(_stacked(sheet, whole)), found


def _stacked(sheet: Sheet, pairs: Mapping[str, Mapping[bool, str]]) -> pl.DataFrame:
    named = {column for halves in pairs.values() for column in halves.values()}
    others = [name for name in sheet.rows.columns if name not in named]
    parts = [
        sheet.rows.select(
            *others,
            pl.lit(locus).alias("locus"),
            pl.col(halves[True]).alias("allele_1"),
            pl.col(halves[False]).alias("allele_2"),
        )
        for locus, halves in pairs.items()
    ]
    return pl.concat(parts).sort(ROW, maintain_order=True) if parts else sheet.rows


def write(genotypes: Genotypes, folder: Path) -> None:
    """Write samples.csv, alleles.csv (long) and delivery.toml into `folder`; door `genotypes` reads them back.

    Positions of samples are written as they are kept: who may see them is not decided here.
    """
    write_atomically(folder / "samples.csv", neutral_csv(written_times(genotypes.samples)))
    write_atomically(folder / "alleles.csv", neutral_csv(genotypes.alleles))
    write_delivery(Delivery(genotypes.party, genotypes.dataset, "genotypes", crs=genotypes.frame), folder)
