"""The rules: each question's counts against what the engine that would be asked needs, and what the field knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.history import CaptureHistory
from sharedrange.population.closed.captures import Captures, from_history
from sharedrange.population.closed.ghosts import singletons_test
from sharedrange.population.closed.settings import ClosedSettings
from sharedrange.population.closed.thin import have as closed_counts
from sharedrange.population.closed.thin import need as closed_needs
from sharedrange.population.defensible.counts import Counts, SurveyFacts, count
from sharedrange.population.defensible.verdicts import Fitness, Judgement, Reason, Verdict
from sharedrange.population.design.expected import IMPRECISE_RSE, Expected
from sharedrange.population.design.suggest import RULE_SIGMAS
from sharedrange.population.occupancy import OccupancySettings
from sharedrange.population.scr.settings import ScrSettings

QUESTIONS = (
    "population.scr",
    "population.closed",
    "population.occupancy",
    "population.minimum",
    "population.rates",
)
_YEAR_DAYS = 365.0
_SEXES_KNOWN = 0.5  # share of animals of known sex below which a split by sex rests on the model more than on data
_OWN = "docs/engines/{}.md"
_EFFORD = "Efford and Boulanger 2019, Methods in Ecology and Evolution 10:1529-1535"
_DUPONT = "Dupont et al. 2019, Methods in Ecology and Evolution 10:661-672"
_SOLLMANN = "Sollmann et al. 2013, Biological Conservation 159:405-412"
_KARANTH = "Karanth and Nichols 1998, Ecology 79:2852-2862"
_JOHANSSON = "Johansson et al. 2020, Scientific Reports 10:6393"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The settings of the engines that would be asked: what is too little for them is too little here."""

    scr: ScrSettings = field(default_factory=ScrSettings)
    closed: ClosedSettings = field(default_factory=ClosedSettings)
    occupancy: OccupancySettings = field(default_factory=OccupancySettings)


def judge(
    histories: Sequence[CaptureHistory],
    facts: SurveyFacts = SurveyFacts(),
    thresholds: Thresholds = Thresholds(),
) -> Fitness:
    """What one or more sessions of captures can bear, before anything is fitted.

    Raises InputError where there is no history.

    Examples
    --------
    >>> import numpy as np, polars as pl
    >>> from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
    >>> cameras = pl.DataFrame({"detector": ["c1", "c2"], "party": "p", "camera_type": "X", "x_m": [0.0, 1e3],
    ...     "y_m": 0.0}, schema=DETECTORS)
    >>> animals = pl.DataFrame({"individual": ["a", "b"], "sex": None, "life_stage": "adult"}, schema=INDIVIDUALS)
    >>> met = pl.DataFrame([("a", "c1", 1, 1), ("b", "c2", 4, 1)], schema=CAPTURES, orient="row")
    >>> fitness = judge([CaptureHistory("2026", "proximity", cameras, animals, met, np.ones((2, 60)))])
    >>> fitness["population.scr"].verdict.value, fitness.possible
    ('no', ('population.minimum', 'population.rates'))
    """
    if not histories:
        raise InputError([Finding("defensible-no-session")])
    counts = count(histories, facts)
    captures = _captures(histories, thresholds.closed)
    judged: tuple[Callable[[], Iterator[Reason]], ...] = (
        lambda: _spatial(counts, facts, thresholds.scr),
        lambda: _closed(counts, captures, facts, thresholds.closed),
        lambda: _occupancy(counts, facts, thresholds.occupancy),
        lambda: _minimum(counts, facts),
        lambda: _rates(counts),
    )
    return Fitness(
        counts,
        tuple(Judgement(question, tuple(reasons())) for question, reasons in zip(QUESTIONS, judged, strict=True)),
    )


def _captures(histories: Sequence[CaptureHistory], settings: ClosedSettings) -> Captures | None:
    """The session with most recaptures without its places; None where no session has two occasions."""
    usable = []
    for history in histories:
        try:
            usable.append(from_history(history, most_occasions=settings.most_occasions))
        except InputError:
            continue
    return max(usable, key=lambda c: (c.n_recaptures, c.n), default=None)


def _spatial(counts: Counts, facts: SurveyFacts, settings: ScrSettings) -> Iterator[Reason]:
    own = _OWN.format("population.scr")
    yield _least("defensible-animals", counts.individuals, settings.min_individuals, own)
    yield _least("defensible-recaptures", counts.recaptures, settings.min_recaptures, own)
    yield _least("defensible-spatial-recaptures", counts.spatial_recaptures, settings.min_spatial_recaptures, own)
    yield _least("defensible-stations", counts.detectors, settings.min_detectors, own)
    yield _care("defensible-precision", _rse_percent(counts), round(100 * IMPRECISE_RSE), _EFFORD)
    if counts.spacing_m is None or counts.sigma_m is None:
        yield _noted("defensible-spacing-unknown", 0, Verdict.WITH_CARE, _EFFORD)
    else:
        yield _care("defensible-spacing", round(counts.spacing_m), round(RULE_SIGMAS * counts.sigma_m), _EFFORD)
    share = round(100 * counts.sexes_known / max(counts.individuals, 1))
    least = round(100 * _SEXES_KNOWN)
    yield _noted("defensible-sexes", share, Verdict.YES if share >= least else Verdict.WITH_CARE, own, least)
    yield from _individual(counts, facts)


def _closed(
    counts: Counts, captures: Captures | None, facts: SurveyFacts, settings: ClosedSettings
) -> Iterator[Reason]:
    own = _OWN.format("population.closed")
    least = closed_needs(settings)
    there = closed_counts(captures) if captures else dict.fromkeys(least, 0)
    yield _least("defensible-animals", _number(there["individuals"]), _number(least["individuals"]), own)
    yield _least("defensible-recaptures-joined", _number(there["recaptures"]), _number(least["recaptures"]), own)
    yield _least("defensible-occasions", _number(there["occasions"]), _number(least["occasions"]), own)
    yield _noted("defensible-no-density", 0, Verdict.WITH_CARE, own)
    if captures is not None and captures.n_recaptures:
        doubtful = singletons_test(captures)[1] < settings.alpha
        outcome = Verdict.WITH_CARE if doubtful else Verdict.YES
        yield _noted("defensible-singletons", captures.singletons, outcome, _JOHANSSON)
    yield from _individual(counts, facts)


def _occupancy(counts: Counts, facts: SurveyFacts, settings: OccupancySettings) -> Iterator[Reason]:
    own = _OWN.format("population.occupancy")
    yield _least("defensible-stations", counts.detectors, settings.min_sites, own)
    yield _least("defensible-sites-found", counts.sites_found, settings.min_sites_found, own)
    yield _least("defensible-sites-revisited", counts.sites_revisited, settings.min_sites_revisited, own)
    yield _period(counts, facts)


def _minimum(counts: Counts, facts: SurveyFacts) -> Iterator[Reason]:
    yield _least("defensible-animals", counts.individuals, 1, _OWN.format("population.minimum"))
    yield _flanks(facts)


def _rates(counts: Counts) -> Iterator[Reason]:
    yield _least("defensible-stations", counts.detectors, 1, _OWN.format("population.rates"))
    yield _care("defensible-cameras", counts.camera_types, 1, _SOLLMANN)
    yield _noted("defensible-index", 0, Verdict.WITH_CARE, _SOLLMANN)


def _individual(counts: Counts, facts: SurveyFacts) -> Iterator[Reason]:
    """What every estimate from individuals rests on: a closed period, and identities of whole animals."""
    yield _period(counts, facts)
    yield _flanks(facts)


def _period(counts: Counts, facts: SurveyFacts) -> Reason:
    days, most = round(counts.days), round(facts.closed_days)
    if counts.days > max(_YEAR_DAYS, facts.closed_days):
        return _noted("defensible-period", days, Verdict.NO, _DUPONT, most)
    return _care("defensible-period", days, most, _DUPONT)


def _flanks(facts: SurveyFacts) -> Reason:
    if facts.left_only is None and facts.right_only is None:
        return _noted("defensible-flanks-unknown", 0, Verdict.YES, _KARANTH)
    return _care("defensible-flanks", (facts.left_only or 0) + (facts.right_only or 0), 0, _KARANTH)


def _rse_percent(counts: Counts) -> int:
    """Relative standard error of density to expect, in percent; 100 where it is that or worse."""
    found = Expected(0.0, counts.individuals, counts.detections, counts.spatial_recaptures)
    return round(100 * min(found.rse, 1.0))


def _least(rule: str, have: int, need: int, source: str) -> Reason:
    """No where there is less than needed."""
    return _noted(rule, have, Verdict.YES if have >= need else Verdict.NO, source, need)


def _care(rule: str, have: int, most: int, source: str) -> Reason:
    """With care where there is more than is harmless."""
    return _noted(rule, have, Verdict.YES if have <= most else Verdict.WITH_CARE, source, most)


def _noted(rule: str, have: int, outcome: Verdict, source: str, need: int | None = None) -> Reason:
    facts: dict[str, Fact] = {"have": have, "need": need}
    severity = Severity.NOTE if outcome is Verdict.YES else Severity.WARNING
    return Reason(outcome, Finding(rule, facts, severity=severity), source)


def _number(fact: Fact) -> int:
    return int(fact or 0)
