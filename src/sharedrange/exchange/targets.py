"""The tables that a door may fill: their columns, what is needed, which words they take.

One `Target` a table of `core.survey` and `core.contents`, so that a mapping file, a count sheet and a track table are
checked by the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from sharedrange.core.contents import (
    ALLELES,
    COUNT_METHODS,
    COUNTS,
    FIXES,
    PATROL_OBSERVATIONS,
    PATROLS,
    SAMPLES,
    VISITS,
)
from sharedrange.core.survey import (
    DEPLOYMENTS,
    DETECTORS,
    EFFORT,
    FLANKS,
    GAP_REASONS,
    LIFE_STAGES,
    MEDIA,
    OBSERVATIONS,
    SEXES,
)
from sharedrange.exchange.tables import Column, Kind

TYPES = ("animal", "human", "vehicle", "blank", "unknown", "unclassified")
EXACTNESS = ("exact", "estimate", "minimum")
SIGNS = ("track", "scat", "scrape", "hair", "kill")
EFFORT_UNITS = ("minutes", "km", "station_days")
WORDS: Mapping[str, tuple[str, ...]] = {
    "detector": DETECTORS,
    "reason": GAP_REASONS,
    "type": TYPES,
    "life_stage": LIFE_STAGES,
    "sex": SEXES,
    "flank": FLANKS,
    "method": COUNT_METHODS,
    "effort_unit": EFFORT_UNITS,
    "exactness": EXACTNESS,
    "sign": SIGNS,
}
"""Column -> the words that it takes, in every table that has it."""
FLAGS: Mapping[str, str] = {
    **dict.fromkeys(("1", "yes", "y", "да", "是", "はい", "예", "тийм"), "true"),
    **dict.fromkeys(("0", "no", "n", "нет", "否", "いいえ", "아니오", "үгүй"), "false"),
}
"""How people write yes and no, beside ``true`` and ``false``."""
_PRIVATE = ("x", "y")
_LIMITS: Mapping[str, tuple[float, float | None]] = {
    **dict.fromkeys(("count", "effort", "observers", "people", "distance_km", "hours", "uncertainty_m"), (0, None)),
    "cover_share": (0, 1),
}


@dataclass(frozen=True, slots=True)
class Target:
    """One table of ours. `needed`: columns that every row must have; `key`: columns that no two rows share.

    `own`: columns of `schema` that a door fills itself (the text of a time, session and occasion, the effort of a gap).
    """

    name: str
    schema: pl.Schema
    needed: tuple[str, ...]
    key: tuple[str, ...]
    own: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that files may fill, as `tables.typed` reads them."""
        return tuple(
            _column(name, dtype, required=name in self.needed)
            for name, dtype in self.schema.items()
            if name not in self.own
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that files may fill."""
        return tuple(column.name for column in self.columns)

    def kind(self, column: str) -> Kind:
        """What one of the columns holds."""
        return _kind(column, self.schema[column])


def _column(name: str, dtype: pl.DataType, *, required: bool) -> Column:
    low, high = _LIMITS.get(name, (None, None))
    words = {word: word for word in WORDS.get(name, ())}
    return Column(name, _kind(name, dtype), required, words, low, high, private=name in _PRIVATE)


def _kind(name: str, dtype: pl.DataType) -> Kind:
    if name in WORDS:
        return "word"
    kinds: dict[object, Kind] = {pl.Float64: "number", pl.Int32: "whole", pl.Boolean: "flag", pl.Datetime: "time"}
    return kinds.get(dtype.base_type(), "text")


_OBSERVATION_OWN = ("start_text", "session", "occasion")
TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target("deployments", DEPLOYMENTS, ("deployment", "x", "y", "start", "end"), ("deployment",)),
        Target(
            "observations", OBSERVATIONS, ("observation", "deployment", "start"), ("observation",), _OBSERVATION_OWN
        ),
        Target("media", MEDIA, ("media", "path", "deployment", "taken"), ("media",), ("taken_text",)),
        Target("effort", EFFORT, ("deployment", "start", "end"), (), ("session", "occasion", "effort")),
        Target("visits", VISITS, ("visit", "site", "start", "method"), ("visit",), ("start_text",)),
        Target("counts", COUNTS, ("visit", "taxon"), ("visit", "taxon", "sign", "life_stage", "sex")),
        Target("fixes", FIXES, ("animal", "at", "x", "y"), (), ("at_text",)),
        Target("samples", SAMPLES, ("sample",), ("sample",), ("taken_text",)),
        Target("alleles", ALLELES, ("sample", "locus"), ("sample", "locus")),
        Target("patrols", PATROLS, ("patrol", "start"), ("patrol",), ("start_text",)),
        Target(
            "patrol_observations",
            PATROL_OBSERVATIONS,
            ("observation", "at", "x", "y", "category"),
            ("observation",),
            ("at_text",),
        ),
    )
}
