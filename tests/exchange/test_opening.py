"""What partners bring is opened safely: nothing escapes, hangs or fills the memory, and nothing is guessed."""

from __future__ import annotations

import gzip
import os
import struct
import zipfile
from pathlib import Path

import pytest

from sharedrange.core.finding import Finding
from sharedrange.exchange import opening
from sharedrange.exchange.opening import decode, likely_encoding, open_path, shown

HANDS = "партия,стоянка\nюг,ручей у кедра\n"


def rules(findings: list[Finding]) -> list[str]:
    return [finding.rule for finding in findings]


def zipped(path: Path, members: dict[str, bytes], **info: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            for field, value in info.items():
                setattr(member, field, value)
            archive.writestr(member, content)
    return path


def test_an_empty_folder_and_a_path_that_is_not_there_are_findings(tmp_path: Path) -> None:
    assert rules(open_path(tmp_path)[1]) == ["empty-folder"]
    assert rules(open_path(tmp_path / "nowhere")[1]) == ["no-such-path"]


def test_a_folder_is_opened_by_names_without_hidden_files(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("x")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.csv").write_text("x")
    opened, found = open_path(tmp_path)
    assert not found
    assert opened is not None
    assert dict(opened.sizes) == {"deep/a.csv": 1}
    assert opened.read(".git/config")[1][0].rule == "file-not-found"


@pytest.mark.parametrize("name", ["../secret.csv", "/etc/passwd", "C:/x.csv", "a\\..\\b.csv", ""])
def test_a_path_that_leaves_the_folder_is_refused_and_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text("x")
    opened, _ = open_path(tmp_path)
    assert opened is not None
    content, found = opened.read(name)
    assert content is None
    assert rules(found) == ["path-escapes"]


def test_a_link_to_the_outside_is_refused_and_one_to_the_inside_is_read(tmp_path: Path) -> None:
    inside = tmp_path / "delivery"
    inside.mkdir()
    (tmp_path / "secret.csv").write_text("s")
    (inside / "a.csv").write_text("x")
    (inside / "b.csv").symlink_to(inside / "a.csv")
    opened, _ = open_path(inside)
    assert opened is not None
    assert opened.read("b.csv")[0] == b"x"
    (inside / "c.csv").symlink_to(tmp_path / "secret.csv")
    (inside / "d").symlink_to(tmp_path, target_is_directory=True)
    assert rules(open_path(inside)[1]) == ["link-outside", "link-outside"]


def test_a_pipe_is_refused_because_reading_it_would_never_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "captures.csv")
    assert rules(open_path(tmp_path)[1]) == ["not-a-file"]


def test_links_in_a_circle_are_a_finding(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert rules(open_path(tmp_path)[1]) == ["file-damaged", "file-damaged"]


def test_too_many_files_are_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "MAX_FILES", 2)
    for name in "abc":
        (tmp_path / name).write_text(name)
    assert rules(open_path(tmp_path)[1]) == ["too-many-files"]
    archive = zipped(tmp_path / "a.zip", dict.fromkeys("abc", b"x"))
    assert rules(open_path(archive)[1]) == ["too-many-files"]


def test_a_file_name_that_is_not_text_is_a_finding(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv")).write_text("x")
    found = open_path(tmp_path)[1]
    assert rules(found) == ["file-name"]
    str(found[0]).encode()


def test_a_zip_is_read_without_being_unpacked(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"x/a.csv": b"1", "__MACOSX/a.csv": b"2"})
    opened, found = open_path(archive)
    assert not found
    assert opened is not None
    assert opened.read("x/a.csv")[0] == b"1"
    assert list(opened.sizes) == ["x/a.csv"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_a_zip_bomb_is_refused_by_what_it_says_it_would_become(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "bomb.zip", {"captures.csv": b"0" * (8 << 20)})
    opened, found = open_path(archive)
    assert opened is None
    assert set(rules(found)) == {"zip-bomb"}


def test_a_zip_bomb_that_lies_about_its_size_is_refused_when_read(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "bomb.zip", {"captures.csv": b"0" * (8 << 20)})
    content = archive.read_bytes()
    archive.write_bytes(content.replace(struct.pack("<L", 8 << 20), struct.pack("<L", 1000)))
    opened, found = open_path(archive)
    assert opened is not None, found
    text, found = opened.read("captures.csv")
    assert text is None
    assert rules(found) == ["file-damaged"]


def test_a_member_larger_than_the_limit_is_not_read(tmp_path: Path) -> None:
    opened, _ = open_path(zipped(tmp_path / "a.zip", {"a.csv": os.urandom(3000)}))
    assert opened is not None
    assert rules(opened.read("a.csv", 2000)[1]) == ["file-too-large"]


@pytest.mark.parametrize("name", ["../a.csv", "/a.csv", "C:\\a.csv", "x/../../a.csv"])
def test_a_zip_with_a_member_that_leaves_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    assert rules(open_path(zipped(tmp_path / "a.zip", {name: b"x"}))[1]) == ["path-escapes"]


def test_a_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"a.csv": b"/etc/passwd"}, external_attr=0o120777 << 16, create_system=3)
    assert rules(open_path(archive)[1]) == ["link-in-zip"]


def test_a_zip_with_a_password_or_a_member_twice_is_refused(tmp_path: Path) -> None:
    locked = zipped(tmp_path / "locked.zip", {"a.csv": b"x"}).read_bytes()
    central = locked.index(b"PK\x01\x02")
    (tmp_path / "locked.zip").write_bytes(locked[: central + 8] + b"\x01" + locked[central + 9 :])
    assert rules(open_path(tmp_path / "locked.zip")[1]) == ["encrypted-member"]
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("a.csv", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.csv", "2")
    assert rules(open_path(tmp_path / "twice.zip")[1]) == ["duplicate-member"]


def test_a_truncated_zip_and_a_file_that_is_no_zip_are_findings(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "a.zip", {"a.csv": b"x" * 1000}).read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[: len(whole) // 2])
    assert rules(open_path(tmp_path / "a.zip")[1]) == ["file-damaged"]
    (tmp_path / "b.zip").write_text("a,b\n")
    assert rules(open_path(tmp_path / "b.zip")[1]) == ["not-a-delivery"]


def test_a_gz_file_is_unpacked_and_a_truncated_or_inflating_one_is_a_finding(tmp_path: Path) -> None:
    packed = gzip.compress(b"a,b\n" * 1000)
    (tmp_path / "a.csv.gz").write_bytes(packed)
    (tmp_path / "cut.csv.gz").write_bytes(packed[: len(packed) // 2])
    opened, _ = open_path(tmp_path)
    assert opened is not None
    assert opened.read("a.csv.gz")[0] == b"a,b\n" * 1000
    assert rules(opened.read("cut.csv.gz")[1]) == ["file-damaged"]
    assert rules(opened.read("a.csv.gz", 500)[1]) == ["file-too-large"]


def test_a_byte_order_mark_is_removed() -> None:
    assert decode("a", b"\xef\xbb\xbfid", "utf-8") == ("id", [])
    assert decode("a", "id".encode("utf-16"), "utf-16") == ("id", [])


def test_bytes_of_another_encoding_name_the_line_and_a_likely_encoding_but_are_not_read() -> None:
    text, found = decode("a", HANDS.encode("windows-1251"), "utf-8")
    assert text is None
    assert rules(found) == ["not-encoding"]
    assert found[0].where.row == 1
    assert found[0].facts["likely"] == "windows-1251"
    text, found = decode("a", b"id\nM1\n\xff\n", "utf-8")
    assert found[0].where.row == 3


def test_declared_windows_1251_is_read() -> None:
    assert decode("a", HANDS.encode("windows-1251"), "windows-1251") == (HANDS, [])
    assert decode("a", HANDS.encode("windows-1251"), "CP1251") == (HANDS, [])


def test_a_utf8_mark_before_windows_1251_is_a_finding_whatever_is_declared() -> None:
    content = b"\xef\xbb\xbf" + HANDS.encode("windows-1251")
    assert rules(decode("a", content, "utf-8")[1]) == ["not-encoding"]
    assert rules(decode("a", content, "windows-1251")[1]) == ["mark-contradicts-encoding"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Хуньчунь", "windows-1251"),
        ("珲春东北虎国家公园", "gb18030"),
        ("ツシマヤマネコ", "shift_jis"),
        ("두만강 하구", "euc-kr"),
        ("plain", ""),
    ],
)
def test_the_likely_encoding_is_told_for_the_scripts_of_the_partners(text: str, encoding: str) -> None:
    assert likely_encoding(text.encode(encoding or "ascii")) == encoding


def test_utf16_without_declaration_is_recognised_by_its_mark() -> None:
    found = decode("a", HANDS.encode("utf-16"), "utf-8")[1]
    assert found[0].facts["likely"] == "utf-16"


def test_an_encoding_that_is_not_for_text_is_a_finding() -> None:
    for name in ("zip", "idna", "klingon", "unicode_escape", "a\0b"):
        assert rules(decode("a", b"x", name)[1]) == ["unknown-encoding"]


def test_zero_bytes_are_a_finding_with_the_line_of_the_first() -> None:
    text, found = decode("a", b"id\nM\0 1\0\n", "utf-8")
    assert text is None
    assert (found[0].rule, found[0].where.row, found[0].facts["count"]) == ("nul-byte", 2, 2)


def test_what_is_shown_is_one_short_printable_line() -> None:
    assert shown("a\x1b[31m\n" + "b" * 500).isprintable()
    assert len(shown("b" * 500)) == opening.SHOWN_LENGTH + 1
    shown("\udcff").encode()


def test_a_folder_that_may_not_be_listed_is_not_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "captures.csv").write_text("x")
    (tmp_path / "closed").mkdir()

    def list_open_folders(folder: str | Path) -> object:
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    scan = os.scandir
    monkeypatch.setattr(os, "scandir", list_open_folders)
    opened, found = open_path(tmp_path)
    assert opened is None
    assert rules(found) == ["file-damaged"]
