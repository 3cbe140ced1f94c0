"""The documentation's example runs and prints what it says."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from sharedrange.population import permeability
from sharedrange.population.permeability import layers, resistance
from sharedrange.population.scr import buffer

PAGE = Path(__file__).parents[3] / "docs" / "engines" / "population.permeability.md"


def test_the_example_runs() -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    test = doctest.DocTestParser().get_doctest(code, {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) > 5
    assert doctest.DocTestRunner().run(test).failed == 0


def test_functions_named_are_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:across\.|resistance\.|layers\.|scr\.buffer\.)?(\w+)\(", text))
    assert named
    places = (permeability, permeability.Barrier, layers, resistance, buffer)
    assert not {name for name in named if not any(hasattr(place, name) for place in places)}
