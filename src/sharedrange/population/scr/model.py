"""What is asked of a fit: a formula for each parameter, a detection function, and which likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import polars as pl

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.population.formulas import Formula, parse
from sharedrange.population.scr.detection import Detection, FunctionName
from sharedrange.population.scr.distance import Distance

LikelihoodName = Literal["full", "conditional"]
NumberName = Literal["poisson", "binomial"]
PARAMETERS = ("D", "lambda0", "sigma", "z", "pmix")
DETECTION = ("lambda0", "sigma", "z")
LEARNED = ("b", "bk")
MIXTURES = {"h2": 2, "h3": 3}
SEX = "sex"
_NULL = "~ 1"


@dataclass(frozen=True, slots=True)
class Model:
    """Formulas on the link scale, in the notation of `population.formulas`.

    `D`: log of density, on mask covariates, ``x``, ``y`` (standardised over the mask), ``side``, ``session`` (a
    factor) and ``Session`` (0, 1, ... in order). ``0 + side`` gives each side its own density.
    `lambda0`: log of the cumulative hazard at distance 0 (for HN, HR and EX: logit of g0); `sigma`: log of the spatial
    scale in metres; `z`: log of the hazard rate's shape. Their variables: columns of the detectors' table (``party``,
    ``camera_type``, ...), ``effort``, ``session``, ``Session``, occasion covariates, ``t`` (the occasion as a factor),
    ``T`` (0, 1, ... over occasions), ``b`` (caught before in the session), ``bk`` (caught before at that detector),
    ``sex``, and latent classes ``h2`` or ``h3``.
    `pmix`: logit of the share of males, or of each latent class against the first, by session.
    `likelihood`: ``conditional`` on detection leaves density out (Borchers and Efford 2008); `number`: animals on the
    mask are Poisson, or a fixed number (``binomial``). `sides`: parties whose side may have a density of its own; ()
    for all sides of the mask. `distance`: None is Euclidean.

    Examples
    --------
    >>> Model("HN", lambda0="~ b + T").formula("lambda0").variables == {"b", "T"}
    True
    """

    detection_function: FunctionName = "HHN"
    D: str = _NULL
    lambda0: str = _NULL
    sigma: str = _NULL
    z: str = _NULL
    pmix: str = _NULL
    likelihood: LikelihoodName = "full"
    number: NumberName = "poisson"
    sides: tuple[str, ...] = ()
    distance: Distance | None = None

    def formula(self, parameter: str) -> Formula:
        """The formula of one of PARAMETERS. Raises InputError if it cannot be read."""
        text = str(getattr(self, parameter))
        try:
            return parse(text)
        except ValueError as wrong:
            facts = {"parameter": parameter, "formula": text, "problem": str(wrong)}
            raise InputError([Finding("scr-formula-unreadable", facts)]) from wrong

    def with_formula(self, parameter: str, formula: Formula) -> Model:
        """The model with another formula for one parameter."""
        return self.with_formulas({parameter: str(formula)})

    def with_formulas(self, formulas: Mapping[str, str]) -> Model:
        """The model with other formulas, by parameter."""
        of = {p: formulas.get(p, str(getattr(self, p))) for p in PARAMETERS}
        return replace(self, D=of["D"], lambda0=of["lambda0"], sigma=of["sigma"], z=of["z"], pmix=of["pmix"])

    @property
    def detection_variables(self) -> frozenset[str]:
        """Everything that detection depends on."""
        return frozenset[str]().union(*(self.formula(p).variables for p in DETECTION))

    @property
    def by_sex(self) -> bool:
        """Whether females and males are classes."""
        return SEX in self.detection_variables

    @property
    def mixture(self) -> str:
        """``h2`` or ``h3`` if animals come in latent classes, else nothing. ``h3`` wins if both are named."""
        found = sorted(set(MIXTURES) & self.detection_variables)
        return found[-1] if found else ""

    @property
    def null(self) -> Model:
        """The model of intercepts only in which every animal is alike."""
        return self.with_formulas(dict.fromkeys(PARAMETERS, _NULL))

    @property
    def is_null(self) -> bool:
        """Whether there is nothing but intercepts."""
        return all(not self.formula(p).terms for p in PARAMETERS)

    def detection(self, kind: str) -> Detection:
        """What detectors of a kind observe under this model."""
        by_hazard = Detection(self.detection_function, counts_poisson=False).by_hazard
        return Detection(self.detection_function, kind == "count" and by_hazard, kind in ("multi", "single"))


@dataclass(frozen=True, slots=True)
class Covariates:
    """Tables that the core types have no place for.

    `mask`: one table a mask, rows as the mask's points (or one for all); `occasion`: one a session, row k the
    occasion k + 1; `session`: a row a session, in order. Columns of the detectors' tables need no mention.
    """

    mask: tuple[pl.DataFrame, ...] = ()
    occasion: tuple[pl.DataFrame, ...] = ()
    session: pl.DataFrame = field(default_factory=pl.DataFrame)

    def of_mask(self, index: int) -> Mapping[str, pl.Series]:
        """Columns of the mask of one session."""
        if not self.mask:
            return {}
        return _columns(self.mask[0] if len(self.mask) == 1 else self.mask[index])

    def of_occasions(self, index: int) -> Mapping[str, pl.Series]:
        """Columns of the occasions of one session."""
        return _columns(self.occasion[index]) if self.occasion else {}

    def of_session(self, index: int) -> Mapping[str, pl.Series]:
        """Columns of one session, each of length 1."""
        return _columns(self.session[index]) if self.session.height else {}


def _columns(table: pl.DataFrame) -> Mapping[str, pl.Series]:
    return {name: table[name] for name in table.columns}
