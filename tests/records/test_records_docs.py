"""The page about records runs, and names what there is."""

from __future__ import annotations

import doctest
import re
from dataclasses import fields
from pathlib import Path

import pytest

from sharedrange.records import KINDS, Record

PAGE = Path(__file__).parents[2] / "docs" / "records.md"


def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted > 15
    assert result.failed == 0


def rows(heading: str) -> list[list[str]]:
    """The rows of the table whose first column is called `heading`."""
    table = PAGE.read_text("utf-8").split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_page_lists_the_fields_of_a_record() -> None:
    assert [row[0].strip("`") for row in rows("field")] == [field.name for field in fields(Record)]


def test_the_page_lists_every_kind_with_its_fields() -> None:
    documented = {kind.strip("`"): set(re.findall(r"`(\w+)`", text)) for kind, text in rows("kind")}
    # Floors above add kinds of their own, and list them on their own pages.
    own = {name: cls for name, cls in KINDS.items() if cls.__module__.startswith("sharedrange.records")}
    known = {name: {field.name for field in fields(cls)} for name, cls in own.items()}  # type: ignore[arg-type]  # all are
    assert documented == known
