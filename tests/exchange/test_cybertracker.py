"""Door `cybertracker`: what a phone sends to a webhook becomes observations, each once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sharedrange.core.contents import PATROL_OBSERVATIONS
from sharedrange.core.finding import Finding, Severity
from sharedrange.exchange import cybertracker
from sharedrange.exchange.delivery import Delivery

Make = Callable[[Mapping[str, str | bytes]], Path]
PLAIN = Delivery("north", "phones", "cybertracker")
MODEL = "smart_configurable_model_smarter.xml"


@pytest.fixture
def files(data: Path) -> dict[str, bytes]:
    """The published payloads, with the configurable model that one of them was made with."""
    samples = sorted((data / "cybertracker").glob("*.json"))
    return {**{p.name: p.read_bytes() for p in samples}, MODEL: (data / "smart_models" / MODEL).read_bytes()}


def observations(folder: Path, delivery: Delivery = PLAIN) -> pl.DataFrame:
    delivered, found = cybertracker.read(folder, delivery)
    assert delivered is not None, [str(f) for f in found]
    assert delivered.patrols is not None
    return delivered.patrols.observations.sort("observation")


def told(folder: Path) -> dict[str, Finding]:
    delivered, found = cybertracker.read(folder, PLAIN)
    assert delivered is not None, [str(f) for f in found]
    return {f.rule: f for f in found}


def refused(folder: Path) -> list[str]:
    delivered, found = cybertracker.read(folder, PLAIN)
    assert delivered is None
    return [f.rule for f in found if f.severity is Severity.ERROR]


def test_records_of_smart_get_the_keys_of_the_data_model(make: Make, files: dict[str, bytes]) -> None:
    seen = observations(make(files))
    assert seen.schema == PATROL_OBSERVATIONS
    monkeys = seen.row(by_predicate=pl.col("observation") == "7cd1ca59fee64899a0cfcc5b4c1b2dcd", named=True)
    assert (monkeys["category"], monkeys["count"]) == ("animals.liveanimals", 3)
    assert json.loads(monkeys["attributes"]) == {
        "actiontakenliveanimals": "observedonly",
        "numberofadultmales": "3",
        "species": "chordata_rl.mammalia_rl.primates_rl",
        "threat": "none",
    }
    assert monkeys["at"].isoformat() == "2025-06-17T22:41:54.760000+00:00"
    assert (monkeys["x"], monkeys["y"]) == (11.4382, -0.43205)


def test_a_record_is_an_observation_and_the_head_of_a_sighting_is_none(make: Make, files: dict[str, bytes]) -> None:
    assert observations(make(files)).height == 3  # 1 of the first payload, 2 of the 3 records of the second


def test_without_a_model_the_fields_keep_their_ids_and_a_warning_says_so(make: Make, files: dict[str, bytes]) -> None:
    del files[MODEL]
    folder = make(files)
    assert told(folder)["category-unknown"].facts["rows"] == 2
    assert observations(folder).height == 3


def test_the_phone_and_its_user_enter_no_table(make: Make, files: dict[str, bytes]) -> None:
    folder = make(files)
    kept = observations(folder).write_csv() + str(told(folder))
    assert not any(word in kept for word in ("Justin", "42dc6a06650b4e4a889faf9819b88e4a", "Lilian"))
    assert "personal-left-out" in told(folder)


def test_a_list_lines_and_single_files_read_alike(make: Make, files: dict[str, bytes]) -> None:
    payloads = [json.loads(content) for name, content in files.items() if name != MODEL]
    model = {MODEL: files[MODEL]}
    alone = observations(make(files))
    assert_frame_equal(alone, observations(make({**model, "all.json": json.dumps(payloads)})))
    assert_frame_equal(alone, observations(make({**model, "all.jsonl": "\n".join(map(json.dumps, payloads))})))


def test_a_sighting_sent_twice_counts_once_and_an_edit_stands(make: Make, files: dict[str, bytes]) -> None:
    name = "webhook_payload_2.json"
    edited = json.loads(files[name])
    edited["updateTime"] = "2025-06-18T09:00:00.000+01:00"
    edited["records"][1]["values"][3]["value"] = 5
    once, twice = make(files), make({**files, "again.json": files[name]})
    assert_frame_equal(observations(once), observations(twice))
    assert told(twice)["delivered-twice"].facts["rows"] == 1
    for first, second in (("a.json", "b.json"), ("b.json", "a.json")):
        folder = make({MODEL: files[MODEL], first: files[name], second: json.dumps(edited)})
        assert 5 in observations(folder)["count"].to_list()
        assert told(folder)["submission-replaced"].facts["rows"] == 1


def test_a_payload_without_an_id_or_a_place_is_refused(make: Make, files: dict[str, bytes]) -> None:
    payload = json.loads(files["webhook_payload_1.json"])
    assert refused(make({"a.json": json.dumps({**payload, "uid": None})})) == ["no-instance-id"]
    assert "missing-value" in refused(make({"a.json": json.dumps({**payload, "location": None})}))


values: Any = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "value", "uid"]), inner),
    max_leaves=10,
)
keys = st.sampled_from(["uid", "createTime", "updateTime", "location", "project", "records"])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(keys, values, max_size=4), which=st.sampled_from([1, 2]))
def test_no_payload_makes_the_door_fall(
    make: Make, files: dict[str, bytes], changes: dict[str, Any], which: int
) -> None:
    payload = {**json.loads(files[f"webhook_payload_{which}.json"]), **changes}
    delivered, found = cybertracker.read(make({"a.json": json.dumps(payload), MODEL: files[MODEL]}), PLAIN)
    assert delivered is not None or any(f.severity is Severity.ERROR for f in found)
