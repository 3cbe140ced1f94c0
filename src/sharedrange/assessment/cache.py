"""Answers kept between runs, so that a run resumes and changes nothing that nothing changed.

One folder an answer in ``work/answers``: JSON beside its tables as Parquet, put in place whole. The key is
the step's id with the hash of this package's code and the versions of the libraries that compute.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

import sharedrange
from sharedrange.core.answer import Answer, Estimate, Refusal, Scope
from sharedrange.core.canonical import digest
from sharedrange.core.files import folder_in_place
from sharedrange.core.finding import Finding, Severity, Where

DAMAGED = (OSError, ValueError, LookupError, TypeError, pl.exceptions.PolarsError)
COMPUTING = ("numpy", "scipy", "polars", "pyproj", "shapely")


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of this package and of the libraries that compute."""
    return {"sharedrange": sharedrange.__version__, **{name: version(name) for name in COMPUTING}}


def code_hash() -> str:
    """Hash of this package's Python files: what an answer depends on."""
    return _hash_of(".py")


def package_hash() -> str:
    """Hash of every file of this package, words and templates too: what a report depends on."""
    return _hash_of("")


@lru_cache(maxsize=2)
def _hash_of(ending: str) -> str:
    root = Path(sharedrange.__file__).parent
    total = hashlib.sha256()
    for file in sorted(root.rglob(f"*{ending}")):
        if file.is_file() and file.suffix != ".pyc":
            total.update(file.relative_to(root).as_posix().encode())
            total.update(file.read_bytes())
    return total.hexdigest()


@dataclass(frozen=True, slots=True)
class Cache:
    """Answers by step id, in a folder that is safe to delete."""

    folder: Path

    def _place(self, step: str) -> Path:
        return self.folder / digest([step, code_hash(), versions()])[:32]

    def get(self, step: str) -> Answer | None:
        """The answer of `step`, or None if it was never computed by this code, or is damaged."""
        place = self._place(step)
        try:
            facts = json.loads((place / "answer.json").read_text(encoding="utf-8"))
            tables = {name: pl.read_parquet(place / f"{i}.parquet") for i, name in enumerate(facts["tables"])}
            return _answer(facts, tables)
        except DAMAGED:
            return None

    def put(self, step: str, answer: Answer) -> None:
        """Keep the answer of `step`."""
        with folder_in_place(self._place(step)) as place:
            for i, table in enumerate(answer.tables.values()):
                table.write_parquet(place / f"{i}.parquet")
            text = json.dumps(_facts(answer), ensure_ascii=False, indent=1)
            (place / "answer.json").write_text(text, encoding="utf-8")


def _facts(answer: Answer) -> dict[str, Any]:
    return {
        "estimates": [asdict(e) for e in answer.estimates],
        "parameters": list(answer.parameters),
        "covariance": [list(row) for row in answer.covariance],
        "tables": list(answer.tables),
        "findings": [finding_value(f) for f in answer.findings],
        "refusal": _refusal_facts(answer.refusal),
    }


def finding_value(finding: Finding) -> dict[str, Any]:
    """A finding as JSON values."""
    return {
        "rule": finding.rule,
        "facts": dict(finding.facts),
        "where": asdict(finding.where),
        "severity": str(finding.severity),
    }


def _refusal_facts(refusal: Refusal | None) -> dict[str, Any] | None:
    if refusal is None:
        return None
    return {
        "question": refusal.question,
        "have": dict(refusal.have),
        "need": dict(refusal.need),
        "instead": list(refusal.instead),
        "findings": [finding_value(f) for f in refusal.findings],
    }


def _answer(facts: dict[str, Any], tables: dict[str, pl.DataFrame]) -> Answer:
    return Answer(
        estimates=tuple(Estimate(**{**e, "scope": Scope(**e["scope"])}) for e in facts["estimates"]),
        parameters=tuple(facts["parameters"]),
        covariance=tuple(tuple(row) for row in facts["covariance"]),
        tables=tables,
        findings=tuple(finding_from(f) for f in facts["findings"]),
        refusal=_refusal(facts["refusal"]),
    )


def finding_from(facts: dict[str, Any]) -> Finding:
    """The finding that `finding_value` wrote."""
    return Finding(facts["rule"], facts["facts"], Where(**facts["where"]), Severity(facts["severity"]))


def _refusal(facts: dict[str, Any] | None) -> Refusal | None:
    if facts is None:
        return None
    return Refusal(
        facts["question"],
        facts["have"],
        facts["need"],
        tuple(facts["instead"]),
        tuple(finding_from(f) for f in facts["findings"]),
    )
