"""What this node told to others: numbers that agreements let it tell, kept as they were told, and read for a reader.

A publication is a source of its own, as a package is: it holds numbers and says under which agreements they left, and
nothing of what they were made from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from hashlib import sha256
from pathlib import Path

import polars as pl

from sharedrange.assessment.programme import Question
from sharedrange.assessment.results import Result
from sharedrange.core.answer import Answer, Estimate, Scope
from sharedrange.core.audience import EVERYBODY, Audience
from sharedrange.core.canonical import Json, canonical
from sharedrange.core.errors import InputError
from sharedrange.core.files import folder_in_place
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.core.ledger import Ledger, Source, Step
from sharedrange.core.sheets import neutral_csv
from sharedrange.sharing.outputs import NUMBERS, Told

FOLDER = "published"
ABOUT, NUMBERS_FILE = "publication.json", "numbers.csv"
FORMAT = "sharedrange-publication-1"
_SHORT = 12


@dataclass(frozen=True, slots=True)
class Publication:
    """Numbers that were told to a reader on a day, for a purpose, under agreements (id -> hash of its text).

    `parties`: question -> whose data its numbers are made from; `numbers`: table `sharing.outputs.NUMBERS`; `by`: the
    role that told them; `nonce`: random text, without which the id could be guessed from the numbers.
    """

    reader: str
    purpose: str
    on: date
    by: str
    agreements: Mapping[str, str]
    parties: Mapping[str, tuple[str, ...]]
    numbers: pl.DataFrame
    nonce: str
    simulated: bool = False

    @property
    def files(self) -> dict[str, bytes]:
        """Its files, by name: what is told of it, and the numbers."""
        numbers = neutral_csv(self.numbers)
        about: dict[str, Json] = {
            "format": FORMAT,
            "reader": self.reader,
            "purpose": self.purpose,
            "on": str(self.on),
            "by": self.by,
            "agreements": dict(self.agreements),
            "parties": {question: list(parties) for question, parties in self.parties.items()},
            "numbers": {"rows": self.numbers.height, "sha256": sha256(numbers).hexdigest()},
            "nonce": self.nonce,
            "simulated": self.simulated,
        }
        return {ABOUT: canonical(about), NUMBERS_FILE: numbers}

    @property
    def id(self) -> str:
        """SHA-256 of what is told of it, which holds that of the numbers."""
        return sha256(self.files[ABOUT]).hexdigest()

    @property
    def name(self) -> str:
        """The name of its folder; simulated ones say so."""
        return f"{'SIMULATED-' if self.simulated else ''}publication-{self.id[:_SHORT]}"

    def estimates(self, question: str) -> tuple[Estimate, ...]:
        """Its numbers of one question."""
        rows = self.numbers.filter(pl.col("question") == question)
        return tuple(_estimate(row) for row in rows.iter_rows(named=True))


def numbers_table(told: Iterable[tuple[str, Estimate]]) -> pl.DataFrame:
    """Question and number, as rows of NUMBERS in an order that does not depend on how they were found."""
    rows = [{"question": question, **_flat(estimate)} for question, estimate in told]
    return pl.DataFrame(rows, schema=NUMBERS, orient="row").sort("question", "quantity", "kind", "taxon", "place")


def keep(publication: Publication, node: Path) -> Path:
    """Write a publication to ``published/``, whole or not at all."""
    place = node / FOLDER / publication.name
    with folder_in_place(place) as new:
        for name, content in publication.files.items():
            (new / name).write_bytes(content)
    return place


def publications(node: Path) -> tuple[Publication, ...]:
    """Everything that a node told, the oldest first. Raises InputError where a file is not what it was."""
    read = [_read(place) for place in sorted((node / FOLDER).glob("*/")) if not place.name.startswith(".")]
    return tuple(sorted(read, key=lambda told: (told.on, told.id)))


def told_before(node: Path) -> Iterator[Told]:
    """Every number that a node told, to whomever."""
    for publication in publications(node):
        for row in publication.numbers.iter_rows(named=True):
            yield Told(publication.on, _estimate(row))


def with_published(
    results: Sequence[Result], ledger: Ledger, told: Sequence[Publication], party: str
) -> tuple[tuple[Result, ...], Ledger]:
    """Results for a reader: where more parties' data stand behind what was told than behind what the reader may see.

    Of several publications with numbers of a question the latest counts. `party`: who told them.
    """
    found = []
    for result in results:
        newest = next((one for one in reversed(told) if result.question.id in one.parties), None)
        if newest is None or set(newest.parties[result.question.id]) <= set(result.parties):
            found.append(result)
            continue
        source = _source(newest, party)
        step = Step("sharing.publish", 1, {"question": result.question.id}, (source.id,))
        ledger = ledger.with_source(source).with_step(step)
        found.append(_result(result, newest, step))
    return tuple(found), ledger


def asked_of(question: Question) -> Question:
    """What a reader is told of a question whose data they may not see: of what, where and when, and not how.

    Names of datasets, lines, passages and masks are the parties' own business.
    """
    asked = Question(question.id, question.engine, question.component, question.species)
    told = ("start", "end", "sessions", "periods", "life_stages", "count_unknown_stage")
    return replace(asked, **{name: getattr(question, name) for name in told})


def _source(publication: Publication, party: str) -> Source:
    under = ", ".join(sorted(publication.agreements))
    return Source(party, publication.name, f"{FOLDER}/{publication.name}", publication.id, under)


def _result(asked: Result, publication: Publication, step: Step) -> Result:
    """A question answered by what was told, and nothing else."""
    note = Finding(
        "number-published",
        {
            "question": asked.question.id,
            "on": str(publication.on),
            "by": publication.by,
            "purpose": publication.purpose,
            "agreements": ", ".join(sorted(publication.agreements)) or "-",
        },
        severity=Severity.NOTE,
    )
    may = str(Audience() if publication.reader == EVERYBODY else Audience.of(publication.reader))
    answer = Answer(estimates=publication.estimates(asked.question.id), findings=(note,)).at(step.id).seen_by(may)
    return Result(asked_of(asked.question), step.id, {"answer": answer}, None, publication.parties[asked.question.id])


def _read(place: Path) -> Publication:
    try:
        content = (place / NUMBERS_FILE).read_bytes()
        told = json.loads((place / ABOUT).read_text(encoding="utf-8"))
        publication = Publication(
            reader=told["reader"],
            purpose=told["purpose"],
            on=date.fromisoformat(told["on"]),
            by=told["by"],
            agreements=dict(told["agreements"]),
            parties={question: tuple(parties) for question, parties in told["parties"].items()},
            numbers=pl.read_csv(content, schema=NUMBERS),
            nonce=told["nonce"],
            simulated=told["simulated"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pl.exceptions.PolarsError):
        raise _damaged(place) from None
    if publication.name != place.name or publication.files[NUMBERS_FILE] != content:
        raise _damaged(place)
    return publication


def _damaged(place: Path) -> InputError:
    return InputError([Finding("publication-damaged", {"folder": place.name}, Where(f"{FOLDER}/{place.name}"))])


def _flat(estimate: Estimate) -> dict[str, object]:
    scope = asdict(estimate.scope)
    return {name: getattr(estimate, name) for name in NUMBERS if hasattr(estimate, name)} | scope


def _estimate(row: Mapping[str, object]) -> Estimate:
    own = {f.name: row[f.name] for f in fields(Estimate) if f.name in row}
    scope = Scope(**{f.name: str(row[f.name]) for f in fields(Scope)})
    return replace(Estimate("", 0.0, ""), **own, scope=scope)  # type: ignore[arg-type]  # the columns are its fields
