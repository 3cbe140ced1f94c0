"""Crafted containers: whatever a zip can do that a package does not, is refused before anything is read or written."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.release import MANIFEST
from sharedrange.sharing.sealing import unsealing as reading
from sharedrange.sharing.sealing.container import contained

TAIL = 22  # bytes of a zip's end


def zipped(files: dict[str, bytes], **more: Any) -> bytes:
    """Files in a zip as anybody would make it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **more) as archive:
        for name, part in files.items():
            archive.writestr(name, part)
    return buffer.getvalue()


def member(name: str, part: bytes, **attributes: Any) -> Callable[[zipfile.ZipFile], None]:
    """Adds one member with attributes of its own."""

    def add(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        info.external_attr, info.create_system = 0o600 << 16, 3
        for key, value in attributes.items():
            setattr(info, key, value)
        archive.writestr(info, part)

    return add


@pytest.mark.filterwarnings("ignore:Duplicate name")  # a name ends at its first zero byte
@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/evil", "..\\evil", "C:\\evil", "a/../../evil", "stations.csv/", "Stations.csv", "stations.csv\0x",
     "./stations.csv", "//stations.csv", "notes.txt", "con", "", "stations.csv ", "s\u0442ations.csv"],
)  # fmt: skip
def test_a_file_of_another_name_is_refused(tools: Any, content: bytes, name: str, tmp_path: Path) -> None:
    files = tools.files_of(content)
    buffer = io.BytesIO(tools.plain_of(content))
    with zipfile.ZipFile(buffer, "a") as archive:
        member(name, files["stations.csv"])(archive)
    assert tools.refused_inside(buffer.getvalue()) == ["package-container"]
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize(
    "attributes",
    [
        {"external_attr": 0o120777 << 16}, {"external_attr": 0o100755 << 16}, {"comment": b"hidden"},
        {"extra": b"\x01\x00\x02\x00hi"}, {"date_time": (2026, 1, 1, 0, 0, 0)}, {"create_system": 0},
        {"internal_attr": 1}, {"create_version": 63}, {"compress_type": zipfile.ZIP_DEFLATED},
        {"compress_type": zipfile.ZIP_BZIP2}, {"compress_type": zipfile.ZIP_LZMA},
    ],
)  # fmt: skip
def test_a_link_a_remark_or_another_form_of_a_member_is_refused(
    tools: Any, content: bytes, attributes: dict[str, Any]
) -> None:
    files = tools.files_of(content)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, part in files.items():
            member(name, part, **(attributes if name == "stations.csv" else {}))(archive)
    assert tools.refused_inside(buffer.getvalue()) == ["package-container"]


@pytest.mark.filterwarnings("ignore:Duplicate name")  # that is the point
def test_a_file_that_is_there_twice_is_refused(tools: Any, content: bytes) -> None:
    buffer = io.BytesIO(tools.plain_of(content))
    with zipfile.ZipFile(buffer, "a") as archive:
        member("stations.csv", b"other")(archive)
    assert tools.refused_inside(buffer.getvalue()) == ["package-container"]


def test_files_in_another_order_are_refused(tools: Any, content: bytes) -> None:
    files = tools.files_of(content)
    turned = dict(reversed(files.items()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, part in turned.items():
            member(name, part)(archive)
    assert tools.refused_inside(buffer.getvalue()) == ["package-container"]


def test_an_ordinary_zip_of_the_same_files_is_refused(tools: Any, content: bytes) -> None:
    files = tools.files_of(content)
    assert tools.refused_inside(zipped(files)) == ["package-container"]
    assert tools.refused_inside(zipped(files, compression=zipfile.ZIP_DEFLATED)) == ["package-container"]


def test_bytes_around_between_or_behind_the_files_are_refused(tools: Any, content: bytes) -> None:
    plain = tools.plain_of(content)
    directory = plain.index(b"PK\x01\x02")
    with_remark = plain[:-2] + struct.pack("<H", 6) + b"hidden"
    for changed in (
        b"hidden" + plain,
        plain + b"hidden",
        with_remark,
        plain[:directory] + b"hidden" + plain[directory:],
    ):
        assert tools.refused_inside(changed) == ["package-container"]


def test_a_member_that_says_it_is_encrypted_is_refused(tools: Any, content: bytes) -> None:
    plain = bytearray(tools.plain_of(content))
    for at in (plain.index(b"PK\x03\x04") + 6, plain.index(b"PK\x01\x02") + 8):
        plain[at] |= 1
    assert tools.refused_inside(bytes(plain)) == ["package-container"]


def test_a_package_without_one_of_its_parts_is_refused(tools: Any, content: bytes) -> None:
    files = tools.files_of(content)
    for missing in (MANIFEST, "records.jsonl"):
        rest = {name: part for name, part in files.items() if name != missing}
        assert tools.refused_inside(contained(rest)) == ["package-container"]
    assert tools.refused_inside(contained({})) == ["package-container"]


# What swells


def test_a_member_that_would_swell_is_refused_unread(
    tools: Any, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {**tools.files_of(content), "stations.csv": b"0" * (64 << 20)}
    bomb = zipped(files, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    monkeypatch.setattr(zlib, "decompressobj", _never)
    assert tools.refused_inside(bomb) == ["package-container"]


def test_one_stretch_of_bytes_named_many_times_is_refused_unread(tools: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    part = b"0" * 100_000
    local = _local("stations.csv", part)
    entry = _entry("stations.csv", part)
    n = 5_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, n, n, n * len(entry), len(local) + len(part), 0)
    monkeypatch.setattr(zipfile.ZipFile, "read", _never)
    assert tools.refused_inside(local + part + entry * n + end) == ["package-container"]


def test_files_that_share_their_bytes_are_refused_unread(tools: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    part = b"0" * 100_000
    names = [MANIFEST, "records.jsonl", "stations.csv", "effort.csv", "encounters.csv"]
    local = _local(MANIFEST, part)
    entries = b"".join(_entry(name, part) for name in names)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 5, 5, len(entries), len(local) + len(part), 0)
    monkeypatch.setattr(zipfile.ZipFile, "read", _never)
    assert tools.refused_inside(local + part + entries + end) == ["package-container"]


def test_a_package_beyond_the_limit_is_not_decrypted(
    tools: Any, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", len(content) - 1)
    monkeypatch.setattr("pyrage.decrypt", _never)
    assert tools.refused(content) == ["package-large"]


def test_a_manifest_beyond_its_limit_is_not_read(tools: Any, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tools.files_of(content)
    monkeypatch.setattr(reading, "MAX_MANIFEST_BYTES", len(files[MANIFEST]) - 1)
    monkeypatch.setattr(reading, "read_canonical", _never)
    assert tools.refused(content) == ["package-manifest"]


def test_tables_are_read_only_once_the_signature_holds(
    tools: Any, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_rows", _never)
    assert tools.refused(tools.forged(content, tools.STRANGER)) == ["package-signature"]


def test_a_directory_that_points_outside_the_file_is_refused(tools: Any, content: bytes) -> None:
    plain = tools.plain_of(content)
    at = plain.index(b"PK\x01\x02") + 42
    for offset in (len(plain) - 3, len(plain) * 2, 2**32 - 1):
        assert tools.refused_inside(plain[:at] + struct.pack("<L", offset) + plain[at + 4 :]) == ["package-container"]


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_bytes_at_all_are_refused(tools: Any, noise: bytes) -> None:
    assert tools.refused_inside(noise) == ["package-container"]


@given(noise=st.binary(min_size=1, max_size=60), where=st.floats(0, 1), from_end=st.booleans())
@settings(max_examples=200, deadline=None)
def test_noise_written_anywhere_is_refused(
    tools: Any, content: bytes, noise: bytes, where: float, from_end: bool
) -> None:
    plain = tools.plain_of(content)
    at = len(plain) - int(where * 600) - len(noise) if from_end else int(where * (len(plain) - len(noise)))
    changed = plain[:at] + noise + plain[at + len(noise) :]
    if changed != plain:
        assert tools.refused_inside(changed)


def _local(name: str, part: bytes) -> bytes:
    head = struct.pack(
        "<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 33, zlib.crc32(part), len(part), len(part), len(name), 0
    )
    return head + name.encode()


def _entry(name: str, part: bytes) -> bytes:
    head = struct.pack(
        "<4s6H3L5H2L", b"PK\x01\x02", 20 | 3 << 8, 20, 0, 0, 0, 33, zlib.crc32(part), len(part), len(part), len(name),
        0, 0, 0, 0, 0o600 << 16, 0,
    )  # fmt: skip
    return head + name.encode()


def _never(*_: Any, **__: Any) -> Any:
    raise AssertionError("this must not be reached")
