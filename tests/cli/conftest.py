"""A terminal to type into: what was printed, and the exit code."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from rich.console import Console

from sharedrange.cli.face import Face
from sharedrange.cli.main import attempt
from sharedrange.core.words import load


@dataclass(frozen=True)
class Typed:
    """What a line gave."""

    code: int
    out: str
    err: str


def window(language: str = "en", width: int = 100, *, colour: bool = False, given: str = "") -> Face:
    """A face that prints into memory."""

    def console() -> Console:
        return Console(
            file=io.StringIO(), width=width, force_terminal=colour, markup=False, highlight=False, emoji=False
        )

    return Face(load(language), console(), console())


def printed(console: Console) -> str:
    """All that a console of `window` printed."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def face() -> Face:
    """An English face of 100 columns."""
    return window()


@pytest.fixture
def type_line(capsys: pytest.CaptureFixture[str]) -> Callable[..., Typed]:
    """Type a line: ``type_line("check", "my-node", language="en", width=100)``."""

    def type_(*arguments: str, language: str = "en", width: int = 100, colour: bool = False) -> Typed:
        face = window(language, width, colour=colour)
        code = attempt(face, list(arguments))
        help_page = capsys.readouterr().out  # the library prints it, whatever the face
        return Typed(code, help_page + printed(face.out), printed(face.err))

    return type_


@pytest.fixture
def open_window() -> Callable[..., Face]:
    """A face that prints into memory: ``open_window(language="en", width=100)``."""
    return window


@pytest.fixture
def text_of() -> Callable[[Console], str]:
    """All that a console printed."""
    return printed
