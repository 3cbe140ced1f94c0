"""The terminal as a face: its words, where it prints, and how it writes a path."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sharedrange.core.words import Words

PIPED_WIDTH = 110  # columns where nobody's window sets them: wide enough for a table, fits a printed page


@dataclass(frozen=True, slots=True)
class Face:
    """What a command speaks with: answers go to `out`, progress and errors to `err`."""

    words: Words
    out: Console
    err: Console

    def say(self, message: str, *, style: str = "", indent: int = 0, **facts: object) -> None:
        """Print the sentence of `message`."""
        self.show(self.words(message, **facts), style=style, indent=indent)

    def show(self, text: str, *, style: str = "", indent: int = 0) -> None:
        """Print a text as it is, wrapped behind `indent` columns."""
        self.print_indented(Text(text, style=style), indent)

    def print_indented(self, thing: RenderableType, indent: int) -> None:
        """Print a table or another thing of rich behind `indent` columns."""
        self.out.print(Padding(thing, (0, 0, 0, indent), expand=False))

    def gap(self) -> None:
        """Print an empty line."""
        self.out.print()


def hear_ctrl_c() -> None:
    """Let Ctrl-C end a wait for the keyboard; to be called before each: polars' handler lets the wait go on."""
    if hasattr(signal, "siginterrupt"):  # not on Windows, where nothing goes on by itself
        signal.siginterrupt(signal.SIGINT, True)  # noqa: FBT003  (its name in the standard library is flag)


def grid(*justify: Literal["left", "right"]) -> Table:
    """A table without lines or headings, one column a word of `justify`."""
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=True)  # rich measures a grid without edges one gap too narrow
    for side in justify:
        table.add_column(justify=side, overflow="fold")  # a name is never cut short
    return table


def open_face(words: Words) -> Face:
    """The face on this process's standard output and error."""
    return Face(words, _console(sys.stdout), _console(sys.stderr))


def _console(stream: TextIO) -> Console:
    """A console that writes plain text into pipes and never stops at a letter that the terminal cannot write."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    in_window = stream.isatty() or "COLUMNS" in os.environ
    return Console(file=stream, width=None if in_window else PIPED_WIDTH, markup=False, highlight=False, emoji=False)


def shown(path: Path | str) -> str:
    """A path as the user would type it: from the current folder where it lies inside it."""
    absolute = Path(path).absolute()
    here = Path.cwd()
    return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else str(absolute)
