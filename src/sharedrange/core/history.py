"""Capture histories: who was caught where and when, beside the effort that was there to catch them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ENCOUNTERS = pl.Schema(
    {
        # One row a burst of one animal at one deployment: what counting and estimation start from.
        "party": pl.String,
        "catalogue": pl.String,
        "code": pl.String,
        "individual": pl.String,  # joint individual, from a Partition
        "taxon": pl.String,
        "session": pl.String,
        "occasion": pl.Int32,  # 1, 2, ... in the session
        "deployment": pl.String,  # party/dataset/verbatim id
        "count": pl.Int32,
        "sex": pl.String,
        "life_stage": pl.String,
        "flank": pl.String,
    }
)
INDIVIDUALS = pl.Schema({"individual": pl.String, "sex": pl.String, "life_stage": pl.String})
DETECTORS = pl.Schema(
    {"detector": pl.String, "party": pl.String, "camera_type": pl.String, "x_m": pl.Float64, "y_m": pl.Float64}
)
CAPTURES = pl.Schema({"individual": pl.String, "detector": pl.String, "occasion": pl.Int32, "count": pl.Int32})


@dataclass(frozen=True, slots=True)
class CaptureHistory:
    """Individuals x detectors x occasions of one session (secr's capthist), sparse.

    `kind` is ``proximity`` (at most one detection per animal, detector and occasion), ``count``, ``multi`` (traps that
    hold the animal and have room for others) or ``single`` (traps with room for one).
    `detectors` (J rows), `individuals` (n rows; sex null where unknown) and `captures` (one row a cell that
    is not zero; occasion from 1) have the schemas above; `individuals` may have a column ``removed_after``, the last
    occasion on which an animal that died or was taken away was there (null: it stayed). `effort` has shape (J, K):
    0 where a detector did not run, 1 for a full occasion. Positions are metres in the component's projection.
    """

    session: str
    kind: str
    detectors: pl.DataFrame
    individuals: pl.DataFrame
    captures: pl.DataFrame
    effort: Floats

    @property
    def n_individuals(self) -> int:
        """Number of animals detected."""
        return self.individuals.height

    @property
    def n_detections(self) -> int:
        """Number of detections: cells for proximity detectors, summed counts otherwise."""
        return int(self.captures["count"].sum() or 0)

    @property
    def n_recaptures(self) -> int:
        """Detections after each animal's first."""
        return self.n_detections - self.n_individuals

    @property
    def n_spatial_recaptures(self) -> int:
        """Detectors visited beyond each animal's first, summed over animals."""
        visited = self.captures.group_by("individual").agg(pl.col("detector").n_unique().alias("n"))
        return int((visited["n"] - 1).sum() or 0)

    def counts(self) -> NDArray[np.int32]:
        """Detections summed over occasions, shape (n, J), rows and columns in table order."""
        rows = {who: i for i, who in enumerate(self.individuals["individual"])}
        columns = {where: j for j, where in enumerate(self.detectors["detector"])}
        table = np.zeros((len(rows), len(columns)), dtype=np.int32)
        for who, where, count in self.captures.select("individual", "detector", "count").iter_rows():
            table[rows[who], columns[where]] += count
        return table
