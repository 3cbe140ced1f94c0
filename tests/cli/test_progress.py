"""How far long work is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sharedrange.cli.progress import progress, stage_text


def test_in_a_pipe_every_stage_is_one_line(face: Any, text_of: Callable[..., str]) -> None:
    with progress(face, quiet=False) as tell:
        for share in (0.0, 0.1, 0.2):
            tell("tigers/answer", share)
        tell("report", 1.0)
    assert text_of(face.err).splitlines() == ["  0 % tigers: everybody together", f"100 % {face.words('stage.report')}"]
    assert not text_of(face.out)


def test_quiet_work_prints_nothing(face: Any, text_of: Callable[..., str]) -> None:
    with progress(face, quiet=True) as tell:
        tell("report", 0.5)
    assert text_of(face.err) + text_of(face.out) == ""


def test_on_a_terminal_a_bar_moves_and_leaves_nothing_behind(
    open_window: Callable[..., Any], text_of: Callable[..., str]
) -> None:
    face = open_window(colour=True)
    with progress(face, quiet=False) as tell:
        tell("tigers/answer", 0.5)
    text = text_of(face.err)
    assert text.endswith("\x1b[2K")  # the bar's line is erased
    assert "\x1b[?25h" in text  # the cursor is shown again


def test_a_party_alone_is_named(face: Any) -> None:
    assert stage_text(face, "tigers/alone.north.clipped") == "tigers: north alone"


def test_what_has_no_words_keeps_its_name(face: Any) -> None:
    assert stage_text(face, "tigers/surface") == "tigers: surface"
