"""Typed tables become what was delivered: the checks between tables, positions in the kept frame, one value at the end.

Every door that fills tables of `targets.TARGETS` ends here, so that a sheet of counts is checked the same whether it
came from our own columns, through a mapping, or from a form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from sharedrange.core.contents import SIGN_METHODS, Delivered, Genotypes, Patrols, SiteCounts, Tracks
from sharedrange.core.finding import Finding, Severity, Where, errors
from sharedrange.core.survey import Survey
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.positions import frame_of, placed
from sharedrange.exchange.tables import FILE, ROW, Sheet, flag, repeated, strangers
from sharedrange.exchange.targets import TARGETS

_PARENTS = {
    "observations": "deployments",
    "media": "deployments",
    "effort": "deployments",
    "counts": "visits",
    "alleles": "samples",
}
"""Table -> the table without which its rows mean nothing."""


@dataclass(frozen=True, slots=True)
class _Tables:
    """Typed sheets by target; a table that was not delivered has no rows."""

    sheets: Mapping[str, Sheet]

    def __getitem__(self, name: str) -> Sheet:
        return self.sheets.get(name) or empty_sheet(name)

    def table(self, name: str) -> pl.DataFrame:
        """The rows of one table, with exactly the columns of its schema."""
        return self[name].rows.select(TARGETS[name].schema.names())

    def has(self, *names: str) -> bool:
        return any(name in self.sheets for name in names)


def empty_sheet(name: str) -> Sheet:
    """The typed sheet of a target without rows."""
    return Sheet(name, pl.DataFrame(schema={**TARGETS[name].schema, ROW: pl.Int64, FILE: pl.String}))


def as_target(name: str, rows: pl.DataFrame, file: str) -> Sheet:
    """Typed rows with a `ROW` as the sheet of a target: exactly its columns, those that are not there null."""
    columns = [
        (pl.col(column) if column in rows.columns else pl.lit(None)).cast(dtype).alias(column)
        for column, dtype in TARGETS[name].schema.items()
    ]
    from_file = pl.col(FILE) if FILE in rows.columns else pl.lit(file)
    return Sheet(file, rows.select(*columns, pl.col(ROW), from_file.alias(FILE)))


def gathered_by(pairs: Sequence[tuple[str, Sheet]]) -> dict[str, Sheet]:
    """Typed sheets joined by target, in the order in which they came."""
    found: dict[str, list[Sheet]] = {}
    for name, sheet in pairs:
        found.setdefault(name, []).append(sheet)
    return {name: Sheet(sheets[0].file, pl.concat([s.rows for s in sheets])) for name, sheets in found.items()}


def assembled(
    sheets: Mapping[str, Sheet], delivery: Delivery, source: str = "", not_carried: Sequence[str] = ()
) -> tuple[Delivered | None, list[Finding]]:
    """What typed sheets deliver: target -> sheet, with the columns of its schema, `ROW` and `FILE`.

    `source` is the hash of the files; `delivery` says CRS, catalogue, taxon, detector. None if a finding is an error.
    """
    sheets, found = _positioned(_completed(sheets, delivery), delivery)
    tables = _Tables(sheets)
    for check in (_alone, _keys, _backwards, _cameras, _individuals, _counts, _genotypes, _patrols):
        found += check(tables)
    if errors(found):
        return None, found
    delivered = Delivered(**_contents(tables, delivery, source), not_carried=tuple(not_carried))
    if delivered.is_empty:
        return None, [*found, Finding("nothing-delivered", {}, Where(file=delivery.dataset))]
    return delivered, found


# --- what the delivery says for every row ---


def _completed(sheets: Mapping[str, Sheet], delivery: Delivery) -> dict[str, Sheet]:
    fill = {
        "deployments": [pl.coalesce("station", "deployment").alias("station"), _or("detector", delivery.detector)],
        "observations": [
            _or("taxon", delivery.taxon, pl.col("type").is_null() | (pl.col("type") == "animal")),
            pl.when(pl.col("individual").is_not_null()).then(_or("catalogue", delivery.catalogue)).alias("catalogue"),
            pl.coalesce("end", "start").alias("end"),
        ],
        "effort": [pl.lit(0.0).alias("effort"), _or("reason", "other")],
        "fixes": [_or("taxon", delivery.taxon), pl.col("outlier").fill_null(value=False)],
        "samples": [
            _or("taxon", delivery.taxon),
            pl.when(pl.col("individual").is_not_null()).then(_or("catalogue", delivery.catalogue)).alias("catalogue"),
        ],
    }
    done = {name: s.with_rows(s.rows.with_columns(fill.get(name, []))) for name, s in sheets.items()}
    if "observations" in done:  # after the taxon is known
        kind = pl.when(pl.col("taxon").is_not_null()).then(pl.lit("animal")).otherwise(pl.lit("unclassified"))
        rows = done["observations"].rows.with_columns(pl.coalesce("type", kind).alias("type"))
        done["observations"] = done["observations"].with_rows(rows)
    return done


def _or(column: str, value: str, where: pl.Expr | None = None) -> pl.Expr:
    """The column, with a declared value where it is empty."""
    if not value:
        return pl.col(column)
    filled = pl.col(column).fill_null(pl.lit(value))
    return filled if where is None else pl.when(where).then(filled).otherwise(pl.col(column)).alias(column)


def _positioned(sheets: Mapping[str, Sheet], delivery: Delivery) -> tuple[dict[str, Sheet], list[Finding]]:
    done: dict[str, Sheet] = {}
    found: list[Finding] = []
    for name, sheet in sheets.items():
        done[name], more = placed(sheet, delivery.crs) if sheet.has("x") else (sheet, [])
        found += more
    return done, list(dict.fromkeys(found))


# --- what may be wrong ---


def _alone(tables: _Tables) -> list[Finding]:
    return [
        Finding("table-alone", {"table": name, "needs": parent}, Where(tables[name].file, table=name))
        for name, parent in _PARENTS.items()
        if tables.has(name) and not tables.has(parent)
    ]


def _keys(tables: _Tables) -> list[Finding]:
    found = []
    for name, sheet in tables.sheets.items():
        key = TARGETS[name].key
        if len(key) == 1:
            found += repeated(sheet, key, "duplicate-id", {"id": pl.col(key[0])})
    return found


def _backwards(tables: _Tables) -> list[Finding]:
    found = []
    for name, column in (("deployments", "deployment"), ("visits", "visit"), ("patrols", "patrol")):
        who = {"id": pl.col(column)}
        found += flag(tables[name], pl.col("end") < pl.col("start"), "end-before-start", field="end", facts=who)
    who = {"id": pl.col("observation")}
    backwards = pl.col("end") < pl.col("start")
    return [*found, *flag(tables["observations"], backwards, "end-before-start", field="end", facts=who)]


def _cameras(tables: _Tables) -> list[Finding]:
    if not tables.has("deployments"):
        return []
    known = tables["deployments"].rows["deployment"]
    found = [
        finding
        for name in ("observations", "media", "effort")
        for finding in strangers(tables[name], "deployment", known, "unknown-deployment")
    ]
    if tables.has("media"):
        found += strangers(tables["observations"], "media", tables["media"].rows["media"], "unknown-media")
    return [*found, *_outside(tables), *_gaps(tables)]


def _beside(tables: _Tables, name: str) -> Sheet:
    """Rows with the start and end of their deployment."""
    sheet = tables[name]
    period = tables["deployments"].rows.select("deployment", began="start", ended="end").drop_nulls("deployment")
    period = period.unique("deployment", keep="first")
    return sheet.with_rows(sheet.rows.join(period, on="deployment", how="left", maintain_order="left"))


def _outside(tables: _Tables) -> list[Finding]:
    facts = {"id": pl.col("observation"), "deployment": pl.col("deployment")}
    wrong = (pl.col("start") < pl.col("began")) | (pl.col("end") > pl.col("ended"))
    sheet = _beside(tables, "observations")
    return flag(sheet, wrong, "outside-deployment", field="start", facts=facts, severity=Severity.WARNING)


def _gaps(tables: _Tables) -> list[Finding]:
    sheet = _beside(tables, "effort")
    facts = {"deployment": pl.col("deployment")}
    outside = (pl.col("start") < pl.col("began")) | (pl.col("end") > pl.col("ended"))
    backwards = pl.col("end") <= pl.col("start")
    in_order = sheet.with_rows(sheet.rows.sort("deployment", "start", "end"))
    overlap = pl.col("start") < pl.col("end").cum_max().shift().over("deployment")
    return [
        *flag(sheet, backwards, "end-before-start", field="end", facts={"id": pl.col("deployment")}),
        *flag(sheet, outside, "gap-outside-deployment", field="start", facts=facts),
        *flag(in_order, overlap, "gaps-overlap", field="start", facts=facts),
    ]


def _counts(tables: _Tables) -> list[Finding]:
    if not tables.has("visits"):
        return []
    visits = tables["visits"]
    methods = visits.rows.select("visit", "method").drop_nulls("visit").unique("visit", keep="first")
    counts = tables["counts"]
    beside = counts.with_rows(counts.rows.join(methods, on="visit", how="left", maintain_order="left"))
    seen = pl.col("sign").is_null() & (pl.col("count") > 0) & pl.col("method").is_in(SIGN_METHODS)
    signs = pl.col("sign").is_not_null() & ~pl.col("method").is_in([*SIGN_METHODS, "other"])
    facts = {"visit": pl.col("visit"), "taxon": pl.col("taxon"), "method": pl.col("method")}
    unit = pl.col("effort").is_not_null() != pl.col("effort_unit").is_not_null()
    warn = Severity.WARNING
    return [
        *strangers(counts, "visit", visits.rows["visit"], "unknown-visit"),
        *_repeated_counts(counts),
        *flag(beside, seen, "animals-on-sign-transect", field="sign", facts=facts, severity=warn),
        *flag(beside, signs, "signs-on-animal-count", field="sign", facts=facts),
        *flag(visits, unit, "effort-without-unit", field="effort_unit", facts={"visit": pl.col("visit")}),
        *flag(
            visits,
            pl.col("effort").is_null(),
            "visit-without-effort",
            field="effort",
            facts={"visit": pl.col("visit")},
            severity=warn,
        ),
        *flag(
            visits,
            pl.col("complete").is_null(),
            "completeness-unsaid",
            field="complete",
            facts={"visit": pl.col("visit")},
            severity=Severity.NOTE,
        ),
    ]


def _repeated_counts(counts: Sheet) -> list[Finding]:
    """Rows that count the same thing of one visit again; an empty sign, stage or sex is a value here."""
    key = TARGETS["counts"].key
    filled = counts.with_rows(counts.rows.with_columns(pl.col(key[2:]).fill_null("")))
    return repeated(filled, key, "counted-twice", {"visit": pl.col("visit"), "taxon": pl.col("taxon")})


def _genotypes(tables: _Tables) -> list[Finding]:
    if not tables.has("samples", "alleles"):
        return []
    samples, alleles = tables["samples"], tables["alleles"]
    facts = {"sample": pl.col("sample"), "locus": pl.col("locus")}
    one = pl.col("allele_1").is_null() != pl.col("allele_2").is_null()
    untyped = pl.col("sample").is_not_null() & ~pl.col("sample").is_in(alleles.rows["sample"].drop_nulls().to_list())
    warn = Severity.WARNING
    about = {"sample": pl.col("sample")}
    found = [
        *repeated(alleles, ["sample", "locus"], "locus-twice", facts),
        *flag(alleles, one, "one-allele", field="allele_2", facts=facts, severity=warn),
        *flag(samples, pl.col("permit").is_null(), "sample-without-permit", field="permit", facts=about, severity=warn),
        *flag(samples, pl.col("taken").is_null(), "sample-without-date", field="taken", facts=about, severity=warn),
        *flag(samples, pl.col("x").is_null(), "sample-without-place", field="x", facts=about, severity=warn),
        *flag(samples, untyped, "sample-without-alleles", field="sample", facts=about, severity=warn),
    ]
    if tables.has("samples"):
        found += strangers(alleles, "sample", samples.rows["sample"], "unknown-sample")
    return found


def _individuals(tables: _Tables) -> list[Finding]:
    """People and markers missex: a warning for each sex of an individual that is not the first told of it."""
    found = []
    for sheet in (tables["samples"], tables["observations"]):
        rows = sheet.rows.filter(pl.col("individual").is_not_null() & pl.col("sex").is_not_null())
        rows = rows.with_columns(pl.col("sex").first().over("individual", "catalogue").alias("first sex"))
        other = rows.filter(pl.col("sex") != pl.col("first sex"))
        once = sheet.with_rows(other.unique(["individual", "catalogue", "sex"], keep="first", maintain_order=True))
        facts = {"id": pl.col("individual"), "other": pl.col("sex"), "first": pl.col("first sex")}
        found += flag(
            once, pl.lit(value=True), "conflicting-sexes", field="sex", facts=facts, severity=Severity.WARNING
        )
    return found


def _patrols(tables: _Tables) -> list[Finding]:
    if not tables.has("patrols", "patrol_observations"):
        return []
    known = tables["patrols"].rows["patrol"]
    return strangers(tables["patrol_observations"], "patrol", known, "unknown-patrol")


# --- what was delivered ---


def _contents(tables: _Tables, delivery: Delivery, source: str) -> dict[str, Any]:
    whose: dict[str, Any] = {
        "party": delivery.party,
        "dataset": delivery.dataset,
        "frame": frame_of(delivery.crs),
        "source": source,
    }
    made: dict[str, Any] = {}
    if tables.has("deployments"):
        parts: dict[str, Any] = {
            name: tables.table(name) for name in ("deployments", "observations", "media", "effort")
        }
        made["survey"] = Survey(**whose, dated=True, **parts)
    if tables.has("visits"):
        made["counts"] = SiteCounts(**whose, visits=tables.table("visits"), counts=tables.table("counts"))
    if tables.has("fixes"):
        made["tracks"] = Tracks(**whose, fixes=tables.table("fixes"))
    if tables.has("samples"):
        made["genotypes"] = Genotypes(**whose, samples=tables.table("samples"), alleles=tables.table("alleles"))
    if tables.has("patrols", "patrol_observations"):
        made["patrols"] = Patrols(
            **whose, patrols=tables.table("patrols"), observations=tables.table("patrol_observations")
        )
    return made
