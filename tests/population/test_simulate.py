from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from types import MappingProxyType

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.chance import stream
from sharedrange.core.individuals import Verdict
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, MEDIA, OBSERVATIONS, Survey
from sharedrange.population.simulate import (
    Camera,
    CameraArray,
    Design,
    Gaps,
    Rectangle,
    Simulation,
    SpeciesDesign,
    comparable,
    simulate,
    small,
    two_parks,
)
from sharedrange.population.simulate.cameras import Watch

STANDARD_ERRORS = 4.0  # beyond this a difference from theory is not chance (1 in 16,000)
TABLES = ("deployments", "observations", "media", "effort")
TRUTHS = ("animals", "codes", "labels", "numbers")


def run(design: Design, seed: int) -> Simulation:
    return simulate(design, stream(seed, "simulate"))


def text_of(simulation: Simulation) -> str:
    surveys = [getattr(survey, table).write_csv() for survey in simulation.surveys for table in TABLES]
    return "\n".join([*surveys, *(getattr(simulation.truth, table).write_csv() for table in TRUTHS)])


def z_score(differences: list[float]) -> float:
    values = np.array(differences)
    return float(values.mean() / (values.std(ddof=1) / np.sqrt(len(values))))


@pytest.fixture(scope="module")
def parks() -> Simulation:
    return run(two_parks(), 1)


@pytest.fixture(scope="module")
def many_small() -> list[Simulation]:
    return [run(small(), seed) for seed in range(60)]


def test_one_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert text_of(run(two_parks(), 7)) == text_of(run(two_parks(), 7))
    assert text_of(run(two_parks(), 7)) != text_of(run(two_parks(), 8))


def test_a_species_added_last_moves_no_animal_and_no_camera_of_the_others() -> None:
    both = two_parks()
    alone = replace(both, species=both.species[:1])
    with_tiger, without = run(both, 3), run(alone, 3)
    leopard = pl.col("species") == "leopard"
    assert with_tiger.truth.animals.filter(leopard).equals(without.truth.animals)
    labels = with_tiger.truth.labels.filter(pl.col("animal").str.starts_with("leopard"))
    assert labels["code"].sort().equals(without.truth.labels["code"].sort())
    for a, b in zip(with_tiger.surveys, without.surveys, strict=True):
        assert a.deployments.equals(b.deployments)
        assert a.effort.equals(b.effort)


def test_surveys_have_the_schemas_of_the_core(parks: Simulation) -> None:
    for survey in parks.surveys:
        assert survey.deployments.schema == DEPLOYMENTS
        assert survey.observations.schema == OBSERVATIONS
        assert survey.media.schema == MEDIA
        assert survey.effort.schema == EFFORT
        assert survey.observations["deployment"].is_in(survey.deployments["deployment"].to_list()).all()
        assert survey.observations["media"].is_in(survey.media["media"].to_list()).all()
        for table, key in (("deployments", "deployment"), ("observations", "observation"), ("media", "media")):
            assert getattr(survey, table)[key].is_unique().all()


def test_animals_on_each_side_are_as_many_as_density_times_area(many_small: list[Simulation]) -> None:
    taxon = small().species[0].taxon
    for party in ("westfell", "eastfell"):
        differences = [s.truth.number(taxon, party) - s.truth.expected(taxon, party) for s in many_small]
        assert abs(z_score(differences)) < STANDARD_ERRORS
    assert many_small[0].truth.expected(taxon, "westfell") == pytest.approx(0.012 * 40 * 48)


def test_centres_lie_on_the_side_and_in_the_habitat_that_the_truth_names(parks: Simulation) -> None:
    design = two_parks()
    for side, x_m, y_m in parks.truth.animals.select("side", "x_m", "y_m").iter_rows():
        ground = design.ground(design.party(side))
        assert ground.west_m <= x_m <= ground.east_m
        assert ground.south_m <= y_m <= ground.north_m


def expected_detections(design: Design, species: SpeciesDesign, survey: Survey) -> float:
    """The integral over the habitat of density times the rate at which this survey's stations see an animal."""
    step_m = 1000.0
    east, north = np.meshgrid(
        np.arange(design.habitat.west_m + step_m / 2, design.habitat.east_m, step_m),
        np.arange(design.habitat.south_m + step_m / 2, design.habitat.north_m, step_m),
    )
    per_cell = np.zeros(east.shape)
    for party in design.parties:
        inside = (party.side.west_m <= east) & (east < party.side.east_m)
        per_cell[inside] = species.density_per_100km2[party.id] / 100 * (step_m / 1000) ** 2
    x_m, y_m = design.projection.forward(survey.deployments["x"].to_numpy(), survey.deployments["y"].to_numpy())
    distance2 = (east[..., None] - x_m) ** 2 + (north[..., None] - y_m) ** 2
    days = days_watched(survey) * design.party(survey.party).camera.sensitivity
    total = 0.0
    for sex, share in (("female", species.female_share), ("male", 1 - species.female_share)):
        seen = species.lambda0_per_day[sex] * np.exp(-distance2 / (2 * species.sigma_m[sex] ** 2)) @ days
        total += share * float((per_cell * seen).sum())
    return total


def days_watched(survey: Survey) -> np.ndarray:
    span = (pl.col("end") - pl.col("start")).dt.total_seconds() / 86_400
    gaps = survey.effort.group_by("deployment").agg(span.sum().alias("gap"))
    joined = survey.deployments.join(gaps, on="deployment", how="left", maintain_order="left")
    return joined.select(span - pl.col("gap").fill_null(0.0)).to_series().to_numpy()


def test_detections_are_as_many_as_the_integral_of_density_and_hazard_says() -> None:
    design = small()
    gappy = tuple(
        replace(p, gaps=(Gaps("snow", 0.5, mean_days=10), Gaps("theft", 0.2, lasting=True))) for p in design.parties
    )
    design = replace(design, parties=gappy)
    differences: dict[str, list[float]] = {"westfell": [], "eastfell": []}
    for seed in range(60):
        for survey in run(design, seed).surveys:
            expected = expected_detections(design, design.species[0], survey)
            differences[survey.party].append(survey.observations.height - expected)
    assert abs(z_score(differences["westfell"])) < STANDARD_ERRORS
    assert abs(z_score(differences["eastfell"])) < STANDARD_ERRORS


def test_nothing_is_seen_in_a_gap_or_outside_a_deployment(parks: Simulation) -> None:
    for survey in parks.surveys:
        assert survey.effort.height > 0
        for table, when in ((survey.observations, "start"), (survey.media, "taken")):
            seen = table.select("deployment", pl.col(when).alias("at"))
            stood = seen.join(survey.deployments, on="deployment")
            assert stood.height == table.height
            assert stood.select((pl.col("start") <= pl.col("at")) & (pl.col("at") < pl.col("end"))).to_series().all()
            stopped = seen.join(survey.effort, on="deployment")
            inside = (pl.col("start") <= pl.col("at")) & (pl.col("at") < pl.col("end"))
            assert stopped.filter(inside).height == 0


def test_gaps_of_a_camera_lie_in_its_deployment_and_do_not_overlap() -> None:
    every = tuple(Gaps(reason, 0.9, mean_days=20) for reason in ("bear", "battery", "card"))
    design = two_parks()
    design = replace(design, parties=tuple(replace(p, gaps=every) for p in design.parties))
    for survey in run(design, 2).surveys:
        gaps = survey.effort.sort("deployment", "start")
        assert (gaps["start"] < gaps["end"]).all()
        before = pl.col("end").shift(1).over("deployment")
        assert gaps.filter(pl.col("start") < before).height == 0
        stood = gaps.join(survey.deployments, on="deployment", suffix="_stood")
        assert ((stood["start_stood"] <= stood["start"]) & (stood["end"] <= stood["end_stood"])).all()


def test_a_storm_stops_cameras_together_and_a_stolen_camera_stays_stolen(parks: Simulation) -> None:
    for survey in parks.surveys:
        snow = survey.effort.filter(pl.col("reason") == "snow")
        assert snow["start"].max() - snow["start"].min() <= timedelta(days=1)  # type: ignore[operator]  # datetimes
        stolen = survey.effort.filter(pl.col("reason") == "theft").join(survey.deployments, on="deployment")
        assert (stolen["end"] == stolen["end_right"]).all()


@given(st.lists(st.integers(1, 500), min_size=2, max_size=9), st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, deadline=None)
def test_the_clock_of_a_watched_time_is_inside_a_watched_stretch(lengths: list[int], share: float) -> None:
    edges = np.cumsum(lengths)[: len(lengths) // 2 * 2].astype(np.int64)
    watch = Watch((edges[::2],), (edges[1::2],))
    at_s = watch.clock(0, np.array([share * watch.seconds()[0]]))[0]
    assert any(start <= at_s < end for start, end in zip(edges[::2], edges[1::2], strict=True))


def test_the_window_of_interest_is_covered_by_every_deployment(parks: Simulation) -> None:
    design = two_parks()
    for survey in parks.surveys:
        zone = design.party(survey.party).zone
        first = datetime.combine(design.first_day, time(), zone).astimezone(UTC)
        assert (survey.deployments["start"] <= first).all()
        assert (survey.deployments["end"] >= first + timedelta(days=design.days)).all()


def test_times_are_written_with_the_offset_of_the_party(parks: Simulation) -> None:
    for party, offset in (("westfell", "+08:00"), ("eastfell", "+10:00")):
        observations = parks.survey(party).observations
        for text, start in observations.select("start_text", "start").iter_rows():
            assert text.endswith(offset)
            assert datetime.fromisoformat(text) == start


def test_no_name_place_or_number_of_the_truth_is_in_a_survey(parks: Simulation) -> None:
    truth = parks.truth
    secrets = {*truth.animals["animal"], *truth.animals["x_m"], *truth.animals["y_m"]}
    longitude, latitude = two_parks().projection.inverse(
        truth.animals["x_m"].to_numpy(), truth.animals["y_m"].to_numpy()
    )
    secrets |= {*longitude.round(6), *latitude.round(6)}
    for survey in parks.surveys:
        for table in TABLES:
            for column in getattr(survey, table).iter_columns():
                assert not secrets & set(column.to_list())


def test_ids_are_numbered_by_time_and_so_tell_nothing_of_the_animals(parks: Simulation) -> None:
    for survey in parks.surveys:
        assert survey.observations["start"].is_sorted()
        assert survey.observations["observation"].is_sorted()
        assert survey.observations["event"].is_sorted()


def test_a_code_belongs_to_one_animal_and_every_sighting_of_a_cat_has_one(parks: Simulation) -> None:
    codes = parks.truth.codes
    assert codes.select("party", "code").is_unique().all()
    for survey in parks.surveys:
        cats = survey.observations.filter(pl.col("taxon").str.starts_with("Panthera"))
        known = codes.filter(pl.col("party") == survey.party)["code"]
        assert cats["individual"].is_in(known.to_list()).all()
        assert set(cats["individual"]) == set(known)


def test_wild_boar_are_counted_and_never_named(parks: Simulation) -> None:
    for survey in parks.surveys:
        boar = survey.observations.filter(pl.col("taxon") == "Sus scrofa")
        assert boar.height > 20
        assert boar["individual"].null_count() == boar.height
        assert boar["count"].max() > 1  # type: ignore[operator]  # an integer column


def test_one_side_names_animals_without_regard_to_the_other(many_small: list[Simulation]) -> None:
    equal, chance = 0, 0.0
    for simulation in many_small:
        codes = simulation.truth.codes.with_columns(pl.col("code").str.extract(r"(\d+)").cast(pl.Int64).alias("number"))
        west, east = (codes.filter(pl.col("party") == party) for party in ("westfell", "eastfell"))
        shared = west.join(east, on="animal")
        equal += shared.filter(pl.col("number") == pl.col("number_right")).height
        chance += shared.height / np.ceil(1.5 * max(west.height, east.height))
    assert chance > 5
    assert abs(equal - chance) < STANDARD_ERRORS * np.sqrt(chance)


def test_code_numbers_follow_no_order_of_the_animals(many_small: list[Simulation]) -> None:
    correlations = []
    for simulation in many_small:
        codes = simulation.truth.codes.filter(pl.col("party") == "westfell").sort("animal")
        numbers = codes["code"].str.extract(r"(\d+)").cast(pl.Int64).to_numpy()
        correlations.append(float(np.corrcoef(np.arange(len(numbers)), numbers)[0, 1]))
    assert abs(z_score(correlations)) < STANDARD_ERRORS


def test_equal_codes_on_two_sides_often_mean_two_animals(many_small: list[Simulation]) -> None:
    codes = pl.concat([s.truth.codes.with_columns(pl.lit(i).alias("run")) for i, s in enumerate(many_small)])
    pairs = codes.filter(pl.col("party") == "westfell").join(
        codes.filter(pl.col("party") == "eastfell"), on=["run", "code"]
    )
    assert pairs.filter(pl.col("animal") != pl.col("animal_right")).height > len(many_small)


def with_errors(rate: float, ghosts: float = 0.5) -> list[Simulation]:
    return [run(replace(small(), wrong_labels=rate, ghosts=ghosts), seed) for seed in range(20)]


def test_as_many_recaptures_are_wrongly_labelled_as_stated() -> None:
    simulations = with_errors(0.2, ghosts=0.25)
    labels = pl.concat([s.truth.labels.with_columns(pl.lit(i).alias("run")) for i, s in enumerate(simulations)])
    first = pl.int_range(pl.len()).over("run", "party", "animal") == 0
    assert labels.filter(first)["wrong"].eq("").all()
    later = labels.filter(~first)
    wrong = later.filter(pl.col("wrong") != "")
    assert abs(wrong.height / later.height - 0.2) < STANDARD_ERRORS * np.sqrt(0.2 * 0.8 / later.height)
    ghosts = wrong.filter(pl.col("wrong") == "ghost").height / wrong.height
    assert abs(ghosts - 0.25) < STANDARD_ERRORS * np.sqrt(0.25 * 0.75 / wrong.height)


def test_without_errors_every_label_is_right(many_small: list[Simulation]) -> None:
    for simulation in many_small:
        assert simulation.truth.labels["wrong"].eq("").all()
        owners = simulation.truth.labels.join(simulation.truth.codes, on=["party", "code"])
        assert owners["animal"].equals(owners["animal_right"])


def test_a_swapped_label_is_the_code_of_another_animal_of_the_same_sex_and_stage() -> None:
    for simulation in with_errors(0.2, ghosts=0.0)[:5]:
        facts = simulation.truth.animals.select("animal", "sex", "life_stage")
        swapped = simulation.truth.labels.filter(pl.col("wrong") == "swapped")
        owners = swapped.join(simulation.truth.codes, on=["party", "code"], suffix="_of_code")
        assert owners.height == swapped.height > 0
        assert (owners["animal"] != owners["animal_of_code"]).all()
        pairs = owners.join(facts, on="animal").join(
            facts, left_on="animal_of_code", right_on="animal", suffix="_other"
        )
        assert pairs["sex"].equals(pairs["sex_other"])
        assert pairs["life_stage"].equals(pairs["life_stage_other"])


def test_animals_are_taken_for_animals_of_the_neighbourhood() -> None:
    apart_m: list[float] = []
    for seed in range(5):
        simulation = run(replace(two_parks(), wrong_labels=0.2, ghosts=0.0), seed)
        centres = simulation.truth.animals.select("animal", "x_m", "y_m")
        owners = simulation.truth.labels.filter(pl.col("wrong") == "swapped").join(
            simulation.truth.codes, on=["party", "code"], suffix="_of_code"
        )
        pairs = owners.join(centres, on="animal").join(
            centres, left_on="animal_of_code", right_on="animal", suffix="_other"
        )
        apart = ((pl.col("x_m") - pl.col("x_m_other")) ** 2 + (pl.col("y_m") - pl.col("y_m_other")) ** 2).sqrt()
        apart_m += pairs.select(apart).to_series().to_list()
    assert len(apart_m) > 100
    assert np.median(apart_m) < 20_000  # the park is 112 km long


def test_a_ghost_has_one_sighting_and_nobody_links_it() -> None:
    simulation = with_errors(0.2, ghosts=1.0)[0]
    codes, labels = simulation.truth.codes, simulation.truth.labels
    ghosts = codes.filter(pl.col("ghost"))
    assert ghosts.height > 0
    assert labels.join(ghosts, on=["party", "code"]).height == ghosts.height
    linked = {who.code for link in simulation.truth.concordance().links for who in (link.a, link.b)}
    alone = {(who.party, who.code) for group in simulation.truth.partition().groups.values() for who in group[:1]}
    assert not {(link.a.party, link.a.code) for link in simulation.truth.concordance().links} & set(
        ghosts.select("party", "code").iter_rows()
    )
    assert linked
    assert len(alone) == codes["animal"].n_unique()


def test_flanks_of_a_newcomer_are_joined_only_if_one_photograph_shows_both() -> None:
    design = small()
    one_sided = Camera("single", sensitivity=1.0, both_flanks=0.25)
    parties = tuple(replace(p, camera=one_sided, newcomers=1.0) for p in design.parties)
    design = replace(design, parties=parties)
    simulation = run(design, 4)
    codes = simulation.truth.codes.filter(pl.col("party") == "eastfell")
    per_animal = codes.group_by("animal").agg(pl.col("flanks").sort())
    twice = per_animal.filter(pl.col("flanks").list.len() > 1)
    assert twice.height > 0
    assert all(flanks == ["left", "right"] for flanks in twice["flanks"].to_list())
    within = [link for link in simulation.truth.concordance().links if link.a.party == link.b.party == "eastfell"]
    assert len(within) == twice.height
    assert {link.verdict for link in within} == {Verdict.CANNOT_COMPARE}


def test_the_true_concordance_joins_comparable_codes_of_one_animal_and_no_others(parks: Simulation) -> None:
    codes = {(c["party"], c["code"]): c for c in parks.truth.codes.iter_rows(named=True)}
    links = parks.truth.concordance().links
    assert any(link.verdict is Verdict.SAME for link in links)
    for link in links:
        a, b = codes[link.a.party, link.a.code], codes[link.b.party, link.b.code]
        assert a["animal"] == b["animal"]
        assert (link.verdict is Verdict.SAME) == comparable(a["flanks"], b["flanks"])


def test_single_cameras_leave_animals_known_from_one_flank_and_paired_ones_hardly_any() -> None:
    codes = pl.concat([run(two_parks(), seed).truth.codes for seed in range(5)])
    one_sided = {
        party: codes.filter((pl.col("party") == party) & (pl.col("flanks") != "both")).height
        for party in ("westfell", "eastfell")
    }
    assert one_sided["eastfell"] > 3 * one_sided["westfell"]


def test_a_cub_is_seen_only_beside_its_mother() -> None:
    cubs_seen = 0
    for seed in range(5):
        simulation = run(two_parks(), seed)
        animals = simulation.truth.animals
        cubs = animals.filter(pl.col("life_stage") == "juvenile")
        mothers = cubs.join(animals, left_on="mother", right_on="animal", suffix="_mother")
        assert mothers.height == cubs.height
        assert mothers["x_m"].equals(mothers["x_m_mother"])
        assert mothers["sex_mother"].eq("female").all()
        for survey in simulation.surveys:
            labels = simulation.truth.labels.filter(pl.col("party") == survey.party)
            seen = survey.observations.join(labels, on="observation").select("event", "animal", "life_stage")
            young = seen.filter(pl.col("life_stage") == "juvenile").join(cubs.select("animal", "mother"), on="animal")
            beside = young.join(seen, left_on=["event", "mother"], right_on=["event", "animal"])
            assert beside.height == young.height
            cubs_seen += young.height
    assert cubs_seen > 20


def test_males_are_seen_at_stations_farther_from_their_centre() -> None:
    farthest: dict[str, list[float]] = {"female": [], "male": []}
    for seed in range(20):
        simulation = run(small(), seed)
        for survey in simulation.surveys:
            labels = simulation.truth.labels.filter(pl.col("party") == survey.party)
            seen = survey.observations.join(labels, on="observation").join(survey.deployments, on="deployment")
            seen = seen.join(simulation.truth.animals, on="animal", suffix="_true")
            x_m, y_m = small().projection.forward(seen["x"].to_numpy(), seen["y"].to_numpy())
            away = np.hypot(x_m - seen["x_m"].to_numpy(), y_m - seen["y_m"].to_numpy())
            for sex in farthest:
                farthest[sex] += away[(seen["sex_true"] == sex).to_numpy()].tolist()
    # In two dimensions the mean square distance is close to 2 sigma^2, less what falls outside the cameras.
    ratio = np.mean(np.square(farthest["male"])) / np.mean(np.square(farthest["female"]))
    assert 1.5 < ratio < (4800 / 3400) ** 2 * 1.15


def test_three_parties_can_share_a_range() -> None:
    design = small()
    west, east = design.parties
    middle = replace(
        west, id="midfell", side=Rectangle(-10_000, -35_000, 10_000, 35_000), array=CameraArray(2, 5, 6000, x_m=0)
    )
    west = replace(west, side=Rectangle(-50_000, -35_000, -10_000, 35_000), array=replace(west.array, x_m=-25_000))
    east = replace(east, side=Rectangle(10_000, -35_000, 50_000, 35_000), array=replace(east.array, x_m=25_000))
    density = MappingProxyType({"westfell": 1.0, "midfell": 2.0, "eastfell": 1.0})
    species = (replace(design.species[0], density_per_100km2=density),)
    simulation = run(replace(design, parties=(west, middle, east), species=species), 1)
    assert [survey.party for survey in simulation.surveys] == ["westfell", "midfell", "eastfell"]
    assert all(survey.observations.height > 0 for survey in simulation.surveys)


def test_a_design_that_cannot_be_is_refused_with_every_problem() -> None:
    design = small()
    west, east = design.parties
    with pytest.raises(ValueError, match=r"overlap.*no density on the side of eastfell.*no codes"):
        replace(
            design,
            parties=(replace(west, side=east.side), replace(east, codes={})),
            species=(replace(design.species[0], density_per_100km2={"westfell": 1.0}),),
        )


def test_two_parks_lies_in_the_steppe_and_stays_as_large_as_described() -> None:
    simulations = [run(two_parks(), seed) for seed in range(15)]
    leopard = two_parks().species[0].taxon
    known, shared = [], []
    for simulation in simulations:
        adults = simulation.truth.animals.filter((pl.col("life_stage") == "adult") & (pl.col("taxon") == leopard))
        seen = simulation.truth.labels.join(adults, on="animal").group_by("animal").agg(pl.col("party").n_unique())
        known.append(seen.height)
        shared.append(seen.filter(pl.col("party") == 2).height)
        for survey in simulation.surveys:
            assert survey.deployments["x"].is_between(117.5, 118.5).all()
            assert survey.deployments["y"].is_between(46.0, 47.1).all()
    assert 30 < np.mean(known) < 50
    assert 4 < np.mean(shared) < 12
