"""Plots of one estimate as SVG files: detection function, density surface, effort, captures, years, a barrier.

No plot shows where a detector stands or where an animal was met: stations are bars without names, a density surface has
no coordinates, and cells are drawn only where they are coarse or lie nowhere on Earth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from markupsafe import Markup

from sharedrange.assessment.estimating import Estimation
from sharedrange.assessment.programme import Programme
from sharedrange.assessment.report import cells, charts, profiles, years
from sharedrange.assessment.report.detection import detection_curves
from sharedrange.assessment.report.naming import Naming
from sharedrange.assessment.report.palette import Look
from sharedrange.assessment.report.svg import standing_alone
from sharedrange.core.files import write_atomically
from sharedrange.core.words import Words
from sharedrange.population import scr

NOBODY = Programme(id="", title="", seed=0, parties=(), species=(), components=(), questions=())


def write_plots(made: Estimation, folder: Path, words: Words) -> tuple[Path, ...]:
    """Write the plots that there is something to draw for into `folder`, which is made; their paths.

    Raises InputError if a file cannot be written.
    """
    look = Look(Naming(NOBODY, words))
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw in _PLOTS.items():
        figure = draw(made, look)
        if figure is not None:
            paths.append(folder / f"{name}.svg")
            write_atomically(paths[-1], standing_alone(str(figure)).encode())
    return tuple(paths)


def _detection(made: Estimation, look: Look) -> Markup | None:
    if not isinstance(made.inputs, scr.ScrInputs) or made.answer.refusal is not None:
        return None
    lines = tuple(detection_curves(made.inputs, made.settings, dict(made.memory), look))
    words = look.words
    axes = charts.Axes(words("plot.detection"), words("plot.detection.x"), words("plot.detection.y"))
    return charts.curves(lines, axes, look)


def _density(made: Estimation, look: Look) -> Markup | None:
    table = made.answer.tables.get("density")
    if table is None or not table.height:
        return None
    x_m, y_m, density = (table[c].to_numpy().astype(float) for c in ("x_m", "y_m", "density_per_100km2"))
    unit = look.naming.unit("per_100km2")
    return charts.surface(x_m, y_m, density, look, title=look.words("plot.density"), unit=unit)


def _effort(made: Estimation, look: Look) -> Markup | None:
    """Stations running by occasion, sessions one after the other."""
    if not made.histories:
        return None
    running = np.concatenate([history.effort.sum(axis=0) for history in made.histories])
    words = look.words
    axes = charts.Axes(words("plot.effort"), words("plot.effort.x"), words("plot.effort.y"))
    return charts.bars(running.tolist(), axes, look)


def _captures(made: Estimation, look: Look) -> Markup | None:
    """Detections of each station, the most first: no station is named."""
    counts = _of_stations(made)
    if not any(counts):
        return None
    words = look.words
    axes = charts.Axes(words("plot.captures"), words("plot.captures.x"), words("plot.captures.y"))
    return charts.bars(sorted(counts, reverse=True), axes, look)


def _of_stations(made: Estimation) -> list[float]:
    """Detections of each station that ever ran, over all sessions."""
    total = Counter[str]()
    for history in made.histories:
        total.update(dict(zip(history.detectors["detector"], history.counts().sum(axis=0).tolist(), strict=True)))
    return [float(n) for n in total.values()]


def _years(made: Estimation, look: Look) -> Markup | None:
    head, series = years.series_drawn(made.answer, made.engine, look)
    return years.drawn(series, look, look.words(f"plot.years.{head}")) if series else None


def _cells(made: Estimation, look: Look) -> Markup | None:
    shown = cells.cells_drawn(made.answer, is_nowhere=made.is_nowhere)
    return cells.drawn(shown, look, look.words("plot.cells")) if shown else None


def _profile(made: Estimation, look: Look) -> Markup | None:
    return profiles.drawn(made.answer, look, look.words("plot.profile"))


_PLOTS: Mapping[str, Callable[[Estimation, Look], Markup | None]] = {
    "detection": _detection,
    "density": _density,
    "effort": _effort,
    "captures": _captures,
    "years": _years,
    "cells": _cells,
    "profile": _profile,
}
