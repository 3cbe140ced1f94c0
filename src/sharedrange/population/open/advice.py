"""What a reader should know about a fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import nearest_distance_m
from sharedrange.population.open.checks import returning
from sharedrange.population.open.fitting import OpenFit

_FEW_RETURNS = 20
_STEPS_TO_EDGE = 2.0  # of movement's standard deviation; nearer, the mask's end shapes what is learnt of movement


def advice(fit: OpenFit, histories: Sequence[CaptureHistory], sides: Sequence[str]) -> Iterator[Finding]:
    """Notes and warnings about a fit."""
    yield from fit.notes
    for name in fit.at_limit:
        yield Finding("open-at-limit", {"parameter": name}, severity=Severity.WARNING)
    back = returning(histories)
    if back < _FEW_RETURNS:
        facts: dict[str, Fact] = {"animals": back, "enough": _FEW_RETURNS}
        yield Finding("open-few-returns", facts, severity=Severity.WARNING)
    if not fit.design.model.spatial or fit.design.model.movement == "none":
        model = "space" if not fit.design.model.spatial else "movement"
        yield Finding("open-crossing-is-death", {"without": model}, severity=Severity.WARNING)
    on_mask = {str(side) for side in np.unique(fit.design.data.mask.side)}
    if fit.design.model.spatial:
        for side in sides:
            if side not in on_mask:
                yield Finding("scr-side-not-on-mask", {"side": side}, severity=Severity.WARNING)
        yield from _movement(fit)


def _movement(fit: OpenFit) -> Iterator[Finding]:
    """Whether the mask is fine enough and wide enough for the movement that was estimated."""
    if "sigma_move" not in fit.design.parts or "sigma_move" in fit.at_limit:
        return
    steps_m, mask = fit.design.move_m(fit.theta), fit.design.data.mask
    if steps_m.min() < mask.spacing_m:
        facts: dict[str, Fact] = {"move_m": round(float(steps_m.min())), "spacing_m": round(mask.spacing_m)}
        yield Finding("open-mask-coarse", facts, severity=Severity.WARNING)
    edge = mask.edge()
    if not edge.any():
        return
    watch = fit.design.data.watch
    room_m = float(nearest_distance_m(watch.x_m, watch.y_m, mask.x_m[edge], mask.y_m[edge]).min())
    need_m = _STEPS_TO_EDGE * float(steps_m.max())
    if room_m < need_m:
        facts = {"room_m": round(room_m), "need_m": round(need_m), "move_m": round(float(steps_m.max()))}
        yield Finding("open-mask-small", facts, severity=Severity.WARNING)
