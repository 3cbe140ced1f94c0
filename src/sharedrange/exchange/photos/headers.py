"""What a photo says about itself in its first bytes: when, with which camera, where, and whether it is whole.

Only headers are read and nothing is decoded, so no image can fill the memory. The segments of a JPEG are walked
here (ISO/IEC 10918-1, annex B), EXIF is parsed by Pillow (CIPA DC-008). What cannot be read is a word in
`Header.problem`, never an exception.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image

from sharedrange.exchange.photos import videos

HEAD_BYTES = 1 << 16  # EXIF is one segment of at most 64 KiB at the start
LONG_HEAD_BYTES = 1 << 21  # for a JPEG with many segments before its picture
TAIL_BYTES = 1 << 12  # some cameras write a few bytes behind the end mark
MAX_PIXELS = 2 * 89_478_485  # where Pillow refuses to open an image (twice its MAX_IMAGE_PIXELS)
MAX_SEGMENTS = 1000
_FORMATS = ("PNG", "TIFF", "WEBP")
_PILLOW_RAISES = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError),
    *(struct.error, RecursionError, MemoryError, NotImplementedError, AssertionError),
    Image.DecompressionBombError,
)
_TIME = re.compile(r"(\d{4})[:/-](\d{2})[:/-](\d{2})[ T](\d{2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d", re.ASCII)
_EXIF, _GPS = 0x8769, 0x8825
_MAKE, _MODEL, _MODIFIED, _SERIAL_DNG = 0x010F, 0x0110, 0x0132, 0xC62F
_ORIGINAL, _DIGITIZED, _SERIAL = 0x9003, 0x9004, 0xA431
_CLOCKS = (  # (word, time, part of a second, offset), the most trusted first
    ("original", _ORIGINAL, 0x9291, 0x9011),
    ("digitized", _DIGITIZED, 0x9292, 0x9012),
)


@dataclass(frozen=True, slots=True)
class Header:
    """What one file says.

    `taken`: local time as the camera wrote it (ISO 8601, without offset), or empty; `offset`: as written, or empty;
    `clock`: which clock that is, ``original`` | ``digitized`` | ``modified`` (EXIF), ``local`` (AVI),
    ``container`` (MP4 and MOV: in UTC by their standard, in local time by many cameras);
    `longitude`, `latitude`: of the camera, degrees (WGS 84), nan where not told;
    `problem`: empty, ``empty`` | ``damaged`` | ``huge`` | ``kind`` (not readable) or ``cut`` (readable, its end
    is missing); `digest`: SHA-256 of the first 64 KiB.
    """

    taken: str = ""
    offset: str = ""
    clock: str = ""
    make: str = ""
    model: str = ""
    serial: str = ""
    longitude: float = math.nan
    latitude: float = math.nan
    problem: str = ""
    digest: str = ""


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow warns of much that is wrong with a file; here a header's `problem` says it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(path: Path, size_bytes: int, kind: str) -> Header:
    """The header of a file of a `kind`: ``photo``, ``video``, or another that is not read."""
    if size_bytes == 0:
        return Header(problem="empty")
    try:
        with path.open("rb", buffering=0) as stream:
            head = stream.read(HEAD_BYTES)
            digest = hashlib.sha256(head).hexdigest()
            if kind == "video":
                return replace(_video(path, size_bytes), digest=digest)
            if head[:2] != b"\xff\xd8":
                return replace(_other_image(path) if kind == "photo" else Header(problem="kind"), digest=digest)
            return replace(_jpeg(stream, head, size_bytes), digest=digest)
    except OSError:
        return Header(problem="damaged")


def _video(path: Path, size_bytes: int) -> Header:
    taken, clock = videos.creation_time(path, size_bytes)
    return Header(taken=taken, clock=clock) if clock else Header(problem="damaged")


# --- JPEG ---


def _jpeg(stream: Any, head: bytes, size_bytes: int) -> Header:
    exif, size, scan = _parts(head)
    if not scan and size_bytes > len(head):
        stream.seek(0)
        exif, size, scan = _parts(stream.read(LONG_HEAD_BYTES))
    if not exif and not size:
        return Header(problem="damaged")
    if size and size[0] * size[1] > MAX_PIXELS:
        return Header(problem="huge")
    header = _from_exif(exif) if exif else Header()
    return header if scan and _has_end(stream, scan, size_bytes) else replace(header, problem="cut")


def _parts(head: bytes) -> tuple[bytes, tuple[int, int] | None, int]:
    """(EXIF block or empty, (width, height) or None, where the picture's data begin, 0 if not in `head`)."""
    exif, size = b"", None
    for marker, start, end in _segments(head):
        if marker == 0xDA:  # start of scan
            return exif, size, end
        body = head[start:end]
        if marker == 0xE1 and not exif and body.startswith(b"Exif\0"):
            exif = body
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(body) >= 5:
            height, width = struct.unpack_from(">HH", body, 1)
            size = (width, height)
    return exif, size, 0


def _segments(head: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of the segments of a JPEG, as far as `head` has them whole."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        while head[at : at + 2] == b"\xff\xff":  # fill bytes
            at += 1
        if at + 4 > len(head) or head[at] != 0xFF:
            return
        marker = head[at + 1]
        length = int.from_bytes(head[at + 2 : at + 4], "big")
        end = at + 2 + length
        if length < 2 or end > len(head):
            return
        yield marker, at + 4, end
        at = end


def _has_end(stream: Any, scan: int, size_bytes: int) -> bool:
    """Whether the end mark of a JPEG stands in the last bytes of the picture (a small one in its EXIF has its own)."""
    stream.seek(max(scan, size_bytes - TAIL_BYTES), os.SEEK_SET)
    return b"\xff\xd9" in stream.read(TAIL_BYTES)


# --- EXIF ---


def _from_exif(block: bytes) -> Header:
    exif = Image.Exif()
    try:
        exif.load(block)
        return _header(exif)
    except _PILLOW_RAISES:
        return Header()


def _other_image(path: Path) -> Header:
    """A PNG, TIFF or WebP; Pillow reads its header and no picture."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return Header(problem="huge")
            if image.format == "TIFF":
                return _header(image.getexif())
            # Of a PNG without EXIF before its picture, getexif would decode the picture to look behind it.
            block = image.info.get("exif")
            return _from_exif(block) if isinstance(block, bytes) else Header()
    except Image.DecompressionBombError:
        return Header(problem="huge")
    except _PILLOW_RAISES:
        return Header(problem="damaged")


def _header(exif: Image.Exif) -> Header:
    details = exif.get_ifd(_EXIF)
    taken, offset, clock = _clock(exif, details)
    longitude, latitude = _place(exif.get_ifd(_GPS) if _GPS in exif else {})
    return Header(
        taken,
        offset,
        clock,
        _text(exif.get(_MAKE)),
        _text(exif.get(_MODEL)),
        _text(details.get(_SERIAL) or exif.get(_SERIAL_DNG)),
        longitude,
        latitude,
    )


def _clock(exif: Mapping[int, Any], details: Mapping[int, Any]) -> tuple[str, str, str]:
    """(time, offset, clock) of the first clock that tells a time."""
    for word, time_tag, part_tag, offset_tag in _CLOCKS:
        if taken := moment_text(_text(details.get(time_tag))):
            part = _text(details.get(part_tag))
            offset = _text(details.get(offset_tag))
            taken += f".{part[:6]}" if part.isascii() and part.isdigit() else ""
            return taken, offset if _OFFSET.fullmatch(offset) else "", word
    taken = moment_text(_text(exif.get(_MODIFIED)))
    return taken, "", "modified" if taken else ""


def moment_text(text: str) -> str:
    """A time as EXIF and people write it, as ISO 8601 to the second; empty if it is none.

    Examples
    --------
    >>> moment_text("2024:05:01 03:04:05"), moment_text("0000:00:00 00:00:00"), moment_text("    :  :     :  :  ")
    ('2024-05-01T03:04:05', '', '')
    """
    match = _TIME.match(text.strip())
    if match is None:
        return ""
    try:
        return videos.written(datetime(*(int(part or 0) for part in match.groups())))  # type: ignore[arg-type]  # noqa: DTZ001  # six numbers; local
    except ValueError:
        return ""


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    return value.strip("\0 \t\r\n") if isinstance(value, str) else ""


def _place(gps: Mapping[int, Any]) -> tuple[float, float]:
    """(longitude, latitude) in degrees; nan where the tags do not tell a place. 0, 0 is what a cold receiver writes."""
    latitude, longitude = _degrees(gps.get(2), gps.get(1), "S"), _degrees(gps.get(4), gps.get(3), "W")
    known = abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude, longitude) != (0.0, 0.0)
    return (longitude, latitude) if known else (math.nan, math.nan)


def _degrees(parts: Any, side: object, negative: str) -> float:
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError):
        return math.nan
    value = degrees + minutes / 60 + seconds / 3600
    return -value if _text(side).upper() == negative else value
