"""Which cells of detector, occasion and learned state a model tells apart: the rows and kernels, and their designs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.scr.encounters import Rows
from sharedrange.population.scr.model import DETECTION, Model
from sharedrange.population.scr.session import Session
from sharedrange.population.scr.variables import AnimalClass, Column, grid_of, is_learned, matrix

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DetectionDesign:
    """Column names and, a class, matrices of each detection parameter; the rows, None where they are plain."""

    names: dict[str, tuple[str, ...]]
    values: dict[str, tuple[Floats, ...]]
    rows: Rows | None


def detection_design(
    model: Model,
    session: Session,
    known: Mapping[str, Column],
    classes: Sequence[AnimalClass],
    factors: Mapping[str, Mapping[str, tuple[str, ...]]],
) -> DetectionDesign:
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
    return DetectionDesign(names, taken, rows)


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
