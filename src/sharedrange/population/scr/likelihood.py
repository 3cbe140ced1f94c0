"""The integral over activity centres, and its exact gradient, for one session and one class of animals.

For animals of class c (one class, one a sex, or a latent mixture) the thinned Poisson process of Borchers and Efford
(2008) gives

    log L = sum_i log sum_c I_ic - sum_c Lambda_c,
    I_ic = sum_m a D_c(m) Pr(w_i | m, c),   Lambda_c = sum_m a D_c(m) (1 - exp(-H_c(m))),   H = sum_r E_r h_r,

r running over rows (see `encounters`), and with X_i = E + extra_i the effort that animal i met

    log Pr(w_i | m) = -X_i h(m) + sum over detections of (log g e + correction) + sum over occasions of c(H_k).

Everything runs block by block over the mask (see `blocks`). Two things are skipped where they are zero in double
precision, with a bound rather than a guess:

* a row is left out of a block when (effort x g) is below 1e-18 in the whole block, g bounded by its value at the
  distance of the block's bounding box: all such rows together move H and log Pr by less than 1e-18 R;
* a history is left out of a block when an upper bound of log Pr there is 60 below log Pr at one point near its
  detections: the points dropped are less than M exp(-60) of I_i. The bound is the sum over detections of log(h e):
  the rest of log Pr never adds to it, since 1 - exp(-x) <= x makes log(exp(x) - 1) - x <= log x for one detector and
  c(H) - H <= 0 for detectors that compete, since a Poisson cell has -x + log x, and since X_i h >= 0 cell by cell.
  Where k is half-normal and distance Euclidean that sum is a downward paraboloid around a centre, so its maximum over
  the box is known in closed form; otherwise each detection is bounded at the distance of the box. For HN, HR and EX
  log h is bounded by log g + log(h / g at distance 0), since h / g rises with g.

Only sums over blocks are kept, so memory does not grow with animals x points.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.scr.blocks import BlockTerms, Integrand
from sharedrange.population.scr.derivatives import Derivatives
from sharedrange.population.scr.detection import Detection
from sharedrange.population.scr.fields import Field, FieldGradient
from sharedrange.population.scr.session import Session

__all__ = ["ClassLikelihood", "ClassTerms", "Field", "FieldGradient"]

Floats = NDArray[np.float64]

_KEPT_VALUES = 25_000_000  # 200 MB of doubles: as many blocks are kept between the two passes, the rest made again


@dataclass(frozen=True, slots=True)
class ClassTerms:
    """First pass over one class: log I_i (u,), Lambda, exp(-H) at every mask point (M,), and the first blocks."""

    log_integral: Floats
    expected_detected: float
    undetected: Floats
    kept: tuple[BlockTerms, ...]


class ClassLikelihood:
    """The likelihood of one class in one session at one point of the parameter space.

    `members` (u,): whether a history can belong to the class.
    """

    def __init__(self, session: Session, detection: Detection, field: Field, members: NDArray[np.bool_]) -> None:
        self.session = session
        self.detection = detection
        self.field = field
        self._rows = np.flatnonzero(members)
        self._integrand = Integrand(session, detection, field, self._rows)
        self.terms = self._integrate()

    @property
    def expected_animals(self) -> float:
        """Animals of the class that the density expects on the mask."""
        return float(np.exp(self.field.log_density).sum())

    def _integrate(self) -> ClassTerms:
        s = self.session
        integral = np.full(len(self._rows), -np.inf)
        undetected = np.empty(len(s.mask_x_m))
        kept: list[BlockTerms] = []
        room = _KEPT_VALUES
        for block in s.blocks:
            terms = self._integrand.terms(block)
            undetected[block.points] = np.exp(-terms.hazards.cumulative)
            part = terms.top + np.log(terms.weights.sum(axis=1))
            integral[terms.alive] = np.logaddexp(integral[terms.alive], part)
            room -= terms.size
            if room > 0:
                kept.append(terms)
        detected = float(np.exp(self.field.log_density) @ (1.0 - undetected))
        everyone = np.full(len(s.frequency), -np.inf)
        everyone[self._rows] = integral
        return ClassTerms(everyone, detected, undetected, tuple(kept))

    def _posterior(self, share: Floats) -> Iterator[tuple[BlockTerms, Floats]]:
        """Each block with the posterior weight of every alive history at every point, times `share` (u,)."""
        kept = self.terms.kept
        blocks = chain(kept, map(self._integrand.terms, self.session.blocks[len(kept) :]))
        integral = self.terms.log_integral[self._rows]
        mine = share[self._rows]
        for terms in blocks:
            scale = np.exp(terms.top - integral[terms.alive]) * mine[terms.alive]
            yield terms, terms.weights * scale[:, None]

    def gradient(self, share: Floats, by_detected: float = -1.0, by_expected: float = 0.0) -> FieldGradient:
        """Derivatives of sum_i share_i log I_i + by_detected x Lambda + by_expected x (animals on the mask).

        `share` (u,) is frequency times class probability; -1 and 0 are those of a Poisson number of animals.
        """
        density = np.exp(self.field.log_density)
        by_density = density * (by_expected + by_detected * (1.0 - self.terms.undetected))
        sums = Derivatives(self._integrand, by_density)
        for terms, weights in self._posterior(share):
            points = terms.block.points
            sums.add(terms, weights, by_detected * density[points] * self.terms.undetected[points])
        return sums.total()

    def by_density(self, by_log_density: Floats) -> FieldGradient:
        """Derivatives of something that depends on density alone; `by_log_density` (M,)."""
        s = self.session
        rows, kernels = np.zeros(len(s.rows.kernel)), np.zeros(len(s.rows.kernel_detector))
        distance = np.zeros(0 if self.field.distance is None else len(self.field.distance.slopes))
        return FieldGradient(rows, kernels, by_log_density, kernels, distance)

    def posterior_sums(self, share: Floats, features: Floats) -> Floats:
        """sum_m W_im share_i features_m for features of shape (M, F) (block order): shape (u, F)."""
        total = np.zeros((len(self.session.frequency), features.shape[1]))
        for terms, weights in self._posterior(share):
            total[self._rows[terms.alive]] += weights @ features[terms.block.points]
        return total

    def undetected_gradient(self, region: Floats) -> tuple[float, FieldGradient]:
        """Expected animals not detected, sum_m region_m a D exp(-H), and its derivatives; `region` (M,)."""
        s = self.session
        missed = np.exp(self.field.log_density) * self.terms.undetected * region
        sums = Derivatives(self._integrand, missed.copy())
        for block in s.blocks:
            sums.add_exposure(self._integrand.hazards(block), block, -missed[block.points])
        return float(missed.sum()), sums.total()
