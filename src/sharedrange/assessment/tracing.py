"""The way back of a number: through steps and settings to the file or the package that it came from."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import polars as pl

from sharedrange.assessment.cache import DAMAGED
from sharedrange.assessment.programme import Programme, read_node
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
    """The way back of the number ``<step>/<quantity>`` in the assessments of the node in `folder`.

    The node's own is looked through first, then those for other readers.

    Raises ProgrammeError if the node cannot be read, InputError if it was never assessed, or what was written then
    is damaged, or there is no such number.
    """
    node = read_node(Path(folder))
    written = [place for place in _places(node.folder) if (_answers(place, node.programme)).is_file()]
    tables = [_read(place, node.programme) for place in written]
    if not tables:
        raise InputError([_not_assessed(node.folder)])
    for table, ledger in tables:
        rows = table.filter(pl.col("id") == number_id)
        if rows.height:
            return Trace(_estimate(rows.row(0, named=True)), tuple(ledger.back(number_id.partition("/")[0])))
    raise InputError([_no_such_number(pl.concat([table for table, _ in tables]), number_id)])


def _places(node: Path) -> list[Path]:
    """Where assessments of a node lie: its own, then those for other readers."""
    return [node / "assessment", *sorted(node.glob("assessment-for-*"))]


def _answers(place: Path, programme: Programme) -> Path:
    return place / file_name("answers", "parquet", programme)


def _read(place: Path, programme: Programme) -> tuple[pl.DataFrame, Ledger]:
    """The numbers of an assessment and their ledger. Raises InputError if what was written is damaged."""
    ledger = place / file_name("ledger", "json", programme)
    try:
        return pl.read_parquet(_answers(place, programme)), Ledger.from_json(json.loads(ledger.read_text("utf-8")))
    except DAMAGED:
        raise InputError([_not_assessed(place.parent)]) from None


def _not_assessed(node: Path) -> Finding:
    return Finding("not-assessed", {"node": node.resolve().name})


def _no_such_number(table: pl.DataFrame, number_id: str) -> Finding:
    step = number_id.partition("/")[0]
    near = table.filter(pl.col("step").str.starts_with(step))["id"].to_list() or table["id"].to_list()
    return Finding("no-such-number", {"number": number_id, "known": ", ".join(sorted(set(near))[:12])})


def _estimate(row: dict[str, Any]) -> Estimate:
    """An estimate from its row of the data products."""
    own = {f.name: row[f.name] for f in fields(Estimate) if f.name in row}
    return Estimate(**own, scope=Scope(**{f.name: row[f.name] for f in fields(Scope)}))
