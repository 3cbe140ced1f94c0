"""What coarse cells cost the joint estimate: the same simulated surveys, analysed with places as they are and as cells.

Animals are simulated as the node's own data say that they are, cameras stand where they stand, and what would not
leave is not used. So a curve over cell sizes says, of this survey, what a negotiation is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from sharedrange.assessment.material import Material
from sharedrange.assessment.programme import Question
from sharedrange.assessment.sharing.ground import Ground
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.chance import stream
from sharedrange.core.errors import DidNotConverge, InputError, NotEnoughData
from sharedrange.core.finding import Finding
from sharedrange.core.grids import GEOGRAPHIC, Floats
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask, Projection
from sharedrange.core.progress import Progress, silent
from sharedrange.population.design import Animals, HalfNormalHazard, Plan, plan_like, simulate_history
from sharedrange.population.design.trial import log_density_of, model_for
from sharedrange.population.scr import Model, fit
from sharedrange.sharing.agreement import Agreement, frame_of
from sharedrange.sharing.release.places import generalised

ENGINE = "population.scr"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one size of cells costs, over simulated surveys.

    `stations`: of the owner's that leave; `shift`: mean density over that with exact places, minus 1, and `shift_se`
    its standard error over the simulated surveys; `width_ratio`: mean interval width (log scale) over that with exact
    places; `error`: the relative standard error of one density with exact places; `fitted` of `replicates` could be
    estimated.
    """

    cell: float
    stations: int
    shift: float | None
    width_ratio: float | None
    fitted: int
    replicates: int
    shift_se: float | None = None
    error: float | None = None


def cost_curve(
    ground: Ground, agreement: Agreement, *, question: str = "", replicates: int = 20, progress: Progress = silent
) -> tuple[Cost, ...]:
    """The cost of each size of the agreement's grid for a question of the programme about a number of animals.

    `question`: its id; without one the first that `population.scr` answers. The other parties' cameras stay as this
    node sees them. Chance comes from the programme's seed.
    Raises InputError if there is no such question, or no frame for surveys, NotEnoughData if the data cannot bear it.
    """
    material = Material(ground.node, _question(ground, question), Surveys(ground.node))
    histories, _ = material.histories(frozenset(material.parties), "larger")
    history = _pooled_occasions(histories[0])
    mask, _ = material.mask(histories)
    plan = plan_like(history)
    model = Model("HHN") if len(plan.parties) < 2 else model_for(plan)
    animals = _animals(history, mask)
    coarse = [_coarse(plan, agreement, cell, material.projection) for cell in agreement.grid.sizes]
    outcomes: list[list[tuple[float, float] | None]] = []
    rng = stream(ground.node.programme.seed, "sharing.cost")
    for number, own in enumerate(rng.spawn(replicates), start=1):
        caught = simulate_history(plan, mask, animals, own)
        outcomes.append([_fitted(at, caught, mask, model) for at in (plan, *coarse)])
        progress(number / replicates)
    owned = [_of(at, agreement.owner) for at in coarse]
    pairs = [[(row[0], row[i + 1]) for row in outcomes] for i in range(len(coarse))]
    return tuple(map(_cost, agreement.grid.sizes, owned, pairs))


def _question(ground: Ground, wanted: str) -> Question:
    asked = [q for q in ground.node.programme.questions if q.engine == ENGINE and wanted in ("", q.id)]
    if not asked:
        known = ", ".join(q.id for q in ground.node.programme.questions if q.engine == ENGINE) or "-"
        raise InputError([Finding("cost-question", {"given": wanted or ENGINE, "known": known})])
    return asked[0]


def _pooled_occasions(history: CaptureHistory) -> CaptureHistory:
    """Counts in one occasion: nothing that is simulated here depends on the day."""
    if history.kind != "count":
        return history
    keys = ["individual", "detector"]
    summed = history.captures.group_by(keys).agg(pl.col("count").sum(), occasion=pl.lit(1, pl.Int32)).sort(keys)
    effort = history.effort.sum(axis=1, keepdims=True)
    return replace(history, captures=summed.select(history.captures.columns), effort=effort)


def _animals(history: CaptureHistory, mask: Mask) -> Animals:
    """Animals as a fit of one density, one hazard and one scale of movement says."""
    found = fit((history,), (mask,), Model("HHN"))
    density, lambda0, sigma_m = (float(np.exp(found.beta[found.names.index(n)])) for n in ("D", "lambda0", "sigma"))
    return Animals(density, HalfNormalHazard(lambda0, sigma_m), sigma_m)


def _coarse(plan: Plan, agreement: Agreement, cell: float, projection: Projection) -> Plan | None:
    """The plan as a recipient would have it: the owner's detectors at centres of cells, those that stay left out.

    None where nothing would be left of it.
    """
    frame = frame_of(agreement, "survey")
    if frame is None or frame.cell is None:
        raise InputError([Finding("cost-frame", {"agreement": agreement.id})])
    places = plan.places_m()
    x, y = projection.inverse(places[:, 0], places[:, 1]) if agreement.grid.crs == GEOGRAPHIC else places.T
    grid = agreement.named_grid
    own = plan.detectors["party"].eq(agreement.owner).fill_null(value=False).to_numpy()
    cells = generalised(grid, x[own], y[own], replace(frame, cell=cell))
    told = cells.size > 0
    x_m, y_m = places[:, 0].copy(), places[:, 1].copy()
    at = cells.centres(grid)
    x_m[own], y_m[own] = projection.forward(*at) if agreement.grid.crs == GEOGRAPHIC else at
    keep = ~own
    keep[np.flatnonzero(own)[told]] = True
    if not keep.any():
        return None
    kept = replace(
        plan,
        detectors=plan.detectors.filter(pl.Series(keep)),
        effort=plan.effort[keep],
        sensitivity=plan.sensitivity[keep],
    )
    return kept.moved_to(x_m[keep], y_m[keep])


def _fitted(at: Plan | None, caught: CaptureHistory, mask: Mask, model: Model) -> tuple[float, float] | None:
    """Log density and its standard error from what was caught at the detectors of a plan; None if there is none."""
    if at is None:
        return None
    seen = at.history(caught.captures.filter(pl.col("detector").is_in(at.detectors["detector"].to_list())))
    if not seen.n_spatial_recaptures:
        return None
    try:
        return log_density_of(fit((seen,), (mask,), model if len(at.parties) > 1 else Model("HHN")))
    except (DidNotConverge, NotEnoughData):
        return None


def _of(plan: Plan | None, party: str) -> int:
    return 0 if plan is None else plan.detectors.filter(pl.col("party") == party).height


def _cost(
    cell: float, stations: int, pairs: Sequence[tuple[tuple[float, float] | None, tuple[float, float] | None]]
) -> Cost:
    both = [(exact, coarse) for exact, coarse in pairs if exact is not None and coarse is not None]
    if not both or not stations:
        return Cost(cell, stations, None, None, 0, len(pairs))
    exact, coarse = (np.array(side) for side in zip(*both, strict=True))
    densities, at_cells = np.exp(exact[:, 0]), np.exp(coarse[:, 0])
    ratio = float(at_cells.mean() / densities.mean())
    width = float(np.exp(np.log(coarse[:, 1] / exact[:, 1]).mean()))
    return Cost(
        cell,
        stations,
        ratio - 1,
        width,
        len(both),
        len(pairs),
        shift_se=_se_of_ratio(at_cells - ratio * densities, float(densities.mean())),
        error=float(exact[:, 1].mean()),
    )


def _se_of_ratio(residuals: Floats, mean: float) -> float | None:
    """Standard error of a ratio of two means over the same surveys (Cochran 1977, Sampling techniques, 6.4)."""
    n = len(residuals)
    return float(np.sqrt(np.sum(residuals**2) / (n * (n - 1))) / mean) if n > 1 else None
