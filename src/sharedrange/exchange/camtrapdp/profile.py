"""What the profile of the standard asks of datapackage.json itself, which no table tells.

Nothing of it is needed to read the tables, so all of it is a warning: other programs, and those who publish the
package, may refuse it. Required keys, their types and the words of their lists are those of
``camtrap-dp-profile.json`` and of the Data Package specification that it builds on
(https://specs.frictionlessdata.io/data-package/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.camtrapdp.package import Package
from sharedrange.exchange.camtrapdp.schema import VERSIONS
from sharedrange.exchange.opening import shown

_OLDEST = VERSIONS[0]
_EVERY = "[]"  # in a path: every member of a list
_ROLES = ("contact", "principalInvestigator", "rightsHolder", "publisher", "contributor")
_DESIGNS = ("simpleRandom", "systematicRandom", "clusteredRandom", "experimental", "targeted", "opportunistic")
_METHODS = ("activityDetection", "timeLapse")
_LEVELS = ("media", "event")
_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies")


def _is_time(value: object) -> bool:
    """Whether a value is a time with its offset (RFC 3339)."""
    try:
        return isinstance(value, str) and "T" in value.upper() and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_day(value: object) -> bool:
    try:
        return isinstance(value, str) and len(value) == len("2024-05-01") and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _is_filled_list(value: object) -> bool:
    return isinstance(value, list) and bool(value)


_KINDS: Mapping[str, Callable[[object], bool]] = {
    "text": lambda value: isinstance(value, str),
    "true or false": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "list that is not empty": _is_filled_list,
    "object": lambda value: isinstance(value, dict),
    "day (2024-05-01)": _is_day,
    "time with an offset (2024-05-01T00:00:00Z)": _is_time,
}
"""What a value may have to be -> whether it is."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one key must be. `path`: keys with dots between, ``[]`` for every member of a list."""

    path: str
    kind: str
    required: bool = True
    words: tuple[str, ...] = ()


_ALL_VERSIONS = (
    Rule("resources", "list that is not empty"),
    Rule("profile", "text"),
    Rule("created", "time with an offset (2024-05-01T00:00:00Z)"),
    Rule("contributors", "list that is not empty"),
    Rule("contributors[].title", "text"),
    Rule("project", "object"),
    Rule("project.title", "text"),
    Rule("project.samplingDesign", "text"),
    Rule("project.captureMethod", "list that is not empty"),
    Rule("spatial", "object"),
    Rule("temporal", "object"),
    Rule("temporal.start", "day (2024-05-01)"),
    Rule("temporal.end", "day (2024-05-01)"),
    Rule("taxonomic", "list"),
    Rule("taxonomic[].scientificName", "text"),
)
_SINCE_1_0 = (
    Rule("contributors[].role", "text", required=False, words=_ROLES),
    Rule("licenses[].scope", "text", words=("data", "media")),
    Rule("project.samplingDesign", "text", words=_DESIGNS),
    Rule("project.captureMethod[]", "text", words=_METHODS),
    Rule("project.individualAnimals", "true or false"),
    Rule("project.observationLevel", "list"),
    Rule("project.observationLevel[]", "text", words=_LEVELS),
    Rule("taxonomic[].taxonRank", "text", required=False, words=_RANKS),
)


def rules(version: str) -> tuple[Rule, ...]:
    """The rules of a version. Of 0.1.6 only what it shares with later ones is known: its words were others."""
    if version == _OLDEST:
        return _ALL_VERSIONS
    if version == "1.0-rc.1":
        older = Rule("project.captureMethod[]", "text", words=(*_METHODS, "motionDetection"))
        return (*_ALL_VERSIONS, *(older if rule.path == older.path else rule for rule in _SINCE_1_0))
    return (*_ALL_VERSIONS, *_SINCE_1_0)


def check_profile(package: Package) -> list[Finding]:
    """One warning for all keys that are missing, and one for each value that is not what the profile asks."""
    missing: dict[str, None] = {}
    wrong: dict[str, Finding] = {}
    for rule in rules(package.version):
        for name, value in _values(package.json, rule.path):
            if value is None:
                missing |= {rule.path: None} if rule.required else {}
            elif not _KINDS[rule.kind](value):
                wrong.setdefault(name, _wrong(package, name, value, rule.kind))
            elif rule.words and value not in rule.words:
                wrong.setdefault(name, _wrong(package, name, value, ", ".join(rule.words)))
    found = list(wrong.values())
    if missing:
        facts: dict[str, Fact] = {"version": package.version, "keys": ", ".join(missing)}
        found.insert(0, Finding("package-keys-missing", facts, Where(package.file), Severity.WARNING))
    return found


def _wrong(package: Package, name: str, value: object, expected: str) -> Finding:
    facts: dict[str, Fact] = {"key": name, "given": shown(repr(value)), "expected": expected}
    return Finding("package-key-wrong", facts, Where(package.file, field=name), Severity.WARNING)


def _values(given: Mapping[str, Any], path: str) -> Iterator[tuple[str, object]]:
    """(path with numbers, value) of every place that a rule speaks of; None where the last key is missing.

    What is above a key and missing, or of another kind, is the matter of another rule.
    """
    places: list[tuple[str, object]] = [("", given)]
    for key in path.replace(_EVERY, f".{_EVERY}").split("."):
        if key == _EVERY:
            places = [
                (f"{name}[{n}]", member)
                for name, values in places
                if isinstance(values, list)
                for n, member in enumerate(values)
            ]
        else:
            places = [
                (f"{name}.{key}".strip("."), holder.get(key)) for name, holder in places if isinstance(holder, dict)
            ]
    yield from places
