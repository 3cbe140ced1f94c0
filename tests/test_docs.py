"""The docs cannot drift: commands, settings, columns, errors, keys and links are compared with the code."""

from __future__ import annotations

import inspect
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
import typer

import sharedrange
from sharedrange.assessment import results
from sharedrange.assessment.engines import ENGINES
from sharedrange.assessment.programme import MaskSpec
from sharedrange.assessment.programme.contents import SECTIONS
from sharedrange.assessment.programme.node import NodeSpec
from sharedrange.assessment.programme.types import Schedule
from sharedrange.cli.face import open_face
from sharedrange.cli.help import option_name
from sharedrange.cli.main import PROGRAM, build
from sharedrange.core import errors, history, survey
from sharedrange.core.words import load

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
ROW = re.compile(r"^\| `([^`]+)` \|(.*)\|$", flags=re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
TYPES: Mapping[pl.DataType, str] = {
    pl.String(): "text",
    pl.Float64(): "number",
    pl.Int32(): "whole number",
    pl.Int64(): "whole number",
    pl.Boolean(): "true or false",
    survey.UTC: "time",
}


def page(name: str) -> str:
    """The text of a page of the docs."""
    return (DOCS / name).read_text(encoding="utf-8")


def sections(text: str, level: int) -> dict[str, str]:
    """Heading -> text below it, for the headings of one level; a heading of a higher level ends it too."""
    pieces = re.split(rf"^{'#' * level} (.+)$", text, flags=re.MULTILINE)
    return {
        heading: re.split(rf"^#{{1,{level}}} ", below, flags=re.MULTILINE)[0]
        for heading, below in zip(pieces[1::2], pieces[2::2], strict=True)
    }


def rows(text: str) -> dict[str, list[str]]:
    """First cell (in backticks) -> the other cells, for the rows of the tables in a text."""
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in ROW.findall(text)}


def typed_names() -> Iterator[tuple[str, set[str]]]:
    """Each command as it is typed, with its arguments and options."""
    program: Any = typer.main.get_command(build())
    with program.make_context(PROGRAM, [], obj=open_face(load("en")), resilient_parsing=True) as context:
        yield PROGRAM, {option_name(p) for p in program.get_params(context)}
        for name, command in program.commands.items():
            yield f"{PROGRAM} {name}", {option_name(p) for p in command.get_params(context)}


def schemas() -> Iterator[tuple[str, pl.Schema]]:
    """Every schema of the tables that the docs describe."""
    modules: tuple[ModuleType, ...] = (survey, history, results)
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, pl.Schema):
                yield name, value


def test_every_command_and_option_is_in_the_docs_and_no_other() -> None:
    documented = {heading: set(rows(text)) for heading, text in sections(page("cli.md"), 2).items()}
    assert documented == dict(typed_names())


def test_every_error_is_in_the_docs_with_what_it_carries() -> None:
    defined = {
        name
        for name, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, errors.SharedRangeError) and not name.startswith("_")
    }
    documented = rows(page("errors.md"))
    assert documented.keys() == defined
    for name, (_, carries, _) in documented.items():
        assert set(re.findall(r"`(\w+)`", carries)) == _carried(getattr(errors, name)), name


def _carried(error: type[Exception]) -> set[str]:
    """What an error's constructor keeps; nothing where it has none of its own."""
    constructor = error.__init__
    return (
        set(re.findall(r"self\.(\w+) =", inspect.getsource(constructor))) if inspect.isfunction(constructor) else set()
    )


def test_the_tree_of_errors_is_drawn_as_the_code_has_it() -> None:
    tree = re.findall(r"[├└]── (\w+)", page("errors.md"))
    assert tree == re.findall(r"[├└]── (\w+)", str(errors.__doc__))


def test_every_table_has_its_columns_with_type_and_meaning_in_the_docs() -> None:
    documented = {heading: rows(text) for heading, text in sections(page("tables.md"), 3).items()}
    assert documented.keys() == {name for name, _ in schemas()}
    for name, schema in schemas():
        assert list(documented[name]) == list(schema), name
        for column, dtype in schema.items():
            type_, meaning = documented[name][column]
            assert type_ == TYPES[_instance(dtype)], f"{name}.{column}"
            assert meaning, f"{name}.{column}"


def _instance(dtype: Any) -> pl.DataType:
    """A dtype as a value: schemas may hold the class."""
    value: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return value


def test_gap_reasons_are_in_the_docs() -> None:
    effort = rows(sections(page("tables.md"), 3)["EFFORT"])
    assert effort["reason"][1].partition(": ")[2] == ", ".join(survey.GAP_REASONS)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_setting_of_an_engine_is_on_its_page(engine: str) -> None:
    text = page(f"engines/{engine}.md")
    settings = next(part for heading, part in sections(text, 2).items() if heading.startswith("Settings"))
    elsewhere = {
        name for other in re.findall(r"All settings of `([^`]+)`", settings) for name in _names(ENGINES[other].Settings)
    }
    assert rows(settings).keys() == _names(ENGINES[engine].Settings) - elsewhere


def test_every_key_of_node_and_programme_is_in_the_docs() -> None:
    pieces = sections(page("programme.md"), 2)
    above = {heading: re.split(r"^### ", text, flags=re.MULTILINE)[0] for heading, text in pieces.items()}
    documented = {heading.strip("[]"): set(rows(text)) for heading, text in above.items()}
    schemas = {"node.toml": NodeSpec, **SECTIONS}
    assert {name: documented[name] for name in schemas} == {name: _names(schema) for name, schema in schemas.items()}


@pytest.mark.parametrize(("table", "schema"), [("schedule", Schedule), ("mask", MaskSpec)])
def test_every_key_of_a_table_inside_an_entry_is_in_the_docs(table: str, schema: type) -> None:
    text = next(part for heading, part in sections(page("programme.md"), 3).items() if table in heading)
    assert set(rows(text)) == _names(schema)


def _names(schema: Any) -> set[str]:
    return {f.name for f in fields(schema)}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(file: Path) -> None:
    targets = LINK.findall(file.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert not [target for target in local if not (file.parent / target).exists()]


def test_the_examples_of_the_python_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    derived = shutil.ignore_patterns("work", "assessment")
    shutil.copytree(ROOT / "examples" / "two-halves", tmp_path / "examples" / "two-halves", ignore=derived)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", page("python.md"), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) > 3
    names: dict[str, Any] = {}
    for number, block in enumerate(blocks, start=1):
        exec(compile(block, f"docs/python.md, block {number}", "exec"), names)


def test_the_public_functions_are_on_the_python_page() -> None:
    described = set(re.findall(r"^\| `sharedrange\.(\w+)\(", page("python.md"), flags=re.MULTILINE))
    assert described == set(sharedrange.__all__)
    assert all(callable(getattr(sharedrange, name)) for name in sharedrange.__all__)
