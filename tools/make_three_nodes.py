"""Make examples/three-nodes anew: what two parks of examples/two-parks give a secretariat, by agreement and sealed.

    python tools/make_three_nodes.py

Keys that sign are made from the folder's name. Identities that open packages, and the packages themselves, hold chance
of the age format: their bytes differ each time, what they hold does not. README.md is written by hand and stays.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

from sharedrange.assessment import sharing
from sharedrange.assessment.deciding import decide, read_decisions
from sharedrange.assessment.sharing import publishing
from sharedrange.assessment.sharing.ground import KEY
from sharedrange.assessment.writing import PRESETS, programme_toml
from sharedrange.core.chance import stream
from sharedrange.records import Keys, import_records, open_store
from sharedrange.sharing.outputs import Asked

EXAMPLES = Path(__file__).parent.parent / "examples"
FOLDER, POOLED = EXAMPLES / "three-nodes", EXAMPLES / "two-parks"
SECRETARIAT, PARKS = "secretariat", ("westfell", "eastfell")
STICK = "carried"  # what went from hand to hand
KEYS = "keys-EXAMPLE-no-secret"
DATASET = "SIMULATED-cameras-2026"
PURPOSE, REPORT = "joint-population-estimate", "treaty-report"
# The story's days; periods end on 31 May and may leave after 90 days.
COMPARED, MET, AGREED, GIVEN, OPENED, TOLD = (date(2026, 8, 20), date(2026, 8, 27), date(2026, 9, 1), date(2026, 9, 15),
                                              date(2026, 9, 18), date(2026, 10, 1))  # fmt: skip
PROGRAMME_SEED = 20260101  # of examples/two-parks, so that both put the same question with the same chance
_CHANGES = (
    ('id = "two-parks"', 'id = "three-nodes"'),
    (
        "SIMULATED: two invented parks, one population",
        "SIMULATED: two invented parks and a secretariat, one population",
    ),
    # A release tells whole months: a question about whole months loses nothing to that.
    ("end = 2026-05-01", "end = 2026-04-30"),
)

RandomBytes = Callable[[int], bytes]


def main(folder: Path = FOLDER) -> None:
    """Write the example; README.md stays, all else is made anew."""
    folder.mkdir(exist_ok=True)
    for old in (*PARKS, SECRETARIAT, STICK):
        shutil.rmtree(folder / old, ignore_errors=True)
    (folder / STICK).mkdir()
    chance = stream(1, f"tools.make_three_nodes/{folder.name}").bytes
    for party in (*PARKS, SECRETARIAT):
        _begin(folder / party, party, chance)
    _compare(folder, chance)
    for party in PARKS:
        _introduce(folder, party)
        _agree(folder, party)
        _give(folder, party, chance)
    _tell(folder, chance)
    for party in PARKS:
        _carry(folder, SECRETARIAT, party)  # the park learns that its package was opened, and what was told
    _clean(folder)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder.relative_to(folder.parent.parent)}: {size / 1e6:.1f} MB")


def _begin(node: Path, party: str, chance: RandomBytes) -> None:
    """A node with the programme that all three share; a park's with its own data and what everybody knows."""
    node.mkdir()
    (node / "node.toml").write_text(f'party = "{party}"\nkeys = "{KEYS}"\n', encoding="utf-8")
    (node / "programme.toml").write_text(_programme(), encoding="utf-8")
    shutil.copytree(POOLED / "sides", node / "sides")
    if party in PARKS:
        released = shutil.ignore_patterns("manifest.json")  # own data need no list of hashes
        shutil.copytree(POOLED / "received" / party / DATASET, node / "own" / DATASET, ignore=released)
    Keys(node / KEYS).create(KEY, random_bytes=chance)
    sharing.make_keys(node)


def _programme() -> str:
    """The questions of the two-parks preset, asked of whole months."""
    text = programme_toml(PRESETS["two-parks"](), PROGRAMME_SEED)
    for old, new in _CHANGES:
        if old not in text:
            raise ValueError(f"the preset's programme no longer says {old!r}")
        text = text.replace(old, new)
    return text


def _compare(folder: Path, chance: RandomBytes) -> None:
    """The parks lay their photographs side by side; one signs what they decided, both keep it."""
    first, *others = PARKS
    Keys(folder / first / KEYS).create(random_bytes=chance)
    decide(folder / first, read_decisions(POOLED / "decisions.csv"), _at(COMPARED), random_bytes=chance)
    (folder / first / KEYS / "node.key").unlink()
    for other in others:
        import_records(open_store(folder / other / "records"), folder / first / "records")


def _introduce(folder: Path, party: str) -> None:
    """A park and the secretariat exchange cards and read the fingerprints to each other."""
    for giver, taker in ((SECRETARIAT, party), (party, SECRETARIAT)):
        card = sharing.read_card(sharing.write_card(sharing.card(folder / giver), folder / STICK))
        sharing.trust(folder / taker, card, compared=card.fingerprint, recorded_at=_at(MET))


def _agree(folder: Path, party: str) -> None:
    """Both sign the agreement that the park drew up."""
    draft = folder / party / "agreements" / f"{party}-cats.toml"
    draft.parent.mkdir()
    other = next(park for park in PARKS if park != party)
    draft.write_text(AGREEMENT.format(owner=party, name=party.title(), other=other), encoding="utf-8")
    _sign(folder / party, draft.name, party)
    _carry(folder, party, SECRETARIAT)
    _sign(folder / SECRETARIAT, draft.name, SECRETARIAT)
    _carry(folder, SECRETARIAT, party)


def _sign(node: Path, agreement: str, party: str) -> None:
    sharing.sign_agreement(node, agreement, by=f"{party}/director", recorded_at=_at(AGREED), today=AGREED)


def _carry(folder: Path, giver: str, taker: str) -> None:
    sharing.take_carried(folder / taker, sharing.carry(folder / giver, taker, folder / STICK))


def _give(folder: Path, party: str, chance: RandomBytes) -> None:
    """The park seals what may leave; the secretariat opens it."""
    asked = sharing.Asked(DATASET, f"{party}-cats", SECRETARIAT, PURPOSE, GIVEN)
    sealed = sharing.seal_release(
        folder / party,
        asked,
        approved_by=f"{party}/data-steward",
        recorded_at=_at(GIVEN),
        check=lambda leaving: sharing.look_at(leaving).findings,
        out=folder / STICK,
        random_bytes=chance,
    )
    sharing.open_package(folder / SECRETARIAT, sealed.file, on=OPENED, recorded_at=_at(OPENED))


def _tell(folder: Path, chance: RandomBytes) -> None:
    """The secretariat tells everybody the numbers that both parks let be told."""
    asked = Asked("public", REPORT, TOLD)
    publishing.publish(
        folder / SECRETARIAT, asked, by=f"{SECRETARIAT}/head", recorded_at=_at(TOLD), random_bytes=chance
    )


def _clean(folder: Path) -> None:
    """Leave nothing that a command makes anew."""
    for node in (*PARKS, SECRETARIAT):
        shutil.rmtree(folder / node / "work", ignore_errors=True)
    for lock in folder.rglob(".lock"):
        lock.unlink()


def _at(day: date) -> str:
    return f"{day}T09:00:00Z"


AGREEMENT = """\
# SIMULATED. The parks are invented, and so is this agreement: what each key means is told in docs/agreements.md.
agreement = 1
id = "urn:agreement:{owner}--secretariat:2026-09"
title = "SIMULATED: cats and boars that {name} Park tells the secretariat about"
owner = "{owner}"
recipients = ["secretariat"]
purposes = ["joint-population-estimate", "treaty-report"]
approved_by = "{owner}/data-steward"
timezone = "Asia/Shanghai"
# The other park may see what comes of it: both get the joint number.
onward = "listed"
onward_to = ["{other}"]

[valid]
start = 2026-09-01
end = 2036-08-31

[[rules]]
id = "cats"
taxa = ["Panthera pardus orientalis", "Panthera tigris altaica"]
cell = 0.1
least_stations = 2
few_stations = "withhold"
delay_days = 90
resolution = "month"
identity = "pseudonym"
concordance = "joint-id"
least_area_km2 = 20.0
category = 2

[rules.tables]
stations = ["camera_type", "detector"]
effort = []
encounters = ["individual", "catalogue", "sex", "life_stage", "flank", "encounters"]

[[rules]]
id = "prey"
taxa = ["Sus scrofa"]
cell = 0.1
least_stations = 2
delay_days = 90
resolution = "month"

[rules.tables]
stations = ["camera_type", "detector"]
effort = []
encounters = ["encounters"]

# Everybody may be told how many animals there are, and how densely they live, where enough are known.
[[outputs]]
kind = "total-abundance"
audience = "public"
least_animals = 10

[[outputs]]
kind = "density"
audience = "public"
least_animals = 10

[duties]
attribute = true
delete_on_expiry = true
acknowledge_revocation = true
report_breach_within_days = 3
"""


if __name__ == "__main__":
    main()
