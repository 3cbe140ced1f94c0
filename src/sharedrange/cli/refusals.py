"""A refusal on the terminal: why, what there is, what would be enough, what the data can say instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from sharedrange.assessment.report.numbers import fact
from sharedrange.cli.face import grid

if TYPE_CHECKING:
    from sharedrange.cli.face import Face
    from sharedrange.core.answer import Refusal


def show_refusal(face: Face, refusal: Refusal, *, indent: int = 0, instead: Sequence[str] = ()) -> None:
    """Why a question is declined, what there is and what is needed, and what the data can say instead.

    `instead`: what they do say, in sentences; where there are none, the engines that could answer are named.
    """
    words = face.words
    if refusal.is_without_data:
        face.say("report.refusal.without-data", style="yellow", indent=indent)
        return
    face.say("report.refusal.why", style="yellow", indent=indent)
    table = grid("left", "left")
    for key, needed in refusal.need.items():
        facts = {"have": fact(refusal.have.get(key), words), "need": fact(needed, words)}
        table.add_row(Text(_named(face, "report.gap", key)), Text(words("cli.refusal.gap", **facts)))
    face.print_indented(table, indent + 2)
    for finding in refusal.findings:
        face.show(f"{words.fact(finding)}: {words.remedy(finding)}", indent=indent + 2)
    if instead:
        face.say("report.instead", indent=indent, style="bold")
        for sentence in instead:
            face.show(f"- {sentence}", indent=indent + 2)
    elif refusal.instead:
        face.say("report.refusal.instead", indent=indent)
        for engine in refusal.instead:
            face.show(f"- {_named(face, 'report.instead', engine)} ({engine})", indent=indent + 2)


def _named(face: Face, family: str, code: str) -> str:
    message = f"{family}.{code}"
    return face.words(message) if message in face.words else code
