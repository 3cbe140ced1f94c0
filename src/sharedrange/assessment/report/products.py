"""Data products: every answer as CSV and Parquet, the ledger, and the data that the report prints.

The same assessment gives the same bytes. No file holds a position of an animal, a camera or a capture.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from sharedrange.assessment.programme import Programme
from sharedrange.assessment.report.answer_tables import lies_nowhere, may_leave
from sharedrange.assessment.report.ways_back import sheet_numbers, with_steps
from sharedrange.assessment.results import Assessment, JointSheet, Result
from sharedrange.core.answer import Estimate, Refusal
from sharedrange.core.canonical import canonical
from sharedrange.core.finding import Finding
from sharedrange.core.sheets import neutral
from sharedrange.core.words import DEFAULT, Words, load

SIMULATED = "SIMULATED"
ANSWERS = pl.Schema(
    {
        # One row an estimate. `answer` is the name of the answer it stands in (``answer``, ``lists``,
        # ``alone.<party>.<mask>``, ``sheet``); `kind` tells lists from estimates; `id` is what `trace` takes.
        "question": pl.String(),
        "answer": pl.String(),
        "quantity": pl.String(),
        "value": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "se": pl.Float64(),
        "level": pl.Float64(),
        "unit": pl.String(),
        "taxon": pl.String(),
        "stage": pl.String(),
        "sex": pl.String(),
        "place": pl.String(),
        "period": pl.String(),
        "method": pl.String(),
        "kind": pl.String(),
        "audience": pl.String(),
        "step": pl.String(),
        "id": pl.String(),
    }
)
FINDINGS = pl.Schema(
    {"severity": pl.String(), "rule": pl.String(), "where": pl.String(), "fact": pl.String(), "remedy": pl.String()}
)


def file_name(stem: str, suffix: str, programme: Programme) -> str:
    """The name of a file of the assessment; it says so if the data are simulated.

    Examples
    --------
    >>> file_name("report", "html", Programme("p", "P", 1, (), (), (), (), simulated=True))
    'report-SIMULATED.html'
    """
    return f"{stem}-{SIMULATED}.{suffix}" if programme.simulated else f"{stem}.{suffix}"


def write_products(assessment: Assessment, folder: Path, words: Words | None = None) -> None:
    """Write answers, tables, findings, ledger and report data into `folder`, which must exist.

    `words` are those of findings.csv; English where None.
    """
    programme = assessment.programme
    _write_table(answers_table(assessment), folder, "answers", programme)
    _write_csv(findings_table(assessment, words or load(DEFAULT)), folder, "findings", programme)
    for name, table in _tables(assessment):
        (folder / "tables").mkdir(exist_ok=True)
        _write_table(table, folder / "tables", name, programme)
    ledger = folder / file_name("ledger", "json", programme)
    ledger.write_bytes(canonical(assessment.ledger.as_json()))
    (folder / file_name("report-data", "json", programme)).write_bytes(report_data(assessment))


def answers_table(assessment: Assessment) -> pl.DataFrame:
    """Every estimate of every answer, with the columns of ANSWERS."""
    rows = [
        {"question": result.question.id, "answer": name, **_flat(estimate)}
        for result in map(with_steps, assessment.results)
        for name, estimates in _by_answer(result).items()
        for estimate in estimates
    ]
    return pl.DataFrame(rows, schema=ANSWERS, orient="row")


def _by_answer(result: Result) -> Mapping[str, tuple[Estimate, ...]]:
    """Every number of a result by the answer it stands in; those that only the sheet makes stand in ``sheet``."""
    return {name: answer.estimates for name, answer in result.answers.items()} | {"sheet": sheet_numbers(result)}


def _flat(estimate: Estimate) -> dict[str, object]:
    """An estimate and its scope as one row."""
    values = {name: getattr(estimate, name) for name in ANSWERS if hasattr(estimate, name)}
    return values | asdict(estimate.scope)


def findings_table(assessment: Assessment, words: Words) -> pl.DataFrame:
    """What is worth knowing, in words, with the columns of FINDINGS."""
    rows = [
        (f.severity.value, f.rule, str(f.where), words.fact(f), words.remedy(f)) for f in assessment.all_findings
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=FINDINGS, orient="row")


def _tables(assessment: Assessment) -> Iterator[tuple[str, pl.DataFrame]]:
    """Tables that may leave, named after question, answer and table."""
    for result in assessment.results:
        is_nowhere = lies_nowhere(assessment.programme, result.question)
        for answer_name, answer in sorted(result.answers.items()):
            for name, table in sorted(answer.tables.items()):
                if may_leave(name, table, is_nowhere=is_nowhere):
                    yield f"{result.question.id}.{answer_name}.{name}", table


# ---- files ---------------------------------------------------------------------------------------------------


def _write_table(table: pl.DataFrame, folder: Path, stem: str, programme: Programme) -> None:
    _write_csv(table, folder, stem, programme)
    _marked(table, programme).write_parquet(folder / file_name(stem, "parquet", programme))


def _write_csv(table: pl.DataFrame, folder: Path, stem: str, programme: Programme) -> None:
    (folder / file_name(stem, "csv", programme)).write_bytes(csv_bytes(_marked(table, programme)))


def _marked(table: pl.DataFrame, programme: Programme) -> pl.DataFrame:
    """The table with a last column that says SIMULATED, where it is."""
    return table.with_columns(simulated=pl.lit(SIMULATED)) if programme.simulated else table


def csv_bytes(table: pl.DataFrame) -> bytes:
    r"""A table as UTF-8 CSV that a spreadsheet takes for text and numbers, never for a formula.

    Examples
    --------
    >>> csv_bytes(pl.DataFrame({"who": ["=1+1", "M1"], "n": [-1, 2]})).decode()
    "who,n\n'=1+1,-1\nM1,2\n"
    """
    out = io.BytesIO()
    table.with_columns(_as_text(name, dtype) for name, dtype in table.schema.items()).write_csv(out)
    return out.getvalue()


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column as CSV can hold it: lists joined, text neutral, numbers as they are."""
    column = pl.col(name)
    if isinstance(dtype, pl.List):
        column = column.cast(pl.List(pl.String)).list.join(" | ")
    elif dtype.is_nested():
        column = column.map_elements(str, return_dtype=pl.String)
    elif dtype not in (pl.String, pl.Categorical, pl.Enum):
        return column
    return neutral(column.cast(pl.String)).alias(name)


# ---- what the report prints, as data ---------------------------------------------------------------------------


def report_data(assessment: Assessment) -> bytes:
    """Everything that the report prints, as canonical JSON; equal on two nodes with equal inputs and settings.

    Whose node it is and where a delivery lies on it are left out: they differ between nodes, the numbers do not.
    """
    return canonical(
        _plain(
            {
                "programme": {"id": assessment.programme.id, "seed": assessment.programme.seed},
                "simulated": assessment.programme.simulated,
                "results": [_result(with_steps(r), assessment.programme) for r in assessment.results],
                "health": assessment.health.to_dicts(),
                "cells": assessment.cells.to_dicts(),
                "findings": [_finding(f) for f in assessment.all_findings],
                "sources": {
                    key: {"party": s.party, "dataset": s.dataset, "sha256": s.sha256}
                    for key, s in assessment.ledger.sources.items()
                },
                "steps": assessment.ledger.as_json()["steps"],
                "versions": dict(assessment.versions),
            }
        )
    )


def _result(result: Result, programme: Programme) -> dict[str, object]:
    is_nowhere = lies_nowhere(programme, result.question)
    answers = {
        name: {
            "estimates": [_estimate(e) for e in answer.estimates],
            "refusal": _refusal(answer.refusal),
            "tables": {
                key: _fingerprint(table, hashed=may_leave(key, table, is_nowhere=is_nowhere))
                for key, table in answer.tables.items()
            },
        }
        for name, answer in result.answers.items()
    }
    return {
        "question": asdict(result.question),
        "step": result.step,
        "answers": answers,
        "sheet": _sheet(result.sheet),
    }


def _sheet(sheet: JointSheet | None) -> dict[str, object] | None:
    if sheet is None:
        return None
    sums = {
        alone.convention.value: {
            "parts": {party: _estimate(part) for party, part in alone.parts.items()},
            "total": _estimate(alone.total),
            "excess_pct": alone.excess_pct,
        }
        for alone in sheet.sums
    }
    return {"sums": sums, "bought": sheet.bought, "facts": dict(sheet.facts)}


def _estimate(estimate: Estimate | None) -> dict[str, object] | None:
    return asdict(estimate) | {"id": estimate.id} if estimate else None


def _refusal(refusal: Refusal | None) -> dict[str, object] | None:
    if refusal is None:
        return None
    return {"have": dict(refusal.have), "need": dict(refusal.need), "instead": list(refusal.instead)}


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "where": str(finding.where),
        "facts": dict(finding.facts),
    }


def _fingerprint(table: pl.DataFrame, *, hashed: bool) -> dict[str, object]:
    """A table by its columns and height; by the hash of its content too, but for one with positions of the Earth.

    A grid of points can be guessed until the hash agrees.
    """
    content = {"sha256": hashlib.sha256(csv_bytes(table)).hexdigest()} if hashed else {}
    return {"columns": table.columns, "rows": table.height, **content}


def _plain(value: Any) -> Any:
    """`value` as canonical JSON can hold it: no NaN, no infinity, no dates."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
