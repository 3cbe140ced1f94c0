"""What can these data bear? A verdict for each question before anything is fitted: yes, with care, or no.

Each verdict stands on counts, each count on a rule, each rule on a source. The least that an engine accepts is that
engine's own setting; nothing here declines what an engine would answer, or the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import polars as pl
from scipy.spatial import KDTree

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.history import CaptureHistory
from sharedrange.core.words import Words
from sharedrange.population.closed.captures import Captures, from_history
from sharedrange.population.closed.ghosts import singletons_test
from sharedrange.population.closed.settings import ClosedSettings
from sharedrange.population.closed.thin import have as closed_counts
from sharedrange.population.closed.thin import need as closed_needs
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
JUDGED = pl.Schema(
    {
        # One row a reason. `outcome` is what the reason alone allows, `verdict` the least of a question's reasons.
        "question": pl.String(),
        "verdict": pl.String(),  # yes | with_care | no
        "rule": pl.String(),
        "outcome": pl.String(),
        "have": pl.String(),
        "need": pl.String(),
        "source": pl.String(),
    }
)
_YEAR_DAYS = 365.0
_SEXES_KNOWN = 0.5  # share of animals of known sex below which a split by sex rests on the model more than on data
_OWN = "docs/engines/{}.md"
_EFFORD = "Efford and Boulanger 2019, Methods in Ecology and Evolution 10:1529-1535"
_DUPONT = "Dupont et al. 2019, Methods in Ecology and Evolution 10:661-672"
_SOLLMANN = "Sollmann et al. 2013, Biological Conservation 159:405-412"
_KARANTH = "Karanth and Nichols 1998, Ecology 79:2852-2862"
_JOHANSSON = "Johansson et al. 2020, Scientific Reports 10:6393"


class Verdict(StrEnum):
    """Whether a question may be asked of the data."""

    YES = "yes"
    WITH_CARE = "with_care"
    NO = "no"


_RANK = {Verdict.YES: 0, Verdict.WITH_CARE: 1, Verdict.NO: 2}


@dataclass(frozen=True, slots=True)
class SurveyFacts:
    """What a capture history does not tell.

    `occasion_days`: length of an occasion. `closed_days`: how long the species' numbers may be taken to stand still;
    90 days are usual for large cats. `left_only`, `right_only`: animals known from one flank; None where nobody
    looked. `sigma_m`: spatial scale of movement, if other studies know it; else it is guessed from the captures.
    """

    occasion_days: float = 1.0
    closed_days: float = 90.0
    left_only: int | None = None
    right_only: int | None = None
    sigma_m: float | None = None

    def __post_init__(self) -> None:
        for name in ("occasion_days", "closed_days"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)} (above 0)")
        if self.sigma_m is not None and not self.sigma_m > 0:
            raise ValueError(f"sigma_m: {self.sigma_m} (above 0)")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The settings of the engines that would be asked: what is too little for them is too little here."""

    scr: ScrSettings = field(default_factory=ScrSettings)
    closed: ClosedSettings = field(default_factory=ClosedSettings)
    occupancy: OccupancySettings = field(default_factory=OccupancySettings)


@dataclass(frozen=True, slots=True)
class Counts:
    """What there is, over all sessions; of places and occasions, the session with most."""

    individuals: int
    detections: int
    recaptures: int
    spatial_recaptures: int
    detectors: int  # that ran
    occasions: int
    days: float
    sites_found: int  # detectors that met the species
    sites_revisited: int  # detectors that ran on more than one occasion
    sexes_known: int
    camera_types: int  # kinds of cameras, the unrecorded one of them
    spacing_m: float | None  # median distance of a detector that ran to the nearest other
    sigma_m: float | None


@dataclass(frozen=True, slots=True)
class Reason:
    """A count against a rule. `finding` holds the words and the counts (``have``, ``need``), `source` the rule's."""

    outcome: Verdict
    finding: Finding
    source: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one question (an engine's name): the least that any of its reasons allows."""

    question: str
    reasons: tuple[Reason, ...]

    @property
    def verdict(self) -> Verdict:
        """Yes, with care or no."""
        return max((reason.outcome for reason in self.reasons), key=lambda v: _RANK[v], default=Verdict.YES)


@dataclass(frozen=True, slots=True)
class Fitness:
    """What the data can bear, question by question, the most telling first."""

    counts: Counts
    judgements: tuple[Judgement, ...]

    def __getitem__(self, question: str) -> Judgement:
        """The judgement on a question; KeyError if it was not judged."""
        for judgement in self.judgements:
            if judgement.question == question:
                return judgement
        raise KeyError(question)

    @property
    def possible(self) -> tuple[str, ...]:
        """The questions that may be asked, with care or without."""
        return tuple(j.question for j in self.judgements if j.verdict is not Verdict.NO)

    def table(self) -> pl.DataFrame:
        """One row a reason (schema JUDGED)."""
        rows = [
            (j.question, j.verdict, r.finding.rule, r.outcome, *(_cell(r, k) for k in ("have", "need")), r.source)
            for j in self.judgements
            for r in j.reasons
        ]
        return pl.DataFrame(rows, schema=JUDGED, orient="row")

    def text(self, words: Words) -> str:
        """The verdicts in the reader's language, with reasons and, where it is not a plain yes, what would help."""
        return "\n".join(line for judgement in self.judgements for line in _lines(judgement, words))


def _cell(reason: Reason, key: str) -> str | None:
    value = reason.finding.facts.get(key)
    return None if value is None else str(value)


def _lines(judgement: Judgement, words: Words) -> Iterator[str]:
    question = words(f"defensible.question.{judgement.question}")
    verdict = words(f"defensible.verdict.{judgement.verdict}")
    yield words("defensible.line", question=question, verdict=verdict)
    for reason in sorted(judgement.reasons, key=lambda r: -_RANK[r.outcome]):
        yield f"  - {words.fact(reason.finding)} [{reason.source}]"
        if reason.outcome is not Verdict.YES:
            yield f"    {words.remedy(reason.finding)}"


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


def count(histories: Sequence[CaptureHistory], facts: SurveyFacts = SurveyFacts()) -> Counts:
    """The counts that the verdicts stand on."""
    sexes = pl.concat([h.individuals["sex"] for h in histories])
    cameras = pl.concat([h.detectors["camera_type"].fill_null("") for h in histories])
    return Counts(
        individuals=sum(h.n_individuals for h in histories),
        detections=sum(h.n_detections for h in histories),
        recaptures=sum(h.n_recaptures for h in histories),
        spatial_recaptures=sum(h.n_spatial_recaptures for h in histories),
        detectors=max(int(_ran(h).sum()) for h in histories),
        occasions=max(h.effort.shape[1] for h in histories),
        days=max(h.effort.shape[1] for h in histories) * facts.occasion_days,
        sites_found=max(h.captures["detector"].n_unique() for h in histories),
        sites_revisited=max(int(((h.effort > 0).sum(axis=1) > 1).sum()) for h in histories),
        sexes_known=len(sexes) - sexes.null_count(),
        camera_types=cameras.n_unique(),
        spacing_m=_spacing_m(histories),
        sigma_m=facts.sigma_m or _sigma_m(histories),
    )


def _ran(history: CaptureHistory) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray(history.effort.sum(axis=1) > 0)


def _spacing_m(histories: Sequence[CaptureHistory]) -> float | None:
    """Median distance from a detector that ran to the nearest other, over sessions."""
    nearest = []
    for history in histories:
        at = history.detectors.select("x_m", "y_m").to_numpy()[_ran(history)]
        if len(at) > 1:
            distances, _ = KDTree(at).query(at, k=2)
            nearest += np.asarray(distances)[:, 1].tolist()
    return float(np.median(nearest)) if nearest else None


def _sigma_m(histories: Sequence[CaptureHistory]) -> float | None:
    """Pooled spread of each animal's captures about their centre (Calhoun and Casby 1958); None if nobody moved.

    It is cut short by an array that is small against the movement, so it is a guess for a rule of thumb only.
    """
    squares, free = 0.0, 0
    for history in histories:
        places = history.captures.join(history.detectors.select("detector", "x_m", "y_m"), on="detector")
        centred = places.with_columns(pl.col("x_m", "y_m") - pl.col("x_m", "y_m").mean().over("individual"))
        squares += float((centred["x_m"] ** 2 + centred["y_m"] ** 2).sum())
        free += places.height - places["individual"].n_unique()
    return float(np.sqrt(squares / (2 * free))) if squares > 0 else None


def _captures(histories: Sequence[CaptureHistory], settings: ClosedSettings) -> Captures | None:
    """The session with most recaptures without its places; None where no session has two occasions."""
    usable = []
    for history in histories:
        try:
            usable.append(from_history(history, most_occasions=settings.most_occasions))
        except InputError:
            continue
    return max(usable, key=lambda c: (c.n_recaptures, c.n), default=None)


# -- one question each -----------------------------------------------------------------------------------------------


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


# -- a count against a rule --------------------------------------------------------------------------------------------


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
