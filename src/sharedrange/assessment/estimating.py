"""One estimate from plain tables: capture and trap files, or a Camtrap DP package, without a programme."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import shapely

from sharedrange.core.answer import Answer, Scope
from sharedrange.core.chance import stream
from sharedrange.core.engine import read_settings
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, errors
from sharedrange.core.history import CaptureHistory
from sharedrange.core.individuals import Concordance
from sharedrange.core.places import Projection, Sides, equal_area
from sharedrange.core.progress import Progress, silent
from sharedrange.core.survey import LIFE_STAGES, Survey
from sharedrange.core.when import whole_window
from sharedrange.exchange.doors import check_path
from sharedrange.population import scr
from sharedrange.population.encounters import local_individuals
from sharedrange.population.histories import capture_histories
from sharedrange.population.masks import make_mask

AREA = "area"  # without a border all ground is one side
SEED = 1  # the engine draws nothing by chance unless asked to; a fixed seed keeps it so


def estimate(
    path: Path | str,
    *,
    taxon: str = "",
    buffer_m: float | None = None,
    spacing_m: float | None = None,
    settings: dict[str, Any] | None = None,
    delivery: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> Answer:
    """Fit `population.scr` to one delivery: a folder or zip that `check` accepts.

    `taxon` may be left out where the delivery identifies individuals of one species only; buffer and spacing
    follow from the captures where not given; `settings` are those of the engine; `delivery` overrides or
    stands in for what delivery.toml says (crs, detector, timezone, ...). All ages are counted.

    Raises InputError or ProgrammeError with all findings. Thin data are refused in the answer.
    """
    content, findings = check_path(Path(path), **(delivery or {}))
    if content is None or content.survey is None:
        raise InputError(errors(findings) or [Finding("no-survey", {"path": Path(path).name})])
    survey = content.survey
    asked = read_settings(scr.ScrSettings, {"density": "pooled", **(settings or {})})
    taxa = frozenset({_chosen_taxon(survey, taxon)})
    histories, about = _histories(survey, taxa)
    ground = Sides({AREA: shapely.box(-np.inf, -np.inf, np.inf, np.inf)})
    mask, about_mask = make_mask(histories, _projection(survey), ground, buffer_m=buffer_m, spacing_m=spacing_m)
    inputs = scr.ScrInputs(histories, (mask,), (AREA,), Scope(taxon=min(taxa), method="spatial-capture-recapture"))
    answer = scr.ENGINE.answer(inputs, asked, rng=stream(SEED, scr.ENGINE.name), progress=progress)
    noted = (*(f for f in findings if f not in errors(findings)), *about, *about_mask)
    return replace(answer, findings=(*noted, *answer.findings))


def _histories(survey: Survey, taxa: frozenset[str]) -> tuple[tuple[CaptureHistory, ...], tuple[Finding, ...]]:
    closed = whole_window([survey], "UTC")
    partition = Concordance().partition(local_individuals([survey], taxa))
    return capture_histories([survey], partition, closed, taxa, LIFE_STAGES, _projection(survey))


def _projection(survey: Survey) -> Projection:
    if survey.frame.startswith("local:"):
        return Projection(survey.frame)
    place = survey.deployments.select(pl.col("x", "y").mean()).row(0)
    return equal_area(float(place[0]), float(place[1]))


def _chosen_taxon(survey: Survey, taxon: str) -> str:
    """`taxon`, or the only species whose individuals are identified. Raises InputError if there is no such one."""
    names = survey.observations.drop_nulls("individual")["taxon"].drop_nulls().unique().sort().to_list()
    if taxon and taxon not in names:
        raise InputError([Finding("taxon-not-recorded", {"taxon": taxon, "taxa": ", ".join(names) or "-"})])
    if not taxon and len(names) != 1:
        raise InputError([Finding("taxon-not-told", {"n": len(names), "taxa": ", ".join(names)})])
    return taxon or str(names[0])
