"""What stands in programme.toml, table by table, each entry with its place; nothing is looked up yet."""

from __future__ import annotations

from dataclasses import dataclass

from sharedrange.assessment.programme.types import (
    Area,
    Component,
    Event,
    Milestone,
    OpenQuestion,
    Party,
    Project,
    Question,
    Species,
)
from sharedrange.core.document import Document, Entry, Place, read_section, read_table, unknown_keys
from sharedrange.core.finding import Finding


@dataclass(frozen=True, slots=True)
class Head:
    """The table ``[programme]``."""

    id: str
    title: str
    seed: int = 1
    languages: tuple[str, ...] = ("en",)
    simulated: bool = False


SECTIONS = {
    # The tables of programme.toml and the schema of each.
    "programme": Head,
    "parties": Party,
    "species": Species,
    "components": Component,
    "questions": Question,
    "project": Project,
    "areas": Area,
    "milestones": Milestone,
    "events": Event,
    "open_questions": OpenQuestion,
}


@dataclass(frozen=True, slots=True)
class Contents:
    """The entries of programme.toml that could be read."""

    head: Entry[Head] | None
    parties: tuple[Entry[Party], ...]
    species: tuple[Entry[Species], ...]
    components: tuple[Entry[Component], ...]
    questions: tuple[Entry[Question], ...]
    project: Entry[Project] | None
    areas: tuple[Entry[Area], ...]
    milestones: tuple[Entry[Milestone], ...]
    events: tuple[Entry[Event], ...]
    open_questions: tuple[Entry[OpenQuestion], ...]


def read_contents(document: Document) -> tuple[Contents, list[Finding]]:
    """The entries of `document`, and every key that is unknown, missing or of a wrong type."""
    found = unknown_keys(document, SECTIONS)
    missing = [name for name in ("programme", "parties") if not document.values.get(name)]
    found += [Finding("missing-key", {"key": name}, Place(document)()) for name in missing]
    contents = Contents(
        head=read_table(document, "programme", Head, found),
        parties=read_section(document, "parties", Party, found),
        species=read_section(document, "species", Species, found),
        components=read_section(document, "components", Component, found),
        questions=read_section(document, "questions", Question, found),
        project=read_table(document, "project", Project, found),
        areas=read_section(document, "areas", Area, found),
        milestones=read_section(document, "milestones", Milestone, found),
        events=read_section(document, "events", Event, found),
        open_questions=read_section(document, "open_questions", OpenQuestion, found),
    )
    return contents, found
