"""Agreements and deliveries for the tests of sharing: invented, small, and with a trap in every raw field."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from sharedrange.core.contents import COUNTS, VISITS, Delivered, SiteCounts
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, MEDIA, OBSERVATIONS, Survey, conform
from sharedrange.sharing.agreement import Agreement, read_agreement

OWNER, RECIPIENT, PURPOSE = "westfell", "secretariat", "treaty-report"
LEOPARD, TIGER, BOAR, CRANE = "Panthera pardus orientalis", "Panthera tigris altaica", "Sus scrofa", "Grus monacha"
AGREEMENT, STEWARD = "urn:agreement:westfell--secretariat:2026-01", "westfell/data-steward"
NOW, TODAY = "2026-11-22T10:00:00Z", date(2026, 11, 22)

HEAD = f"""
agreement = 1
id = "{AGREEMENT}"
title = "SIMULATED: what Westfell gives the secretariat"
owner = "{OWNER}"
recipients = ["{RECIPIENT}"]
purposes = ["joint-population-estimate", "{PURPOSE}"]
approved_by = "{STEWARD}"
timezone = "Asia/Shanghai"

[valid]
start = 2026-01-01
end = 2027-12-31
"""


def cats(*taxa: str, cell: float = 0.1) -> str:
    """The rule by which cats leave, of these taxa and in cells of this many degrees."""
    return f"""
[[rules]]
id = "cats"
taxa = [{", ".join(f'"{taxon}"' for taxon in taxa)}]
cell = {cell}
least_stations = 2
delay_days = 90
resolution = "month"
identity = "pseudonym"

[rules.tables]
stations = ["camera_type", "detector"]
effort = []
encounters = ["individual", "catalogue", "sex", "life_stage", "flank", "encounters"]
"""


CATS = cats(LEOPARD, TIGER)
CRANES = f"""
[[rules]]
id = "cranes"
taxa = ["{CRANE}"]
cell = 0.05
least_stations = 1
delay_days = 0
resolution = "day"
suppress_below = 3

[rules.tables]
visits = ["effort", "effort_unit", "complete"]
counts = ["count", "exactness"]
"""


def agreement(text: str = HEAD + CATS) -> Agreement:
    """The agreement that a text writes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "agreement.toml"
        path.write_text(text, encoding="utf-8")
        return read_agreement(path)


def at(day: int, hour: int = 20) -> datetime:
    """A time on a day of the survey's first months; day 0 is the first of February 2026."""
    return datetime(2026, 2, 1, hour, tzinfo=UTC) + timedelta(days=day)


PLACES = ((118.02, 46.02), (118.03, 46.04), (118.06, 46.06), (118.14, 46.12), (118.15, 46.15))
SEEN = (
    (0, 3, LEOPARD, "F1"), (0, 20, LEOPARD, "F1"), (1, 22, LEOPARD, "M2"), (2, 31, LEOPARD, "F1"),
    (3, 5, BOAR, None), (4, 40, TIGER, "T9"),
)  # fmt: skip


def survey(
    places: Sequence[tuple[float, float]] = PLACES,
    seen: Sequence[tuple[int, int, str, str | None]] = SEEN,
    names: Sequence[str] | None = None,
) -> Survey:
    """A survey of one station a place, each watching 60 days; `seen`: station, day, taxon, code."""
    names = names or [f"CANARY-station-{i}" for i in range(len(places))]
    deployments = [
        {
            "deployment": f"CANARY-deployment-{name}", "station": name, "x": x, "y": y, "uncertainty_m": 7.77,
            "start": at(0, 2), "end": at(60, 2), "camera_type": "paired", "detector": "count",
        }
        for name, (x, y) in zip(names, places, strict=True)
    ]  # fmt: skip
    observations = [
        {
            "observation": f"CANARY-observation-{k}", "deployment": f"CANARY-deployment-{names[station]}",
            "media": f"CANARY-media-{k}", "event": f"CANARY-event-{k}", "start": at(day), "end": at(day),
            "start_text": "CANARY-time", "type": "animal", "taxon": taxon, "count": 1, "individual": code,
            "catalogue": None, "sex": "female", "life_stage": "adult", "flank": "both",
        }
        for k, (station, day, taxon, code) in enumerate(seen)
    ]  # fmt: skip
    media = [{"media": "CANARY-media-0", "deployment": "CANARY", "path": "CANARY/IMG_0001.JPG"}]
    return Survey(
        OWNER,
        "CANARY-dataset",
        "EPSG:4326",
        dated=True,
        deployments=conform(pl.DataFrame(deployments), DEPLOYMENTS),
        observations=conform(pl.DataFrame(observations, infer_schema_length=None), OBSERVATIONS),
        media=conform(pl.DataFrame(media), MEDIA),
        effort=pl.DataFrame(schema=EFFORT),
        source="CANARY-source",
    )


def counts(numbers: Sequence[int | None] = (5, 2, 0, None)) -> SiteCounts:
    """A visit a number, each of a site of its own, complete, with one count of cranes and one of another bird."""
    visits = [
        {
            "visit": f"CANARY-visit-{i}", "site": f"CANARY-site-{i}", "x": 130.61 + i / 100, "y": 42.31,
            "start": at(i), "start_text": "CANARY-time", "method": "waterbird-count", "effort": 30.0,
            "effort_unit": "minutes", "observers": 2, "complete": True, "uncertainty_m": 5.0,
        }
        for i in range(len(numbers))
    ]  # fmt: skip
    rows = [
        {"visit": f"CANARY-visit-{i}", "taxon": taxon, "count": n, "exactness": "exact"}
        for i, n in enumerate(numbers)
        for taxon in (CRANE, "Larus canarius")
    ]
    return SiteCounts(
        OWNER,
        "CANARY-dataset",
        "EPSG:4326",
        visits=conform(pl.DataFrame(visits), VISITS),
        counts=conform(pl.DataFrame(rows, infer_schema_length=None), COUNTS),
        source="CANARY-source",
    )


def delivered(one: Survey | None = None, sites: SiteCounts | None = None) -> Delivered:
    """A delivery that holds these."""
    return Delivered(survey=one, counts=sites)
