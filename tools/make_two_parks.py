"""Make examples/two-parks anew: the preset `two-parks` with a seed that nobody searched for (a date).

python tools/make_two_parks.py
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sharedrange.assessment.writing import simulate_node

FOLDER = Path(__file__).parent.parent / "examples" / "two-parks"
SEED = 20260101


def main(folder: Path = FOLDER) -> None:
    """Write the example; an older one is removed, with the records that were signed for it."""
    if (folder / "truth").is_dir():
        shutil.rmtree(folder)
    simulate_node(folder, preset="two-parks", seed=SEED)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder.relative_to(folder.parent.parent)}: {size / 1e6:.1f} MB, seed {SEED}")


if __name__ == "__main__":
    main()
