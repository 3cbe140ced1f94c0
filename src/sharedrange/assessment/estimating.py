"""One estimate from plain tables, without a node: a programme of one party and one question, held in memory.

The question's inputs are made as those of a programme are (`inputs`), so that the same tables give the same number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from sharedrange.assessment.engines import ENGINES
from sharedrange.assessment.inputs import View, prepare
from sharedrange.assessment.material import Material
from sharedrange.assessment.modelling import Models, read_models
from sharedrange.assessment.node import Delivered, OpenNode
from sharedrange.assessment.programme import Component, Party, Programme, Species, question_of
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.answer import Answer
from sharedrange.core.chance import stream
from sharedrange.core.contents import Delivered as Content
from sharedrange.core.contents import SiteCounts
from sharedrange.core.engine import read_settings, unknown_key
from sharedrange.core.errors import InputError, NotEnoughData, ProgrammeError
from sharedrange.core.finding import Finding, Where, errors
from sharedrange.core.history import CaptureHistory
from sharedrange.core.ledger import Source
from sharedrange.core.progress import Progress, silent
from sharedrange.core.survey import LIFE_STAGES, Survey
from sharedrange.exchange.doors import check_path
from sharedrange.population.closed import ClosedSettings
from sharedrange.population.defensible import Fitness, SurveyFacts, Thresholds, judge
from sharedrange.population.occupancy import OccupancySettings
from sharedrange.population.scr import ScrSettings
from sharedrange.records import RecordSet

AREA = "area"  # without a border all ground is one side, and its party is called so
SEED = 1  # a fixed seed: the same tables give the same answer
SCR = "population.scr"
COUNTED = frozenset({"population.trend"})  # asked of counts; all others of surveys, or of both
UNNAMED = frozenset({"population.rates", "population.occupancy"})  # need no animal that somebody knows
ONE_SIDE: Mapping[str, Mapping[str, Any]] = {
    # What an engine's settings are where there is no border to differ by.
    SCR: {"density": "pooled"},
    "population.doubt": {"density": "pooled"},
    "population.permeability": {"density": "pooled"},
    "population.open": {"density": "~ 1"},
}


@dataclass(frozen=True, slots=True)
class Estimation:
    """One answer with what it was made from.

    `inputs`: the engine's, None where it was refused before any were made. `histories`: captures of identified animals,
    () where there are none; `fitness`: what they can bear, judged before anything was fitted. `comparison`: the models
    beside each other, where several were asked for. `memory`: what the fit remembers, so that it need not be
    repeated. `is_nowhere`: the frame has no place on Earth, so that nothing drawn tells where an animal was.
    """

    engine: str
    settings: Any
    answer: Answer
    inputs: Any = None
    histories: tuple[CaptureHistory, ...] = ()
    fitness: Fitness | None = None
    comparison: pl.DataFrame = field(default_factory=pl.DataFrame)
    memory: dict[str, Any] = field(default_factory=dict)
    is_nowhere: bool = False


def estimate(path: Path | str, **asked: Any) -> Answer:
    """The answer of `estimation`, which takes the same arguments."""
    return estimation(path, **asked).answer


def estimation(
    path: Path | str,
    *,
    engine: str = SCR,
    taxon: str = "",
    buffer_m: float | None = None,
    spacing_m: float | None = None,
    settings: Mapping[str, Any] | None = None,
    question: Mapping[str, Any] | None = None,
    models: Sequence[str] = (),
    delivery: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Estimation:
    """Ask one engine about one delivery: a folder or zip that `check` accepts.

    `taxon` may be left out where the delivery is about one species only; buffer and spacing follow from the captures
    where not given; `settings` are those of the engine; `question` holds further keys of a question as in
    programme.toml (sessions, periods, visits, counts, ...); `models` are formulas to compare, such as
    ``"D~1; lambda0~sex"``; `delivery` overrides or stands in for what delivery.toml says (crs, detector, ...). All
    ages are counted unless the question says otherwise.

    Raises InputError or ProgrammeError with all findings. Thin data are refused in the answer.
    """
    asked = _settings(engine, settings or {})
    content, findings = check_path(Path(path), **(delivery or {}))
    if content is None or not _holds_anything_for(engine, content):
        raise InputError(errors(findings) or [_lacking(engine, Path(path).name)])
    compared = read_models(engine, asked, models)
    mask = {"mask": {k: v for k, v in (("buffer_m", buffer_m), ("spacing_m", spacing_m)) if v is not None}}
    keys = {"life_stages": list(LIFE_STAGES), **(mask if any(mask.values()) else {}), **(question or {})}
    material = _material(Path(path), content, engine, _chosen_taxon(engine, content, taxon), keys)
    made = _answered(material, asked, compared, progress)
    noted = tuple(finding for finding in findings if finding not in errors(findings))
    return replace(made, answer=replace(made.answer, findings=(*noted, *made.answer.findings)))


def _answered(material: Material, settings: Any, models: Models | None, progress: Progress) -> Estimation:
    engine, everybody = material.question.engine, View(frozenset({AREA}))
    prepared = prepare(engine, material, settings, everybody)
    histories = _histories(material)
    fitness = judge(histories, _facts(material), _thresholds(settings)) if histories else None
    is_nowhere = material.projection.is_local
    if prepared.refusal is not None:
        answer = Answer(refusal=prepared.refusal, findings=prepared.findings)
        return Estimation(engine, settings, answer, None, histories, fitness, is_nowhere=is_nowhere)
    comparison, memory = pl.DataFrame(), dict[str, Any]()
    rng = stream(SEED, engine)
    if models is None:
        answer = ENGINES[engine].answer(prepared.inputs, settings, rng=rng, progress=progress, checkpoint=memory)
    else:
        comparison, settings, answer = models.compared(prepared.inputs, rng, progress)
    told = replace(answer, findings=(*prepared.findings, *answer.findings))
    return Estimation(engine, settings, told, prepared.inputs, histories, fitness, comparison, memory, is_nowhere)


def _histories(material: Material) -> tuple[CaptureHistory, ...]:
    """Captures of identified animals; none where there is no survey, or nobody was identified."""
    try:
        histories, _ = material.histories(frozenset({AREA}))
    except (NotEnoughData, InputError):
        return ()
    return histories if any(history.n_individuals for history in histories) else ()


def _thresholds(settings: Any) -> Thresholds:
    """What is too little: as the settings of the engine that is asked say, and the others' own."""
    return Thresholds(
        scr=settings if isinstance(settings, ScrSettings) else ScrSettings(),
        closed=settings if isinstance(settings, ClosedSettings) else ClosedSettings(),
        occupancy=settings if isinstance(settings, OccupancySettings) else OccupancySettings(),
    )


def _facts(material: Material) -> SurveyFacts:
    """What is known of flanks: how many animals are known from one only; nothing where no flank was recorded."""
    flanks = material.flanks(frozenset({AREA})).group_by("individual").agg(pl.col("left").any(), pl.col("right").any())
    surveys = material.surveys_of([AREA])
    if not any(survey.observations["flank"].count() for survey in surveys):
        return SurveyFacts()
    only = [int((flanks[one] & ~flanks[other]).sum()) for one, other in (("left", "right"), ("right", "left"))]
    return SurveyFacts(left_only=only[0], right_only=only[1])


# -- a programme of one question ---------------------------------------------------------------------------------------


class _Held(Surveys):
    """The one delivery, in memory."""

    def __init__(self, content: Content) -> None:
        self._held = content

    def of(self, delivered: Delivered, taxa: frozenset[str] | None = None) -> Survey | None:  # noqa: ARG002  (there is one)
        """The survey, with the observations of `taxa`."""
        survey = self._held.survey
        if survey is None:
            return None
        own = survey.observations if taxa is None else survey.observations.filter(pl.col("taxon").is_in(list(taxa)))
        return replace(survey, party=AREA, observations=own, media=survey.media.clear())

    def counts(self, delivered: Delivered) -> SiteCounts | None:  # noqa: ARG002  (there is one)
        """The counts at sites."""
        return replace(self._held.counts, party=AREA) if self._held.counts else None


def _material(path: Path, content: Content, engine: str, taxon: str, keys: Mapping[str, Any]) -> Material:
    folder = path if path.is_dir() else path.parent  # where files lie that the question names
    question = question_of({"id": engine, "engine": engine, "component": AREA, "species": taxon, **keys}, folder)
    programme = Programme(
        id=AREA,
        title="",
        seed=SEED,
        parties=(Party(AREA, ""),),
        species=(Species(taxon, taxon),),
        components=(Component(AREA, ""),),
        questions=(question,),
    )
    delivered = Delivered(path, AREA, path.name, Source(AREA, path.name, path.name, ""))
    node = OpenNode(folder, AREA, folder, programme, (delivered,), RecordSet(), ())
    return Material(node, question, _Held(content))


def _settings(engine: str, given: Mapping[str, Any]) -> Any:
    """The settings of an engine. Raises ProgrammeError for an engine or a setting that nobody knows."""
    if engine not in ENGINES:
        raise ProgrammeError([unknown_key(engine, ENGINES, Where(field="--engine"))])
    return read_settings(ENGINES[engine].Settings, {**ONE_SIDE.get(engine, {}), **given})


def _holds_anything_for(engine: str, content: Content) -> bool:
    if engine in COUNTED:
        return content.counts is not None
    return content.survey is not None or (engine == "population.occupancy" and content.counts is not None)


def _lacking(engine: str, path: str) -> Finding:
    return Finding("no-counts", {"path": path}) if engine in COUNTED else Finding("no-survey", {"path": path})


def _chosen_taxon(engine: str, content: Content, taxon: str) -> str:
    """`taxon`, or the only species that the engine can be asked about. Raises InputError if there is no such one."""
    by_code = engine not in COUNTED | UNNAMED
    if engine in COUNTED and content.counts is not None:
        names = _names([content.counts.counts.filter(pl.col("sign").is_null())["taxon"]])
    else:
        names = _names([_identified(content.survey)] if by_code and content.survey else _listed(content))
    told = ", ".join(names) or "-"
    if taxon and taxon not in names:
        rule = "taxon-not-recorded" if by_code else "taxon-not-listed"
        raise InputError([Finding(rule, {"taxon": taxon, "taxa": told})])
    if not taxon and len(names) != 1:
        rule = "taxon-not-told" if by_code else "taxon-of-several"
        raise InputError([Finding(rule, {"n": len(names), "taxa": told})])
    return taxon or names[0]


def _identified(survey: Survey) -> pl.Series:
    return survey.observations.drop_nulls("individual")["taxon"]


def _listed(content: Content) -> list[pl.Series]:
    counts = [content.counts.counts["taxon"]] if content.counts else []
    return [*counts, *([content.survey.observations["taxon"]] if content.survey else [])]


def _names(columns: Iterable[pl.Series]) -> list[str]:
    return sorted({str(name) for column in columns for name in column.drop_nulls().unique()})
