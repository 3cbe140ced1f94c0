"""One observation of SMART: a category, its attributes by key, and what they say about threat, taxon and number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sharedrange.core.canonical import canonical
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.exchange.opening import shown
from sharedrange.exchange.smart.columns import PERSONAL
from sharedrange.exchange.smart.model import Model
from sharedrange.exchange.threats import threat_of

MAX_COUNT = 2**31 - 1
_IUCN = re.compile(r"_rl\d*$")  # SMART's species come from the Red List and end so
_WHOLE = re.compile(r"^([-+]?\d+)[.,]0*$")  # 3.0, as patrol files write a 3
_NUMBER = re.compile(r"[-+]?\d{1,9}(?:[.,]0*)?")


@dataclass(frozen=True, slots=True)
class Sighting:
    """One observation as a file gives it, cells still text. `row` 0: the file has no rows.

    `category`: a path; `given`: key of an attribute and the text of its value; `written`: the time as it stood there.
    """

    row: int
    patrol: str | None
    waypoint: str | None
    at: str | None
    written: str | None
    x: str | None
    y: str | None
    category: str
    given: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Doubts:
    """Words of cells that were not understood, each told once with how often it stands there."""

    file: str
    seen: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)

    def add(self, rule: str, column: str, value: str, row: int) -> None:
        """Remember that a value of a column on a line broke a rule."""
        self.seen.setdefault((rule, column, value), []).append(row)

    def findings(self) -> list[Finding]:
        """A warning for each value, at the first line that has it."""
        return [
            Finding(
                rule,
                {"value": shown(value), "rows": len(rows)},
                Where(self.file, row=rows[0] or None, field=shown(column)),
                Severity.WARNING,
            )
            for (rule, column, value), rows in self.seen.items()
        ]


def attributes_of(model: Model, given: Iterable[tuple[str, str]], row: int, doubts: Doubts) -> dict[str, list[str]]:
    """Key of each attribute -> its values: items as paths, numbers and texts as written.

    An item whose label is not in the model, or may be several, stays as written, and is a doubt.
    """
    values: dict[str, list[str]] = {}
    for key, text in given:
        if key not in PERSONAL:
            values.setdefault(key, []).append(_value(model, key, text, row, doubts))
    return values


def _value(model: Model, key: str, text: str, row: int, doubts: Doubts) -> str:
    known = model.attributes.get(key)
    if known is None or not known.items:
        return _WHOLE.sub(r"\1", text) if known is not None and known.kind == "NUMERIC" else text
    paths = model.item(key, text.strip("."))
    if len(paths) == 1:
        return next(iter(paths))
    doubts.add("ambiguous-item" if paths else "unknown-item", key, text, row)
    return text


def as_json(values: Mapping[str, Sequence[str]]) -> str:
    """Attributes as canonical JSON: one value as text, several as a list."""
    return canonical({key: texts[0] if len(texts) == 1 else list(texts) for key, texts in values.items()}).decode()


def threat(path: str, values: Mapping[str, Sequence[str]], words: Mapping[str, str]) -> str | None:
    """Kind of threat of an observation: of the type of trap, of its category, of the attribute `threat`."""
    return threat_of(words, *values.get("typeoftrap", ()), path, *values.get("threat", ()))


def taxon(values: Mapping[str, Sequence[str]]) -> str | None:
    """The species of an observation: its scientific name where the key spells it, else the key.

    Examples
    --------
    >>> taxon({"species": ["felidae_rl.panthera_rl.pantherapardus_rl15954"]})
    'Panthera pardus'
    >>> taxon({"species": ["birds.crane"]})
    'crane'
    """
    if not values.get("species"):
        return None
    *above, key = values["species"][0].split(".")
    genus = _IUCN.sub("", above[-1]) if above else ""
    species = _IUCN.sub("", key)
    if above and _IUCN.search(key) and species.startswith(genus) and species != genus:
        return f"{genus.capitalize()} {species.removeprefix(genus)}"
    return key


def count(model: Model, values: Mapping[str, Sequence[str]]) -> int | None:
    """How many: `groupsize`, else the sum of the numbers whose key begins with ``numberof``; None if none is given."""
    named = [key for key in values if key == "groupsize"] or [
        key for key in values if key.startswith("numberof") and model.kind(key) in ("NUMERIC", "")
    ]
    numbers = [int(float(text.replace(",", "."))) for key in named for text in values[key] if _NUMBER.fullmatch(text)]
    total = sum(numbers)
    return total if numbers and 0 <= total <= MAX_COUNT else None
