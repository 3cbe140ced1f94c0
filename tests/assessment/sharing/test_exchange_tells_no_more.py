"""What two packages tell together: the second tells of one more encounter that encounter, and of what stays nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from sharedrange.assessment import sharing
from sharedrange.sharing.release import surveys

if TYPE_CHECKING:
    from tests.assessment.sharing.conftest import Three

OWNER, DATASET = "westfell", "SIMULATED-cameras-2026"
FIRST_STATION = "W08-2026"
KNOWN = {
    "observationID": "one-more", "deploymentID": FIRST_STATION, "mediaID": "m00001", "eventID": "one-more",
    "eventStart": "2026-02-14T03:21:43+08:00", "eventEnd": "2026-02-14T03:21:43+08:00", "observationLevel": "media",
    "observationType": "animal", "scientificName": "Panthera pardus orientalis", "count": "1", "lifeStage": "adult",
    "sex": "female", "individualID": "F3", "observationTags": "flank:both",
}  # fmt: skip


def add(three: Three, **changes: str) -> None:
    """One more observation in the owner's own delivery."""
    (file,) = (three.node(OWNER) / "own" / DATASET).glob("*-observations.csv")
    table = pl.read_csv(file, infer_schema=False)
    row = {column: {**KNOWN, **changes}.get(column) or None for column in table.columns}
    pl.concat([table, pl.DataFrame([row], schema=table.schema)]).write_csv(file)


def told(three: Three) -> tuple[dict[str, list[Any]], Any]:
    """What a recipient would be told: the rows of every table, and the manifest."""
    seen = sharing.preview(three.node(OWNER), three.asked())
    return {name: table.rows() for name, table in seen.tables.items()}, dict(seen.manifest)


@pytest.fixture
def after_one(sent: tuple[Three, Path]) -> Three:
    """Three nodes of which one has released what it had."""
    return sent[0]


def test_one_more_encounter_is_all_that_the_second_package_tells(after_one: Three) -> None:
    before, manifest = told(after_one)
    add(after_one)
    after, same = told(after_one)
    assert same == manifest
    assert after["stations"] == before["stations"]
    assert after["effort"] == before["effort"]
    new = [row for row in after["encounters"] if row not in before["encounters"]]
    gone = [row for row in before["encounters"] if row not in after["encounters"]]
    assert len(new) == 1
    assert len(gone) <= 1
    assert all(row[:-1] == new[0][:-1] and row[-1] + 1 == new[0][-1] for row in gone)
    assert len(after["encounters"]) == len(before["encounters"]) + 1 - len(gone)


@pytest.mark.parametrize(
    "changes",
    [
        {"observationType": "human", "scientificName": "Homo sapiens", "individualID": "", "lifeStage": "", "sex": ""},
        {"observationType": "vehicle", "scientificName": "", "individualID": "", "lifeStage": "", "sex": ""},
        {"scientificName": "Moschus moschiferus", "individualID": "M1"},
        {"observationComments": "at the spring, seen by Ivan", "observationType": "blank", "individualID": "",
         "scientificName": "", "count": "", "lifeStage": "", "sex": ""},
        # within half an hour of the same animal at the same station: one encounter with it
        {"eventStart": "2026-01-29T05:29:10+08:00", "eventEnd": "2026-01-29T05:29:10+08:00"},
    ],
)  # fmt: skip
def test_of_what_stays_the_second_package_tells_nothing(after_one: Three, changes: dict[str, str]) -> None:
    before = told(after_one)
    add(after_one, **changes)
    assert told(after_one) == before


def test_a_station_that_moves_in_its_cell_and_gets_another_name_tells_nothing(after_one: Three) -> None:
    """Its pseudonym stays where its name stays; a new name is a new station, and nothing else."""
    before, manifest = told(after_one)
    (file,) = (after_one.node(OWNER) / "own" / DATASET).glob("*-deployments.csv")
    text = file.read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith(FIRST_STATION))
    latitude = row.split(",")[3]
    file.write_text(text.replace(latitude, f"{float(latitude) + 0.0123:.6f}"), encoding="utf-8")
    assert told(after_one) == (before, manifest)


def test_tightening_an_agreement_lets_no_more_rows_leave(strangers: Three) -> None:
    """The rules of the tight text are those of the loose one, and one that gives less."""
    strangers.agree()
    loose, _ = told(strangers)
    tight = strangers.text.replace("delay_days = 90", "delay_days = 260\nsuppress_below = 3").replace('"sex", ', "")
    (file,) = (strangers.node(OWNER) / "agreements").glob("*.toml")
    file.write_text(tight, encoding="utf-8")
    strangers.sign(OWNER)
    (theirs,) = (strangers.node("secretariat") / "agreements").glob("*.toml")
    theirs.write_text(tight, encoding="utf-8")
    strangers.sign("secretariat")
    strangers.courier("secretariat", OWNER)
    after, _ = told(strangers)
    assert 0 < len(after["encounters"]) < len(loose["encounters"])
    for name, rows in after.items():
        assert len(rows) <= len(loose[name])
    known = {(row[1], row[2]): row for row in loose["encounters"]}
    assert {(row[1], row[2]) for row in after["encounters"]} <= set(known)
    assert all(row[5] is None for row in after["encounters"])
    assert all(row[-1] is None or row[-1] >= 3 for row in after["encounters"])


def test_what_leaves_does_not_depend_on_how_many_stations_are_worked_out_at_once(
    after_one: Three, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = told(after_one)
    monkeypatch.setattr(surveys, "_ROWS_AT_ONCE", 10)
    assert told(after_one) == together
