"""What an owner is shown before anything leaves is what leaves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.sharing_cases import OWNER

from sharedrange.assessment import sharing
from sharedrange.core.errors import InputError

if TYPE_CHECKING:
    from tests.assessment.sharing.conftest import Three


def test_tables_are_shown_byte_for_byte_as_they_arrive(sent: tuple[Three, Path], tmp_path: Path) -> None:
    three, file = sent
    leaving = sharing.what_would_leave(three.node(OWNER), three.asked())
    sharing.write_tables(leaving.released, tmp_path / "look")
    received = three.open(file).folder
    assert received is not None
    shown = {path.name: path.read_bytes() for path in (tmp_path / "look").glob("*.csv")}
    assert shown
    assert shown == {path.name: path.read_bytes() for path in received.glob("*.csv")}


def test_nothing_is_written_over(three: Three, tmp_path: Path) -> None:
    leaving = sharing.what_would_leave(three.node(OWNER), three.asked())
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        sharing.write_tables(leaving.released, tmp_path)
    assert [finding.rule for finding in refused.value.findings] == ["folder-exists"]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["mine.txt"]
