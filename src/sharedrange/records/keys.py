"""Keys of a node: made once, kept in a file that only its owner may read, known to others by a fingerprint."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sharedrange.core.canonical import canonical, read_canonical
from sharedrange.core.errors import InputError
from sharedrange.core.files import sync
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.records.lock import exclusive
from sharedrange.records.schemes import DEFAULT, SCHEMES, key_id

_FORMAT = "sharedrange-key-1"
_UNPROTECTED = "none"  # the only protection so far; a passphrase will be another word here
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_OTHERS_MAY_READ = 0o077


@dataclass(frozen=True, slots=True)
class Key:
    """A key that can sign. `id` is public; `secret` is never printed and goes nowhere but into its own file."""

    secret: bytes = field(repr=False)
    scheme: str = DEFAULT
    id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", key_id(SCHEMES[self.scheme], self.secret))

    @property
    def fingerprint(self) -> str:
        """Thirty digits to read aloud."""
        return fingerprint(self.id)

    def sign(self, message: bytes) -> str:
        """The signature of `message`, in hexadecimal."""
        return SCHEMES[self.scheme].sign(self.secret, message).hex()


def fingerprint(key: str) -> str:
    """Six groups of five digits (99 bits of the SHA-256 of the key's id), the same in every language.

    Examples
    --------
    >>> fingerprint("ed25519:00")
    '77960 73222 57869 92132 59132 68955'
    """
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()) % 10**30
    digits = f"{number:030d}"
    return " ".join(digits[i : i + 5] for i in range(0, 30, 5))


def key_from_seed(seed: bytes) -> Key:
    """The key that belongs to `seed`, always the same: for examples and tests, whose keys are no secret."""
    return Key(hashlib.sha256(b"sharedrange key from seed\n" + seed).digest())


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a node, one file a key, in the folder that node.toml names. Never exchanged."""

    folder: Path

    def create(self, name: str = "node", *, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Key:
        """A new key, kept under `name`; a key is never overwritten.

        Raises InputError if there is one of that name already, or the disk does not take it.
        """
        path = self._path(name)
        key = Key(random_bytes(SCHEMES[DEFAULT].secret_bytes))
        try:
            with exclusive(self.folder / ".lock"):
                if path.exists():
                    raise InputError([Finding("key-exists", {"name": name}, _at(path))])
                _write_private(path, _content(key))
        except OSError as error:
            problem = error.strerror or type(error).__name__
            raise InputError([Finding("key-not-written", {"problem": problem}, _at(path))]) from error
        return key

    def load(self, name: str = "node") -> Key:
        """The key kept under `name`. Raises InputError if there is none, or its file is not a key that opens."""
        path = self._path(name)
        try:
            return _key(path.read_bytes(), path)
        except OSError:
            raise InputError([Finding("key-missing", {"name": name}, _at(path))]) from None

    def names(self) -> tuple[str, ...]:
        """Names of the keys that are kept here."""
        return tuple(sorted(path.stem for path in self.folder.glob("*.key") if _NAME.fullmatch(path.stem)))

    def findings(self) -> tuple[Finding, ...]:
        """A warning for every key file that other users of this computer may read."""
        paths = [self._path(name) for name in self.names()]
        open_to_others = [path for path in paths if path.stat().st_mode & _OTHERS_MAY_READ]
        return tuple(
            Finding("key-readable", {"name": path.stem}, _at(path), Severity.WARNING) for path in open_to_others
        )

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise InputError([Finding("key-name", {"name": name})])
        return self.folder / f"{name}.key"


def _at(path: Path) -> Where:
    return Where(file=f"{path.parent.name}/{path.name}")


def _content(key: Key) -> bytes:
    value = {"format": _FORMAT, "id": key.id, "protection": _UNPROTECTED, "secret": key.secret.hex()}
    return canonical(value) + b"\n"


def _key(content: bytes, path: Path) -> Key:
    malformed = InputError([Finding("key-malformed", {}, _at(path))])
    try:
        value = read_canonical(content.rstrip(b"\r\n"))
        protection, secret = value["protection"], value["secret"]
        claimed, known = value["id"], value["format"] == _FORMAT
    except (ValueError, KeyError, TypeError):
        raise malformed from None
    if protection != _UNPROTECTED:
        raise InputError([Finding("key-protection", {"protection": str(protection)}, _at(path))])
    try:
        key = Key(bytes.fromhex(secret), claimed.partition(":")[0])
    except (ValueError, TypeError, AttributeError, KeyError):
        raise malformed from None
    if not known or key.id != claimed:
        raise malformed
    return key


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read (mode 0600 from its first byte), whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    sync(path.parent)
