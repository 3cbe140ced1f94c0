"""Capture histories of animals that may be one: two rows put together into one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations

import polars as pl

from sharedrange.core.history import CAPTURES, INDIVIDUALS, CaptureHistory
from sharedrange.core.survey import SEXES, conform
from sharedrange.population.doubt.partitions import Block, Blocks

ONE_PLACE_AN_OCCASION = ("multi", "single")  # detectors that hold an animal for the whole occasion


def name_of(block: Block) -> str:
    """The name of the animal that a block is: its first unit's."""
    return min(block)


def merged(history: CaptureHistory, blocks: Blocks) -> CaptureHistory:
    """`history` with the units of each block as one animal; all other animals as they are.

    Binary detections of one cell stay one; counts are added, since a passage that showed both animals' flanks would
    have told that they are one. Sex is kept where all that is known agrees, else unknown; stage likewise.
    """
    name = {unit: name_of(block) for block in blocks for unit in block}
    return relabelled(history, name)


def relabelled(history: CaptureHistory, name: Mapping[str, str]) -> CaptureHistory:
    """`history` with new names of individuals; rows that get one name become one animal."""
    old = history.individuals["individual"]
    new = [name.get(who, who) for who in old]
    return _renamed(history, pl.DataFrame({"individual": old, "block": pl.Series(new, dtype=pl.String)}))


def as_animals(history: CaptureHistory, blocks: Iterable[Block]) -> CaptureHistory:
    """A history with one animal a block (which may share units); blocks that were not caught are left out.

    Not data: what the likelihood is asked about each block. Animals are named by `key_of`.
    """
    rows = [(unit, key_of(block)) for block in blocks for unit in block]
    return _renamed(history, pl.DataFrame(rows, schema={"individual": pl.String, "block": pl.String}, orient="row"))


def key_of(block: Block) -> str:
    """A name for a block that no other block has."""
    return "\n".join(sorted(block))


def _renamed(history: CaptureHistory, names: pl.DataFrame) -> CaptureHistory:
    """`history` with every individual under each name that `names` (columns individual, block) gives it."""
    count = pl.col("count").sum() if history.kind == "count" else pl.col("count").max()
    captures = _under(history.captures, names).group_by("individual", "detector", "occasion").agg(count)
    people = _under(history.individuals, names).group_by("individual", maintain_order=True).agg(*_agreed())
    return replace(
        history,
        individuals=conform(people, INDIVIDUALS),
        captures=conform(captures, CAPTURES).sort("individual", "detector", "occasion"),
    )


def _under(rows: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    joined = rows.join(names, on="individual", how="inner", maintain_order="left")
    return joined.drop("individual").rename({"block": "individual"})


def _agreed() -> Iterator[pl.Expr]:
    """Sex and life stage where all rows that have one agree, else null."""
    for column in ("sex", "life_stage"):
        known = pl.col(column).drop_nulls()
        yield pl.when(known.n_unique() == 1).then(known.first()).alias(column)


def recorded_sexes(histories: Iterable[CaptureHistory]) -> dict[str, str]:
    """The sex of every animal that has one on record."""
    known = pl.concat([h.individuals.select("individual", "sex") for h in histories])
    return dict(known.filter(pl.col("sex").is_in(SEXES)).unique("individual", keep="first").iter_rows())


def conflicting_places(histories: Iterable[CaptureHistory]) -> frozenset[Block]:
    """Pairs that traps held at two places in one occasion: they cannot be one animal."""
    return frozenset(pair for h in histories if h.kind in ONE_PLACE_AN_OCCASION for pair in _held_at_once(h))


def _held_at_once(history: CaptureHistory) -> Iterator[Block]:
    for _, held in history.captures.group_by("occasion"):
        rows = sorted(set(held.select("individual", "detector").iter_rows()))
        for (a, at), (b, there) in combinations(rows, 2):
            if a != b and at != there:
                yield frozenset((a, b))
