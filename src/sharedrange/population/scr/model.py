"""Which parameters a model has, and how they reach detectors and mask points (design matrices)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sharedrange.core.survey import SEXES
from sharedrange.population.scr.detection import Detection, FunctionName
from sharedrange.population.scr.likelihood import Field, FieldGradient
from sharedrange.population.scr.links import log_inverse_logit
from sharedrange.population.scr.session import Session, nearest_mask_point

Floats = NDArray[np.float64]
DensityName = Literal["side", "pooled"]
TERMS = ("party", "sex")
PSI = "psi_male"


@dataclass(frozen=True, slots=True)
class Model:
    """What is split and what is pooled.

    `density`: one density, or one a side; `lambda0`, `sigma`: terms of the intensity at distance 0 (g0 for
    HN) and of the spatial scale, additive on the link scale; ``party`` is the detector's, ``sex`` the animal's.
    `sides`: parties whose side may have a density of its own.
    """

    detection_function: FunctionName = "HHN"
    density: DensityName = "pooled"
    lambda0: tuple[str, ...] = ()
    sigma: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()

    @property
    def by_sex(self) -> bool:
        """Whether animals come in two classes."""
        return "sex" in self.lambda0 or "sex" in self.sigma

    def split(self) -> tuple[tuple[str, str], ...]:
        """(parameter, term) of everything that this model splits."""
        terms = [("lambda0", t) for t in self.lambda0] + [("sigma", t) for t in self.sigma]
        return (*((("density", "side"),) if self.density == "side" else ()), *terms)

    def without(self, parameter: str, term: str) -> Model:
        """The model with one split less."""
        if parameter == "density":
            return replace(self, density="pooled")
        return self._with(parameter, tuple(t for t in self._terms(parameter) if t != term))

    def adding(self, parameter: str, term: str) -> Model:
        """The model with one split more."""
        if parameter == "density":
            return replace(self, density="side")
        terms = {*self._terms(parameter), term}
        return self._with(parameter, tuple(t for t in TERMS if t in terms))

    def _terms(self, parameter: str) -> tuple[str, ...]:
        return self.lambda0 if parameter == "lambda0" else self.sigma

    def _with(self, parameter: str, terms: tuple[str, ...]) -> Model:
        return replace(self, lambda0=terms) if parameter == "lambda0" else replace(self, sigma=terms)


@dataclass(frozen=True, slots=True)
class Levels:
    """The usable levels of one split: those with data enough to have a parameter of their own.

    `runaway`: the parameter that the fit drove to 0 or infinity, if that is why the split was left out.
    """

    parameter: str
    term: str
    usable: tuple[str, ...]
    runaway: str = ""

    @property
    def can_split(self) -> bool:
        """Whether there are at least two."""
        return len(self.usable) > 1


def levels(sessions: Sequence[Session], sides: Sequence[str], parameter: str, term: str) -> Levels:
    """Usable levels of a split.

    A side needs an animal detected on it; a party's intensity a detection by its detectors, its sigma an
    animal at two of them; a sex needs, for the intensity, a known animal detected twice, for sigma a known
    animal at two detectors.
    """
    if term == "side":
        seen = {str(side) for s in sessions for side in detector_side(s)[s.detections_by_detector() > 0]}
        usable = tuple(side for side in sides if side in seen)
    elif term == "party":
        usable = tuple(sorted({p for s in sessions for p in _parties(s, parameter)}))
    else:
        usable = tuple(name for i, name in enumerate(SEXES) if any(_has_sex(s, i, parameter) for s in sessions))
    return Levels(parameter, term, usable)


def detector_side(session: Session) -> NDArray[np.str_]:
    """Side of the mask point nearest to each detector, shape (J,)."""
    return session.side[nearest_mask_point(session, session.x_m, session.y_m)]


def _parties(session: Session, parameter: str) -> set[str]:
    found = set()
    for party in np.unique(session.party):
        own = session.counts[:, session.party[session.column_detector] == party] > 0
        need = 1 if parameter == "lambda0" else 2
        where = session.column_detector[session.party[session.column_detector] == party]
        if any(len(np.unique(where[row])) >= need for row in own):
            found.add(str(party))
    return found


def _has_sex(session: Session, sex: int, parameter: str) -> bool:
    mine = session.counts[session.sex == sex]
    if parameter == "lambda0":
        return bool((mine.sum(axis=1) >= 2).any())
    return any(len(np.unique(session.column_detector[row > 0])) >= 2 for row in mine)


def usable_model(model: Model, sessions: Sequence[Session]) -> tuple[Model, tuple[Levels, ...]]:
    """`model` without the splits that the data cannot have, and those that were dropped."""
    dropped = []
    for parameter, term in model.split():
        found = levels(sessions, model.sides, parameter, term)
        if not found.can_split:
            model = model.without(parameter, term)
            dropped.append(found)
    return model, tuple(dropped)


@dataclass(frozen=True, slots=True)
class Part:
    """The slice of the parameter vector that shapes one thing, with its names."""

    names: tuple[str, ...]
    start: int

    @property
    def place(self) -> slice:
        """Where the part stands in the parameter vector."""
        return slice(self.start, self.start + len(self.names))


@dataclass(frozen=True, slots=True)
class SessionDesign:
    """Design matrices of one session: `density` (M, pD); `intensity`, `sigma`: one (J, p) a class."""

    density: Floats
    intensity: tuple[Floats, ...]
    sigma: tuple[Floats, ...]


@dataclass(frozen=True, slots=True)
class Design:
    """Parameter vector to fields and back.

    Link scale: log density per 100 km2, log lambda0 (logit g0), log sigma in metres, logit of the share of males.
    `classes`: names of the classes of animals, ("",) when sex plays no part.
    """

    model: Model
    detection: Detection
    density: Part
    intensity: Part
    sigma: Part
    psi: Part
    classes: tuple[str, ...]
    density_sides: tuple[str, ...]
    intensity_parties: tuple[str, ...]
    sigma_parties: tuple[str, ...]
    sessions: tuple[SessionDesign, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return (*self.density.names, *self.intensity.names, *self.sigma.names, *self.psi.names)

    def split_of(self, name: str) -> tuple[str, str] | None:
        """The split (parameter, term) that the parameter `name` belongs to; None for an intercept or psi."""
        if name in self.density.names:
            return ("density", "side") if self.density_sides else None
        for part, parameter in ((self.intensity, "lambda0"), (self.sigma, "sigma")):
            if name in part.names[1:]:
                return parameter, name.split(".")[1]
        return None

    def log_class_share(self, beta: Floats) -> tuple[Floats, Floats]:
        """Logarithm of each class's share and its derivative by logit psi, shapes (classes,)."""
        if not self.psi.names:
            return np.zeros(1), np.zeros(1)
        eta = beta[self.psi.place]
        female, by_female = log_inverse_logit(-eta)
        male, by_male = log_inverse_logit(eta)
        return np.concatenate([female, male]), np.concatenate([-by_female, by_male])

    def fields(self, beta: Floats, index: int, session: Session) -> tuple[Field, ...]:
        """The field of each class in one session."""
        d = self.sessions[index]
        shares, _ = self.log_class_share(beta)
        log_cells = d.density @ beta[self.density.place] + np.log(session.cell_area_km2 / 100.0)
        return tuple(
            Field(
                self.detection.log_intercept(x_g0 @ beta[self.intensity.place])[0],
                x_sigma @ beta[self.sigma.place],
                log_cells + share,
            )
            for x_g0, x_sigma, share in zip(d.intensity, d.sigma, shares, strict=True)
        )

    def pull_back(self, beta: Floats, index: int, gradients: Sequence[FieldGradient]) -> Floats:
        """Derivatives by the parameters from derivatives by the fields of one session."""
        d = self.sessions[index]
        _, by_psi = self.log_class_share(beta)
        total = np.zeros(len(beta))
        for c, gradient in enumerate(gradients):
            _, slope = self.detection.log_intercept(d.intensity[c] @ beta[self.intensity.place])
            total[self.density.place] += gradient.log_density @ d.density
            total[self.intensity.place] += (gradient.log_g0 * slope) @ d.intensity[c]
            total[self.sigma.place] += gradient.log_sigma @ d.sigma[c]
            if self.psi.names:
                total[self.psi.place] += by_psi[c] * gradient.log_density.sum()
        return total


def design(model: Model, sessions: Sequence[Session], detection: Detection) -> Design:
    """The design of `model` (already usable) on `sessions`."""
    classes = SEXES if model.by_sex else ("",)
    sides = levels(sessions, model.sides, "density", "side").usable if model.density == "side" else ()
    g0_parties = _party_levels(sessions, model.lambda0, "lambda0")
    sigma_parties = _party_levels(sessions, model.sigma, "sigma")
    density = Part(tuple(f"D.{side}" for side in sides) or ("D",), 0)
    intensity = Part(_contrasts(detection.intercept, g0_parties, model.lambda0), len(density.names))
    sigma = Part(_contrasts("sigma", sigma_parties, model.sigma), intensity.place.stop)
    psi = Part((PSI,) if model.by_sex else (), sigma.place.stop)
    matrices = tuple(
        SessionDesign(
            _density_matrix(s, sides),
            tuple(_detector_matrix(s, g0_parties, model.lambda0, c) for c in classes),
            tuple(_detector_matrix(s, sigma_parties, model.sigma, c) for c in classes),
        )
        for s in sessions
    )
    return Design(model, detection, density, intensity, sigma, psi, classes, sides, g0_parties, sigma_parties, matrices)


def _party_levels(sessions: Sequence[Session], terms: tuple[str, ...], parameter: str) -> tuple[str, ...]:
    return levels(sessions, (), parameter, "party").usable if "party" in terms else ()


def _contrasts(name: str, parties: Sequence[str], terms: tuple[str, ...]) -> tuple[str, ...]:
    """An intercept (first party, females), then what the others add."""
    others = tuple(f"{name}.party.{p}" for p in parties[1:])
    return (name, *others, *((f"{name}.sex.male",) if "sex" in terms else ()))


def _detector_matrix(session: Session, parties: Sequence[str], terms: tuple[str, ...], animal: str) -> Floats:
    return detector_rows(session.party, parties, terms, animal)


def detector_rows(party: NDArray[np.str_], parties: Sequence[str], terms: tuple[str, ...], animal: str) -> Floats:
    """Design rows of detectors of `party` for animals of one class. A party without a level has the first's."""
    columns = [np.ones(len(party)), *((party == p).astype(float) for p in parties[1:])]
    if "sex" in terms:
        columns.append(np.full(len(party), float(animal == "male")))
    return np.column_stack(columns)


def _density_matrix(session: Session, sides: Sequence[str]) -> Floats:
    """Indicator of the side whose density each mask point has; the nearest of `sides` where it is on none."""
    if not sides:
        return np.ones((len(session.side), 1))
    own = nearest_of(session.side, np.column_stack([session.mask_x_m, session.mask_y_m]), sides)
    return np.column_stack([(own == side).astype(float) for side in sides])


def nearest_of(side: NDArray[np.str_], xy: Floats, sides: Sequence[str]) -> NDArray[np.str_]:
    """The side of each point, or of the nearest point that is on one of `sides`, shape (M,)."""
    known = np.isin(side, sides)
    if known.all() or not known.any():
        return side
    _, nearest = cKDTree(xy[known]).query(xy[~known])
    filled = side.copy()
    filled[~known] = side[known][nearest]
    return filled
