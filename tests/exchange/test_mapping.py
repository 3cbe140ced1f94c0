"""A mapping file is checked before anything is read by it, and says with the nearest name what is wrong."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.exchange.dates import DateStyle, iso_times
from sharedrange.exchange.mapping import MADE, MAX_TABLES, TableMap, mapped, read_mapping, unused
from sharedrange.exchange.tables import ROW, Sheet, read_csv
from sharedrange.exchange.targets import TARGETS

OBSERVATIONS = """
[[table]]
to = "observations"
file = "obs.csv"
date_order = "day-first"
[table.columns]
deployment = "Станция"
start = ["Дата", "Время"]
taxon = "Вид"
sex = "Пол"
count = "Кол-во"
[table.values.sex]
"Самец" = "male"
"самка" = "female"
"неизв." = ""
"""
SHEET = (
    "Станция,Дата,Время,Вид,Пол,Кол-во,Заметки\n"
    "С1,05.06.2024,17:21,Амурский тигр,самец,1,\n"
    "С2,6.6.24,7:05,Сайка,НЕИЗВ.,2.0,х\n"
)


def table_of(text: str) -> TableMap:
    mapping, found = read_mapping(text)
    assert mapping is not None, [str(f) for f in found]
    return mapping.tables[0]


def sheet_of(text: str) -> Sheet:
    sheet, found = read_csv("obs.csv", text)
    assert sheet is not None, found
    return sheet


def rules(text: str) -> list[str]:
    mapping, found = read_mapping(text)
    assert (mapping is None) == bool(found)
    return [f.rule for f in found]


def test_a_sheet_in_russian_becomes_observations_with_our_words() -> None:
    read, found = mapped(sheet_of(SHEET), table_of(OBSERVATIONS), "Asia/Vladivostok")
    assert found == []
    rows = read.rows
    assert rows["start"].to_list() == [datetime(2024, 6, 5, 7, 21, tzinfo=UTC), datetime(2024, 6, 5, 21, 5, tzinfo=UTC)]
    assert rows["start_text"].to_list() == ["05.06.2024 17:21", "6.6.24 7:05"]
    assert rows["sex"].to_list() == ["male", None]
    assert rows["count"].to_list() == [1, 2]
    assert rows["observation"].to_list() == ["obs-2", "obs-3"]
    assert set(TARGETS["observations"].schema) < set(rows.columns)


def test_columns_that_no_table_reads_are_listed() -> None:
    assert unused(sheet_of(SHEET), [table_of(OBSERVATIONS)]) == ["Заметки"]


def test_an_unknown_column_of_ours_names_the_nearest() -> None:
    _, found = read_mapping(OBSERVATIONS.replace("taxon =", "taxom ="))
    assert [(f.rule, f.facts["nearest"]) for f in found] == [("unknown-key", "taxon")]


def test_an_unknown_table_option_word_and_value_name_the_nearest() -> None:
    text = OBSERVATIONS.replace('"observations"', '"observation"').replace("day-first", "day-frist")
    _, found = read_mapping(text + "\n[table.constants]\ntype = 'anmal'\n")
    assert {f.facts["nearest"] for f in found} == {"observations", "day-first"}
    _, found = read_mapping(OBSERVATIONS.replace('"male"', '"mael"') + "\n[table.constants]\ntype = 'anmal'\n")
    assert {f.facts["nearest"] for f in found} == {"male", "animal"}


def test_a_needed_column_that_nobody_fills_is_named() -> None:
    _, found = read_mapping('[[table]]\nto = "visits"\nfile = "a.csv"\n[table.columns]\nsite = "Site"\n')
    assert {f.facts["column"] for f in found if f.rule == "mapping-needs"} == {"visit", "start", "method"}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "missing-key"),
        ("[[table]\n", "bad-toml"),
        ("table = 3", "missing-key"),
        ('[[table]]\nto = 3\nfile = "a"\n[table.columns]\n', "setting-type"),
        (OBSERVATIONS.replace("date_order", "header_rows = 99\ndate_order"), "setting-type"),
        (OBSERVATIONS.replace("date_order", 'encoding = "klingon"\ndate_order'), "unknown-encoding"),
        (OBSERVATIONS.replace('"Вид"', "{ part = 1 }"), "setting-type"),
        (OBSERVATIONS + "[table.constants]\ntaxon = 'x'\n", "column-said-twice"),
        ("[[table]]\n" * (MAX_TABLES + 1), "too-many-tables"),
    ],
)
def test_every_mistake_in_a_mapping_is_a_finding(text: str, rule: str) -> None:
    assert rule in rules(text)


def test_a_column_that_the_sheet_lacks_names_the_nearest_and_nothing_is_read() -> None:
    read, found = mapped(sheet_of(SHEET.replace("Кол-во", "Колво")), table_of(OBSERVATIONS))
    assert [(f.rule, f.facts["nearest"]) for f in found] == [("mapped-column-missing", "Колво")]
    assert read.rows.is_empty()


def test_names_are_the_same_whatever_their_case_spaces_and_line_breaks() -> None:
    sheet = sheet_of(SHEET.replace("Дата", '" дата\n"'))
    assert mapped(sheet, table_of(OBSERVATIONS), "UTC")[1] == []


def test_times_without_a_zone_ask_for_one() -> None:
    _, found = mapped(sheet_of(SHEET), table_of(OBSERVATIONS))
    assert [f.rule for f in found] == ["missing-timezone"]


def test_a_path_is_joined_and_a_part_of_a_folder_is_the_station() -> None:
    text = (
        '[[table]]\nto = "media"\nfile = "t.csv"\n[table.columns]\n'
        'deployment = { columns = "RelativePath", part = 1 }\n'
        'path = { columns = ["RelativePath", "File"], join = "/" }\ntaken = "DateTime"\n'
    )
    sheet = sheet_of("RelativePath,File,DateTime\nSt1\\2024,a.jpg,2024-05-06 10:00:00\n")
    rows = mapped(sheet, table_of(text), "UTC")[0].rows
    assert rows["deployment"].to_list() == ["St1"]
    assert rows["path"].to_list() == rows["media"].to_list() == ["St1\\2024/a.jpg"]


WIDE = """
[[table]]
to = "counts"
file = "c.csv"
[table.columns]
visit = ["Озеро", "Дата"]
[table.wide]
name = "taxon"
values = "count"
[table.wide.columns]
"Grus vipio" = "Даурский"
"Grus monacha" = "Чёрный"
"""


def test_columns_that_are_species_become_rows_a_zero_stays_and_an_empty_cell_is_not_listed() -> None:
    sheet = sheet_of("Озеро,Дата,Даурский,Чёрный\nТорей,1.5,3,0\nБарун,1.5,,2\nЗун,1.5,,\n")
    read, found = mapped(sheet, table_of(WIDE))
    rows = read.rows.select("visit", "taxon", "count").rows()
    assert rows == [
        ("Торей 1.5", "Grus vipio", 3),
        ("Торей 1.5", "Grus monacha", 0),
        ("Барун 1.5", "Grus monacha", 2),
    ]
    assert [(f.rule, f.facts["rows"], f.where.row) for f in found] == [("nothing-listed", 1, 4)]


def test_rows_that_say_the_same_are_one_where_the_mapping_says_so() -> None:
    head = '[[table]]\nto = "samples"\nfile = "s.csv"\ndistinct = true\n'
    text = head + '[table.columns]\nsample = "id"\ntaxon = "species"\n'
    read, found = mapped(sheet_of("id,species\ns1,Lynx lynx\ns1,Lynx lynx\ns2,Lynx lynx\n"), table_of(text))
    assert read.rows["sample"].to_list() == ["s1", "s2"]
    assert [(f.rule, f.facts["rows"]) for f in found] == [("rows-joined", 1)]


def test_decimal_commas_and_yes_in_six_languages_are_read() -> None:
    text = (
        '[[table]]\nto = "visits"\nfile = "v.csv"\ndecimal = ","\n[table.columns]\n'
        'visit = "v"\nsite = "v"\nstart = "t"\n'
        'effort = "e"\ncomplete = "c"\n[table.constants]\nmethod = "point-count"\neffort_unit = "km"\n'
    )
    words = ("yes", "да", "是", "はい", "예", "Тийм", "0", "нет")
    rows = [f'v{n},2024-05-06 07:00,"1{n},5",{word}' for n, word in enumerate(words)]
    read, found = mapped(sheet_of("\n".join(["v,t,e,c", *rows])), table_of(text), "UTC")
    assert found == []
    assert read.rows["complete"].to_list() == [True] * 6 + [False] * 2
    assert read.rows["effort"].to_list()[:2] == [10.5, 11.5]


PAGE = (Path(__file__).parents[2] / "docs" / "formats" / "mapping.md").read_text(encoding="utf-8")


def test_the_page_on_mapping_files_lists_exactly_the_tables_and_columns_that_are_read() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if re.match(r"\| `\w+` \|", line)]
    needed = {name.strip("`"): set(cell.split(", ")) for name, cell, _ in rows[1:]}
    every = {name.strip("`"): {*cell.split(", "), *more.split(", ")} for name, cell, more in rows[1:]}
    assert every == {name: set(target.names) for name, target in TARGETS.items()}
    assert needed == {name: set(target.needed) - set(MADE) for name, target in TARGETS.items()}


def test_the_examples_of_the_page_are_mappings() -> None:
    examples = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 2
    assert [rules(example) for example in examples] == [[], []]


# --- dates ---


def times(values: list[str], style: DateStyle = DateStyle()) -> tuple[list[str | None], list[str]]:
    rows = pl.DataFrame({"t": values, ROW: range(2, len(values) + 2)}, schema={"t": pl.String, ROW: pl.Int64})
    sheet, found = iso_times(Sheet("a.csv", rows), "t", style)
    return sheet.rows["t"].to_list(), [f.rule for f in found]


def test_an_order_of_day_and_month_is_settled_by_one_value_and_never_guessed() -> None:
    assert times(["5/5/19 17:21", "4/28/19 0:32"]) == (
        ["2019-05-05T17:21:00", "2019-04-28T00:32:00"],
        ["date-order-settled"],
    )
    assert times(["5/5/19 17:21", "5/6/19 17:21"])[1] == ["date-order-unknown"]
    assert times(["15/5/19 17:21", "5/16/19 17:21"])[1] == ["date-orders-mixed"]


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2024年5月6日 下午3时20分", "2024-05-06T15:20:00"),
        ("2024-05-06T10:11:12+03:00", "2024-05-06T10:11:12+03:00"),
        ("2024:05:06 10:11:12", "2024-05-06T10:11:12"),
        ("06.05.2024 г. 17:00", "2024-05-06T17:00:00"),
        ("2024. 5. 6. 오후 1:05", "2024-05-06T13:05:00"),
        ("6/5/2024 12:30 AM", "2024-05-06T00:30:00"),
        ("２０２４／５／６　１７：２１", "2024-05-06T17:21:00"),
        ("٢٠٢٤-٠٥-٠٦", "٢٠٢٤-٠٥-٠٦"),
        ("2024-05-06 0.5", "2024-05-06T12:00:00.000000"),
        ("45418.25", "2024-05-06T06:00:00.000000"),
        ("45418 10:30", "2024-05-06T10:30:00"),
        ("10:05:07", "10:05:07"),
        ("2024-13-45 10:00", "2024-13-45 10:00"),
        ("20240506", "20240506"),
    ],
)
def test_a_written_time_is_read_or_left_as_it_is(written: str, iso: str) -> None:
    assert times([written], DateStyle("day-first", 1900))[0] == [iso]


def test_the_two_date_systems_of_spreadsheets_are_1462_days_apart() -> None:
    assert times(["45418"], DateStyle(epoch=1904))[0] == ["2028-05-07T00:00:00"]
    assert times(["43956"], DateStyle(epoch=1904))[0] == times(["45418"], DateStyle(epoch=1900))[0]
    assert times(["45418"])[0] == ["45418"]


MOMENTS = st.integers(631_152_000, 3_786_912_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(MOMENTS, st.sampled_from(["day-first", "month-first"]))
@settings(deadline=None, max_examples=60)
def test_what_a_spreadsheet_writes_is_read_back(moment: datetime, order: str) -> None:
    day, month = f"{moment.day}", f"{moment.month}"
    first, second = (day, month) if order == "day-first" else (month, day)
    written = f"{first}/{second}/{moment.year} {moment.hour}:{moment.minute:02}"
    expected = moment.replace(second=0, tzinfo=None).isoformat()
    assert times([written], DateStyle(order))[0] == [expected]


@given(
    st.lists(st.text(alphabet="0123456789-/.: ,TZ+APM年月日г٢２", max_size=24), min_size=1, max_size=5),
    st.sampled_from([0, 1900]),
)
@settings(deadline=None, max_examples=60)
def test_any_text_is_a_time_or_stays_as_it_is(values: list[str], epoch: int) -> None:
    read, _ = times(values, DateStyle(epoch=epoch))
    assert len(read) == len(values)
    assert all(
        new == old or re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", str(new))
        for new, old in zip(read, values, strict=True)
    )


# --- hostile files ---


@given(st.text(max_size=300))
@settings(deadline=None, max_examples=60)
def test_any_text_is_a_mapping_or_a_finding(text: str) -> None:
    mapping, found = read_mapping(text)
    assert (mapping is None) == bool(found)


_leaf = st.one_of(st.text(max_size=8), st.integers(-5, 5), st.booleans(), st.lists(st.text(max_size=4), max_size=3))
_options = st.dictionaries(
    st.sampled_from(["to", "file", "columns", "values", "wide", "constants", "header_rows", "fill_down", "x"]),
    st.one_of(_leaf, st.dictionaries(st.sampled_from(["taxon", "sex", "count", "name", "columns", "values"]), _leaf)),
)


@given(_options, st.sampled_from(sorted(TARGETS)))
@settings(deadline=None, max_examples=60)
def test_any_table_of_any_types_is_a_mapping_or_a_finding(entry: dict[str, object], to: str) -> None:
    import json

    text = "[[table]]\n"
    for key, value in {"to": to, "file": "a.csv", "columns": {}, **entry}.items():
        if isinstance(value, dict):
            inner = ", ".join(f"{k} = {json.dumps(v)}" for k, v in value.items())
            text += f"{key} = {{ {inner} }}\n"
        else:
            text += f"{key} = {json.dumps(value)}\n"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    mapping, found = read_mapping(text)
    assert (mapping is None) == bool(found)


@given(st.lists(st.tuples(*[st.text(max_size=12)] * 6), min_size=1, max_size=8))
@settings(deadline=None, max_examples=60)
def test_any_cells_are_rows_or_findings(cells: list[tuple[str, ...]]) -> None:
    columns = ["Станция", "Дата", "Время", "Вид", "Пол", "Кол-во"]
    rows = pl.DataFrame(cells, schema=dict.fromkeys(columns, pl.String), orient="row")
    sheet = Sheet("obs.csv", rows.with_columns(pl.int_range(2, pl.len() + 2).alias(ROW)))
    read, _ = mapped(sheet, table_of(OBSERVATIONS), "Asia/Seoul")
    assert read.rows[ROW].to_list() == sheet.rows[ROW].to_list()
