"""Occurrences of an archive as counts: absent is zero, present without a number was not counted."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from sharedrange.core.contents import COUNTS
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.survey import LIFE_STAGES, SEXES, conform
from sharedrange.exchange.darwincore.archive import ID
from sharedrange.exchange.darwincore.terms import COVER, EXACTNESS, LIST, OBSERVERS, STATUSES
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.opening import shown
from sharedrange.exchange.tables import FILE, ROW, Column, Sheet, flag, repeated, typed
from sharedrange.exchange.targets import SIGNS, WORDS

KEY = ("visit", "taxon", "sign", "life_stage", "sex")
_COLUMNS = (
    Column(ID, required=True),
    Column(FILE),
    Column("occurrenceID"),
    Column("scientificName"),
    Column("individualCount", "whole", low=0),
    Column("organismQuantity", "number", low=0),
    Column("organismQuantityType"),
    Column("occurrenceStatus", "word", words={word: word for word in STATUSES}),
    Column("lifeStage"),
    Column("sex"),
)
READ = (*(column.name for column in _COLUMNS), "eventID", "basisOfRecord")
MEASUREMENT_READ = (ID, "occurrenceID", "measurementID", "measurementType", "measurementValue", "measurementUnit")


def typed_occurrences(occurrences: Sheet, delivery: Delivery) -> tuple[Sheet, list[Finding]]:
    """Occurrences with typed columns: `taxon`, `count` (0 where absent), and sex and life stage in our words."""
    sheet, found = typed(occurrences, _COLUMNS)
    taxon = pl.col("scientificName").fill_null(pl.lit(delivery.taxon or None, dtype=pl.String)).alias("taxon")
    sheet = sheet.with_rows(sheet.rows.with_columns(taxon, _count()))
    found += flag(sheet, pl.col("taxon").is_null(), "missing-value", field="scientificName")
    found += _contradictions(sheet)
    sheet, more = _worded(sheet)
    return sheet, [*found, *more]


def counts_of(sheet: Sheet, marks: pl.DataFrame, inventory: Sheet | None) -> tuple[Sheet, list[Finding]]:
    """Typed occurrences as counts, those of one visit and kind added up.

    `marks`: columns `occurrenceID`, exactness; `inventory`: typed Humboldt rows, for their `absentTaxa`.
    """
    rows = sheet.rows.join(marks, on="occurrenceID", how="left", maintain_order="left")
    counts = rows.select(
        pl.col(ROW, FILE),
        pl.col(ID).alias("visit"),
        pl.col("taxon", "count", "exactness"),
        _sign(),
        pl.col("lifeStage").alias("life_stage"),
        pl.col("sex"),
    )
    if inventory is not None:
        counts = pl.concat([counts, _absent(inventory, counts)])
    return _added_up(Sheet(sheet.file, counts.select(ROW, FILE, *COUNTS)))


def _number() -> pl.Expr:
    """How many individuals, or signs, a row tells; null if it tells none."""
    quantity = pl.col("organismQuantity")
    whole = _kind().is_in(["individual", "individuals", *SIGNS]) & (quantity == quantity.round())
    return pl.coalesce("individualCount", pl.when(whole).then(quantity).cast(pl.Int32, strict=False))


def _kind() -> pl.Expr:
    return pl.col("organismQuantityType").str.to_lowercase()


def _sign() -> pl.Expr:
    """The sign that was seen instead of the animal: what the quantity is a quantity of."""
    return pl.when(_kind().is_in(SIGNS)).then(_kind()).alias("sign")


def _count() -> pl.Expr:
    return pl.when(pl.col("occurrenceStatus") == "absent").then(0).otherwise(_number()).cast(pl.Int32).alias("count")


def _contradictions(sheet: Sheet) -> list[Finding]:
    """Rows that are absent with a number, or present with none."""
    status, number = pl.col("occurrenceStatus"), _number()
    wrong = ((status == "absent") & (number > 0)) | ((status == "present") & (number == 0))
    facts = {"status": status, "count": number}
    return flag(sheet, wrong, "dwca-status-contradicts", field="occurrenceStatus", facts=facts)


def _worded(sheet: Sheet) -> tuple[Sheet, list[Finding]]:
    """Sex and life stage in our words; a warning for each other word."""
    found: list[Finding] = []
    kept = []
    for name, words in (("lifeStage", LIFE_STAGES), ("sex", SEXES)):
        word = pl.col(name).str.to_lowercase()
        kept.append(pl.when(word.is_in(words)).then(word).alias(name))
        strange = sheet.rows.filter(pl.col(name).is_not_null() & ~word.is_in(words))
        for value, size, file, row in (
            strange.group_by(name, maintain_order=True)
            .agg(pl.len(), pl.col(FILE).first(), pl.col(ROW).first().alias("first row"))
            .iter_rows()
        ):
            facts = {"value": shown(value), "rows": size, "known": ", ".join(words)}
            found.append(Finding("dwca-word", facts, Where(file, row=row, field=name), Severity.WARNING))
    return sheet.with_rows(sheet.rows.with_columns(kept)), found


def _absent(inventory: Sheet, counts: pl.DataFrame) -> pl.DataFrame:
    """A zero for each taxon that an inventory lists as absent and no occurrence names."""
    listed = inventory.rows.select(
        pl.col(ROW, FILE),
        pl.col(ID).alias("visit"),
        pl.col("absentTaxa").str.split(LIST.strip()).alias("taxon"),
        pl.lit(0, dtype=pl.Int32).alias("count"),
        *(pl.lit(None, dtype=pl.String).alias(name) for name in ("exactness", "sign", "life_stage", "sex")),
    )
    named = listed.explode("taxon").with_columns(pl.col("taxon").str.strip_chars())
    named = named.filter(pl.col("taxon").is_not_null() & (pl.col("taxon") != ""))
    return named.join(counts, on=["visit", "taxon"], how="anti").select(counts.columns)


def _added_up(sheet: Sheet) -> tuple[Sheet, list[Finding]]:
    """Rows of one visit, taxon, sign, stage and sex as one; where one of them has no number it is a minimum."""
    counted = pl.col("count").is_not_null()
    some, all_ = counted.any(), counted.all()
    one_word = pl.col("exactness").n_unique() == 1
    exactness = pl.when(all_ & one_word).then(pl.col("exactness").first()).when(~all_ & some).then(pl.lit("minimum"))
    rows = sheet.rows.group_by(KEY, maintain_order=True).agg(
        pl.col(ROW).first(),
        pl.col(FILE).first(),
        pl.when(some).then(pl.col("count").sum()).cast(pl.Int32).alias("count"),
        pl.when(pl.len() == 1).then(pl.col("exactness").first()).otherwise(exactness).alias("exactness"),
        pl.len().alias("rows"),
    )
    several = rows.filter(pl.col("rows") > 1)
    added = sheet.with_rows(rows.select(sheet.rows.columns))
    if several.is_empty():
        return added, []
    facts: dict[str, Fact] = {"rows": int(several["rows"].sum()), "counts": several.height}
    at = Where(several[FILE][0], row=several[ROW][0])
    return added, [Finding("dwca-added-up", facts, at, Severity.NOTE)]


# --- surveys ---


def absent_pictures(sheet: Sheet) -> list[Finding]:
    """A note on absences among the pictures of cameras, which no observation can be."""
    absent = sheet.rows.filter(pl.col("occurrenceStatus") == "absent")
    if absent.is_empty():
        return []
    at = Where(absent[FILE][0], row=absent[ROW][0])
    return [Finding("dwca-absent-pictures", {"rows": absent.height}, at, Severity.NOTE)]


def conformed(file: str, rows: pl.DataFrame, schema: pl.Schema) -> Sheet:
    """Rows with exactly the columns of a schema, their line and their file."""
    return Sheet(file, conform(rows, pl.Schema({**schema, ROW: pl.Int64(), FILE: pl.String()})))


# --- measurements ---


def measured(sheets: list[Sheet]) -> tuple[pl.DataFrame, pl.DataFrame, list[Finding]]:
    """What measurements tell of events (`ID`, observers, cover_share), of occurrences (`occurrenceID`, exactness)."""
    observers, found = values_of(sheets, OBSERVERS, "observers", Column("measurementValue", "whole", low=0), ID)
    share = Column("measurementValue", "number", low=0, high=1)
    cover, more = values_of(sheets, COVER, "cover_share", share, ID)
    found += more
    exactness, more = values_of(sheets, EXACTNESS, "exactness", word("exactness"), "occurrenceID")
    found += more
    return (
        observers.join(cover, on=ID, how="full", coalesce=True),
        exactness,
        [*found, *other_measurements(sheets, (OBSERVERS, COVER, EXACTNESS))],
    )


def word(name: str) -> Column:
    """The value of a measurement that is one of the words of a column of ours."""
    return Column("measurementValue", "word", words={word: word for word in WORDS[name]})


def values_of(
    sheets: list[Sheet], kind: str, name: str, column: Column, key: str
) -> tuple[pl.DataFrame, list[Finding]]:
    """The values of one type of measurement by `key`; two for one thing are a finding."""
    tables: list[pl.DataFrame] = []
    found: list[Finding] = []
    for sheet in sheets:
        rows = sheet.rows.filter(pl.col("measurementType") == kind) if sheet.has("measurementType") else None
        if rows is None or rows.is_empty() or key not in rows.columns:
            continue
        values, more = typed(sheet.with_rows(rows), [Column(key), Column(FILE), column])
        found += more
        found += repeated(values, [key], "dwca-measured-twice", {"type": pl.lit(kind), "id": pl.col(key)})
        tables.append(values.rows.select(pl.col(key), pl.col("measurementValue").alias(name)).drop_nulls())
    dtype = {"whole": pl.Int32(), "number": pl.Float64()}.get(column.kind, pl.String())
    empty = pl.DataFrame(schema={key: pl.String(), name: dtype})
    return pl.concat([empty, *tables]).unique(key, keep="first", maintain_order=True), found


def other_measurements(sheets: list[Sheet], read: Sequence[str]) -> list[Finding]:
    """A note for each type of measurement that nothing reads."""
    found = []
    for sheet in sheets:
        if not sheet.has("measurementType"):
            continue
        other = sheet.rows.filter(~pl.col("measurementType").is_in(list(read)))
        for kind, size, row in (
            other.group_by("measurementType", maintain_order=True)
            .agg(pl.len(), pl.col(ROW).first().alias("first row"))
            .iter_rows()
        ):
            facts = {"type": shown(kind or "?"), "rows": size}
            found.append(Finding("dwca-measurement", facts, Where(sheet.file, row=row), Severity.NOTE))
    return found
