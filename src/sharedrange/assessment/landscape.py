"""What there is to work with: health of each delivery, and map cells. Cells, never points."""

from __future__ import annotations

import numpy as np
import polars as pl

from sharedrange.assessment.material import Material
from sharedrange.assessment.node import Delivered, OpenNode
from sharedrange.assessment.results import CELLS, HEALTH
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.survey import Survey, conform
from sharedrange.population.rates import effort_table

CELL_M = 10_000.0  # no map of a real target animal is finer
LOCAL_CELL_M = 100.0  # a net grid without a place on Earth gives no position away


def health(node: OpenNode, surveys: Surveys) -> pl.DataFrame:
    """One row a delivery, with the columns of HEALTH."""
    held = [(d, surveys.of(d)) for d in node.deliveries]
    rows = [_health(d, survey, len(surveys.findings(d))) for d, survey in held if survey is not None]
    return pl.DataFrame(rows, schema=HEALTH, orient="row")


def _health(delivered: Delivered, survey: Survey, warnings: int) -> dict[str, object]:
    effort = effort_table(survey)
    days = survey.observations["start"].drop_nulls().dt.date()
    return {
        "party": delivered.party,
        "dataset": delivered.dataset,
        "format": survey.kind,
        "source": delivered.source.id,
        "stations": survey.deployments["station"].n_unique(),
        "run_days": float(effort["run_days"].sum()),
        "gap_days": float(effort["gap_days"].sum()),
        "gap_reasons": gap_reasons(survey),
        "observations": survey.observations.height,
        "individuals": survey.observations.drop_nulls("individual").select("catalogue", "individual").n_unique(),
        "first_day": str(days.min()) if len(days) else "",
        "last_day": str(days.max()) if len(days) else "",
        "warnings": warnings,
    }


def gap_reasons(survey: Survey) -> str:
    """Days lost by reason, the longest first: ``snow 120, theft 31``."""
    gaps = survey.effort.drop_nulls("reason").drop_nulls("start")
    days = (pl.col("end") - pl.col("start")).dt.total_seconds() / 86_400
    lost = gaps.group_by("reason").agg(days.sum().alias("days")).sort("days", "reason", descending=[True, False])
    return ", ".join(f"{reason} {days:.0f}" for reason, days in lost.iter_rows())


def cells(materials: list[Material]) -> pl.DataFrame:
    """Effort and detections in cells, with the columns of CELLS, for each component and species asked about."""
    tables = {(m.component.id, m.species.key): m for m in materials}
    parts = [_cells(m) for m in tables.values()]
    return pl.concat(parts) if parts else pl.DataFrame(schema=CELLS)


def _cells(material: Material) -> pl.DataFrame:
    parts = [_survey_cells(material, s) for s in material.surveys_of(material.parties)]
    if not parts:
        return pl.DataFrame(schema=CELLS)
    keys = ["component", "species", "party", "x", "y", "cell_m"]
    return pl.concat(parts).group_by(keys).agg(pl.exclude(keys).sum()).sort(keys).select(CELLS.names())


def _survey_cells(material: Material, survey: Survey) -> pl.DataFrame:
    """Cells of one survey; animals are counted once a cell, detections by event."""
    size = LOCAL_CELL_M if material.projection.is_local else CELL_M
    place = survey.deployments.select("deployment", *_centres(material, survey, size))
    place = place.filter(pl.col("x").is_finite())  # a release may come without positions
    effort = effort_table(survey).select("deployment", "run_days")
    seen = survey.observations.filter(pl.col("taxon").is_in(list(material.taxa)))
    caught = seen.group_by("deployment").agg(
        pl.len().alias("detections"), pl.col("individual").drop_nulls().unique().alias("who")
    )
    table = place.join(effort, on="deployment", how="left").join(caught, on="deployment", how="left")
    by_cell = table.group_by("x", "y").agg(
        pl.col("run_days").sum(),
        pl.col("detections").sum(),
        pl.col("who").explode().drop_nulls().n_unique().alias("individuals"),
    )
    named = by_cell.with_columns(
        component=pl.lit(material.component.id),
        species=pl.lit(material.species.key),
        party=pl.lit(survey.party),
        cell_m=pl.lit(size),
    )
    return conform(named, CELLS)


def _centres(material: Material, survey: Survey, size: float) -> list[pl.Series]:
    """Centres of the cells that the deployments lie in, in the kept frame."""
    x, y = survey.deployments["x"].to_numpy(), survey.deployments["y"].to_numpy()
    x_m, y_m = material.projection.forward(x, y)
    # Not a core.grids.Grid: nobody cites these cells, and a release may come without positions, which a grid refuses.
    centre_x, centre_y = (np.floor(np.stack([x_m, y_m]) / size) + 0.5) * size
    kept_x, kept_y = material.projection.inverse(centre_x, centre_y)
    return [pl.Series("x", np.round(kept_x, 6)), pl.Series("y", np.round(kept_y, 6))]
