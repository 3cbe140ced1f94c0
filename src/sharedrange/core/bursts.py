"""Bursts: photographs of one animal at one place that follow each other are one encounter.

They belong together until half an hour passes without one, as is usual (O'Brien, Kinnaird & Wibisono 2003, Animal
Conservation 6:131-139).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

BURST_MINUTES = 30


def with_bursts(rows: pl.DataFrame, key: Sequence[str], minutes: float) -> pl.DataFrame:
    """Rows with the number of the burst that each belongs to (column `burst`), by `key` and time.

    A burst ends when `minutes` pass without a record; a record lasts from `start` to `end`.
    """
    ordered = rows.sort(*key, "start", "observation")
    ordered = ordered.with_columns(_who=pl.struct(key).rle_id())
    until = pl.max_horizontal("start", "end").cum_max().shift(1).over("_who")
    begins = until.is_null() | (pl.col("start") - until >= timedelta(minutes=minutes))
    return ordered.with_columns(burst=begins.cum_sum()).drop("_who")
