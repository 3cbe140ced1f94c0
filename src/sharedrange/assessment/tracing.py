"""The way back of a number: through steps and settings to the file or the package that it came from."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import polars as pl

from sharedrange.assessment.cache import DAMAGED
from sharedrange.assessment.programme import read_node
from sharedrange.assessment.report.products import file_name
from sharedrange.core.answer import Estimate, Scope
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.core.ledger import Ledger, Source, Step


@dataclass(frozen=True, slots=True)
class Trace:
    """A number and its way back: (depth, id, source or step), depth first."""

    estimate: Estimate
    lines: tuple[tuple[int, str, Source | Step], ...]


def trace(folder: Path | str, number_id: str) -> Trace:
    """The way back of the number ``<step>/<quantity>`` in the assessment of the node in `folder`.

    Raises ProgrammeError if the node cannot be read, InputError if it was never assessed, or what was written then
    is damaged, or there is no such number.
    """
    programme = read_node(Path(folder)).programme
    place = Path(folder) / "assessment"
    answers = place / file_name("answers", "parquet", programme)
    ledger_file = place / file_name("ledger", "json", programme)
    try:
        table = pl.read_parquet(answers)
        ledger = Ledger.from_json(json.loads(ledger_file.read_text(encoding="utf-8")))
    except DAMAGED:
        raise InputError([Finding("not-assessed", {"node": Path(folder).resolve().name})]) from None
    rows = table.filter(pl.col("id") == number_id)
    if rows.is_empty():
        raise InputError([_no_such_number(table, number_id)])
    return Trace(_estimate(rows.row(0, named=True)), tuple(ledger.back(number_id.partition("/")[0])))


def _no_such_number(table: pl.DataFrame, number_id: str) -> Finding:
    step = number_id.partition("/")[0]
    near = table.filter(pl.col("step").str.starts_with(step))["id"].to_list() or table["id"].to_list()
    return Finding("no-such-number", {"number": number_id, "known": ", ".join(sorted(set(near))[:12])})


def _estimate(row: dict[str, Any]) -> Estimate:
    """An estimate from its row of the data products."""
    own = {f.name: row[f.name] for f in fields(Estimate) if f.name in row}
    return Estimate(**own, scope=Scope(**{f.name: row[f.name] for f in fields(Scope)}))
