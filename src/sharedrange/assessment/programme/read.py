"""programme.toml read: every table typed, every reference looked up, everything wrong told at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sharedrange.assessment.programme.checks import Known, check_asked, check_contents
from sharedrange.assessment.programme.contents import Contents, Head, read_contents
from sharedrange.assessment.programme.types import Programme, Question
from sharedrange.core.document import Document, Entry, Place, T, read_document, read_entry
from sharedrange.core.errors import ProgrammeError
from sharedrange.core.finding import Finding

PROGRAMME_FILE = "programme.toml"


def read_programme(folder: Path) -> Programme:
    """The programme of the node in `folder`.

    Raises ProgrammeError with everything that is wrong with programme.toml and the files of sides it names.
    """
    document = read_document(folder / PROGRAMME_FILE)
    contents, found = read_contents(document)
    found += check_contents(contents, Known.of(document), folder)
    if found or contents.head is None:
        raise ProgrammeError(found)
    return _programme(contents.head.value, contents, folder)


def question_of(keys: Mapping[str, Any], folder: Path = Path()) -> Question:
    """A question that stands in no file, from the keys that it would have there.

    Raises ProgrammeError with every key that is unknown, of a wrong type or contradicts another.
    """
    place = Place(Document("", {}), "questions")
    found: list[Finding] = []
    question = read_entry(Question, keys, place, found)
    found += [] if question is None else check_asked(question, place, folder)
    if found or question is None:
        raise ProgrammeError(found)
    return question


def _programme(head: Head, contents: Contents, folder: Path) -> Programme:
    return Programme(
        id=head.id,
        title=head.title,
        seed=head.seed,
        languages=head.languages,
        simulated=head.simulated,
        folder=folder,
        parties=_values(contents.parties),
        species=_values(contents.species),
        components=_values(contents.components),
        questions=_values(contents.questions),
        project=contents.project.value if contents.project else None,
        areas=_values(contents.areas),
        milestones=_values(contents.milestones),
        events=_values(contents.events),
        open_questions=_values(contents.open_questions),
    )


def _values(entries: tuple[Entry[T], ...]) -> tuple[T, ...]:
    return tuple(entry.value for entry in entries)
