"""Decisions asked for in the terminal, one pair of animals after the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from sharedrange.assessment.programme import Programme, read_node
from sharedrange.cli.face import hear_ctrl_c
from sharedrange.cli.findings import show_findings
from sharedrange.core.errors import InputError
from sharedrange.core.individuals import LocalIndividual, Verdict
from sharedrange.records import Decision, FocalPoint

if TYPE_CHECKING:
    from sharedrange.cli.face import Face

PARTS = 3  # party/catalogue/code


def ask_decisions(face: Face, node: Path) -> tuple[Decision, ...]:
    """Ask until an empty answer. Nothing is signed before all are given; Ctrl-C drops them."""
    opened = read_node(node)
    face.say("cli.ask.intro")
    by = _ask_role(face, opened.party)
    decisions: list[Decision] = []
    while (first := _ask_individual(face, opened.programme, "cli.ask.first", may_end=True)) is not None:
        decisions += _ask_decision(face, opened.programme, first, by)
        face.gap()
    return tuple(decisions)


def _ask_role(face: Face, party: str) -> str:
    """Who decided: a role, never a person's name; an empty answer is the party itself."""
    while True:
        role = _ask(face, "cli.ask.role", party=party) or party
        try:
            FocalPoint.from_body(FocalPoint(party, "decisions", role).to_body())
        except InputError as error:
            show_findings(face, error.findings)
        else:
            return role


def _ask_decision(face: Face, programme: Programme, first: LocalIndividual, by: str) -> list[Decision]:
    """The rest of a decision about `first`; empty, with findings shown, if it breaks a rule of decisions."""
    second = _ask_individual(face, programme, "cli.ask.second", may_end=False)
    assert second is not None  # noqa: S101  (only the first of a pair may be left empty)
    taxa = tuple(species.taxon for species in programme.species)
    taxon = taxa[0] if len(taxa) == 1 else _ask_one_of(face, "cli.ask.taxon", taxa)
    verdict = Verdict(_ask_one_of(face, "cli.ask.verdict", tuple(Verdict)))
    decision = Decision(first, second, taxon, verdict, by, _ask(face, "cli.ask.evidence"))
    try:
        return [Decision.from_body(decision.to_body())]
    except InputError as error:
        show_findings(face, error.findings)
        return []


def _ask(face: Face, message: str, **facts: str) -> str:
    hear_ctrl_c()
    return face.out.input(Text(f"{face.words(message, **facts)} ")).strip()


def _ask_individual(face: Face, programme: Programme, message: str, *, may_end: bool) -> LocalIndividual | None:
    """An animal as party/catalogue/code; codes may themselves hold a slash."""
    known = {party.id for party in programme.parties}
    while True:
        given = _ask(face, message)
        if not given and may_end:
            return None
        parts = given.split("/", PARTS - 1)
        if len(parts) == PARTS and all(parts) and parts[0] in known:
            return LocalIndividual(*parts)
        face.say("cli.ask.bad-individual", style="yellow", parties=", ".join(sorted(known)))


def _ask_one_of(face: Face, message: str, choices: tuple[str, ...]) -> str:
    """One of the choices, by its number or its word."""
    for number, choice in enumerate(choices, start=1):
        label = f"verdict.{choice}"
        meaning = face.words(label) if label in face.words else ""
        face.show(f"{number} {choice}  {meaning}".rstrip(), indent=2)
    known = {str(number): choice for number, choice in enumerate(choices, start=1)} | {c: c for c in choices}
    while (given := _ask(face, message)) not in known:
        face.say("cli.ask.bad-choice", style="yellow", choices=", ".join(known))
    return known[given]
