"""How each engine's inputs are made from the material of a question: a table, one entry an engine.

An engine that is not in the table cannot be asked by a programme; `tests/assessment/test_inputs.py` holds the table
to the register of engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from sharedrange.assessment.barriers import barriers_of
from sharedrange.assessment.material import Material
from sharedrange.assessment.programme import Question
from sharedrange.assessment.running import Prepared
from sharedrange.core.answer import Refusal, Scope
from sharedrange.core.contents import SIGN_METHODS, SiteCounts
from sharedrange.core.errors import NotEnoughData, ProgrammeError
from sharedrange.core.finding import Finding, Where
from sharedrange.core.grids import Grid
from sharedrange.core.history import CaptureHistory
from sharedrange.population import closed, doubt, minimum, occupancy, permeability, rates, scr, trend
from sharedrange.population import open as open_years
from sharedrange.population.open.checks import refusal as too_thin_for_years
from sharedrange.population.scr.thin import refusal as too_thin_for_places
from sharedrange.population.trend.yearly import ALL_YEAR

LISTS, RATES, ALONE = "lists", "rates", "alone"
SHAPES = ("periods", "visits", "counts", "barriers", "passages")  # keys of a question that only some engines read


@dataclass(frozen=True, slots=True)
class View:
    """What a task sees: the data of these parties, on a mask that ends at a border (empty: that crosses it)."""

    seen_by: frozenset[str]
    clipped_to: str = ""


@dataclass(frozen=True, slots=True)
class Preparing:
    """How one engine's inputs are made.

    `inputs` raises NotEnoughData where the data cannot bear the question, InputError and ProgrammeError where they are
    wrong. `reads`: those of SHAPES that it uses. `beside`: what is answered beside the question, to be compared with
    it or to be said in its stead: the lists, detection rates, what each party would have said alone.
    """

    inputs: Callable[[Material, Any, View], Prepared]
    reads: frozenset[str] = frozenset()
    beside: tuple[str, ...] = ()


def prepare(engine: str, material: Material, settings: Any, view: View) -> Prepared:
    """The inputs of one task, or a refusal. Raises InputError, ProgrammeError."""
    try:
        return PREPARING[engine].inputs(material, settings, view)
    except NotEnoughData as thin:
        return Prepared(refusal=thin.refusal)


def unread(question: Question) -> tuple[Finding, ...]:
    """A finding for each key of a question that its engine does not read: it would change nothing, in silence."""
    empty = Question("", "", "", "")
    given = [key for key in SHAPES if getattr(question, key) != getattr(empty, key)]
    where = Where("programme.toml", f"questions.{question.id}")
    return tuple(
        Finding(
            "question-key-unread", {"key": key, "engine": question.engine}, Where(where.file, where.table, field=key)
        )
        for key in given
        if key not in PREPARING[question.engine].reads
    )


def scope_of(material: Material, method: str, *, by_stage: bool = True) -> Scope:
    """What the numbers of a question are about; `by_stage`: whether the engine tells life stages apart."""
    question = material.question
    days = f"{question.start}/{question.end}" if question.start else ""
    period = days or "/".join(question.sessions) or ", ".join(question.periods)
    stage = "+".join(question.life_stages) if by_stage else ""
    return Scope(material.species.taxon, stage, "", question.component, period, method)


# -- known individuals ---------------------------------------------------------------------------------------------


def _minimum(material: Material, _settings: minimum.MinimumSettings, view: View) -> Prepared:
    crossings, about_crossings = material.crossings(view.seen_by)
    inputs = minimum.MinimumInputs(
        material.encounters(view.seen_by),
        material.partition(view.seen_by),
        material.parties,
        scope_of(material, "list"),
        material.flanks(view.seen_by),
        crossings,
    )
    return Prepared(inputs, (*material.about_window, *about_crossings))


def _closed(material: Material, _settings: closed.ClosedSettings, view: View) -> Prepared:
    histories, about = material.histories(view.seen_by)
    return Prepared(closed.ClosedInputs(histories, scope=scope_of(material, "closed")), about)


def _scr(material: Material, settings: scr.ScrSettings, view: View) -> Prepared:
    histories, about = material.histories(view.seen_by)
    return _spatial(material, settings, view, histories, about)


def _spatial(
    material: Material,
    settings: scr.ScrSettings,
    view: View,
    histories: tuple[CaptureHistory, ...],
    about: tuple[Finding, ...],
) -> Prepared:
    """The inputs of a spatial fit; thin data are refused before a mask is suggested from captures."""
    thin = too_thin_for_places(histories, settings)
    if thin is not None:
        return Prepared(refusal=thin, findings=about)
    mask, about_mask = material.mask(histories, view.clipped_to)
    sides = _sides_told(material, view)
    inputs = scr.ScrInputs(histories, (mask,), sides, scope_of(material, "spatial-capture-recapture"))
    return Prepared(inputs, (*about, *about_mask))


def _sides_told(material: Material, view: View) -> tuple[str, ...]:
    """Parties for whose sides numbers are told."""
    return (view.clipped_to,) if view.clipped_to else material.watching


def _doubt(material: Material, settings: doubt.DoubtSettings, view: View) -> Prepared:
    histories, about = material.histories(view.seen_by, one_flank="all")
    spatial = _spatial(material, settings.spatial(), view, histories, about)
    if spatial.refusal is not None:
        return spatial
    flanks, partition = material.flanks(view.seen_by), material.partition(view.seen_by)
    doubts = doubt.doubts_of(material.decisions(view.seen_by), partition, flanks)
    return Prepared(doubt.DoubtInputs(spatial.inputs, doubts), spatial.findings)


def _permeability(material: Material, settings: permeability.PermeabilitySettings, view: View) -> Prepared:
    histories, about = material.histories(view.seen_by)
    barriers = barriers_of(material)
    spatial = _spatial(material, settings.spatial(), view, histories, about)
    if spatial.refusal is not None:
        return spatial
    scope = scope_of(material, "permeability")
    inputs = permeability.PermeabilityInputs(
        histories, spatial.inputs.masks, barriers, spatial.inputs.report_sides, scope
    )
    return Prepared(inputs, spatial.findings)


def _open(material: Material, settings: open_years.OpenSettings, view: View) -> Prepared:
    histories, about = material.histories(view.seen_by)
    thin = too_thin_for_years(histories, settings)
    if thin is not None:
        return Prepared(refusal=thin, findings=about)
    mask, about_mask = material.mask(histories, view.clipped_to)
    scope = scope_of(material, "")  # the engine names its method: with places, or without
    inputs = open_years.OpenInputs(histories, mask, _sides_told(material, view), scope, material.times)
    return Prepared(inputs, (*about, *about_mask))


# -- without individuals -------------------------------------------------------------------------------------------


def _rates(material: Material, settings: rates.RatesSettings, view: View) -> Prepared:
    surveys = material.surveys_of(view.seen_by, all_taxa=settings.all_taxa)
    surveys = tuple(survey for survey in surveys if survey.tells_of(material.taxa))
    if not surveys:
        raise NotEnoughData(Refusal(material.question.id, {"surveys": 0}, {"surveys": 1}, (), material.about_parties))
    # Rates of two parties are never compared, so each keeps its own time: no common window is needed.
    asked = material.asked_windows[0]
    window = asked if asked.labels else None
    taxa = {material.species.taxon: material.taxa}
    return Prepared(rates.RatesInputs(surveys, window, scope_of(material, "detection-rate"), taxa))


def _occupancy(material: Material, _settings: occupancy.OccupancySettings, view: View) -> Prepared:
    source = _source_of_visits(material)
    visits, about = _from_cameras(material, view) if source == "cameras" else _from_transects(material)
    inputs = occupancy.OccupancyInputs(visits, scope_of(material, "occupancy", by_stage=False))
    return Prepared(inputs, about)


def _source_of_visits(material: Material) -> str:
    """``cameras`` or ``transects``. Raises ProgrammeError where both were delivered and the question does not say."""
    asked = material.question.visits.source
    walked = any(one.visits.height for one in _walked(material))
    if not asked and walked and material.watching:
        where = Where("programme.toml", f"questions.{material.question.id}", field="visits")
        raise ProgrammeError([Finding("visits-source-untold", {"question": material.question.id}, where)])
    return asked or ("transects" if walked else "cameras")


def _walked(material: Material) -> tuple[SiteCounts, ...]:
    return material.counts_by(material.question.visits.methods or SIGN_METHODS)


def _from_cameras(material: Material, view: View) -> tuple[occupancy.SiteVisits, tuple[Finding, ...]]:
    (window,) = material.windows
    surveys, cells = material.surveys_of(view.seen_by), _cells(material)
    length = material.question.visits.occasion_days
    visits, about = occupancy.visits_of_surveys(surveys, material.taxa, window, occasion_days=length, cells=cells)
    return visits, (*material.about_parties, *material.about_window, *about)


def _from_transects(material: Material) -> tuple[occupancy.SiteVisits, tuple[Finding, ...]]:
    methods = material.question.visits.methods or SIGN_METHODS
    deliveries = _walked(material)
    if not any(one.visits.height for one in deliveries):
        raise NotEnoughData(Refusal(material.question.id, {"visits": 0}, {"visits": 1}))
    return occupancy.visits_of_transects(deliveries, material.taxa, methods=methods, cells=_cells(material))


def _cells(material: Material) -> occupancy.Cells | None:
    spec = material.question.visits
    if spec.cell_m is None:
        return None
    sides = material.sides if material.sides.polygons else None
    return occupancy.Cells(Grid(spec.grid, material.projection.crs, (spec.cell_m,)), spec.cell_m, sides)


def _trend(material: Material, _settings: trend.TrendSettings, _view: View) -> Prepared:
    spec, zone = material.question.counts, material.component.occasion_timezone
    deliveries = material.counts_by(spec.methods)
    if not _counted(deliveries, material.taxa):
        raise NotEnoughData(Refusal(material.question.id, {"counts": 0}, {"counts": 1}))
    season = (spec.season[0], spec.season[1]) if spec.season else ALL_YEAR
    table, notes = trend.yearly_counts(deliveries, material.taxa, spec.statistic, season=season, timezone=zone)
    return Prepared(trend.TrendInputs(table, scope_of(material, "", by_stage=False), notes=notes))


def _counted(deliveries: Iterable[SiteCounts], taxa: frozenset[str]) -> bool:
    """Whether animals of the species, not signs of them, were ever counted or looked for by name."""
    animals = pl.col("taxon").is_in(list(taxa)) & pl.col("sign").is_null()
    return any(one.counts.filter(animals).height for one in deliveries)


PREPARING: Mapping[str, Preparing] = {
    closed.ENGINE.name: Preparing(_closed, frozenset({"periods"}), (LISTS, RATES)),
    doubt.ENGINE.name: Preparing(_doubt, frozenset({"periods"}), (LISTS, RATES, ALONE)),
    minimum.ENGINE.name: Preparing(_minimum, frozenset({"periods"})),
    occupancy.ENGINE.name: Preparing(_occupancy, frozenset({"visits"}), (LISTS, RATES)),
    open_years.ENGINE.name: Preparing(_open, frozenset({"periods"}), (LISTS, ALONE)),
    permeability.ENGINE.name: Preparing(_permeability, frozenset({"periods", "barriers", "passages"}), (LISTS, RATES)),
    rates.ENGINE.name: Preparing(_rates),
    scr.ENGINE.name: Preparing(_scr, frozenset({"periods"}), (LISTS, RATES, ALONE)),
    trend.ENGINE.name: Preparing(_trend, frozenset({"counts"})),
}
