"""Which terms of the formulas the data can have, and which levels stand in for those with too few animals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from sharedrange.core.finding import Finding, Severity
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.population.formulas import Formula, parse
from sharedrange.population.open.design import Model
from sharedrange.population.open.settings import FORMULAS, OpenSettings

_FEWEST = 3  # animals that a level must have to be given a parameter of its own


@dataclass(frozen=True, slots=True)
class Levels:
    """Animals detected by sex, by detectors' party, by camera type, and by the side that they were detected on."""

    sex: Mapping[str, int]
    party: Mapping[str, int]
    camera_type: Mapping[str, int]
    side: Mapping[str, int]

    def usable(self, variable: str) -> tuple[str, ...]:
        """Levels with enough animals, the most frequent first; equal ones by name."""
        counted: Mapping[str, int] = getattr(self, variable)
        return tuple(sorted((k for k, n in counted.items() if n >= _FEWEST), key=lambda k: (-counted[k], k)))

    def pooled(self, variable: str) -> dict[str, str]:
        """Each level, or the most frequent level for those with too few animals."""
        usable = self.usable(variable)
        counted: Mapping[str, int] = getattr(self, variable)
        return {level: level if level in usable or not usable else usable[0] for level in counted}


def levels(histories: Sequence[CaptureHistory], mask: Mask) -> Levels:
    """Animals by level. Mask sides and parties without any animal are levels too, with 0."""
    seen = pl.concat([_seen(history, mask) for history in histories])
    parties = {str(p or ""): 0 for h in histories for p in h.detectors["party"]}
    cameras = {str(c or ""): 0 for h in histories for c in h.detectors["camera_type"]}
    sexes = pl.concat([h.individuals.select("individual", "sex") for h in histories]).drop_nulls().unique()
    return Levels(
        sex=Counter(sexes["sex"]),
        party=parties | _animals_by(seen, "party"),
        camera_type=cameras | _animals_by(seen, "camera_type"),
        side=dict.fromkeys((str(s) for s in np.unique(mask.side)), 0) | _animals_by(seen, "side"),
    )


def _seen(history: CaptureHistory, mask: Mask) -> pl.DataFrame:
    """Each animal's detections with party, camera type and side of the detector."""
    from scipy.spatial import cKDTree  # noqa: PLC0415  (kept out of start-up)

    places = history.detectors.select("x_m", "y_m").to_numpy()
    _, nearest = cKDTree(np.column_stack([mask.x_m, mask.y_m])).query(places)
    text = pl.col("party", "camera_type").cast(pl.String).fill_null("")
    detectors = history.detectors.select("detector", text).with_columns(
        pl.Series("side", mask.side[nearest].astype(str))
    )
    return history.captures.select("individual", "detector").join(detectors, on="detector")


def _animals_by(seen: pl.DataFrame, column: str) -> dict[str, int]:
    return dict(seen.group_by(column).agg(pl.col("individual").n_unique()).iter_rows())


def usable_model(
    settings: OpenSettings, histories: Sequence[CaptureHistory], mask: Mask
) -> tuple[Model, tuple[Finding, ...]]:
    """The model that is asked for without the terms that the data cannot have, and a note for each left out."""
    found = levels(histories, mask)
    formulas, notes = {}, list[Finding]()
    for name in FORMULAS:
        formula = parse(getattr(settings, name))
        for variable in sorted(formula.variables):
            if not _can_split(
                variable, found, histories, spatial=settings.spatial, per_year=name in ("lambda0", "sigma")
            ):
                formula = formula.without(variable)
                facts = {"parameter": name, "term": variable}
                notes.append(Finding("open-term-dropped", facts, severity=Severity.NOTE))
        formulas[name] = formula if formula.intercept or formula.terms else Formula()
    pooled = Model(formulas, settings.movement, settings.spatial, found.pooled("side"), found.pooled("party"))
    return pooled, tuple(notes)


def _can_split(
    variable: str, found: Levels, histories: Sequence[CaptureHistory], *, spatial: bool, per_year: bool
) -> bool:
    if variable in ("year", "t"):
        return len(histories) > (1 if per_year else 2)
    if variable in ("x", "y"):
        return spatial
    # without space there is one detector, nobody's, in one place
    return (spatial or variable == "sex") and len(found.usable(variable)) > 1
