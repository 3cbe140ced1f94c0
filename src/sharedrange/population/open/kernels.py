"""How activity centres move from one year to the next: a dispersal kernel on the mask, never off it.

An animal at mask point m' is at m a year later with probability k(|m - m'|) / sum over the mask of k: it does not
leave the mask ("truncated" edges; Efford & Schofield 2020, Biometrics 76:392-402, and openCR). The mask must
therefore reach as far as animals of the surveyed area go; what is beyond exchanges as many animals as it receives.

Both kernels are given by the standard deviation s of the displacement along one axis:

* ``normal``: k = exp(-d^2 / 2 s^2);
* ``laplace``: k = exp(-d / a) with a = s / sqrt(3), more stay-at-homes and more travellers.

On a square grid the normal kernel is a product over the axes (two matrix products) and the other a convolution
(FFT); on scattered points it is a matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
KernelName = Literal["normal", "laplace", "none"]

_OFF_GRID = 0.01  # share of the spacing by which points of a grid may be off
_MOST_EMPTY = 20  # grid cells for each mask point beyond which a grid costs more than it saves
_ROOT_3 = float(np.sqrt(3.0))


class Movement(Protocol):
    """Moves amounts on the mask. Arrays have shape (n, M) or (M,)."""

    def forward(self, x: Floats) -> Floats:
        """Where amounts at each point are a year later."""
        ...

    def backward(self, y: Floats) -> Floats:
        """What y is worth a year later to an animal now at each point: the transpose of `forward`."""
        ...

    def slope(self, x: Floats, y: Floats, back: Floats) -> float:
        """Derivative of sum(y * forward(x)) by log s; `back` is backward(y)."""
        ...


@dataclass(frozen=True, slots=True)
class Still:
    """Activity centres stay where they are."""

    def forward(self, x: Floats) -> Floats:
        """The same amounts."""
        return x

    def backward(self, y: Floats) -> Floats:
        """The same worth."""
        return y

    def slope(self, x: Floats, y: Floats, back: Floats) -> float:  # noqa: ARG002  (nothing moves, whatever is asked)
        """Zero."""
        return 0.0


class _Smoother(Protocol):
    """The symmetric operator C with elements k(|m - m'|), without normalisation."""

    def apply(self, x: Floats) -> Floats:
        """C x for the rows of x, shape (n, M)."""
        ...

    def slope(self, u: Floats, y: Floats) -> float:
        """sum(y * C' u), C' the derivative of C by log s."""
        ...

    def total_slope(self) -> Floats:
        """C' 1, shape (M,)."""
        ...


class Kernel:
    """A dispersal kernel: a smoother whose columns are made to sum to 1 over the mask."""

    def __init__(self, smoother: _Smoother, points: int) -> None:
        self._smoother = smoother
        self._total = smoother.apply(np.ones((1, points)))[0]
        self._total_slope: Floats = smoother.total_slope() / self._total

    def forward(self, x: Floats) -> Floats:
        """Where amounts at each point are a year later."""
        return self._rows(self._smoother.apply, x / self._total)

    def backward(self, y: Floats) -> Floats:
        """What y is worth a year later to an animal now at each point."""
        return np.asarray(self._rows(self._smoother.apply, y) / self._total)

    def slope(self, x: Floats, y: Floats, back: Floats) -> float:
        """Derivative of sum(y * forward(x)) by log s: of the kernel, and of the sum that it is divided by."""
        moved = self._smoother.slope(np.atleast_2d(x / self._total), np.atleast_2d(y))
        return moved - float((back * x * self._total_slope).sum())

    def _rows(self, operator: Callable[[Floats], Floats], x: Floats) -> Floats:
        return operator(x) if x.ndim == 2 else operator(x[None])[0]


@dataclass(frozen=True, slots=True)
class Lattice:
    """Mask points on a square grid: the grid's shape (rows, columns) and each point's cell, shape (M,)."""

    shape: tuple[int, int]
    row: Ints
    column: Ints
    spacing_m: float

    def spread(self, x: Floats) -> Floats:
        """Rows (n, M) as grids (n, rows, columns), 0 off the mask."""
        grids = np.zeros((len(x), *self.shape))
        grids[:, self.row, self.column] = x
        return grids

    def gather(self, grids: Floats) -> Floats:
        """Grids as rows."""
        return np.asarray(grids[:, self.row, self.column])


def lattice_of(x_m: Floats, y_m: Floats, spacing_m: float) -> Lattice | None:
    """The square grid that the points lie on; None if they lie on none, or one mostly empty."""
    columns, rows = ((axis - axis.min()) / spacing_m for axis in (x_m, y_m))
    column, row = np.rint(columns).astype(np.int64), np.rint(rows).astype(np.int64)
    off = max(np.abs(columns - column).max(), np.abs(rows - row).max())
    shape = (int(row.max()) + 1, int(column.max()) + 1)
    cells = row * shape[1] + column
    if off > _OFF_GRID or len(np.unique(cells)) < len(cells) or shape[0] * shape[1] > _MOST_EMPTY * len(x_m):
        return None
    return Lattice(shape, row, column, spacing_m)


class _Separable:
    """The normal kernel on a grid: one matrix an axis."""

    def __init__(self, lattice: Lattice, scale_m: float) -> None:
        self._lattice = lattice
        self._along_y, self._slope_y = _axis(lattice.shape[0], lattice.spacing_m / scale_m)
        self._along_x, self._slope_x = _axis(lattice.shape[1], lattice.spacing_m / scale_m)

    def apply(self, x: Floats) -> Floats:
        return self._lattice.gather(self._along_y @ (self._lattice.spread(x) @ self._along_x))

    def slope(self, u: Floats, y: Floats) -> float:
        # sum y (Gy u Gx' + Gy' u Gx): each term is one small matrix of sums against one of derivatives
        u_grid, y_grid = self._lattice.spread(u), self._lattice.spread(y)
        columns = np.tensordot(self._along_y @ u_grid, y_grid, axes=([0, 1], [0, 1]))
        rows = np.tensordot(y_grid, u_grid @ self._along_x, axes=([0, 2], [0, 2]))
        return float((columns * self._slope_x).sum() + (rows * self._slope_y).sum())

    def total_slope(self) -> Floats:
        ones = self._lattice.spread(np.ones((1, len(self._lattice.row))))
        along_x = self._along_y @ (ones @ self._slope_x)
        along_y = self._slope_y @ (ones @ self._along_x)
        return np.asarray(self._lattice.gather(along_x + along_y)[0])


def _axis(n: int, step: float) -> tuple[Floats, Floats]:
    """exp(-d^2 / 2) between n points `step` standard deviations apart, and its derivative by log s."""
    d2 = (step * (np.arange(n)[:, None] - np.arange(n))) ** 2
    g = np.exp(-0.5 * d2)
    return g, g * d2


class _Convolution:
    """Any kernel on a grid, by FFT."""

    def __init__(self, lattice: Lattice, scale_m: float, kernel: KernelName) -> None:
        self._lattice = lattice
        self._size = tuple(fft.next_fast_len(2 * n - 1, real=True) for n in lattice.shape)
        offsets = (lattice.spacing_m * fft.fftfreq(n, 1.0 / n) for n in self._size)
        dy, dx = np.meshgrid(*offsets, indexing="ij")
        k, slope = _kernel(np.hypot(dx, dy), scale_m, kernel)
        self._k, self._slope = fft.rfft2(k), fft.rfft2(slope)

    def apply(self, x: Floats) -> Floats:
        return self._convolve(x, self._k)

    def slope(self, u: Floats, y: Floats) -> float:
        return float((y * self._convolve(u, self._slope)).sum())

    def total_slope(self) -> Floats:
        return np.asarray(self._convolve(np.ones((1, len(self._lattice.row))), self._slope)[0])

    def _convolve(self, x: Floats, transformed: NDArray[np.complex128]) -> Floats:
        rows, columns = self._lattice.shape
        far = fft.irfft2(fft.rfft2(self._lattice.spread(x), self._size) * transformed, self._size)
        # the transform leaves +-1e-17 where nothing can arrive; amounts are never negative
        return self._lattice.gather(np.maximum(far[:, :rows, :columns], 0.0) if (x >= 0).all() else far)


class _Matrix:
    """Any kernel between scattered points."""

    def __init__(self, x_m: Floats, y_m: Floats, scale_m: float, kernel: KernelName) -> None:
        distance = np.hypot(x_m[:, None] - x_m, y_m[:, None] - y_m)
        self._k, self._slope = _kernel(distance, scale_m, kernel)

    def apply(self, x: Floats) -> Floats:
        return np.asarray(x @ self._k)

    def slope(self, u: Floats, y: Floats) -> float:
        return float((y * (u @ self._slope)).sum())

    def total_slope(self) -> Floats:
        return np.asarray(self._slope.sum(axis=0))


def _kernel(distance_m: Floats, scale_m: float, kernel: KernelName) -> tuple[Floats, Floats]:
    """The kernel k at each distance, and its derivative by log s."""
    if kernel == "normal":
        d2 = (distance_m / scale_m) ** 2
        k = np.exp(-0.5 * d2)
        return k, k * d2
    d = distance_m * _ROOT_3 / scale_m
    k = np.exp(-d)
    return k, k * d


def movement(
    x_m: Floats, y_m: Floats, lattice: Lattice | None, scale_m: float, kernel: KernelName, *, dense: bool = False
) -> Movement:
    """The kernel of standard deviation `scale_m` on a mask; `dense` asks for the matrix whatever the mask."""
    if kernel == "none":
        return Still()
    if lattice is None or dense:
        return Kernel(_Matrix(x_m, y_m, scale_m, kernel), len(x_m))
    if kernel == "normal":
        return Kernel(_Separable(lattice, scale_m), len(x_m))
    return Kernel(_Convolution(lattice, scale_m, kernel), len(x_m))
