"""Whether the counts can bear the model: times without counts, levels without animals, times that nothing links."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from sharedrange.core.finding import Fact, Finding, Severity, Where, errors
from sharedrange.population.trend.design import Design
from sharedrange.population.trend.estimation import Counted, information
from sharedrange.population.trend.model import TrendModel
from sharedrange.population.trend.panel import TABLE, Panel

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_SHOWN = 10  # times named in one finding


def changepoint_findings(panel: Panel, model: TrendModel) -> Iterator[Finding]:
    """Change points that are not times of the counts, or the last of them."""
    unknown = [c for c in model.slopes_from(panel.times) if c not in panel.times[:-1]]
    if unknown:
        times = f"{panel.times[0]}-{panel.times[-1]}"
        yield Finding("trend-changepoint-unknown", {"changepoints": _listed(unknown), "times": times})


def model_findings(panel: Panel, model: TrendModel) -> Iterator[Finding]:
    """What keeps the effects of `model` from having finite estimates, read off the counts alone."""
    found = list(_times(panel, model))
    if model.kind == 3:
        found += _levels(panel, model, [(t, t, panel.time == i) for i, t in enumerate(panel.times)])
        found += [] if errors(found) else _links(panel, model)  # an empty year is of course linked to nothing
    yield from found
    if model.kind == 2:
        yield from _stretches(panel, model)


def _times(panel: Panel, model: TrendModel) -> Iterator[Finding]:
    """Times without a count, and, where every time has an effect, times with nothing but zeros."""
    n = np.bincount(panel.time, panel.observed, len(panel.times))
    animals = np.bincount(panel.time, np.nan_to_num(panel.count), len(panel.times))
    severity = Severity.ERROR if model.kind == 3 else Severity.NOTE
    uncounted, empty = _named(panel, n == 0), _named(panel, (n > 0) & (animals == 0))
    if uncounted:
        yield Finding("trend-time-without-counts", {"times": _listed(uncounted)}, Where(table=TABLE), severity)
    if empty and model.kind == 3:
        yield Finding("trend-time-all-zero", {"times": _listed(empty)}, Where(table=TABLE))


def _stretches(panel: Panel, model: TrendModel) -> Iterator[Finding]:
    """Stretches between change points in which no animal was counted: their slope has no lower end."""
    ends = [*model.slopes_from(panel.times), panel.times[-1]]
    at = np.asarray(panel.times)[panel.time]
    spans = [(a, b, (at > a) & (at <= b)) for a, b in pairwise(ends)]
    for since, upto, rows in spans:
        if not _animals(panel, rows):
            yield Finding("trend-stretch-without-animals", {"since": since, "upto": upto}, Where(table=TABLE))
    yield from _levels(panel, model, spans)


def _levels(panel: Panel, model: TrendModel, spans: Sequence[tuple[int, int, Bools]]) -> Iterator[Finding]:
    """Levels of covariates without an animal in a time (or stretch) in which others had some."""
    for covariate in model.covariates:
        for code, level in enumerate(panel.levels[covariate]):
            mine = panel.covariates[covariate] == code
            empty = [
                str(a) if a == b else f"{a}-{b}"
                for a, b, rows in spans
                if _animals(panel, rows) and not _animals(panel, rows & mine)
            ]
            if empty:
                facts: dict[str, Fact] = {"covariate": covariate, "level": level, "times": _listed(empty)}
                yield Finding("trend-level-without-animals", facts, Where(table=TABLE, field=covariate))


def _animals(panel: Panel, rows: Bools) -> bool:
    return bool(np.nan_to_num(panel.count[rows]).any())


def _links(panel: Panel, model: TrendModel) -> Iterator[Finding]:
    """Times that no site links to the others, for effects of every time, without or within the levels of a covariate.

    Estimates are finite exactly where the counts hold together in this sense: let a site and a time with an animal
    point at each other, and a site point at a time where it counted zero. Then there is a way from every node to every
    other (the condition for log-linear models of two-way tables; Fienberg & Rinaldo 2012, Annals of Statistics
    40:996-1023, in the case of site and time effects).
    """
    if len(model.covariates) > 1:
        return  # no such condition is simple there; the estimation tells
    groups = panel.covariates[model.covariates[0]] if model.covariates else np.zeros(len(panel.site), int)
    names = panel.levels[model.covariates[0]] if model.covariates else ("",)
    for code, level in enumerate(names):
        rows = panel.observed & (groups == code)
        parts = _parts(panel, rows, strong=False)
        rule = "trend-times-unlinked" if len(parts) > 1 else "trend-times-linked-by-zeros"
        parts = parts if len(parts) > 1 else _parts(panel, rows, strong=True)
        if len(parts) > 1:
            told = f"{level}: ".removeprefix(": ") + " | ".join(_listed(part) for part in sorted(parts))
            yield Finding(rule, {"groups": told}, Where(table=TABLE))


def _parts(panel: Panel, rows: Bools, *, strong: bool) -> list[list[int]]:
    """The times in groups that hold together. Times and sites without counts among `rows` are left out."""
    n_sites, site, time, count = (
        len(panel.sites),
        panel.site[rows],
        panel.time[rows] + len(panel.sites),
        panel.count[rows],
    )
    back = count > 0 if strong else np.ones(len(count), bool)
    start, end = np.concatenate([site, time[back]]), np.concatenate([time, site[back]])
    n = n_sites + len(panel.times)
    graph = csr_array((np.ones(len(start)), (start, end)), shape=(n, n))
    _, label = connected_components(graph, directed=True, connection="strong" if strong else "weak")
    present = np.unique(panel.time[rows])
    groups: dict[int, list[int]] = {}
    for index in present:
        groups.setdefault(int(label[n_sites + index]), []).append(panel.times[index])
    return list(groups.values())


def confounded(data: Counted, design: Design) -> Iterator[Finding]:
    """Parameters that the counts cannot tell from others, whatever their values."""
    if not design.p:
        return
    whole = information(data, design, np.ones(data.n))
    size = np.sqrt(np.clip(np.diag(whole), 1e-300, None))
    triangle, order = qr(whole / np.outer(size, size), mode="r", pivoting=True)
    lost = order[np.abs(np.diag(triangle)) < 1e-9]
    if len(lost):
        names = ", ".join(sorted(str(design.parameters[i]) for i in lost[:_SHOWN]))
        yield Finding("trend-confounded", {"n": len(lost), "parameters": names}, Where(table=TABLE))


def _named(panel: Panel, which: Bools) -> list[int]:
    return [t for t, chosen in zip(panel.times, which, strict=True) if chosen]


def _listed(times: Sequence[object]) -> str:
    return ", ".join(str(t) for t in times[:_SHOWN]) + (", …" if len(times) > _SHOWN else "")
