"""What went wrong, in the reader's language: wrong data, too little data, a line that was mistyped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from sharedrange.cli.findings import show_findings
from sharedrange.cli.help import Misused, nearest, option_help, option_name, usage
from sharedrange.core.errors import DidNotConverge, NotEnoughData

if TYPE_CHECKING:
    from sharedrange.cli.face import Face
    from sharedrange.core.errors import SharedRangeError


def show_failure(face: Face, error: SharedRangeError) -> None:
    """All that an error of ours carries."""
    if isinstance(error, NotEnoughData):
        from sharedrange.cli.refusals import show_refusal  # noqa: PLC0415  (kept out of start-up)

        show_refusal(face, error.refusal)
    elif isinstance(error, DidNotConverge):
        show_findings(face, [error.finding])
    else:
        show_findings(face, getattr(error, "findings", ()))


def show_misuse(face: Face, error: typer.TyperException) -> None:
    """What is wrong with the line that was typed, how it is typed, and where the help is."""
    ctx = getattr(error, "ctx", None)
    face.show(_problem(face, error, ctx))
    if ctx is not None:
        face.out.print(usage(ctx.command, ctx))
        face.say("cli.misuse.help", line=f"{ctx.command_path} --help")


def _problem(face: Face, error: Any, ctx: Any) -> str:
    """The sentence about a mistyped line; the library's own classes are told apart by what they carry."""
    if isinstance(error, Misused):
        return face.words(error.message, **error.facts)
    parameter = getattr(error, "param", None)
    if type(error).__name__ == "MissingParameter" and parameter is not None:
        meaning = option_help(face.words, ctx.command, parameter)
        return face.words("cli.misuse.missing", parameter=option_name(parameter), meaning=meaning)
    if parameter is not None:
        meaning = option_help(face.words, ctx.command, parameter)
        return face.words("cli.misuse.value", parameter=option_name(parameter), meaning=meaning)
    if hasattr(error, "possibilities"):
        options = [name for option in ctx.command.get_params(ctx) for name in option.opts if name.startswith("-")]
        return face.words("cli.misuse.option", given=error.option_name, near=nearest(error.option_name, options))
    if hasattr(error, "option_name"):
        return face.words("cli.misuse.incomplete", option=error.option_name)
    return face.words("cli.misuse.other")
