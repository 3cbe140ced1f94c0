"""What was confirmed survives: processes killed at any moment, and several writing at once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from sharedrange.core.finding import Severity
from sharedrange.records import chain_file, key_from_seed, open_store

SEED = "north-park"
KEY = key_from_seed(SEED.encode())
WRITER = """
import os, sys, time
from sharedrange.records import FocalPoint, key_from_seed, open_store

folder, seed, count, slice_bytes = sys.argv[1:]
whole = os.write

def slow_disk(handle, rest):
    time.sleep(0.0001)
    return whole(handle, rest[: int(slice_bytes)])

if int(slice_bytes):
    os.write = slow_disk
store, key = open_store(folder), key_from_seed(seed.encode())
for number in range(int(count)):
    body = FocalPoint("north-park", f"purpose {number} " + "x" * 500, "north-park/director").to_body()
    record = store.append("focal_point", body, key, "2026-03-14T09:00:00Z")
    whole(1, (record.id + "\\n").encode())
"""
KILLS = 200


def writer(folder: Path, count: int, slice_bytes: int = 0) -> subprocess.Popen[bytes]:
    """A process that appends and prints what was confirmed; `slice_bytes`: writes in pieces that a kill can tear."""
    command = [sys.executable, "-c", WRITER, str(folder), SEED, str(count), str(slice_bytes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def confirmed_before_kill(process: subprocess.Popen[bytes], delay_s: float) -> list[str]:
    """Ids that a writer confirmed until it was killed `delay_s` after its first word."""
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(delay_s)
    process.kill()
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return (first + rest).decode().split("\n")[:-1]


def test_two_hundred_kills_lose_no_confirmed_record(tmp_path: Path) -> None:
    chance = random.Random(20260314)
    confirmed: list[str] = []
    for _ in range(KILLS // 2):  # two at once: each is killed while the other holds or awaits the lock
        pair = [writer(tmp_path, 10**6, slice_bytes) for slice_bytes in (0, 100)]
        for process in pair:
            confirmed += confirmed_before_kill(process, chance.uniform(0, 0.006))
    found = open_store(tmp_path).read()
    assert set(confirmed) <= {record.id for record in found}
    assert len(set(confirmed)) == len(confirmed) >= KILLS
    assert [record.seq for record in found] == list(range(len(found)))
    assert all(finding.severity is Severity.WARNING for finding in found.findings)
    assert any((tmp_path / "set-aside").iterdir())  # some kill did tear a line, or this test shows little


def test_processes_that_append_at_once_make_one_chain(tmp_path: Path) -> None:
    writers = [writer(tmp_path, 30) for _ in range(3)]
    confirmed = [line for process in writers for line in process.communicate()[0].decode().split()]
    found = open_store(tmp_path).read()
    assert [process.returncode for process in writers] == [0, 0, 0]
    assert sorted(confirmed) == sorted(record.id for record in found)
    assert [record.seq for record in found] == list(range(90))
    assert found.findings == ()


def test_a_reader_never_sees_a_record_half_written(tmp_path: Path) -> None:
    writer(tmp_path, 1).communicate()
    process = writer(tmp_path, 60, slice_bytes=100)
    seen = 0
    while process.poll() is None:
        found = open_store(tmp_path).read()
        assert found.findings == ()
        assert len(found) >= seen
        seen = len(found)
    assert process.stdout is not None
    process.stdout.close()
    assert process.returncode == 0
    assert (tmp_path / chain_file(KEY.id)).read_bytes().count(b"\n") == 61
