"""What the chances of occupancy and of detection depend on, and how parameters reach sites and visits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding
from sharedrange.population.formulas import (
    INTERCEPT,
    Formula,
    Matrix,
    Scaling,
    design_matrix,
    levels_of,
    parse,
    scaled,
)
from sharedrange.population.occupancy.visits import EFFORT, Bools, SiteVisits

Floats = NDArray[np.float64]
EffortUse = Literal["replicate", "offset"]
THETAS = ("theta0", "theta1")


@dataclass(frozen=True, slots=True)
class Model:
    """Formulas of occupancy `psi` (logit) and of detection `p` on a visit to an occupied site.

    `effort`: ``replicate``, a visit is a visit whatever its effort (p on the logit scale), or ``offset``, detections
    come at a constant rate of effort, p = 1 - exp(-effort exp(eta)) (complementary log-log with log effort as
    offset). `serial`: visits are segments along one transect, and sign on one makes sign on the next more likely
    (Hines et al. 2010).

    Examples
    --------
    >>> Model(psi="~ forest", p="~ log(snow)").without("forest").psi
    '~ 1'
    """

    psi: str = "~ 1"
    p: str = "~ 1"
    effort: EffortUse = "replicate"
    serial: bool = False

    def without(self, variable: str) -> Model:
        """The model without every term of `psi` and `p` in which `variable` stands; where none is left, a constant."""
        left = [parse(text).without(variable) for text in (self.psi, self.p)]
        psi, p = (str(formula if formula.terms else parse("~ 1")) for formula in left)
        return replace(self, psi=psi, p=p)


@dataclass(frozen=True, slots=True)
class Part:
    """Parameters of one formula: design, the columns the optimiser sees, and names."""

    name: str
    formula: Formula
    design: Matrix
    scaling: Scaling

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients: the part's own for the intercept."""
        return tuple(self.name if n == INTERCEPT else f"{self.name}.{n}" for n in self.design.names)

    @property
    def is_constant(self) -> bool:
        """Whether the part has an intercept and nothing else."""
        return self.design.names == (INTERCEPT,)


@dataclass(frozen=True, slots=True)
class Problem:
    """Surveyed sites and a model as arrays. S surveyed sites, K visits, R visits that were made (by site).

    `site` (S,): rows of `visits.sites`. `first` (S,): where each site's visits begin among the R; `row`, `column`
    (R,): their site and number; `seen` (R,), `any_seen` (S,); `offset` (R,): log effort, or 0.
    Parameters stand in the order psi, thetas, p.
    """

    model: Model
    psi: Part
    p: Part
    site: NDArray[np.intp]
    visited: Bools
    first: NDArray[np.intp]
    row: NDArray[np.intp]
    column: NDArray[np.intp]
    seen: Bools
    any_seen: Bools
    offset: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return (*self.psi.names, *(THETAS if self.model.serial else ()), *self.p.names)

    @property
    def psi_place(self) -> slice:
        """Where the coefficients of psi stand."""
        return slice(0, len(self.psi.names))

    @property
    def theta_place(self) -> slice:
        """Where the thetas stand (an empty stretch without serial dependence)."""
        start = self.psi_place.stop
        return slice(start, start + (len(THETAS) if self.model.serial else 0))

    @property
    def p_place(self) -> slice:
        """Where the coefficients of p stand."""
        start = self.theta_place.stop
        return slice(start, start + len(self.p.names))

    def part_of(self, index: int) -> Part | None:
        """The formula to which the parameter belongs; None for a theta."""
        if index < self.psi_place.stop:
            return self.psi
        return None if index < self.theta_place.stop else self.p

    def back(self) -> Floats:
        """Matrix from the optimiser's parameters to those of the formulas, shape (P, P)."""
        matrix = np.eye(len(self.names))
        matrix[self.psi_place, self.psi_place] = self.psi.scaling.back
        matrix[self.p_place, self.p_place] = self.p.scaling.back
        return matrix

    def with_detections(self, seen: Bools) -> Problem:
        """The same visits with other detections, shape (R,)."""
        return replace(self, seen=seen, any_seen=np.logical_or.reduceat(seen, self.first))


def prepare(visits: SiteVisits, model: Model) -> Problem:
    """`visits` and `model` as arrays; sites without a visit are left out.

    Raises InputError with everything that is wrong: a formula that cannot be read, unknown or missing covariates,
    columns that cannot be told apart, no visit at all.
    """
    surveyed = np.flatnonzero(visits.surveyed)
    if not len(surveyed):
        raise InputError([Finding("occupancy-nothing-visited")])
    of_site = {name: values[surveyed] for name, values in visits.site_columns().items()}
    found: list[Finding] = []
    psi = _part("psi", model.psi, of_site, len(surveyed), found)
    of_visit = visits.visit_columns()
    p = _part("p", model.p, of_visit, int(visits.visited.sum()), found)
    if model.effort == "offset":
        found += [f for f in _missing("p", parse(f"~ {EFFORT}"), of_visit) if f not in found]
    if found or psi is None or p is None:
        raise InputError(found)
    visited = visits.visited[surveyed]
    row, column = np.nonzero(visited)
    seen = visits.detected[surveyed][visited]
    first = np.searchsorted(row, np.arange(len(surveyed)))
    effort = visits.effort[surveyed][visited]
    offset = np.log(effort) if model.effort == "offset" else np.zeros(len(row))
    any_seen = np.logical_or.reduceat(seen, first)
    return Problem(model, psi, p, surveyed, visited, first, row, column, seen, any_seen, offset)


def _part(
    name: str, text: str, columns: Mapping[str, NDArray[np.generic]], rows: int, found: list[Finding]
) -> Part | None:
    """The part of one formula; what is wrong is added to `found`."""
    try:
        formula = _with_terms(text)
        missing = _missing(name, formula, columns)
        found += missing
        if missing:
            return None
        design = design_matrix(formula, columns or {"": np.ones(rows)})
        return Part(name, formula, design, scaled(design.values))
    except ValueError as error:
        found.append(Finding("occupancy-formula", {"parameter": name, "formula": text, "problem": str(error)}))
        return None


def _with_terms(text: str) -> Formula:
    formula = parse(text)
    if not (formula.terms or formula.intercept):
        raise ValueError(f"{text!r}: a formula without any term")
    return formula


def _missing(name: str, formula: Formula, columns: Mapping[str, NDArray[np.generic]]) -> list[Finding]:
    """A finding for each covariate of the formula without a value somewhere."""
    found = []
    for variable in sorted(formula.variables & set(columns)):
        values = columns[variable]
        absent = int((~np.isfinite(values.astype(float))).sum() if values.dtype.kind in "fiu" else (values == "").sum())
        if absent:
            facts: dict[str, Fact] = {"covariate": variable, "number": absent, "parameter": name}
            found.append(Finding("occupancy-covariate-missing", facts))
    return found


def predict_design(problem: Problem, visits: SiteVisits) -> tuple[Floats, Bools]:
    """Design of psi for all sites, shape (all sites, p), and which of them have every covariate that it needs.

    A factor's level that no surveyed site has cannot be predicted.
    """
    formula, columns = problem.psi.formula, visits.site_columns()
    known = np.ones(visits.sites.height, dtype=bool)
    levels: dict[str, tuple[str, ...]] = {}
    safe: dict[str, NDArray[np.generic]] = {"": np.ones(len(known))}
    for variable in formula.variables:
        fitted = columns[variable][problem.site]
        levels[variable] = levels_of(fitted)
        here = (
            np.isin(columns[variable], levels[variable])
            if levels[variable]
            else np.isfinite(columns[variable].astype(float))
        )
        logged = any(v.log and v.name == variable for term in formula.terms for v in term)
        if logged:
            here &= np.nan_to_num(columns[variable].astype(float)) > 0
        safe[variable] = np.where(here, columns[variable], fitted[0])
        known &= here
    return design_matrix(formula, safe, levels).values, known
