"""Crossings of a release come through its door as they were told, or with everything that is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from sharedrange.core.contents import Delivered
from sharedrange.core.finding import Finding
from sharedrange.core.release import CROSSINGS, MANIFEST, TABLES, file_of
from sharedrange.exchange.doors import read_delivered
from sharedrange.exchange.store import Store

OWNER, CAT = "westfell", "Panthera tigris"
FRAMES = {kind: {"resolution": resolution} for kind, resolution in (("survey", "month"), ("crossings", "quarter"))}
ROWS = {
    "stations": ["S-1,118.05,46.05,0.1,6800.0,,count"],
    "effort": ["S-1,2026-02-01,28.0"],
    "encounters": ["S-1,2026-02-01,Panthera tigris,I-1,main,female,adult,both,2"],
    "crossings": [f"{CAT},eastfell,2026-01-01,9,4", f"{CAT},eastfell,,12,", f"{CAT},north,,,"],
}


def read(folder: Path, crossings: list[str]) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """What the door makes of a release with these rows of crossings."""
    manifest = {
        "format": "sharedrange-release-1", "owner": OWNER, "timezone": "Asia/Shanghai", "frames": FRAMES,
        "grid": {"id": "geographic", "crs": "geographic", "sizes": [0.1]},
    }  # fmt: skip
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    for name, rows in (ROWS | {"crossings": crossings}).items():
        (folder / file_of(name)).write_text("\n".join([",".join(TABLES[name]), *rows, ""]), encoding="utf-8")
    (folder / "delivery.toml").write_text(f'party = "{OWNER}"\nformat = "released"\n', encoding="utf-8")
    content, _, found = read_delivered(folder, OWNER)
    return content, found


def test_crossings_come_in_beside_the_survey_and_out_of_the_store(tmp_path: Path) -> None:
    folder = tmp_path / "release"
    folder.mkdir()
    content, _ = read(folder, ROWS["crossings"])
    assert content is not None
    assert content.survey is not None
    assert content.crossings is not None
    assert (content.crossings.resolution, content.crossings.timezone) == ("quarter", "Asia/Shanghai")
    assert content.crossings.seasons.schema == CROSSINGS
    assert content.crossings.seasons.with_columns(pl.col("season").cast(pl.String)).rows() == [
        (CAT, "eastfell", "2026-01-01", 9, 4), (CAT, "eastfell", None, 12, None), (CAT, "north", None, None, None),
    ]  # fmt: skip
    store = Store(tmp_path / "store")
    store.import_(content, "s")
    back = store.delivered((OWNER, content.survey.dataset, "s"))
    assert back is not None
    assert back.crossings is not None
    assert back.crossings.seasons.equals(content.crossings.seasons)


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (f"{CAT},{OWNER},,9,4", "crossings-partner"),
        (f"{CAT},eastfell,2026-02-01,9,4", "released-period"),
        (f"{CAT},eastfell,,4,9", "out-of-range"),
        (f"{CAT},eastfell,,-4,", "out-of-range"),
        (f"{CAT},,,9,4", "missing-value"),
        (f"{CAT},eastfell,,nine,4", "not-a-whole-number"),
        (f"{CAT},north,,,", "released-twice"),
    ],
)
def test_what_no_release_says_is_refused(tmp_path: Path, row: str, rule: str) -> None:
    content, found = read(tmp_path, [f"{CAT},north,,,", row])
    assert content is None
    assert rule in {finding.rule for finding in found}
