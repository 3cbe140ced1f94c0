"""What an assessment found: the results that the report, the data products and the terminal all print from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import polars as pl

from sharedrange.assessment.programme import Programme, Question
from sharedrange.core.answer import Answer, Estimate
from sharedrange.core.finding import Finding, Severity
from sharedrange.core.ledger import Ledger


class Convention(StrEnum):
    """How a party that looks at its own data alone treats the border.

    clipped: the mask ends at the border; own: the mask crosses it, only the own side's N is counted;
    whole: the mask crosses it and all of it is counted.
    """

    CLIPPED = "clipped"
    OWN = "own"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class AloneSum:
    """The parties' own numbers under one convention, and their sum, beside the joint number.

    `parts` has one estimate a party (missing where the party's data were refused); `excess_pct` is how far
    the sum lies above the joint estimate.
    """

    convention: Convention
    parts: Mapping[str, Estimate]
    total: Estimate | None
    excess_pct: float | None


@dataclass(frozen=True, slots=True)
class JointSheet:
    """Alone against together. Lists (`lists`) and estimates (`sums`, `joint`) are kept apart.

    `lists` quantities: ``known.<party>``, ``shared``, ``minimum_number``, ``naive_sum``, ``overcount``
    (percent), each also per stage as ``<quantity>.<stage>``. `joint` is the joint fit's answer.
    `bought`: what sharing bought: ``answer`` (a party alone had none), ``bias``, ``precision``, ``both`` or
    ``little``; empty if nobody was alone or the joint fit gave no number. `facts` behind it:
    ``excess_pct.<convention>``, ``interval_ratio.<party>`` (log width alone over together).

    `total` is the quantity that is compared: the number, or of several years that of the last (``N.2025``).
    `survival`: what each party alone says of annual survival under a convention; empty where nothing is said of it.
    """

    lists: Answer
    sums: tuple[AloneSum, ...] = ()
    joint: Answer | None = None
    bought: str = ""
    facts: Mapping[str, float] = field(default_factory=dict)
    total: str = "N"
    survival: Mapping[Convention, Mapping[str, Estimate]] = field(default_factory=dict)

    @property
    def number(self) -> Estimate | None:
        """The joint number that the sums are compared with."""
        return self.joint[self.total] if self.joint is not None and self.total in self.joint else None

    def of_side(self, party: str) -> Estimate | None:
        """The joint fit's number on a party's side."""
        name = f"{self.total}.{party}"
        return self.joint[name] if self.joint is not None and name in self.joint else None

    @property
    def year(self) -> str:
        """The year of the numbers compared; empty where there is only one time."""
        return self.total.partition(".")[2]


def last_year(answer: Answer) -> str:
    """The last of the years that an answer has a number of animals for; empty if there is none."""
    named = (e.quantity.split(".") for e in answer.estimates)
    return next(iter(sorted((parts[1] for parts in named if parts[0] == "N" and len(parts) == 2), reverse=True)), "")


@dataclass(frozen=True, slots=True)
class Result:
    """One question answered. `answers` by name: the main one is ``answer``; the others stand behind the sheet.

    `parties`: whose data it is answered from; for whom else nothing is said.
    """

    question: Question
    step: str
    answers: Mapping[str, Answer]
    sheet: JointSheet | None = None
    parties: tuple[str, ...] = ()

    @property
    def answer(self) -> Answer:
        """The main answer."""
        return self.answers["answer"]

    @property
    def told(self) -> Mapping[str, Answer]:
        """The answers that a reader is told about.

        Detection rates beside a number that was given are not, nor are lists where no sheet compares them with it.
        """
        spare = set() if self.answer.refusal is not None else {"rates"} if self.sheet else {"rates", "lists"}
        return {name: answer for name, answer in self.answers.items() if name not in spare}


HEALTH = pl.Schema(
    {
        # One row a delivery: what there is to work with. No positions.
        "party": pl.String,
        "dataset": pl.String,
        "format": pl.String,
        "source": pl.String,
        "stations": pl.Int64,
        "run_days": pl.Float64,  # watched, gaps taken off; occasions in undated surveys
        "gap_days": pl.Float64,
        "gap_reasons": pl.String,  # "snow 120, theft 31"
        "observations": pl.Int64,
        "individuals": pl.Int64,
        "first_day": pl.String,
        "last_day": pl.String,
        "warnings": pl.Int64,
    }
)
CELLS = pl.Schema(
    {
        # Effort and detections in map cells of at least 10 km (100 m in a local frame): never positions.
        "component": pl.String,
        "species": pl.String,
        "party": pl.String,
        "x": pl.Float64,  # cell centre, degrees or local metres
        "y": pl.Float64,
        "cell_m": pl.Float64,
        "run_days": pl.Float64,
        "detections": pl.Int64,
        "individuals": pl.Int64,
    }
)


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything one run of `assess` found. `node_party` is whose node this is.

    `audience`: the parties that may see all that it is made from, told where some of that came from others; `reader`:
    for whom it is made, where that is not the node's own party.
    """

    node_party: str
    programme: Programme
    results: tuple[Result, ...]
    ledger: Ledger
    health: pl.DataFrame
    cells: pl.DataFrame
    findings: tuple[Finding, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    audience: tuple[str, ...] = ()
    reader: str = ""

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """What is worth knowing about deliveries, programme and answers, each once, the heaviest first.

        What concerns only the fits of a party alone is left out: they stand beside the answer to be compared
        with it, and a mask cut at the border must look too small.
        """
        told = [item for result in self.results for item in result.told.items()]
        answers = [answer for name, answer in told if not name.startswith("alone.")]
        about = [finding for answer in answers for finding in answer.findings]
        refused = [finding for answer in answers if answer.refusal for finding in answer.refusal.findings]
        weight = list(Severity).index
        return tuple(sorted(dict.fromkeys([*self.findings, *about, *refused]), key=lambda f: weight(f.severity)))

    @property
    def unanswered(self) -> tuple[Result, ...]:
        """The questions that have neither a number nor a refusal: the computation failed, and its findings say how."""
        return tuple(r for r in self.results if r.answer.refusal is None and not r.answer.estimates)

    def estimate(self, number_id: str) -> Estimate:
        """The estimate with the id ``<step>/<quantity>``. Raises KeyError if there is none."""
        for result in self.results:
            for answer in result.answers.values():
                for estimate in answer.estimates:
                    if estimate.id == number_id:
                        return estimate
        raise KeyError(number_id)
