"""From the parameter vector to what each class of animals meets in each session, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.core.survey import SEXES
from sharedrange.population.formulas import INTERCEPT, scaled
from sharedrange.population.scr.detection import Detection
from sharedrange.population.scr.fields import Field, FieldGradient
from sharedrange.population.scr.model import DETECTION, MIXTURES, Covariates, Model
from sharedrange.population.scr.rows import detection_design
from sharedrange.population.scr.session import Session, with_rows
from sharedrange.population.scr.splits import SIDE, TERMS, levels
from sharedrange.population.scr.variables import (
    AnimalClass,
    detection_columns,
    factor_levels,
    mask_columns,
    matrix,
    session_columns,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PSI, PMIX = "psi_male", "pmix"


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
class Share:
    """How animals fall into levels of one kind (sexes, latent classes): a multinomial logit against the first.

    `level` (classes,): which level each class of animals has; `parts`: parameters of every level but the first.
    """

    level: Ints
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class SessionDesign:
    """Design matrices of one session.

    `density` (M, pD); `intensity`: one (R, p) a class; `sigma`, `shape`: one (G, p) a class; `share` (p,).
    """

    density: Floats
    intensity: tuple[Floats, ...]
    sigma: tuple[Floats, ...]
    shape: tuple[Floats, ...]
    share: Floats


@dataclass(frozen=True, slots=True)
class Design:
    """Parameter vector to fields and back.

    Link scale: log density per 100 km2, log lambda0 (logit g0), log sigma in metres, log z, logits of shares, and
    what a distance has. `classes`: the classes of animals; `levels`: levels of each factor of detection, by
    parameter; `density_sides`: sides with a density of their own.
    """

    model: Model
    detection: Detection
    density: Part
    intensity: Part
    sigma: Part
    shape: Part
    shares: tuple[Share, ...]
    distance: Part
    classes: tuple[AnimalClass, ...]
    levels: Mapping[str, Mapping[str, tuple[str, ...]]]
    density_sides: tuple[str, ...]
    covariates: Covariates
    sessions: tuple[SessionDesign, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in the order of the parameter vector."""
        of_shares = (part for share in self.shares for part in share.parts)
        return (self.density, self.intensity, self.sigma, self.shape, *of_shares, self.distance)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(name for part in self.parts for name in part.names)

    def split_of(self, name: str) -> tuple[str, str] | None:
        """The split (parameter, term) that the parameter `name` belongs to; None if it is no split."""
        if name in self.density.names:
            return (
                ("density", SIDE) if len(self.density_sides) > 1 and SIDE in self.model.formula("D").variables else None
            )
        for part, parameter in ((self.intensity, "lambda0"), (self.sigma, "sigma"), (self.shape, "z")):
            pieces = {piece.split(".")[0] for piece in name.partition(".")[2].split(":")}
            for term in TERMS:
                if name in part.names and term in pieces:
                    return parameter, term
        return None

    def log_class_share(self, beta: Floats, index: int) -> tuple[Floats, Floats]:
        """Logarithm of each class's share (classes,) and its derivatives by the parameters (classes, p)."""
        value, slope = np.zeros(len(self.classes)), np.zeros((len(self.classes), len(beta)))
        row = self.sessions[index].share
        for share in self.shares:
            eta = np.array([0.0, *(float(row @ beta[part.place]) for part in share.parts)])
            log_p = eta - logsumexp(eta)
            value += log_p[share.level]
            for k, part in enumerate(share.parts, start=1):
                slope[:, part.place] += ((share.level == k) - np.exp(log_p[k]))[:, None] * row
        return value, slope

    def fields(self, beta: Floats, index: int, session: Session) -> tuple[Field, ...]:
        """The field of each class in one session."""
        d, how_far = self.sessions[index], self.model.distance
        shares, _ = self.log_class_share(beta, index)
        log_cells = d.density @ beta[self.density.place] + np.log(session.cell_area_km2 / 100.0)
        distance = None if how_far is None else how_far.between(session, beta[self.distance.place])
        return tuple(
            Field(
                self.detection.log_intercept(d.intensity[c] @ beta[self.intensity.place])[0],
                d.sigma[c] @ beta[self.sigma.place],
                log_cells + shares[c],
                d.shape[c] @ beta[self.shape.place] if self.detection.has_shape else None,
                distance,
            )
            for c in range(len(self.classes))
        )

    def pull_back(self, beta: Floats, index: int, gradients: Sequence[FieldGradient]) -> Floats:
        """Derivatives by the parameters from derivatives by the fields of one session."""
        d = self.sessions[index]
        _, by_share = self.log_class_share(beta, index)
        total = np.zeros(len(beta))
        for c, gradient in enumerate(gradients):
            _, slope = self.detection.log_intercept(d.intensity[c] @ beta[self.intensity.place])
            total[self.density.place] += gradient.log_density @ d.density
            total[self.intensity.place] += (gradient.log_g0 * slope) @ d.intensity[c]
            total[self.sigma.place] += gradient.log_sigma @ d.sigma[c]
            total[self.shape.place] += gradient.log_shape @ d.shape[c]
            total[self.distance.place] += gradient.distance
            total += by_share[c] * gradient.log_density.sum()
        return total

    def back(self) -> Floats:
        """(p, p): from orthogonal columns of mean square 1, which the optimiser sees, to the user's coefficients.

        Raises InputError if columns of a formula cannot be told apart.
        """
        made = np.eye(len(self.names))
        stacks = {
            "D": (self.density, [d.density for d in self.sessions]),
            "lambda0": (self.intensity, [x for d in self.sessions for x in d.intensity]),
            "sigma": (self.sigma, [x for d in self.sessions for x in d.sigma]),
            "z": (self.shape, [x for d in self.sessions for x in d.shape]),
        }
        for parameter, (part, matrices) in stacks.items():
            if len(part.names):
                made[part.place, part.place] = _back(parameter, np.vstack(matrices))
        return made


def _back(parameter: str, columns: Floats) -> Floats:
    try:
        return scaled(columns).back
    except ValueError as wrong:
        facts = {"parameter": parameter, "problem": str(wrong)}
        raise InputError([Finding("scr-formula-dependent", facts)]) from wrong


def classes_of(model: Model) -> tuple[AnimalClass, ...]:
    """The classes of animals of a model: sexes, latent classes, or both crossed."""
    sexes = SEXES if model.by_sex else ("",)
    latent = tuple(str(k + 1) for k in range(MIXTURES[model.mixture])) if model.mixture else ("",)
    return tuple(AnimalClass(sex, mixture) for sex, mixture in product(sexes, latent))


def design(
    model: Model, sessions: Sequence[Session], detection: Detection, covariates: Covariates | None = None
) -> tuple[Design, tuple[Session, ...]]:
    """The design of `model` (already usable), and the sessions with the statistics that it needs.

    Raises InputError if a formula cannot be read, names what is not there or holds columns that depend.
    """
    if not detection.has_shape:
        raise_if_shape(model)
    given, classes = covariates or Covariates(), classes_of(model)
    known = [detection_columns(sessions, i, given) for i in range(len(sessions))]
    factors = factor_levels(known, sessions)
    by_parameter = {p: {**factors, "party": _parties(model, sessions, p) or factors["party"]} for p in DETECTION}
    built = [detection_design(model, s, known[i], classes, by_parameter) for i, s in enumerate(sessions)]
    sides = levels(sessions, model.sides, "density", SIDE).usable if SIDE in model.formula("D").variables else ()
    density_names, density = _density(model, sessions, given, sides)
    share_names, share = _share(model, sessions, given)
    parts = _Parts()
    of_density = parts.add(density_names)
    intensity, sigma, shape = (parts.add(_named(_called(p, detection), built[0].names[p])) for p in DETECTION)
    shares = tuple(_shares(model, classes, share_names, parts))
    distance = parts.add(model.distance.names if model.distance else ())
    of_parts = (of_density, intensity, sigma, shape, shares, distance)
    matrices = tuple(
        SessionDesign(density[i], b.values["lambda0"], b.values["sigma"], b.values["z"], share[i])
        for i, b in enumerate(built)
    )
    made = Design(model, detection, *of_parts, classes, by_parameter, sides, given, matrices)
    return made, tuple(s if b.rows is None else with_rows(s, b.rows) for s, b in zip(sessions, built, strict=True))


def _called(parameter: str, detection: Detection) -> str:
    """What a parameter is called where the intensity is a probability: g0."""
    return detection.intercept if parameter == "lambda0" else parameter


def raise_if_shape(model: Model) -> None:
    """Raise InputError if a formula is given for the shape of a detection function that has none."""
    if model.formula("z").terms:
        facts = {"function": model.detection_function, "formula": model.z}
        raise InputError([Finding("scr-no-shape", facts)])


class _Parts:
    """Hands out slices of the parameter vector, one after the other."""

    def __init__(self) -> None:
        self._size = 0

    def add(self, names: Sequence[str]) -> Part:
        part = Part(tuple(names), self._size)
        self._size += len(names)
        return part


def _named(parameter: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Names of coefficients: that of the parameter alone for the intercept."""
    return tuple(parameter if c == INTERCEPT else f"{parameter}.{c}" for c in columns)


def _parties(model: Model, sessions: Sequence[Session], parameter: str) -> tuple[str, ...]:
    if "party" not in model.formula(parameter).variables:
        return ()
    return levels(sessions, (), parameter, "party").usable


def _density(
    model: Model, sessions: Sequence[Session], covariates: Covariates, sides: Sequence[str]
) -> tuple[tuple[str, ...], list[Floats]]:
    """Names and matrices (M, p) of log density; none where the likelihood is conditional."""
    formula = model.formula("D")
    if model.likelihood == "conditional":
        if formula.terms:
            raise InputError([Finding("scr-conditional-density", {"formula": str(formula)})])
        return (), [np.empty((len(s.mask_x_m), 0)) for s in sessions]
    columns = [mask_columns(sessions, i, covariates, sides) for i in range(len(sessions))]
    factors = {**factor_levels(columns, sessions), **({SIDE: tuple(sides)} if sides else {})}
    made = [matrix("D", formula, c, factors, len(c["x"])) for c in columns]
    names = _named("D", made[0].names)
    if not formula.intercept:
        names = tuple(n.replace(f"D.{SIDE}.", "D.") for n in names)
    return names, [m.values for m in made]


def _share(model: Model, sessions: Sequence[Session], covariates: Covariates) -> tuple[tuple[str, ...], list[Floats]]:
    """Names of columns and one row (p,) a session of the shares of classes."""
    columns = [session_columns(sessions, i, covariates) for i in range(len(sessions))]
    factors = factor_levels(columns, sessions)
    made = [matrix("pmix", model.formula("pmix"), c, factors, 1) for c in columns]
    return made[0].names, [m.values[0] for m in made]


def _shares(model: Model, classes: Sequence[AnimalClass], columns: Sequence[str], parts: _Parts) -> list[Share]:
    found = []
    if model.by_sex:
        level = np.array([SEXES.index(c.sex) for c in classes], dtype=np.int64)
        found.append(Share(level, (parts.add(_named(PSI, columns)),)))
    if model.mixture:
        level = np.array([int(c.mixture) - 1 for c in classes], dtype=np.int64)
        others = range(2, MIXTURES[model.mixture] + 1)
        found.append(Share(level, tuple(parts.add(_named(f"{PMIX}.{k}", columns)) for k in others)))
    return found
