"""The program `sharedrange`: choose the language, read the line that was typed, run it, say kindly what went wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from sharedrange import __version__
from sharedrange.cli import commands, publishing, sharing
from sharedrange.cli.face import Face, open_face
from sharedrange.cli.failures import show_failure, show_misuse
from sharedrange.cli.help import TranslatedCommand, TranslatedGroup
from sharedrange.core.errors import Cancelled, SharedRangeError
from sharedrange.core.words import DEFAULT, languages, load

PROGRAM = "sharedrange"
LANGUAGE_OPTION, LANGUAGE_VARIABLE = "--language", "SHAREDRANGE_LANGUAGE"
WRONG, MISUSED = 1, 2  # exit codes: of the data, of the line
STOPPED, UNHEARD = 130, 141  # of Ctrl-C, of a reader that went away (128 + SIGINT, 128 + SIGPIPE, as shells do)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one line of the terminal and return its exit code: 0, 1 data wrong, 2 line wrong, 130 stopped."""
    language, rest = choose_language(sys.argv[1:] if arguments is None else arguments)
    try:
        words = load(language)
    except KeyError:
        to_stderr(open_face(load(DEFAULT))).say("cli.unknown-language", given=language, known=", ".join(languages()))
        return MISUSED
    return attempt(open_face(words), rest or ["--help"])


def attempt(face: Face, arguments: list[str]) -> int:
    """Run the command of `arguments`; every error of ours becomes sentences and an exit code."""
    aside = to_stderr(face)
    program = typer.main.get_command(build())
    try:
        with program.make_context(PROGRAM, arguments, obj=face) as context:
            return _said(face, program.invoke(context))
    except typer.Exit as leave:
        return leave.exit_code
    except (KeyboardInterrupt, EOFError, Cancelled, typer.Abort):
        aside.say("cli.stopped")
        return STOPPED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that nothing complains on leaving
        return UNHEARD
    except SharedRangeError as error:
        show_failure(aside, error)
        return WRONG
    except typer.TyperException as error:
        show_misuse(aside, error)
        return MISUSED
    except Exception:
        aside.say("cli.defect")
        raise


def _said(face: Face, code: int | None) -> int:
    """The exit code, once all that was printed is out: where nobody listens any more, that fails here."""
    face.out.file.flush()
    return int(code or 0)


def to_stderr(face: Face) -> Face:
    """The face as it speaks when something went wrong."""
    return replace(face, out=face.err)


def choose_language(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The language asked for, and the arguments without that wish: it may stand anywhere in the line.

    Examples
    --------
    >>> choose_language(["check", "--language", "en", "my-node"])
    ('en', ['check', 'my-node'])
    """
    language = os.environ.get(LANGUAGE_VARIABLE, "") or DEFAULT
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == LANGUAGE_OPTION:
            language = next(waiting, "")
        elif argument.startswith(f"{LANGUAGE_OPTION}="):
            language = argument.partition("=")[2]
        else:
            rest.append(argument)
    return language, rest


def build() -> typer.Typer:
    """The program with its commands. Its texts are in the catalogue, found by the names of commands and options."""
    app = typer.Typer(cls=TranslatedGroup, add_completion=False)
    app.callback()(_options)
    for command in (*commands.ALL, *sharing.ALL, *publishing.ALL):
        app.command(command.__name__, cls=TranslatedCommand)(command)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        print(PROGRAM, __version__)  # noqa: T201  (the one line that no language changes)
        raise typer.Exit


def _options(
    language: Annotated[str, typer.Option(LANGUAGE_OPTION, metavar="CODE")] = "",
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True)] = False,
) -> None:
    """Options of the program itself: choose_language and _show_version use them before any command runs."""


if __name__ == "__main__":
    sys.exit(run())
