"""Draw the picture of the README: the joint sheet of examples/two-halves, real published data, as an SVG file.

The figure is the report's own. Links to the report's steps are taken out, and a white ground is laid under it, so
that it reads on a dark page. Run again it writes the same bytes.

    python tools/make_picture.py docs/picture-joint-sheet.svg
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from sharedrange.assessment.assessing import assess
from sharedrange.assessment.report.figures import joint_sheet
from sharedrange.assessment.report.naming import Naming
from sharedrange.assessment.report.palette import Look
from sharedrange.assessment.report.svg import standing_alone
from sharedrange.assessment.report.ways_back import with_steps
from sharedrange.core.files import write_atomically
from sharedrange.core.words import load

EXAMPLE = Path(__file__).parent.parent / "examples" / "two-halves"


def main(picture: Path) -> None:
    """Assess a copy of the example and write its figure to `picture`."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = standing_alone(_figure(Path(folder) / "node"))
    write_atomically(picture, drawn.encode())
    print(f"{picture}: {len(drawn.encode()) / 1000:.1f} kB")


def _figure(node: Path) -> str:
    """The joint sheet of the example's first question."""
    shutil.copytree(EXAMPLE, node, ignore=shutil.ignore_patterns("keys", "work", "assessment"))
    assessment = assess(node).assessment
    result, naming = with_steps(assessment.results[0]), Naming(assessment.programme, load())
    if result.sheet is None:
        raise SystemExit("the example has no joint sheet")
    title = naming.words("report.sheet.title", species=naming.species(result.question.species))
    return str(joint_sheet(result.sheet, Look(naming, result.step), title))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
