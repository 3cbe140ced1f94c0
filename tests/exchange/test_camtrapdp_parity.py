"""The validator finds what Frictionless finds: the same table, field, row and kind, for defects of every kind.

Defects are sown into the official example, many in one package. Where the two differ on purpose, a test says how.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from frictionless import Package, system
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharedrange.exchange.camtrapdp.checking import examine
from sharedrange.exchange.camtrapdp.schema import TABLES, Field, schemas
from sharedrange.exchange.delivery import Delivery

EXCHANGE = Path(__file__).parent.parent / "data" / "exchange"
OWN = Delivery("north", "cams", "camtrap-dp")
PROFILE = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2/camtrap-dp-profile.json"
SCHEMAS = schemas("1.0.2")
Key = tuple[str, str, int, str]  # table, field, row, kind

TYPE, CONSTRAINT, UNIQUE, FOREIGN, WIDTH, BLANK = "type", "constraint", "unique", "foreign key", "width", "blank"
OURS = {
    **dict.fromkeys(("not-a-number", "not-a-whole-number", "not-true-or-false", "bad-coordinate"), TYPE),
    **dict.fromkeys(("not-a-time", "time-form", "missing-timezone", "time-skipped-or-twice"), TYPE),
    **dict.fromkeys(("missing-value", "unknown-word", "word-spelling", "out-of-range", "pattern-broken"), CONSTRAINT),
    **dict.fromkeys(("unknown-deployment", "unknown-media"), FOREIGN),
    "duplicate-id": UNIQUE,
    "ragged-row": WIDTH,
    "empty-row": BLANK,
}
THEIRS = {
    "type-error": TYPE,
    "constraint-error": CONSTRAINT,
    "unique-error": UNIQUE,
    "foreign-key": FOREIGN,
    "extra-cell": WIDTH,
    "missing-cell": WIDTH,
    "blank-row": BLANK,
}


@dataclass(frozen=True)
class Defect:
    """A cell to be overwritten; `row` counts records from 0, `value` None repeats the id of the record before."""

    table: str
    field: str
    row: int
    value: str | None


# --- the example, as lists ---


def example() -> dict[str, list[list[str]]]:
    """Table -> records, the header first; small enough for hundreds of runs."""
    tables = {}
    for name in TABLES:
        with (EXCHANGE / "camtrapdp_example" / f"{name}.csv").open(newline="", encoding="utf-8") as stream:
            tables[name] = list(csv.reader(stream))
    tables["media"] = tables["media"][:121]
    known = {record[0] for record in tables["media"]} | {"", "mediaID"}
    tables["observations"] = [record for record in tables["observations"] if record[2] in known]
    return tables


EXAMPLE = example()


def sown(defects: Sequence[Defect]) -> dict[str, list[list[str]]]:
    """The example with defects in it."""
    tables = {name: [list(record) for record in records] for name, records in EXAMPLE.items()}
    for defect in defects:
        column = tables[defect.table][0].index(defect.field)
        row = 1 + defect.row % (len(tables[defect.table]) - 1)
        value = tables[defect.table][row - 1 or 2][column] if defect.value is None else defect.value
        tables[defect.table][row][column] = value
    return tables


def written(folder: Path, tables: dict[str, list[list[str]]]) -> Path:
    """A package of these tables, its schemas beside it: one description for us, one for Frictionless."""
    folder.mkdir(parents=True, exist_ok=True)
    resources = []
    for name, records in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows(records)
        schema = f"{name}-table-schema.json"
        shutil.copy(EXCHANGE / "camtrapdp_schemas" / schema, folder / schema)
        dialect = {"csv": {"delimiter": ",", "quoteChar": '"', "skipInitialSpace": False}}
        resources.append({"name": name, "path": f"{name}.csv", "type": "table", "schema": schema, "dialect": dialect})
    (folder / "frictionless.json").write_text(json.dumps({"name": "x", "resources": resources}))
    plain = [{"name": name, "path": f"{name}.csv"} for name in tables]
    (folder / "datapackage.json").write_text(json.dumps({"profile": PROFILE, "resources": plain}))
    return folder


# --- both sides ---


def theirs(folder: Path) -> set[Key]:
    with system.use_context(trusted=True):
        report = Package(str(folder / "frictionless.json")).validate(limit_errors=100_000)
    found = {_key(task.name, error) for task in report.tasks for error in task.errors if error.type in THEIRS}
    others = {error.type for task in report.tasks for error in task.errors} - THEIRS.keys() - {"primary-key"}
    assert not others, others
    ragged = {(table, row) for table, _, row, kind in found if kind == WIDTH}
    return {key for key in found if key[3] == WIDTH or (key[0], key[2]) not in ragged}


def _key(table: str, error: Any) -> Key:
    kind = THEIRS[error.type]
    field = error.field_names[0] if kind == FOREIGN else "" if kind in (WIDTH, BLANK) else error.field_name
    return table, field, error.row_number, kind


def ours(folder: Path) -> set[Key]:
    _, all_broken, found = examine(folder, OWN)
    assert {f.rule for f in found} <= {"not-carried", "package-keys-missing"}  # these packages say nothing but tables
    return {
        (b.table, b.field or "", row, OURS[b.rule])
        for b in all_broken
        if b.rule in OURS
        for row in b.rows[" line"].to_list()
    }


# --- defects of every kind ---


def values(field: Field) -> Iterator[str | None]:
    """Texts that a column may not hold, and texts that only look as if it may not."""
    if field.required:
        yield from ("", "NA", "nan")
    if field.words:
        yield from ("zebra", field.words[0].upper(), f" {field.words[0]}")
    if field.unique:
        yield None
    yield from {
        "integer": ("x", "5.0", "1.5", "1e3", " 5 ", "+7", "--1"),
        "number": ("x", "1,5", "1.5.", "1e1", " 0.5", ".5", "1."),
        "boolean": ("yes", "tRUE", "TRUE", "1", "0", " true", "2"),
        "datetime": (
            *("yesterday", "2020-13-01T00:00:00Z", "2020-02-30T00:00:00Z", "2020-05-30T24:00:00Z", "30/05/2020 04:57"),
            *("2020-05-30 04:57:37+02:00", "2020-05-30T04:57:37", "2020-05-30T04:57Z", "2020-05-30T04:57:60Z"),
            *("2020-05-30T04:57:37.5Z", "2020-05-30T04:57:37+0200", "2020-5-3T4:5:6Z", "2020-05-30T04:57:37+02:00 "),
            *("2020-05-30T04:57:37+25:00", "2020-05-30T04:57:37z", "2020-05-30", "2020-05-30T04:57:37ZZ"),
        ),
    }.get(field.type, ())
    if field.low is not None:
        yield from (f"{field.low - 1:g}", f"{field.low:g}")
    if field.high is not None:
        yield from (f"{field.high + 1:g}", f"{field.high:g}")
    if field.name == "filePath":
        yield from ("../a.jpg", "/a.jpg", "~/a.jpg", ".a.jpg", "a/../b.jpg", "a..jpg", "a b/ü.jpg")
    if field.name == "fileMediatype":
        yield from ("text/plain", "image", "Image/jpeg", "video/", "ximage/jpeg")


def catalogue() -> list[tuple[str, str, str | None]]:
    """Every kind of defect of every column: table, column, value."""
    plain = [(name, field.name, value) for name in TABLES for field in SCHEMAS[name].fields for value in values(field)]
    keys = [(name, ref.field, "stranger") for name in TABLES for ref in SCHEMAS[name].references]
    return [*plain, *keys]


CATALOGUE = catalogue()
BATCHES = 24


def test_the_catalogue_holds_at_least_two_hundred_defects_of_every_kind() -> None:
    assert len(CATALOGUE) >= 200
    assert {table for table, _, _ in CATALOGUE} == set(TABLES)
    constrained = {(name, f.name) for name in TABLES for f in SCHEMAS[name].fields if f.required or f.words or f.unique}
    assert constrained <= {(table, field) for table, field, _ in CATALOGUE}


@pytest.mark.parametrize("batch", range(BATCHES))
def test_the_same_table_field_row_and_kind_as_frictionless(batch: int, tmp_path: Path) -> None:
    chance = random.Random(20_240 + batch)
    defects = [Defect(t, f, chance.randrange(10_000), v) for t, f, v in CATALOGUE[batch::BATCHES] if t != "deployments"]
    few = [Defect(t, f, chance.randrange(4), v) for t, f, v in CATALOGUE[batch::BATCHES] if t == "deployments"]
    folder = written(tmp_path, sown([*defects, *few]))
    expected = theirs(folder)
    assert expected
    assert ours(folder) == expected


def test_every_kind_of_the_catalogue_is_found_one_defect_at_a_time(tmp_path: Path) -> None:
    """One of each kind of error alone in a package, so that none hides behind another."""
    kinds: Counter[str] = Counter()
    for number, (table, field, value) in enumerate(CATALOGUE[:: len(CATALOGUE) // 24]):
        folder = written(tmp_path / str(number), sown([Defect(table, field, 3 + number, value)]))
        expected = theirs(folder)
        assert ours(folder) == expected, (table, field, value)
        kinds.update(kind for *_, kind in expected)
    assert {TYPE, CONSTRAINT} <= kinds.keys()


texts = st.one_of(
    st.sampled_from([v for _, _, v in CATALOGUE if v is not None]),
    st.text(st.characters(codec="ascii", min_codepoint=32), max_size=12),
    st.integers(-1000, 1000).map(str),
    st.floats(-1000, 1000).map(str),
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
)
TOLD_APART = ("_", "inf", "nan", "infinity")  # see the last test


@st.composite
def defects(draw: st.DrawFn) -> list[Defect]:
    """Any texts in any columns but free text, which takes anything."""
    columns = sorted({(table, field) for table, field, _ in CATALOGUE})
    chosen = draw(st.lists(st.tuples(st.sampled_from(columns), st.integers(0, 500), texts), min_size=1, max_size=8))
    sure = [(column, row, value) for column, row, value in chosen if not any(t in value.lower() for t in TOLD_APART)]
    return [Defect(table, field, row, value) for (table, field), row, value in sure]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(defects())
def test_whatever_stands_in_the_cells_both_find_the_same(
    tmp_path_factory: pytest.TempPathFactory, sowing: list[Defect]
) -> None:
    folder = written(tmp_path_factory.mktemp("any"), sown(sowing))
    assert ours(folder) == theirs(folder)


@pytest.mark.parametrize("change", ["longer", "shorter", "blank"])
def test_rows_of_another_width_and_blank_rows_are_the_same_rows(change: str, tmp_path: Path) -> None:
    tables = sown([])
    records = tables["observations"]
    for row in (5, 17, 18):
        records[row] = {
            "longer": [*records[row], "x"],
            "shorter": records[row][:-2],
            "blank": [""] * len(records[row]),
        }[change]
    folder = written(tmp_path, tables)
    expected = {key for key in theirs(folder) if key[3] != CONSTRAINT}
    assert {row for _, _, row, _ in expected} == {6, 18, 19}
    assert ours(folder) == expected


def test_a_clean_example_has_no_finding_on_either_side(tmp_path: Path) -> None:
    folder = written(tmp_path, sown([]))
    assert theirs(folder) == ours(folder) == set()


def test_where_the_two_differ_on_purpose(tmp_path: Path) -> None:
    """Python reads 1_000 as a number and NaN as one without order; we take neither for a measurement."""
    odd = [Defect("deployments", "cameraHeight", 0, "inf"), Defect("deployments", "detectionDistance", 1, "infinity")]
    folder = written(tmp_path, sown(odd))
    assert theirs(folder) == set()
    assert {(f, row, kind) for _, f, row, kind in ours(folder)} == {
        ("cameraHeight", 2, TYPE),
        ("detectionDistance", 3, TYPE),
    }
