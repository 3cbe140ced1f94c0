"""From questions to tasks: which engine is asked what, from which steps.

Every task's step is known before anything is read: it hashes the deliveries, the decisions that matter to it,
the question and the settings. That is why a second run is instant, and why changing one decision recomputes
only what depends on it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sharedrange.assessment.barriers import barrier_values
from sharedrange.assessment.engines import ENGINES
from sharedrange.assessment.inputs import ALONE, LISTS, PREPARING, RATES, View, prepare, unread
from sharedrange.assessment.joint import CLIPPED, CROSSING, alone_name
from sharedrange.assessment.material import Material
from sharedrange.assessment.node import Delivered, OpenNode
from sharedrange.assessment.programme import Question
from sharedrange.assessment.running import Prepared, Task
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.answer import Refusal
from sharedrange.core.canonical import Json
from sharedrange.core.engine import read_settings, unknown_key
from sharedrange.core.errors import ProgrammeError
from sharedrange.core.finding import Finding, Where
from sharedrange.core.ledger import Ledger, Source, Step
from sharedrange.exchange.delivery import FILE_NAME as DELIVERY_FILE
from sharedrange.population import doubt, minimum, rates, scr
from sharedrange.population import open as open_years
from sharedrange.records import decisions_value

ANSWER = "answer"


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
        wrong += unread(question)
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
        self._unhidden: dict[str, str] = {}
        """Id of a step that a hidden source went into -> the id that it would have if nothing were hidden."""

    def tasks(self) -> dict[str, Task]:
        """The tasks by answer name: the question's own, and what its engine wants answered beside it."""
        if not self.everyone:
            return {ANSWER: self._task(ANSWER, self.question.engine, self.settings, View(self.everyone), self._nobody)}
        tasks = {ANSWER: self._asked(ANSWER, self.question.engine, self.settings, View(self.everyone))}
        for companion in PREPARING[self.question.engine].beside:
            tasks |= self._companions[companion]()
        return tasks

    @property
    def _companions(self) -> Mapping[str, Callable[[], dict[str, Task]]]:
        return {LISTS: self._lists, RATES: self._rates, ALONE: self._each_alone}

    def _lists(self) -> dict[str, Task]:
        settings = minimum.MinimumSettings(self.question.life_stages, self.question.count_unknown_stage)
        return {LISTS: self._asked(LISTS, minimum.ENGINE.name, settings, View(self.everyone))}

    def _rates(self) -> dict[str, Task]:
        """What can be said where the question is declined; a rate over several periods would mix them."""
        if self.question.periods:
            return {}
        return {RATES: self._asked(RATES, rates.ENGINE.name, rates.RatesSettings(), View(self.everyone))}

    def _each_alone(self) -> dict[str, Task]:
        """What each party would fit by itself: its own cameras only, on either of the two masks."""
        if len(self.everyone) < 2:
            return {}
        engine, settings = self._fit_alone
        views = [
            (alone_name(party, mask), View(frozenset({party}), party if mask == CLIPPED else ""))
            for party in self.material.parties
            for mask in (CLIPPED, CROSSING)
        ]
        return {name: self._asked(name, engine, settings, view) for name, view in views}

    @property
    def _fit_alone(self) -> tuple[str, Any]:
        """Engine and settings of a party alone: one density, as it knows nothing of the other side's."""
        if isinstance(self.settings, open_years.OpenSettings):
            return open_years.ENGINE.name, replace(self.settings, density="~ 1")
        spatial = self.settings.spatial() if isinstance(self.settings, doubt.DoubtSettings) else self.settings
        return scr.ENGINE.name, replace(spatial, density="pooled", pool_alpha=0.0)

    def _nobody(self) -> Prepared:
        return Prepared(refusal=Refusal(self.question.id, {"deliveries": 0}, {"deliveries": 1}))

    def _asked(self, name: str, engine: str, settings: Any, view: View) -> Task:
        return self._task(name, engine, settings, view, lambda: prepare(engine, self.material, settings, view))

    # -- steps -----------------------------------------------------------------------------------------------

    def _task(self, name: str, engine: str, settings: Any, view: View, inputs: Callable[[], Prepared]) -> Task:
        more: dict[str, Json] = {"clipped_to": view.clipped_to} if view.clipped_to else {}
        material = self._step("assessment.material", 1, self._scope_value() | more, (self._identity(view.seen_by),))
        parameters = {"settings": _as_json(asdict(settings)), "seed": self.seed}
        step = self._write(Step(engine, ENGINES[engine].version, parameters, (material,)))
        chance = self._unhidden.get(step.id, step.id)
        return Task(f"{self.question.id}/{name}", step, engine, settings, self.seed, inputs, chance)

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
        return tuple(self._take(delivered) for delivered in self.material.deliveries)

    def _take(self, delivered: Delivered) -> str:
        """The step that took in a delivery. Of a hidden one it tells no answers: its format and files stand there."""
        if not delivered.is_hidden:
            return self._write(_taking(delivered.source, _answers(delivered))).id
        true = replace(delivered.source, dataset=delivered.path.name)
        step = self._write(_taking(delivered.source, {}))
        self._unhidden[step.id] = _taking(true, _answers(delivered)).id
        return step.id

    def _scope_value(self) -> dict[str, Json]:
        """Everything of question and component that shapes the inputs, as a step's parameters."""
        material, question, reads = self.material, self.question, PREPARING[self.question.engine].reads
        polygons: dict[str, Json] = {party: side.wkt for party, side in sorted(material.sides.polygons.items())}
        return {
            "component": material.component.id,
            "projection": material.component.projection,
            "occasion_timezone": material.component.occasion_timezone,
            "sides": polygons,
            "period": [str(day) for day in (question.start, question.end) if day]
            + [*question.sessions, *question.periods],
            "life_stages": list(question.life_stages),
            "count_unknown_stage": question.count_unknown_stage,
            "mask": _as_json(asdict(question.mask)) | material.mask_files(),
            **{key: _as_json(asdict(getattr(question, key))) for key in ("visits", "counts") if key in reads},
            **(barrier_values(question, material.node.folder) if "barriers" in reads else {}),
        }

    def _step(self, operation: str, version: int, parameters: Mapping[str, Json], inputs: tuple[str, ...]) -> str:
        return self._write(Step(operation, version, parameters, inputs)).id

    def _write(self, step: Step) -> Step:
        self.ledger = self.ledger.with_step(step)
        if not self._unhidden.keys().isdisjoint(step.inputs):
            true = replace(step, inputs=tuple(self._unhidden.get(key, key) for key in step.inputs))
            self._unhidden[step.id] = true.id
        return step


def _taking(source: Source, answers: Mapping[str, Json]) -> Step:
    parameters: dict[str, Json] = {"party": source.party, "dataset": source.dataset}
    return Step("exchange.take", 1, parameters | dict(answers), (source.id,))


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
