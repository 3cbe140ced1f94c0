"""The form of a JPEG file (ITU-T T.81, annex B): what in it is pixels, and what is something else.

Cameras write much beside pixels: place, time, serial number and a small second picture (Exif), names (XMP, IPTC),
remarks, and whatever they like after the end. Here a file is cut into its segments, and those that no decoder of
pixels needs are left out, before anybody decodes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_START, _END = b"\xff\xd8", b"\xff\xd9"
_TABLES = frozenset({0xDB, 0xC4, 0xDD})  # quantisation, Huffman codes, restart interval
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended and progressive, by Huffman codes
_SCAN = 0xDA
_ADOBE = 0xEE  # says how colours are kept: without it some pictures come out in false ones
_ADOBE_BYTES = 16
_SIZE_AT = 5  # where in a frame's segment height and width stand
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # the first marker that is no part of the pixels
_BARE = re.compile(r"(db )+c0 (c4 )+da ")  # the segments of what leaves, in their order, and no others


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment by its marker's second byte; of a scan, with the pixels after it."""

    marker: int
    content: bytes


def segments(content: bytes) -> tuple[Segment, ...]:
    """The segments between the start and the first end of a JPEG. Raises ValueError if it is none, or cut short."""
    return tuple(_walk(content))


def bare(content: bytes) -> bytes:
    """The same pixels without anything else. Raises ValueError if the content is no JPEG, or cut short."""
    kept = b"".join(part for segment in segments(content) if (part := _kept(segment)))
    return _START + kept + _END


def size_of(content: bytes) -> tuple[int, int]:
    """Width and height in pixels. Raises ValueError if the content is no JPEG that is read here."""
    for segment in segments(content):
        if segment.marker in _FRAMES and len(segment.content) >= _SIZE_AT + 4:
            height, width = (int.from_bytes(segment.content[at : at + 2], "big") for at in (_SIZE_AT, _SIZE_AT + 2))
            return width, height
    raise ValueError("no frame")


def is_bare(content: bytes, longest: int) -> bool:
    """Whether this is a picture as it leaves: plain baseline JPEG, nothing beside its pixels, no side longer.

    What its pixels show, or hide, no program can tell.
    """
    try:
        found = segments(content)
        width, height = size_of(content)
    except ValueError:
        return False
    told = "".join(f"{segment.marker:02x} " for segment in found)
    whole = len(content) == len(_START) + sum(len(segment.content) for segment in found) + len(_END)
    return whole and _BARE.fullmatch(told) is not None and 0 < width <= longest and 0 < height <= longest


def _walk(content: bytes) -> Iterator[Segment]:
    if not content.startswith(_START):
        raise ValueError("no JPEG")
    at = len(_START)
    while content[at : at + 2] != _END:
        if content[at : at + 2] == b"\xff\xff":  # any number of these may stand before a marker
            at += 1
            continue
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        if at + 2 + length > len(content) or content[at] != _START[0] or length < 2:
            raise ValueError("cut short")
        end = at + 2 + length
        if content[at + 1] == _SCAN:
            end = _end_of_scan(content, end)
        yield Segment(content[at + 1], content[at:end])
        at = end


def _end_of_scan(content: bytes, at: int) -> int:
    if (found := _AFTER_SCAN.search(content, at)) is None:
        raise ValueError("cut short")
    return found.start()


def _kept(segment: Segment) -> bytes:
    """What of a segment the pixels need."""
    if segment.marker in _TABLES | _FRAMES | {_SCAN}:
        return segment.content
    is_adobe = segment.marker == _ADOBE and segment.content[4:9] == b"Adobe" and len(segment.content) == _ADOBE_BYTES
    return segment.content if is_adobe else b""
