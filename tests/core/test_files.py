"""Files are whole or absent."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from sharedrange.core.files import folder_hash, folder_in_place, write_atomically


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
