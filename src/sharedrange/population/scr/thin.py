"""Whether the data can bear a spatial model at all; if not, what they can bear."""

from __future__ import annotations

from collections.abc import Sequence

from sharedrange.core.answer import Refusal
from sharedrange.core.finding import Fact
from sharedrange.core.history import CaptureHistory
from sharedrange.population.scr.settings import ScrSettings

QUESTION = "population.scr"
INSTEAD = ("population.minimum", "population.rates")


def refusal(histories: Sequence[CaptureHistory], settings: ScrSettings) -> Refusal | None:
    """Why the question is declined, or None. Sessions are summed: their detection parameters are shared.

    A spatial model learns the scale of movement from animals seen at several places, and detection from animals
    seen again; without either, density is a guess however long the cameras ran.
    """
    have: dict[str, Fact] = {
        "individuals": sum(h.n_individuals for h in histories),
        "recaptures": sum(h.n_recaptures for h in histories),
        "spatial_recaptures": sum(h.n_spatial_recaptures for h in histories),
        "detectors": max(_working(h) for h in histories),
        "detections": sum(h.n_detections for h in histories),
    }
    need: dict[str, Fact] = {
        "individuals": settings.min_individuals,
        "recaptures": settings.min_recaptures,
        "spatial_recaptures": settings.min_spatial_recaptures,
        "detectors": settings.min_detectors,
    }
    if all(_number(have[k]) >= _number(need[k]) for k in need):
        return None
    return Refusal(QUESTION, have, need, INSTEAD)


def _working(history: CaptureHistory) -> int:
    """Detectors that ran."""
    return int((history.effort.sum(axis=1) > 0).sum())


def _number(fact: Fact) -> float:
    return float(fact or 0)
