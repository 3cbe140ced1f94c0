"""What two parties released to a third, each under its own agreement, is one picture: each animal once, one fit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pyrage import x25519

from sharedrange.assessment.assessing import assess
from sharedrange.assessment.material import Material, with_joint_ids
from sharedrange.assessment.node import open_node
from sharedrange.assessment.surveys import Surveys
from sharedrange.assessment.tracing import trace
from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
from sharedrange.core.individuals import CATALOGUE, Concordance, Link, LocalIndividual, Verdict
from sharedrange.core.ledger import Source, Step
from sharedrange.core.places import Projection
from sharedrange.core.release import JOINT, may_name
from sharedrange.core.survey import Survey
from sharedrange.core.when import Window
from sharedrange.exchange.doors import read_delivered
from sharedrange.exchange.manifest import write_manifest
from sharedrange.population.encounters import local_individuals
from sharedrange.population.histories import capture_histories
from sharedrange.population.masks import make_mask
from sharedrange.population.scr import Model, fit
from sharedrange.records import concordance, key_from_seed
from sharedrange.sharing.agreement import Agreement, Rule, Valid
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Released, Request, Standing, names_needed, release
from sharedrange.sharing.sealing import csv_of, pack

PARTIES, TAXON = ("eastfell", "westfell"), "Panthera pardus orientalis"
ZONE, FIRST, LAST = "Asia/Shanghai", date(2026, 2, 1), date(2026, 3, 31)
TABLES = {name: may_name(name) for name in ("stations", "effort", "encounters")}
RULE = Rule(
    "cats", (TAXON,), TABLES, cell=0.05, least_stations=1, delay_days=0, resolution="month", identity="pseudonym",
    concordance="joint-id",
)  # fmt: skip
QUESTION = f"""
[[questions]]
id = "leopards-known"
engine = "population.minimum"
species = "leopard"
component = "border-range"
start = {FIRST}
end = {LAST}
life_stages = ["adult"]
"""


def _released(simulated: Path, rule: Rule = RULE) -> dict[str, Released]:
    """What each party of the simulated node releases to the secretariat; animals that both know go by joint ids."""
    node = open_node(simulated)
    decided, _ = concordance(node.records, {TAXON})
    surveys = Surveys(node)
    made = {}
    for number, delivered in enumerate(node.deliveries, start=1):
        agreed = Agreement(
            f"urn:agreement:{delivered.party}", "SIMULATED", delivered.party, ("secretariat",), ("any",),
            Valid(date(2026, 1, 1), date(2027, 12, 31)), "steward", (rule,), timezone=ZONE,
        )  # fmt: skip
        content = surveys.content(delivered)
        names = Pseudonyms(agreed.id).with_names(names_needed(content, agreed), _counting(number << 32))
        request = Request("secretariat", "any", date(2026, 12, 1))
        standing = Standing(frozenset(agreed.parties))
        made[delivered.party] = release(
            content, agreed, request, standing, names,
            joint_ids=decided.joint_ids, known_to=_known_to(decided), simulated=True,
        )  # fmt: skip
    return made


def _known_to(decided: Concordance) -> dict[LocalIndividual, frozenset[str]]:
    """Every animal that several parties know -> the others."""
    groups = decided.partition(who for link in decided.links for who in link.pair).groups.values()
    return {who: frozenset(other.party for other in group) - {who.party} for group in groups for who in group}


def _counting(first: int) -> Callable[[int], bytes]:
    """Pseudonyms that are no chance: the first number, the next, ..."""
    numbers = count(first)
    return lambda n: next(numbers).to_bytes(n, "big")


def _carry(simulated: Path, releases: Mapping[str, Released], folder: Path) -> Path:
    """A secretariat's node without any record, with what the parties packed for it."""
    shutil.copytree(simulated, folder, ignore=shutil.ignore_patterns("records", "received", "work", "keys", "truth"))
    recipient = str(x25519.Identity.generate().to_public())
    for party, released in releases.items():
        packed = pack(released, key_from_seed(party.encode()).id, recipient, nonce="ab" * 16)
        place = folder / "received" / party / "SIMULATED-release"
        place.mkdir(parents=True)
        for name, content in packed.files.items():
            (place / name).write_bytes(content)
        (place / "delivery.toml").write_text(f'party = "{party}"\nformat = "released"\n', encoding="utf-8")
        write_manifest(place, party)
    return folder


@pytest.fixture(scope="module")
def releases(simulated: Path) -> dict[str, Released]:
    return _released(simulated)


@pytest.fixture(scope="module")
def carried(simulated: Path, releases: Mapping[str, Released], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A secretariat's node with both releases, asked how many leopards are known. Not to be changed."""
    folder = _carry(simulated, releases, tmp_path_factory.mktemp("nodes") / "carried")
    _ask(folder)
    return folder


def _ask(folder: Path) -> None:
    """The question about known animals in the place of the programme's own."""
    programme = (folder / "programme.toml").read_text(encoding="utf-8")
    (folder / "programme.toml").write_text(programme.partition("[[questions]]")[0] + QUESTION, encoding="utf-8")


def answers(folder: Path) -> dict[str, tuple[str, float]]:
    """Quantity -> id and value of the numbers of an assessment."""
    assess(folder)
    table = pl.read_parquet(next((folder / "assessment").glob("*answers*.parquet")))
    rows = table.filter(pl.col("question") == "leopards-known") if "question" in table.columns else table
    return {quantity: (number, value) for quantity, number, value in rows.select("quantity", "id", "value").iter_rows()}


def test_an_animal_that_both_released_is_counted_once_without_any_record(node: Path, carried: Path) -> None:
    _ask(node)
    with_records, from_releases = answers(node), answers(carried)
    assert not open_node(carried).records
    known = {quantity: value for quantity, (_, value) in from_releases.items()}
    assert known == {quantity: value for quantity, (_, value) in with_records.items()}
    assert known["shared"] > 0


def test_the_way_back_of_a_joint_number_ends_with_what_each_party_released(carried: Path) -> None:
    number, _ = answers(carried)["shared"]
    things = [thing for _, _, thing in trace(carried, number).lines]
    identity = next(t for t in things if isinstance(t, Step) and t.operation == "assessment.identity")
    decisions: Any = identity.parameters["decisions"]
    links = decisions["links"]
    assert links
    assert all((a[1], a[2]) == (b[1], b[2]) and a[1] == JOINT for a, b, *_ in links)
    assert all(verdict == "same" for _, _, verdict, *_ in links)
    under = {source.released_under for source in things if isinstance(source, Source)}
    assert under == {"urn:agreement:eastfell", "urn:agreement:westfell"}


def test_without_places_known_animals_are_counted_and_a_density_is_refused(
    simulated: Path, carried: Path, tmp_path: Path
) -> None:
    node = _carry(simulated, _released(simulated, replace(RULE, cell=None)), tmp_path / "node")
    (result,) = assess(node).assessment.results
    refusal = result.answers["answer"].refusal
    assert refusal is not None
    assert refusal.have == {"detectors_with_places": 0}
    _ask(node)
    known, with_places = answers(node), answers(carried)
    assert {name: value for name, (_, value) in known.items()} == {
        name: value for name, (_, value) in with_places.items()
    }


# --- how many are shared, and not which ---


def _ask_about(folder: Path, first: date, last: date) -> None:
    programme = (folder / "programme.toml").read_text(encoding="utf-8").partition("[[questions]]")[0]
    question = QUESTION.replace(str(FIRST), str(first)).replace(str(LAST), str(last))
    (folder / "programme.toml").write_text(programme + question, encoding="utf-8")


@pytest.fixture(scope="module")
def crossed(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A secretariat's node with releases that tell of common animals how many they are, asked about all days."""
    releases = _released(simulated, replace(RULE, concordance="crossings"))
    assert b"J-" not in b"".join(csv_of(table) for one in releases.values() for table in one.tables.values())
    folder = _carry(simulated, releases, tmp_path_factory.mktemp("nodes") / "crossed")
    _ask_about(folder, date(2026, 1, 1), date(2026, 12, 31))
    return folder


def test_crossings_give_one_joint_minimum_from_two_lists(crossed: Path, carried: Path) -> None:
    told, with_ids = ({name: value for name, (_, value) in answers(node).items()} for node in (crossed, carried))
    joint = ("shared", "minimum_number", "naive_sum", "overcount")
    assert [told[name] for name in joint] == [with_ids[name] for name in joint]  # nobody was met in one season alone
    assert told["shared"] > 0
    (result,) = assess(crossed).assessment.results
    rules = {finding.rule for finding in result.answer.findings}
    assert "lists-from-crossings" in rules
    assert "nothing-shared" not in rules


def test_a_joint_fit_warns_that_animals_known_to_both_are_two_in_it(crossed: Path, carried: Path) -> None:
    for folder, warned in ((crossed, 1), (carried, 0)):
        node = open_node(folder)
        _, findings = Material(node, node.programme.questions[0], Surveys(node)).histories(frozenset(PARTIES))
        assert sum(finding.rule == "crossings-not-in-fit" for finding in findings) == warned


def test_crossings_of_a_season_are_not_used_for_other_days(crossed: Path, tmp_path: Path) -> None:
    node = tmp_path / "node"
    shutil.copytree(crossed, node, ignore=shutil.ignore_patterns("work", "assessment"))
    _ask_about(node, date(2026, 2, 20), date(2026, 3, 10))
    (result,) = assess(node).assessment.results
    rules = {finding.rule for finding in result.answer.findings}
    assert {"crossings-unused-days", "nothing-shared"} <= rules
    assert "lists-from-crossings" not in rules


# --- who is who ---

MINE, ELSE = LocalIndividual("west", "main", "F1"), LocalIndividual("east", "main", "E7")
HERS, THEIRS = LocalIndividual("east", JOINT, "J-1"), LocalIndividual("north", JOINT, "J-1")
OTHER = LocalIndividual("north", JOINT, "J-2")


def groups(decided: Concordance, *seen: LocalIndividual) -> dict[str, tuple[LocalIndividual, ...]]:
    return dict(with_joint_ids(decided, seen).partition(seen).groups)


def test_equal_joint_ids_are_one_animal_and_unlike_ones_are_not() -> None:
    assert groups(Concordance(), HERS, THEIRS, OTHER) == {"J-1": (HERS, THEIRS), "J-2": (OTHER,)}


def test_an_own_animal_with_the_joint_id_is_the_one_that_others_released_under_it() -> None:
    decided = Concordance((Link(MINE, ELSE, Verdict.SAME),), {MINE: "J-1", ELSE: "J-1"})
    assert groups(decided, MINE, HERS) == {"J-1": (HERS, MINE)}


def test_equal_codes_of_other_catalogues_stay_two_animals() -> None:
    here, there = LocalIndividual("west", "main", "J-1"), LocalIndividual("east", "main", "J-1")
    assert len(groups(Concordance(), here, there)) == 2
    assert len(groups(Concordance(), here, HERS)) == 2


@pytest.mark.parametrize("verdict", [Verdict.DIFFERENT, Verdict.UNCERTAIN, Verdict.CANNOT_COMPARE])
def test_what_was_decided_here_goes_before_a_joint_id(verdict: Verdict) -> None:
    assert len(groups(Concordance((Link(HERS, THEIRS, verdict),)), HERS, THEIRS)) == 2


# --- the fit ---


def test_the_joint_fit_is_that_of_the_released_tables_laid_together(
    carried: Path, releases: Mapping[str, Released]
) -> None:
    """Through seal, door and joint ids, against a history made by hand from the tables: to 1e-8."""
    projection = Projection("+proj=laea +lat_0=46.5 +lon_0=118.0 +datum=WGS84 +units=m")
    through, pooled = _through_the_door(carried, projection), _laid_together(releases, projection)
    assert through.individuals["individual"].to_list() == pooled.individuals["individual"].to_list()
    assert through.effort.sum() == pytest.approx(pooled.effort.sum(), abs=1e-9)
    assert (through.counts() == pooled.counts()).all()
    mask, _ = make_mask([pooled], projection, None, buffer_m=20_000.0, spacing_m=3_000.0)
    fits = [fit((history,), (mask,), Model("HHN", lambda0="~ party")) for history in (through, pooled)]
    assert fits[0].log_likelihood == pytest.approx(fits[1].log_likelihood, abs=1e-8)
    assert fits[0].beta == pytest.approx(fits[1].beta, abs=1e-8)
    assert np.sqrt(np.diag(fits[0].covariance)) == pytest.approx(np.sqrt(np.diag(fits[1].covariance)), rel=1e-6)


def _through_the_door(carried: Path, projection: Projection) -> CaptureHistory:
    surveys = [_survey(carried / "received" / party / "SIMULATED-release", party) for party in PARTIES]
    seen = local_individuals(surveys, frozenset({TAXON}))
    names = with_joint_ids(Concordance(), seen).partition(seen)
    window = Window(FIRST, LAST, ZONE)
    (history,), _ = capture_histories(surveys, names, window, frozenset({TAXON}), ("adult",), projection)
    return history


def _survey(folder: Path, party: str) -> Survey:
    content, _, _ = read_delivered(folder, party)
    assert content is not None
    assert content.survey is not None
    return content.survey


def _laid_together(releases: Mapping[str, Released], projection: Projection) -> CaptureHistory:
    """The tables of all parties as one history: n days watched are the first n of a month, n encounters on n days."""
    stations = _pooled(releases, "stations").with_columns(_detector())
    x_m, y_m = projection.forward(stations["x"].to_numpy(), stations["y"].to_numpy())
    detectors = stations.with_columns(x_m=pl.Series(x_m), y_m=pl.Series(y_m)).sort("detector").select(DETECTORS.names())
    at = {name: j for j, name in enumerate(detectors["detector"])}
    effort = np.zeros((detectors.height, (LAST - FIRST).days + 1))
    for detector, period, days in _rows(releases, "effort", "days_watched"):
        if FIRST <= period <= LAST:
            k = (period - FIRST).days
            effort[at[detector], k : k + round(days)] = 1.0
    met = _pooled(releases, "encounters").filter(
        pl.col("individual").is_not_null(), pl.col("period").is_between(FIRST, LAST)
    )
    met = met.with_columns(
        _detector(),
        individual=pl.when(pl.col("catalogue") == JOINT)
        .then("individual")
        .otherwise(pl.concat_str("party", pl.lit(CATALOGUE), "individual", separator="/")),
    )
    who = (
        met.group_by("individual")
        .agg(pl.col("sex").drop_nulls().first(), life_stage=pl.lit("adult"))
        .sort("individual")
    )
    captures = [
        (name, detector, (period - FIRST).days + k + 1, 1)
        for name, detector, period, n in met.select("individual", "detector", "period", "encounters").iter_rows()
        for k in range(n)
    ]
    table = pl.DataFrame(captures, schema=CAPTURES, orient="row").sort("individual", "detector", "occasion")
    return CaptureHistory("pooled", "count", detectors, who.select(INDIVIDUALS.names()), table, effort)


def _rows(releases: Mapping[str, Released], table: str, value: str) -> list[tuple[str, date, float]]:
    return list(_pooled(releases, table).with_columns(_detector()).select("detector", "period", value).iter_rows())


def _pooled(releases: Mapping[str, Released], table: str) -> pl.DataFrame:
    return pl.concat(one.tables[table].with_columns(party=pl.lit(party)) for party, one in releases.items())


def _detector() -> pl.Expr:
    return pl.concat_str("party", pl.lit("SIMULATED-release"), "station", separator="/").alias("detector")
