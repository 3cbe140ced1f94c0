"""What the tests of sharing share."""

from __future__ import annotations

from types import ModuleType

import pytest
from tests import sharing_cases


@pytest.fixture(scope="session")
def kit() -> ModuleType:
    """Agreements and deliveries, for tests to take what they need."""
    return sharing_cases
