"""The contract that every engine keeps.

An engine answers one question from typed inputs and settings. It changes none of its arguments, opens no
file, reads no clock and no global. `tests/test_every_engine.py` holds every engine to this.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping, MutableMapping
from concurrent.futures import Executor
from dataclasses import MISSING, dataclass, fields
from typing import Any, Protocol

import numpy as np

from sharedrange.core.answer import Answer
from sharedrange.core.errors import ProgrammeError
from sharedrange.core.finding import Finding, Where
from sharedrange.core.progress import Progress

S = typing.TypeVar("S")


class AnswerFunction(Protocol):
    """(inputs, settings) -> Answer.

    `progress` rises to 1 and may raise Cancelled; `executor` spreads independent work (None: do it here);
    `checkpoint` is a mapping that survives a stop, so that long work resumes. Raises only SharedRangeError.
    """

    def __call__(
        self,
        inputs: Any,
        settings: Any,
        *,
        rng: np.random.Generator,
        progress: Progress,
        executor: Executor | None,
        checkpoint: MutableMapping[str, Any],
    ) -> Answer:
        """Answer the question of `inputs` as `settings` ask."""
        ...


@dataclass(frozen=True, slots=True)
class Engine:
    """A question, the settings that shape it and the function that answers it.

    `name` is its address in programme.toml (``population.scr``); `version` goes into step ids and changes
    whenever the numbers may change; `Settings` is the dataclass that is the schema of the question.
    """

    name: str
    version: int
    Settings: type
    Inputs: type
    function: AnswerFunction

    def answer(
        self,
        inputs: Any,
        settings: Any,
        *,
        rng: np.random.Generator,
        progress: Progress,
        executor: Executor | None = None,
        checkpoint: MutableMapping[str, Any] | None = None,
    ) -> Answer:
        """Answer the question; see AnswerFunction."""
        return self.function(
            inputs,
            settings,
            rng=rng,
            progress=progress,
            executor=executor,
            checkpoint={} if checkpoint is None else checkpoint,
        )


def read_settings(schema: type[S], given: Mapping[str, Any], where: Where = Where()) -> S:
    """`given` as the settings dataclass `schema`.

    Raises ProgrammeError with every unknown key (naming the nearest), missing key and wrong type at once.
    """
    hints = typing.get_type_hints(schema)
    known = {f.name: f for f in fields(schema)}  # type: ignore[arg-type]  # S is a dataclass by contract
    found: list[Finding] = []
    values: dict[str, Any] = {}
    for key, value in given.items():
        at = Where(where.file, where.table, where.row, key)
        if key not in known:
            found.append(unknown_key(key, known, at))
        elif not _fits(value, hints[key]):
            found.append(
                Finding("setting-type", {"key": key, "given": repr(value), "expected": describe(hints[key])}, at)
            )
        else:
            values[key] = tuple(value) if isinstance(value, list) else value
    for name, spec in known.items():
        if name not in given and spec.default is MISSING and spec.default_factory is MISSING:
            found.append(Finding("missing-key", {"key": name}, where))
    if found:
        raise ProgrammeError(found)
    try:
        return schema(**values)
    except ValueError as error:
        raise ProgrammeError([Finding("setting-value", {"problem": str(error)}, where)]) from error


def unknown_key(key: str, known: typing.Iterable[str], where: Where) -> Finding:
    """The finding for a key that nobody reads, with the nearest that somebody does."""
    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.0)
    return Finding("unknown-key", {"key": key, "nearest": near[0] if near else "", "known": ", ".join(names)}, where)


def describe(hint: Any) -> str:
    """A type in the words of a settings file: ``text``, ``number``, ``list of text``, ``one of a, b``."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return "one of " + ", ".join(str(a) for a in args)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe(a) for a in args if a is not type(None))
    if origin is tuple:
        return f"list of {describe(args[0])}"
    if origin in (dict, Mapping) or hint is dict:
        return "table"
    return {str: "text", float: "number", int: "whole number", bool: "true or false"}.get(hint, str(hint))


def _fits(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return value in args
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, a) for a in args)
    if origin is tuple:
        return isinstance(value, list | tuple) and all(_fits(v, args[0]) for v in value)
    if origin is not None:
        return isinstance(value, dict) and all(_fits(v, args[1]) for v in value.values())
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is types.NoneType:
        return value is None
    return isinstance(value, hint)
