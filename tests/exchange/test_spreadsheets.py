"""Sheets of any layout are read by a mapping: text in the encoding of their country, workbooks, real field sheets."""

from __future__ import annotations

import datetime as dt
import io
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharedrange.core.finding import Severity, errors
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.grids import MAX_MERGED_CELLS, Grid, open_workbook, text_grid, with_header, workbook_grid
from sharedrange.exchange.mapping import read_mapping
from sharedrange.exchange.proposing import column_names, propose_mapping
from sharedrange.exchange.spreadsheets import read
from sharedrange.exchange.tables import ROW

MakeFolder = Callable[[Mapping[str, str | bytes]], Path]
TSUKUBA = Delivery("jp", "tsukuba", "spreadsheet", crs="EPSG:4326", timezone="Asia/Tokyo")


def delivery(**said: Any) -> Delivery:
    return Delivery("ru", "sheets", "spreadsheet", **{"crs": "EPSG:4326", "timezone": "Asia/Vladivostok", **said})


def book(fill: Callable[[Any], None], epoch_1904: bool = False) -> bytes:
    made = openpyxl.Workbook()
    if epoch_1904:
        made.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    fill(made.active)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def grid_of(content: bytes, sheet: str = "") -> Grid:
    opened, found = open_workbook("b.xlsx", content)
    assert opened is not None, found
    grid, found = workbook_grid(opened, sheet)
    assert grid is not None, found
    return grid


def rewritten(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """A workbook with its parts changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out.getvalue()


# --- real sheets ---

TSUKUBA_MAPPING = """
[[table]]
to = "deployments"
file = "Idep.csv"
[table.columns]
deployment = "deploymentID"
station = "locationID"
x = "longitude"
y = "latitude"
start = ["startDate", "startTime"]
end = ["endDate", "endTime"]
camera_type = "cameraModel"
[[table]]
to = "observations"
file = "Iobs.csv"
[table.columns]
deployment = "deploymentID"
event = "eventID"
start = "eventStart"
end = "eventEnd"
type = "object"
taxon = ["genus", "species"]
count = "individualCount"
[table.values.type]
hito = "human"
none = "blank"
"""


def test_japanese_field_sheets_become_a_survey_without_losing_a_row(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tsukuba"
    shutil.copytree(data / "r2camtrapdp", folder, ignore=shutil.ignore_patterns("V*.csv", "*.md"))
    sheet, _ = with_header(text_grid("Iobs.csv", (folder / "Iobs.csv").read_text(), ",")[0])  # type: ignore[arg-type]  # a whole file
    assert sheet is not None
    words = {w for w in sheet.rows["object"].drop_nulls().unique() if w not in ("hito", "none")}
    values = "".join(f'"{word}" = "animal"\n' for word in sorted(words))
    (folder / "mapping.toml").write_text(TSUKUBA_MAPPING + values)
    delivered, found = read(folder, TSUKUBA)
    assert not errors(found), [str(f) for f in errors(found)]
    assert delivered is not None
    assert delivered.survey is not None
    assert delivered.survey.deployments.height == 10
    assert delivered.survey.observations.height == 388 == sheet.rows.height
    assert "Iobs.csv: SDcardID" in delivered.not_carried


def test_seconds_of_the_day_beside_a_date_are_read_where_the_mapping_says_so(data: Path, tmp_path: Path) -> None:
    shutil.copy(data / "r2camtrapdp" / "Vdep.csv", tmp_path)
    text = re.search(r"\[\[table\]\].*?\[\[", TSUKUBA_MAPPING, re.DOTALL)
    assert text is not None
    mapping = (
        text[0].removesuffix("[[").replace("Idep", "Vdep").replace('"deployments"', '"deployments"\nclock = "seconds"')
    )
    (tmp_path / "mapping.toml").write_text(mapping)
    delivered, found = read(tmp_path, TSUKUBA)
    assert delivered is not None, [str(f) for f in found]
    assert delivered.survey is not None
    assert delivered.survey.deployments["start"][0] == dt.datetime(2024, 6, 13, 4, 48, tzinfo=dt.UTC)


CAMTRAPR_MAPPING = """
[[table]]
to = "deployments"
file = "camtraps.csv"
[table.columns]
deployment = "Station"
x = "utm_x"
y = "utm_y"
start = "Setup_date"
end = "Retrieval_date"
[[table]]
to = "observations"
file = "recordTable*.csv"
[table.columns]
deployment = "Station"
start = "DateTimeOriginal"
taxon = "Species"
individual = "Individual"
"""


def test_camtrapr_tables_ask_for_the_order_only_where_no_date_settles_it(data: Path, tmp_path: Path) -> None:
    for name in ("camtraps.csv", "recordTableIndividualSample.csv"):
        shutil.copy(data / "camtrapR" / name, tmp_path)
    (tmp_path / "mapping.toml").write_text(CAMTRAPR_MAPPING)
    said = delivery(crs="EPSG:32650", timezone="Asia/Kuala_Lumpur")
    delivered, found = read(tmp_path, said)
    assert delivered is None
    assert [(f.rule, f.where.field) for f in errors(found)] == [("date-order-unknown", "start")]
    delivered, found = read(tmp_path, delivery(crs="EPSG:32650", timezone="Asia/Kuala_Lumpur", date_order="day-first"))
    assert delivered is not None, [str(f) for f in errors(found)]
    assert delivered.survey is not None
    assert delivered.survey.observations.height == 21
    x, y = delivered.survey.deployments.select("x", "y").row(0)
    assert (round(x, 1), round(y, 1)) == (117.2, 5.5)


def test_a_crs_is_never_guessed(data: Path, tmp_path: Path) -> None:
    shutil.copy(data / "camtrapR" / "camtraps.csv", tmp_path)
    (tmp_path / "mapping.toml").write_text(CAMTRAPR_MAPPING.partition('[[table]]\nto = "obs')[0])
    _, found = read(tmp_path, delivery(crs="", date_order="day-first"))
    assert "missing-crs" in [f.rule for f in errors(found)]


def test_timelapse_csv_is_read_with_the_station_from_the_folder(make: MakeFolder) -> None:
    rows = "RootFolder,File,RelativePath,DateTime,DeleteFlag,Species,Count\n"
    rows += "S,IMG_1.JPG,СТ1\\100RECNX,2024-05-06 10:11:12,false,Lynx lynx,1\n"
    mapping = """
[[table]]
to = "media"
file = "TimelapseData.csv"
[table.columns]
deployment = { columns = "RelativePath", part = 1 }
path = { columns = ["RelativePath", "File"], join = "/" }
taken = "DateTime"
[[table]]
to = "observations"
file = "TimelapseData.csv"
[table.columns]
deployment = { columns = "RelativePath", part = 1 }
media = { columns = ["RelativePath", "File"], join = "/" }
start = "DateTime"
taxon = "Species"
count = "Count"
[[table]]
to = "deployments"
file = "stations.csv"
[table.columns]
deployment = "id"
x = "x"
y = "y"
start = "from"
end = "to"
"""
    stations = "id,x,y,from,to\nСТ1,131.1,43.1,2024-05-01 00:00,2024-06-01 00:00\n"
    folder = make({"TimelapseData.csv": rows, "stations.csv": stations, "mapping.toml": mapping})
    delivered, found = read(folder, delivery())
    assert delivered is not None, [str(f) for f in found]
    assert delivered.survey is not None
    assert delivered.survey.observations.select("deployment", "media", "type").row(0) == (
        "СТ1",
        "СТ1\\100RECNX/IMG_1.JPG",
        "animal",
    )
    assert delivered.not_carried == tuple(f"TimelapseData.csv: {c}" for c in ("RootFolder", "DeleteFlag"))


# --- workbooks ---

VISITS = """
[[table]]
to = "visits"
file = "*.xlsx"
header_rows = 2
skip_rows = 1
distinct = true
[table.columns]
visit = "Учёт / №"
site = "Место"
start = ["Дата", "Время"]
[table.constants]
method = "waterbird-count"
"""


def two_headers(sheet: Any) -> None:
    sheet.append(["Учёт птиц, весна 2024"])
    sheet.append(["Место", "Дата", "Время", "Учёт", None])
    sheet.append([None, None, None, "№", "Примечание"])
    sheet.append(["Хасан", dt.date(2024, 5, 6), dt.time(7, 30), 1, "ветер"])
    sheet.append([None, dt.date(2024, 5, 7), 0.5, 2.0, None])
    for merged in ("A1:E1", "D2:E2", "A2:A3", "B2:B3", "C2:C3", "A4:A5"):
        sheet.merge_cells(merged)


def test_merged_cells_two_header_rows_dates_and_times_of_a_workbook(make: MakeFolder) -> None:
    content = book(two_headers)
    delivered, found = read(make({"учёт.xlsx": content, "mapping.toml": VISITS}), delivery())
    assert delivered is not None, [str(f) for f in found]
    assert delivered.counts is not None
    rows = delivered.counts.visits.select("visit", "site", "start").rows()
    assert rows == [
        ("1", "Хасан", dt.datetime(2024, 5, 5, 21, 30, tzinfo=dt.UTC)),
        ("2", "Хасан", dt.datetime(2024, 5, 7, 2, 0, tzinfo=dt.UTC)),
    ]
    told = {f.rule for f in found}
    assert {"merged-cells", "not-carried"} <= told


def test_a_formula_is_never_computed_and_one_without_a_value_is_a_finding() -> None:
    def fill(sheet: Any) -> None:
        sheet.append(["n", "sum"])
        sheet.append([1, "=A2+1"])

    opened, _ = open_workbook("b.xlsx", book(fill))
    assert opened is not None
    grid, found = workbook_grid(opened, "")
    assert grid is None
    assert [(f.rule, f.where.row) for f in found] == [("formula-without-value", 2)]
    kept = rewritten(book(fill), lambda name, part: re.sub(rb"</f><v ?/?>(</v>)?", b"</f><v>7</v>", part))
    assert grid_of(kept).rows[1][1] == ["1", "7"]


@pytest.mark.parametrize(("epoch_1904", "year"), [(False, 2024), (True, 2028)])
def test_serial_dates_are_counted_from_the_day_that_the_workbook_says(
    make: MakeFolder, epoch_1904: bool, year: int
) -> None:
    def fill(sheet: Any) -> None:
        sheet.append(["n", "when", "where"])
        sheet.append(["v1", 45418.25, "Lake"])

    mapping = (
        '[[table]]\nto = "visits"\nfile = "b.xlsx"\n[table.columns]\nvisit = "n"\nsite = "where"\nstart = "when"\n'
    )
    mapping += '[table.constants]\nmethod = "point-count"\n'
    delivered, found = read(make({"b.xlsx": book(fill, epoch_1904), "mapping.toml": mapping}), delivery(timezone="UTC"))
    assert delivered is not None, [str(f) for f in found]
    assert delivered.counts is not None
    start = delivered.counts.visits["start"][0]
    assert (start.year, start.hour) == (year, 6)
    assert "serial-dates" in [f.rule for f in found]


def test_a_sheet_that_is_not_there_names_those_that_are(make: MakeFolder) -> None:
    mapping = VISITS.replace("header_rows", 'sheet = "2023"\nheader_rows')
    _, found = read(make({"b.xlsx": book(two_headers), "mapping.toml": mapping}), delivery())
    assert [(f.rule, f.facts["known"]) for f in errors(found)] == [("no-such-sheet", "Sheet")]


def test_errors_that_a_cell_shows_are_findings() -> None:
    def fill(sheet: Any) -> None:
        sheet.append(["a"])
        sheet.append(["#REF!"])
        sheet["A2"].data_type = "e"

    opened, _ = open_workbook("b.xlsx", book(fill))
    assert opened is not None
    _, found = workbook_grid(opened, "")
    assert [(f.rule, f.where.row) for f in found] == [("cell-error", 2)]


def test_a_workbook_with_a_document_type_is_refused_in_any_encoding() -> None:
    content = book(two_headers)

    def entity(name: str, part: bytes) -> bytes:
        return b'<!DOCTYPE x [<!ENTITY e "aaa">]>' + part if "sheet1" in name else part

    def hidden(name: str, part: bytes) -> bytes:
        return part.decode().encode("utf-16") if "sheet1" in name else part

    for change in (entity, hidden):
        opened, found = open_workbook("b.xlsx", rewritten(content, change))
        assert opened is None
        assert [f.rule for f in found] == ["xml-with-entities"]


def test_a_workbook_that_grows_beyond_measure_is_refused() -> None:
    def grown(name: str, part: bytes) -> bytes:
        return part + b" " * (40 << 20) if "sheet1" in name else part

    opened, found = open_workbook("b.xlsx", rewritten(book(two_headers), grown))
    assert opened is None
    assert [f.rule for f in found] == ["zip-bomb"]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (b'<row r="5"', b'<row r="99999999999"', "sheet-too-long"),
        (b'r="D5"', b'r="XFD5"', "too-many-columns"),
        (b'ref="A4:A5"', b'ref="A4:XFD1048576"', "too-many-merged"),
    ],
)
def test_places_that_no_sheet_has_end_in_a_finding(old: bytes, new: bytes, rule: str) -> None:
    content = rewritten(book(two_headers), lambda name, part: part.replace(old, new) if "sheet1" in name else part)
    opened, _ = open_workbook("b.xlsx", content)
    assert opened is not None
    grid, found = workbook_grid(opened, "")
    assert grid is None
    assert rule in [f.rule for f in found]
    assert MAX_MERGED_CELLS < 16384 * 1_048_573


@given(st.binary(max_size=400))
@settings(deadline=None, max_examples=60)
def test_any_bytes_are_a_workbook_or_a_finding(content: bytes) -> None:
    opened, found = open_workbook("b.xlsx", content)
    assert (opened is None) == bool(found)


BOOK = book(two_headers)


@given(st.integers(0, 2**16), st.binary(min_size=1, max_size=8), st.sampled_from(["sheet1", "workbook.xml", "styles"]))
@settings(deadline=None, max_examples=60)
def test_a_damaged_part_of_a_workbook_is_read_or_a_finding(place: int, bytes_: bytes, part: str) -> None:
    def damage(name: str, content: bytes) -> bytes:
        at = place % len(content)
        return content[:at] + bytes_ + content[at + len(bytes_) :] if part in name else content

    opened, found = open_workbook("b.xlsx", rewritten(BOOK, damage))
    assert (opened is None) == bool(found)
    if opened is not None:
        grid, found = workbook_grid(opened, "")
        assert (grid is None) == bool(
            [f for f in found if f.severity is Severity.ERROR and f.rule != "cell-error"]
        ) or grid


# --- text ---


def test_windows_1251_semicolons_and_decimal_commas(make: MakeFolder) -> None:
    mapping = """
[[table]]
to = "fixes"
file = "точки.csv"
encoding = "windows-1251"
delimiter = ";"
decimal = ","
date_order = "day-first"
[table.columns]
animal = "Кличка"
at = "Дата"
x = "Долгота"
y = "Широта"
"""
    text = "Кличка;Дата;Долгота;Широта\nАмба;05.06.2024 10:00;131,25;43,5\n"
    folder = make({"точки.csv": text.encode("windows-1251"), "mapping.toml": mapping})
    delivered, found = read(folder, delivery())
    assert delivered is not None, [str(f) for f in found]
    assert delivered.tracks is not None
    assert delivered.tracks.fixes.select("animal", "x", "y").row(0) == ("Амба", 131.25, 43.5)


def test_a_file_that_the_mapping_names_and_one_that_it_does_not_are_findings(make: MakeFolder) -> None:
    mapping = VISITS.replace("*.xlsx", "visits 2024.csv")
    _, found = read(make({"visits 2025.csv": "a,b\n", "mapping.toml": mapping}), delivery())
    assert [(f.rule, f.facts.get("nearest")) for f in found] == [
        ("mapped-file-missing", "visits 2025.csv"),
        ("unread-file", None),
    ]


def test_without_a_mapping_the_door_asks_for_one(make: MakeFolder) -> None:
    delivered, found = read(make({"a.csv": "a,b\n1,2\n"}), delivery())
    assert delivered is None
    assert [f.rule for f in found] == ["no-mapping"]


@given(st.lists(st.lists(st.sampled_from(["", "a", "7", "é"]), max_size=5), max_size=12), st.integers(1, 2))
@settings(deadline=None, max_examples=60)
def test_every_line_is_a_row_or_a_finding(lines: list[list[str]], header_rows: int) -> None:
    text = "\n".join(",".join(cells) for cells in lines)
    grid, _ = text_grid("a.csv", text, ",")
    assert grid is not None
    sheet, found = with_header(grid, 0, header_rows)
    if sheet is None:
        return
    empty = sum(int(str(f.facts["rows"])) for f in found if f.rule == "empty-rows")
    ragged = sum(f.rule == "ragged-row" for f in found)
    assert sheet.rows[ROW].len() + empty + ragged == len(grid.rows) - header_rows


@given(st.text(max_size=200), st.text(max_size=200))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_and_any_mapping_are_read_or_refused(make: MakeFolder, text: str, head: str) -> None:
    mapping = f'[[table]]\nto = "samples"\nfile = "a.csv"\n[table.columns]\nsample = "{head.splitlines()[:1]}"\n'
    for name in (mapping, mapping.replace("[]", "a")):
        folder = make(
            {"a.csv": ("a,b\n" + text).encode(errors="replace"), "mapping.toml": name.encode(errors="replace")}
        )
        delivered, found = read(folder, delivery())
        assert (delivered is None) == bool(errors(found))


# --- proposals ---


@pytest.mark.parametrize(
    ("header", "to", "ours"),
    [
        ("Station,Date,Time,Species,Count,Sex", "observations", {"deployment", "start", "taxon", "count", "sex"}),
        ("相机编号,日期,时间,物种,数量", "observations", {"deployment", "start", "taxon", "count"}),
        ("設置地点,撮影日時,種名,頭数", "observations", {"deployment", "start", "taxon", "count"}),
        ("카메라번호,촬영일시,종명,마릿수", "observations", {"deployment", "start", "taxon", "count"}),
        ("Камерын дугаар,Огноо,Цаг,Зүйл,Тоо", "observations", {"deployment", "start", "taxon", "count"}),
        ("Фотоловушка,Дата,Время,Вид,Кол-во", "observations", {"deployment", "start", "taxon", "count"}),
        (
            "Station,Longitude,Latitude,Setup date,Retrieval date",
            "deployments",
            {"deployment", "x", "y", "start", "end"},
        ),
        ("Проба,Локус,Аллель 1,Аллель 2", "alleles", {"sample", "locus", "allele_1", "allele_2"}),
    ],
)
def test_a_mapping_is_proposed_from_names_in_six_languages(
    make: MakeFolder, header: str, to: str, ours: set[str]
) -> None:
    columns = header.count(",") + 1
    folder = make({"a.csv": header + "\n" + ",".join(["1"] * columns) + "\n"})
    mapping, found = read_mapping(propose_mapping(folder / "a.csv"))
    assert mapping is not None, [str(f) for f in found]
    assert mapping.tables[0].to == to
    assert ours <= set(mapping.tables[0].columns)


def test_a_proposal_says_the_likely_encoding_delimiter_and_header_rows(make: MakeFolder) -> None:
    text = "Учёт 2024\nФотоловушка;Дата;Вид\nА1;05.06.2024;рысь\n"
    folder = make({"a.csv": text.encode("windows-1251"), "b.xlsx": book(two_headers)})
    proposal = propose_mapping(folder)
    assert 'encoding = "windows-1251"' in proposal
    assert "skip_rows = 1" in proposal
    assert "header_rows = 2" in proposal
    assert 'delimiter = ";"' in proposal


def test_where_no_name_is_known_every_column_is_left_for_a_person_to_place(make: MakeFolder) -> None:
    folder = make({"a.csv": "qq,ww,zz\n1,2,3\n"})
    proposal = propose_mapping(folder)
    assert '# deployment = ""' in proposal
    assert all(f'# not read: "{name}"' in proposal for name in ("qq", "ww", "zz"))
    _, found = read_mapping(proposal)
    assert found, "nobody has placed the columns yet"
    assert propose_mapping(folder / "none.csv") == ""
    assert "latitude" in column_names()


def test_columns_are_known_by_the_lowest_of_their_header_rows(make: MakeFolder) -> None:
    def fill(sheet: Any) -> None:
        sheet.append(["Камера", None, "Место", None, "Период", None])
        sheet.append(["Станция", "Прибор", "Широта", "Долгота", "Начало", "Конец"])
        sheet.append(["К1", "RX", 43.1, 131.2, 45413, 45450.5])
        for merged in ("A1:B1", "C1:D1", "E1:F1"):
            sheet.merge_cells(merged)

    mapping, found = read_mapping(propose_mapping(make({"a.xlsx": book(fill)})))
    assert mapping is not None, [str(f) for f in found]
    columns = mapping.tables[0].columns
    assert (columns["y"].columns, columns["end"].columns) == (("Место / Широта",), ("Период / Конец",))


def test_a_row_that_is_a_picture_with_its_species_is_proposed_as_both(make: MakeFolder) -> None:
    header = "Station,Species,DateTimeOriginal,Directory,FileName"
    mapping, found = read_mapping(propose_mapping(make({"a.csv": f"{header}\nA,Prionailurus,2024-01-01 10:00,d,f\n"})))
    assert mapping is not None, [str(f) for f in found]
    media, observations = mapping.tables
    assert (media.to, observations.to) == ("media", "observations")
    assert media.columns["path"] == observations.columns["media"]
    assert observations.columns["taxon"].columns == ("Species",)


def test_columns_that_a_mapping_leaves_are_one_note_a_sheet(make: MakeFolder) -> None:
    folder = make({"учёт.xlsx": book(two_headers), "mapping.toml": VISITS})
    _, found = read(folder, delivery())
    left = [f for f in found if f.rule == "not-carried"]
    assert len(left) == 1
    assert str(left[0].facts["columns"]).count(",") + 1 == left[0].facts["number"]


def test_numbers_with_a_decimal_comma_are_proposed_so(make: MakeFolder) -> None:
    header = "Station;lon;lat;start;end"
    commas = make({"a.csv": f"{header}\nA;131,2;43,1;01.05.2024;30.06.2024\n"})
    mapping, found = read_mapping(propose_mapping(commas))
    assert mapping is not None, [str(f) for f in found]
    assert mapping.tables[0].decimal == ","
    points = commas / "a.csv"
    points.write_text(f"{header}\nA;131.2;43.1;01.05.2024;30.06.2024\n", encoding="utf-8")
    assert "decimal" not in propose_mapping(points)


def test_dates_written_with_two_marks_settle_no_order(make: MakeFolder) -> None:
    """A sheet that two programs wrote: the order of the one says nothing about that of the other."""
    mapping = CAMERAS_MAPPING
    for dates, asked in ((("01.05.2024", "05/13/2024"), True), (("01.05.2024", "13.05.2024"), False)):
        rows = "".join(f"A{n},131,43,{date},2024-08-01\n" for n, date in enumerate(dates))
        folder = make({"a.csv": f"id,x,y,from,to\n{rows}", "mapping.toml": mapping})
        _, found = read(folder, delivery())
        assert ("date-order-unknown" in {f.rule for f in found}) == asked


CAMERAS_MAPPING = """
[[table]]
to = "deployments"
file = "a.csv"
[table.columns]
deployment = "id"
x = "x"
y = "y"
start = "from"
end = "to"
"""


def test_a_harmful_workbook_is_told_before_anybody_maps_it(make: MakeFolder) -> None:
    hostile = rewritten(book(two_headers), lambda _, part: b'<!DOCTYPE x [<!ENTITY e "a">]>' + part)
    _, found = read(make({"a.xlsx": hostile}), delivery())
    assert {f.rule for f in found} == {"no-mapping", "xml-with-entities"}


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_proposal_for_any_bytes_does_not_fail(make: MakeFolder, content: bytes) -> None:
    folder = make({"a.csv": content, "b.xlsx": content})
    assert isinstance(propose_mapping(folder), str)
