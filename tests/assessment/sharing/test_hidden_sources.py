"""Hiding a source of which something left already: the names beside the pseudonyms are needed, and that is said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.assessment.sharing.conftest import DATASET
from tests.sharing_cases import OWNER

from sharedrange.assessment.hiding import hide

if TYPE_CHECKING:
    from tests.assessment.sharing.conftest import Three


def test_who_hides_a_source_that_was_released_learns_where_its_name_stands(sent: tuple[Three, Path]) -> None:
    node = sent[0].node(OWNER)
    (table,) = (node / "pseudonyms").glob("*.json")
    before = table.read_bytes()
    (finding,) = hide(node, DATASET).findings
    assert finding.rule == "hide-told"
    assert finding.facts["file"] == f"pseudonyms/{table.name}"
    assert table.read_bytes() == before


def test_who_hides_a_source_of_which_nothing_left_is_told_nothing(three: Three) -> None:
    assert hide(three.node(OWNER), DATASET).findings == ()
