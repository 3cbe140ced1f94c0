"""Points of a CSV file of the node: of a mask, of a line, of passages."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sharedrange.assessment.programme.sides import file_inside
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Where

Floats = NDArray[np.float64]


def read_points(
    name: str, folder: Path, where: Where = Where(), columns: Sequence[str] = ("x", "y")
) -> tuple[Floats, tuple[str, ...]]:
    """Numbers of the file `name` in `folder`: shape (lines, columns); and the text of its column `part`, where it is.

    Raises ProgrammeError if the file lies outside or is absent, InputError with every column that is missing and every
    line that does not hold the numbers. No finding tells what a line holds.
    """
    file = file_inside(name, folder, where)
    lines = csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig", errors="replace")))
    missing = sorted(set(columns) - set(lines.fieldnames or ()))
    if missing:
        raise InputError([Finding("missing-column", {"column": c, "table": name}, Where(name)) for c in missing])
    rows = [(line, lines.line_num) for line in lines]
    read = [tuple(_numbers(line, columns)) for line, _ in rows]
    wrong = [number for (_, number), values in zip(rows, read, strict=True) if len(values) < len(columns)]
    if wrong:
        told = {"columns": ", ".join(columns)}
        raise InputError([Finding("point-not-numbers", told, Where(name, row=number)) for number in wrong])
    return np.array(read, dtype=float).reshape(-1, len(columns)), tuple(line.get("part") or "" for line, _ in rows)


def _numbers(line: dict[str, str], columns: Sequence[str]) -> Iterator[float]:
    """The values that are finite numbers."""
    for column in columns:
        try:
            value = float(line[column])
        except (TypeError, ValueError):
            continue
        if math.isfinite(value):
            yield value
