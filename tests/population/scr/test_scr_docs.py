"""The engine's page: every setting has its row, and the example runs."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from sharedrange.population.scr import ScrSettings

PAGE = (Path(__file__).parents[3] / "docs" / "engines" / "population.scr.md").read_text(encoding="utf-8")


def test_every_setting_has_a_row_with_its_default() -> None:
    section = PAGE.split("## Settings")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]+?)`? \|", section, flags=re.MULTILINE))
    settings = ScrSettings()
    assert set(rows) == {f.name for f in fields(ScrSettings)}
    for name, written in rows.items():
        default = getattr(settings, name)
        stated = list(default) if isinstance(default, tuple) else default
        assert eval(written) == stated


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(code[0], names)  # the page is ours
    assert re.match(r"\d+ animals \(\d+ to \d+\)", capsys.readouterr().out)
    exec(code[1], names)
    assert re.match(r"\d\.\d per 100 km2", capsys.readouterr().out)


def test_the_example_of_the_page_on_inference_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = Path(__file__).parents[3] / "docs" / "inference.md"
    code = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(code[0], {})  # the page is ours
    assert "N_expected" in capsys.readouterr().out
