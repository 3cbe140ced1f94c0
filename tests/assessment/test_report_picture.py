"""The picture of the README: the report's figure, standing alone."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from sharedrange.assessment.report.svg import standing_alone

ROOT = Path(__file__).parent.parent.parent
PICTURE = ROOT / "docs" / "picture-joint-sheet.svg"
FIGURE = (
    '<svg viewBox="0 0 720 410.5" width="100%"><title>t</title><a href="#step-0" class="n"><text>82</text></a></svg>'
)


def test_a_figure_of_its_own_has_a_white_ground_a_size_and_no_links() -> None:
    alone = standing_alone(FIGURE)
    assert 'viewBox="-24 -24 768 458.5" width="768" height="458.5"' in alone
    assert '</title><rect x="-24" y="-24" width="768" height="458.5" fill="#ffffff"/>' in alone
    assert "<a " not in alone
    assert "<text>82</text>" in alone


def test_the_committed_picture_is_small_and_says_what_the_example_says() -> None:
    drawn = PICTURE.read_text(encoding="utf-8")
    texts = "".join(ET.fromstring(drawn).itertext())
    assert len(drawn.encode()) < 60_000
    assert "<a " not in drawn
    assert re.search(r"Known together, each counted\s*once103", texts)
    assert re.search(r"Minimum numbers of the parties,\s*added up130", texts)
