"""What we write into CSV is never a formula, and reads back as it was."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.sheets import FORMULA, as_written, neutral


@given(st.lists(st.one_of(st.text(max_size=8), st.sampled_from(["=1+1", "'=1", "''", "-", "@x", "\tx"])), max_size=8))
@settings(deadline=None, max_examples=60)
def test_neutral_text_starts_no_formula_and_reads_back_as_it_was(texts: list[str]) -> None:
    table = pl.DataFrame({"t": texts}, schema={"t": pl.String})
    written = table.select(neutral(pl.col("t")).alias("t"))
    assert not written["t"].str.contains(FORMULA.replace("'", "")).any()
    assert written.select(as_written(pl.col("t")).alias("t")).equals(table)
