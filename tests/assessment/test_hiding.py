"""A source is hidden on its node: no byte that is written or printed names it, and every number is as it was."""

from __future__ import annotations

import io
import json
import shutil
import unicodedata
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import fields
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.sharing_cases import CATS, HEAD, TODAY

from sharedrange.assessment.assessing import Outcome, assess
from sharedrange.assessment.checking import check
from sharedrange.assessment.hiding import hidden_sources, hide, is_named_in, show
from sharedrange.assessment.masking import HIDDEN_FILE, Hidden, masked, read_hidden
from sharedrange.assessment.node import open_node
from sharedrange.assessment.sharing import Asked, preview
from sharedrange.assessment.surveys import Surveys
from sharedrange.assessment.taking import taking
from sharedrange.cli.main import run
from sharedrange.core import contents, survey
from sharedrange.core.errors import InputError, ProgrammeError
from sharedrange.core.files import folder_hash
from sharedrange.core.ledger import Ledger
from sharedrange.core.survey import Survey

CAMERAS, FIELD, WORD = "CANARY7Q-lee-2026", "CANARY7Q-lee-lakes", "CANARY7Q"
AGREEMENT = HEAD.replace("westfell", "west").replace("secretariat", "east") + CATS
NUMBERS = pl.selectors.numeric()


def with_canaries(folder: Path) -> Path:
    """The word in the name of each of the node's own deliveries, of its files, stations, sites and visits."""
    cameras, field = folder / "own" / CAMERAS, folder / "own" / FIELD
    (folder / "own" / "cameras").rename(cameras)
    (folder / "own" / "field").rename(field)
    for name, column in (("captures", "trap"), ("traps", "trap")):
        marked(cameras / f"{name}.csv", column).rename(cameras / f"{WORD}-{name}.csv")
    for name, columns in (("visits", ("visit", "site")), ("counts", ("visit",))):
        marked(field / f"{name}.csv", *columns).rename(field / f"{WORD}-{name}.csv")
    for place, names in ((cameras, ("captures", "traps")), (field, ("visits", "counts"))):
        with (place / "delivery.toml").open("a", encoding="utf-8") as told:
            told.write("\n[files]\n" + "".join(f'{name} = "{WORD}-{name}.csv"\n' for name in names))
    (cameras / f"{WORD}.txt").write_text(WORD, encoding="utf-8")
    asked_of(folder, CAMERAS, FIELD)
    return folder


def marked(file: Path, *columns: str) -> Path:
    """A file with the word before every value of these columns, as a rule that keeps their order."""
    pl.read_csv(file, infer_schema=False).with_columns(
        pl.format(f"{WORD} {{}}", c).alias(c) for c in columns
    ).write_csv(file)
    return file


def asked_of(folder: Path, cameras: str, field: str) -> None:
    """The questions are answered from datasets of these names, beside those of the neighbour."""
    programme = folder / "programme.toml"
    text = programme.read_text(encoding="utf-8")
    for known, name in (("cameras", cameras), ("field", field)):
        lines = [
            f'datasets = ["{known}", "{name}"]' if line.startswith(f'datasets = ["{known}"') else line
            for line in text.splitlines()
        ]
        text = "\n".join(lines)
    programme.write_text(text + "\n", encoding="utf-8")


def hidden_names(folder: Path) -> list[str]:
    """Both own deliveries hidden, as the program asks for it: the programme tells the new names first."""
    return [hidden_as_asked(folder, dataset) for dataset in (CAMERAS, FIELD)]


def hidden_as_asked(folder: Path, dataset: str) -> str:
    """A delivery hidden that the programme names; its new name."""
    with pytest.raises(InputError) as refused:
        hide(folder, dataset)
    (finding,) = refused.value.findings
    assert finding.rule == "hide-in-programme"
    name = str(finding.facts["source"])
    programme = folder / "programme.toml"
    programme.write_text(programme.read_text(encoding="utf-8").replace(dataset, name), encoding="utf-8")
    assert hide(folder, dataset).name == name
    return name


@pytest.fixture(scope="module")
def shown_outcome(asked_once: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """The node with its canaries, assessed before anything is hidden. Not to be changed."""
    folder = tmp_path_factory.mktemp("hiding") / "node"
    shutil.copytree(asked_once, folder)
    return folder, assess(with_canaries(folder))


@pytest.fixture(scope="module")
def hidden_outcome(
    shown_outcome: tuple[Path, Outcome], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str, Outcome]:
    """The same node with both of its own sources hidden, and all that its commands printed."""
    folder = tmp_path_factory.mktemp("hidden") / "node"
    shutil.copytree(shown_outcome[0], folder)
    hidden_names(folder)
    outcome = assess(folder)
    (folder / "agreements").mkdir()
    (folder / "agreements" / "cats.toml").write_text(AGREEMENT, encoding="utf-8")
    number = next(e.id for r in outcome.assessment.results for a in r.answers.values() for e in a.estimates)
    with (folder / "own" / CAMERAS / f"{WORD}-traps.csv").open("a", encoding="utf-8") as traps:
        traps.write(f"{WORD} broken,{WORD},{WORD}\n")
    heard = io.StringIO()
    with redirect_stdout(heard), redirect_stderr(heard):
        wanted = ["--agreement", "cats", "--for", "east", "--purpose", "treaty-report"]
        for line in (
            ["trace", str(folder), number],
            ["audit", str(folder)],
            ["hide", str(folder)],
            ["preview", str(folder), open_node(folder).deliveries[0].dataset, *wanted],
            ["check", str(folder)],
            ["check", str(folder), "--json"],
            ["assess", str(folder)],
        ):
            run(line)
    return folder, heard.getvalue(), outcome


def readable(path: Path) -> bytes:
    """Everything that can be read in a file: its bytes, and what stands in a table or a schema that is packed."""
    content = path.read_bytes()
    if path.suffix == ".parquet":
        content += pl.read_parquet(path).cast(pl.String, strict=False).write_csv().encode()
        content += json.dumps({k: str(v) for k, v in pl.read_parquet_metadata(path).items()}).encode()
    return content


def written(folder: Path) -> dict[str, bytes]:
    """Every file of a node outside of own/, by its path."""
    return {
        path.relative_to(folder).as_posix(): readable(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "own"
    }


def test_the_search_would_find_a_name_that_is_not_hidden(shown_outcome: tuple[Path, Outcome]) -> None:
    found = {name.partition("/")[0] for name, content in written(shown_outcome[0]).items() if WORD.encode() in content}
    assert found == {"assessment", "programme.toml", "work"}


def test_no_byte_that_the_node_writes_names_a_hidden_source(hidden_outcome: tuple[Path, str, Outcome]) -> None:
    files = written(hidden_outcome[0])
    assert len(files) > 40
    assert [name for name, content in files.items() if WORD.encode() in content or WORD in name] == []


def test_no_word_that_its_commands_print_names_a_hidden_source(hidden_outcome: tuple[Path, str, Outcome]) -> None:
    folder, heard, _ = hidden_outcome
    assert WORD not in heard
    for name in read_hidden(folder).names:
        assert name in heard


def test_neither_report_nor_ledger_tells_the_format_of_a_hidden_source(
    hidden_outcome: tuple[Path, str, Outcome],
) -> None:
    outcome = hidden_outcome[2]
    own = {source.id for source in outcome.assessment.ledger.sources.values() if source.party == "west"}
    steps = [step for step in outcome.assessment.ledger.steps.values() if own & set(step.inputs)]
    taken = [step for step in steps if step.operation == "exchange.take"]
    assert {key for step in taken for key in step.parameters} == {"party", "dataset"}


def test_numbers_are_the_same_to_the_last_bit(
    shown_outcome: tuple[Path, Outcome], hidden_outcome: tuple[Path, str, Outcome]
) -> None:
    before, after = (outcome.assessment.results for outcome in (shown_outcome[1], hidden_outcome[2]))
    assert len(before) == len(after) == 4
    for one, two in zip(before, after, strict=True):
        assert one.answers.keys() == two.answers.keys()
        for name, answer in one.answers.items():
            other = two.answers[name]
            numbers = [[(e.quantity, e.value, e.low, e.high) for e in a.estimates] for a in (answer, other)]
            assert numbers[0] == numbers[1]
            assert (answer.refusal is None) == (other.refusal is None)
            for key, table in answer.tables.items():
                assert table.select(NUMBERS).equals(other.tables[key].select(NUMBERS))


def test_a_number_can_be_followed_back_to_the_bytes_of_a_hidden_source(
    hidden_outcome: tuple[Path, str, Outcome],
) -> None:
    folder, heard, outcome = hidden_outcome
    (ledger_file,) = (folder / "assessment").glob("ledger*.json")
    ledger = Ledger.from_json(json.loads(ledger_file.read_text(encoding="utf-8")))
    hidden = [source for source in ledger.sources.values() if source.is_hidden]
    assert {source.dataset for source in hidden} == set(read_hidden(folder).names)
    assert folder_hash(folder / "own" / FIELD) in {source.sha256 for source in hidden}
    assert "a source that is hidden on this node" in heard
    assert "a source hidden on this node" in outcome.report.read_text(encoding="utf-8")


def test_hiding_takes_away_what_was_written_before(shown_outcome: tuple[Path, Outcome], tmp_path: Path) -> None:
    folder = tmp_path / "node"
    shutil.copytree(shown_outcome[0], folder)
    asked_of(folder, "x", "y")
    removed = hide(folder, CAMERAS).removed
    assert removed == ("assessment", "work")
    assert [name for name, content in written(folder).items() if CAMERAS.encode() in content] == []
    assert (folder / HIDDEN_FILE).stat().st_mode & 0o777 == 0o600


def test_what_is_shown_again_has_its_name_again(asked: Path) -> None:
    asked_of(asked, "x", "y")
    before = [d.source.id for d in open_node(asked).deliveries]
    (asked / "programme.toml").write_text(
        (asked / "programme.toml").read_text(encoding="utf-8").replace('"cameras", ', "").replace('"field", ', ""),
        encoding="utf-8",
    )
    name = hide(asked, "own/cameras").name
    assert [one.name for one in hidden_sources(asked)] == [name]
    assert show(asked, "cameras").name == name
    assert [d.source.id for d in open_node(asked).deliveries] == before
    with pytest.raises(InputError, match="hide-not-hidden"):
        show(asked, "cameras")


def test_who_shows_a_source_learns_where_its_other_name_is_left(asked: Path) -> None:
    (asked / "own" / "cameras").rename(asked / "own" / CAMERAS)
    asked_of(asked, CAMERAS, "field")
    name = hidden_as_asked(asked, CAMERAS)
    (finding,) = show(asked, CAMERAS).findings
    assert (finding.rule, finding.facts["source"]) == ("hide-name-left", name)


def test_a_hidden_source_that_was_moved_away_is_missed_and_not_named(asked: Path, tmp_path: Path) -> None:
    for dataset in ("cameras", "field"):
        (asked / "own" / dataset).rename(asked / "own" / f"{WORD}-{dataset}")
    name = hide(asked, f"{WORD}-field").name
    (asked / "own" / f"{WORD}-field").rename(tmp_path / "elsewhere")
    (finding,) = (one for one in check(asked) if one.rule == "hidden-away")
    assert finding.facts == {"source": name}
    assert [one.is_here for one in hidden_sources(asked)] == [False]


def test_a_hidden_source_does_not_leave(asked: Path) -> None:
    (asked / "own" / "field").rename(asked / "own" / CAMERAS)
    name = hide(asked, CAMERAS).name
    (asked / "agreements").mkdir()
    (asked / "agreements" / "cats.toml").write_text(AGREEMENT, encoding="utf-8")
    for given in (CAMERAS, name):
        request = Asked(given, "cats", "east", "treaty-report", TODAY)
        with pytest.raises(InputError) as refused:
            preview(asked, request)
        assert [(one.rule, dict(one.facts)) for one in refused.value.findings] == [("hidden-stays", {"source": name})]


def test_what_is_taken_in_next_is_not_told_that_a_hidden_source_is_like_it(asked: Path) -> None:
    hidden = asked / "own" / CAMERAS
    (asked / "own" / "cameras").rename(hidden)
    name = hide(asked, CAMERAS).name
    with taking(asked, [hidden], dataset="again") as work:
        understood = work.understand({})
        assert understood.like == ""
        with pytest.raises(InputError) as refused:
            work.keep()
    (finding,) = refused.value.findings
    assert (finding.rule, finding.facts["same"]) == ("take-already", name)


def test_a_file_that_cannot_be_read_is_not_named(asked: Path) -> None:
    (asked / "own" / "field").rename(asked / "own" / CAMERAS)
    name = hide(asked, CAMERAS).name
    (asked / "own" / CAMERAS / f"{WORD}.csv").symlink_to(asked / f"{WORD}-gone.csv")
    (asked / "own" / CAMERAS / "visits.csv").write_bytes(b"\xff\xfe\x00")
    told = [str(finding) for finding in check(asked)]
    assert any(name in one for one in told)
    assert not any(WORD in one for one in told)


def test_a_damaged_list_of_what_is_hidden_opens_no_node(asked: Path) -> None:
    for content in (b"{}", b"", b"\xff", b'{"format":"sharedrange-hidden-1","hidden":[3],"salt":"00"}'):
        (asked / HIDDEN_FILE).write_bytes(content)
        with pytest.raises(ProgrammeError, match="hidden-damaged"):
            open_node(asked)


def test_an_unknown_source_cannot_be_hidden(asked: Path) -> None:
    for given in ("nothing-here", "", "../received", "own/", "..", "own/.."):
        with pytest.raises(InputError, match="hide-unknown"):
            hide(asked, given)


def test_names_depend_on_a_salt_of_the_node() -> None:
    one, two = Hidden().with_one("lee"), Hidden().with_one("lee")
    assert [hidden.holds("lee") for hidden in (one, two)] == [True, True]
    assert not one.holds("eel")
    assert one.name("lee") != two.name("lee")
    assert one.with_one("eel").name("lee") == one.name("lee")
    assert not one.without("lee").holds("lee")


def test_masked_ids_keep_their_order_and_their_places(asked: Path) -> None:
    node = open_node(asked)
    surveys = Surveys(node)
    for delivered in node.deliveries:
        content = surveys.content(delivered)
        other = masked(content, "hidden-0")
        if content.survey is not None and other.survey is not None:
            ids, numbers = (s.deployments["deployment"] for s in (content.survey, other.survey))
            assert ids.arg_sort().to_list() == numbers.arg_sort().to_list()
            of = dict(zip(ids, numbers, strict=True))
            seen = content.survey.observations["deployment"].replace_strict(of)
            assert seen.to_list() == other.survey.observations["deployment"].to_list()
            assert other.survey.deployments.drop("deployment", "station").equals(
                content.survey.deployments.drop("deployment", "station")
            )


KEPT = {
    "camera_type", "detector", "session", "reason", "start_text", "taken_text", "at_text", "type", "taxon", "sex",
    "life_stage", "individual", "catalogue", "flank", "method", "effort_unit", "exactness", "sign", "animal", "locus",
    "allele_1", "allele_2", "transport", "category", "threat", "model", "model_version", "label", "classifier",
}  # fmt: skip
"""Columns of text that stay as they are in a hidden source: animals, catalogues, words of lists and of models."""
TABLES = {
    "survey": {
        name: getattr(survey, name.upper()) for name in ("deployments", "effort", "media", "boxes", "observations")
    },
    "counts": {"visits": contents.VISITS, "counts": contents.COUNTS},
    "tracks": {"fixes": contents.FIXES},
    "genotypes": {"samples": contents.SAMPLES, "alleles": contents.ALLELES},
    "patrols": {"patrols": contents.PATROLS, "observations": contents.PATROL_OBSERVATIONS},
    "proposals": {"proposals": contents.PROPOSALS},
}

MADE: dict[str, Any] = {
    "survey": Survey, "counts": contents.SiteCounts, "tracks": contents.Tracks, "genotypes": contents.Genotypes,
    "patrols": contents.Patrols, "proposals": contents.Proposals,
}  # fmt: skip


def filled(schema: pl.Schema) -> pl.DataFrame:
    """A row with the word in every column of text."""
    row = {name: WORD if dtype == pl.String else None for name, dtype in schema.items()}
    return pl.DataFrame([row], schema=schema)


@pytest.mark.parametrize("part", TABLES)
def test_every_text_of_a_hidden_source_is_masked_or_is_kept_on_purpose(part: str) -> None:
    """A new column must be put into one of the two lists."""
    tables = {name: filled(schema) for name, schema in TABLES[part].items()}
    made = {"party": "p", "dataset": WORD, **({} if part == "proposals" else {"frame": "EPSG:4326"}), **tables}
    if part == "survey":
        made["dated"] = True
    other = getattr(masked(contents.Delivered(**{part: MADE[part](**made)}), "hidden-0"), part)
    assert other.dataset == "hidden-0"
    left = {column for name in tables for column in getattr(other, name).columns
            if WORD in getattr(other, name)[column].cast(pl.String).to_list()}  # fmt: skip
    assert left <= KEPT


def test_no_part_of_a_delivery_is_forgotten() -> None:
    parts = {field.name for field in fields(contents.Delivered)} - {"not_carried"}
    assert parts - TABLES.keys() == {"crossings"}  # counts of animals by party and season: there is nothing to mask


def test_a_name_is_found_in_either_of_its_unicode_forms() -> None:
    """Folders made on some systems have decomposed names, and texts composed ones."""
    composed, apart = (unicodedata.normalize(form, "이슬-2026") for form in ("NFC", "NFD"))
    assert composed != apart
    assert is_named_in(f'datasets = ["{composed}"]', apart)
    assert is_named_in(f'datasets = ["{apart}"]', composed)
