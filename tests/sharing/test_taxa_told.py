"""What people typed for a taxon leaves where an agreement names it, or where it looks like a name; else a pseudonym."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.canonical import canonical
from sharedrange.core.contents import Delivered
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Request, Standing, names_needed, release
from sharedrange.sharing.release.taxa import looks_scientific
from sharedrange.sharing.sealing.container import csv_of

TYPED = "tiger, seen by Ivan at the north camp"


def for_all(kit: Any, *named: str) -> Any:
    taxa = ", ".join(f'"{name}"' for name in ("*", *named))
    rule = kit.CATS.replace(f'"{kit.LEOPARD}", "{kit.TIGER}"', taxa).replace("least_stations = 2", "least_stations = 1")
    return kit.agreement(f'{kit.HEAD}{rule}visits = []\ncounts = ["count"]\n')


def payload(kit: Any, content: Delivered, agreement: Any, table: Pseudonyms) -> bytes:
    request, standing = Request(kit.RECIPIENT, kit.PURPOSE, kit.TODAY), Standing(frozenset(agreement.parties))
    one = release(content, agreement, request, standing, table)
    return b"".join(csv_of(one.tables[name]) for name in sorted(one.tables)) + canonical(one.manifest)


def minted(content: Delivered, agreement: Any) -> Pseudonyms:
    numbers = iter(range(1, 1 << 30))
    return Pseudonyms(agreement.id).with_names(
        names_needed(content, agreement), lambda n: next(numbers).to_bytes(n, "big")
    )


def called(kit: Any, name: str) -> Delivered:
    """Cameras and counts in which boars and gulls are called by a name."""
    survey, counts = kit.survey(), kit.counts()
    renamed = pl.col("taxon").replace({kit.BOAR: name, "Larus canarius": name})
    return Delivered(
        survey=survey.with_tables(observations=survey.observations.with_columns(renamed)),
        counts=type(counts)(
            counts.party, counts.dataset, counts.frame, counts.visits, counts.counts.with_columns(renamed)
        ),
    )


def test_a_sentence_leaves_as_a_pseudonym_and_stays_one_taxon(kit: Any) -> None:
    agreement, content = for_all(kit), called(kit, TYPED)
    table = minted(content, agreement)
    told = payload(kit, content, agreement, table)
    assert b"Ivan" not in told
    pseudonym = table.names["taxon", kit.OWNER, TYPED]
    assert told.count(pseudonym.encode()) == 5  # one encounter, four counts
    assert kit.LEOPARD.encode() in told


def test_what_the_agreement_names_leaves_as_it_is(kit: Any) -> None:
    agreement, content = for_all(kit, TYPED), called(kit, TYPED)
    assert TYPED.encode() in payload(kit, content, agreement, minted(content, agreement))


def test_scientific_names_leave_as_they_are(kit: Any) -> None:
    agreement, content = for_all(kit), called(kit, "Larus canarius")
    table = minted(content, agreement)
    assert b"Larus canarius" in payload(kit, content, agreement, table)
    assert not [name for name in table.names if name[0] == "taxon"]


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=40).filter(lambda text: text.strip() and not looks_scientific(text)))
def test_what_was_typed_changes_no_byte(kit: Any, typed: str) -> None:
    agreement, plain, other = for_all(kit), called(kit, TYPED), called(kit, typed)
    table = minted(plain, agreement)
    name = ("taxon", kit.OWNER, TYPED)
    renamed = {("taxon", kit.OWNER, typed) if one == name else one: told for one, told in table.names.items()}
    assert payload(kit, plain, agreement, table) == payload(kit, other, agreement, Pseudonyms(agreement.id, renamed))


def test_a_name_without_its_pseudonym_does_not_leave(kit: Any) -> None:
    agreement, content = for_all(kit), called(kit, TYPED)
    table = minted(content, agreement)
    without = {name: told for name, told in table.names.items() if name[0] != "taxon"}
    with pytest.raises(KeyError):
        payload(kit, content, agreement, Pseudonyms(agreement.id, without))


@pytest.mark.parametrize(
    "name",
    ["Ivan", "Tiger 3", "panthera tigris", "PANTHERA TIGRIS", "Panthera tigris at camp 4", "Пантера тигр", "虎", "",
     "Panthera tigris\n", "=Panthera tigris", "Panthera tigris " + "a" * 80],
)  # fmt: skip
def test_these_look_like_no_scientific_name(name: str) -> None:
    assert not looks_scientific(name)
