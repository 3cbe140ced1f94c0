"""Cells that a study can hardly bear: larger than its animals move.

Measured (`benchmarks/coarsening.py`, docs/formats/released.md): cells no larger than about one sigma of the animals
that move least cost a joint number little; at more than twice that it is 10 % too small, and its interval too narrow.
Sigma is what was fitted in this node; else what was published; else nothing is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import cos, radians
from pathlib import Path

from sharedrange.assessment.node import OpenNode
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.grids import DEGREE_M, GEOGRAPHIC
from sharedrange.sharing.agreement import EVERY_TAXON, Agreement, frame_of

MOST_SIGMAS = 1.2
_LATITUDE = 60.0  # beyond it lives no animal that is counted by its marks; nearer the equator cells are wider
_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class Moves:
    """How far animals of a taxon move about their centre: sigma in metres, of the sex that moves less.

    `source`: where that was published; empty for what was fitted in the node.
    """

    sigma_m: float
    source: str = ""


# Published home ranges (95 %) as sigma of a bivariate normal: the square root of area / (5.99 pi).
_AMUR_TIGER = Moves(4600.0, "Hernandez-Blanco et al. 2015, Integrative Zoology 10:365-375; females, 401 km2")
_SNOW_LEOPARD = Moves(2600.0, "Johansson et al. 2016, Biological Conservation 203:1-7; females, 124 km2")
PUBLISHED: Mapping[str, Moves] = {
    "Panthera tigris altaica": _AMUR_TIGER,
    "Panthera uncia": _SNOW_LEOPARD,
    "Uncia uncia": _SNOW_LEOPARD,
}


def about_cells(agreement: Agreement, node: OpenNode) -> Iterator[Finding]:
    """A warning for each taxon of an agreement whose cells are larger than its animals move."""
    frame = frame_of(agreement, "survey")
    if frame is None or frame.cell is None:
        return
    side_m = frame.cell * DEGREE_M * cos(radians(_LATITUDE)) if agreement.grid.crs == GEOGRAPHIC else frame.cell
    for taxon, moves in sorted(moves_of(node, _given(agreement)).items()):
        if side_m > MOST_SIGMAS * moves.sigma_m:
            facts: dict[str, Fact] = {
                "taxon": taxon,
                "cell": frame.cell,
                "side_km": _km(side_m),
                "sigma_km": _km(moves.sigma_m),
            }
            rule = "agreement-cell-coarse-published" if moves.source else "agreement-cell-coarse"
            told = facts | {"source": moves.source} if moves.source else facts
            yield Finding(rule, told, Where(agreement.file), Severity.WARNING)


def _km(metres: float) -> float:
    return float(f"{metres / 1000:.2g}")


def _given(agreement: Agreement) -> frozenset[str]:
    """The taxa whose animals leave one by one."""
    giving = (rule for rule in agreement.rules if "individual" in rule.tables.get("encounters", ()))
    return frozenset(taxon for rule in giving for taxon in rule.taxa) - {EVERY_TAXON}


def moves_of(node: OpenNode, taxa: Iterable[str]) -> dict[str, Moves]:
    """How far animals of these taxa move, where the node's answers or a publication say so."""
    fitted = _fitted(node.work / "answers")
    accepted = {name: s.taxon for s in node.programme.species for name in (s.taxon, *s.aliases)}
    told = {}
    for taxon in taxa:
        if (sigma_m := fitted.get(accepted.get(taxon, taxon))) is not None:
            told[taxon] = Moves(sigma_m)
        elif taxon in PUBLISHED:
            told[taxon] = PUBLISHED[taxon]
    return told


def _fitted(answers: Path) -> dict[str, float]:
    """Taxon -> the smallest sigma, in metres, of any answer that this node keeps."""
    smallest: dict[str, float] = {}
    for file in sorted(answers.glob("*/answer.json")):
        for taxon, sigma_m in _sigmas(file):
            smallest[taxon] = min(sigma_m, smallest.get(taxon, sigma_m))
    return smallest


def _sigmas(file: Path) -> list[tuple[str, float]]:
    """Taxon and value of each sigma in an answer; nothing where the file cannot be read: answers are safe to lose."""
    try:
        estimates = json.loads(file.read_text(encoding="utf-8"))["estimates"]
        return [
            (one["scope"]["taxon"], float(one["value"]))
            for one in estimates
            if one["quantity"].partition(".")[0] == "sigma" and one["unit"] == "m"
        ]
    except _UNREADABLE:
        return []
