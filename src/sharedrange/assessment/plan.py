"""From questions to tasks: which engine is asked what, from which steps.

Every task's step is known before anything is read: it hashes the deliveries, the decisions that matter to it,
the question and the settings. That is why a second run is instant, and why changing one decision recomputes
only what depends on it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sharedrange.assessment.engines import ENGINES
from sharedrange.assessment.joint import CLIPPED, CROSSING, alone_name
from sharedrange.assessment.material import Material
from sharedrange.assessment.node import Delivered, OpenNode
from sharedrange.assessment.programme import Question
from sharedrange.assessment.running import Prepared, Task
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.answer import Refusal, Scope
from sharedrange.core.canonical import Json
from sharedrange.core.engine import read_settings, unknown_key
from sharedrange.core.errors import NotEnoughData, ProgrammeError
from sharedrange.core.finding import Finding, Where
from sharedrange.core.ledger import Ledger, Step
from sharedrange.exchange.delivery import FILE_NAME as DELIVERY_FILE
from sharedrange.population import minimum, rates, scr
from sharedrange.population.scr.thin import refusal
from sharedrange.records import decisions_value

ANSWER, LISTS, RATES = "answer", "lists", "rates"


@dataclass(frozen=True, slots=True)
class Planned:
    """The tasks of one question by the name of the answer that each gives, and the ledger of all steps."""

    question: Question
    parties: tuple[str, ...]
    tasks: Mapping[str, Task]


def plan(node: OpenNode, surveys: Surveys) -> tuple[tuple[Planned, ...], Ledger]:
    """Plan every question of the programme.

    Raises ProgrammeError with all that is wrong in the questions' engines and settings.
    """
    settings = _settings(node)
    ledger = Ledger()
    for delivered in node.deliveries:
        ledger = ledger.with_source(delivered.source)
    planned = []
    for question in node.programme.questions:
        planner = _Planner(Material(node, question, surveys), settings[question.id], ledger)
        planned.append(Planned(question, planner.material.parties, planner.tasks()))
        ledger = planner.ledger
    return tuple(planned), ledger


def _settings(node: OpenNode) -> dict[str, Any]:
    """Settings of each question, typed by its engine's schema."""
    read: dict[str, Any] = {}
    wrong: list[Finding] = []
    for question in node.programme.questions:
        where = Where(file="programme.toml", table=f"questions.{question.id}")
        if question.engine not in ENGINES:
            wrong.append(unknown_key(question.engine, ENGINES, replace(where, field="engine")))
            continue
        try:
            schema = ENGINES[question.engine].Settings
            read[question.id] = read_settings(
                schema, question.settings, replace(where, table=f"{where.table}.settings")
            )
        except ProgrammeError as error:
            wrong += error.findings
    if wrong:
        raise ProgrammeError(wrong)
    return read


class _Planner:
    """Makes the tasks of one question, writing their steps into the ledger."""

    def __init__(self, material: Material, settings: Any, ledger: Ledger) -> None:
        self.material = material
        self.question = material.question
        self.settings = settings
        self.ledger = ledger
        self.everyone = frozenset(material.parties)
        self.seed = material.node.programme.seed

    def tasks(self) -> dict[str, Task]:
        """The tasks by answer name. A question about counts brings the lists, and each party alone."""
        if not self.everyone:
            return {ANSWER: self._task(ANSWER, self.question.engine, self.settings, self.everyone, self._nobody)}
        if self.question.engine == rates.ENGINE.name:
            return {ANSWER: self._rates(ANSWER, self.settings)}
        lists = self._lists()
        if self.question.engine == minimum.ENGINE.name:
            return {ANSWER: lists}
        tasks = {
            ANSWER: self._fit(ANSWER, self.settings, self.everyone),
            LISTS: lists,
            RATES: self._rates(RATES, rates.RatesSettings()),
        }
        if len(self.everyone) > 1:
            for party in self.material.parties:
                tasks |= self._alone(party)
        return tasks

    # -- engines ---------------------------------------------------------------------------------------------

    def _rates(self, name: str, settings: rates.RatesSettings) -> Task:
        """Detection rates: what was asked, or what can be said where a density is refused."""

        def prepare() -> Prepared:
            return self._declining(lambda: self._rate_inputs(settings))

        return self._task(name, rates.ENGINE.name, settings, self.everyone, prepare)

    def _lists(self) -> Task:
        asked = self.question.engine == minimum.ENGINE.name
        settings = (
            self.settings
            if asked
            else minimum.MinimumSettings(self.question.life_stages, self.question.count_unknown_stage)
        )
        return self._task(LISTS, minimum.ENGINE.name, settings, self.everyone, self._encounters)

    def _alone(self, party: str) -> dict[str, Task]:
        """What a party would fit by itself: one density, its own cameras only, on either of the two masks."""
        own = frozenset({party})
        settings = replace(self.settings, density="pooled", pool_alpha=0.0)
        clipped = self._fit(alone_name(party, CLIPPED), settings, own, clipped_to=party)
        crossing = self._fit(alone_name(party, CROSSING), settings, own)
        return {alone_name(party, CLIPPED): clipped, alone_name(party, CROSSING): crossing}

    def _fit(self, name: str, settings: Any, seen_by: frozenset[str], clipped_to: str = "") -> Task:
        def prepare() -> Prepared:
            return self._declining(lambda: self._fit_inputs(settings, seen_by, clipped_to))

        more = {"clipped_to": clipped_to} if clipped_to else {}
        return self._task(name, scr.ENGINE.name, settings, seen_by, prepare, **more)

    def _fit_inputs(self, settings: scr.ScrSettings, seen_by: frozenset[str], clipped_to: str) -> Prepared:
        histories, about_histories = self.material.histories(seen_by)
        thin = refusal(histories, settings)  # before a mask is suggested from captures that are not there
        if thin is not None:
            return Prepared(refusal=thin, findings=about_histories)
        mask, about_mask = self.material.mask(histories, clipped_to)
        sides = (clipped_to,) if clipped_to else self.material.parties
        scope = self._scope("spatial-capture-recapture")
        return Prepared(scr.ScrInputs(histories, (mask,), sides, scope), (*about_histories, *about_mask))

    def _encounters(self) -> Prepared:
        return self._declining(self._encounter_inputs)

    def _encounter_inputs(self) -> Prepared:
        material = self.material
        inputs = minimum.MinimumInputs(
            material.encounters(self.everyone),
            material.partition(self.everyone),
            material.parties,
            self._scope("list"),
            material.flanks(self.everyone),
        )
        return Prepared(inputs, material.about_window)

    def _rate_inputs(self, settings: rates.RatesSettings) -> Prepared:
        material = self.material
        surveys = material.surveys_of(self.everyone, all_taxa=settings.all_taxa)
        taxa = {material.species.taxon: material.taxa}
        # Rates of two parties are never compared, so each keeps its own time: no common window is needed.
        window = material.asked_window if material.asked_window.labels else None
        return Prepared(rates.RatesInputs(surveys, window, self._scope("detection-rate"), taxa))

    def _nobody(self) -> Prepared:
        return Prepared(refusal=_no_deliveries(self.question))

    def _declining(self, prepare: Any) -> Prepared:
        """`prepare`, with a refusal where the data cannot bear the question."""
        try:
            prepared: Prepared = prepare()
        except NotEnoughData as thin:
            return Prepared(refusal=thin.refusal)
        return prepared

    # -- steps -----------------------------------------------------------------------------------------------

    def _scope(self, method: str) -> Scope:
        question = self.question
        period = f"{question.start}/{question.end}" if question.start else "/".join(question.sessions)
        return Scope(
            self.material.species.taxon, "+".join(question.life_stages), "", question.component, period, method
        )

    def _task(self, name: str, engine: str, settings: Any, seen_by: frozenset[str], prepare: Any, **more: Json) -> Task:
        material = self._step("assessment.material", 1, self._scope_value() | more, (self._identity(seen_by),))
        parameters = {"settings": _as_json(asdict(settings)), "seed": self.seed}
        step = self._write(Step(engine, ENGINES[engine].version, parameters, (material,)))
        return Task(f"{self.question.id}/{name}", step, engine, settings, self.seed, prepare)

    def _identity(self, seen_by: frozenset[str]) -> str:
        """The step that says who is who for those who see `seen_by`; only their decisions enter it."""
        decided = decisions_value(self.material.decisions(seen_by))
        parameters: dict[str, Json] = {
            "seen_by": sorted(seen_by),
            "taxa": sorted(self.material.taxa),
            "decisions": decided,
        }
        return self._step("assessment.identity", 1, parameters, self._taken())

    def _taken(self) -> tuple[str, ...]:
        """The steps that took in the deliveries of every party: the closure window is common to all."""
        return tuple(
            self._step("exchange.take", 1, {"party": d.party, "dataset": d.dataset} | _answers(d), (d.source.id,))
            for d in self.material.deliveries
        )

    def _scope_value(self) -> dict[str, Json]:
        """Everything of question and component that shapes the inputs, as a step's parameters."""
        material, question = self.material, self.question
        polygons: dict[str, Json] = {party: side.wkt for party, side in sorted(material.sides.polygons.items())}
        return {
            "component": material.component.id,
            "projection": material.component.projection,
            "occasion_timezone": material.component.occasion_timezone,
            "sides": polygons,
            "period": [str(day) for day in (question.start, question.end) if day] + list(question.sessions),
            "life_stages": list(question.life_stages),
            "count_unknown_stage": question.count_unknown_stage,
            "mask": _as_json(asdict(question.mask)) | material.mask_files(),
        }

    def _step(self, operation: str, version: int, parameters: Mapping[str, Json], inputs: tuple[str, ...]) -> str:
        return self._write(Step(operation, version, parameters, inputs)).id

    def _write(self, step: Step) -> Step:
        self.ledger = self.ledger.with_step(step)
        return step


def _no_deliveries(question: Question) -> Refusal:
    return Refusal(question.id, {"deliveries": 0}, {"deliveries": 1})


def _answers(delivered: Delivered) -> dict[str, Json]:
    """What people declared about a delivery, so that a number's way back tells it; {} where it cannot be read."""
    try:
        declared = tomllib.loads((delivered.path / DELIVERY_FILE).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}  # the door tells what is wrong
    return {"declared": json.loads(json.dumps(declared, default=str))}


def _as_json(value: Any) -> Any:
    """Settings as JSON values: tuples become lists."""
    if isinstance(value, dict):
        return {key: _as_json(part) for key, part in value.items()}
    return [_as_json(part) for part in value] if isinstance(value, list | tuple) else value
