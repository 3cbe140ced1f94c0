"""Boxes around animals in pictures: read where they are, counted nowhere, kept by the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sharedrange.core.contents import Delivered
from sharedrange.core.finding import Severity
from sharedrange.core.survey import BOXES, DEPLOYMENTS, MEDIA, OBSERVATIONS, Survey, conform
from sharedrange.exchange import camtrapdp
from sharedrange.exchange.doors import check_path
from sharedrange.exchange.store import Store

START = datetime(2026, 2, 1, tzinfo=UTC)
LEOPARD = "Panthera pardus orientalis"
BOX = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A package with an event of a leopard; of its two pictures one has a box, and one more has a person."""
    camera = {"deployment": ["d"], "station": ["s"], "x": [118.5], "y": [46.5], "start": [START],
              "end": [START + timedelta(days=30)]}  # fmt: skip
    taken = START + timedelta(days=1)
    media = {"media": ["m1", "m2", "m3"], "deployment": ["d"] * 3, "taken": [taken] * 3,
             "path": ["a.jpg", "b.jpg", "c.jpg"]}  # fmt: skip
    event = {"observation": ["o"], "deployment": ["d"], "event": ["e"], "start": [taken],
             "end": [taken], "type": ["animal"], "taxon": [LEOPARD], "count": [1], "individual": ["L1"],
             "catalogue": ["main"]}  # fmt: skip
    survey = Survey(
        "westfell", "cards", "EPSG:4326", dated=True, deployments=conform(pl.DataFrame(camera), DEPLOYMENTS),
        observations=conform(pl.DataFrame(event), OBSERVATIONS), media=conform(pl.DataFrame(media), MEDIA),
    )  # fmt: skip
    camtrapdp.write(survey, tmp_path / "cards", title="SIMULATED: cards")
    file = tmp_path / "cards" / "observations.csv"
    row = pl.read_csv(file, infer_schema=False)
    of_media = [
        row.with_columns(
            observationID=pl.lit(f"b{k}"), mediaID=pl.lit(name), observationLevel=pl.lit("media"),
            observationTags=pl.lit("flank:left"),
            **{column: pl.lit(text) for column, text in zip(BOX, box, strict=True)},
        )
        for k, (name, box) in enumerate([("m1", ("0.1", "0.2", "0.3", "0.4")), ("m2", (None,) * 4)])
    ]  # fmt: skip
    person = of_media[1].with_columns(
        observationID=pl.lit("p"), mediaID=pl.lit("m1"), observationType=pl.lit("human"),
        **dict.fromkeys(("scientificName", "individualID", "observationTags"), pl.lit(None, pl.String)),
    )  # fmt: skip
    pl.concat([row, *of_media, person]).write_csv(file)
    return tmp_path / "cards"


def read(folder: Path) -> Survey:
    """The survey of a package that is right."""
    content, _ = check_path(folder)
    assert content is not None
    assert content.survey is not None
    return content.survey


def test_of_a_picture_with_a_box_everything_is_told_and_the_animals_are_counted_once(folder: Path) -> None:
    survey = read(folder)
    assert survey.observations["observation"].to_list() == ["o"]
    assert survey.boxes.schema == BOXES
    told = survey.boxes.sort("type").select("media", "box_x", "box_height", "type", "individual", "catalogue", "flank")
    assert told.rows() == [
        ("m1", 0.1, 0.4, "animal", "L1", "main", "left"),
        ("m1", None, None, "human", None, None, None),
    ]


@pytest.mark.parametrize("wrong", ["left", "1.5", "-1"])
def test_a_wrong_box_is_a_warning_and_refuses_nothing(folder: Path, wrong: str) -> None:
    file = folder / "observations.csv"
    table = pl.read_csv(file, infer_schema=False)
    table.with_columns(bboxX=pl.when(pl.col("bboxX").is_not_null()).then(pl.lit(wrong))).write_csv(file)
    content, found = check_path(folder)
    assert content is not None
    about = [one for one in found if one.where.field == "bboxX"]
    assert [one.severity for one in about] == [Severity.WARNING]


def test_a_package_without_boxes_has_none(folder: Path) -> None:
    file = folder / "observations.csv"
    table = pl.read_csv(file, infer_schema=False)
    table.with_columns(pl.lit(None, pl.String).alias(name) for name in BOX).write_csv(file)
    assert read(folder).boxes.is_empty()


def test_the_store_keeps_boxes(folder: Path, tmp_path: Path) -> None:
    survey = read(folder)
    store = Store(tmp_path / "store")
    store.import_(Delivered(survey=survey), "0" * 64, reader="", notes="")
    kept = store.delivered((survey.party, survey.dataset, "0" * 64))
    assert kept is not None
    assert kept.survey is not None
    assert kept.survey.boxes.equals(survey.boxes)
