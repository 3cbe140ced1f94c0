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
from sharedrange.population.scr.blocks import Field, FieldGradient
from sharedrange.population.scr.detection import Detection
from sharedrange.population.scr.encounters import Rows
from sharedrange.population.scr.model import DETECTION, MIXTURES, Covariates, Model
from sharedrange.population.scr.session import Session, with_rows
from sharedrange.population.scr.splits import SIDE, TERMS, levels
from sharedrange.population.scr.variables import (
    AnimalClass,
    Column,
    detection_columns,
    factor_levels,
    grid_of,
    is_learned,
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
    given = covariates or Covariates()
    classes = classes_of(model)
    known = [detection_columns(sessions, i, given) for i in range(len(sessions))]
    factors = factor_levels(known, sessions)
    by_parameter = {p: {**factors, "party": _parties(model, sessions, p) or factors["party"]} for p in DETECTION}
    built = [_detection(model, s, known[i], classes, by_parameter) for i, s in enumerate(sessions)]
    names = built[0].names
    sides = levels(sessions, model.sides, "density", SIDE).usable if SIDE in model.formula("D").variables else ()
    density_names, density = _density(model, sessions, given, sides)
    share_names, share = _share(model, sessions, given)
    parts = _Parts()
    of_density = parts.add(density_names)
    of_detection = [parts.add(_named(detection.intercept if p == "lambda0" else p, names[p])) for p in DETECTION]
    shares = tuple(_shares(model, classes, share_names, parts))
    distance = parts.add(model.distance.names if model.distance else ())
    if not detection.has_shape:
        raise_if_shape(model)
    return (
        Design(
            model,
            detection,
            of_density,
            of_detection[0],
            of_detection[1],
            of_detection[2],
            shares,
            distance,
            classes,
            by_parameter,
            sides,
            given,
            tuple(
                SessionDesign(density[i], b.values["lambda0"], b.values["sigma"], b.values["z"], share[i])
                for i, b in enumerate(built)
            ),
        ),
        tuple(s if b.rows is None else with_rows(s, b.rows) for s, b in zip(sessions, built, strict=True)),
    )


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


@dataclass(frozen=True, slots=True)
class _DetectionDesign:
    """Column names and, a class, matrices of each detection parameter; the rows, None where they are plain."""

    names: dict[str, tuple[str, ...]]
    values: dict[str, tuple[Floats, ...]]
    rows: Rows | None


def _detection(
    model: Model,
    session: Session,
    known: Mapping[str, Column],
    classes: Sequence[AnimalClass],
    factors: Mapping[str, Mapping[str, tuple[str, ...]]],
) -> _DetectionDesign:
    """The designs of detection on every cell, then the distinct ones as rows and kernels."""
    grid = grid_of(known, model.detection_variables, len(session.x_m))
    shape = np.broadcast_shapes((len(session.x_m), 1, 1), *(a.shape for a in grid.values()))
    flat = {n: np.asarray(a).ravel() for n, a in grid.items()}
    size = int(np.prod(shape))
    names: dict[str, tuple[str, ...]] = {}
    values: dict[str, list[Floats]] = {}
    for parameter in DETECTION:
        for one in classes:
            columns = {**known, **flat, **{n: np.repeat(v, size) for n, v in one.columns().items()}}
            made = matrix(parameter, model.formula(parameter), columns, factors[parameter], size)
            names[parameter] = made.names
            values.setdefault(parameter, []).append(_every_row(made.values, size))
    if model.detection_function not in ("HR", "HHR"):
        names["z"], values["z"] = (), [v[:, :0] for v in values["z"]]
    rows, kernel_first, row_first = _rows_of(values, shape, session.records.effort.shape[1], model)
    first = {"lambda0": row_first, "sigma": kernel_first, "z": kernel_first}
    taken = {p: tuple(v[first[p]] for v in of_class) for p, of_class in values.items()}
    return _DetectionDesign(names, taken, rows)


def _every_row(values: Floats, size: int) -> Floats:
    """A matrix of the intercept alone repeats its one row."""
    return values if len(values) == size else np.repeat(values[:1], size, axis=0)


def _rows_of(
    values: Mapping[str, Sequence[Floats]], shape: tuple[int, ...], occasions: int, model: Model
) -> tuple[Rows | None, Ints, Ints]:
    """The distinct rows, and the first cell of each kernel and of each row; rows are None where plain."""
    detectors = shape[0]
    if shape[1:] == (1, 1):
        index = np.arange(detectors, dtype=np.int64)
        return None, index, index
    detector = np.repeat(np.arange(detectors, dtype=float), shape[1] * shape[2])
    _, kernel_first, kernel = np.unique(
        np.column_stack([detector, *values["sigma"], *values["z"]]), axis=0, return_index=True, return_inverse=True
    )
    _, row_first, row = np.unique(
        np.column_stack([kernel.ravel(), *values["lambda0"]]), axis=0, return_index=True, return_inverse=True
    )
    of_cell = np.broadcast_to(row.reshape(shape), (detectors, occasions, shape[2])).astype(np.int64)
    kernel_detector = detector[kernel_first].astype(np.int64)
    collapses = shape[1] == 1 and not is_learned(model.detection_variables)
    return (
        Rows(of_cell, kernel.ravel()[row_first].astype(np.int64), kernel_detector, collapses),
        kernel_first,
        row_first,
    )
