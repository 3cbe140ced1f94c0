"""Files are whole or absent."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import pytest

from sharedrange.core.files import clear_unfinished, folder_hash, folder_in_place, write_atomically


def test_a_failed_folder_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "assessment"
    with folder_in_place(target) as place:
        (place / "report.html").write_text("old")
    with pytest.raises(FileNotFoundError), folder_in_place(target) as place:
        (place / "report.html").rename(place / "nowhere" / "report.html")
    assert (target / "report.html").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["assessment"]


def test_a_new_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "assessment"
    for name in ("first", "second"):
        with folder_in_place(target) as place:
            (place / name).write_text(name)
    assert [p.name for p in target.iterdir()] == ["second"]
    assert [p.name for p in tmp_path.iterdir()] == ["assessment"]


def test_a_failed_write_leaves_the_old_bytes(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_atomically(file, b"old")
    with pytest.raises(TypeError):
        write_atomically(file, "not bytes")  # type: ignore[arg-type]  # the failure is the point
    assert file.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_folders_hash_sees_names_and_bytes_but_not_the_form_of_an_accent(tmp_path: Path) -> None:
    composed, decomposed = unicodedata.normalize("NFC", "été.csv"), unicodedata.normalize("NFD", "été.csv")
    for folder, name, content in (("a", composed, "1"), ("b", decomposed, "1"), ("c", composed, "2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(content)
    assert folder_hash(tmp_path / "a") == folder_hash(tmp_path / "b") != folder_hash(tmp_path / "c")


def test_a_folder_that_cannot_be_put_in_place_gives_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "assessment"
    with folder_in_place(target) as place:
        (place / "report.html").write_text("old")

    rename = Path.rename

    def refuse_new(old: Path, new: Path) -> Path:
        if new == target and not old.name.endswith("-old"):
            raise OSError("disk full")
        return rename(old, new)

    monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(OSError, match="disk full"), folder_in_place(target) as place:
        (place / "report.html").write_text("new")
    assert (target / "report.html").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["assessment"]


def test_what_a_killed_writer_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    left = [tmp_path / ".writing-a1b2c3d4.csv", tmp_path / "deep" / ".writing-report-a1b2c3d4" / "page.html"]
    kept = [tmp_path / "a.csv", tmp_path / ".a1b2c3d4.csv", tmp_path / "deep" / "writing-x", tmp_path / ".git" / "x"]
    for file in (*left, *kept):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    clear_unfinished(tmp_path)
    assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == sorted(kept)
    assert not left[1].parent.exists()


def test_a_folder_that_made_room_for_one_that_never_came_goes_back(tmp_path: Path) -> None:
    """As a kill between the two renames of `folder_in_place` leaves it."""
    old, new = tmp_path / ".writing-my-report-a1b2c3d4-old", tmp_path / ".writing-my-report-a1b2c3d4"
    for place, text in ((old, "old"), (new, "new")):
        place.mkdir()
        (place / "page.html").write_text(text)
    clear_unfinished(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["my-report"]
    assert (tmp_path / "my-report" / "page.html").read_text() == "old"
    shutil.copytree(tmp_path / "my-report", old)
    clear_unfinished(tmp_path)  # where there is one, what made room for it goes
    assert [p.name for p in tmp_path.iterdir()] == ["my-report"]
