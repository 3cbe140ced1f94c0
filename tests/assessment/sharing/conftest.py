"""Three nodes that exchange: an owner, a recipient and a neighbour. Simulated, small, with keys of no secret."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from tests.sharing_cases import AGREEMENT, HEAD, LEOPARD, NOW, OWNER, PURPOSE, RECIPIENT, STEWARD, TODAY, cats

from sharedrange.assessment import sharing
from sharedrange.assessment.sharing.releasing import SealedPackage
from sharedrange.assessment.writing import simulate_node
from sharedrange.core.errors import AgreementError, InputError
from sharedrange.records import Keys, key_from_seed

NEIGHBOUR = "eastfell"
PARTIES = (OWNER, RECIPIENT, NEIGHBOUR)
DATASET = "SIMULATED-cameras-2026"
TEXT = HEAD + cats(LEOPARD, cell=0.2)


@dataclass(frozen=True, slots=True)
class Three:
    """The nodes of three parties, side by side in a folder; `drop` is the stick that they carry."""

    root: Path
    text: str = TEXT

    @property
    def drop(self) -> Path:
        """Where packages, cards and couriers lie between nodes."""
        return self.root / "drop"

    def node(self, party: str) -> Path:
        """The node of a party."""
        return self.root / party

    def meet(self, party: str, other: str) -> None:
        """Two parties read their fingerprints to each other."""
        for one, two in ((party, other), (other, party)):
            card = sharing.card(self.node(two))
            sharing.trust(self.node(one), card, compared=card.fingerprint, recorded_at=NOW)

    def sign(self, party: str, wanted: str = AGREEMENT) -> sharing.Listed:
        """A party signs an agreement."""
        return sharing.sign_agreement(self.node(party), wanted, by=f"{party}/director", recorded_at=NOW, today=TODAY)

    def agree(self, text: str = TEXT) -> None:
        """Owner and recipient meet, sign, and hold each other's signature; the neighbour knows the owner."""
        self.meet(OWNER, RECIPIENT)
        self.meet(OWNER, NEIGHBOUR)
        self.sign(OWNER, str(self.written(text)))
        self.courier(OWNER, RECIPIENT)
        self.sign(RECIPIENT)
        self.courier(RECIPIENT, OWNER)

    def written(self, text: str = TEXT) -> Path:
        """The text of an agreement, on the stick."""
        file = self.drop / "westfell.toml"
        file.write_text(text, encoding="utf-8")
        return file

    def courier(self, sender: str, receiver: str) -> sharing.Carried:
        """What one party has for another is carried there and taken in."""
        return sharing.take_carried(self.node(receiver), sharing.carry(self.node(sender), receiver, self.drop))

    def asked(self, recipient: str = RECIPIENT, purpose: str = PURPOSE, on: date = TODAY) -> sharing.Asked:
        """What is asked to leave, by default rightly."""
        return sharing.Asked(DATASET, AGREEMENT, recipient, purpose, on)

    def seal(
        self, *, by: str = STEWARD, look: bool = True, recipient: str = RECIPIENT, purpose: str = PURPOSE,
        on: date = TODAY,
    ) -> SealedPackage:  # fmt: skip
        """The owner seals a package and puts it on the stick."""
        return sharing.seal_release(
            self.node(OWNER),
            self.asked(recipient, purpose, on),
            approved_by=by,
            recorded_at=NOW,
            check=lambda leaving: sharing.look_at(leaving).findings if look else (),
            out=self.drop,
        )

    def open(self, file: Path, party: str = RECIPIENT, on: date = TODAY) -> sharing.Received:
        """A party takes a package in."""
        return sharing.open_package(self.node(party), file, on=on, recorded_at=NOW)

    def files(self, *parties: str) -> dict[str, str]:
        """Every file of the nodes and of the stick, by its hash. `work/` holds caches and a lock: anything goes there.

        Hidden files count: half-written ones are hidden.
        """
        within = [self.node(party) for party in parties or PARTIES]
        return {
            path.relative_to(self.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for place in (*within, self.drop)
            for path in sorted(place.rglob("*"))
            if path.is_file() and "work" not in path.relative_to(self.root).parts and path.name != ".lock"
        }

    def refusal(self, attempt: Callable[[], object]) -> list[str]:
        """The rules by which something is refused; that it changed no file is checked here."""
        before = self.files()
        with pytest.raises((InputError, AgreementError)) as refused:
            attempt()
        assert self.files() == before
        return [finding.rule for finding in refused.value.findings]


def _bytes_of(party: str, n: int) -> bytes:
    """The first bytes of what is nobody's secret: the party's name, hashed."""
    return key_from_seed(party.encode()).secret[:n]


def made(root: Path) -> Three:
    """The nodes, with keys and deliveries, that know nothing of each other."""
    three, simulated = Three(root), root / "simulated"
    simulate_node(simulated, preset="small", seed=11)
    three.drop.mkdir()
    for party in PARTIES:
        node = three.node(party)
        (node / "agreements").mkdir(parents=True)
        (node / "node.toml").write_text(f'party = "{party}"\n', encoding="utf-8")
        shutil.copy(simulated / "programme.toml", node)
        shutil.copytree(simulated / "sides", node / "sides")
        if party != RECIPIENT:
            shutil.copytree(simulated / "received" / party / DATASET, node / "own" / DATASET)
        Keys(node / "keys").create("sharing", random_bytes=partial(_bytes_of, party))
        sharing.make_keys(node)
    shutil.rmtree(simulated)
    return three


@pytest.fixture(scope="session")
def strangers_once(tmp_path_factory: pytest.TempPathFactory) -> Three:
    """Not to be changed: see `strangers`."""
    return made(tmp_path_factory.mktemp("strangers"))


@pytest.fixture(scope="session")
def agreed_once(strangers_once: Three, tmp_path_factory: pytest.TempPathFactory) -> Three:
    """Not to be changed: see `three`."""
    three = copied(strangers_once, tmp_path_factory.mktemp("agreed") / "nodes")
    three.agree()
    return three


@pytest.fixture(scope="session")
def sealed_once(agreed_once: Three, tmp_path_factory: pytest.TempPathFactory) -> tuple[Three, SealedPackage]:
    """Three nodes and a package on the stick. Not to be changed: see `package`."""
    three = copied(agreed_once, tmp_path_factory.mktemp("sealed") / "nodes")
    return three, three.seal()


@pytest.fixture
def strangers(strangers_once: Three, tmp_path: Path) -> Three:
    """Three nodes with keys that know nothing of each other."""
    return copied(strangers_once, tmp_path / "nodes")


@pytest.fixture
def three(agreed_once: Three, tmp_path: Path) -> Three:
    """Three nodes of which two have an agreement that both signed."""
    return copied(agreed_once, tmp_path / "nodes")


@pytest.fixture
def sent(sealed_once: tuple[Three, SealedPackage], tmp_path: Path) -> tuple[Three, Path]:
    """Three nodes, and a package that was sealed and not opened yet."""
    there, sealed = sealed_once
    three = copied(there, tmp_path / "nodes")
    return three, three.drop / sealed.file.name


def copied(three: Three, root: Path) -> Three:
    """The same nodes elsewhere."""
    shutil.copytree(three.root, root)
    return Three(root)
