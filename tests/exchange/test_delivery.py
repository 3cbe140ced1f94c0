"""delivery.toml: everything that is wrong with it is said at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.exchange import delivery as delivery_module
from sharedrange.exchange.delivery import FORMATS, Delivery, read_delivery, write_delivery

Make = Callable[[Mapping[str, str | bytes]], Path]
GOOD = """\
party = "north"
format = "captures"
crs = "EPSG:32652"
timezone = "Asia/Vladivostok"
encoding = "windows-1251"
taxon = "Panthera tigris"
detector = "count"
[sessions]
2024 = 2024-05-01
[occasions]
2024 = 60
[sexes]
1 = "male"
[files]
captures = "data/capt.txt"
[files.traps]
2024 = "data/trap24.txt"
"""


def test_a_declaration_is_read(make: Make) -> None:
    folder = make({"delivery.toml": b"\xef\xbb\xbf" + GOOD.encode()})
    delivery, found = read_delivery(folder, "north")
    assert found == ()
    assert delivery == Delivery(
        party="north",
        dataset=folder.name,
        format="captures",
        crs="EPSG:32652",
        timezone="Asia/Vladivostok",
        encoding="windows-1251",
        taxon="Panthera tigris",
        detector="count",
        sessions={"2024": "2024-05-01"},
        occasions={"2024": 60},
        sexes={"1": "male"},
        files={"captures": "data/capt.txt", "traps.2024": "data/trap24.txt"},
    )


def test_everything_wrong_is_said_at_once(make: Make) -> None:
    text = """\
party = "south"
format = "capture"
crs = "EPSG:999999"
timezone = "Asia/Vladivostock"
encoding = "klingon"
detector = "camera"
taxonn = "x"
[files]
captures = "../secret.csv"
[occasions]
a = 0
[sessions]
a = "May"
[sexes]
1 = "boy"
"""
    delivery, found = read_delivery(make({"delivery.toml": text}), "north")
    assert delivery is None
    assert sorted(f.rule for f in found) == [
        "party-differs",
        "path-escapes",
        "setting-type",
        "setting-type",
        "setting-type",
        "unknown-crs",
        "unknown-detector",
        "unknown-encoding",
        "unknown-format",
        "unknown-key",
        "unknown-timezone",
    ]
    nearest = {f.rule: f.facts["nearest"] for f in found if "nearest" in f.facts}
    assert nearest == {
        "unknown-key": "taxon",
        "unknown-format": "captures",
        "unknown-timezone": "Asia/Vladivostok",
    }


def test_a_missing_key_and_a_wrong_type_are_said(make: Make) -> None:
    found = read_delivery(make({"delivery.toml": "format = 3\nfiles = 'x'\ncrs = ''"}), "north")[1]
    assert [(f.rule, f.where.field) for f in found] == [
        ("missing-key", "party"),
        ("setting-type", "format"),
        ("setting-type", "files"),
    ]


@pytest.mark.parametrize(
    "content", ["party = ", "[" * 60_000, "x = " + "9" * 5000, b"\xff", "party = 'a'\nparty = 'b'"]
)
def test_what_is_not_toml_is_a_finding(make: Make, content: str | bytes) -> None:
    delivery, found = read_delivery(make({"delivery.toml": content}), "north")
    assert delivery is None
    assert [f.rule for f in found] in (["bad-toml"], ["not-encoding"])


def test_an_enormous_declaration_is_not_read(make: Make) -> None:
    found = read_delivery(make({"delivery.toml": "#" * 100_000}), "north")[1]
    assert [f.rule for f in found] == ["file-too-large"]


def test_a_folder_without_a_declaration_says_so(make: Make) -> None:
    assert [f.rule for f in read_delivery(make({"a.csv": ""}), "north")[1]] == ["no-delivery-toml"]


@pytest.mark.parametrize(
    "crs", ["EPSG:4978", "GCJ-02", "local:", "local:a b", "EPSG:5773", "{}", "[1]", "+proj=nothing"]
)
def test_a_frame_without_a_map_is_refused(make: Make, crs: str) -> None:
    text = f"party = 'n'\nformat = 'captures'\ncrs = '{crs}'"
    assert [f.rule for f in read_delivery(make({"delivery.toml": text}), "n")[1]] == ["unknown-crs"]


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(catalogue=texts, taxon=texts, sessions=st.dictionaries(texts, st.integers(1, 99), max_size=3))
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, catalogue: str, taxon: str, sessions: dict[str, int]
) -> None:
    folder = tmp_path_factory.mktemp("written")
    delivery = Delivery("n", folder.name, "captures", catalogue=catalogue, taxon=taxon, occasions=sessions)
    write_delivery(delivery, folder)
    assert read_delivery(folder, "n") == (delivery, ())


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.text(max_size=80), st.sampled_from(GOOD.splitlines()).map(lambda line: GOOD.replace(line, ""))))
def test_any_text_is_a_delivery_or_findings(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "delivery.toml").write_bytes(text.encode("utf-8", "replace"))
    delivery, found = read_delivery(folder, "north")
    assert (delivery is None) is bool(found)


# --- the page ---

PAGE = (Path(__file__).parents[2] / "docs" / "formats" / "delivery.md").read_text(encoding="utf-8")
TABLE_ROW = re.compile(r"^\| `([^`]+)` \|(.*)\|$", flags=re.MULTILINE)


def rows_of(heading: str) -> dict[str, str]:
    """First cell -> the rest, of the table below a heading of the page."""
    return dict(TABLE_ROW.findall(PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]))


def test_every_key_is_on_the_page_and_no_other() -> None:
    assert set(rows_of("Keys")) == {f.name for f in fields(Delivery)} - {"dataset"}


def test_every_key_that_a_door_reads_is_a_key() -> None:
    exchange = Path(delivery_module.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in exchange.rglob("*.py") if path.name != "delivery.py")
    read = set(re.findall(r"\bdelivery\.(\w+)", re.sub(r"exchange\.delivery|delivery\.toml", "", code)))
    assert read == {f.name for f in fields(Delivery)}


def test_every_name_of_a_file_is_on_the_page_by_format_and_no_other() -> None:
    documented = {name: tuple(re.findall(r"`([^`]+)`", rest)) for name, rest in rows_of("Files").items()}
    assert documented == dict(FORMATS)


def test_the_example_of_the_page_uses_only_known_keys(make: Make) -> None:
    example = PAGE.partition("```toml\n")[2].partition("```")[0]
    (told, found) = read_delivery(make({"delivery.toml": example}), "")
    assert {f.rule for f in found} <= {"file-not-found"}, [str(f) for f in found]
    assert told is not None or found
