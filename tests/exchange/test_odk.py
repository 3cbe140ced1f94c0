"""Door `odk`: forms come back without a mapping, and importing a day twice changes nothing."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sharedrange.core.contents import COUNTS, VISITS, Delivered
from sharedrange.core.finding import Finding, Severity
from sharedrange.exchange import forms, odk
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.odk import History, Submission, answers, current, merge_submissions

Make = Callable[[Mapping[str, str | bytes]], Path]
PLAIN = Delivery("north", "forms", "odk")
CENTRAL = ("sharedrange-sign-transect.csv", "sharedrange-sign-transect-sign_seen.csv")


@pytest.fixture
def central(data: Path) -> dict[str, bytes]:
    """The tables of ODK Central's export."""
    return {name: (data / "odk" / "central" / name).read_bytes() for name in CENTRAL}


def delivered(folder: Path, delivery: Delivery = PLAIN) -> Delivered:
    content, found = odk.read(folder, delivery)
    assert content is not None, [str(f) for f in found]
    return content


def notes(folder: Path) -> dict[str, Finding]:
    content, found = odk.read(folder, PLAIN)
    assert content is not None, [str(f) for f in found]
    return {f.rule: f for f in found}


def refused(folder: Path, delivery: Delivery = PLAIN) -> list[str]:
    content, found = odk.read(folder, delivery)
    assert content is None
    return [f.rule for f in found if f.severity is Severity.ERROR]


def zipped(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


# --- our forms ---


def test_transects_come_back_with_their_effort_and_signs(make: Make, central: dict[str, bytes]) -> None:
    counts = delivered(make(central)).counts
    assert counts is not None
    assert (counts.visits.schema, counts.counts.schema, counts.frame) == (VISITS, COUNTS, "EPSG:4326")
    assert counts.visits.select("site", "method", "effort", "effort_unit", "observers", "complete").rows() == [
        ("T-1", "snow-track-transect", 8.4, "km", 2, True),
        ("T-2", "snow-track-transect", 6.1, "km", 2, True),
    ]
    first = counts.visits["visit"][0]
    assert counts.counts.select("visit", "taxon", "sign", "count").rows() == [
        (first, "Panthera tigris altaica", "track", 1),
        (first, "Lynx lynx", "track", 2),
    ]


def test_a_folder_a_zip_and_a_zip_in_a_folder_read_alike(make: Make, tmp_path: Path, central: dict[str, bytes]) -> None:
    archive = tmp_path / "export.zip"
    archive.write_bytes(zipped(central))
    plain = delivered(make(central)).counts
    for other in (delivered(archive).counts, delivered(make({"export.zip": archive.read_bytes()})).counts):
        assert plain is not None
        assert other is not None
        assert_frame_equal(plain.visits, other.visits)
        assert_frame_equal(plain.counts, other.counts)


def test_a_count_of_zero_stays_a_zero(make: Make, data: Path) -> None:
    counts = delivered(make({"k.json": (data / "odk" / "waterbirds_kobo.json").read_bytes()})).counts
    assert counts is not None
    assert counts.counts.select("taxon", "count", "exactness").rows() == [
        ("Grus monacha", 14, "exact"),
        ("Platalea minor", 0, "exact"),
    ]
    assert counts.visits["cover_share"].to_list() == [0.75, 1.0]
    assert counts.visits["visit"][1] == "uuid:bbbbbbbb-0000-4000-8000-000000000002"  # the id before the edit


def test_a_camera_visit_is_a_deployment_with_its_gaps(make: Make, data: Path) -> None:
    folder = make({"c.json": (data / "odk" / "cameras_central.json").read_bytes()})
    survey = delivered(folder).survey
    assert survey is not None
    assert survey.deployments.select("station", "x", "y", "uncertainty_m", "camera_type").rows() == [
        ("S-01", 131.2, 43.1, 4.0, "Example 300")
    ]
    assert survey.effort.select("reason", "effort").rows() == [("snow", 0.0)]
    assert survey.effort["deployment"][0] == survey.deployments["deployment"][0]
    assert notes(folder)["camera-set-up"].facts["station"] == "S-02"  # the row without an end is told


def test_a_broken_camera_without_a_gap_is_doubtful(make: Make, data: Path) -> None:
    content = json.loads((data / "odk" / "cameras_central.json").read_text())
    content["value"][0]["gap"] = []
    assert "camera-state-without-gap" in notes(make({"c.json": json.dumps(content)}))


def test_an_expedition_day_is_a_patrol(make: Make, data: Path) -> None:
    patrols = delivered(make({"e.csv": (data / "odk" / "expedition_kobo.csv").read_bytes()})).patrols
    assert patrols is not None
    assert patrols.patrols.select("patrol", "transport", "distance_km", "hours", "people").rows() == [
        ("KH-2024-1", "horse", 27.5, 9.5, 4)
    ]


def _answer(field: Mapping[str, Any], choices: Mapping[str, Any]) -> str:
    """Some good answer to a question."""
    if field["name"] in choices:
        return str(next(name for name, value in choices[field["name"]].items() if value))
    kinds = {"integer": "3", "decimal": "2.5", "geopoint": "43.1 131.2 100 5"}
    later = field["name"].endswith(("ended", "end", "visited"))
    times = "2024-05-01T1{}:00:00.000+10:00".format("5" if later else "1")
    return times if field["type"] == "dateTime" else kinds.get(field["type"], "A")


@pytest.mark.parametrize("form", forms.FORMS)
def test_every_form_of_ours_comes_back_without_a_mapping(make: Make, form: str) -> None:
    fields = forms.form_table(form).to_dicts()
    asked = [f for f in fields if f["type"] not in ("begin_repeat", "end_repeat", "calculate", "image")]
    given: dict[str, Any] = {f["name"]: _answer(f, forms.values(form)) for f in asked if not f["repeat"]}
    for repeat in {f["repeat"] for f in asked if f["repeat"]}:
        given[repeat] = [{f["name"]: _answer(f, forms.values(form)) for f in asked if f["repeat"] == repeat}]
    record = {"__id": "uuid:1", **given}
    content = delivered(make({"any-name.json": json.dumps({"value": [record]})}))
    filled = {table for table, _ in forms.targets(form).values()}
    tables: dict[str, pl.DataFrame] = {}
    if content.survey is not None:
        tables |= {"deployments": content.survey.deployments, "effort": content.survey.effort}
    if content.counts is not None:
        tables |= {"visits": content.counts.visits, "counts": content.counts.counts}
    if content.patrols is not None:
        tables |= {"patrols": content.patrols.patrols, "patrol_observations": content.patrols.observations}
    assert {table: tables[table].height for table in filled} == dict.fromkeys(filled, 1)
    known = answers.form(form)
    assert set(known.fields) == set(forms.targets(form))


def test_a_choice_that_the_form_does_not_offer_is_refused(make: Make, central: dict[str, bytes]) -> None:
    name = CENTRAL[1]
    central[name] = central[name].replace(b"panthera_tigris_altaica", b"tigger")
    assert "unknown-choice" in refused(make(central))


def test_a_repeat_without_its_submission_is_refused(make: Make, central: dict[str, bytes]) -> None:
    name = CENTRAL[0]
    central[name] = b"\n".join(central[name].splitlines()[:1] + central[name].splitlines()[2:]) + b"\n"
    assert refused(make(central)) == ["repeat-without-parent"]


def test_repeats_that_contain_each_other_end(make: Make, central: dict[str, bytes]) -> None:
    header = b"sign,PARENT_KEY,KEY\n"
    loops = b"".join(b"track,k%d,k%d\n" % (n, n + 1) for n in range(500)) + b"track,k500,k0\n"
    central[CENTRAL[1]] = header + loops
    assert "repeat-without-parent" in refused(make(central))


# --- other forms ---


def test_a_form_of_their_own_is_read_by_their_mapping(make: Make, data: Path) -> None:
    files = {name: (data / "odk" / name).read_bytes() for name in ("other_form.csv", "mapping.toml")}
    patrols = delivered(make(files)).patrols
    assert patrols is not None
    assert patrols.observations.select("category", "threat", "count", "x", "y").rows() == [
        ("livestock", "livestock", 40, 91.2, 48.1),
        ("camp", "poaching-camp", 1, 91.3, 48.2),
    ]
    assert refused(make({"other_form.csv": files["other_form.csv"]})) == ["needs-mapping"]


# --- the same again ---


def test_importing_a_day_twice_changes_nothing(make: Make, central: dict[str, bytes]) -> None:
    day = zipped(central)
    once, twice = make({"monday.zip": day}), make({"monday.zip": day, "tuesday.zip": day})
    assert_frame_equal(_visits(once), _visits(twice))
    assert notes(twice)["delivered-twice"].facts["rows"] == 2


def _visits(folder: Path) -> Any:
    counts = delivered(folder).counts
    assert counts is not None
    return counts.visits


def test_an_edit_stands_and_the_old_version_is_told(make: Make, central: dict[str, bytes]) -> None:
    name = CENTRAL[0]
    edited = {**central, name: central[name].replace(b",8.4,km", b",9.9,km").replace(b"collect:1,0,", b"collect:1,1,")}
    for files in (
        {"a.zip": zipped(central), "b.zip": zipped(edited)},
        {"b.zip": zipped(central), "a.zip": zipped(edited)},
    ):
        folder = make(files)
        assert sorted(_visits(folder)["effort"]) == [6.1, 9.9]
        assert notes(folder)["submission-replaced"].facts["rows"] == 1


def test_two_answers_of_one_time_are_told(make: Make, central: dict[str, bytes]) -> None:
    other = {**central, CENTRAL[0]: central[CENTRAL[0]].replace(b",8.4,km", b",9.9,km")}
    assert "submission-unsettled" in notes(make({"a.zip": zipped(central), "b.zip": zipped(other)}))


ids = st.sampled_from(["uuid:a", "uuid:b", "uuid:c", "uuid:d"])
submission = st.builds(
    Submission,
    instance=ids,
    form=st.just("f"),
    answers=st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["1", "2"]), max_size=2),
    root=st.one_of(st.just(""), ids),
    deprecated=st.one_of(st.just(""), ids),
    edits=st.integers(0, 2),
    at=st.sampled_from(["", "2024-01-01", "2024-01-02"]),
    file=st.sampled_from(["a", "b"]),
    row=st.integers(0, 3),
)
histories = st.lists(submission, max_size=6).map(History.of)


@settings(deadline=None, max_examples=60)
@given(a=histories, b=histories, c=histories)
def test_merging_is_a_union_whatever_the_order_and_however_often(a: History, b: History, c: History) -> None:
    both = merge_submissions(a, b)
    assert merge_submissions(a, a) == a
    assert both == merge_submissions(b, a)
    assert merge_submissions(both, c) == merge_submissions(a, merge_submissions(b, c))
    assert merge_submissions(both, b) == both
    shown = current(both)
    assert shown == current(merge_submissions(b, a))
    assert len(shown.shown) + len(shown.superseded) == len(both.versions)


def test_a_replacement_stands_even_if_a_clock_says_otherwise() -> None:
    old = Submission("uuid:old", "f", {"n": "1"}, at="2025-01-01")
    new = Submission("uuid:new", "f", {"n": "2"}, deprecated="uuid:old", at="2024-01-01")
    newest = replace(new, instance="uuid:newest", deprecated="uuid:new", answers={"n": "3"})
    now = current(merge_submissions(History.of([newest, old]), History.of([new])))
    assert [one.instance for one in now.shown] == ["uuid:newest"]
    assert {one.instance for one in now.superseded} == {"uuid:old", "uuid:new"}


# --- hostile ---


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["__id", "_uuid", "station", "location", "gap", "site", "bird", "meta", "started", "__system"])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(st.dictionaries(names, json_values, max_size=6), max_size=3), wrap=st.booleans())
def test_no_json_makes_the_door_fall(make: Make, records: list[dict[str, Any]], wrap: bool) -> None:
    text = json.dumps({"value": records} if wrap else records)
    content, found = odk.read(make({"a.json": text}), PLAIN)
    assert content is not None or any(f.severity is Severity.ERROR for f in found)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 1500), junk=st.binary(max_size=30), which=st.sampled_from(CENTRAL))
def test_no_broken_table_makes_the_door_fall(
    make: Make, central: dict[str, bytes], cut: int, junk: bytes, which: str
) -> None:
    broken = {**central, which: central[which][:cut] + junk + central[which][cut + 5 :]}
    content, found = odk.read(make(broken), PLAIN)
    assert content is not None or any(f.severity is Severity.ERROR for f in found)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("[" * 5000, "too-deep"),
        ('{"a":1,"a":2}', "bad-json"),
        ('{"__id":"\\ud800"}', "bad-json"),
        ("[1, NaN]", "bad-json"),
    ],
)
def test_hostile_json_is_refused(make: Make, text: str, rule: str) -> None:
    assert refused(make({"a.json": text})) == [rule]
