"""The way back: every step that a number of the report needed, from the answers down to the delivered bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sharedrange.assessment.results import Assessment
from sharedrange.core.canonical import Json, canonical
from sharedrange.core.ledger import Source, Step

LONGEST_PRINTED = 120  # characters of a parameter; the ledger file holds it whole


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a step as text, and whether it was cut."""

    key: str
    value: str
    is_cut: bool


@dataclass(frozen=True, slots=True)
class StepShown:
    """A step as printed: what went in (step or source ids), with what, and the numbers that came out."""

    id: str
    step: Step
    parameters: tuple[Parameter, ...]
    quantities: tuple[str, ...]


def steps_shown(assessment: Assessment) -> tuple[StepShown, ...]:
    """All steps of the ledger, each question's from its answer back to the deliveries; each once."""
    order: dict[str, Step] = {}
    for result in assessment.results:
        for _, key, thing in assessment.ledger.back(result.step):
            if isinstance(thing, Step):
                order.setdefault(key, thing)
    order |= {key: step for key, step in sorted(assessment.ledger.steps.items()) if key not in order}
    numbers = _numbers_by_step(assessment)
    return tuple(
        StepShown(key, step, _parameters(step.parameters), tuple(numbers.get(key, ()))) for key, step in order.items()
    )


def sources_shown(assessment: Assessment) -> tuple[tuple[str, Source], ...]:
    """Sources by party and dataset."""
    found = assessment.ledger.sources.items()
    return tuple(sorted(found, key=lambda pair: (pair[1].party, pair[1].dataset, pair[0])))


def _numbers_by_step(assessment: Assessment) -> Mapping[str, Counter[str]]:
    numbers: dict[str, Counter[str]] = {}
    for result in assessment.results:
        for answer in result.answers.values():
            for estimate in answer.estimates:
                numbers.setdefault(estimate.step or result.step, Counter())[estimate.quantity] += 1
    return numbers


def _parameters(parameters: Mapping[str, Json], prefix: str = "") -> tuple[Parameter, ...]:
    """Parameters flattened by dots; empty ones left out."""
    flat: list[Parameter] = []
    for key, value in sorted(parameters.items()):
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat += _parameters(value, f"{name}.")
        elif value not in ("", None, [], ()):
            told = value if isinstance(value, str) else canonical(value).decode()
            flat.append(Parameter(name, told[:LONGEST_PRINTED], len(told) > LONGEST_PRINTED))
    return tuple(flat)
