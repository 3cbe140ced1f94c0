"""What the names in a formula stand for: columns over mask points, and over detectors, occasions and states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.core.survey import SEXES
from sharedrange.population.formulas import Formula, Matrix, design_matrix, levels_of
from sharedrange.population.scr.encounters import STATES
from sharedrange.population.scr.model import LEARNED, MIXTURES, SEX, Covariates
from sharedrange.population.scr.session import Session

Floats = NDArray[np.float64]
Column = NDArray[np.generic]
_NOT_COVARIATES = ("x_m", "y_m", "detector")


@dataclass(frozen=True, slots=True)
class AnimalClass:
    """A class of animals: its sex, and the number of its latent class ("" where there is none)."""

    sex: str = ""
    mixture: str = ""

    def columns(self) -> dict[str, Column]:
        """What formulas see of it, each of length 1."""
        latent = {name: np.array([self.mixture]) for name in MIXTURES}
        return {SEX: np.array([self.sex]), **latent}

    def __str__(self) -> str:
        return ".".join(part for part in (self.sex, f"class{self.mixture}" if self.mixture else "") if part)


def column_of(values: pl.Series, name: str) -> Column:
    """A column of a table as numbers or as text. Raises InputError if numbers are missing."""
    if not values.dtype.is_numeric():
        return values.cast(pl.String).fill_null("").to_numpy().astype(str)
    numbers = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
    if not np.isfinite(numbers).all():
        missing = int((~np.isfinite(numbers)).sum())
        raise InputError([Finding("scr-covariate-missing", {"variable": name, "missing": missing})])
    return np.asarray(numbers)


def session_columns(sessions: Sequence[Session], index: int, covariates: Covariates) -> dict[str, Column]:
    """Variables that hold for a whole session, each of length 1."""
    given = {n: column_of(v, n) for n, v in covariates.of_session(index).items()}
    return {**given, "session": np.array([sessions[index].name]), "Session": np.array([float(index)])}


def mask_columns(
    sessions: Sequence[Session], index: int, covariates: Covariates, sides: Sequence[str]
) -> dict[str, Column]:
    """Variables of density, each of length M (block order). A point on no side of `sides` has the nearest's."""
    s = sessions[index]
    size = len(s.mask_x_m)
    given = {n: column_of(v, n)[s.mask_row] for n, v in covariates.of_mask(index).items()}
    own = nearest_of(s.side, np.column_stack([s.mask_x_m, s.mask_y_m]), sides) if sides else s.side
    whole = {n: np.repeat(v, size) for n, v in session_columns(sessions, index, covariates).items()}
    return {**given, **whole, **_standardised(sessions, s), "side": own.astype(str)}


def _standardised(sessions: Sequence[Session], session: Session) -> dict[str, Column]:
    """Coordinates less their mean over all masks, divided by their standard deviation (as secr scales x and y)."""
    found: dict[str, Column] = {}
    for name, place in (("x", "place_x_m"), ("y", "place_y_m")):
        everywhere = np.concatenate([getattr(s, place) for s in sessions])
        spread = float(everywhere.std(ddof=1)) if len(everywhere) > 1 else 1.0
        found[name] = (getattr(session, place) - everywhere.mean()) / (spread or 1.0)
    return found


def detection_columns(sessions: Sequence[Session], index: int, covariates: Covariates) -> dict[str, Column]:
    """Variables of detection, each an array that broadcasts to (J, K, STATES)."""
    s = sessions[index]
    occasions = s.records.effort.shape[1]
    found: dict[str, Column] = {
        n: column_of(s.detectors[n], n)[:, None, None] for n in s.detectors.columns if n not in _NOT_COVARIATES
    }
    found |= {n: v[:, None, None] for n, v in session_columns(sessions, index, covariates).items()}
    found |= {n: column_of(v, n)[None, :, None] for n, v in covariates.of_occasions(index).items()}
    found["party"] = s.party[:, None, None]
    found["effort"] = _effort(s.records.effort)[:, :, None]
    found["t"] = np.array([str(k + 1) for k in range(occasions)])[None, :, None]
    found["T"] = np.arange(float(occasions))[None, :, None]
    found["b"] = np.array([0.0, 1.0, 1.0])[None, None, :STATES]
    found["bk"] = np.array([0.0, 0.0, 1.0])[None, None, :STATES]
    return found


def _effort(effort: Floats) -> Floats:
    """Effort as a covariate; a cell without any is never met and has 1, so that its logarithm exists."""
    filled = np.where(effort > 0, effort, 1.0)
    return filled[:, :1] if (filled == filled[:, :1]).all() else filled


def grid_of(columns: Mapping[str, Column], wanted: frozenset[str], detectors: int) -> dict[str, Column]:
    """The columns that are wanted on the smallest common grid (J, 1 or K, 1 or STATES), in three dimensions."""
    arrays = {n: columns[n] for n in sorted(wanted) if n in columns}
    shape = np.broadcast_shapes((detectors, 1, 1), *(a.shape for a in arrays.values()))
    return {n: np.broadcast_to(a, shape) for n, a in arrays.items()}


def matrix(
    parameter: str,
    formula: Formula,
    columns: Mapping[str, Column],
    levels: Mapping[str, Sequence[str]],
    rows: int,
) -> Matrix:
    """The design matrix of one parameter. Raises InputError for variables that are not there, logarithms of 0."""
    unknown = sorted(formula.variables - set(columns))
    if unknown:
        known = ", ".join(sorted(set(columns) - set(MIXTURES))) or "-"
        facts = {"parameter": parameter, "variable": ", ".join(unknown), "known": known}
        raise InputError([Finding("scr-formula-unknown", facts)])
    used = {n: _levelled(columns[n], levels.get(n, ())) for n in formula.variables}
    try:
        return design_matrix(formula, used or {"": np.zeros(rows)}, levels)
    except ValueError as wrong:
        facts = {"parameter": parameter, "formula": str(formula), "problem": str(wrong)}
        raise InputError([Finding("scr-formula-unreadable", facts)]) from wrong


def _levelled(column: Column, levels: Sequence[str]) -> Column:
    """A factor in which what is none of its levels has the first: data too thin for a parameter of their own."""
    if not levels:
        return column
    return np.where(np.isin(column.astype(str), levels), column.astype(str), levels[0])


def factor_levels(columns: Sequence[Mapping[str, Column]], sessions: Sequence[Session]) -> dict[str, tuple[str, ...]]:
    """Levels of every factor over all sessions: in their own order where they have one, else the alphabet's."""
    found: dict[str, set[str]] = {}
    for of_session in columns:
        for name, values in of_session.items():
            found.setdefault(name, set()).update(levels_of(values.ravel()))
    levels = {name: tuple(sorted(values)) for name, values in found.items()}
    levels["t"] = tuple(sorted(levels.get("t", ()), key=int))
    levels["session"] = tuple(dict.fromkeys(s.name for s in sessions))
    levels[SEX] = SEXES
    return {**levels, **{name: tuple(str(k + 1) for k in range(n)) for name, n in MIXTURES.items()}}


def nearest_of(side: NDArray[np.str_], xy: Floats, sides: Sequence[str]) -> NDArray[np.str_]:
    """The side of each point, or of the nearest point that is on one of `sides`, shape (M,)."""
    known = np.isin(side, sides)
    if known.all() or not known.any():
        return side
    _, nearest = cKDTree(xy[known]).query(xy[~known])
    filled = side.copy()
    filled[~known] = side[known][nearest]
    return filled


def is_learned(variables: frozenset[str]) -> bool:
    """Whether an animal's first capture changes what comes after."""
    return bool(variables & set(LEARNED))
