"""The way back of a number, as an indented tree: the number, the steps with their settings, the files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from sharedrange.assessment.programme import read_programme
from sharedrange.assessment.report.naming import Naming
from sharedrange.assessment.report.numbers import readable
from sharedrange.cli.estimates import Line, scope_text
from sharedrange.core.ledger import Step

if TYPE_CHECKING:
    from sharedrange.assessment.tracing import Trace
    from sharedrange.cli.face import Face
    from sharedrange.core.canonical import Json
    from sharedrange.core.ledger import Source
    from sharedrange.core.words import Words

INDENT = 2
LONGEST_VALUE = 200  # letters of a setting; polygons and lists of decisions run to thousands


def show_trace(face: Face, trace: Trace, folder: Path) -> None:
    """The number, then every step and source behind it, each once."""
    naming = Naming(read_programme(folder), face.words)
    face.show(f"{naming.quantity(trace.estimate)}: {Line.of(naming, *readable([trace.estimate]))}", style="bold")
    face.show(scope_text(face.words, trace.estimate))
    face.gap()
    for depth, identity, thing in trace.lines:
        if isinstance(thing, Step):
            _show_step(face, depth, identity, thing)
        else:
            _show_source(face, depth, identity, thing)


def _show_step(face: Face, depth: int, identity: str, step: Step) -> None:
    words, indent = face.words, depth * INDENT
    name = _or_code(words, f"report.operation.{step.operation}", step.operation)
    code = words("cli.trace.step", operation=step.operation, version=step.version, id=identity)
    face.print_indented(Text.assemble((name, "bold"), "  ", (code, "dim")), indent)
    for key, value in _flat(step.parameters):
        face.show(f"{key} = {_short(value)}", indent=indent + 2 * INDENT)


def _show_source(face: Face, depth: int, identity: str, source: Source) -> None:
    message = "cli.trace.released" if source.released_under else "cli.trace.file"
    message = "cli.trace.hidden" if source.is_hidden else message
    facts = {"path": source.path, "party": source.party, "agreement": source.released_under}
    face.print_indented(Text.assemble(face.words(message, **facts), "  ", (identity, "dim")), depth * INDENT)
    face.show(f"sha256 {source.sha256}", indent=depth * INDENT + 2 * INDENT, style="dim")


def _flat(parameters: Mapping[str, Json], above: str = "") -> Iterator[tuple[str, Json]]:
    """Settings with dotted names; those that were left empty are not shown."""
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        elif value not in (None, "", [], ()):
            yield f"{above}{key}", value


def _short(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]} …"


def _or_code(words: Words, message: str, code: str) -> str:
    return words(message) if message in words else code
