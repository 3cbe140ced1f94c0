"""What a release is: tables that may leave, under which agreement, for whom, and what was left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

import polars as pl

from sharedrange.core.canonical import Json
from sharedrange.core.individuals import LocalIndividual
from sharedrange.core.release import next_period
from sharedrange.sharing.agreement import Agreement, Frame
from sharedrange.sharing.pseudonyms import Pseudonyms

TRUNCATED = {"day": "1d", "week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}  # as polars calls periods
_MAKER = object()  # only `release` has it


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of `release`: for whom, for which of the agreement's purposes, on which day."""

    recipient: str
    purpose: str
    on: date


@dataclass(frozen=True, slots=True)
class Under:
    """Under what a dataset leaves: the agreement, the names of things in it, and the day.

    `joint_ids`: animals that several parties know -> the joint id that they decided on; `known_to`: -> those parties,
    without the owner. `crossings_told`: tables CROSSINGS of the same dataset that left under the agreement before.
    """

    agreement: Agreement
    pseudonyms: Pseudonyms
    on: date
    joint_ids: Mapping[LocalIndividual, str] = field(default_factory=dict)
    known_to: Mapping[LocalIndividual, frozenset[str]] = field(default_factory=dict)
    crossings_told: Sequence[pl.DataFrame] = ()


@dataclass(frozen=True, slots=True)
class Withheld:
    """Something that did not leave, for the owner's eyes: the reason (a message id) and how many rows or columns.

    What a recipient is told of it is in the manifest, and depends on the agreement alone: a number of withheld
    tigers is news about tigers.
    """

    reason: str
    n: int
    what: str = ""


@dataclass(frozen=True, slots=True)
class Released:
    """Tables that may leave. Made by `release` and by nothing else; only these are sealed.

    `tables`: name -> table with exactly the columns of `core.release.TABLES`, sorted by pseudonyms; `manifest`: what
    a package says of them (agreement, rules, grid, generalisations); `withheld`: for the owner alone; `files`: the
    pictures that the table of pictures names.
    """

    tables: Mapping[str, pl.DataFrame]
    manifest: Mapping[str, Json]
    withheld: tuple[Withheld, ...] = field(default=(), compare=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    maker: object = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.maker is not _MAKER:
            raise TypeError("only sharing.release makes a Released")
        object.__setattr__(self, "tables", MappingProxyType(dict(self.tables)))

    def __reduce__(self) -> str:
        raise TypeError("a Released is sealed, not pickled")


def made(
    tables: Mapping[str, pl.DataFrame],
    manifest: Mapping[str, Json],
    withheld: tuple[Withheld, ...],
    files: Mapping[str, bytes],
) -> Released:
    """A Released. For `sharing.release.releasing` alone; a test looks for other callers."""
    return Released(tables, manifest, withheld, MappingProxyType(dict(files)), _MAKER)


def is_ready(frame: Frame, on: date) -> pl.Expr:
    """Whether a row's period ended long enough ago to leave on a day."""
    return pl.col("period").map_elements(
        lambda period: (on - next_period(period, frame.resolution)).days >= frame.delay_days, return_dtype=pl.Boolean
    )
