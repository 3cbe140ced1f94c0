"""Sign the decisions.csv of an example with a key that is no secret, so that the example's bytes are always the same.

    python tools/sign_decisions.py examples/two-parks

Records that are there are made anew. The key is made from the folder's name and thrown away.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from sharedrange.assessment.deciding import decide, read_decisions
from sharedrange.assessment.programme import read_node
from sharedrange.core.chance import stream
from sharedrange.records import Keys

RECORDED_AT = "2026-11-22T00:00:00Z"


def main(folder: Path) -> None:
    """Sign the decisions of one example."""
    chance = stream(1, f"tools.sign_decisions/{folder.name}")
    keys = read_node(folder).keys
    shutil.rmtree(folder / "records", ignore_errors=True)
    shutil.rmtree(keys, ignore_errors=True)
    Keys(keys).create(random_bytes=chance.bytes)
    done = decide(folder, read_decisions(folder / "decisions.csv"), RECORDED_AT, random_bytes=chance.bytes)
    shutil.rmtree(keys)
    shutil.rmtree(folder / "work", ignore_errors=True)
    for hidden in (folder / "records").glob(".*"):
        hidden.unlink()
    print(f"{folder}: {done.new} decisions signed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
