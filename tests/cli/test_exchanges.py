"""The commands of exchange on the terminal, in a copy of the example of three nodes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sharedrange.assessment import sharing

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "three-nodes"
ASKED = ("--agreement", "westfell-cats", "--for", "secretariat", "--purpose", "treaty-report")
Type = Callable[..., Any]


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example, and the terminal stands in it."""
    folder = tmp_path / "practice"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("work", "assessment*"))
    monkeypatch.chdir(folder)
    monkeypatch.delenv("SHAREDRANGE_PASSPHRASE", raising=False)
    return folder


def test_keys_shows_the_digits_that_stand_on_the_cards(nodes: Path, type_line: Type) -> None:
    shown = type_line("keys", "westfell")
    assert shown.code == 0
    assert sharing.card(nodes / "westfell").fingerprint in shown.out
    assert f"secretariat  {sharing.card(nodes / 'secretariat').fingerprint}" in shown.out


def test_a_node_is_no_partner_of_its_own_after_a_new_key(
    nodes: Path, type_line: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHAREDRANGE_PASSPHRASE", "")
    shown = type_line("keys", "westfell", "--rotate")
    assert shown.code == 0
    assert [card.party for card in sharing.partners(nodes / "westfell")] == ["secretariat"]


def test_keys_that_are_there_get_a_passphrase_too(
    nodes: Path, type_line: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sharing.card(nodes / "westfell")
    monkeypatch.setenv("SHAREDRANGE_PASSPHRASE", "seven passes in winter")
    assert type_line("keys", "westfell", "--passphrase").code == 0
    assert sharing.card(nodes / "westfell") == before
    monkeypatch.setenv("SHAREDRANGE_PASSPHRASE", "another")
    refused = type_line("seal", "westfell", "SIMULATED-cameras-2026", *ASKED, "--by", "westfell/data-steward")
    assert refused.code == 1
    assert "key-passphrase-wrong" in refused.err
    assert not (nodes / "westfell" / "packages").exists()


def test_a_stolen_key_is_trusted_no_longer(nodes: Path, type_line: Type) -> None:
    digits = sharing.card(nodes / "westfell").fingerprint
    unsaid = type_line("keys", "secretariat", "--distrust", digits)
    assert unsaid.code == 2
    assert "--reason" in unsaid.err
    said = type_line("keys", "secretariat", "--distrust", digits, "--reason", "stolen with a laptop")
    assert said.code == 0
    assert "westfell" in said.out
    assert "urn:agreement:westfell--secretariat:2026-09" in said.out  # it waits for new signatures
    assert [card.party for card in sharing.partners(nodes / "secretariat")] == ["eastfell"]
    assert "distrusted" in type_line("audit", "secretariat").out


def test_the_books_show_what_was_seen_before_a_package_left(nodes: Path, type_line: Type) -> None:
    sealed = type_line("seal", "westfell", "SIMULATED-cameras-2026", *ASKED, "--by", "westfell/data-steward")
    assert sealed.code == 0
    (_, left) = sharing.audit(nodes / "westfell", date(2026, 11, 22)).left
    shown = type_line("audit", "westfell")
    assert f"Seen before {left.package[:12]}" in shown.out


def test_a_preview_tells_what_leaves_what_stays_and_what_attackers_find(nodes: Path, type_line: Type) -> None:
    shown = type_line("preview", "westfell", "SIMULATED-cameras-2026", *ASKED)
    assert shown.code == 0
    for part in ("30  stations", "0 coordinates leave", "9  stations in cells that too few share", "certified", "km²"):
        assert part in shown.out
    assert not (nodes / "westfell" / "packages").exists()


def test_every_reason_against_a_release_is_told_at_once(nodes: Path, type_line: Type) -> None:
    line = ("--agreement", "westfell-cats", "--for", "eastfell", "--purpose", "sale", "--by", "westfell/data-steward")
    refused = type_line("seal", "westfell", "SIMULATED-cameras-2026", *line)
    assert refused.code == 1
    assert "release-purpose" in refused.err
    assert "release-recipient" in refused.err


def test_audit_tells_of_a_revocation_and_of_who_answered(nodes: Path, type_line: Type) -> None:
    type_line("revoke", "westfell", "westfell-cats", "--reason", "practice", "--by", "westfell/director")
    assert "nobody answered yet" in type_line("audit", "westfell").out
    type_line("agreements", "westfell", "--carry", "secretariat")
    type_line("agreements", "secretariat", "--take", "westfell-for-secretariat")
    answer = ("--answer", "westfell-cats", "--what", "deleted", "--by", "secretariat/head", "--carry", "westfell")
    assert type_line("agreements", "secretariat", *answer).code == 0
    type_line("agreements", "westfell", "--take", "secretariat-for-westfell")
    told = type_line("audit", "westfell", width=120).out
    assert "Revoked by westfell/director" in told
    assert "secretariat/head answered: deleted" in told
    assert "nobody answered yet" not in told


def test_a_purpose_is_never_cut_short(nodes: Path, type_line: Type) -> None:
    assert "joint-population-estimate" in type_line("audit", "westfell", width=110).out


def test_a_package_opens_once(nodes: Path, type_line: Type) -> None:
    (file,) = (nodes / "carried").glob("westfell-to-*.age")
    refused = type_line("open", "secretariat", f"carried/{file.name}")
    assert refused.code == 1
    assert "package-opened" in refused.err
