"""The engine's page: every setting has its row with its default, and the example runs."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from sharedrange.population.open import OpenSettings
from sharedrange.population.open.settings import FORMULAS

PAGE = (Path(__file__).parents[3] / "docs" / "engines" / "population.open.md").read_text(encoding="utf-8")


def test_every_setting_has_a_row_with_its_default() -> None:
    section = PAGE.split("## Settings")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^|`]+)` \|", section, flags=re.MULTILINE))
    assert set(rows) == {f.name for f in fields(OpenSettings)}
    assert all(eval(written) == getattr(OpenSettings(), name) for name, written in rows.items())


def test_every_variable_of_a_formula_is_on_the_page() -> None:
    section = PAGE.split("## Formulas")[1].split("\n## ")[0]
    for name, variables in FORMULAS.items():
        row = next(line for line in section.splitlines() if f"`{name}`" in line)
        assert set(re.findall(r"`(\w+)`", row.split("|")[3])) == set(variables)


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(code[0], {})  # the page is ours
    both, north, number = capsys.readouterr().out.splitlines()
    assert both.startswith("both: survival 0.")
    assert north.startswith("north alone: survival 0.")
    assert re.match(r"year 3: \d+ animals \(\d+ to \d+\), truly \d+", number)
