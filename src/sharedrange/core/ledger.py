"""Every number has a way back: sources, steps, and the ledger that holds them.

A step's id is the hash of what it did: operation, method version, canonical parameters, inputs. It holds no
clock, so the same question over the same bytes has the same id on every node, whatever the day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sharedrange.core.canonical import Json, digest

HIDDEN = "hidden-"  # how the name begins under which a source goes that its node hides
_ID_LENGTH = 16  # 64 bits: a programme has thousands of steps, not billions


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes as delivered by a party, or a package as verified. `path` is relative to the node."""

    party: str
    dataset: str
    path: str
    sha256: str
    released_under: str = ""

    @property
    def id(self) -> str:
        """Where the bytes came from and what they are."""
        return digest(["source", self.party, self.dataset, self.sha256])[:_ID_LENGTH]

    @property
    def is_hidden(self) -> bool:
        """Whether the node hides what it is called."""
        return self.dataset.startswith(HIDDEN)


@dataclass(frozen=True, slots=True)
class Step:
    """One operation: what was done, with which parameters, to which inputs (ids of sources and steps)."""

    operation: str
    version: int
    parameters: Mapping[str, Json] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Hash of operation, version, canonical parameters and inputs."""
        return digest(["step", self.operation, self.version, self.parameters, list(self.inputs)])[:_ID_LENGTH]


@dataclass(frozen=True, slots=True)
class Ledger:
    """All sources and steps of an assessment. Derived and rebuildable."""

    sources: Mapping[str, Source] = field(default_factory=dict)
    steps: Mapping[str, Step] = field(default_factory=dict)

    def as_json(self) -> dict[str, Json]:
        """The ledger as JSON values, ids beside what they are the hash of."""
        return {
            "sources": {key: asdict(source) for key, source in sorted(self.sources.items())},
            "steps": {key: _step_as_json(step) for key, step in sorted(self.steps.items())},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Ledger:
        """The ledger that `as_json` wrote. Raises ValueError if an id is not the hash of its content."""
        sources = {key: Source(**given) for key, given in value["sources"].items()}
        steps = {
            key: Step(given["operation"], given["version"], given["parameters"], tuple(given["inputs"]))
            for key, given in value["steps"].items()
        }
        ids = [*((key, s.id) for key, s in sources.items()), *((key, s.id) for key, s in steps.items())]
        for key, true_id in ids:
            if true_id != key:
                raise ValueError(f"ledger entry {key} is not what its id says")
        return cls(sources, steps)

    def with_source(self, source: Source) -> Ledger:
        """The ledger with one source more."""
        return Ledger({**self.sources, source.id: source}, self.steps)

    def with_step(self, step: Step) -> Ledger:
        """The ledger with one step more. Raises KeyError if an input of the step is unknown."""
        for parent in step.inputs:
            if parent not in self.sources and parent not in self.steps:
                raise KeyError(parent)
        return Ledger(self.sources, {**self.steps, step.id: step})

    def behind(self, *step_ids: str) -> Ledger:
        """The ledger of nothing but these steps and what they came from. Raises KeyError if one is unknown."""
        kept = {key for step in step_ids for _, key, _ in self.back(step)}
        return Ledger(
            {key: source for key, source in self.sources.items() if key in kept},
            {key: step for key, step in self.steps.items() if key in kept},
        )

    def back(self, step_id: str) -> Iterator[tuple[int, str, Source | Step]]:
        """From a step to its sources, depth first: (depth, id, source or step), each id once.

        Raises KeyError if the id is unknown.
        """
        seen: set[str] = set()

        def walk(node: str, depth: int) -> Iterator[tuple[int, str, Source | Step]]:
            if node in seen:
                return
            seen.add(node)
            thing = self.steps.get(node) or self.sources[node]
            yield depth, node, thing
            if isinstance(thing, Step):
                for parent in thing.inputs:
                    yield from walk(parent, depth + 1)

        return walk(step_id, 0)


def _step_as_json(step: Step) -> Json:
    return {
        "operation": step.operation,
        "version": step.version,
        "parameters": dict(step.parameters),
        "inputs": list(step.inputs),
    }
