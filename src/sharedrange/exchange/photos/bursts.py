"""Bursts: pictures that a camera took one after another."""

from __future__ import annotations

import polars as pl

APART_S = 60  # cameras wait 0 to 60 s between triggers; longer is another visit of whatever passed
BURSTS = pl.Schema({"media": pl.String(), "deployment": pl.String(), "burst": pl.Int64()})


def bursts(media: pl.DataFrame, apart_s: float = APART_S) -> pl.DataFrame:
    """Which pictures belong together, with the columns of BURSTS; `media` has those of a survey's media.

    A burst is a run of pictures of one deployment, each at most `apart_s` after the one before. Bursts are
    numbered from 1 by deployment and time. Pictures without a time are in no burst.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> at = [datetime(2024, 5, 1, 3, m, tzinfo=timezone.utc) for m in (0, 1, 5)]
    >>> media = pl.DataFrame({"media": ["a", "b", "c"], "deployment": ["d"] * 3, "taken": at})
    >>> bursts(media)["burst"].to_list()
    [1, 1, 2]
    """
    timed = media.filter(pl.col("taken").is_not_null()).sort("deployment", "taken", "media")
    pause = pl.col("taken").diff().over("deployment").dt.total_microseconds()
    begins = (pause.is_null() | (pause > apart_s * 1e6)).cast(pl.Int64).cum_sum()
    return timed.select("media", "deployment", begins.alias("burst")).cast(BURSTS)
