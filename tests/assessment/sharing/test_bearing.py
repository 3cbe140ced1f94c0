"""Cells larger than the animals of a study move are told when agreements are listed, with where that is known from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests import sharing_cases as kit

from sharedrange.assessment.sharing.bearing import about_cells, moves_of
from sharedrange.sharing.agreement import Agreement


@dataclass(frozen=True)
class Node:
    """Of a node what is read here: where its answers lie, and the names of its species."""

    work: Path
    programme: Any


@pytest.fixture
def node(tmp_path: Path) -> Any:
    return Node(tmp_path, SimpleNamespace(species=[SimpleNamespace(taxon=kit.LEOPARD, aliases=("Panthera pardus",))]))


def fitted(node: Node, name: str, taxon: str, sigmas: dict[str, float]) -> None:
    """An answer that the node keeps."""
    estimates = [
        {"quantity": quantity, "value": value, "unit": "m", "scope": {"taxon": taxon}}
        for quantity, value in sigmas.items()
    ]
    place = node.work / "answers" / name
    place.mkdir(parents=True)
    (place / "answer.json").write_text(json.dumps({"estimates": estimates}), encoding="utf-8")


def agreed(*taxa: str, cell: float = 0.1, individual: bool = True) -> Agreement:
    text = kit.HEAD + kit.cats(*taxa, cell=cell)
    return kit.agreement(text if individual else text.replace('"individual", ', ""))


def told(agreement: Agreement, node: Any) -> list[tuple[str, object, object]]:
    return [(f.rule, f.facts["taxon"], f.facts["sigma_km"]) for f in about_cells(agreement, node)]


def test_nothing_is_said_of_animals_of_which_nobody_knows_how_far_they_move(node: Any) -> None:
    assert told(agreed(kit.LEOPARD, cell=1.0), node) == []


def test_the_smallest_sigma_that_was_fitted_here_is_compared(node: Any) -> None:
    fitted(node, "a", kit.LEOPARD, {"sigma.male": 4800.0, "sigma.female": 3400.0, "sigma_move": 10.0, "N": 20.0})
    fitted(node, "b", kit.LEOPARD, {"sigma": 3900.0})
    fitted(node, "c", kit.TIGER, {"sigma": 100.0})
    assert told(agreed(kit.LEOPARD), node) == [("agreement-cell-coarse", kit.LEOPARD, 3.4)]
    assert told(agreed(kit.LEOPARD, cell=0.05), node) == []


def test_an_alias_is_the_species_that_was_fitted(node: Any) -> None:
    fitted(node, "a", kit.LEOPARD, {"sigma": 3400.0})
    assert told(agreed("Panthera pardus"), node) == [("agreement-cell-coarse", "Panthera pardus", 3.4)]


def test_what_was_published_is_told_with_its_source_where_nothing_was_fitted(node: Any) -> None:
    (finding,) = about_cells(agreed(kit.TIGER, cell=0.2), node)
    assert finding.rule == "agreement-cell-coarse-published"
    assert "2015" in str(finding.facts["source"])
    fitted(node, "a", kit.TIGER, {"sigma": 20_000.0})
    assert told(agreed(kit.TIGER, cell=0.2), node) == []


def test_animals_that_leave_without_names_bear_any_cell(node: Any) -> None:
    assert told(agreed(kit.TIGER, cell=1.0, individual=False), node) == []


def test_damaged_answers_say_nothing(node: Any) -> None:
    fitted(node, "a", kit.LEOPARD, {"sigma": 3400.0})
    for text in ("", "[]", '{"estimates": [{}]}', '{"estimates": [{"quantity": null}]}', "\x00"):
        (node.work / "answers" / "a" / "answer.json").write_text(text, encoding="utf-8")
        assert moves_of(node, [kit.LEOPARD]) == {}
