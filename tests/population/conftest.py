"""Surveys in a few words, for the tests of counting."""

from __future__ import annotations

import doctest
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sharedrange.core.survey import DEPLOYMENTS, EFFORT, OBSERVATIONS, Survey, conform

TIGER = "Panthera tigris"
MakeSurvey = Callable[..., Survey]


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _timed(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with `start` and `end` as times; a start alone is a moment."""
    timed = []
    for row in rows:
        start = _at(row["start"])
        timed.append({**row, "start": start, "end": _at(row["end"]) if "end" in row else start})
    return timed


def _table(rows: list[dict[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    columns = sorted({name for row in rows for name in row})
    given = {name: [row.get(name) for row in rows] for name in columns}
    return conform(pl.DataFrame(given, schema={name: schema[name] for name in columns}), schema)


def _observations(rows: list[dict[str, Any]]) -> pl.DataFrame:
    common = {"type": "animal", "taxon": TIGER}
    return _table([{**common, "observation": f"o{i}", **row} for i, row in enumerate(rows)], OBSERVATIONS)


@pytest.fixture(scope="session")
def dated() -> MakeSurvey:
    """Make a dated survey: cameras (deployment -> columns), sightings and gaps as rows; times as ISO text, UTC."""

    def make(
        party: str,
        cameras: Mapping[str, Mapping[str, Any]],
        sightings: Iterable[Mapping[str, Any]] = (),
        gaps: Iterable[Mapping[str, Any]] = (),
        **more: Any,
    ) -> Survey:
        where = {"x": 0.0, "y": 0.0, "detector": "count"}
        stood = _timed({**where, "deployment": name, **columns} for name, columns in cameras.items())
        effort = _timed({"effort": 0.0, **gap} for gap in gaps)
        settings = {"dataset": "d", "frame": "local:grid", "dated": True, **more}
        return Survey(
            party,
            deployments=_table(stood, DEPLOYMENTS),
            observations=_observations(_timed(sightings)),
            effort=_table(effort, EFFORT),
            **settings,
        )

    return make


@pytest.fixture(scope="session")
def undated() -> MakeSurvey:
    """Make an undated survey: traps (name -> x, y), captures (session, code, occasion, trap) and sessions' lengths."""

    def make(
        party: str,
        traps: Mapping[str, tuple[float, float]],
        captures: Iterable[tuple[str, str, int, str]],
        sessions: Mapping[str, int],
        **more: Any,
    ) -> Survey:
        stood = [
            {"deployment": n, "station": n, "x": x, "y": y, "detector": "proximity"} for n, (x, y) in traps.items()
        ]
        effort = [
            {"deployment": name, "session": session, "occasion": k + 1, "effort": 1.0}
            for name in traps
            for session, occasions in sessions.items()
            for k in range(occasions)
        ]
        caught = [
            {"session": session, "individual": code, "occasion": occasion, "deployment": trap, "count": 1}
            for session, code, occasion, trap in captures
        ]
        settings = {"dataset": "d", "frame": "local:grid", "dated": False, "kind": "capture", **more}
        return Survey(
            party,
            deployments=_table(stood, DEPLOYMENTS),
            observations=_observations(caught),
            effort=_table(effort, EFFORT),
            **settings,
        )

    return make


@pytest.fixture(scope="session")
def failures_on_page() -> Callable[[str], int]:
    """Run the Python examples of an engine's page; how many do not say what the page says."""

    def run(engine: str) -> int:
        page = Path(__file__).parents[2] / "docs" / "engines" / f"{engine}.md"
        blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert blocks
        example = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, engine, str(page), 0)
        return doctest.DocTestRunner().run(example).failed

    return run
