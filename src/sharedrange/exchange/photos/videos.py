"""When a video says it was made: the header of an MP4, MOV or AVI file, walked with bounds.

MP4 and MOV: box ``moov``/``mvhd``, seconds since 1904 (ISO/IEC 14496-12, 8.2.2). AVI: chunk ``IDIT`` or ``ICRD``
of a RIFF list. Neither file names nor the dates of files are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

MAX_BOXES = 1000
MAX_DEPTH = 4
FIRST_YEAR, LAST_YEAR = 1900, 2199  # of a time that any clock may show; others are damage
_EPOCH = datetime(1904, 1, 1)  # noqa: DTZ001  # of the standard; which zone cameras mean is asked
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMBERS = re.compile(r"(\d{4})[:/-](\d{1,2})[:/-](\d{1,2})/?[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_NAMED = re.compile(r"([A-Za-z]{3})[a-z]* +(\d{1,2}) +(\d{1,2}):(\d{2}):(\d{2}) +(\d{4})", re.ASCII)
_MP4_FIRST = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
Chunk = tuple[bytes, int, int]  # name, start and end of its content


def creation_time(path: Path, size_bytes: int) -> tuple[str, str]:
    """(local time as ISO 8601 or empty, clock). The clock is empty if the file is no video that we read.

    The clock is ``container`` for MP4 and MOV (UTC by the standard, local time by many cameras) and ``local`` for AVI.
    Raises OSError if the file cannot be read.
    """
    with path.open("rb") as stream:
        first = stream.read(12)
        if first[:4] == b"RIFF" and first[8:12] == b"AVI ":
            return _avi_time(stream, 12, size_bytes, iter(range(MAX_BOXES))), "local"
        if first[4:8] in _MP4_FIRST:
            return _mp4_time(stream, size_bytes), "container"
    return "", ""


def _mp4_time(stream: BinaryIO, size_bytes: int) -> str:
    for name, start, end in _boxes(stream, 0, size_bytes):
        if name == b"moov":
            for inner, at, _ in _boxes(stream, start, end):
                if inner == b"mvhd":
                    return _seconds_since_1904(stream, at)
    return ""


def _boxes(stream: BinaryIO, start: int, end: int) -> Iterator[Chunk]:
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        stream.seek(start)
        head = stream.read(16)
        if len(head) < 8:
            return
        size, content = int.from_bytes(head[:4], "big"), start + 8
        if size == 1 and len(head) == 16:
            size, content = int.from_bytes(head[8:], "big"), start + 16
        after = end if size == 0 else start + size  # 0: to the end of the file
        if after < content:
            return
        yield head[4:8], content, min(after, end)
        start = after


def _seconds_since_1904(stream: BinaryIO, at: int) -> str:
    stream.seek(at)
    head = stream.read(12)
    seconds = int.from_bytes(head[4:12] if head[:1] == b"\1" else head[4:8], "big")
    try:
        return written(_EPOCH + timedelta(seconds=seconds)) if seconds else ""
    except OverflowError:
        return ""


def written(at: datetime) -> str:
    """A time as ISO 8601; empty for a year that no clock shows."""
    return at.isoformat() if FIRST_YEAR <= at.year <= LAST_YEAR else ""


def _avi_time(stream: BinaryIO, start: int, end: int, budget: Iterator[int], depth: int = 0) -> str:
    """Time of the first chunk that has one; the list of pictures (``movi``) is passed over.

    `budget`: what is left of the chunks that may be looked at in the whole file.
    """
    for name, at, after in _chunks(stream, start, end, budget):
        stream.seek(at)
        text = stream.read(min(after - at, 64)).decode("ascii", errors="replace")
        if name in (b"IDIT", b"ICRD"):
            if taken := _avi_text(text):
                return taken
            continue
        is_list = name == b"LIST" and text[:4] != "movi" and depth < MAX_DEPTH
        if is_list and (taken := _avi_time(stream, at + 4, after, budget, depth + 1)):
            return taken
    return ""


def _chunks(stream: BinaryIO, start: int, end: int, budget: Iterator[int]) -> Iterator[Chunk]:
    for _ in budget:
        stream.seek(start)
        head = stream.read(8)
        if start + 8 > end or len(head) < 8:
            return
        size = int.from_bytes(head[4:], "little")
        yield head[:4], start + 8, min(start + 8 + size, end)
        start += 8 + size + size % 2


def _avi_text(text: str) -> str:
    """A time as AVI writers put it, as ISO 8601; empty if it is none (a date alone is none).

    Examples
    --------
    >>> _avi_text("WED MAR 06 14:22:33 2024"), _avi_text("2024:03:06 14:22:33"), _avi_text("2024-03-06")
    ('2024-03-06T14:22:33', '2024-03-06T14:22:33', '')
    """
    if match := _NUMBERS.search(text):
        numbers = [int(part or 0) for part in match.groups()]
    elif (match := _NAMED.search(text)) and match[1].lower() in _MONTHS:
        month, (day, hour, minute, second, year) = _MONTHS.index(match[1].lower()) + 1, map(int, match.groups()[1:])
        numbers = [year, month, day, hour, minute, second]
    else:
        return ""
    try:
        return written(datetime(*numbers))  # type: ignore[arg-type]  # noqa: DTZ001  # six numbers; local
    except ValueError:
        return ""
