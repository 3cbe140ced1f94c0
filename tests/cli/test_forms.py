"""`sharedrange forms` writes the joint forms and says where."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from sharedrange.cli.face import Face
from sharedrange.cli.main import attempt
from sharedrange.core.words import Words
from sharedrange.exchange.forms import FORMS


@pytest.fixture
def face() -> Face:
    """A face that says the names of its messages."""
    out, err = Console(file=io.StringIO(), width=200), Console(file=io.StringIO(), width=200)
    return Face(Words("en", lambda message: message), out, err)


def said(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return [line.strip() for line in console.file.getvalue().splitlines()]


def test_the_forms_are_written_into_a_new_folder_and_named(face: Face, tmp_path: Path) -> None:
    assert attempt(face, ["forms", str(tmp_path / "new" / "forms")]) == 0
    files = [f"{form}.xlsx" for form in FORMS]
    assert sorted(path.name for path in (tmp_path / "new" / "forms").iterdir()) == sorted(files)
    assert said(face.out) == ["cli.forms.done", *files, "cli.forms.next"]


def test_writing_again_replaces_the_forms(face: Face, tmp_path: Path) -> None:
    (tmp_path / f"{FORMS[0]}.xlsx").write_bytes(b"old")
    assert attempt(face, ["forms", str(tmp_path)]) == 0
    assert (tmp_path / f"{FORMS[0]}.xlsx").read_bytes().startswith(b"PK")


def test_a_file_in_the_place_of_the_folder_is_a_finding(face: Face, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    assert attempt(face, ["forms", str(tmp_path / "taken")]) == 1
    assert "finding.not-a-folder.fact" in " ".join(said(face.err))
