"""From encounters to capture histories: animals x detectors x occasions, beside the effort that was there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.bursts import BURST_MINUTES
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding, Severity, Where, errors
from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
from sharedrange.core.individuals import Partition
from sharedrange.core.places import Projection
from sharedrange.core.survey import Survey, conform, stations
from sharedrange.core.when import SLIVER, Window, day_effort, session_effort
from sharedrange.population.encounters import (
    animals,
    encounters,
    in_stages,
    known_flanks,
)

Floats = NDArray[np.float64]

SAME_PLACE_M = 25.0  # what a consumer GPS may differ by between two visits to one station
KINDS = ("proximity", "count")
OneFlank = Literal["larger", "all"]

_PLACES = pl.Schema(
    {
        # One row a deployment: which detector it belongs to, and where that detector stands.
        "deployment": pl.String(),  # party/dataset/verbatim id
        "detector": pl.String(),  # party/dataset/station
        "verbatim": pl.String(),
        "party": pl.String(),
        "dataset": pl.String(),
        "station": pl.String(),
        "camera_type": pl.String(),
        "kind": pl.String(),
        "x_m": pl.Float64(),
        "y_m": pl.Float64(),
    }
)


def capture_histories(  # noqa: PLR0917  (a history is made of these six; settings are keywords)
    surveys: Sequence[Survey],
    partition: Partition | None,
    window: Window | Sequence[Window],
    taxa: frozenset[str],
    life_stages: Sequence[str],
    projection: Projection,
    *,
    count_unknown_stage: bool = True,
    burst_minutes: float = BURST_MINUTES,
    one_flank: OneFlank = "larger",
) -> tuple[tuple[CaptureHistory, ...], tuple[Finding, ...]]:
    """The capture history of each session of one or several closed windows, and what is worth knowing about them.

    Detectors are stations (deployments of one station are one detector; without a station name, of one
    position) in metres of `projection`. Effort is the exact share of each day watched, gaps taken off; under
    half an hour counts as none where nothing was caught then. Individuals are identified animals of the asked
    `life_stages`, and those whose stage nobody recorded if `count_unknown_stage`.

    An animal known from one flank only cannot be compared with one known from the other. As for a minimum
    number, the histories hold the animals known from both flanks and, of the one-flank animals, those of the
    flank that has more: of the same flank in all windows. With ``one_flank="all"`` they hold every one-flank animal as
    one of its own; as many animals as there are rows is then too many, and `population.doubt` is what may be asked.

    Raises InputError with everything that is wrong: frames that differ, detectors that cannot be mixed,
    animals caught at a detector that did not run.
    """
    found = [*_frame_findings(surveys, projection)]
    if found:
        raise InputError(found)
    windows = (window,) if isinstance(window, Window) else tuple(window)
    met = pl.concat([encounters(surveys, partition, w, taxa, burst_minutes=burst_minutes) for w in windows])
    asked, about_animals = _asked(met, life_stages, count_unknown_stage)
    flanks = known_flanks(surveys, partition, taxa)
    chosen, about_flanks = (asked, []) if one_flank == "all" else _of_one_flank(asked, flanks)
    places, about_places = _places(surveys, projection)
    found += [*about_animals, *about_flanks, *about_places]
    histories = []
    for own, session in ((w, label) for w in windows for label in w.labels):
        history, about = _session_history(session, _arrays(surveys, own, session, places), met, chosen)
        histories.append(history)
        found += about
    if errors(found):
        raise InputError(found)
    return tuple(histories), tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class _Array:
    """The detectors of one session: `places` (one row a deployment) and effort by detector, shape (K,) each.

    Effort below `least` is none at all where nothing was caught.
    """

    places: pl.DataFrame
    effort: dict[str, Floats]
    n_occasions: int
    least: float


def _frame_findings(surveys: Sequence[Survey], projection: Projection) -> list[Finding]:
    frames = sorted({survey.frame for survey in surveys})
    if len(frames) > 1:
        return [Finding("unlike-frames", {"frames": ", ".join(frames)})]
    if any(frame.startswith("local:") or projection.is_local for frame in frames if frame != projection.crs):
        return [Finding("frame-projection", {"frame": frames[0], "projection": projection.crs})]
    return []


def _asked(
    met: pl.DataFrame, life_stages: Sequence[str], count_unknown_stage: bool
) -> tuple[pl.DataFrame, list[Finding]]:
    """The animals of each session that are asked for (schema ANIMALS), and what is worth knowing about them."""
    everyone, found = animals(met)
    asked = everyone.filter(in_stages(life_stages, with_unknown=count_unknown_stage))
    unknown = asked.filter(pl.col("life_stage").is_null()).height
    facts: dict[str, Fact] = {"n": unknown, "stages": ", ".join(life_stages)}
    note = [Finding("unknown-stage-included", facts, severity=Severity.NOTE)] if unknown else []
    return asked, [*found, *note]


def _of_one_flank(asked: pl.DataFrame, flanks: pl.DataFrame) -> tuple[pl.DataFrame, list[Finding]]:
    """The animals that can be compared: known from both flanks, or from the one that more of them are known from."""
    known = flanks.group_by("individual").agg(pl.col("left").any(), pl.col("right").any())
    with_flanks = asked.join(known, on="individual", how="left")
    n_left, n_right = int(with_flanks["left"].sum()), int(with_flanks["right"].sum())
    kept, other = ("left", "right") if n_left >= n_right else ("right", "left")
    left_out = with_flanks.filter(~pl.col(kept)).height
    facts: dict[str, Fact] = {"n": left_out, "kept": kept, "left_out": other}
    notes = [Finding("one-flank-left-out", facts, severity=Severity.NOTE)] if left_out else []
    return with_flanks.filter(pl.col(kept)).select(asked.columns), notes


def _places(surveys: Sequence[Survey], projection: Projection) -> tuple[pl.DataFrame, list[Finding]]:
    """Every deployment with its detector and the detector's place in metres (schema _PLACES)."""
    found: list[Finding] = []
    parts = [pl.DataFrame(schema=_PLACES)]
    for survey in surveys:
        placed = _placed(survey, projection)
        moved = placed.filter(pl.col("spread_m") > SAME_PLACE_M)
        found += [
            Finding(
                "station-moved",
                {"party": survey.party, "dataset": survey.dataset, "station": station, "distance_m": round(spread)},
                Where(table="deployments"),
                Severity.NOTE,
            )
            for station, spread in moved.select("station", "spread_m").unique().sort("station").iter_rows()
        ]
        parts.append(conform(placed, _PLACES))
    return pl.concat(parts), found


def _placed(survey: Survey, projection: Projection) -> pl.DataFrame:
    rows = survey.deployments
    x_m, y_m = projection.forward(rows["x"].to_numpy().astype(float), rows["y"].to_numpy().astype(float))
    of_deployment = stations(survey)
    prefix = f"{survey.party}/{survey.dataset}/"
    placed = rows.select(
        pl.concat_str(pl.lit(prefix), "deployment").alias("deployment"),
        pl.col("camera_type"),
        verbatim=pl.col("deployment"),
        party=pl.lit(survey.party),
        dataset=pl.lit(survey.dataset),
        station=pl.col("deployment").replace_strict(of_deployment, return_dtype=pl.String),
        kind=pl.col("detector"),
    ).with_columns(x_m=_metres(x_m), y_m=_metres(y_m))
    spread = pl.max_horizontal(pl.col(axis).max() - pl.col(axis).min() for axis in ("x_m", "y_m"))
    placed = placed.with_columns(spread_m=spread.over("station"))
    return placed.with_columns(_detector(prefix), *_standing("x_m"), *_standing("y_m"))


def _metres(axis: Floats) -> pl.Series:
    """Projected positions; null where a release came without, which projections answer with infinity."""
    return pl.Series(np.where(np.isfinite(axis), axis, np.nan), nan_to_null=True)


def _detector(prefix: str) -> pl.Expr:
    """A detector's name: its station, numbered by position where the station was moved."""
    position = pl.struct("x_m", "y_m").rank("dense").over("station")
    moved = pl.col("spread_m") > SAME_PLACE_M
    station = pl.concat_str(pl.lit(prefix), pl.col("station"))
    return pl.when(moved).then(pl.concat_str(station, pl.lit("@"), position)).otherwise(station).alias("detector")


def _standing(axis: str) -> tuple[pl.Expr, ...]:
    """The mean of a station's positions, unless it was moved."""
    moved = pl.col("spread_m") > SAME_PLACE_M
    return (pl.when(moved).then(pl.col(axis)).otherwise(pl.col(axis).mean().over("station")).alias(axis),)


def _arrays(surveys: Sequence[Survey], window: Window, session: str, places: pl.DataFrame) -> _Array:
    effort: dict[str, Floats] = {}
    for survey in surveys:
        own = places.filter(pl.col("party") == survey.party, pl.col("dataset") == survey.dataset)
        detector_of = dict(own.select("verbatim", "detector").iter_rows())
        if window.dated:
            effort |= day_effort(survey, window, detector_of)
        else:
            effort |= session_effort(survey, session, detector_of)
    n_occasions = window.n_days if window.dated else max((len(days) for days in effort.values()), default=0)
    padded = {name: np.pad(days, (0, n_occasions - len(days))) for name, days in effort.items()}
    return _Array(places, padded, n_occasions, SLIVER if window.dated else 0.0)


def _session_history(
    session: str, array: _Array, met: pl.DataFrame, chosen: pl.DataFrame
) -> tuple[CaptureHistory, list[Finding]]:
    who = chosen.filter(pl.col("session") == session)
    caught = _captures(met.filter(pl.col("session") == session), who, array.places)
    n_occasions = max(array.n_occasions, int(caught["occasion"].max() or 0))  # type: ignore[arg-type]  # Int32 column
    used = _used_detectors(array, caught)
    effort = _effort(used, array, n_occasions)
    counts = _cells(used, caught, n_occasions)
    effort[(effort < array.least) & (counts == 0)] = 0.0
    kinds = array.places.filter(pl.col("detector").is_in(used["detector"].to_list()))
    kind, found = _kind(kinds)
    found += _without_effort(caught, used, effort, kinds)
    if kind == "proximity":
        caught = caught.with_columns(pl.lit(1, dtype=pl.Int32).alias("count"))
    history = CaptureHistory(session, kind, used, conform(who, INDIVIDUALS).sort("individual"), caught, effort)
    return history, found


def _captures(met: pl.DataFrame, who: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """One row an animal, detector and occasion (schema CAPTURES)."""
    rows = met.filter(pl.col("individual").is_in(who["individual"].to_list()))
    rows = rows.join(places.select("deployment", "detector"), on="deployment", how="left")
    cells = rows.group_by("individual", "detector", "occasion").agg(pl.col("count").sum())
    return conform(cells.filter(pl.col("count") > 0), CAPTURES).sort("individual", "detector", "occasion")


def _used_detectors(array: _Array, caught: pl.DataFrame) -> pl.DataFrame:
    """The detectors that ran in the session, or caught something (schema DETECTORS)."""
    ran = {name for name, effort in array.effort.items() if (effort > array.least).any()}
    used = array.places.filter(pl.col("detector").is_in(sorted(ran | set(caught["detector"]))))
    types = pl.col("camera_type").drop_nulls().unique().sort()
    camera = pl.when(types.len() > 0).then(types.str.join(" + ")).alias("camera_type")
    table = used.group_by("detector", "party").agg(camera, pl.col("x_m").first(), pl.col("y_m").first())
    return conform(table, DETECTORS).sort("detector")


def _effort(used: pl.DataFrame, array: _Array, n_occasions: int) -> Floats:
    """Effort of the used detectors, shape (J, K)."""
    none = np.zeros(n_occasions)
    rows = [array.effort.get(name, none) for name in used["detector"]]
    return np.array([np.pad(row, (0, n_occasions - len(row))) for row in rows]).reshape(len(rows), n_occasions)


def _cells(used: pl.DataFrame, caught: pl.DataFrame, n_occasions: int) -> NDArray[np.int64]:
    """Detections of all animals, shape (J, K)."""
    cells = np.zeros((used.height, n_occasions), dtype=np.int64)
    np.add.at(cells, _at(caught, used), caught["count"].to_numpy())
    return cells


def _at(caught: pl.DataFrame, used: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of each capture in a table of detectors and occasions."""
    rows = caught.select("detector").join(used.select("detector").with_row_index(), on="detector", how="left")
    return rows["index"].cast(pl.Int64).to_numpy(), caught["occasion"].cast(pl.Int64).to_numpy() - 1


def _kind(places: pl.DataFrame) -> tuple[str, list[Finding]]:
    """What the detectors of a session record; presence only where proximity and count detectors meet."""
    kinds = sorted(places["kind"].fill_null("proximity").unique())
    if any(kind not in KINDS for kind in kinds):
        facts: dict[str, Fact] = {"detectors": ", ".join(kinds), "known": ", ".join(KINDS)}
        return "proximity", [Finding("detector-not-supported", facts, Where(table="deployments", field="detector"))]
    if len(kinds) > 1:
        return "proximity", [Finding("mixed-detectors", {"detectors": ", ".join(kinds)}, severity=Severity.WARNING)]
    return (kinds or ["proximity"])[0], []


def _without_effort(
    caught: pl.DataFrame, used: pl.DataFrame, effort: Floats, places: pl.DataFrame
) -> Iterable[Finding]:
    """A finding for each animal and detector that met while the detector did not run."""
    idle = pl.Series("idle", effort[_at(caught, used)] <= 0)
    met = (
        caught.with_columns(idle)
        .group_by("individual", "detector")
        .agg(days_seen=pl.col("occasion").n_unique(), days_without=pl.col("idle").sum())
    )
    run = used.select("detector", days_run=pl.Series((effort > 0).sum(axis=1)))
    named = places.select("detector", "party", "dataset", "station").unique("detector")
    wrong = met.filter(pl.col("days_without") > 0).join(run, on="detector").join(named, on="detector")
    facts = ("party", "dataset", "individual", "station", "days_seen", "days_run", "days_without")
    for row in wrong.select(facts).sort(facts).iter_rows(named=True):
        yield Finding("caught-without-effort", row, Where(table="observations"))
