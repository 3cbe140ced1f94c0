"""Nodes that the tests of the assembly work on: simulated, small, decided."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sharedrange.assessment.deciding import decide, read_decisions
from sharedrange.assessment.writing import simulate_node

RECORDED_AT = "2026-11-22T00:00:00Z"


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated node with its decisions signed. Not to be changed: see `node`."""
    folder = tmp_path_factory.mktemp("nodes") / "small"
    simulate_node(folder, preset="small", seed=11)
    decide(folder, read_decisions(folder / "decisions.csv"), RECORDED_AT)
    return folder


@pytest.fixture
def node(simulated: Path, tmp_path: Path) -> Path:
    """A copy of the simulated node that a test may change."""
    folder = tmp_path / "node"
    shutil.copytree(simulated, folder)
    return folder
