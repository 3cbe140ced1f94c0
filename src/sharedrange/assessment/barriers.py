"""The barriers of a question in metres, and what a step says of the files that they come from."""

from __future__ import annotations

import hashlib
from itertools import combinations
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

from sharedrange.assessment.material import Material
from sharedrange.assessment.programme import Question
from sharedrange.assessment.programme.barriers import WHERE_SIDES_MEET, DrawnBarrier, read_barrier
from sharedrange.core.canonical import Json
from sharedrange.core.errors import ProgrammeError
from sharedrange.core.files import sha256_of
from sharedrange.core.finding import Finding, Where
from sharedrange.population.permeability import Barrier

_LONGEST_NAME = 255  # of a file; a line as WKT is longer
_BESIDE_M = 100.0  # two parties rarely digitise one border alike: outlines so near each other are one


def barriers_of(material: Material) -> tuple[Barrier, ...]:
    """The barriers of a question, in metres of its component's projection.

    Raises ProgrammeError where none is named, a file cannot be read, or no two sides meet.
    """
    question, where = material.question, Where("programme.toml", f"questions.{material.question.id}", field="barriers")
    if not question.barriers:
        raise ProgrammeError([Finding("question-without-barrier", {"question": question.id}, where)])
    in_degrees = not material.projection.is_local
    drawn = [
        read_barrier(name, line, question.passages.get(name, ""), material.node.folder, where, in_degrees=in_degrees)
        for name, line in question.barriers.items()
    ]
    return tuple(_in_metres(one, material, where) for one in drawn)


def _in_metres(drawn: DrawnBarrier, material: Material, where: Where) -> Barrier:
    project = material.projection.project
    if drawn.line is None:
        line = where_sides_meet([project(side) for side in material.sides.polygons.values()])
        if shapely.is_empty(line):
            raise ProgrammeError([Finding("sides-do-not-meet", {"component": material.component.id}, where)])
    else:
        line = project(drawn.line)
    barrier = Barrier(drawn.name, line, tuple(project(passage) for passage in drawn.passages))
    x_m, y_m = material.projection.forward(drawn.gaps[:, 0], drawn.gaps[:, 1])
    for x, y, width_m in zip(x_m.tolist(), y_m.tolist(), drawn.gaps[:, 2].tolist(), strict=True):
        barrier = barrier.with_passage(x, y, width_m)
    return barrier


def where_sides_meet(sides: list[BaseGeometry]) -> BaseGeometry:
    """The outlines of sides as far as they run along another side; each border once, as the earlier side draws it."""
    shared = [shapely.intersection(a.boundary, b.buffer(_BESIDE_M)) for a, b in combinations(sides, 2)]
    lines = [part for piece in shared for part in shapely.get_parts(piece) if part.length > 2 * _BESIDE_M]
    return shapely.line_merge(shapely.union_all(lines)) if lines else shapely.MultiLineString()


def barrier_values(question: Question, folder: Path) -> dict[str, Json]:
    """What a step says of a question's barriers: hashes of their files, or the text that draws a line."""
    lines: dict[str, Json] = {name: _hashed(line, folder) for name, line in sorted(question.barriers.items())}
    passages: dict[str, Json] = {name: _sealed(file, folder) for name, file in sorted(question.passages.items())}
    return {"barriers": lines, "passages": passages}


def _hashed(text: str, folder: Path) -> str:
    file = folder / text
    is_file = text != WHERE_SIDES_MEET and len(text) < _LONGEST_NAME and file.is_file()
    return sha256_of(file) if is_file else text


def _sealed(name: str, folder: Path) -> str:
    """A hash of a file of passages that is slow to make: a place could be guessed until a quick one agrees."""
    file = folder / name
    content = file.read_bytes() if file.is_file() else b""
    return hashlib.scrypt(content, salt=b"sharedrange.passages", n=2**14, r=8, p=1, dklen=16).hex()
