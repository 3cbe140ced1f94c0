"""The engine `population.closed`: captures by occasion in, numbers of animals out; no places, so no density."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.answer import LISTED, Answer, Estimate, Refusal, Scope
from sharedrange.core.engine import Engine
from sharedrange.core.errors import DidNotConverge, InputError, NotEnoughData
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.progress import Progress, part
from sharedrange.population.closed import ghosts
from sharedrange.population.closed.captures import Captures, from_history
from sharedrange.population.closed.checks import Test, behaviour, closure, goodness_of_fit
from sharedrange.population.closed.comparing import (
    COMPARISON,
    average,
    below,
    bound,
    coherent,
    compare,
    criterion_of,
    weights,
)
from sharedrange.population.closed.intervals import Interval, around, lognormal, profile
from sharedrange.population.closed.models import Fit, fit
from sharedrange.population.closed.settings import AVERAGE, ClosedInputs, ClosedSettings
from sharedrange.population.closed.thin import refusal

_NEGLIGIBLE = 1e-3  # a weight below which a model moves no limit
_ALIKE, _FAR_APART = 4.0, 1.25  # a difference in criterion that decides little; a ratio of numbers that matters

TESTS = pl.Schema(
    {
        # One row a test: null where it could not be made.
        "session": pl.String(),
        "test": pl.String(),
        "statistic": pl.Float64(),
        "p_value": pl.Float64(),
        "animals": pl.Int64(),
    }
)
FREQUENCIES = pl.Schema(
    {
        # One row a number of captures: animals caught so often, and what the best model expects.
        "session": pl.String(),
        "captures": pl.Int64(),
        "animals": pl.Int64(),
        "expected": pl.Float64(),
    }
)
GHOSTS = pl.Schema(
    {
        # One row a splitting error: the number if that were the rate.
        "session": pl.String(),
        "splitting_error": pl.Float64(),
        "animals": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
    }
)


@dataclass(frozen=True)
class _Session:
    """One session's fits with their weights, and its tests. `best`: the fit that describes the captures best."""

    captures: Captures
    fits: Sequence[Fit]
    share: NDArray[np.float64]
    best: Fit
    tests: Sequence[Test]
    left_out: Sequence[Finding]


def answer(
    inputs: ClosedInputs,
    settings: ClosedSettings,
    *,
    rng: np.random.Generator,
    progress: Progress,
    executor: Executor | None,  # noqa: ARG001  (the engine contract; a session takes about a second)
    checkpoint: MutableMapping[str, Any],  # noqa: ARG001  (the engine contract)
) -> Answer:
    """How many animals were there in each session, from who was caught on which occasion.

    Sessions whose data are too thin get a warning and no number; a refusal if all are.
    Raises InputError (all findings), Cancelled.
    """
    progress(0.0)
    every = _sessions(inputs, settings)
    declined = {captures.session: refusal(captures, settings) for captures in every}
    sessions = [captures for captures in every if declined[captures.session] is None]
    if not sessions:
        progress(1.0)
        return Answer(refusal=declined[max(every, key=lambda captures: captures.n_recaptures).session])
    try:
        told = [
            _session(captures, settings, rng, part(progress, i / len(sessions), (i + 0.95) / len(sessions)))
            for i, captures in enumerate(sessions)
        ]
    except NotEnoughData as thin:
        progress(1.0)
        return Answer(refusal=thin.refusal)
    result = _together(told, inputs.scope, settings, several=len(every) > 1)
    progress(1.0)
    return replace(result, findings=(*_thin(every, declined), *result.findings))


ENGINE = Engine("population.closed", 2, ClosedSettings, ClosedInputs, answer)


def _sessions(inputs: ClosedInputs, settings: ClosedSettings) -> list[Captures]:
    """All sessions; InputError with the findings of all of them."""
    found: list[Finding] = []
    sessions = list(inputs.captures)
    for history in inputs.histories:
        try:
            sessions.append(from_history(history, most_occasions=settings.most_occasions))
        except InputError as wrong:
            found += wrong.findings
    names = [captures.session for captures in sessions]
    found += [Finding("closed-session-twice", {"session": s}) for s in sorted({s for s in names if names.count(s) > 1})]
    if not inputs.captures and not inputs.histories:
        found.append(Finding("closed-no-session"))
    if found:
        raise InputError(found)
    return sessions


def _session(captures: Captures, settings: ClosedSettings, rng: np.random.Generator, progress: Progress) -> _Session:
    fits, left_out = _fits(captures, settings, part(progress, 0.0, 0.4))
    best = _best(fits, settings)
    fitted = goodness_of_fit(captures, best, rng, simulations=settings.simulations, progress=part(progress, 0.4, 0.95))
    ratio, p_value = ghosts.singletons_test(captures)
    tests = (closure(captures), behaviour(captures), fitted, Test("singletons", ratio, p_value, captures.singletons))
    progress(1.0)
    return _Session(captures, fits, _share(fits, settings), best, tests, left_out)


def _fits(captures: Captures, settings: ClosedSettings, progress: Progress) -> tuple[list[Fit], list[Finding]]:
    """The fits that can be had, and why others can't. Raises NotEnoughData where there is none to report."""
    fits, left_out = [], []
    for i, name in enumerate(settings.models):
        try:
            fits.append(fit(captures, name))
        except (InputError, NotEnoughData, DidNotConverge) as reason:
            if name == settings.report:
                raise
            left_out.append(_left_out(captures.session, name, reason))
        progress((i + 1) / len(settings.models))
    if not fits:
        raise InputError([Finding("closed-no-model", {"models": ", ".join(settings.models)})])
    return fits, left_out


def _left_out(session: str, model: str, reason: InputError | NotEnoughData | DidNotConverge) -> Finding:
    why = {InputError: "closed-model-needs-occasions", NotEnoughData: "closed-unbounded"}
    rule = next((rule for kind, rule in why.items() if isinstance(reason, kind)), "closed-model-unfitted")
    return Finding(rule, {"model": model, "session": session}, severity=Severity.NOTE)


def _share(fits: Sequence[Fit], settings: ClosedSettings) -> NDArray[np.float64]:
    if settings.report == AVERAGE:
        return weights(fits, settings.criterion)
    return np.array([float(f.model.name == settings.report) for f in fits])


def _best(fits: Sequence[Fit], settings: ClosedSettings) -> Fit:
    """The model asked for, or the one with the best criterion; a bound hardly says how often animals are caught."""
    asked = [f for f in fits if f.model.name == settings.report]
    shaped = [f for f in fits if not f.model.is_lower_bound]
    return min(asked or shaped or fits, key=lambda f: (criterion_of(f, settings.criterion), f.parameters))


def _thin(sessions: Sequence[Captures], declined: Mapping[str, Refusal | None]) -> Iterator[Finding]:
    """A warning for each session that has no number."""
    for captures in sessions:
        if declined[captures.session] is not None:
            facts: dict[str, Fact] = {"session": captures.session, "individuals": captures.n}
            recaptures: dict[str, Fact] = {"recaptures": captures.n_recaptures, "occasions": captures.n_occasions}
            yield Finding("closed-session-thin", {**facts, **recaptures}, severity=Severity.WARNING)


def _together(told: Sequence[_Session], scope: Scope, settings: ClosedSettings, *, several: bool) -> Answer:
    estimates, findings = list[Estimate](), [Finding("closed-no-density", severity=Severity.NOTE)]
    for session in told:
        name = session.captures.session
        about = replace(scope, method=scope.method or "closed", period=name if several else scope.period)
        numbers = _Numbers(session, about, f".{name}" if several else "", settings)
        estimates += numbers.all()
        findings += [*session.left_out, *_findings(session, settings), *numbers.findings]
    tables = {
        "models": pl.concat([pl.DataFrame(schema=COMPARISON), *(compare(s.fits, settings.criterion) for s in told)]),
        "frequencies": pl.DataFrame([r for s in told for r in _frequencies(s)], schema=FREQUENCIES, orient="row"),
        "tests": pl.DataFrame([r for s in told for r in _tests(s)], schema=TESTS, orient="row"),
        "ghosts": pl.DataFrame([r for s in told for r in _ghosts(s, settings)], schema=GHOSTS, orient="row"),
    }
    return Answer(estimates=tuple(estimates), tables=tables, findings=tuple(dict.fromkeys(findings)))


class _Numbers:
    """The estimates of one session, and what came up while making them."""

    def __init__(self, session: _Session, scope: Scope, suffix: str, settings: ClosedSettings) -> None:
        self._session, self._scope, self._suffix, self._settings = session, scope, suffix, settings
        self.findings: list[Finding] = []

    def all(self) -> Iterator[Estimate]:
        """What is asked most first."""
        captures = self._session.captures
        yield self._reported()
        yield from self._lower_bound()
        yield from self._without_ghosts()
        yield Estimate(f"n{self._suffix}", float(captures.n), "animals", scope=replace(self._scope, kind=LISTED))

    def _reported(self) -> Estimate:
        fits, share, settings = self._session.fits, self._session.share, self._settings
        told = average(fits, share)
        used = [i for i in range(len(fits)) if share[i] > _NEGLIGIBLE]
        if self._by_profile():
            limits = profile([fits[i] for i in used], share[used] / share[used].sum(), settings.level)
        else:
            limits = around(self._session.captures.n, told.n_hat, told.se, settings.level)
        return self._estimate("N", told.n_hat, told.se, limits)

    def _lower_bound(self) -> Iterator[Estimate]:
        least = bound(self._session.fits, self._settings.criterion)
        if least is not None and self._settings.report != least.model.name:
            level = self._settings.level
            limits = profile([least], level=level) if self._by_profile() else lognormal(least, level)
            yield self._estimate("N_at_least", least.n_hat, least.se, limits)

    def _without_ghosts(self) -> Iterator[Estimate]:
        splitting = self._settings.splitting
        if splitting is not None:
            told = ghosts.without_ghosts(self._session.captures, splitting, level=self._settings.level)
            yield self._estimate("N_without_ghosts", told.n_hat, None, told.interval)

    def _by_profile(self) -> bool:
        chosen = self._settings.interval
        few = self._session.captures.n < self._settings.profile_below
        return chosen == "profile" or (chosen == "auto" and few)

    def _estimate(self, quantity: str, value: float, se: float | None, limits: Interval) -> Estimate:
        name, level = f"{quantity}{self._suffix}", self._settings.level
        if limits.open_above:
            facts: dict[str, Fact] = {"quantity": name, "limit": round(limits.high)}
            self.findings.append(Finding("closed-open-above", facts, severity=Severity.WARNING))
        low, high = min(limits.low, value), max(limits.high, value)
        return Estimate(name, value, "animals", low, high, se, level, self._scope)


def _findings(session: _Session, settings: ClosedSettings) -> Iterator[Finding]:
    """What a reader of the numbers must know."""
    captures = session.captures
    about: dict[str, Fact] = {"session": captures.session, "individuals": captures.n}
    by_name = {test.name: test for test in session.tests}
    for name, rule in _DOUBTS.items():
        test = by_name[name]
        if test.p_value < settings.alpha:
            facts = {**about, "p": max(round(test.p_value, 4), 1e-4), "singletons": captures.singletons}
            yield Finding(rule, facts, severity=Severity.WARNING)
    closed = by_name["closure"]
    if np.isnan(closed.p_value):
        yield Finding("closed-closure-untested", about, severity=Severity.NOTE)
    elif closed.p_value >= settings.alpha:
        yield Finding("closed-closure-unproved", {**about, "tested": closed.animals}, severity=Severity.NOTE)
    yield from _unlike(session, settings, about)
    yield from _against_the_bound(session, settings, about)
    if settings.splitting_error is None:
        yield Finding("closed-ghosts-not-counted", about, severity=Severity.NOTE)


_DOUBTS: Mapping[str, str] = {
    "closure": "closed-closure-doubt",
    "behaviour": "closed-behaviour",
    "goodness_of_fit": "closed-misfit",
    "singletons": "closed-singletons",
}


def _unlike(session: _Session, settings: ClosedSettings, about: Mapping[str, Fact]) -> Iterator[Finding]:
    """Models that fit about as well and say very unlike numbers (Link 2003, Biometrics 59:1123-1130)."""
    fits = [f for f in session.fits if not f.model.is_lower_bound]
    values = np.array([criterion_of(f, settings.criterion) for f in fits])
    alike = [f for f, v in zip(fits, values, strict=True) if v - values.min() < _ALIKE]
    if not alike:
        return
    low, high = min(alike, key=lambda f: f.n_hat), max(alike, key=lambda f: f.n_hat)
    if high.n_hat > _FAR_APART * low.n_hat:
        told: dict[str, Fact] = {"low": round(low.n_hat, 1), "high": round(high.n_hat, 1)}
        names: dict[str, Fact] = {"model_low": low.model.name, "model_high": high.model.name}
        yield Finding("closed-models-disagree", {**about, **told, **names}, severity=Severity.WARNING)


def _against_the_bound(session: _Session, settings: ClosedSettings, about: Mapping[str, Fact]) -> Iterator[Finding]:
    """Models left out of the average because they say fewer animals than the lower bound; a number that does too."""
    least = bound(session.fits, settings.criterion)
    if least is None:
        return
    told = average(session.fits, session.share).n_hat
    facts: dict[str, Fact] = {**about, "bound": round(least.n_hat, 1)}
    if below(told, least):
        yield Finding("closed-below-bound", {**facts, "number": round(told, 1)}, severity=Severity.WARNING)
    kept = coherent(session.fits, settings.criterion)
    left_out = [f.model.name for f, stays in zip(session.fits, kept, strict=True) if not stays]
    if left_out and settings.report == AVERAGE:
        yield Finding("closed-not-averaged", {**facts, "models": ", ".join(left_out)}, severity=Severity.NOTE)


def _frequencies(session: _Session) -> Iterator[tuple[object, ...]]:
    seen = session.captures.frequencies.tolist()
    best = session.best
    expected = [None] * len(seen) if best.model.lead is not None else best.expected.tolist()
    for times, (animals, fitted) in enumerate(zip(seen, expected, strict=True), start=1):
        yield session.captures.session, times, animals, fitted


def _tests(session: _Session) -> Iterator[tuple[object, ...]]:
    for test in session.tests:
        missing = bool(np.isnan(test.p_value))
        statistic, p_value = (None, None) if missing else (test.statistic, test.p_value)
        yield session.captures.session, test.name, statistic, p_value, test.animals


def _ghosts(session: _Session, settings: ClosedSettings) -> Iterator[tuple[object, ...]]:
    stated = () if settings.splitting_error is None else (settings.splitting_error,)
    for rate in sorted({*ghosts.RATES, *stated}):
        told = ghosts.without_ghosts(session.captures, ghosts.Splitting(rate), level=settings.level)
        yield session.captures.session, rate, told.n_hat, told.interval.low, told.interval.high
