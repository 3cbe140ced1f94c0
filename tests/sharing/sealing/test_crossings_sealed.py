"""Crossings in a package: as they left, through encryption, the checks of opening and the door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sharedrange.core.individuals import LocalIndividual
from sharedrange.exchange.doors import read_delivered
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Released, Request, Standing, names_needed, release


def crossed(kit: Any) -> Released:
    """What leaves of the kit's survey, of which another party knows one leopard."""
    agreement = kit.agreement(kit.HEAD + kit.CATS.replace("identity", 'concordance = "crossings"\nidentity'))
    content = kit.delivered(kit.survey())
    table = Pseudonyms(agreement.id).with_names(names_needed(content, agreement))
    known_to = {LocalIndividual(kit.OWNER, "main", "F1"): frozenset({"eastfell"})}
    request, standing = Request(kit.RECIPIENT, kit.PURPOSE, kit.TODAY), Standing(frozenset(agreement.parties))
    return release(content, agreement, request, standing, table, known_to=known_to)


def test_crossings_arrive_as_they_left(kit: Any, tools: Any, tmp_path: Path) -> None:
    one = crossed(kit)
    package = tools.opened(tools.sealed_of(one, kit).content)
    assert package.rows["crossings"] == one.tables["crossings"].height == 2
    for name, content in package.files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "delivery.toml").write_text(f'party = "{kit.OWNER}"\nformat = "released"\n', encoding="utf-8")
    content, _, _ = read_delivered(tmp_path, kit.OWNER)
    assert content is not None
    assert content.crossings is not None
    assert content.crossings.seasons.equals(one.tables["crossings"])
