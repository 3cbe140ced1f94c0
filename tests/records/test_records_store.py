"""A chain on disk: confirmed means kept, damage is found, and two nodes that meet end with the same files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sharedrange.core.canonical import canonical
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Severity
from sharedrange.records import FocalPoint, Record, RecordSet, chain_file, from_files, import_records, open_store
from sharedrange.records.keys import Key, key_from_seed
from sharedrange.records.record import next_after, sign

KEY, OTHER = key_from_seed(b"north-park"), key_from_seed(b"south-park")
DAY = "2026-03-14T09:00:00Z"
POINT = FocalPoint("north-park", "tigers", "north-park/director")


def point(number: int) -> dict[str, object]:
    return {**POINT.to_body(), "purpose": f"purpose {number}"}


def fill(folder: Path, count: int, key: Key = KEY, first: int = 0) -> list[Record]:
    bodies = [replace(POINT, purpose=f"purpose {number}") for number in range(first, first + count)]
    return list(open_store(folder).append_all(bodies, key, DAY))


def rules(findings: tuple[Finding, ...]) -> list[str]:
    return sorted(finding.rule for finding in findings)


def raised(work: Callable[[], object]) -> list[str]:
    with pytest.raises(InputError) as error:
        work()
    return rules(error.value.findings)


def content(folder: Path, key: Key = KEY) -> bytes:
    return (folder / chain_file(key.id)).read_bytes()


def read_lines(*lines: bytes, key: Key = KEY) -> RecordSet:
    return from_files({chain_file(key.id): b"".join(line + b"\n" for line in lines)})


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    store = open_store(tmp_path / "records")
    made = [store.append("focal_point", POINT.to_body(), KEY, DAY) for _ in range(3)]
    made += [store.append("focal_point", POINT.to_body(), OTHER, DAY)]
    found = store.read()
    assert set(found) == set(made)
    assert [record.seq for record in found.of(KEY.id)] == [0, 1, 2]
    assert [record.prev for record in found.of(KEY.id)] == ["", made[0].id, made[1].id]
    assert found.heads() == {KEY.id: made[2].id, OTHER.id: made[3].id}
    assert found.findings == ()


def test_a_chain_is_one_canonical_line_a_record(tmp_path: Path) -> None:
    made = fill(tmp_path, 2)
    assert content(tmp_path) == b"".join(record.line() + b"\n" for record in made)
    assert chain_file(KEY.id) == KEY.id.replace(":", "-") + ".jsonl"


def test_several_records_appended_together_are_one_stretch_of_the_chain(tmp_path: Path) -> None:
    apart, together = tmp_path / "apart", tmp_path / "together"
    for number in range(4):
        fill(apart, 1, first=number)
    fill(together, 4)
    assert content(apart) == content(together)
    assert open_store(together).append_all([], KEY, DAY) == ()


def test_reading_a_folder_that_is_not_there_makes_nothing(tmp_path: Path) -> None:
    assert len(open_store(tmp_path / "records").read()) == 0
    assert not (tmp_path / "records").exists()


def test_a_file_in_place_of_the_folder_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "records").write_bytes(b"")
    assert raised(lambda: open_store(tmp_path / "records")) == ["records-unreadable"]
    assert raised(lambda: import_records(open_store(tmp_path), tmp_path / "nowhere")) == ["records-unreadable"]


@pytest.mark.parametrize(
    ("kind", "body", "recorded_at", "expected"),
    [
        ("focal_point", POINT.to_body(), "yesterday", ["record-time"]),
        ("focal_point", POINT.to_body(), "2026-02-30T00:00:00Z", ["record-time"]),
        ("focal_point", POINT.to_body(), "2026-03-14T09:00:00+08:00", ["record-time"]),
        ("focal-point", POINT.to_body(), DAY, ["record-unknown-kind"]),
        ("focal_point", {**POINT.to_body(), "role": float("nan")}, DAY, ["record-not-json"]),
        ("focal_point", {**POINT.to_body(), "role": b"x"}, DAY, ["record-not-json"]),
        ("focal_point", {"role": "Ivan Petrov"}, "now", ["record-field"] * 3 + ["record-time", "role-id"]),
    ],
)
def test_a_record_that_breaks_rules_is_not_written(
    tmp_path: Path, kind: str, body: dict[str, object], recorded_at: str, expected: list[str]
) -> None:
    append = open_store(tmp_path / "records").append
    assert raised(lambda: append(kind, body, KEY, recorded_at)) == expected  # type: ignore[arg-type]  # wrong on purpose
    assert not (tmp_path / "records").exists()


def test_a_folder_that_cannot_be_written_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 1)
    before = content(tmp_path)

    def full(handle: int, rest: memoryview) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    assert raised(lambda: fill(tmp_path, 1)) == ["record-not-written"]
    assert content(tmp_path) == before


def test_a_write_that_the_disk_did_not_confirm_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 1)
    before = content(tmp_path)

    def broken(handle: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        assert raised(lambda: fill(tmp_path, 1)) == ["record-not-written"]
    assert content(tmp_path) == before
    fill(tmp_path, 1)
    assert open_store(tmp_path).read().findings == ()


def test_a_record_is_confirmed_after_its_file_and_its_folders_are_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush, flushed = os.fsync, []

    def watched(handle: int) -> None:
        flush(handle)
        flushed.append((os.fstat(handle).st_ino, os.fstat(handle).st_size))

    monkeypatch.setattr(os, "fsync", watched)
    folder = tmp_path / "records"
    fill(folder, 1)
    path = folder / chain_file(KEY.id)
    assert flushed[0] == (path.stat().st_ino, path.stat().st_size)
    assert {inode for inode, _ in flushed} == {place.stat().st_ino for place in (path, folder, tmp_path)}


def test_a_write_in_small_pieces_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda handle, rest: whole(handle, rest[:7]))
    made = fill(tmp_path, 2)
    assert open_store(tmp_path).read().records == tuple(made)


def test_a_line_torn_at_any_byte_never_counts_and_never_blocks(tmp_path: Path) -> None:
    first, second = fill(tmp_path, 2)
    whole, start = content(tmp_path), len(first.line()) + 1
    path = tmp_path / chain_file(KEY.id)
    for cut in range(start, len(whole)):
        found = from_files({path.name: whole[:cut]})
        assert found.records == (first,)
        assert rules(found.findings) == ([] if cut == start else ["record-torn-line"])
        assert all(finding.severity is Severity.WARNING for finding in found.findings)
    for cut in range(start, len(whole), 29):
        path.write_bytes(whole[:cut])
        assert fill(tmp_path, 1, first=1) == [second]
        assert content(tmp_path) == whole


@pytest.mark.parametrize("rubbish", [b"\0" * 40, b"\0" * 40 + b"\n", b"{}\n", b"\n", b"\r\n", b"[" * 100_000 + b"\n"])
def test_a_last_line_that_is_no_record_is_set_aside_and_kept(tmp_path: Path, rubbish: bytes) -> None:
    fill(tmp_path, 1)
    path = tmp_path / chain_file(KEY.id)
    path.write_bytes(path.read_bytes() + rubbish)
    assert rules(open_store(tmp_path).read().findings) == ["record-torn-line"]
    fill(tmp_path, 1)
    found = open_store(tmp_path).read()
    assert ([record.seq for record in found], found.findings) == ([0, 1], ())
    assert [kept.read_bytes() for kept in (tmp_path / "set-aside").iterdir()] == [rubbish]


def test_a_torn_first_line_starts_the_chain_anew(tmp_path: Path) -> None:
    (tmp_path / chain_file(KEY.id)).write_bytes(b'{"author_key":"ed2')
    assert [record.seq for record in fill(tmp_path, 1)] == [0]


def test_a_flipped_byte_anywhere_is_found(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    name, whole = chain_file(KEY.id), content(tmp_path)
    for position in range(len(whole)):
        for flip in (0x01, 0x20, 0x80):  # another letter, another case, no text at all
            changed = bytearray(whole)
            changed[position] ^= flip
            found = from_files({name: bytes(changed)})
            assert found.findings, (position, flip)
            assert len(found) < 3


def test_all_that_is_wrong_in_a_file_is_told_at_once(tmp_path: Path) -> None:
    lines = [record.line() for record in fill(tmp_path, 6)]
    found = read_lines(
        lines[0],
        lines[1].replace(b"purpose 1", b"purpose 9"),
        lines[2],
        b"not a record",
        lines[2],
        lines[4],
        lines[3].replace(b"ed25519:", b"sm2:"),
        lines[5],
    )
    told = [(finding.rule, finding.where.row) for finding in found.findings]
    assert told == [
        ("record-signature", 2),
        ("record-malformed", 4),
        ("record-duplicate", 5),
        ("record-unknown-scheme", 7),
        ("record-missing-link", None),
        ("record-missing-link", None),
    ]
    assert [finding.facts["missing"] for finding in found.findings[-2:]] == [1, 3]
    assert [record.seq for record in found] == [0, 2, 4, 5]


def test_a_record_that_follows_the_wrong_one_is_found() -> None:
    body = POINT.to_body()
    first = sign("focal_point", body, KEY, DAY)
    stranger = sign("focal_point", body, OTHER, DAY)
    wrong = [
        sign("focal_point", body, KEY, DAY, seq=2, prev=first.id),
        sign("focal_point", body, KEY, DAY, seq=1, prev=stranger.id),
        sign("focal_point", body, KEY, DAY, seq=1, prev=""),
        sign("focal_point", body, KEY, DAY, seq=0, prev=first.id),
        sign("focal_point", body, KEY, DAY, seq=0, prev="0" * 64),
    ]
    for record in wrong:
        found = RecordSet((first, stranger, record)).findings
        assert "record-wrong-link" in rules(found), record
    right = sign("focal_point", body, KEY, DAY, seq=1, prev=first.id)
    assert RecordSet((first, stranger, right)).findings == ()


def test_records_out_of_order_or_in_the_file_of_another_key_are_found(tmp_path: Path) -> None:
    first, second = fill(tmp_path, 2)
    (stranger,) = fill(tmp_path, 1, key=OTHER)
    assert rules(read_lines(second.line(), first.line()).findings) == ["record-order"]
    found = read_lines(first.line(), stranger.line())
    assert rules(found.findings) == ["record-wrong-file"]
    assert len(found) == 2


def test_a_record_of_a_newer_version_is_kept_with_a_warning() -> None:
    newer = sign("telepathy", {"x": 1}, KEY, DAY)
    found = read_lines(newer.line())
    assert found.records == (newer,)
    assert [(finding.rule, finding.severity) for finding in found.findings] == [
        ("record-unknown-kind", Severity.WARNING)
    ]


def test_a_signed_record_that_breaks_its_kind_s_rules_is_told() -> None:
    wrong = sign("focal_point", {"party": ""}, KEY, "now")
    assert rules(read_lines(wrong.line()).findings) == ["record-field"] * 3 + ["record-time", "role-id"]


@pytest.mark.parametrize(
    "change", [{"seq": -1}, {"seq": True}, {"seq": 0.5}, {"prev": "x"}, {"body": []}, {"kind": 1}, {"author_key": "me"}]
)
def test_a_line_without_the_shape_of_a_record_is_malformed(change: dict[str, object]) -> None:
    record = sign("focal_point", POINT.to_body(), KEY, DAY)
    fields = {
        name: getattr(record, name) for name in ("author_key", "body", "kind", "prev", "recorded_at", "seq", "sig")
    }
    lines = canonical({**fields, **change}), canonical({**fields, "more": 1}), record.line()  # type: ignore[dict-item]  # wrong on purpose
    assert rules(read_lines(*lines).findings) == ["record-malformed", "record-malformed"]


def test_a_chain_whose_last_record_is_damaged_is_not_extended(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    path = tmp_path / chain_file(KEY.id)
    path.write_bytes(path.read_bytes().replace(b"purpose 1", b"purpose 9"))
    before = path.read_bytes()
    assert raised(lambda: fill(tmp_path, 1)) == ["record-signature"]
    assert path.read_bytes() == before


def test_a_chain_does_not_go_on_from_the_record_of_another_key(tmp_path: Path) -> None:
    (stranger,) = fill(tmp_path / "other", 1, key=OTHER)
    tmp_path.joinpath(chain_file(KEY.id)).write_bytes(stranger.line() + b"\n")
    assert raised(lambda: fill(tmp_path, 1)) == ["record-wrong-file"]


def test_files_that_are_no_chains_are_left_alone(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    (tmp_path / ".half.jsonl").write_bytes(b"rubbish")
    (tmp_path / "notes.txt").write_bytes(b"rubbish")
    (tmp_path / "folder.jsonl").mkdir()
    assert open_store(tmp_path).read().findings == ()


def test_import_extends_a_chain_and_adds_those_of_others(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        fill(folder, 2)
    fill(theirs, 2, first=2)
    fill(theirs, 1, key=OTHER)
    found = import_records(open_store(ours), theirs)
    assert (len(found), found.findings) == (5, ())
    assert content(ours) == content(theirs)
    assert content(ours, OTHER) == content(theirs, OTHER)
    assert not (ours / "set-aside").exists()


def test_import_again_changes_nothing(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    fill(ours, 1)
    fill(theirs, 2, key=OTHER)
    once = import_records(open_store(ours), theirs)
    times = {path.name: path.stat().st_mtime_ns for path in ours.glob("*.jsonl")}
    assert import_records(open_store(ours), theirs) == once
    assert {path.name: path.stat().st_mtime_ns for path in ours.glob("*.jsonl")} == times


def test_an_import_from_a_shorter_copy_loses_nothing(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    fill(ours, 3)
    fill(theirs, 1)
    before = content(ours)
    import_records(open_store(ours), theirs)
    assert content(ours) == before


def test_a_chain_that_went_two_ways_is_a_fork_and_both_ways_stay(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder, first in ((ours, 1), (theirs, 7)):
        fill(folder, 1)
        fill(folder, 2, first=first)
    found = import_records(open_store(ours), theirs)
    assert rules(found.findings) == ["record-fork", "record-fork"]
    assert [finding.facts["seq"] for finding in found.findings] == [1, 2]
    assert [record.seq for record in found] == [0, 1, 1, 2, 2]
    import_records(open_store(theirs), ours)
    assert content(ours) == content(theirs)


def test_a_forked_chain_goes_on_from_its_last_line(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    fill(ours, 1)
    fill(theirs, 2, first=5)
    import_records(open_store(ours), theirs)
    (added,) = fill(ours, 1, first=9)
    assert added.seq == 2
    assert rules(open_store(ours).read().findings) == ["record-fork"]


def test_an_import_mends_a_damaged_chain_and_keeps_the_damaged_lines(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        fill(folder, 3)
    path = ours / chain_file(KEY.id)
    damaged = path.read_bytes().replace(b"purpose 1", b"purpose 9")
    path.write_bytes(damaged)
    found = import_records(open_store(ours), theirs)
    assert (len(found), found.findings) == (3, ())
    assert content(ours) == content(theirs)
    assert [kept.read_bytes() for kept in (ours / "set-aside").iterdir()] == [damaged.split(b"\n")[1] + b"\n"]


def test_damaged_lines_of_another_node_are_told_and_not_taken(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    fill(ours, 1)
    fill(theirs, 2, key=OTHER)
    path = theirs / chain_file(OTHER.id)
    path.write_bytes(path.read_bytes().replace(b"purpose 0", b"purpose 9"))
    found = import_records(open_store(ours), theirs)
    assert rules(found.findings) == ["record-missing-link", "record-signature"]
    assert b"purpose 9" not in content(ours, OTHER)


def test_the_next_record_follows_the_last(tmp_path: Path) -> None:
    first = next_after(None, "focal_point", POINT.to_body(), KEY, DAY)
    second = next_after(first, "focal_point", POINT.to_body(), KEY, DAY)
    assert (first.seq, first.prev, second.seq, second.prev) == (0, "", 1, first.id)
    assert first.message == f"sharedrange record {first.id}".encode()
