"""What the profile asks of datapackage.json: the same answers as its own JSON Schema gives."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, FormatChecker  # type: ignore[import-untyped]  # it comes without stubs

from sharedrange.core.finding import Finding, Severity
from sharedrange.exchange import camtrapdp
from sharedrange.exchange.camtrapdp.package import Package, find_package
from sharedrange.exchange.camtrapdp.profile import check_profile, rules
from sharedrange.exchange.camtrapdp.schema import VERSIONS
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.opening import open_path

Make = Callable[[Mapping[str, str | bytes]], Path]
OWN = Delivery("north", "cams", "camtrap-dp")
Said = dict[str, Any]
DELETE = object()
MUTATIONS: list[tuple[str, object]] = [
    *((key, DELETE) for key in ("created", "contributors", "project", "spatial", "temporal", "taxonomic")),
    *((f"project.{key}", DELETE) for key in ("title", "samplingDesign", "captureMethod", "individualAnimals")),
    ("project.observationLevel", DELETE),
    ("temporal.start", DELETE),
    ("temporal.end", "2024-13-01"),
    ("temporal.end", "May 2024"),
    ("taxonomic.0.scientificName", DELETE),
    ("taxonomic.0.taxonRank", "tribe"),
    ("taxonomic.0.taxonRank", "species"),
    ("taxonomic", []),
    ("taxonomic", "Panthera uncia"),
    ("contributors.0.role", "author"),
    ("contributors.0.role", "contact"),
    ("licenses.0.scope", DELETE),
    ("licenses.0.scope", "images"),
    ("project.samplingDesign", "random"),
    ("project.captureMethod", ["motionDetection"]),
    ("project.captureMethod", []),
    ("project.captureMethod", ["activityDetection", "timeLapse"]),
    ("project.individualAnimals", "yes"),
    ("project.observationLevel", ["sequence"]),
    ("project.observationLevel", "event"),
    ("project", "MICA"),
    ("spatial", "Altai"),
]


@pytest.fixture
def example(data: Path) -> Package:
    opened, _ = open_path(data / "camtrapdp_example")
    assert opened is not None
    package, _ = find_package(opened)
    assert package is not None
    return package


@pytest.fixture
def schema(data: Path) -> Draft7Validator:
    """The profile of the standard without what it takes from other sites."""
    profile = json.loads((data / "camtrapdp_schemas" / "camtrap-dp-profile.json").read_text())["allOf"][1]
    profile["properties"]["resources"] = {"type": "array", "minItems": 1}
    profile["properties"]["spatial"].pop("$ref")
    profile["properties"]["contributors"] |= {"type": "array", "minItems": 1}  # of the Data Package specification
    return Draft7Validator(profile, format_checker=FormatChecker())


def changed(said: Mapping[str, Any], path: str, value: object) -> Said:
    """A description with one place in it changed or taken away."""
    given: Said = copy.deepcopy(dict(said))
    holder: Any = given
    *above, last = path.split(".")
    for key in above:
        holder = holder[int(key)] if isinstance(holder, list) else holder[key]
    if value is DELETE:
        del holder[last]
    else:
        holder[last] = value
    return given


def of(package: Package, said: Mapping[str, Any]) -> list[Finding]:
    return check_profile(Package(package.opened, package.base, said))


def test_a_package_of_the_standard_itself_keeps_its_profile(example: Package, data: Path) -> None:
    assert check_profile(example) == []
    opened, _ = open_path(data / "camtrapdp_mica")
    assert opened is not None
    old, _ = find_package(opened)
    assert old is not None
    assert old.version == "0.1.6"
    assert check_profile(old) == []


@pytest.mark.parametrize(("path", "value"), MUTATIONS)
def test_the_profile_is_broken_where_its_schema_says_so(
    example: Package, schema: Draft7Validator, path: str, value: object
) -> None:
    said = changed(example.json, path, value)
    assert (of(example, said) == []) == schema.is_valid(said)


def test_all_missing_keys_are_one_warning_and_a_wrong_value_names_its_place(example: Package) -> None:
    said = changed(changed(example.json, "contributors", DELETE), "spatial", DELETE)
    said = changed(said, "taxonomic.1.taxonRank", "tribe")
    found = of(example, said)
    assert [f.rule for f in found] == ["package-keys-missing", "package-key-wrong"]
    assert found[0].facts["keys"] == "contributors, spatial"
    assert found[1].facts["key"] == "taxonomic[1].taxonRank"
    assert {f.severity for f in found} == {Severity.WARNING}


def test_the_words_of_a_version_are_its_own(example: Package) -> None:
    said = json.loads(json.dumps(dict(example.json)).replace("/1.0.2/", "/1.0-rc.1/"))
    assert of(example, changed(said, "project.captureMethod", ["motionDetection"])) == []
    assert all(rules(version) for version in VERSIONS)


def test_a_table_in_several_files_is_refused_with_its_reason(make: Make, data: Path) -> None:
    files = {p.name: p.read_bytes() for p in (data / "camtrapdp_example").iterdir()}
    said = json.loads(files["datapackage.json"])
    next(r for r in said["resources"] if r["name"] == "media")["path"] = ["media.csv", "more.csv"]
    survey, found = camtrapdp.read(make({**files, "datapackage.json": json.dumps(said)}), OWN)
    assert survey is None
    assert [(f.rule, f.facts["number"]) for f in found if f.severity is Severity.ERROR] == [("resource-in-parts", 2)]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["title", "start", "role"]), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["created", "contributors", "project", "temporal", "taxonomic"]), JSON))
def test_whatever_a_package_says_of_itself_only_findings_come_back(said: Said) -> None:
    opened, _ = open_path(Path(__file__).parent)
    assert opened is not None
    assert check_profile(Package(opened, "", {**said, "profile": "https://x.org/camtrap-dp/1.0.2/p.json"}))
