"""What there is: the counts that verdicts stand on, and what a capture history does not tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.spatial import KDTree

from sharedrange.core.history import CaptureHistory


@dataclass(frozen=True, slots=True)
class SurveyFacts:
    """What a capture history does not tell.

    `occasion_days`: length of an occasion. `closed_days`: how long the species' numbers may be taken to stand still;
    90 days are usual for large cats. `left_only`, `right_only`: animals known from one flank; None where nobody
    looked. `sigma_m`: spatial scale of movement, if other studies know it; else it is guessed from the captures.
    """

    occasion_days: float = 1.0
    closed_days: float = 90.0
    left_only: int | None = None
    right_only: int | None = None
    sigma_m: float | None = None

    def __post_init__(self) -> None:
        for name in ("occasion_days", "closed_days"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)} (above 0)")
        if self.sigma_m is not None and not self.sigma_m > 0:
            raise ValueError(f"sigma_m: {self.sigma_m} (above 0)")


@dataclass(frozen=True, slots=True)
class Counts:
    """What there is, over all sessions; of places and occasions, the session with most."""

    individuals: int
    detections: int
    recaptures: int
    spatial_recaptures: int
    detectors: int  # that ran
    occasions: int
    days: float
    sites_found: int  # detectors that met the species
    sites_revisited: int  # detectors that ran on more than one occasion
    sexes_known: int
    camera_types: int  # kinds of cameras, the unrecorded one of them
    spacing_m: float | None  # median distance of a detector that ran to the nearest other
    sigma_m: float | None


def count(histories: Sequence[CaptureHistory], facts: SurveyFacts = SurveyFacts()) -> Counts:
    """The counts that the verdicts stand on."""
    sexes = pl.concat([h.individuals["sex"] for h in histories])
    cameras = pl.concat([h.detectors["camera_type"].fill_null("") for h in histories])
    return Counts(
        individuals=sum(h.n_individuals for h in histories),
        detections=sum(h.n_detections for h in histories),
        recaptures=sum(h.n_recaptures for h in histories),
        spatial_recaptures=sum(h.n_spatial_recaptures for h in histories),
        detectors=max(int(_ran(h).sum()) for h in histories),
        occasions=max(h.effort.shape[1] for h in histories),
        days=max(h.effort.shape[1] for h in histories) * facts.occasion_days,
        sites_found=max(h.captures["detector"].n_unique() for h in histories),
        sites_revisited=max(int(((h.effort > 0).sum(axis=1) > 1).sum()) for h in histories),
        sexes_known=len(sexes) - sexes.null_count(),
        camera_types=cameras.n_unique(),
        spacing_m=_spacing_m(histories),
        sigma_m=facts.sigma_m or _sigma_m(histories),
    )


def _ran(history: CaptureHistory) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray(history.effort.sum(axis=1) > 0)


def _spacing_m(histories: Sequence[CaptureHistory]) -> float | None:
    """Median distance from a detector that ran to the nearest other, over sessions."""
    nearest = []
    for history in histories:
        at = history.detectors.select("x_m", "y_m").to_numpy()[_ran(history)]
        if len(at) > 1:
            distances, _ = KDTree(at).query(at, k=2)
            nearest += np.asarray(distances)[:, 1].tolist()
    return float(np.median(nearest)) if nearest else None


def _sigma_m(histories: Sequence[CaptureHistory]) -> float | None:
    """Pooled spread of each animal's captures about their centre (Calhoun and Casby 1958); None if nobody moved.

    It is cut short by an array that is small against the movement, so it is a guess for a rule of thumb only.
    """
    squares, free = 0.0, 0
    for history in histories:
        places = history.captures.join(history.detectors.select("detector", "x_m", "y_m"), on="detector")
        centred = places.with_columns(pl.col("x_m", "y_m") - pl.col("x_m", "y_m").mean().over("individual"))
        squares += float((centred["x_m"] ** 2 + centred["y_m"] ** 2).sum())
        free += places.height - places["individual"].n_unique()
    return float(np.sqrt(squares / (2 * free))) if squares > 0 else None
