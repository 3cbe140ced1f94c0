"""What a reader should know about a fit: terms left out, few recaptures, a mask too small or too coarse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.history import CaptureHistory
from sharedrange.population.scr.buffer import buffer_bias, suggested_buffer_m
from sharedrange.population.scr.derived import Population
from sharedrange.population.scr.fitting import Fit, SessionFit
from sharedrange.population.scr.session import UNKNOWN_SEX
from sharedrange.population.scr.settings import ScrSettings

_EDGE_DETECTION = 0.01  # a chance to be detected at the mask's edge from which animals beyond it matter
_COARSE_SIGMAS, _TOO_COARSE_SIGMAS = 0.6, 1.0  # secr's advice for mask spacing, and where the sum goes wrong


def advice(population: Population, histories: Sequence[CaptureHistory], settings: ScrSettings) -> Iterator[Finding]:
    """Notes and warnings about a fit."""
    fit = population.fit
    yield from _single(histories)
    yield from _dropped(fit)
    yield from _borrowed(population)
    yield from _few(histories, settings)
    yield from _sexes(fit)
    yield from _edges(population)
    yield from _spacing(population)


def _single(histories: Sequence[CaptureHistory]) -> Iterator[Finding]:
    """Say that traps for one animal are treated as multi-catch.

    They have no tractable likelihood; density comes out nearly right where most traps stay empty (Efford, Borchers
    and Byrom 2009).
    """
    if any(h.kind == "single" for h in histories):
        yield Finding("scr-single-as-multi", severity=Severity.WARNING)


def _dropped(fit: Fit) -> Iterator[Finding]:
    for split in fit.dropped:
        facts = {"parameter": split.parameter, "term": split.term, "levels": ", ".join(split.usable) or "-"}
        if split.runaway:
            runaway = {**facts, "runaway": split.runaway}
            yield Finding("scr-split-unbounded", runaway, severity=Severity.WARNING)
        else:
            yield Finding("scr-term-dropped", facts, severity=Severity.NOTE)


def _borrowed(population: Population) -> Iterator[Finding]:
    own = population.fit.design.density_sides
    for side in population.sides if own else ():
        if side not in own:
            yield Finding("scr-side-borrowed", {"side": side}, severity=Severity.WARNING)


def _few(histories: Sequence[CaptureHistory], settings: ScrSettings) -> Iterator[Finding]:
    recaptures = sum(h.n_recaptures for h in histories)
    if recaptures < settings.few_recaptures:
        facts = {"recaptures": recaptures, "enough": settings.few_recaptures}
        yield Finding("scr-few-recaptures", facts, severity=Severity.WARNING)


def _sexes(fit: Fit) -> Iterator[Finding]:
    if not fit.design.model.by_sex:
        return
    unknown = sum(int((s.records.sex == UNKNOWN_SEX).sum()) for s in fit.sessions)
    if unknown:
        facts = {"unknown": unknown, "individuals": sum(s.n_animals for s in fit.sessions)}
        yield Finding("scr-sex-missing", facts, severity=Severity.NOTE)


def _edges(population: Population) -> Iterator[Finding]:
    chance = max(_edge_detection(at) for at in population.at)
    if chance > _EDGE_DETECTION:
        yield Finding("scr-buffer-small", _of_buffer(population, chance), severity=Severity.WARNING)


def _of_buffer(population: Population, chance: float) -> dict[str, Fact]:
    """What a mask that ends too near does to density, and how far it should reach."""
    bias = buffer_bias(population.fit, population.at)
    enough_m = max(suggested_buffer_m(population.fit, at_maximum=population.at), 1.0)
    unit_m = 10.0 ** np.floor(np.log10(enough_m) - 1.0)  # of the second digit
    return {
        "percent": round(100 * chance, 1),
        "allowed": 100 * _EDGE_DETECTION,
        "bias_percent": float(f"{100 * bias:.2g}"),
        "buffer_m": round(float(np.ceil(enough_m / unit_m) * unit_m)),
    }


def _edge_detection(at: SessionFit) -> float:
    """Chance to be detected, averaged by density over animals centred at the mask's open edge."""
    edge = at.session.edge
    weights = [np.exp(c.field.log_density[edge]) for c in at.classes]
    total = sum(float(w.sum()) for w in weights)
    seen = sum(float(w @ (1.0 - c.terms.undetected[edge])) for w, c in zip(weights, at.classes, strict=True))
    return seen / total if total > 0 else 0.0


def _spacing(population: Population) -> Iterator[Finding]:
    for i, at in enumerate(population.at):
        cell_m = float(np.sqrt(at.session.cell_area_km2)) * 1000.0
        smallest = min(float(np.exp(c.field.log_sigma.min())) for c in at.classes)
        if cell_m > _COARSE_SIGMAS * smallest and i == 0:
            facts = {"spacing_m": round(cell_m), "sigma_m": round(smallest), "advice": _COARSE_SIGMAS}
            severity = Severity.WARNING if cell_m > _TOO_COARSE_SIGMAS * smallest else Severity.NOTE
            yield Finding("scr-mask-coarse", facts, severity=severity)
