"""What was computed once is not computed again, and comes back equal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from sharedrange.assessment import cache as caching
from sharedrange.assessment.cache import Cache
from sharedrange.assessment.checkpoint import Checkpoint
from sharedrange.core.answer import Answer, Estimate, Refusal, Scope
from sharedrange.core.finding import Finding, Severity, Where

ANSWER = Answer(
    estimates=(Estimate("N", 57.1, "animals", 46.0, 71.0, 6.2, scope=Scope(taxon="Panthera pardus")),),
    parameters=("log_D",),
    covariance=((0.0118,),),
    tables={"fit": pl.DataFrame({"model": ["HHN"], "logLik": [-12.5]}), "empty": pl.DataFrame()},
    findings=(Finding("few-recaptures", {"recaptures": 12}, Where(table="captures", row=3), Severity.WARNING),),
)


def test_an_answer_comes_back_equal(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("s", ANSWER)
    back = cache.get("s")
    assert back is not None
    assert replace(back, tables={}) == replace(ANSWER, tables={})
    assert all(back.tables[name].equals(table) for name, table in ANSWER.tables.items())


def test_a_refusal_comes_back_equal(tmp_path: Path) -> None:
    refused = Answer(refusal=Refusal("q", {"n": 2}, {"n": 5}, ("population.rates",), (Finding("x"),)))
    Cache(tmp_path).put("s", refused)
    assert Cache(tmp_path).get("s") == refused


def test_what_was_never_computed_is_unknown(tmp_path: Path) -> None:
    assert Cache(tmp_path).get("s") is None


def test_other_code_recomputes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Cache(tmp_path).put("s", ANSWER)
    monkeypatch.setattr(caching, "code_hash", lambda: "another")
    assert Cache(tmp_path).get("s") is None


def test_a_checkpoint_outlives_the_process_until_the_work_is_done(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    Checkpoint(file)["beta"] = [1.0, 2.0]
    again = Checkpoint(file)
    assert dict(again) == {"beta": [1.0, 2.0]}
    again.done()
    assert not file.exists()
