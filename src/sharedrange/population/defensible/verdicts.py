"""Verdicts with their reasons, as a table and in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from sharedrange.core.finding import Finding
from sharedrange.core.words import Words
from sharedrange.population.defensible.counts import Counts

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


class Verdict(StrEnum):
    """Whether a question may be asked of the data."""

    YES = "yes"
    WITH_CARE = "with_care"
    NO = "no"


_RANK = {Verdict.YES: 0, Verdict.WITH_CARE: 1, Verdict.NO: 2}


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
