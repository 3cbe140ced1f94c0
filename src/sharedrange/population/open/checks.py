"""What can be wrong with the tables, and what is too thin for an open model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from sharedrange.core.answer import Refusal
from sharedrange.core.finding import Fact, Finding, Where
from sharedrange.core.history import CaptureHistory
from sharedrange.core.survey import SEXES
from sharedrange.population.open.kernels import lattice_of
from sharedrange.population.open.settings import OpenInputs, OpenSettings
from sharedrange.population.scr.checks import check_inputs as check_sessions
from sharedrange.population.scr.settings import ScrSettings
from sharedrange.population.scr.thin import refusal as each_year_thin

QUESTION = "population.open"
KINDS = ("proximity", "count")
LEAST_YEARS, LEAST_YEARS_WITHOUT_SPACE = 2, 3
MOST_SCATTERED = 5_000  # points whose kernel still is a matrix of 200 MB


def check_inputs(inputs: OpenInputs, settings: OpenSettings) -> Iterator[Finding]:
    """Everything that contradicts itself, in each year and between them."""
    wrong = list(check_sessions(inputs.histories, (inputs.mask,), settings.detection_function))
    yield from wrong
    yield from _check_kinds(inputs.histories, wrong)
    yield from _check_times(inputs)
    yield from _check_sexes(inputs.histories)
    if not wrong and settings.spatial and settings.movement != "none":
        yield from _check_grid(inputs)


def _check_kinds(histories: Sequence[CaptureHistory], told: Sequence[Finding]) -> Iterator[Finding]:
    """Detectors that compete for the animal have another likelihood, which is only that of one year's model."""
    known = {finding.where.table for finding in told if finding.rule == "scr-kind-unsupported"}
    for history in histories:
        at = Where(table=f"session {history.session}")
        if history.kind not in KINDS and at.table not in known:
            yield Finding("scr-kind-unsupported", {"kind": history.kind, "supported": ", ".join(KINDS)}, at)


def check_sides(inputs: OpenInputs) -> Iterator[Finding]:
    """For whose side numbers are asked, against the sides of the mask."""
    named = sorted({str(side) for side in np.unique(inputs.mask.side) if side})
    if named and not inputs.report_sides:
        yield Finding("scr-no-side", {"sides": ", ".join(named)})
    if inputs.report_sides and not set(inputs.report_sides) & set(named):
        yield Finding("scr-side-unknown", {"side": ", ".join(inputs.report_sides), "sides": ", ".join(named) or "-"})


def _check_times(inputs: OpenInputs) -> Iterator[Finding]:
    names = [history.session for history in inputs.histories]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield Finding("open-year-twice", {"years": ", ".join(twice)})
    times = inputs.times
    if times and (len(times) != len(names) or not np.isfinite(times).all() or (np.diff(times) <= 0).any()):
        facts: dict[str, Fact] = {"times": ", ".join(f"{t:g}" for t in times), "years": ", ".join(names)}
        yield Finding("open-times-unusable", facts)


def _check_sexes(histories: Sequence[CaptureHistory]) -> Iterator[Finding]:
    if not histories:
        return
    known = pl.concat([h.individuals.select("individual", "sex") for h in histories])
    known = known.filter(pl.col("sex").is_in(SEXES))
    counted = known.group_by("individual").agg(pl.col("sex").n_unique().alias("sexes"))
    both = sorted(counted.filter(pl.col("sexes") > 1)["individual"])
    if both:
        yield Finding("open-sex-differs", {"individuals": ", ".join(both[:10]), "number": len(both)})


def _check_grid(inputs: OpenInputs) -> Iterator[Finding]:
    mask = inputs.mask
    if len(mask) > MOST_SCATTERED and lattice_of(mask.x_m, mask.y_m, mask.spacing_m) is None:
        yield Finding("open-mask-scattered", {"points": len(mask), "most": MOST_SCATTERED})


def refusal(histories: Sequence[CaptureHistory], settings: OpenSettings) -> Refusal | None:
    """Why the question is declined, or None.

    Survival is learnt from animals that come back in a later year, movement from where they come back; without them
    every survival is possible, however many animals one year shows. Without places nothing within a year tells who was
    missed: only animals seen before and after a year do, so that three years are needed (two give three counts for
    four unknowns).
    """
    have: dict[str, Fact] = {
        "years": len(histories),
        "individuals": len({who for h in histories for who in h.individuals["individual"]}),
        "animals_in_two_years": returning(histories),
        "recaptures": sum(h.n_recaptures for h in histories),
        "spatial_recaptures": sum(h.n_spatial_recaptures for h in histories),
        "detectors": max((int((h.effort.sum(axis=1) > 0).sum()) for h in histories), default=0),
    }
    need: dict[str, Fact] = {
        "years": LEAST_YEARS if settings.spatial else LEAST_YEARS_WITHOUT_SPACE,
        "individuals": settings.min_individuals,
        "animals_in_two_years": settings.min_returns,
    }
    if settings.spatial:
        need |= {
            "recaptures": settings.min_recaptures,
            "spatial_recaptures": settings.min_spatial_recaptures,
            "detectors": settings.min_detectors,
        }
    enough = all(float(have[key] or 0) >= float(least or 0) for key, least in need.items())
    return None if enough else Refusal(QUESTION, have, need, tuple(_instead(histories)))


def _instead(histories: Sequence[CaptureHistory]) -> Iterator[str]:
    """Engines that the same data do bear."""
    if histories and each_year_thin(histories, ScrSettings()) is None:
        yield "population.scr"
    if any(history.n_individuals for history in histories):
        yield "population.minimum"
    yield "population.rates"


def returning(histories: Sequence[CaptureHistory]) -> int:
    """Animals detected in more than one year."""
    seen: dict[str, int] = {}
    for history in histories:
        for who in history.individuals["individual"]:
            seen[who] = seen.get(who, 0) + 1
    return sum(years > 1 for years in seen.values())
