"""From parameters to rates: formulas, links, and the way back of derivatives.

The parameters are coefficients on orthogonal columns (`formulas.scaled`), so that no covariate's unit matters; `back`
turns them into those of the formula as written. Rates are annual. Over a gap of d years survival is phi^d, arrivals
are f d for each animal of the year before, and the standard deviation of movement is s sqrt(d).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.core.survey import SEXES
from sharedrange.population.formulas import INTERCEPT, Formula, design_matrix, scaled
from sharedrange.population.open.arrivals import Demography, DemographyGradient
from sharedrange.population.open.kernels import KernelName, lattice_of, movement
from sharedrange.population.open.years import Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PSI = "psi_male"
_PER_100KM2 = 100.0
_LABELLED = ("year", "side", "party", "camera_type", "sex")


@dataclass(frozen=True, slots=True)
class Model:
    """Formulas whose every term the data can have, and the levels of side that have a density or survival of their own.

    `sides`: from the mask's sides to the level that each belongs to. `parties`: the same for detectors' parties.
    """

    formulas: Mapping[str, Formula]
    movement: KernelName = "normal"
    spatial: bool = True
    sides: Mapping[str, str] | None = None
    parties: Mapping[str, str] | None = None

    @property
    def by_sex(self) -> bool:
        """Whether animals come in two classes."""
        return any("sex" in formula.variables for formula in self.formulas.values())


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of parameter: where it stands in the vector, its design on orthogonal columns, the way back.

    `labels`: what each row of the design is about, in the variables that the formula names (`2014.north.female`).
    """

    names: tuple[str, ...]
    place: slice
    matrix: Floats
    back: Floats
    labels: tuple[str, ...]

    def line(self, theta: Floats) -> Floats:
        """Values on the link scale, one a row of the design."""
        return np.asarray(self.matrix @ theta[self.place])


class Design:
    """A model on one set of records: its parameters, and what they say.

    `parts` by name: D, phi, f, sigma_move, lambda0 (or g0), sigma, psi_male; those that the model has not are absent.
    Raises InputError where the columns of a formula cannot be told apart, or it takes the logarithm of 0 or less.
    """

    def __init__(self, model: Model, data: Records) -> None:
        self.model, self.data = model, data
        self.classes = len(SEXES) if model.by_sex else 1
        self.lattice = lattice_of(data.mask.x_m, data.mask.y_m, data.mask.spacing_m)
        self.side, self.side_levels = self._sides()
        self.parts: dict[str, Part] = {}
        self._add("D", "density", self._mask_columns())
        self._add("phi", "survival", self._interval_columns(by_side=True))
        self._add("f", "recruitment", self._interval_columns(classes=1))
        if model.spatial and model.movement != "none":
            self._add("sigma_move", "dispersal", self._interval_columns())
        self._add(data.detection.intercept, "lambda0", self._detector_columns())
        if model.spatial:
            self._add("sigma", "sigma", self._detector_columns())
        if model.by_sex:
            self._join(PSI, (PSI,), np.ones((1, 1)), np.ones((1, 1)))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients of the formulas as written."""
        return tuple(name for part in self.parts.values() for name in part.names)

    @property
    def back(self) -> Floats:
        """From parameters to coefficients, shape (p, p)."""
        whole = np.zeros((len(self.names),) * 2)
        for part in self.parts.values():
            whole[part.place, part.place] = part.back
        return whole

    def _add(self, name: str, formula: str, columns: Mapping[str, NDArray[np.generic]]) -> None:
        try:
            made = design_matrix(self.model.formulas[formula], columns)
            whole = scaled(made.values)
        except ValueError as error:
            facts = {"parameter": formula, "formula": str(self.model.formulas[formula]), "problem": str(error)}
            raise InputError([Finding("open-formula-unusable", facts)]) from error
        names = tuple(name if term == INTERCEPT else f"{name}.{term}" for term in made.names)
        self._join(name, names, whole.matrix, whole.back, self._labels(self.model.formulas[formula], columns))

    def _join(
        self, name: str, names: tuple[str, ...], matrix: Floats, back: Floats, labels: tuple[str, ...] = ("",)
    ) -> None:
        start = len(self.names)
        self.parts[name] = Part(names, slice(start, start + len(names)), matrix, back, labels)

    def _labels(self, formula: Formula, columns: Mapping[str, NDArray[np.generic]]) -> tuple[str, ...]:
        """A label a row; years by name, whether they enter as a factor or as a number."""
        spoken = dict(columns)
        if "t" in formula.variables:
            spoken["year"] = np.array(self.data.names)[
                np.searchsorted(self.data.times - self.data.times[0], columns["t"])
            ]
        named = formula.variables | ({"year"} if "t" in formula.variables else set())
        parts = [spoken[name].astype(str) for name in _LABELLED if name in named]
        rows = len(next(iter(columns.values())))
        return tuple(".".join(row) for row in zip(*parts, strict=True)) if parts else ("",) * rows

    def _sides(self) -> tuple[Ints, tuple[str, ...]]:
        """Level of side of each mask point, and the levels."""
        known = self.model.sides or {}
        names = np.array([known.get(str(side), str(side)) for side in self.data.mask.side])
        levels, index = np.unique(names, return_inverse=True)
        return index.ravel().astype(np.int64), tuple(str(level) for level in levels)

    def _mask_columns(self) -> dict[str, NDArray[np.generic]]:
        mask = self.data.mask
        return {"side": np.array(self.side_levels)[self.side], "x": mask.x_m, "y": mask.y_m}

    def _interval_columns(self, classes: int | None = None, *, by_side: bool = False) -> dict[str, NDArray[np.generic]]:
        """Covariates by class, interval and level of side (the last fastest)."""
        data, sides = self.data, self.side_levels if by_side else ("",)
        shape = (classes or self.classes, len(data.times) - 1, len(sides))
        sex, interval, side = (axis.ravel() for axis in np.indices(shape))
        return {
            "sex": np.array(SEXES)[sex],
            "year": np.array(data.names)[interval],
            "t": (data.times - data.times[0])[interval],
            "side": np.array(sides)[side],
        }

    def _detector_columns(self) -> dict[str, NDArray[np.generic]]:
        """Covariates by class and distinct detector."""
        watch, known = self.data.watch, self.model.parties or {}
        columns = {name: np.tile(values, self.classes) for name, values in watch.columns.items()}
        if "party" in columns:
            columns["party"] = np.array([known.get(str(party), str(party)) for party in columns["party"]])
        return {**columns, "sex": np.array(SEXES).repeat(len(watch.x_m))[: self.classes * len(watch.x_m)]}

    # rates

    def annual_survival(self, theta: Floats) -> Floats:
        """Annual survival phi by class, interval and level of side."""
        shape = (self.classes, len(self.data.times) - 1, len(self.side_levels))
        return np.asarray(expit(self.parts["phi"].line(theta)).reshape(shape))

    def demography(self, theta: Floats, *, dense: bool = False) -> Demography:
        """Rates over each gap between surveys."""
        gap, mask = self.data.gap_years, self.data.mask
        survival = self.annual_survival(theta) ** gap[None, :, None]
        scales = self.move_m(theta) * np.sqrt(gap)
        kernel: KernelName = self.model.movement if "sigma_move" in self.parts else "none"
        made = {
            s: movement(mask.x_m, mask.y_m, self.lattice, s, kernel, dense=dense) for s in set(scales.ravel().tolist())
        }
        return Demography(
            cells=np.exp(self.parts["D"].line(theta)) * mask.cell_area_km2 / _PER_100KM2,
            share=self.shares(theta),
            survival=survival[:, :, self.side],
            recruits=np.exp(self.parts["f"].line(theta)) * gap,
            moves=[[made[s] for s in row] for row in scales.tolist()],
        )

    def move_m(self, theta: Floats) -> Floats:
        """Annual standard deviation of movement along one axis, by class and interval; 0 if there is none."""
        shape = (self.classes, len(self.data.times) - 1)
        if "sigma_move" not in self.parts:
            return np.zeros(shape)
        return np.asarray(np.exp(self.parts["sigma_move"].line(theta)).reshape(shape))

    def shares(self, theta: Floats) -> Floats:
        """Share of each class in year 1 and among recruits."""
        if self.classes == 1:
            return np.ones(1)
        male = float(expit(self.parts[PSI].line(theta)[0]))
        return np.array([1.0 - male, male])

    def intensity(self, theta: Floats) -> Floats:
        """Intensity on its link scale, by class and distinct detector."""
        return self.parts[self.data.detection.intercept].line(theta).reshape(self.classes, -1)

    def log_sigma(self, theta: Floats) -> Floats:
        """The log of sigma (metres), by class and distinct detector; 0 without space."""
        shape = (self.classes, len(self.data.watch.x_m))
        return self.parts["sigma"].line(theta).reshape(shape) if self.model.spatial else np.zeros(shape)

    # the way back

    def pull_back(
        self, theta: Floats, by: DemographyGradient, by_intensity: Sequence[Floats], by_log_sigma: Sequence[Floats]
    ) -> Floats:
        """Derivatives by the parameters, from those by rates and by each class's detectors."""
        gap, gradient = self.data.gap_years, np.zeros(len(self.names))
        levels = len(self.side_levels)
        by_level = np.stack([
            [np.bincount(self.side, weights=row, minlength=levels) for row in rows] for rows in by.log_survival
        ])  # fmt: skip
        by_link = by_level * gap[None, :, None] * (1.0 - self.annual_survival(theta))
        lines = {
            "D": by.log_cells,
            "phi": by_link.ravel(),
            "f": by.log_recruits,
            "sigma_move": by.log_move.ravel(),
            self.data.detection.intercept: np.concatenate(by_intensity),
            "sigma": np.concatenate(by_log_sigma),
        }
        for name, part in self.parts.items():
            if name != PSI:
                gradient[part.place] = part.matrix.T @ lines[name]
        if self.classes > 1:
            female, male = self.shares(theta)
            gradient[self.parts[PSI].place] = female * by.log_share[1] - male * by.log_share[0]
        return gradient
