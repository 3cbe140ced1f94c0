"""A package checked: every table against the schema of its version, and all of them against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.survey import FLANKS, GAP_REASONS
from sharedrange.exchange.camtrapdp.broken import Broken, findings
from sharedrange.exchange.camtrapdp.clocks import check_clocks
from sharedrange.exchange.camtrapdp.constraints import Kept, Table, check
from sharedrange.exchange.camtrapdp.loading import load, plain
from sharedrange.exchange.camtrapdp.meaning import at_of, beside_deployments, check_meaning
from sharedrange.exchange.camtrapdp.package import NEUTRAL, Package, open_package
from sharedrange.exchange.camtrapdp.photos import check_photos
from sharedrange.exchange.camtrapdp.positions import check_positions
from sharedrange.exchange.camtrapdp.profile import check_profile
from sharedrange.exchange.camtrapdp.schema import TABLES, Field, TableSchema, schemas
from sharedrange.exchange.camtrapdp.versions import old_columns, renewed
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.opening import shown
from sharedrange.exchange.tables import Column, Sheet, flag, read_csv, strangers, typed

EFFORT_FILE = "effort.csv"
DEPLOYMENT_COLUMNS = (
    *("deploymentID", "locationID", "latitude", "longitude", "coordinateUncertainty", "deploymentStart"),
    *("deploymentEnd", "cameraID", "cameraModel", "timestampIssues"),
)
OBSERVATION_COLUMNS = (
    *("observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd", "observationLevel"),
    *("observationType", "scientificName", "count", "lifeStage", "sex", "individualID", "flank", "observationTags"),
)
BOX_COLUMNS = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")
KEPT: Mapping[str, Kept] = {
    "deployments": Kept(frozenset(DEPLOYMENT_COLUMNS)),
    "media": Kept(frozenset({"mediaID", "deploymentID", "timestamp", "filePath"}), frozenset({"timestamp"})),
    "observations": Kept(
        frozenset({*OBSERVATION_COLUMNS, *BOX_COLUMNS}),
        frozenset({"eventStart"}),
        loose=frozenset(BOX_COLUMNS),
    ),
}
"""Columns of 1.0.2 that become part of a survey or are looked at across tables."""
REMADE = ("captureMethod", "filePublic", "fileMediatype")  # `write` gives every package its own
_OURS = Field("flank", words=FLANKS)
_EFFORT_COLUMNS = (
    Column("deploymentID", required=True),
    Column("start", "time", required=True),
    Column("end", "time", required=True),
    Column("reason", "word", required=True, words={reason: reason for reason in GAP_REASONS}),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """The tables of a package in the columns of 1.0.2, typed; `gaps` is None where there is no effort table."""

    package: Package
    deployments: Table
    media: Table
    observations: Table
    gaps: Sheet | None

    @property
    def not_carried(self) -> tuple[str, ...]:
        """Columns that hold something and become no part of a survey, as ``table.column``."""
        tables = {"deployments": self.deployments, "media": self.media, "observations": self.observations}
        return tuple(
            f"{name}.{column}" for name, table in tables.items() for column in table.not_kept if column not in REMADE
        )


def validate(folder: Path, delivery: Delivery) -> tuple[Checked | None, tuple[Finding, ...]]:
    """Everything that is wrong with a package (folder or zip), whatever its version. None if a table cannot be read."""
    checked, all_broken, found = examine(folder, delivery)
    return checked, (*found, *findings(all_broken))


def examine(folder: Path, delivery: Delivery) -> tuple[Checked | None, list[Broken], list[Finding]]:
    """As `validate`, with what is broken in columns: each rule with all of its rows."""
    package, found = open_package(folder, delivery)
    if package is None:
        return None, [], found
    found += check_profile(package)
    tables, all_broken, more = _tables(package, delivery)
    found += more
    gaps, more = _gaps(package, delivery)
    found += more
    if len(tables) < len(TABLES):
        return None, all_broken, found
    tables = renewed(package.version, tables)
    at = at_of(tables["observations"].rows["mediaID"], tables["media"].rows["mediaID"])
    all_broken += [
        *check_meaning(tables, at),
        *check_clocks(tables, package.created, at),
        *check_positions(tables["deployments"], package.json.get("spatial")),
        *check_photos(package, tables["media"]),
    ]
    found += _wrong_gaps(gaps, tables["deployments"])
    checked = Checked(package, tables["deployments"], tables["media"], tables["observations"], gaps)
    return checked, all_broken, [*found, *_not_carried(checked)]


def _not_carried(checked: Checked) -> list[Finding]:
    if not checked.not_carried:
        return []
    columns = checked.not_carried
    facts: dict[str, Fact] = {"number": len(columns), "columns": ", ".join(shown(name) for name in columns)}
    return [Finding("not-carried", facts, Where(checked.package.file), Severity.NOTE)]


def _tables(package: Package, delivery: Delivery) -> tuple[dict[str, Table], list[Broken], list[Finding]]:
    """The tables that can be read, each checked against its schema; one is in memory as text at a time."""
    tables: dict[str, Table] = {}
    all_broken: list[Broken] = []
    found: list[Finding] = []
    for name in TABLES:
        path = package.path_of(name)
        if isinstance(path, Finding):
            found.append(path)
            continue
        encoding = package.encoding_of(name, delivery.encoding)
        text, more = load(package.opened, name, path, encoding, package.delimiter_of(name))
        found += more
        if text is not None:
            schema = _with_ours(schemas(package.version)[name], text.names)
            kept = old_columns(package.version, name, KEPT[name])
            text = plain(text) if package.json.get(NEUTRAL) is True else text
            tables[name], wrong, more = check(text, schema, kept, delivery.timezone)
            all_broken += wrong
            found += more
    return tables, all_broken, found


def _with_ours(schema: TableSchema, names: tuple[str, ...]) -> TableSchema:
    """The schema with our column of the side seen, where the table has it."""
    is_ours = schema.name == "observations" and _OURS.name in names
    return replace(schema, fields=(*schema.fields, _OURS)) if is_ours else schema


# --- our effort table ---


def _gaps(package: Package, delivery: Delivery) -> tuple[Sheet | None, list[Finding]]:
    """The effort table: the file that the delivery names, the resource `effort`, or effort.csv beside the package."""
    declared = delivery.files.get("effort")
    path: str | Finding = declared or package.base + EFFORT_FILE
    if not declared and package.resource("effort"):
        path = package.path_of("effort")
    elif path not in package.opened.sizes and not declared:
        return None, []
    if isinstance(path, Finding):
        return None, [path]
    text, found = package.opened.text(path, package.encoding_of("effort", delivery.encoding))
    if text is None:
        return None, found
    sheet, more = read_csv(shown(path), text, package.delimiter_of("effort"))
    if sheet is None:
        return None, [*found, *more]
    sheet, wrong = typed(sheet, _EFFORT_COLUMNS, delivery.timezone)
    return sheet, [*found, *more, *wrong]


def _wrong_gaps(gaps: Sheet | None, deployments: Table) -> list[Finding]:
    """Gaps of unknown deployments, backwards, outside their deployment, or overlapping."""
    if gaps is None:
        return []
    known = pl.col("deploymentID").cast(pl.Categorical)
    sheet = gaps.with_rows(beside_deployments(gaps.rows.with_columns(known), deployments))
    facts = {"deployment": pl.col("deploymentID")}
    outside = (pl.col("start") < pl.col("deploymentStart")) | (pl.col("end") > pl.col("deploymentEnd"))
    earlier = sheet.with_rows(sheet.rows.sort("deploymentID", "start", "end"))
    overlap = pl.col("start") < pl.col("end").cum_max().shift().over("deploymentID")
    return [
        *strangers(gaps, "deploymentID", deployments.rows["deploymentID"].cast(pl.String), "unknown-deployment"),
        *flag(
            sheet,
            pl.col("end") <= pl.col("start"),
            "end-before-start",
            field="end",
            facts={"id": pl.col("deploymentID")},
        ),
        *flag(sheet, outside, "gap-outside-deployment", field="start", facts=facts),
        *flag(earlier, overlap, "gaps-overlap", field="start", facts=facts),
    ]
