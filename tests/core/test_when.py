"""The time that parties share, and what is said where they share none."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from sharedrange.core.common_time import common_window
from sharedrange.core.errors import NotEnoughData
from sharedrange.core.survey import DEPLOYMENTS, OBSERVATIONS, Survey, conform
from sharedrange.core.when import Window


def watched(party: str, first: int, last: int) -> Survey:
    """A camera of `party` that ran from one day of May 2024 to another."""
    times = {"start": [datetime(2024, 5, first, tzinfo=UTC)], "end": [datetime(2024, 5, last, tzinfo=UTC)]}
    deployments = conform(pl.DataFrame({"deployment": ["d1"], "station": ["d1"], **times}), DEPLOYMENTS)
    return Survey(party, "cams", "EPSG:4326", True, deployments, pl.DataFrame(schema=OBSERVATIONS))


def rules(surveys: list[Survey], asked: Window) -> list[str]:
    with pytest.raises(NotEnoughData) as refused:
        common_window(surveys, asked)
    return [found.rule for found in refused.value.refusal.findings]


def test_parties_that_never_watched_together_are_told_so() -> None:
    assert rules([watched("north", 1, 9), watched("south", 20, 29)], Window(timezone="UTC")) == ["no-common-window"]


def test_a_question_about_another_time_is_not_told_that_nobody_watched_together() -> None:
    asked = Window(date(2023, 1, 1), date(2023, 3, 1), "UTC")
    assert rules([watched("north", 1, 9), watched("south", 1, 9)], asked) == ["period-not-watched"]
