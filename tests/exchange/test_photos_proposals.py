"""What models say about pictures comes in as proposals, with the model's version, and never as observations."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharedrange.core.contents import PROPOSALS
from sharedrange.core.finding import Finding
from sharedrange.exchange.opening import open_path
from sharedrange.exchange.photos.proposals import read_proposals

Make = Callable[[Mapping[str, str | bytes]], Path]
MEDIA = {name: name for name in ("Кедр/IMG_1.JPG", "Кедр/IMG_2.JPG", "红松岭/IMG_1.JPG")}
LEOPARD = "0f1e;mammalia;carnivora;felidae;panthera;pardus;leopard"
BLANK = "f1856211;;;;;;blank"

MEGADETECTOR: dict[str, Any] = {
    "info": {
        "format_version": "1.3",
        "detector": "md_v5a.0.0.pt",
        "detector_metadata": {"megadetector_version": "v5a.0.0"},
        "classifier": "speciesnet 4.0.1a",
    },
    "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
    "classification_categories": {"0": "leopard", "1": "fox"},
    "classification_category_descriptions": {"0": LEOPARD},
    "images": [
        {
            "file": "Кедр/IMG_1.JPG",
            "detections": [
                {
                    "category": "1",
                    "conf": 0.9,
                    "bbox": [0.1, 0.2, 0.3, 0.4],
                    "classifications": [["1", 0.2], ["0", 0.7]],
                },
                {"category": "2", "conf": 0.4, "bbox": [0, 0, 1, 1]},
            ],
        },
        {"file": "D:\\cards\\2024\\Кедр\\IMG_2.JPG", "max_detection_conf": 0, "detections": []},
        {"file": "红松岭/IMG_1.JPG", "failure": "Failure image access", "detections": None},
        {"file": "elsewhere/IMG_7.JPG", "detections": []},
        {"file": "Кедр/IMG_1.JPG", "detections": [{"category": "9", "conf": 0.9, "bbox": [0, 0, 1, 1]}]},
        "nonsense",
    ],
}
SPECIESNET: dict[str, Any] = {
    "predictions": [
        {
            "filepath": "/data/survey/Кедр/IMG_1.JPG",
            "country": "RUS",
            "classifications": {"classes": [LEOPARD], "scores": [0.8]},
            "detections": [
                {"category": "1", "label": "animal", "conf": 0.5, "bbox": [0.5, 0.5, 0.1, 0.1]},
                {"category": "1", "label": "animal", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4]},
            ],
            "prediction": LEOPARD,
            "prediction_score": 0.8,
            "prediction_source": "classifier",
            "model_version": "4.0.1a",
        },
        {"filepath": "Кедр/IMG_2.JPG", "prediction": BLANK, "prediction_score": 0.99, "model_version": "4.0.1a"},
        {"filepath": "Кедр/IMG_2.JPG", "prediction": "f2ef;no cv result;no cv result", "model_version": "4.0.1a"},
        {"filepath": "红松岭/IMG_1.JPG", "failures": ["CLASSIFIER"], "model_version": "4.0.1a"},
    ]
}


def read(make: Make, content: object, name: str = "out.json") -> tuple[pl.DataFrame, list[Finding]]:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    opened, _ = open_path(make({name: text}))
    assert opened is not None
    table, found = read_proposals(opened, name, MEDIA)
    assert table.schema == PROPOSALS
    return table, found


def counts(found: list[Finding]) -> dict[str, object]:
    return {f.rule: f.facts.get("entries", f.facts.get("proposals")) for f in found}


def test_a_megadetector_file_becomes_a_row_a_detection_and_every_entry_is_accounted_for(make: Make) -> None:
    table, found = read(make, MEGADETECTOR)
    assert table.select(
        "media", "category", "confidence", "box_width", "taxon", "label", "label_confidence"
    ).rows() == [
        ("Кедр/IMG_1.JPG", "animal", 0.9, 0.3, "Panthera pardus", "leopard", 0.7),
        ("Кедр/IMG_1.JPG", "human", 0.4, 1.0, None, None, None),
        ("Кедр/IMG_2.JPG", "blank", None, None, None, None, None),
    ]
    assert set(table["model_version"]) == {"v5a.0.0"}
    assert table["classifier"].to_list() == ["speciesnet 4.0.1a", None, None]
    assert counts(found) == {
        "proposals-read": 3, "proposals-without-media": 1, "proposals-failed": 1, "proposals-unread": 2,
    }  # fmt: skip


def test_an_old_file_without_a_version_is_read_and_warned_of(make: Make) -> None:
    old = {"images": [{"file": "Кедр/IMG_1.JPG", "detections": []}], "detection_categories": {"1": "animal"}}
    table, found = read(make, old)
    assert table["model_version"].to_list() == [None]
    assert [f.rule for f in found] == ["proposals-read", "proposals-without-version"]
    table, _ = read(make, {**old, "info": {"detector": "megadetector_v4.1.pb"}})
    assert table["model_version"].to_list() == ["megadetector_v4.1.pb"]


def test_a_speciesnet_file_becomes_a_row_a_picture_with_its_surest_box(make: Make) -> None:
    table, found = read(make, SPECIESNET)
    columns = ("media", "category", "taxon", "confidence", "box_x", "label_confidence", "model", "model_version")
    assert table.select(columns).rows() == [
        ("Кедр/IMG_1.JPG", "animal", "Panthera pardus", 0.9, 0.1, 0.8, "SpeciesNet", "4.0.1a"),
        ("Кедр/IMG_2.JPG", "blank", None, None, None, 0.99, "SpeciesNet", "4.0.1a"),
    ]
    assert counts(found) == {"proposals-read": 2, "proposals-failed": 2}


def test_names_of_files_are_meant_from_the_folder_of_the_json_first(make: Make) -> None:
    entry = {"file": "IMG_1.JPG", "detections": []}
    content = {**MEGADETECTOR, "images": [entry]}
    assert read(make, content, "红松岭/out.json")[0]["media"].to_list() == ["红松岭/IMG_1.JPG"]
    assert counts(read(make, content)[1]) == {"proposals-read": 0, "proposals-without-media": 1}


def test_questions_to_a_model_are_no_answers(make: Make) -> None:
    table, found = read(make, {"instances": [{"filepath": "test_data/blank.jpg", "country": "USA"}]})
    assert table.is_empty()
    assert [f.rule for f in found] == ["unread-file"]


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"predictions": [' * 50_000, "nul", '{"a": 1' + "0" * 5000 + "}"]
)
def test_what_is_no_json_is_a_finding(make: Make, text: str) -> None:
    table, found = read(make, text)
    assert table.is_empty()
    assert [f.rule for f in found] in (["bad-json"], ["unread-file"])


@pytest.mark.parametrize(
    "bad", [{"conf": "NaN"}, {"conf": 2}, {"bbox": [1, 2]}, {"bbox": "abcd"}, {"classifications": [["7", 1]]}]
)
def test_a_detection_that_cannot_be_read_is_counted(make: Make, bad: dict[str, Any]) -> None:
    detection = {"category": "1", "conf": 0.5, "bbox": [0, 0, 1, 1], **bad}
    table, found = read(make, {**MEGADETECTOR, "images": [{"file": "Кедр/IMG_1.JPG", "detections": [detection]}]})
    assert table.is_empty()
    assert counts(found) == {"proposals-read": 0, "proposals-unread": 1}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 10**20)
    | st.floats()
    | st.sampled_from(["1", "Кедр/IMG_1.JPG", "x", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["file", "filepath", "detections", "prediction", "category", "conf", "bbox", "classifications"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(JSON, max_size=4), st.sampled_from(["images", "predictions"]), JSON)
def test_no_json_makes_the_door_crash_and_every_entry_is_counted(
    make: Make, entries: list[Any], where: str, info: Any
) -> None:
    content = {"info": info, "detection_categories": {"1": "animal"}, where: entries}
    table, found = read(make, content)
    counted = sum(int(f.facts["entries"] or 0) for f in found if "entries" in f.facts)
    assert counted <= len(entries) <= counted + table.height
