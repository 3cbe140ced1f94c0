"""How far long work is: a bar that moves on a terminal, a line a stage in a pipe, nothing when quiet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from sharedrange.cli.face import Face

Tell = Callable[[str, float], None]


@contextmanager
def progress(face: Face, *, quiet: bool, bar: bool = True) -> Iterator[Tell]:
    """A function (what is being done, share done) that shows how far the work is, on standard error.

    Without a `bar` there is a line a stage, as in a pipe: where something may be asked meanwhile.
    """
    if quiet:
        yield lambda _what, _share: None
    elif bar and face.err.is_terminal:
        with _bar(face) as tell:
            yield tell
    else:
        yield _lines(face)


@contextmanager
def _bar(face: Face) -> Iterator[Tell]:
    columns = (
        SpinnerColumn(),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=face.err, transient=True) as bar:
        task = bar.add_task(face.words("stage.start"), total=1.0)

        def tell(what: str, share: float) -> None:
            done = max(share, bar.tasks[0].completed)  # the report's share starts from 0 again; a bar does not
            bar.update(task, completed=done, description=stage_text(face, what))

        yield tell


def _lines(face: Face) -> Tell:
    last, done = "", 0.0

    def tell(what: str, share: float) -> None:
        nonlocal last, done
        done = max(done, share)
        if what != last:
            face.err.print(f"{round(100 * done):3d} % {stage_text(face, what)}")
            last = what

    return tell


def stage_text(face: Face, what: str) -> str:
    """What is being done, in words: a stage (``report``), or a question's answer (``tigers/alone.north.clipped``)."""
    question, _, answer = what.rpartition("/")
    kind, *rest = answer.split(".")
    message = f"stage.{kind}"
    told = face.words(message, party=rest[0] if rest else "") if message in face.words else answer
    return f"{question}: {told}" if question else told
