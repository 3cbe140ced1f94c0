"""Decisions asked for in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sharedrange.assessment.programme import Node, Party, Programme, Species
from sharedrange.cli.asking import ask_decisions
from sharedrange.core.individuals import LocalIndividual, Verdict

TIGER = Species("tiger", "Panthera tigris")
LEOPARD = Species("leopard", "Panthera pardus")
PARTIES = (Party("north", "North Park"), Party("south", "South Park"))


def programme(*species: Species) -> Programme:
    return Programme("p", "P", 1, PARTIES, species, (), ())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, face: Any) -> Callable[..., Any]:
    """Answers given to the questions, one after the other."""

    def ask(answers: list[str], *species: Species) -> Any:
        waiting: Iterator[str] = iter(answers)
        monkeypatch.setattr("builtins.input", lambda *_: next(waiting))
        node = Node(Path("node"), "north", Path("keys"), programme(*species))
        monkeypatch.setattr("sharedrange.cli.asking.read_node", lambda _folder: node)
        decisions = ask_decisions(face, Path("node"))
        assert list(waiting) == []
        return decisions

    return ask


def test_an_empty_line_ends(asked: Callable[..., Any]) -> None:
    assert asked(["", ""], TIGER) == ()


def test_a_decision_is_asked_for_in_full(asked: Callable[..., Any]) -> None:
    (decision,) = asked(["", "north/main/T1", "south/2024/M/7", "same", "both flanks", ""], TIGER)
    assert (decision.a, decision.b) == (LocalIndividual("north", "main", "T1"), LocalIndividual("south", "2024", "M/7"))
    assert (decision.verdict, decision.taxon, decision.evidence) == (Verdict.SAME, TIGER.taxon, "both flanks")


def test_of_several_species_one_is_chosen_by_number(asked: Callable[..., Any]) -> None:
    (decision,) = asked(["", "north/main/T1", "south/main/M1", "2", "1", "photo", ""], TIGER, LEOPARD)
    assert (decision.taxon, decision.verdict) == (LEOPARD.taxon, Verdict.SAME)


def test_what_cannot_be_read_is_asked_again(asked: Callable[..., Any], face: Any, text_of: Callable[..., str]) -> None:
    answers = [
        "north/cat-team",
        "T1",
        "west/main/T1",
        "north/main/T1",
        "",
        "south/main/M1",
        "maybe",
        "uncertain",
        "",
        "",
    ]
    (decision,) = asked(answers, TIGER)
    assert (decision.verdict, decision.by) == (Verdict.UNCERTAIN, "north/cat-team")
    assert text_of(face.out).count("north, south") == 3


def test_a_persons_name_is_no_role(asked: Callable[..., Any], face: Any, text_of: Callable[..., str]) -> None:
    assert asked(["Anna Example", "north/cat-team", ""], TIGER) == ()
    assert "role-id" in text_of(face.out)


def test_an_animal_is_not_compared_with_itself(
    asked: Callable[..., Any], face: Any, text_of: Callable[..., str]
) -> None:
    assert asked(["", "north/main/T1", "north/main/T1", "same", "", ""], TIGER) == ()
    assert "decision-one-individual" in text_of(face.out)
