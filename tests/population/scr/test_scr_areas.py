"""Searched areas: the reference fit of secr's polygon detectors, and surveys whose truth is known."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely

from sharedrange.core.chance import stream
from sharedrange.core.errors import InputError
from sharedrange.core.places import Mask
from sharedrange.core.survey import conform
from sharedrange.population.scr import Model, encounter_rate, fit, searched_areas
from sharedrange.population.scr.areas import FOUND, secr_constant

DATA = Path(__file__).parents[2] / "data" / "scr" / "hornedlizard"
PLOT = shapely.box(0.0, 0.0, 300.0, 300.0)


def lizards() -> tuple[shapely.Polygon, pl.DataFrame, Mask]:
    corners = pl.read_csv(DATA / "traps.csv").select("x", "y").to_numpy()
    captures = pl.read_csv(DATA / "captures.csv")
    points = pl.read_csv(gzip.decompress((DATA / "mask.csv.gz").read_bytes()))
    found = captures.select(pl.col("id").cast(pl.String).alias("individual"), "occasion", x_m="x", y_m="y")
    n = points.height
    mask = Mask(
        points["x"].to_numpy().astype(float), points["y"].to_numpy().astype(float),
        float(points["area_ha"][0]) / 100, np.full(n, ""), np.ones(n, dtype=bool),
    )  # fmt: skip
    return shapely.Polygon(corners), conform(found, FOUND), mask


def test_the_searched_square_of_the_horned_lizards_agrees_with_secr() -> None:
    """R secr 5.5.0, secr.fit(hornedlizardCH, buffer = 80): log-likelihood -1755.100349."""
    plot, found, mask = lizards()
    history = searched_areas({"plot": plot}, found, {"plot": np.ones(14)}, spacing_m=8.0)
    fitted = fit((history,), (mask,), Model("HHN"))
    assert fitted.log_likelihood + secr_constant(history) == pytest.approx(-1755.100349, abs=1e-4)
    at = {name: i for i, name in enumerate(fitted.names)}
    se = np.sqrt(np.diag(fitted.covariance))
    rate = encounter_rate(fitted)
    assert np.exp(fitted.beta[at["D"]]) / 1e4 == pytest.approx(8.01306798, rel=1e-4)
    assert np.exp(fitted.beta[at["sigma"]]) == pytest.approx(18.5049025, rel=1e-4)
    assert rate.value == pytest.approx(0.131713223, rel=1e-4)
    assert se[at["D"]] == pytest.approx(0.1319201, rel=1e-2)
    assert se[at["sigma"]] == pytest.approx(0.06474671, rel=1e-2)
    assert rate.se_log == pytest.approx(0.1144817, rel=1e-2)


def searched(seed: int, occasions: int = 8) -> tuple[pl.DataFrame, Mask, int]:
    """Animals of sigma 20 m around and in a plot of 300 m, found 0.4 times an occasion where all is searched."""
    rng = stream(seed, "tests.areas")
    half = 100.0
    n = rng.poisson(0.0012 * (300 + 2 * half) ** 2)
    centres = rng.uniform(-half, 300 + half, (n, 2))
    rows = []
    for animal, (x, y) in enumerate(centres):
        for occasion in range(1, occasions + 1):
            places = np.array([x, y]) + rng.normal(0, 20.0, (rng.poisson(0.4), 2))
            inside = [p for p in places if PLOT.contains(shapely.Point(p))][:1]
            rows += [(f"a{animal}", occasion, *map(float, p)) for p in inside]
    grid = np.arange(-half + 5, 300 + half, 10.0)
    mx, my = (axis.ravel() for axis in np.meshgrid(grid, grid))
    mask = Mask(mx, my, 1e-4, np.full(len(mx), ""), np.ones(len(mx), dtype=bool))
    return pl.DataFrame(rows, schema=FOUND, orient="row"), mask, n


def test_animals_around_a_searched_plot_are_counted_without_bias() -> None:
    estimates = []
    for seed in range(12):
        found, mask, _ = searched(seed)
        history = searched_areas({"plot": PLOT}, found, {"plot": np.ones(8)}, spacing_m=10.0)
        fitted = fit((history,), (mask,), Model("HHN"))
        estimates.append(np.exp(fitted.beta[fitted.names.index("D")]) / 1e8)  # animals per m2
    assert np.mean(estimates) == pytest.approx(0.0012, rel=0.08)


def test_an_area_of_any_shape_is_summed_to_what_it_is() -> None:
    star = shapely.Polygon([(0, 0), (90, 20), (140, 0), (120, 90), (150, 150), (70, 110), (0, 140), (30, 70)])
    history = searched_areas({"star": star}, pl.DataFrame(schema=FOUND), {"star": np.array([1.0, 0.5])}, spacing_m=4.0)
    assert history.effort.sum(axis=0).tolist() == pytest.approx([star.area, star.area / 2], rel=1e-9)
    sigma, centre = 20.0, np.array([60.0, 60.0])
    places = history.detectors.select("x_m", "y_m").to_numpy()
    summed = (history.effort[:, 0] * np.exp(-((places - centre) ** 2).sum(axis=1) / (2 * sigma**2))).sum()
    finer = searched_areas({"star": star}, pl.DataFrame(schema=FOUND), {"star": np.ones(1)}, spacing_m=1.0)
    places = finer.detectors.select("x_m", "y_m").to_numpy()
    assert summed == pytest.approx(
        (finer.effort[:, 0] * np.exp(-((places - centre) ** 2).sum(axis=1) / (2 * sigma**2))).sum(), rel=1e-4
    )


def test_two_plots_with_unlike_effort_are_one_history() -> None:
    plots = {"east": shapely.box(400, 0, 500, 100), "west": shapely.box(0, 0, 100, 100)}
    found = pl.DataFrame([("a", 1, 50.0, 50.0), ("a", 2, 450.0, 50.0)], schema=FOUND, orient="row")
    history = searched_areas(
        plots, found, {"west": np.array([1.0, 0.0]), "east": np.array([0.0, 2.0])}, spacing_m=50.0, kind="count"
    )
    assert history.kind == "count"
    assert history.n_detections == 2
    assert history.n_spatial_recaptures == 1


def test_everything_wrong_is_told_at_once_and_never_where() -> None:
    found = pl.DataFrame(
        [("a", 1, 50.0, 50.0), ("a", 1, 60.0, 50.0), ("b", 9, 50.0, 50.0), ("c", 1, 999.125, 50.0)],
        schema=FOUND,
        orient="row",
    )
    with pytest.raises(InputError) as raised:
        searched_areas({"plot": shapely.box(0, 0, 100, 100)}, found, {"plot": np.ones(2)}, spacing_m=-1.0)
    assert {finding.rule for finding in raised.value.findings} == {
        "searched-area-settings", "searched-area-outside", "searched-area-idle", "searched-area-twice",
    }  # fmt: skip
    assert "999" not in str(raised.value)
