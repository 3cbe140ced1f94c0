"""What coarse cells cost the joint estimate, as a preview shows it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sharedrange.assessment.sharing import open_ground
from sharedrange.assessment.sharing.costing import Cost, cost_curve
from sharedrange.core.errors import InputError

NODE = Path(__file__).parents[3] / "examples" / "three-nodes" / "westfell"


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> dict[float, Cost]:
    node = tmp_path_factory.mktemp("costing") / "westfell"
    shutil.copytree(NODE, node)
    ground = open_ground(node)
    curve = cost_curve(ground, ground.agreement("westfell-cats"), question="leopard-number", replicates=6)
    return {cost.cell: cost for cost in curve}


def test_cells_in_which_every_station_is_alone_cost_everything(costs: dict[float, Cost]) -> None:
    assert (costs[0.01].stations, costs[0.01].width_ratio, costs[0.01].fitted) == (0, None, 0)


def test_larger_cells_let_more_stations_leave_and_bias_the_density(costs: dict[float, Cost]) -> None:
    assert costs[0.1].stations == 30
    assert costs[0.2].stations > costs[0.1].stations
    assert costs[0.1].shift is not None
    assert costs[0.2].shift is not None
    assert costs[0.1].width_ratio is not None
    assert costs[0.2].shift < costs[0.1].shift < 0.1
    assert 0.8 < costs[0.1].width_ratio < 1.5
    assert costs[0.1].fitted == costs[0.1].replicates == 6


def test_a_question_that_counts_no_animals_has_no_cost(tmp_path: Path) -> None:
    shutil.copytree(NODE, tmp_path / "westfell")
    ground = open_ground(tmp_path / "westfell")
    with pytest.raises(InputError, match="cost-question"):
        cost_curve(ground, ground.agreement("westfell-cats"), question="wild-boar-rate")
