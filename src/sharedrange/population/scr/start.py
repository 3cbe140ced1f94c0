"""Starting values without hand work, from two moments of the data and from the simpler model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import logit

from sharedrange.core.survey import SEXES
from sharedrange.population.scr.design import PMIX, PSI, Design, Part
from sharedrange.population.scr.detection import FunctionName, fall
from sharedrange.population.scr.model import MIXTURES
from sharedrange.population.scr.session import Session

Floats = NDArray[np.float64]
# The scale at which each function's mean squared distance is near the half-normal's 2 sigma^2: exact for the
# exponential (6 sigma^2); the hazard rate has no second moment for small z, so a value from experience.
_SCALE: dict[FunctionName, float] = {"EX": 3**-0.5, "HEX": 3**-0.5, "HR": 1.4, "HHR": 1.4}
_NO_LIMIT = 1e6
_LOG_SHAPE = float(np.log(5.0))
# how far below and above the null latent classes are looked for, on the link scale of the intensity; and how much of
# that on the scale of sigma, alone or beside the intensity
_APART = tuple(product((0.5, 1.5, 3.0), (0.0, 0.5, 1.5)))
_SCALE_SHARE, _LEANS = 0.3, (-0.3, 0.0, 0.3)


def starting_values(design: Design, sessions: Sequence[Session]) -> Floats:
    """Parameter vector to start from.

    sigma: pooled root mean squared distance of detections from each animal's mean (secr's RPSV), scaled to the
    detection function; lambda0: the value at which detections per detected animal have their observed mean; D: n over
    the area effectively sampled. Contrasts start at 0, the share of males at that of the animals of known sex.
    """
    function = design.detection.function
    sigma_m = _pooled_scale_m(sessions) * _SCALE.get(function, 1.0)
    log_lambda0, density_km2 = _moments(sessions, sigma_m, function)
    beta = np.zeros(len(design.names))
    at = {
        design.density: (float(np.log(100.0 * density_km2)), [d.density for d in design.sessions]),
        design.intensity: (_on_link(log_lambda0, design), [d.intensity[0] for d in design.sessions]),
        design.sigma: (float(np.log(sigma_m)), [d.sigma[0] for d in design.sessions]),
        design.shape: (_LOG_SHAPE, [d.shape[0] for d in design.sessions]),
    }
    for part, (value, matrices) in at.items():
        _level(beta, part, value, matrices)
    for share in design.shares:
        first = share.parts[0]
        if first.names[0] == PSI:
            beta[first.start] = logit(_share_of_males(sessions))
    beta[design.distance.place] = design.model.distance.start if design.model.distance else ()
    return beta


def _level(beta: Floats, part: Part, value: float, matrices: Sequence[Floats]) -> None:
    """Coefficients of one part that give everything the same value: the intercept, or else every level."""
    if not part.names:
        return
    if (matrices[0][:, 0] == 1.0).all() and all((m[:, 0] == 1.0).all() for m in matrices):
        beta[part.start] = value
        return
    stacked = np.vstack(matrices)
    beta[part.place] = np.linalg.lstsq(stacked, np.full(len(stacked), value), rcond=None)[0]


def step_sizes(design: Design, sessions: Sequence[Session]) -> Floats:
    """Rough standard errors of the parameters (columns of mean square 1), for the optimiser's first steps."""
    n = sum(s.n_animals for s in sessions)
    detections = sum(float(s.detections_by_detector().sum()) for s in sessions)
    variance = np.full(len(design.names), 4.0 / detections)
    variance[design.density.place] = 1.0 / n
    variance[design.sigma.place] = 1.0 / detections
    variance[design.distance.place] = 1.0
    for share in design.shares:
        for part in share.parts:
            variance[part.place] = 4.0 / n
    return np.asarray(np.sqrt(variance))


def embedded(null: Design, estimates: Floats, made: Design, start: Floats) -> Floats:
    """The estimates of `null` as a point of the richer model `made`; what it lacks is as in `start`, contrasts 0."""
    known = dict(zip(null.names, estimates, strict=True))
    shares = {name for share in made.shares for part in share.parts for name in part.names}
    found = start.copy()
    for i, name in enumerate(made.names):
        if name in known:
            found[i] = known[name]
        elif name in made.density.names and made.density_sides and "D" in known and "D" not in made.names:
            found[i] = known["D"]
        elif name in made.density.names or (name not in shares and "." in name and name not in made.distance.names):
            found[i] = 0.0  # a contrast that the null does not have
    return _without_intercept(null, estimates, made, found)


def _without_intercept(null: Design, estimates: Floats, made: Design, found: Floats) -> Floats:
    """Where `made` has a parameter for every level and `null` an intercept, every level has the intercept's value."""
    pairs = ((null.intensity, made.intensity), (null.sigma, made.sigma), (null.shape, made.shape))
    for before, after in pairs:
        if len(before.names) == 1 and after.names and before.names[0] not in after.names:
            found[after.place] = estimates[before.start]
    return found


def mixture_starts(design: Design, start: Floats) -> list[Floats]:
    """Points at which latent classes are unlike, since a mixture has several maxima: classes about the null's value.

    The null's value is mostly that of the animals detected most often, so the others are looked for far below it.
    """
    found = []
    for (below, above), lean in product(
        _APART, _LEANS if _latent(design.intensity) and _latent(design.sigma) else (0.0,)
    ):
        beta = start.copy()
        _spread(beta, design.intensity, below, above)
        share = lean if _latent(design.intensity) else _SCALE_SHARE
        _spread(beta, design.sigma, share * below, share * above)
        found.append(beta)
    return found


def _latent(part: Part) -> list[tuple[int, int]]:
    """(place, class) of the main contrasts between latent classes."""
    names = [(part.start + i, name.rsplit(".", 2)) for i, name in enumerate(part.names) if ":" not in name]
    return [(i, int(pieces[-1])) for i, pieces in names if len(pieces) > 2 and pieces[-2] in MIXTURES]


def _spread(beta: Floats, part: Part, below: float, above: float) -> None:
    """Classes at equal steps from `below` the intercept to `above` it."""
    contrasts = _latent(part)
    if not contrasts:
        return
    beta[part.start] -= below
    for place, number in contrasts:
        beta[place] = (below + above) * (number - 1) / len(contrasts)


def in_order(design: Design, beta: Floats) -> Floats | None:
    """The same mixture with its classes in rising order of intensity (or sigma); None if they stand so already.

    Classes of a mixture have no names: exchanging them changes no likelihood. They are numbered by the first
    parameter that tells them apart.
    """
    count = MIXTURES.get(design.model.mixture, 1)
    if count == 1:
        return None
    first = {c.mixture: k for k, c in reversed(list(enumerate(design.classes)))}
    part, matrices = next(
        (part, [getattr(d, name) for d in design.sessions])
        for part, name in ((design.intensity, "intensity"), (design.sigma, "sigma"), (design.shape, "shape"))
        if _latent(part) or any(f"h{count}" in n for n in part.names)
    )
    size = [float(np.mean([(m[first[str(k + 1)]] @ beta[part.place]).mean() for m in matrices])) for k in range(count)]
    order = np.argsort(size, kind="stable")
    if (order == np.arange(count)).all():
        return None
    return _relabelled(design, beta, tuple(int(k) for k in order))


def _relabelled(design: Design, beta: Floats, order: tuple[int, ...]) -> Floats:
    """Parameters at which class k is what class `order[k]` is now."""
    place = {str(c): k for k, c in enumerate(design.classes)}
    taken = [place[str(type(c)(c.sex, str(order[int(c.mixture) - 1] + 1)))] for c in design.classes]
    found = beta.copy()
    for part, name in ((design.intensity, "intensity"), (design.sigma, "sigma"), (design.shape, "shape")):
        if part.names:
            now = np.vstack([m for d in design.sessions for m in getattr(d, name)])
            then = np.concatenate([getattr(d, name)[k] @ beta[part.place] for d in design.sessions for k in taken])
            found[part.place] = np.linalg.lstsq(now, then, rcond=None)[0]
    for share in design.shares:
        if share.parts[0].names[0].startswith(PMIX):
            eta = np.stack([np.zeros(len(share.parts[0].names)), *(beta[p.place] for p in share.parts)])
            moved = eta[list(order)] - eta[order[0]]
            for k, part in enumerate(share.parts, start=1):
                found[part.place] = moved[k]
    return found


def _pooled_scale_m(sessions: Sequence[Session]) -> float:
    squares, free = 0.0, 0.0
    for s in sessions:
        x, y = s.x_m[s.column_detector], s.y_m[s.column_detector]
        counts = s.seen.counts
        total = counts.sum(axis=1)
        for centre in (x, y):
            mean = counts @ centre / total
            squares += float(s.frequency @ (counts @ centre**2 - total * mean**2))
        free += float(s.frequency @ (total - 1))
    nearest = min(np.sqrt(s.cell_area_km2) * 1000.0 for s in sessions)
    # two coordinates; never below the mask's resolution, where the integral would see nothing
    return max(float(np.sqrt(max(squares, 0.0) / (2.0 * free))) if free else 0.0, 0.5 * float(nearest))


def _moments(sessions: Sequence[Session], sigma_m: float, function: FunctionName) -> tuple[float, float]:
    """Intensity (log lambda0) and density per km2 at which detections per detected animal are as observed.

    Detectors that hold the animal detect it once an occasion at most.
    """
    kernels = [_kernel(s, sigma_m, function) for s in sessions]
    most = [_most_detections(s) for s in sessions]
    n = sum(s.n_animals for s in sessions)
    detections = sum(float(s.detections_by_detector().sum()) for s in sessions)

    def excess(log_lambda0: float) -> float:
        rate = np.exp(log_lambda0)
        area = _effective_area_km2(kernels, rate)
        total = sum(float(-m * np.expm1(-rate * k / m).sum()) * a for (k, a), m in zip(kernels, most, strict=True))
        return float(np.log(total / area) - np.log(detections / n))

    low, high = -25.0, 10.0
    log_lambda0 = float(brentq(excess, low, high, xtol=1e-3)) if excess(low) < 0 < excess(high) else -3.0
    return log_lambda0, n / _effective_area_km2(kernels, float(np.exp(log_lambda0)))


def _most_detections(session: Session) -> float:
    """Detections that one animal can have: occasions, where detectors hold it; else far more than it has."""
    return float(session.records.effort.any(axis=0).sum()) if session.records.competing else _NO_LIMIT


def _kernel(session: Session, sigma_m: float, function: FunctionName) -> tuple[Floats, float]:
    """sum_j E_j k(d_j) at a thinned set of mask points, and the area in km2 each stands for."""
    thin = max(1, len(session.mask_x_m) // 1500)
    x, y = session.mask_x_m[::thin], session.mask_y_m[::thin]
    d2 = (x[:, None] - session.x_m) ** 2 + (y[:, None] - session.y_m) ** 2
    shape = np.full(len(d2), _LOG_SHAPE)
    kernel = np.exp(fall(function, d2 / sigma_m**2, shape).value) @ session.total_effort
    return kernel, session.cell_area_km2 * len(session.mask_x_m) / len(x)


def _effective_area_km2(kernels: Sequence[tuple[Floats, float]], rate: float) -> float:
    return sum(float(-np.expm1(-rate * kernel).sum()) * area for kernel, area in kernels)


def _on_link(log_lambda0: float, design: Design) -> float:
    if design.detection.by_hazard:
        return log_lambda0
    return float(logit(np.clip(-np.expm1(-np.exp(log_lambda0)), 1e-8, 0.9)))


def _share_of_males(sessions: Sequence[Session]) -> float:
    known = [sum(float(s.frequency[s.sex == i].sum()) for s in sessions) for i in range(len(SEXES))]
    return (known[1] + 0.5) / (sum(known) + 1.0)
