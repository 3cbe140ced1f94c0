"""The table schemas of every version of Camtrap DP that is read, as data (https://specs.frictionlessdata.io/table-schema)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

VERSIONS = ("0.1.6", "1.0-rc.1", "1.0", "1.0.1", "1.0.2")
NEWEST = VERSIONS[-1]
TABLES = ("deployments", "media", "observations")


@dataclass(frozen=True, slots=True)
class Field:
    """A column: what its cells must be. `words` are the only ones allowed; `low` and `high` limits that are allowed."""

    name: str
    type: str = "string"
    required: bool = False
    unique: bool = False
    words: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """A column whose values must be keys of another table."""

    field: str
    table: str


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table: its columns, the texts that mean a missing value, its key, and the tables it refers to."""

    name: str
    fields: tuple[Field, ...]
    missing: tuple[str, ...]
    key: str
    references: tuple[Reference, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in the order of the standard."""
        return tuple(field.name for field in self.fields)


@lru_cache
def schemas(version: str) -> Mapping[str, TableSchema]:
    """Table -> schema, of one of `VERSIONS`."""
    file = resources.files("sharedrange.exchange.camtrapdp") / "schemas" / f"{version}.json"
    tables = json.loads(file.read_text(encoding="utf-8"))["tables"]
    return {name: _table(name, given) for name, given in tables.items()}


def _table(name: str, given: Mapping[str, Any]) -> TableSchema:
    return TableSchema(
        name,
        tuple(_field(field) for field in given["fields"]),
        tuple(given["missingValues"]),
        given["primaryKey"],
        tuple(Reference(key["fields"], key["reference"]["resource"]) for key in given.get("foreignKeys", ())),
    )


def _field(given: Mapping[str, Any]) -> Field:
    rules = given.get("constraints", {})
    return Field(
        given["name"],
        given["type"],
        rules.get("required", False),
        rules.get("unique", False),
        tuple(rules.get("enum", ())),
        rules.get("minimum"),
        rules.get("maximum"),
        rules.get("pattern", ""),
    )
