"""An undated survey as capture, trap and usage tables (CSV) with a delivery.toml; door `captures` reads it back."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from sharedrange.core.errors import InputError
from sharedrange.core.files import write_atomically
from sharedrange.core.finding import Finding, Where
from sharedrange.core.survey import Survey
from sharedrange.exchange.delivery import Delivery, write_delivery


def write(survey: Survey, folder: Path) -> None:
    """Write captures.csv, traps.csv, usage.csv and delivery.toml into `folder`.

    Observations keep their order; codes, sexes, stages, flanks and catalogues stand in the rows of captures.
    Raises InputError if the survey is dated or a deployment has no effort.
    """
    if found := _cannot_write(survey):
        raise InputError(found)
    tables = {"captures": _captures(survey), "traps": _traps(survey), "usage": _usage(survey)}
    for name, table in tables.items():
        write_atomically(folder / f"{name}.csv", table.write_csv().encode())
    write_delivery(_delivery(survey), folder)


def _cannot_write(survey: Survey) -> list[Finding]:
    if survey.dated:
        return [Finding("survey-is-dated", {"dataset": survey.dataset}, Where(table=survey.dataset))]
    idle = survey.deployments.join(survey.effort, on="deployment", how="anti")["deployment"]
    return [Finding("deployment-without-effort", {"deployment": name}, Where(table="effort")) for name in idle]


def _station(survey: Survey) -> pl.DataFrame:
    return survey.deployments.select("deployment", pl.coalesce("station", "deployment").alias("trap"))


def _captures(survey: Survey) -> pl.DataFrame:
    columns = ["session", "id", "occasion", "trap", "count", "sex", "life_stage", "flank", "catalogue", "taxon"]
    rows = survey.observations.join(_station(survey), on="deployment", how="left", maintain_order="left")
    return rows.rename({"individual": "id"}).select(columns)


def _traps(survey: Survey) -> pl.DataFrame:
    where = survey.effort.select("session", "deployment").unique(maintain_order=True)
    rows = where.join(survey.deployments, on="deployment", how="left", maintain_order="left")
    rows = rows.with_columns(pl.coalesce("station", "deployment").alias("trap"))
    return rows.select("session", "trap", "x", "y", "detector", "camera_type", "uncertainty_m")


def _usage(survey: Survey) -> pl.DataFrame:
    rows = survey.effort.join(_station(survey), on="deployment", how="left", maintain_order="left")
    return rows.select("session", "trap", "occasion", "effort")


def _delivery(survey: Survey) -> Delivery:
    last = survey.effort.group_by("session").agg(pl.col("occasion").max()).sort("session")
    taxa = survey.observations["taxon"].unique().drop_nulls()
    return Delivery(
        party=survey.party,
        dataset=survey.dataset,
        format="captures",
        crs=survey.frame,
        taxon=taxa[0] if len(taxa) == 1 else "",
        occasions=dict(last.iter_rows()),
    )
