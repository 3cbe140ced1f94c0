"""What really is there, kept apart from what the parties deliver."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import polars as pl

from sharedrange.core.individuals import Concordance, Link, LocalIndividual, Partition, Verdict

CODES = pl.Schema(
    {
        "party": pl.String(),
        "catalogue": pl.String(),
        "code": pl.String(),
        "taxon": pl.String(),
        "animal": pl.String(),  # the animal that the code was made for
        "flanks": pl.String(),  # left, right or both: what the photographs under this code show
        "ghost": pl.Boolean(),  # a second code, made by mistake
    }
)
LABELS = pl.Schema(
    {
        "party": pl.String(),
        "dataset": pl.String(),
        "observation": pl.String(),
        "animal": pl.String(),
        "code": pl.String(),
        "wrong": pl.String(),  # "", ghost or swapped
    }
)
NUMBERS = pl.Schema(
    {
        "taxon": pl.String(),
        "side": pl.String(),
        "life_stage": pl.String(),
        "animals": pl.Int64(),
        "expected": pl.Float64(),  # of the process that the animals were drawn from; adults only
    }
)


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth behind a simulation, as tables with the schemas ANIMALS, CODES, LABELS and NUMBERS.

    `animals`: every animal with its activity centre, in metres of the design's projection; `codes`: every
    code of every catalogue and whose it is; `labels`: which animal each photograph shows; `numbers`: how
    many animals have their centre on each side.
    """

    animals: pl.DataFrame
    codes: pl.DataFrame
    labels: pl.DataFrame
    numbers: pl.DataFrame

    def number(self, taxon: str, side: str | None = None, life_stage: str = "adult") -> int:
        """Animals of a stage with their activity centre on a side, or on all sides."""
        return int(self._numbers(taxon, side, life_stage)["animals"].sum())

    def expected(self, taxon: str, side: str | None = None) -> float:
        """Adults that the process expects on a side, or on all sides."""
        return float(self._numbers(taxon, side, "adult")["expected"].sum())

    def _numbers(self, taxon: str, side: str | None, life_stage: str) -> pl.DataFrame:
        about = self.numbers.filter((pl.col("taxon") == taxon) & (pl.col("life_stage") == life_stage))
        return about if side is None else about.filter(pl.col("side") == side)

    def partition(self) -> Partition:
        """Every code, ghosts too, under the animal that it was made for: what nobody can know."""
        groups: dict[str, list[LocalIndividual]] = {}
        for row in self.codes.sort("animal", "party", "code").iter_rows(named=True):
            groups.setdefault(row["animal"], []).append(_local(row))
        return Partition({animal: tuple(members) for animal, members in groups.items()})

    def concordance(self) -> Concordance:
        """What careful people of all sides could know: one link for each pair of codes of one animal.

        Pairs without a flank in common cannot be compared; ghosts are not known to be ghosts and stay alone.
        """
        links: list[Link] = []
        for _, codes in (
            self.codes.filter(~pl.col("ghost")).sort("party", "code").group_by("animal", maintain_order=True)
        ):
            links += [_link(a, b) for a, b in combinations(codes.iter_rows(named=True), 2)]
        return Concordance(tuple(sorted(links, key=lambda link: (link.a, link.b))))


def comparable(flanks_a: str, flanks_b: str) -> bool:
    """Whether photographs of two codes show a flank in common."""
    return flanks_a == flanks_b or "both" in (flanks_a, flanks_b)


def _local(code: dict[str, object]) -> LocalIndividual:
    return LocalIndividual(str(code["party"]), str(code["catalogue"]), str(code["code"]))


def _link(a: dict[str, object], b: dict[str, object]) -> Link:
    same = comparable(str(a["flanks"]), str(b["flanks"]))
    return Link(_local(a), _local(b), Verdict.SAME if same else Verdict.CANNOT_COMPARE)
