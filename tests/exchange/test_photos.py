"""Door `camera-folders`: a tree of photos is a survey once it is said where, when and in which zone.

The makers at the top write photos and videos with headers as cameras write them, around a picture of a few pixels.
"""

from __future__ import annotations

import io
import struct
import unicodedata
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from polars.testing import assert_frame_equal

from sharedrange.core.contents import Delivered
from sharedrange.core.errors import Cancelled
from sharedrange.core.finding import Finding, Severity
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, MEDIA, Survey
from sharedrange.core.when import length_days, run_spans
from sharedrange.exchange import camtrapdp, photos
from sharedrange.exchange.delivery import Delivery, read_delivery
from sharedrange.exchange.doors import check_path, read_delivered
from sharedrange.exchange.photos.clocks import offset_text, seconds_of
from sharedrange.exchange.photos.headers import moment_text, quiet_pillow, read_header
from sharedrange.exchange.photos.videos import creation_time

Make = Callable[[Mapping[str, str | bytes]], Path]
ZONE = "Asia/Vladivostok"
SAID = Delivery("north", "cards", "camera-folders", crs="EPSG:4326", timezone=ZONE)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)  # also as the local time of a camera
STATIONS_HEADER = "folder,station,latitude,longitude,start,end\n"


def jpeg(
    taken: str = "",
    *,
    part: str = "",
    offset: str = "",
    modified: str = "",
    serial: str = "",
    gps: tuple[float, float] | None = None,
    shade: int = 90,
) -> bytes:
    """A JPEG of 8 x 8 pixels with the EXIF tags that are given; `gps` is latitude, longitude."""
    exif = Image.Exif()
    details = exif.get_ifd(0x8769)
    tags = {36867: taken, 37521: part, 36881: offset, 42033: serial}
    details.update({tag: text for tag, text in tags.items() if text})
    if modified:
        exif[306] = modified
    if gps:
        sides = ("S" if gps[0] < 0 else "N", "W" if gps[1] < 0 else "E")
        exif.get_ifd(0x8825).update({1: sides[0], 2: (abs(gps[0]), 0.0, 0.0), 3: sides[1], 4: (abs(gps[1]), 0.0, 0.0)})
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (shade % 256, shade // 256 % 256, 80)).save(stream, "JPEG", exif=exif)
    return stream.getvalue()


def exif_time(at: datetime) -> str:
    """A time as EXIF writes it."""
    return f"{at:%Y:%m:%d %H:%M:%S}"


def huge_jpeg() -> bytes:
    """A JPEG that says to be 60000 x 60000 pixels."""
    content = bytearray(jpeg("2024:05:01 03:04:05"))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", 60_000, 60_000)
    return bytes(content)


def huge_png() -> bytes:
    """A PNG that says to be 90000 x 90000 pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 90_000, 90_000, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(100))
    parts = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (head, data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def box(name: bytes, content: bytes) -> bytes:
    """A box of an MP4."""
    return struct.pack(">I", 8 + len(content)) + name + content


def mp4(taken: datetime | None, *, version: int = 0, before: Sequence[bytes] = ()) -> bytes:
    """An MP4 whose header says `taken`; None for the 0 that many cameras write."""
    seconds = 0 if taken is None else int((taken - datetime(1904, 1, 1, tzinfo=UTC)).total_seconds())
    times = struct.pack(">QQ" if version else ">II", seconds, seconds)
    header = box(b"mvhd", bytes([version, 0, 0, 0]) + times + bytes(80))
    return b"".join([box(b"ftyp", b"isom\0\0\0\0"), *before, box(b"moov", header)])


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of an AVI, padded to an even length."""
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def avi(text: str) -> bytes:
    """An AVI with a chunk IDIT that holds `text`; empty for one without."""
    said = chunk(b"IDIT", text.encode() + b"\n\0") if text else b""
    body = chunk(b"LIST", b"hdrl" + chunk(b"avih", bytes(56)) + said) + chunk(b"LIST", b"movi" + bytes(64))
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"AVI " + body


def daily(folder: Path, days: int, start: datetime = NOON, skip: Sequence[int] = ()) -> None:
    """A photo a day for a number of days, those of `skip` left out, numbered as a camera does."""
    folder.mkdir(parents=True, exist_ok=True)
    for n, day in enumerate((day for day in range(days) if day not in skip), start=1):
        at = start + timedelta(days=day)
        (folder / f"IMG_{n:04d}.JPG").write_bytes(jpeg(exif_time(at), shade=day))


def stations(*rows: str) -> str:
    """stations.csv with a row a text."""
    return STATIONS_HEADER + "".join(row + "\n" for row in rows)


def read(folder: Path, delivery: Delivery = SAID) -> tuple[Survey, tuple[Finding, ...]]:
    content, found = photos.read(folder, delivery)
    assert content is not None, [str(f) for f in found]
    assert content.survey is not None
    return content.survey, found


def rules(found: Sequence[Finding], *wanted: Severity) -> list[str]:
    return sorted({f.rule for f in found if f.severity in (wanted or (Severity.ERROR,))})


def facts(found: Sequence[Finding], rule: str) -> list[dict[str, Any]]:
    return [dict(f.facts) for f in found if f.rule == rule]


def one(path: str = "Кедр/DCIM/100RECNX/IMG_0001.JPG", **tags: Any) -> dict[str, str | bytes]:
    """A delivery of one photo, at noon of 1 May 2024, with its stations.csv."""
    return {
        path: jpeg(**{"taken": "2024:05:01 12:00:00", **tags}),
        "stations.csv": stations("Кедр,Кедр,43.1,131.2,2024-05-01,2024-05-01"),
    }


# --- a tree without a word about it ---


def test_a_bare_tree_says_what_it_is_and_asks_for_what_it_cannot_know(tmp_path: Path) -> None:
    daily(tmp_path / "Кедр" / "DCIM" / "100RECNX", 3)
    daily(tmp_path / "红松岭" / "100EK113", 2)
    content, found = check_path(tmp_path)
    assert content is None
    assert rules(found) == ["no-stations-table", "photos-timezone"]
    assert facts(found, "photos-understood") == [
        {"stations": 2, "photos": 5, "videos": 0, "first": "2024-05-01", "last": "2024-05-03", "bursts": 5}
    ]
    assert [(f["station"], f["photos"], f["last"]) for f in facts(found, "station-understood")] == [
        ("Кедр", 3, "2024-05-03"),
        ("红松岭", 2, "2024-05-02"),
    ]
    (asked,) = facts(found, "no-stations-table")
    assert asked["header"] == "folder,station,latitude,longitude,start,end,camera_type"
    assert asked["line"] == "Кедр,Кедр,,,2024-05-01T12:00:00,2024-05-03T12:00:00,"


def test_the_templates_filled_in_are_a_survey_with_effort(tmp_path: Path) -> None:
    daily(tmp_path / "Кедр" / "DCIM" / "100RECNX", 60, skip=range(20, 45))
    daily(tmp_path / "红松岭", 60)
    written, found = photos.write_templates(tmp_path, known={"party": "north", "timezone": ZONE, "crs": "EPSG:4326"})
    assert written == ("delivery.toml", "stations.csv", "effort-proposed.csv")
    assert found == ()
    assert (tmp_path / "stations.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    table = (tmp_path / "stations.csv").read_text("utf-8")
    (tmp_path / "stations.csv").write_text(table.replace(",,,", ",43.5,131.5,"), "utf-8")
    (tmp_path / "effort-proposed.csv").rename(tmp_path / "effort.csv")
    content, _, found = read_delivered(tmp_path, "north")
    assert content is not None, [str(f) for f in found]
    survey = content.survey
    assert survey is not None
    assert (survey.party, survey.frame, survey.dated, survey.media.height) == ("north", "EPSG:4326", True, 95)
    assert (survey.deployments.schema, survey.media.schema, survey.effort.schema) == (DEPLOYMENTS, MEDIA, EFFORT)
    assert survey.deployments["station"].to_list() == ["Кедр", "红松岭"]
    ran = {name: round(length_days(spans)) for name, spans in run_spans(survey).items()}
    assert ran == {"Кедр": 59 - 25, "红松岭": 59}
    assert "silent-camera" not in {f.rule for f in found}
    assert facts(found, "dates-are-pictures") == [{"deployments": 2}]


def test_templates_overwrite_nothing_and_read_back_what_looks_like_a_formula(tmp_path: Path) -> None:
    for name in ("=cmd", "'quoted", "+7", "plain, with comma"):
        daily(tmp_path / name, 1)
    (tmp_path / "delivery.toml").write_text('party = "north"\nformat = "camera-folders"\n')
    before = (tmp_path / "delivery.toml").read_bytes()
    written, _ = photos.write_templates(tmp_path)
    assert written == ("stations.csv",)
    assert (tmp_path / "delivery.toml").read_bytes() == before
    text = (tmp_path / "stations.csv").read_text("utf-8-sig")
    assert not [line for line in text.splitlines() if line.startswith(("=", "+"))]
    assert photos.write_templates(tmp_path) == ((), ())
    summary = photos.understood(tmp_path)
    assert {s.folder for s in summary.stations} == {"=cmd", "'quoted", "+7", "plain, with comma"}
    assert all(s.photos == 1 for s in summary.stations)


def test_a_summary_is_data_with_or_without_a_declaration(tmp_path: Path) -> None:
    daily(tmp_path / "A", 40, skip=range(5, 30))
    summary = photos.understood(tmp_path)
    assert (summary.photos, summary.first, summary.last) == (15, "2024-05-01T12:00:00", "2024-06-09T12:00:00")
    assert [(s.deployment, s.days) for s in summary.silences] == [("A", 25)]
    assert summary.stations[0].days_with_pictures == 15
    assert photos.understood(tmp_path / "nowhere").stations == ()
    assert [f.rule for f in photos.understood(tmp_path / "nowhere").findings] == ["no-such-path"]


# --- which station ---


def test_names_of_stations_are_compared_in_one_normal_form_and_paths_are_kept(make: Make) -> None:
    folder = unicodedata.normalize("NFD", "Ёлка й")
    files = {f"{folder}/IMG_1.JPG": jpeg("2024:05:01 12:00:00")}
    table = stations(unicodedata.normalize("NFC", "Ёлка й") + ",,43.1,131.2,2024-05-01,2024-05-01")
    survey, _ = read(make({**files, "stations.csv": table}))
    assert survey.deployments["station"].to_list() == [unicodedata.normalize("NFC", "Ёлка й")]
    assert survey.media["path"].to_list() == [f"{folder}/IMG_1.JPG"]
    assert survey.media["media"].to_list() == [unicodedata.normalize("NFC", f"{folder}/IMG_1.JPG")]


def test_the_longest_listed_folder_has_the_picture_and_stays_are_told_apart_by_time(make: Make) -> None:
    files: dict[str, str | bytes] = {
        "A/IMG_1.JPG": jpeg("2024:05:01 12:00:00"),
        "A/left/100MEDIA/IMG_2.JPG": jpeg("2024:05:02 12:00:00"),
        "B/IMG_1.JPG": jpeg("2024:05:01 12:00:00", shade=1),
        "B/IMG_2.JPG": jpeg("2024:06:01 12:00:00", shade=2),
        "B/IMG_3.JPG": jpeg("2024:07:01 12:00:00", shade=3),
        "stations.csv": stations(
            "A,A,43.1,131.2,2024-05-01,2024-05-09",
            "A/left,A-left,43.1,131.2,2024-05-01,2024-05-09",
            "B,B,43.2,131.2,2024-05-01,2024-05-09",
            "B,B,43.3,131.3,2024-06-01,2024-06-09",
        ),
    }
    survey, found = read(make(files))
    assert survey.media.select("media", "deployment").rows() == [
        ("A/IMG_1.JPG", "A"),
        ("A/left/100MEDIA/IMG_2.JPG", "A-left"),
        ("B/IMG_1.JPG", "B@2024-05-01"),
        ("B/IMG_2.JPG", "B@2024-06-01"),
    ]
    assert facts(found, "pictures-between-stays") == [{"folder": "B", "files": 1}]


def test_pictures_of_a_folder_that_nobody_listed_are_an_error_that_names_the_nearest(make: Make) -> None:
    content, found = photos.read(make({**one("Кедры/IMG_1.JPG")}), SAID)
    assert content is None
    assert facts(found, "folder-not-listed") == [{"folder": "Кедры", "files": 1, "nearest": "Кедр"}]
    assert "no-pictures" in rules(found, Severity.WARNING)


def test_pictures_outside_every_folder_ask_for_a_station(make: Make) -> None:
    content, found = photos.read(make({"DCIM/100RECNX/IMG_1.JPG": jpeg("2024:05:01 12:00:00")}), SAID)
    assert content is None
    assert facts(found, "photos-without-station") == [{"folder": ".", "files": 1, "nearest": "?"}]


def test_folders_below_and_names_that_look_alike_are_pointed_out(make: Make) -> None:
    photo = jpeg("2024:05:01 12:00:00")
    _, found = photos.read(make({f"survey/{name}/IMG_1.JPG": photo for name in ("A1", "B2", "C3")}), SAID)
    (deeper,) = [f for f in found if f.rule == "folders-below-station"]
    assert dict(deeper.facts) == {"folder": "survey", "number": 3, "names": "A1, B2, C3"}
    assert deeper.severity is Severity.WARNING
    _, found = photos.read(make({f"{name}/IMG_1.JPG": photo for name in ("КВ-1", "KB 1", "kb1", "D")}), SAID)
    assert facts(found, "stations-look-alike") == [{"stations": "KB 1, kb1, КВ-1"}]


# --- when ---


def test_times_are_local_in_the_declared_zone_unless_they_have_an_offset(make: Make) -> None:
    survey, _ = read(make(one(part="250")))
    assert survey.media["taken"].to_list() == [datetime(2024, 5, 1, 2, 0, 0, 250_000, UTC)]
    assert survey.media["taken_text"].to_list() == ["2024-05-01T12:00:00.250+10:00"]
    survey, _ = read(make(one(offset="+09:00")))
    assert survey.media["taken"].to_list() == [datetime(2024, 5, 1, 3, tzinfo=UTC)]
    assert survey.media["taken_text"].to_list() == ["2024-05-01T12:00:00+09:00"]


def test_without_a_zone_the_times_ask_for_one_unless_all_have_an_offset(make: Make) -> None:
    bare = replace(SAID, timezone="")
    assert rules(photos.read(make(one()), bare)[1]) == ["photos-timezone"]
    assert rules(photos.read(make(one(offset="+10:00")), bare)[1]) == []


def test_a_local_time_that_the_zone_skips_is_left_out_and_counted(make: Make) -> None:
    files = {**one(), "Кедр/IMG_2.JPG": jpeg("2024:03:31 02:30:00")}
    survey, found = read(make(files), replace(SAID, timezone="Europe/Berlin"))
    assert survey.media.height == 1
    assert facts(found, "picture-in-no-time") == [{"folder": "Кедр", "files": 1}]


def test_only_a_time_of_change_is_used_with_a_note_and_dates_of_files_never(make: Make) -> None:
    survey, found = read(make(one(taken="", modified="2024:05:01 12:00:00")))
    assert survey.media.height == 1
    assert facts(found, "time-of-change") == [{"folder": "Кедр", "files": 1}]
    survey, found = read(make(one("Кедр/IMG_20240501_120000.JPG", taken="")))
    assert survey.media.height == 0
    assert facts(found, "picture-without-time") == [{"folder": "Кедр", "files": 1}]


def test_times_of_files_that_tell_none_come_from_a_table_that_a_person_fills_in(make: Make) -> None:
    files = {**one(), "Кедр/A.HEIC": b"x", "Кедр/B.AVI": avi(""), "Кедр/C.JPG": jpeg()}
    folder = make(files)
    photos.write_templates(folder)
    assert (folder / "times.csv").read_text("utf-8-sig").splitlines() == [
        "file,taken", "Кедр/A.HEIC,", "Кедр/B.AVI,", "Кедр/C.JPG,",
    ]  # fmt: skip
    rows = ("Кедр/A.HEIC,2024-05-01 13:00", "Кедр/B.AVI,2024-05-01T14:00:00", "Кедр/C.JPG,", "D.JPG,2024-05-01 13:00")
    told = "\n".join(("file,taken", *rows, "Кедр/DCIM/100RECNX/IMG_0001.JPG,2024-05-02 13:00"))
    survey, found = read(make({**files, "times.csv": told}))
    assert survey.media["taken"].dt.hour().to_list() == [2, 3, 4]
    assert facts(found, "times-for-nothing") == [{"path": "D.JPG"}]
    assert facts(found, "times-known") == [{"path": "Кедр/DCIM/100RECNX/IMG_0001.JPG"}]
    assert facts(found, "picture-without-time") == [{"folder": "Кедр", "files": 1}]


def test_a_video_of_a_camera_asks_which_clock_its_header_shows(make: Make) -> None:
    photo, clip = jpeg("2024:05:01 12:00:00"), mp4(NOON + timedelta(seconds=5))
    files = {
        **one(),
        "Кедр/IMG_1.JPG": photo,
        "Кедр/IMG_2.MP4": clip,
        "Кедр/IMG_3.AVI": avi("WED MAY 01 12:01:00 2024"),
    }
    content, found = photos.read(make(files), SAID)
    assert content is None
    assert facts(found, "missing-video-clock") == [{"files": 1, "likely": "local"}]
    at = {}
    for clock in ("local", "utc"):
        survey, _ = read(make(files), replace(SAID, video_clock=clock))
        at[clock] = dict(survey.media.select(pl.col("media").str.slice(-3), "taken_text").iter_rows())
    assert at["local"]["MP4"] == "2024-05-01T12:00:05+10:00"
    assert at["utc"]["MP4"] == "2024-05-01T22:00:05+10:00"
    assert at["local"]["AVI"] == at["utc"]["AVI"] == "2024-05-01T12:01:00+10:00"


def test_stays_of_one_folder_that_overlap_are_an_error(make: Make) -> None:
    rows = ("A,A,43.1,131.2,2024-05-01,2024-05-09", "A,A,43.1,131.2,2024-05-09,2024-05-19")
    content, found = photos.read(make({**one("A/IMG_1.JPG"), "stations.csv": stations(*rows)}), SAID)
    assert content is None
    assert [(f.rule, f.where.row) for f in found if f.severity is Severity.ERROR] == [("stays-overlap", 3)]


def test_two_cameras_at_one_station_are_two_deployments(make: Make) -> None:
    files: dict[str, str | bytes] = {
        f"{name}/1.JPG": jpeg("2024:05:01 12:00:00", shade=n) for n, name in enumerate("LR")
    }
    rows = ("L,K1,43.1,131.2,2024-05-01,2024-05-01", "R,K1,43.1,131.2,2024-05-01,2024-05-01")
    survey, _ = read(make({**files, "stations.csv": stations(*rows)}))
    assert survey.deployments.select("deployment", "station").rows() == [("L", "K1"), ("R", "K1")]


def test_a_card_without_folders_is_listed_as_a_dot(make: Make) -> None:
    table = stations(".,Кедр,43.1,131.2,2024-05-01,2024-05-01")
    survey, _ = read(make({"DCIM/100RECNX/1.JPG": jpeg("2024:05:01 12:00:00"), "stations.csv": table}))
    assert survey.media["deployment"].to_list() == ["Кедр"]


def test_days_as_a_spreadsheet_writes_them_are_read_where_their_order_is_clear(make: Make) -> None:
    rows = "folder;latitude;longitude;start;end\nКедр;43.1;131.2;01.05.2024 8:30;20.05.2024\n"
    survey, found = read(make({**one(), "stations.csv": rows}), replace(SAID, date_order="day-first"))
    zone = survey.deployments.select(pl.col("start", "end").dt.convert_time_zone(ZONE).dt.strftime("%m-%d %H:%M:%S"))
    assert zone.row(0) == ("05-01 08:30:00", "05-20 23:59:59")
    assert facts(found, "days-without-time") == [{"rows": 1, "clock": "23:59:59"}]
    content, found = photos.read(make({**one(), "stations.csv": rows}), SAID)
    assert content is None
    assert "date-order-unknown" in rules(found)


def test_years_that_no_clock_shows_are_no_times(make: Make) -> None:
    table = stations("Кедр,,43.1,131.2,0001-01-01,9999-12-31T23:59:59")
    content, found = photos.read(make({**one(), "stations.csv": table}), SAID)
    assert content is None
    assert [f.where.field for f in found if f.rule == "not-a-time"] == ["start", "end"]
    _, found = read(make({**one(), "Кедр/2.JPG": jpeg("9999:12:31 23:59:59")}))
    assert facts(found, "picture-without-time") == [{"folder": "Кедр", "files": 1}]


# --- clocks ---


@pytest.mark.parametrize(
    "row",
    ["Кедр,,,,+01:00:00", "Кедр,S1,2024-05-01 12:00,2024-05-01 13:00,", ",S1,2024-05-01T12:00:00,2024-05-01T13:00:00,"],
)
def test_a_clock_correction_is_applied_and_recorded(make: Make, row: str) -> None:
    table = f"station,camera,camera_time,true_time,offset\n{row}\n"
    survey, found = read(make({**one(serial="S1"), "clock.csv": table}))
    assert survey.media["taken_text"].to_list() == ["2024-05-01T13:00:00+10:00"]
    (note,) = [f for f in found if f.rule == "clock-corrected"]
    assert (note.facts["files"], note.facts["added"], note.where.row) == (1, "+01:00:00", 2)


def test_a_correction_may_hold_for_a_part_of_the_pictures_only(make: Make) -> None:
    files = {**one(), "Кедр/IMG_2.JPG": jpeg("2000:01:01 00:10:00")}
    table = "station,offset,from,until\nКедр,+8887d 00:00:00,2000-01-01 00:00,2000-01-01 00:10\n"
    survey, found = read(make({**files, "clock.csv": table}))
    assert survey.media["taken_text"].to_list() == ["2024-05-01T00:10:00+10:00", "2024-05-01T12:00:00+10:00"]
    assert "photo-clock-reset" not in {f.rule for f in found}


def test_corrections_that_are_wrong_are_findings_by_line(make: Make) -> None:
    rows = (",,+01:00,", "Кедр,,1:00,", "Кедр,,,soon", "X,,+01:00,", "Кедр,,+01:00,", "Кедр,,+02:00,")
    table = "\n".join(("station,camera,offset,camera_time", *rows))
    content, found = photos.read(make({**one(), "clock.csv": table}), SAID)
    assert content is None
    said = [(f.rule, f.where.row) for f in found if f.where.file == "clock.csv"]
    assert said == [
        ("clock-for-whom", 2), ("clock-offset", 3), ("not-a-time", 4), ("clock-for-nothing", 5),
        ("clock-corrected", 6), ("clock-twice", 7),
    ]  # fmt: skip


@given(st.integers(-(10**9), 10**9))
def test_offsets_are_written_as_they_are_read(seconds: int) -> None:
    assert seconds_of(offset_text(seconds)) == seconds


# --- health ---


def test_a_long_silence_is_proposed_and_a_usual_one_is_not(tmp_path: Path) -> None:
    daily(tmp_path / "busy", 60, skip=range(30, 40))
    daily(tmp_path / "quiet", 60, skip=[day for day in range(60) if day % 10])
    _, found = photos.read(tmp_path, SAID)
    (silence,) = facts(found, "silent-camera")
    assert (silence["deployment"], silence["first"], silence["days"]) == ("busy", "2024-05-31", 10)
    assert silence["line"] == "busy,2024-05-31T00:00:00,2024-06-09T23:59:59,other"


def test_a_camera_that_stopped_before_its_declared_end_is_proposed_and_stays_effort(tmp_path: Path) -> None:
    daily(tmp_path / "A", 30)
    (tmp_path / "stations.csv").write_text(stations("A,A,43.1,131.2,2024-05-01,2024-06-30"))
    survey, found = read(tmp_path)
    assert [(f["first"], f["last"]) for f in facts(found, "silent-camera")] == [("2024-05-31", "2024-06-30")]
    assert survey.effort.height == 0
    (tmp_path / "effort.csv").write_text("deployment,start,end,reason\nA,2024-05-31,2024-06-30,battery\n")
    survey, found = read(tmp_path)
    assert survey.effort["reason"].to_list() == ["battery"]
    assert "silent-camera" not in {f.rule for f in found}


def test_gaps_that_contradict_the_deployments_are_errors(make: Make) -> None:
    table = (
        "deploymentID,start,end,reason\nX,2024-05-01,2024-05-01,snow\nКедр,2024-04-01,2024-05-01,snow\n"
        "Кедр,2024-05-01T12:00:00,2024-05-01T13:00:00,yeti\n"
    )
    content, found = photos.read(make({**one(), "effort.csv": table}), SAID)
    assert content is None
    assert rules(found) == ["gap-outside-deployment", "gaps-overlap", "unknown-deployment", "unknown-word"]


def test_a_reset_clock_and_a_jump_backwards_are_seen_and_a_counter_that_starts_anew_is_not(make: Make) -> None:
    at = ["2024:05:01 12:00:00", "2024:05:02 12:00:00", "2000:01:01 00:00:30"]
    files: dict[str, str | bytes] = {f"A/IMG_{n}.JPG": jpeg(text) for n, text in enumerate(at)}
    _, found = photos.read(make(files), SAID)
    assert facts(found, "photo-clock-reset") == [{"deployment": "A", "files": 1, "first": "2000-01-01 00:00:30"}]
    (jump,) = facts(found, "clock-backwards")
    assert (jump["before"], jump["after"], jump["jumps"]) == ("2024-05-02 12:00:00", "2000-01-01 00:00:30", 1)
    assert facts(found, "photos-understood")[0]["first"] == "2024-05-01"
    order = ["9998", "9999", "0001", "0002"]
    files = {f"A/IMG_{n}.JPG": jpeg(f"2024:05:0{day} 12:00:00") for day, n in enumerate(order, start=1)}
    _, found = photos.read(make(files), SAID)
    assert "clock-backwards" not in {f.rule for f in found}


def test_cameras_that_were_mixed_up_are_pointed_out(make: Make) -> None:
    files: dict[str, str | bytes] = {
        "A/IMG_1.JPG": jpeg("2024:05:01 12:00:00", serial="S1"),
        "A/IMG_2.JPG": jpeg("2024:05:09 12:00:00", serial="S1"),
        "B/IMG_1.JPG": jpeg("2024:05:02 12:00:00", serial="S1"),
        "B/IMG_2.JPG": jpeg("2024:05:03 12:00:00", serial="S2"),
    }
    _, found = photos.read(make(files), SAID)
    assert facts(found, "photo-camera-in-two-places") == [{"camera": "S1", "deployment": "B", "other": "A"}]
    assert facts(found, "cameras-mixed") == [{"deployment": "B", "cameras": 2}]


def test_pictures_outside_the_declared_dates_are_counted_and_kept(make: Make) -> None:
    survey, found = read(make({**one(), "Кедр/IMG_2.JPG": jpeg("2024:06:01 12:00:00")}))
    assert survey.media.height == 2
    assert facts(found, "pictures-outside") == [{"deployment": "Кедр", "files": 1}]


# --- where ---


def test_places_in_pictures_are_ignored_with_a_note_unless_they_are_asked_for(make: Make) -> None:
    files = {**one(gps=(43.123, 131.456)), "stations.csv": stations("Кедр,,,,2024-05-01,2024-05-01")}
    content, found = photos.read(make(files), SAID)
    assert content is None
    assert rules(found) == ["missing-position"]
    assert facts(found, "exif-positions-ignored") == [{"files": 1}]
    survey, found = read(make(files), replace(SAID, positions="exif", crs=""))
    assert survey.deployments.select("x", "y").row(0) == pytest.approx((131.456, 43.123))
    assert not [f for f in found if "43.1" in str(f) or "131.4" in str(f)]
    files["Кедр/IMG_2.JPG"] = jpeg("2024:05:01 12:00:00", gps=(43.2, 131.456))
    _, found = read(make(files), replace(SAID, positions="exif"))
    assert facts(found, "positions-spread") == [{"station": "Кедр", "files": 2}]


def test_positions_in_the_table_need_a_declared_system_and_become_wgs84(make: Make) -> None:
    assert rules(photos.read(make(one()), replace(SAID, crs=""))[1]) == ["missing-crs"]
    files = {**one(), "stations.csv": "folder;x;y;start;end\nКедр;600000;4800000;2024-05-01;2024-05-01\n"}
    survey, _ = read(make(files), replace(SAID, crs="EPSG:32652"))
    assert survey.deployments.select("x", "y").row(0) == pytest.approx((130.2, 43.3), abs=0.1)
    survey, _ = read(make(files), replace(SAID, crs="local:grid"))
    assert (survey.frame, survey.deployments["x"].to_list()) == ("local:grid", [600000.0])


# --- files that are not as they should be ---


def hurt() -> dict[str, str | bytes]:
    """Files that are wrong in a way each, and one photo that is right."""
    good = jpeg("2024:05:01 12:00:00")
    return {
        "A/good.JPG": good,
        "A/empty.JPG": b"",
        "A/text.JPG": "<html>not found</html>",
        "A/cut.JPG": good[:-40],
        "A/head.JPG": good[:10],
        "A/huge.JPG": huge_jpeg(),
        "A/bomb.png": huge_png(),
        "A/raw.NEF": b"II*\0",
        "A/clip.MP4": b"nothing",
        "A/again.JPG": good,
        "A/unknown.JPG": jpeg(),
    }


def test_every_picture_is_in_the_survey_or_counted(make: Make) -> None:
    files = hurt()
    survey, found = read(make({**files, "stations.csv": stations("A,,43.1,131.2,2024-05-01,2024-05-01")}))
    left_out = {
        "picture-empty": 1, "picture-damaged": 3, "picture-huge": 2, "picture-kind": 1,
        "picture-twice": 1, "picture-without-time": 1,
    }  # fmt: skip
    assert {rule: sum(f["files"] for f in facts(found, rule)) for rule in left_out} == left_out
    assert survey.media["media"].to_list() == ["A/again.JPG", "A/cut.JPG"]
    assert facts(found, "picture-cut-short") == [{"folder": "A", "files": 1}]
    assert survey.media.height + sum(left_out.values()) == len(files)


def test_the_same_photo_at_two_stations_is_kept_and_warned_of(make: Make) -> None:
    photo = jpeg("2024:05:01 12:00:00")
    other = photo.replace(b"12:00:00", b"12:00:01")  # the same size, other bytes
    table = stations("A,,43.1,131.2,2024-05-01,2024-05-01", "B,,43.1,131.2,2024-05-01,2024-05-01")
    survey, found = read(make({"A/1.JPG": photo, "B/1.JPG": photo, "B/2.JPG": other, "stations.csv": table}))
    assert survey.media.height == 3
    assert facts(found, "picture-at-two-stations") == [{"deployment": "B", "other": "A", "files": 1}]


def test_names_that_differ_only_in_their_unicode_form_are_left_out_and_counted(make: Make) -> None:
    twins = [unicodedata.normalize(form, "Кедр/й.JPG") for form in ("NFC", "NFD")]
    photos_ = {name: jpeg("2024:05:01 12:00:01", shade=n) for n, name in enumerate(twins)}
    survey, found = read(make({**one("Кедр/IMG.JPG"), **photos_}))
    assert survey.media["media"].to_list() == ["Кедр/IMG.JPG"]
    assert facts(found, "names-alike") == [{"folder": "Кедр", "files": 2}]


def test_an_archive_of_photos_is_refused_with_a_remedy_and_a_folder_without_any_too(make: Make, tmp_path: Path) -> None:
    import shutil

    name = shutil.make_archive(str(tmp_path / "card"), "zip", make({"A/1.JPG": jpeg("2024:05:01 12:00:00")}))
    assert rules(photos.read(Path(name), SAID)[1]) == ["photos-in-archive"]
    assert rules(photos.read(make({"notes.txt": "x"}), SAID)[1]) == ["no-photos"]


def test_tables_beside_that_nothing_reads_are_named(make: Make) -> None:
    _, found = read(make({**one(), "labels.csv": "a\n1\n", "README.md": "x", "thumbs.db": b"x"}))
    assert [f["path"] for f in facts(found, "unread-file")] == ["labels.csv"]


def test_what_no_table_holds_is_listed(make: Make) -> None:
    content, found = photos.read(make(one(serial="S1")), SAID)
    assert content is not None
    assert content.not_carried == ("EXIF serial number",)
    assert [f["columns"] for f in facts(found, "not-carried")] == ["EXIF serial number"]


def test_the_source_changes_with_a_picture_and_with_a_table(make: Make) -> None:
    def source(files: Mapping[str, str | bytes]) -> str:
        return read(make(files))[0].source

    assert source(one()) == source(one())
    assert (
        len({source(one()), source(one(part="1")), source({**one(), "clock.csv": "station,offset\nКедр,+01:00\n"})})
        == 3
    )


def test_progress_rises_to_one_and_may_stop_the_work(tmp_path: Path) -> None:
    daily(tmp_path / "A", 30)
    shares: list[float] = []
    photos.read(tmp_path, SAID, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0

    def stop(share: float, /) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        photos.read(tmp_path, SAID, stop)


def test_a_survey_of_folders_is_written_as_camtrap_dp_and_reads_back_equal(tmp_path: Path) -> None:
    daily(tmp_path / "in" / "Кедр" / "DCIM" / "100RECNX", 10)
    (tmp_path / "in" / "stations.csv").write_text(stations("Кедр,,43.1,131.2,2024-05-01,2024-05-10"))
    survey, _ = read(tmp_path / "in")
    camtrapdp.write(survey, tmp_path / "out", title="Cards", contributor="North", created="2026-01-01T00:00:00Z")
    delivery, _ = read_delivery(tmp_path / "out", "north")
    assert delivery is not None
    back, found = camtrapdp.read(tmp_path / "out", delivery)
    assert back is not None, [str(f) for f in found]
    assert_frame_equal(back.media, survey.media)


# --- headers ---


def header_of(folder: Path, content: bytes, kind: str = "photo") -> Any:
    path = folder / "file"
    path.write_bytes(content)
    with quiet_pillow():
        return read_header(path, len(content), kind)


def test_an_exif_block_behind_other_segments_is_found(tmp_path: Path) -> None:
    photo = jpeg("2024:05:01 03:04:05")
    filler = b"\xff\xe2" + struct.pack(">H", 60_002) + bytes(60_000)
    assert header_of(tmp_path, photo[:2] + filler * 3 + photo[2:]).taken == "2024-05-01T03:04:05"


def test_the_end_of_the_small_picture_in_the_exif_is_not_taken_for_the_end_of_the_photo(tmp_path: Path) -> None:
    photo = jpeg("2024:05:01 03:04:05")
    filler = b"\xff\xe2" + struct.pack(">H", 102) + bytes(50) + b"\xff\xd9" + bytes(48)
    cut = photo[:2] + filler + photo[2:-40]
    assert header_of(tmp_path, cut).problem == "cut"
    assert header_of(tmp_path, photo[:2] + filler + photo[2:]).problem == ""


def test_other_images_are_read_by_what_they_are_not_by_their_names(tmp_path: Path) -> None:
    for kind in ("PNG", "TIFF", "WEBP"):
        assert header_of(tmp_path, image(kind)).taken == "2024-05-01T03:04:05", kind


@pytest.mark.parametrize(
    "text", ["", "0000:00:00 00:00:00", "2024:02:30 00:00:00", "    :  :     :  :  ", "soon", "2024:13:01 00:00:00"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert moment_text(text) == ""


@pytest.mark.parametrize("version", [0, 1])
def test_the_header_of_an_mp4_is_found_behind_the_pictures(tmp_path: Path, version: int) -> None:
    (tmp_path / "a").write_bytes(clip := mp4(NOON, version=version, before=[box(b"mdat", bytes(100_000))]))
    assert creation_time(tmp_path / "a", len(clip)) == ("2024-05-01T12:00:00", "container")
    (tmp_path / "b").write_bytes(clip := mp4(None))
    assert creation_time(tmp_path / "b", len(clip)) == ("", "container")


def test_an_avi_behind_deep_lists_ends(tmp_path: Path) -> None:
    nest = b""
    for _ in range(200):
        nest = chunk(b"LIST", b"hdrl" + nest + chunk(b"junk", b"") * 50)
    (tmp_path / "a").write_bytes(clip := b"RIFF\0\0\0\0AVI " + nest)
    assert creation_time(tmp_path / "a", len(clip)) == ("", "local")


def image(kind: str) -> bytes:
    """An image of 8 x 8 pixels with the time of its last change."""
    exif = Image.Exif()
    exif[306] = "2024:05:01 03:04:05"
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, kind, exif=exif)
    return stream.getvalue()


START = [
    *map(image, ("PNG", "TIFF", "WEBP")),
    jpeg("2024:05:01 03:04:05", gps=(1.0, 2.0)),
    mp4(NOON),
    avi("2024:05:01 12:00:00"),
    huge_jpeg(),
    b"RIFF",
    b"",
]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(START),
    st.lists(st.tuples(st.integers(0, 900), st.binary(min_size=1, max_size=6)), max_size=8),
    st.integers(0, 2000),
    st.sampled_from(["photo", "video"]),
)
def test_no_bytes_make_a_header_crash(
    tmp_path: Path, content: bytes, changes: list[tuple[int, bytes]], length: int, kind: str
) -> None:
    broken = bytearray(content)
    for at, new in changes:
        broken[at : at + len(new)] = new
    header = header_of(tmp_path, bytes(broken[:length]), kind)
    assert header.problem in ("", "empty", "damaged", "huge", "cut")


TEXT = st.text(st.sampled_from("Кедр,A12-:;\n\t\"'=T.20 45NaN+d红"), max_size=60)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["stations.csv", "clock.csv", "effort.csv", "times.csv"]),
    st.one_of(TEXT, st.binary(max_size=60)),
    st.booleans(),
)
def test_no_table_makes_the_door_crash(tmp_path: Path, name: str, text: str | bytes, headed: bool) -> None:
    heads = {
        "stations.csv": STATIONS_HEADER,
        "clock.csv": "station,camera,offset,camera_time,true_time,from,until\n",
        "effort.csv": "deployment,start,end,reason\n",
        "times.csv": "file,taken\n",
    }
    for file, content in one().items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    for other in heads:
        if other != "stations.csv":
            (tmp_path / other).unlink(missing_ok=True)
    body = text if isinstance(text, bytes) else text.encode()
    (tmp_path / name).write_bytes(heads[name].encode() * headed + body)
    content_, found = photos.read(tmp_path, SAID)
    assert isinstance(content_, Delivered) or rules(found)


# --- bursts ---


def test_pictures_within_a_minute_are_one_burst(make: Make) -> None:
    at = ["12:00:00", "12:00:50", "12:01:40", "12:03:00"]
    survey, _ = read(make({**one(), **{f"Кедр/{n}.JPG": jpeg(f"2024:05:01 {t}", shade=n) for n, t in enumerate(at)}}))
    grouped = photos.bursts(survey.media)
    assert grouped["burst"].to_list() == [1, 1, 1, 1, 2]
    assert photos.bursts(survey.media, apart_s=0)["burst"].to_list() == [1, 1, 2, 3, 4]
