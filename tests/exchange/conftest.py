"""What the tests of the doors share: small deliveries written on the spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sharedrange.exchange.delivery import Delivery

DATA = Path(__file__).parent.parent / "data" / "exchange"
MakeFolder = Callable[[Mapping[str, str | bytes]], Path]


@pytest.fixture
def data() -> Path:
    """Real samples, each with its licence."""
    return DATA


@pytest.fixture
def make(tmp_path: Path) -> MakeFolder:
    """Write files (name -> content) into a new folder."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        folder = tmp_path / f"delivery-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return write


@pytest.fixture
def grid() -> Delivery:
    """A delivery of capture tables on a local grid."""
    return Delivery("north", "grid", "captures", crs="local:grid", taxon="Lynx lynx", detector="proximity")
