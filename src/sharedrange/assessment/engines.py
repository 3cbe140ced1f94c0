"""The engines that a programme's questions may name. A sixth engine is a folder, a docs page, a line here."""

from __future__ import annotations

from collections.abc import Mapping

from sharedrange.core.engine import Engine
from sharedrange.population import minimum, rates, scr

ENGINES: Mapping[str, Engine] = {engine.name: engine for engine in (minimum.ENGINE, rates.ENGINE, scr.ENGINE)}
