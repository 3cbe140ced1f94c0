"""The engines that a programme's questions may name.

One more engine is a folder, a docs page, a benchmark, a line here, and an entry in `inputs`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sharedrange.core.engine import Engine
from sharedrange.population import closed, doubt, minimum, occupancy, permeability, rates, scr, trend
from sharedrange.population import open as open_years

ENGINES: Mapping[str, Engine] = {
    engine.name: engine
    for engine in (
        closed.ENGINE,
        doubt.ENGINE,
        minimum.ENGINE,
        occupancy.ENGINE,
        open_years.ENGINE,
        permeability.ENGINE,
        rates.ENGINE,
        scr.ENGINE,
        trend.ENGINE,
    )
}
