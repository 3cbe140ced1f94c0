"""The likelihood of capture histories over years, and its exact derivatives.

The animals ever detected are a thinned Poisson process, so with n histories

    log L = sum_i log L_i - Lambda,      Lambda = expected animals ever detected.

L_i sums over when the animal came, where it lived each year and when it went (Pradel 1996 and Schwarz & Arnason 1996
without space; Efford & Schofield 2020, Biometrics 76:392-402, and Glennie et al. 2019, Biometrics 75:1345-1355, with
it). Three recursions over mask points m do that, U and chi once for all animals:

    V_t = K(phi U_{t-1}) + B_t,   U_t = V_t exp(-H_t)                  alive in year t, not detected so far
    chi_T = 1,   chi_t = 1 - phi_t + phi_t K'[exp(-H_{t+1}) chi_{t+1}]  never detected after year t
    alpha_a = V_a P_a,   alpha_t = K(phi alpha_{t-1}) P_t               from an animal's first detection a to its last
    L_i = sum_m alpha_l chi_l,   Lambda = sum_t sum_m B_t (1 - exp(-H_t) chi_t)

H_t(m) is the hazard of all detectors of year t, P_t(m) the probability of what was recorded of the animal in year t.
An animal between its first and last detection is alive; only before and after is there doubt.

Every state "alive at m in year t" carries a factor exp(-H_t(m)). The derivative of log L_i by -H_t(m) is therefore the
probability that the animal was alive at m in year t, given its history: the adjoint of the likelihood is the
smoother (used in `realised`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.open.arrivals import StepGradient
from sharedrange.population.open.kernels import Movement

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spans:
    """First and last year of detection of each animal, shape (n,), years counted from 0."""

    first: Ints
    last: Ints

    def active(self, year: int) -> Ints:
        """Animals between their first and last detection."""
        return np.flatnonzero((self.first <= year) & (year <= self.last))

    def continuing(self, year: int) -> Ints:
        """Animals detected before, and in this year or after it."""
        return np.flatnonzero((self.first < year) & (year <= self.last))


@dataclass(slots=True)
class RecordGradient:
    """Derivatives of one class by -H, shape (T, M), by log P of each year's active animals, and by the arrivals."""

    minus_hazard: Floats
    log_record: list[Floats]
    arrivals: Floats


class ClassHistories:
    """All histories as seen by one class of animals.

    `survival` (T - 1, M) and `moves` from each year to the next; `arrivals` (T, M); `hazard` H (T, M); `records`: for
    each year log P of the animals active in it, shape (active, M).
    """

    def __init__(
        self,
        survival: Floats,
        moves: Sequence[Movement],
        spans: Spans,
        *,
        arrivals: Floats,
        hazard: Floats,
        records: Sequence[Floats],
    ) -> None:
        self.survival = survival
        self.moves = moves
        self.spans = spans
        self._arrivals = arrivals
        self.missed = np.exp(-hazard)
        self._years = len(hazard)
        self._before()
        self._after()
        self._animals(records)

    def _before(self) -> None:
        """V: alive and not detected before year t; U: nor in it."""
        self.reached = np.empty_like(self.missed)
        self.undetected = np.empty_like(self.missed)
        for t in range(self._years):
            come = self._arrivals[t]
            self.reached[t] = come if t == 0 else come + self._carried(t, self.undetected[t - 1])
            self.undetected[t] = self.reached[t] * self.missed[t]

    def _after(self) -> None:
        """chi: never detected after year t."""
        self.never_again = np.ones_like(self.missed)
        self._worth = np.zeros_like(self.missed)
        for t in range(self._years - 2, -1, -1):
            self._worth[t] = self.moves[t].backward(self.missed[t + 1] * self.never_again[t + 1])
            self.never_again[t] = 1.0 - self.survival[t] * (1.0 - self._worth[t])
        self.never = self.missed * self.never_again

    def _carried(self, t: int, x: Floats) -> Floats:
        """Amounts of year t - 1 that are alive in year t, where they are then."""
        return self.moves[t - 1].forward(self.survival[t - 1] * x)

    def _animals(self, records: Sequence[Floats]) -> None:
        """The alpha of each year, scaled to sum to 1 for each animal, and log L of each animal."""
        n = len(self.spans.first)
        self.log_animal = np.zeros(n)
        self.alpha: list[Floats] = []
        self.record: list[Floats] = []
        now = np.zeros((n, self.missed.shape[1]))
        for t in range(self._years):
            active, old = self.spans.active(t), self.spans.continuing(t)
            now[old] = self._carried(t, now[old]) if len(old) else 0.0
            now[active[self.spans.first[active] == t]] = self.reached[t]
            top = records[t].max(axis=1, initial=-np.inf)
            chance = np.exp(records[t] - top[:, None])
            joint = now[active] * chance
            total = joint.sum(axis=1)
            now[active] = joint / total[:, None]
            self.log_animal[active] += top + np.log(total)
            self.alpha.append(now[active])
            self.record.append(chance / total[:, None])
        self._ends(now)

    def _ends(self, now: Floats) -> None:
        self._unseen_after = self.never_again[self.spans.last]
        self._end = (now * self._unseen_after).sum(axis=1)
        self.log_animal += np.log(self._end)

    @property
    def expected_detected(self) -> float:
        """Lambda of this class."""
        return float((self._arrivals * (1.0 - self.never)).sum())

    def posterior(self, year: int) -> Floats:
        """Where each active animal was in a year, given its history; filled by `gradient`, rows sum to 1."""
        return self._posterior[year]

    def gradient(
        self, weight: Floats, into: StepGradient, *, thinned: bool = True, everybody: bool = True
    ) -> RecordGradient:
        """Derivatives of sum_i weight_i log L_i - Lambda; those by survival and movement are added to `into`.

        `thinned` false leaves out the expected number ever present in place of that detected: what is differentiated
        is then sum_i weight_i log L_i + sum B exp(-H) chi, whose derivatives by -H are the realised population.
        `everybody` false leaves out whatever is no sum over these animals: Lambda, and sum B exp(-H) chi.
        """
        found = RecordGradient(np.zeros_like(self.missed), [], np.zeros_like(self.missed))
        entered, by_never_again = self._through_animals(weight, into, found)
        self._through_before(entered, into, found)
        self._through_after(by_never_again, into, found, everybody=everybody)
        if thinned and everybody:
            found.arrivals -= 1.0
        return found

    def _through_animals(self, weight: Floats, into: StepGradient, found: RecordGradient) -> tuple[Floats, Floats]:
        """Back over each animal from its last detection to its first.

        Returns the derivatives by V and by chi, each (T, M).
        """
        entered, by_never_again = np.zeros_like(self.missed), np.zeros_like(self.missed)
        by_alpha = np.zeros((len(weight), self.missed.shape[1]))
        posterior: list[Floats] = []
        for t in range(self._years - 1, -1, -1):
            active = self.spans.active(t)
            ending = self.spans.last[active] == t
            last = active[ending]
            by_alpha[last] = self._unseen_after[last] / self._end[last, None]
            by_never_again[t] = (weight[last] / self._end[last]) @ self.alpha[t][ending]
            posterior.append(self.alpha[t] * by_alpha[active])
            found.log_record.append(weight[active, None] * posterior[-1])
            by_reached = self.record[t] * by_alpha[active]
            starting = self.spans.first[active] == t
            entered[t] = weight[active[starting]] @ by_reached[starting]
            self._step_back(t, weight, by_alpha, by_reached[~starting], into)
        found.log_record.reverse()
        self._posterior = posterior[::-1]
        return entered, by_never_again

    def _step_back(self, t: int, weight: Floats, by_alpha: Floats, by_reached: Floats, into: StepGradient) -> None:
        """From the derivatives in year t to those in year t - 1 of the animals detected before."""
        old = self.spans.continuing(t)
        if not len(old):
            return
        earlier = self.spans.active(t - 1)
        alpha = self.alpha[t - 1][np.isin(earlier, old)]
        back = self.moves[t - 1].backward(by_reached)
        by_alpha[old] = self.survival[t - 1] * back
        weighted, survivors = weight[old, None] * by_reached, self.survival[t - 1] * alpha
        into.log_survival[t - 1] += weight[old] @ (alpha * by_alpha[old])
        into.log_move[t - 1] += self.moves[t - 1].slope(survivors, weighted, weight[old, None] * back)

    def _through_before(self, entered: Floats, into: StepGradient, found: RecordGradient) -> None:
        """Back over the years before first detection: from derivatives by V."""
        by_undetected = np.zeros(self.missed.shape[1])
        for t in range(self._years - 1, -1, -1):
            by_reached = entered[t] + self.missed[t] * by_undetected
            found.minus_hazard[t] += self.undetected[t] * by_undetected
            found.arrivals[t] += by_reached
            if t > 0:
                by_undetected = self._lived(t, self.undetected[t - 1], by_reached, into)

    def _lived(self, t: int, x: Floats, by_later: Floats, into: StepGradient) -> Floats:
        """Through survival and movement from year t - 1 to t; derivatives by x, amounts of year t - 1."""
        move, survival = self.moves[t - 1], self.survival[t - 1]
        back = move.backward(by_later)
        into.log_survival[t - 1] += x * survival * back
        into.log_move[t - 1] += move.slope(survival * x, by_later, back)
        return np.asarray(survival * back)

    def _through_after(
        self, by_never_again: Floats, into: StepGradient, found: RecordGradient, *, everybody: bool
    ) -> None:
        """Forward over the years after last detection: from derivatives by chi, and from sum B exp(-H) chi."""
        arrivals = self._arrivals if everybody else np.zeros_like(self._arrivals)
        arriving = np.zeros(self.missed.shape[1])
        for t in range(self._years):
            by_never = arrivals[t] + arriving
            found.minus_hazard[t] += self.never[t] * by_never
            found.arrivals[t] += self.never[t] * everybody
            by_chi = by_never_again[t] + self.missed[t] * by_never
            if t + 1 < self._years:
                survivors = self.survival[t] * by_chi
                arriving = self.moves[t].forward(survivors)
                into.log_survival[t] -= survivors * (1.0 - self._worth[t])
                into.log_move[t] += self.moves[t].slope(survivors, self.never[t + 1], self._worth[t])
