"""What can be wrong with the tables, what is too thin, and what a fit should be warned about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Where
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask

KINDS = ("proximity", "count", "multi", "single")
COMPETING = ("multi", "single")  # detectors that hold the animal
PROBABILITIES = ("HN", "HR", "EX")


def raise_if_wrong(histories: Sequence[CaptureHistory], masks: Sequence[Mask], function: str) -> None:
    """Raise InputError with everything that is wrong."""
    found = list(check_inputs(histories, masks, function))
    if found:
        raise InputError(found)


def check_inputs(histories: Sequence[CaptureHistory], masks: Sequence[Mask], function: str) -> Iterator[Finding]:
    """Everything that contradicts itself, over all sessions."""
    if not histories:
        yield Finding("scr-no-session")
    if len(masks) not in (1, len(histories)):
        yield Finding("scr-mask-number", {"masks": len(masks), "sessions": len(histories)})
    kinds = sorted({h.kind for h in histories})
    if len(kinds) > 1:
        yield Finding("scr-mixed-kinds", {"kinds": ", ".join(kinds)})
    for number, mask in enumerate(masks, start=1):
        yield from _check_mask(mask, number)
    for history in histories:
        yield from _check_history(history, function)


def _check_mask(mask: Mask, number: int) -> Iterator[Finding]:
    sizes = {len(mask.x_m), len(mask.y_m), len(mask.side), len(mask.surveyed)}
    usable = len(sizes) == 1 and len(mask) > 0 and mask.cell_area_km2 > 0
    if not usable or not (np.isfinite(mask.x_m).all() and np.isfinite(mask.y_m).all()):
        yield Finding("scr-mask-unusable", {"mask": number, "points": len(mask)})


def _check_history(history: CaptureHistory, function: str) -> Iterator[Finding]:
    at = Where(table=f"session {history.session}")
    if history.kind not in KINDS:
        yield Finding("scr-kind-unsupported", {"kind": history.kind, "supported": ", ".join(KINDS)}, at)
    expected = (history.detectors.height, history.effort.shape[1] if history.effort.ndim == 2 else 0)
    if history.effort.shape != expected or not np.isfinite(history.effort).all() or (history.effort < 0).any():
        yield Finding("scr-effort-unusable", {"detectors": expected[0], "shape": str(history.effort.shape)}, at)
        return
    if history.effort.sum() == 0:
        yield Finding("scr-no-effort", {"session": history.session}, at)
    yield from _check_tables(history, at)
    yield from _check_captures(history, at, function)


def _check_tables(history: CaptureHistory, at: Where) -> Iterator[Finding]:
    detectors, animals = history.detectors, history.individuals
    for key, column in (("detector", detectors["detector"]), ("individual", animals["individual"])):
        twice = sorted(set(column.filter(column.is_duplicated()).cast(pl.String)))
        if twice:
            yield Finding("scr-listed-twice", {"kind": key, "ids": ", ".join(twice[:10]), "number": len(twice)}, at)
    positions = detectors.select("x_m", "y_m").cast(pl.Float64)
    lost = detectors.filter(~pl.Series(np.isfinite(positions.fill_null(np.nan).to_numpy()).all(axis=1)))
    if lost.height:
        ids = ", ".join(lost["detector"].head(10))
        yield Finding("scr-detector-without-place", {"detectors": ids, "number": lost.height}, at)
    unseen = sorted(set(animals["individual"]) - set(history.captures["individual"]))
    if unseen:
        yield Finding("scr-animal-never-seen", {"individuals": ", ".join(unseen[:10]), "number": len(unseen)}, at)


def _check_captures(history: CaptureHistory, at: Where, function: str) -> Iterator[Finding]:
    place = {where: j for j, where in enumerate(history.detectors["detector"])}
    known = set(history.individuals["individual"])
    last = history.effort.shape[1]
    seen: set[tuple[str, str, int]] = set()
    caught: set[tuple[str, int]] = set()
    removed = _removed(history)
    for who, where, occasion, count in history.captures.select(
        "individual", "detector", "occasion", "count"
    ).iter_rows():
        facts = {"individual": who, "detector": where, "occasion": occasion}
        if who not in known or where not in place or occasion is None or not 1 <= occasion <= last:
            yield Finding("scr-capture-unknown", facts, at)
            continue
        effort = float(history.effort[place[where], occasion - 1])
        if effort <= 0:
            yield Finding("scr-capture-without-effort", facts, at)
        if history.kind in COMPETING and (who, occasion) in caught:
            yield Finding("scr-caught-twice", facts, at)
        caught.add((who, occasion))
        if occasion > removed.get(who, last):
            yield Finding("scr-capture-after-removal", {**facts, "removed": removed[who]}, at)
        if (who, where, occasion) in seen:
            yield Finding("scr-capture-twice", facts, at)
        seen.add((who, where, occasion))
        highest = _highest_count(history.kind, function, effort)
        if history.kind == "count" and function in PROBABILITIES and effort != round(effort):
            yield Finding("scr-effort-not-whole", {**facts, "effort": effort}, at)
        if count is None or count < 1 or (highest is not None and count > highest):
            yield Finding("scr-count-unusable", {**facts, "count": count, "highest": highest or "-"}, at)


def _removed(history: CaptureHistory) -> dict[str, int]:
    """Last occasion of each animal that died or was taken away."""
    if "removed_after" not in history.individuals.columns:
        return {}
    pairs = history.individuals.select("individual", "removed_after").drop_nulls()
    return dict(pairs.iter_rows())


def _highest_count(kind: str, function: str, effort: float) -> int | None:
    """The most that one cell can hold: 1 for binary data, the effort for binomial counts, anything for Poisson."""
    if kind != "count":
        return 1
    return max(1, round(effort)) if function in PROBABILITIES else None
