"""What an engine says: estimates with their scope, or a refusal with what can be said instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Self

from sharedrange.core.finding import Fact, Finding

if TYPE_CHECKING:
    import polars as pl

LISTED = "listed"  # a count of known animals: never confused with an estimate
ESTIMATED = "estimated"


class UnlikeEstimates(ValueError):
    """Estimates of unlike scope were added."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a number is about. Two estimates may be added only if nothing but the place differs."""

    taxon: str = ""
    stage: str = ""
    sex: str = ""
    place: str = ""
    period: str = ""
    method: str = ""
    kind: str = ESTIMATED


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval, unit, scope and the step that produced it.

    `low` and `high` bound the interval at `level` (None for a plain count). `unit` is a code such as
    ``animals``, ``per_100km2``, ``m``, ``share``. `step` is filled in when the answer enters the ledger;
    the number's id is then ``<step>/<quantity>``.
    """

    quantity: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    se: float | None = None
    level: float = 0.95
    scope: Scope = Scope()
    audience: str = ""
    step: str = ""

    @property
    def id(self) -> str:
        """The number's id, for `sharedrange trace` and for links in a report."""
        return f"{self.step}/{self.quantity}"

    @property
    def is_count(self) -> bool:
        """Whether this is a list's count rather than an estimate."""
        return self.scope.kind == LISTED

    def __add__(self, other: Self) -> Estimate:
        """The sum of two numbers of one scope in two places; the interval is not carried over.

        Raises UnlikeEstimates if unit, taxon, stage, sex, period, method or kind differ, or the place does not.
        """
        unlike = [
            f.name
            for f in fields(Scope)
            if f.name != "place" and getattr(self.scope, f.name) != getattr(other.scope, f.name)
        ]
        unlike += ["unit"] if self.unit != other.unit else []
        unlike += ["place"] if self.scope.place == other.scope.place else []
        if unlike:
            raise UnlikeEstimates(f"{self.quantity} + {other.quantity}: unlike {', '.join(unlike)}")
        place = f"{self.scope.place} + {other.scope.place}"
        return Estimate(
            f"{self.quantity}+{other.quantity}",
            self.value + other.value,
            self.unit,
            scope=replace(self.scope, place=place),
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a question is declined: what is there, what would be enough, what can be said instead.

    `have` and `need` share their keys; `instead` names engines that can answer from the same data.
    """

    question: str
    have: Mapping[str, Fact]
    need: Mapping[str, Fact]
    instead: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def is_without_data(self) -> bool:
        """Whether nothing at all is there to answer from: not thin data, but none."""
        return dict(self.have) == {"deliveries": 0}

    def __str__(self) -> str:
        gaps = ", ".join(f"{k} {self.have.get(k)} (needs {v})" for k, v in self.need.items())
        return f"{self.question}: not enough data: {gaps}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine returns: estimates, tables, what is worth knowing; or a refusal and no estimates.

    `covariance` holds the variance-covariance matrix of `parameters` on the link scale, row by row.
    `tables` hold polars tables by name: density surfaces, per-animal probabilities, model comparisons.
    """

    estimates: tuple[Estimate, ...] = ()
    parameters: tuple[str, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    refusal: Refusal | None = None

    def __getitem__(self, quantity: str) -> Estimate:
        """The estimate of `quantity`; KeyError if there is none."""
        for estimate in self.estimates:
            if estimate.quantity == quantity:
                return estimate
        raise KeyError(quantity)

    def __contains__(self, quantity: str) -> bool:
        return any(e.quantity == quantity for e in self.estimates)

    def at(self, step: str) -> Answer:
        """The same answer with `step` written on every estimate."""
        return replace(self, estimates=tuple(replace(e, step=step) for e in self.estimates))

    def seen_by(self, audience: str) -> Answer:
        """The same answer with those who may see it written on every estimate."""
        return replace(self, estimates=tuple(replace(e, audience=audience) for e in self.estimates))
