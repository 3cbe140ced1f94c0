"""A number that somebody would like to tell, under which agreements it stands, and what is decided about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from sharedrange.core.answer import Estimate
from sharedrange.sharing.agreement import Agreement
from sharedrange.sharing.release import Standing

DIGITS = 3  # of what is estimated: with all its digits a number could be told from any other run of the same model

NUMBERS = pl.Schema(
    {
        # One row a number that was told. Counts are whole; what is estimated has three digits.
        "question": pl.String(),
        "quantity": pl.String(),
        "value": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "se": pl.Float64(),
        "level": pl.Float64(),
        "unit": pl.String(),
        "taxon": pl.String(),
        "stage": pl.String(),
        "sex": pl.String(),
        "place": pl.String(),
        "period": pl.String(),
        "method": pl.String(),
        "kind": pl.String(),
    }
)


@dataclass(frozen=True, slots=True)
class Basis:
    """An agreement under which some of the data behind a number came, and how it stands."""

    agreement: Agreement
    standing: Standing


@dataclass(frozen=True, slots=True)
class Number:
    """A number of an answer, and what it is made from.

    `estimate`: as it would be told (`as_told`). `side`: the party whose side or data it is about; empty for all
    together. `behind`: how many animals (sites of occupancy, detections of a rate) it rests on; None: nobody knows.
    `of_one`: in a list, the largest part of it that one party knows already and can subtract:
    whoever reads, the parties do too. `under`: ids of the agreements
    of all packages behind it; `is_agreed`: whether everything that others delivered came under an agreement.
    `sources`: what it is made from, to know which numbers could be subtracted from each other.
    """

    question: str
    estimate: Estimate
    kind: str | None
    side: str = ""
    behind: int | None = None
    of_one: float = 0.0
    under: frozenset[str] = frozenset()
    is_agreed: bool = True
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Asked:
    """To whom (a party, or ``public``), for which purpose, on which day."""

    reader: str
    purpose: str
    on: date


@dataclass(frozen=True, slots=True)
class Told:
    """A number that was told before, to whomever: what one reader knows another may hear."""

    on: date
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a number may be told; `reasons` why not (message ids), with the agreements that say so."""

    number: Number
    reasons: tuple[str, ...] = ()
    agreements: tuple[str, ...] = ()

    @property
    def may(self) -> bool:
        """Whether it may be told."""
        return not self.reasons


def as_told(estimate: Estimate) -> Estimate:
    """A number as it is told: three digits where it is estimated, no step, and no word that an owner typed.

    Examples
    --------
    >>> n = Estimate("N", 73.3752, "animals", 59.3505, 90.714, step="a1b2")
    >>> (told := as_told(n)).value, told.low, told.high, told.step
    (73.4, 59.4, 90.7, '')
    """
    method = estimate.scope.method.partition(":")[0]  # behind a colon stands which cameras
    scope = replace(estimate.scope, method=method)
    bare = replace(estimate, scope=scope, step="", audience="")
    if bare.is_count:
        return bare
    low, high, se = (None if part is None else _short(part) for part in (bare.low, bare.high, bare.se))
    return replace(bare, value=_short(bare.value), low=low, high=high, se=se)


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
