"""Model formulas: ``~ side + log(effort) + x + x^2 + sex:party`` as terms, and terms as design matrices.

The notation is that of Wilkinson and Rogers (1973, Applied Statistics 22:392-399) as far as models of this field
need it: ``+``, ``:`` (interaction), ``*`` (both main effects and the interaction), whole powers ``x^2``, ``log(x)``,
``0`` or ``-1`` for no intercept. Text and truth values are factors; their first level is the reference, and a factor
is coded in full where the term without it is not in the model (so ``0 + side`` gives each side its own parameter).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_TOKEN = re.compile(
    r"\s*(?:(?P<log>log\s*\(\s*(?P<inside>[^\W\d][\w.]*)\s*\))|(?P<name>[^\W\d][\w.]*))(?:\s*\^\s*(?P<power>\d+))?\s*"
)
INTERCEPT = "1"


@dataclass(frozen=True, slots=True, order=True)
class Variable:
    """One variable of a term: a column, its logarithm, or a whole power of either."""

    name: str
    power: int = 1
    log: bool = False

    def __str__(self) -> str:
        text = f"log({self.name})" if self.log else self.name
        return text if self.power == 1 else f"{text}^{self.power}"

    def of(self, values: Floats) -> Floats:
        """The variable's values from its column's. Raises ValueError for the logarithm of what is not positive."""
        if self.log and not (values > 0).all():
            raise ValueError(f"log({self.name}): some values are not above 0")
        return np.asarray((np.log(values) if self.log else values) ** self.power)


Term = tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class Formula:
    """Terms in the order in which they were written, and whether there is an intercept."""

    terms: tuple[Term, ...] = ()
    intercept: bool = True

    @property
    def variables(self) -> frozenset[str]:
        """Names of the columns that the formula needs."""
        return frozenset(v.name for term in self.terms for v in term)

    def without(self, variable: str) -> Formula:
        """The formula without any term in which `variable` stands."""
        return Formula(tuple(t for t in self.terms if variable not in {v.name for v in t}), self.intercept)

    def adding(self, other: Formula) -> Formula:
        """The formula with the terms of `other` after its own."""
        return Formula((*self.terms, *(t for t in other.terms if t not in self.terms)), self.intercept)

    def __str__(self) -> str:
        first = [] if self.intercept and self.terms else [INTERCEPT if self.intercept else "0"]
        return "~ " + " + ".join([*first, *(":".join(str(v) for v in term) for term in self.terms)])


def parse(text: str) -> Formula:
    """The formula that `text` says, with or without the tilde. Raises ValueError saying what cannot be read.

    Examples
    --------
    >>> str(parse("side * log(effort) + x^2 - 1"))
    '~ 0 + side + log(effort) + x^2 + side:log(effort)'
    """
    intercept, terms = True, list[Term]()
    for sign, piece in _pieces(text.strip().removeprefix("~")):
        if piece in ("0", "1"):
            intercept = (sign == "+") == (piece == "1")
        elif sign == "-":
            raise ValueError(f"{text!r}: only -1 can be taken away")
        else:
            terms += _expand(piece, text)
    once: dict[frozenset[Variable], Term] = {}
    for term in terms:
        once.setdefault(frozenset(term), term)  # b:a is a:b, whichever was written first
    return Formula(tuple(sorted(once.values(), key=len)), intercept)


def _pieces(text: str) -> list[tuple[str, str]]:
    """(sign, term) of each piece between + and - signs."""
    if not text.strip():
        return []
    parts = re.split(r"([+-])", text if text.strip()[0] in "+-" else f"+{text}")[1:]
    return [(sign, piece.strip()) for sign, piece in zip(parts[::2], parts[1::2], strict=True)]


def _expand(piece: str, text: str) -> list[Term]:
    """`a*b` as a, b, a:b; anything else as itself."""
    terms: list[Term] = [()]
    for operand in piece.split("*"):
        variables = tuple(_variable(v, text) for v in operand.split(":"))
        terms += [tuple(dict.fromkeys((*term, *variables))) for term in terms]
    return terms[1:] if "*" in piece else terms[-1:]


def _variable(piece: str, text: str) -> Variable:
    found = _TOKEN.fullmatch(piece)
    if not found:
        raise ValueError(f"{text!r}: {piece.strip() or 'nothing'!r} is not a variable, log(variable) or variable^2")
    return Variable(found["inside"] or found["name"], int(found["power"] or 1), found["log"] is not None)


@dataclass(frozen=True, slots=True)
class Matrix:
    """A design matrix, shape (rows, columns), and the names of its columns (the intercept's is ``1``)."""

    names: tuple[str, ...]
    values: Floats


def levels_of(column: NDArray[np.generic]) -> tuple[str, ...]:
    """Levels of a factor in order; () for numbers. Text that is empty is a level like any other."""
    if column.dtype.kind in "fiu":
        return ()
    return tuple(sorted({str(v) for v in np.unique(column)}))


def design_matrix(
    formula: Formula,
    columns: Mapping[str, NDArray[np.generic]],
    levels: Mapping[str, Sequence[str]] | None = None,
) -> Matrix:
    """The design matrix of `formula` on `columns` (equal lengths, at least one column or none needed).

    `levels`: levels of each factor, the first the reference; taken from the column where not given. Give them where
    several tables must have the same columns. Raises ValueError naming what is not among `columns`.
    """
    unknown = sorted(formula.variables - set(columns))
    if unknown:
        raise ValueError(f"{formula}: {', '.join(unknown)} is not one of {', '.join(sorted(columns)) or '-'}")
    rows = len(next(iter(columns.values()))) if columns else 1
    known = {n: tuple((levels or {}).get(n) or levels_of(columns[n])) for n in formula.variables}
    names, parts = ([INTERCEPT], [np.ones((rows, 1))]) if formula.intercept else ([], [])
    spanned: set[Term] = {()} if formula.intercept else set()
    for term in formula.terms:
        term_names, values = _term_columns(term, columns, known, spanned, rows)
        names += term_names
        parts.append(values)
        spanned.add(term)
    return Matrix(tuple(names), np.hstack(parts) if parts else np.empty((rows, 0)))


def _term_columns(
    term: Term,
    columns: Mapping[str, NDArray[np.generic]],
    levels: Mapping[str, tuple[str, ...]],
    spanned: set[Term],
    rows: int,
) -> tuple[list[str], Floats]:
    """Columns of one term: the products of its variables' columns. `spanned` grows by what full coding spans."""
    names, values = [""], np.ones((rows, 1))
    for variable in term:
        rest = tuple(v for v in term if v != variable)
        full = rest not in spanned
        own_names, own = _variable_columns(variable, columns[variable.name], levels[variable.name], full=full)
        if full and levels[variable.name]:
            spanned.add(rest)
        names = [f"{a}:{b}".removeprefix(":") for a in names for b in own_names]
        values = (values[:, :, None] * own[:, None, :]).reshape(rows, -1)
    return names, values


def _variable_columns(
    variable: Variable, column: NDArray[np.generic], levels: tuple[str, ...], *, full: bool
) -> tuple[list[str], Floats]:
    if not levels:
        return [str(variable)], variable.of(column.astype(np.float64))[:, None]
    coded = levels if full else levels[1:]
    text = column.astype(str)
    return [f"{variable.name}.{level}" for level in coded], np.stack([text == level for level in coded], 1).astype(
        float
    ) if coded else np.empty((len(text), 0))


@dataclass(frozen=True, slots=True)
class Scaling:
    """Columns as the optimiser sees them, and the way back.

    `matrix` (rows, p) has orthogonal columns of mean square 1 that span what the design spans; with coefficients
    `theta` on it, the coefficients on the design are `back` @ theta, their covariance `back` @ C @ `back`.T.
    """

    matrix: Floats
    back: Floats


def scaled(design: Floats) -> Scaling:
    """Orthogonal columns in place of `design` (rows, p), so that no unit or offset of a covariate matters.

    Raises ValueError if the columns are linearly dependent: their coefficients cannot be told apart.
    """
    if not design.shape[1]:
        return Scaling(design, np.empty((0, 0)))
    size = np.sqrt((design**2).mean(axis=0))
    if (size == 0).any():
        raise ValueError("a column of the design is zero everywhere")
    q, r = np.linalg.qr(design / size)
    sign = np.where(np.diag(r) < 0, -1.0, 1.0)
    if np.abs(np.diag(r)).min() < 1e-9 * np.sqrt(len(design)):
        raise ValueError("columns of the design are linearly dependent")
    root = np.sqrt(len(design))
    return Scaling(q * sign * root, np.linalg.inv(r * sign[:, None]) / size[:, None] * root)
