"""Barriers of a question as they were drawn: lines of a file, of WKT, or where sides meet; passages of a file only.

Where passages are is never written into the programme, which all parties have and whose text the ledger keeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from sharedrange.assessment.programme.points import read_points
from sharedrange.assessment.programme.sides import is_wkt, read_geometry, read_line
from sharedrange.core.errors import InputError, ProgrammeError
from sharedrange.core.finding import Finding, Where

Floats = NDArray[np.float64]
Findings = Iterator[Finding]

WHERE_SIDES_MEET = "sides"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*", re.ASCII)  # a part of a quantity's name, which dots divide


@dataclass(frozen=True, slots=True)
class DrawnBarrier:
    """A barrier in the frame that positions are kept in.

    `line` is None where the sides of the component meet. Passages are polygons that cut it open, or `gaps` (n, 3):
    x, y and width in metres.
    """

    name: str
    line: BaseGeometry | None
    passages: tuple[BaseGeometry, ...] = ()
    gaps: Floats = field(default_factory=lambda: np.empty((0, 3)))


def read_barrier(
    name: str, line: str, passages: str, folder: Path, where: Where = Where(), *, in_degrees: bool = False
) -> DrawnBarrier:
    """The barrier `name`, as `line` says: ``sides``, a GeoJSON or CSV file of `folder`, or WKT.

    `passages`: a GeoJSON file of polygons or a CSV file of x, y and width_m; empty where there are none. Raises
    ProgrammeError if a file is outside or absent, holds no such thing, or metres where degrees are needed.
    """
    try:
        drawn = None if line == WHERE_SIDES_MEET else _line(line, folder, where, in_degrees=in_degrees)
        gaps, openings = np.empty((0, 3)), tuple[BaseGeometry, ...]()
        if _is_csv(passages):
            gaps = read_points(passages, folder, where, ("x", "y", "width_m"))[0]
        elif passages:
            openings = tuple(shapely.get_parts(read_geometry(passages, folder, where, in_degrees=in_degrees)))
    except InputError as wrong:
        raise ProgrammeError(wrong.findings) from None
    return DrawnBarrier(name, drawn, openings, gaps)


def wrong_barriers(barriers: Mapping[str, str], passages: Mapping[str, str], folder: Path, where: Where) -> Findings:
    """Everything that is wrong with the barriers of a question."""
    for name in {*barriers, *passages}:
        if not _NAME.fullmatch(name):
            yield Finding("programme-id", {"section": "barriers", "given": name}, where)
        if name not in barriers:
            yield Finding("passages-without-barrier", {"barrier": name, "known": ", ".join(barriers) or "-"}, where)
    for name, line in barriers.items():
        drawn = passages.get(name, "")
        if is_wkt(drawn):
            yield Finding("passages-in-programme", {"barrier": name}, where)
            continue
        try:
            read_barrier(name, line, drawn, folder, where)
        except ProgrammeError as error:
            yield from error.findings


def _line(text: str, folder: Path, where: Where, *, in_degrees: bool) -> BaseGeometry:
    if not _is_csv(text):
        return read_line(text, folder, where, in_degrees=in_degrees)
    points, parts = read_points(text, folder, where)
    of_part = np.array(parts, dtype=object)
    pieces = [points[of_part == part] for part in dict.fromkeys(parts)]
    if not pieces or any(len(piece) < 2 for piece in pieces):
        raise ProgrammeError([Finding("programme-line-empty", {"area": text}, where)])
    return shapely.multilinestrings([shapely.linestrings(piece) for piece in pieces])


def _is_csv(text: str) -> bool:
    return text.lower().endswith(".csv")
