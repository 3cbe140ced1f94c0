"""The engine `population.doubt`: how many animals, when it is not certain who is who."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, MutableMapping
from concurrent.futures import Executor
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import polars as pl

from sharedrange.core.answer import Answer, Estimate
from sharedrange.core.engine import Engine
from sharedrange.core.errors import DidNotConverge, InputError
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.progress import Progress, part
from sharedrange.population.doubt.combining import Combined, combined
from sharedrange.population.doubt.drawing import Drawn, Refitting, draw
from sharedrange.population.doubt.merging import conflicting_places, merged, recorded_sexes
from sharedrange.population.doubt.partitions import Blocks, Doubts, Ghosts, share_together
from sharedrange.population.doubt.sources import with_ghosts, with_sexes
from sharedrange.population.doubt.weighing import SpatialWeights, plausible
from sharedrange.population.scr.engine import answer_of, wrong_in
from sharedrange.population.scr.fitting import Fit, fit_sessions, prepare_sessions
from sharedrange.population.scr.settings import ScrInputs, ScrSettings
from sharedrange.population.scr.thin import refusal

NAME = "population.doubt"
DECIDED, BY_EVIDENCE, DRAWN = "decided", "evidence", "evidence-and-places"

NUMBERS = pl.Schema(
    {
        # Every quantity as it comes out with all doubtful animals apart, drawn by evidence, drawn by places too.
        "quantity": pl.String(),
        "identity": pl.String(),  # decided | evidence | evidence-and-places
        "value": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "identity_share": pl.Float64(),  # share of the variance that doubt about identity causes
    }
)
PAIRS = pl.Schema(
    {"a": pl.String(), "b": pl.String(), "by_evidence": pl.Float64(), "by_evidence_and_places": pl.Float64()}
)
ANIMALS_DRAWN = pl.Schema({"animals": pl.Int64(), "share": pl.Float64()})


@dataclass(frozen=True, slots=True)
class DoubtInputs:
    """The inputs of `population.scr` with every animal that is in doubt a row of its own, and the doubts.

    Units of `doubts` are names of individuals in the histories; those that no history holds play no part.
    """

    spatial: ScrInputs
    doubts: Doubts


@dataclass(frozen=True, slots=True)
class DoubtSettings(ScrSettings):
    """The settings of `population.scr` and how partitions are drawn. See docs/engines/population.doubt.md."""

    draws: int = 40
    burn_in: int = 10
    missexed: float = 0.05
    mislabelled: float = 0.0

    def __post_init__(self) -> None:
        ScrSettings.__post_init__(self)
        if self.draws < 2 or self.burn_in < 0:
            raise ValueError("draws must be at least 2 and burn_in not negative")
        if not 0 < self.missexed <= 0.5:
            raise ValueError("missexed must lie above 0 and be at most 0.5")
        if not 0 <= self.mislabelled < 0.5:
            raise ValueError("mislabelled must be at least 0 (no ghosts) and below 0.5")

    def spatial(self) -> ScrSettings:
        """The settings of each fit; pooling is tested once, on the animals as decided."""
        return ScrSettings(**{f.name: getattr(self, f.name) for f in fields(ScrSettings)})


def answer(
    inputs: DoubtInputs,
    settings: DoubtSettings,
    *,
    rng: np.random.Generator,
    progress: Progress,
    executor: Executor | None,  # noqa: ARG001  (each draw needs the one before)
    checkpoint: MutableMapping[str, Any],
) -> Answer:
    """How many animals live on each side, over all that may be true about who is who.

    A refusal if the data are too thin. Raises InputError (all findings), DidNotConverge, Cancelled.
    """
    spatial = settings.spatial()
    wrong = list(wrong_in(inputs.spatial, spatial))
    if wrong:
        raise InputError(wrong)
    declined = refusal(inputs.spatial.histories, spatial)
    if declined:
        progress(1.0)
        return Answer(refusal=declined)
    model = spatial.model(inputs.spatial.report_sides)
    sessions, detection = prepare_sessions(inputs.spatial.histories, inputs.spatial.masks, model)
    first = fit_sessions(
        sessions,
        detection,
        model,
        inputs.spatial.covariates,
        progress=part(progress, 0.0, 0.1),
        checkpoint=checkpoint,
    )
    return _Imputation(inputs, settings, first).answer(rng, part(progress, 0.1, 1.0))


class _Imputation:
    """The draws of one question and what is said from them."""

    def __init__(self, inputs: DoubtInputs, settings: DoubtSettings, first: Fit) -> None:
        self.inputs = inputs.spatial
        self.settings = settings
        self.first = first
        here = _doubts_here(inputs, settings, sex_in_model=first.design.model.by_sex)
        self.doubts = plausible(here, SpatialWeights(first, self.inputs.histories, here)) if here.units else here
        self.refit = Refitting(first, self.inputs.histories, self.doubts.separate())
        self._said: dict[Blocks, Answer] = {}

    def answer(self, rng: np.random.Generator, progress: Progress) -> Answer:
        """Everything, from the first fit on."""
        decided = self._answer_of(self.doubts.separate(), self.first)
        if not self.doubts.units:
            progress(1.0)
            return _without_doubt(decided)
        weights = SpatialWeights(self.first, self.inputs.histories, self.doubts)
        n = {"draws": self.settings.draws, "burn_in": self.settings.burn_in}
        drawn = draw(self.doubts, self.refit, weights, **n, rng=rng, progress=part(progress, 0.0, 0.5))
        judged = replace(self.doubts, ghosts=Ghosts())  # only places tell a ghost
        plain = draw(judged, self.refit, None, **n, rng=rng, progress=part(progress, 0.5, 0.8))
        if not drawn.fitted() or not plain.fitted():
            raise DidNotConverge(Finding("doubt-no-fit", {"draws": self.settings.draws}))
        result = self._combined(decided, drawn, plain, progress)
        progress(1.0)
        return result

    def _answer_of(self, blocks: Blocks, fit: Fit) -> Answer:
        """What the fit of one partition says."""
        if blocks not in self._said:
            histories = tuple(merged(history, blocks) for history in self.inputs.histories)
            self._said[blocks] = answer_of(replace(self.inputs, histories=histories), self.settings.spatial(), fit)
        return self._said[blocks]

    def _combined(self, decided: Answer, drawn: Drawn, plain: Drawn, progress: Progress) -> Answer:
        by_places = list(combined([self._answer_of(*found) for found in drawn.fitted()]))
        progress(0.9)
        by_evidence = list(combined([self._answer_of(*found) for found in plain.fitted()]))
        likeliest = self._answer_of(*_most_drawn(drawn))
        numbers = [
            *_rows(DECIDED, [(e, None) for e in decided.estimates]),
            *_rows(BY_EVIDENCE, by_evidence),
            *_rows(DRAWN, by_places),
        ]
        tables = {
            **likeliest.tables,
            "identity": _table_of(numbers),
            "pairs": self._pairs(drawn, plain),
            "animals_drawn": self._animals_drawn(drawn),
        }
        return Answer(
            estimates=tuple(estimate for estimate, _ in by_places),
            parameters=likeliest.parameters,
            covariance=likeliest.covariance,
            tables=tables,
            findings=(*likeliest.findings, *self._notes(by_places, drawn, plain)),
        )

    def _pairs(self, drawn: Drawn, plain: Drawn) -> pl.DataFrame:
        rows = [
            (min(pair), max(pair), share_together(plain.partitions, pair), share_together(drawn.partitions, pair))
            for pair in self.doubts.open_pairs
        ]
        return pl.DataFrame(rows, schema=PAIRS, orient="row")

    def _animals_drawn(self, drawn: Drawn) -> pl.DataFrame:
        """How many animals the doubtful ones are together, and how often."""
        counted = Counter(len(blocks) for blocks in drawn.partitions)
        rows = [(n, times / len(drawn.partitions)) for n, times in sorted(counted.items())]
        return pl.DataFrame(rows, schema=ANIMALS_DRAWN, orient="row")

    def _notes(self, numbers: list[tuple[Estimate, Combined | None]], drawn: Drawn, plain: Drawn) -> Iterator[Finding]:
        share = next((made.identity_share for e, made in numbers if e.quantity == "N" and made is not None), 0.0)
        few, many = (f(len(blocks) for blocks in drawn.partitions) for f in (min, max))
        facts: dict[str, Fact] = {
            "units": len(self.doubts.units),
            "pairs": len(self.doubts.open_pairs),
            "fewest": few,
            "most": many,
            "percent": round(100 * share),
        }
        yield Finding("doubt-share", facts, severity=Severity.NOTE)
        lost = sum(len(d.partitions) - len(d.fitted()) for d in (drawn, plain))
        if lost:
            asked = len(drawn.partitions) + len(plain.partitions)
            yield Finding("doubt-draws-lost", {"lost": lost, "draws": asked}, severity=Severity.WARNING)


def _doubts_here(inputs: DoubtInputs, settings: DoubtSettings, *, sex_in_model: bool) -> Doubts:
    """The doubts about animals that the histories hold, with what sexes and places say beforehand."""
    histories = inputs.spatial.histories
    caught = {who for history in histories for who in history.individuals["individual"]}
    pairs = tuple(p for p in inputs.doubts.pairs if p.pair <= caught)
    here = Doubts(pairs, inputs.doubts.apart | conflicting_places(histories))
    if settings.mislabelled > 0:
        here = with_ghosts(here, histories, settings.mislabelled)
    return with_sexes(here, recorded_sexes(histories), settings.missexed, sex_in_model=sex_in_model)


def _without_doubt(decided: Answer) -> Answer:
    """The answer where nobody is in doubt."""
    tables = {
        **decided.tables,
        "identity": _table_of(_rows(DECIDED, [(e, None) for e in decided.estimates])),
        "pairs": pl.DataFrame(schema=PAIRS),
        "animals_drawn": pl.DataFrame(schema=ANIMALS_DRAWN),
    }
    note = Finding("doubt-none", severity=Severity.NOTE)
    return replace(decided, tables=tables, findings=(*decided.findings, note))


def _table_of(rows: Iterable[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=NUMBERS, orient="row")


def _most_drawn(drawn: Drawn) -> tuple[Blocks, Fit]:
    times = Counter(drawn.partitions)
    return max(drawn.fitted(), key=lambda found: times[found[0]])


def _rows(identity: str, numbers: list[tuple[Estimate, Combined | None]]) -> Iterator[tuple[object, ...]]:
    for estimate, made in numbers:
        share = None if made is None else made.identity_share
        yield (estimate.quantity, identity, estimate.value, estimate.low, estimate.high, share)


ENGINE = Engine(NAME, 1, DoubtSettings, DoubtInputs, answer)
