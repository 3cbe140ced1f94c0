"""Keys of a node: made once, kept in a file that only its owner may read, known to others by a fingerprint."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from sharedrange.core.canonical import canonical, read_canonical
from sharedrange.core.errors import InputError
from sharedrange.core.files import sync
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.records.lock import exclusive
from sharedrange.records.protection import Passphrase, protect, secret_of
from sharedrange.records.schemes import DEFAULT, SCHEMES, key_id

_FORMAT, _AGE_FORMAT = "sharedrange-key-1", "sharedrange-age-1"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LEFT = re.compile(r"\.[a-z0-9][a-z0-9_-]{0,63}\.(?:key|age)\.new")  # what `_write_private` did not finish
_OTHERS_MAY_READ = 0o077
_WRONG_PASSPHRASE = {"key-passphrase-missing", "key-passphrase-wrong"}
T = TypeVar("T")


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

    def salt(self, message: bytes) -> str:
        """32 hexadecimal digits, always the same for `message`, that nobody guesses who has not the key."""
        return hmac.digest(self.secret, b"sharedrange salt\n" + message, "sha256").hex()[:32]


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
class Identity:
    """What opens packages that were sealed for `id`: an identity of the age format (age-encryption.org, X25519)."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a node, in the folder that node.toml names. Never exchanged.

    ``<name>.key`` holds a key that signs, ``<name>.age`` an identity that opens packages; each may lie under a
    passphrase.
    """

    folder: Path

    def create(
        self,
        name: str = "node",
        *,
        passphrase: str | None = None,
        scheme: str = DEFAULT,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> Key:
        """A new key of a signature scheme, kept under `name`; a key is never overwritten.

        Raises InputError if there is one of that name already, the passphrase is empty, or the disk does not take it;
        KeyError for a scheme that is none.
        """
        key = Key(random_bytes(SCHEMES[scheme].secret_bytes), scheme)
        self._add(self._path(name), name, _content(_FORMAT, key.id, key.secret, passphrase))
        return key

    def create_identity(self, name: str = "node", *, passphrase: str | None = None) -> Identity:
        """A new identity that opens packages, kept under `name`; see `create`."""
        from pyrage import x25519  # noqa: PLC0415  (start-up stays light)

        new = x25519.Identity.generate()
        identity = Identity(str(new.to_public()), str(new))
        content = _content(_AGE_FORMAT, identity.id, identity.secret.encode("ascii"), passphrase)
        self._add(self._path(name, ".age"), name, content)
        return identity

    def load(self, name: str = "node", passphrase: Passphrase = None) -> Key:
        """The key kept under `name`.

        Raises InputError if there is none, its file is not a key that opens, or the passphrase is missing or wrong.
        """
        path = self._path(name)
        return _key(_read(path, name), passphrase, path)

    def identity(self, name: str = "node", passphrase: Passphrase = None) -> Identity:
        """The identity kept under `name`; see `load`."""
        path = self._path(name, ".age")
        return _identity(_read(path, name), passphrase, path)

    def public(self, name: str = "node", suffix: str = ".key") -> str:
        """The public id of a key or (``.age``) identity; needs no passphrase. Raises InputError as `load`."""
        path = self._path(name, suffix)
        return str(_fields(_read(path, name), path)["id"])

    def change_passphrase(self, name: str, old: Passphrase, new: str | None) -> None:
        """Keep a key and the identity beside it under another passphrase, or bare (None).

        Raises InputError as `load`, and changes nothing then. A change that stopped between the two files is finished
        by the same call: what lies under the new passphrase already stays so.
        """
        given = cache(old) if callable(old) else old  # asked for once, and not at all where the key lies open
        key, path = _either(self.load, name, given, new), self._path(name)
        files = {path: _content(_FORMAT, key.id, key.secret, new)}
        if (beside := self._path(name, ".age")).exists():
            identity = _either(self.identity, name, given, new)
            files[beside] = _content(_AGE_FORMAT, identity.id, identity.secret.encode("ascii"), new)
        with self._writing(path):
            for file, content in files.items():
                _write_private(file, content)

    def retire(self, name: str, to: str) -> None:
        """Keep the key and the identity of `name` under another name, so that new ones can take their place.

        Raises InputError if there is no such key, there is a key or identity of the other name, or the disk does not
        take it. A move that stopped between the two files is finished by the same call.
        """
        _read(self._path(name), name)
        # The key last: while it is there, nothing new can take its place.
        moves = {self._path(name, suffix): self._path(to, suffix) for suffix in (".age", ".key")}
        with self._writing(self._path(name)):
            present = {old: new for old, new in moves.items() if old.exists()}
            if taken := [new for new in present.values() if new.exists()]:
                raise InputError([Finding("key-exists", {"name": to}, _at(path)) for path in taken])
            for old, new in present.items():
                old.rename(new)
            sync(self.folder)

    def names(self) -> tuple[str, ...]:
        """Names of the keys that are kept here."""
        return tuple(sorted(path.stem for path in self.folder.glob("*.key") if _NAME.fullmatch(path.stem)))

    def findings(self) -> tuple[Finding, ...]:
        """A warning for every file of a key or identity that other users of this computer may read."""
        paths = sorted(path for path in self.folder.glob("*.*") if path.suffix in (".age", ".key"))
        kept = [path for path in paths if _NAME.fullmatch(path.stem)]
        open_to_others = [path for path in kept if path.stat().st_mode & _OTHERS_MAY_READ]
        return tuple(
            Finding("key-readable", {"name": path.stem}, _at(path), Severity.WARNING) for path in open_to_others
        )

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        """One writer at a time, who first clears what one that was killed left: it may be a secret, and bare."""
        with _written(path), exclusive(self.folder / ".lock"):
            for left in self.folder.glob(".*.new"):
                if _LEFT.fullmatch(left.name):
                    left.unlink()
            yield

    def _add(self, path: Path, name: str, content: bytes) -> None:
        """Write a file that is not there yet."""
        with self._writing(path):
            if path.exists():
                raise InputError([Finding("key-exists", {"name": name}, _at(path))])
            _write_private(path, content)

    def _path(self, name: str, suffix: str = ".key") -> Path:
        if not _NAME.fullmatch(name):
            raise InputError([Finding("key-name", {"name": name})])
        return self.folder / f"{name}{suffix}"


def _at(path: Path) -> Where:
    return Where(file=f"{path.parent.name}/{path.name}")


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """What the system says against writing becomes a finding."""
    try:
        yield
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise InputError([Finding("key-not-written", {"problem": problem}, _at(path))]) from error


def _either(load: Callable[[str, Passphrase], T], name: str, first: Passphrase, second: str | None) -> T:
    """What `load` finds under the first passphrase, or else under the second; the first's error if under neither."""
    try:
        return load(name, first)
    except InputError as error:
        if not {finding.rule for finding in error.findings} <= _WRONG_PASSPHRASE:
            raise
        try:
            return load(name, second)
        except InputError:
            raise error from None


def _content(form: str, public: str, secret: bytes, passphrase: str | None) -> bytes:
    return canonical({"format": form, "id": public, **protect(secret, passphrase)}) + b"\n"


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise InputError([Finding("key-missing", {"name": name}, _at(path))]) from None


def _fields(content: bytes, path: Path) -> dict[str, Any]:
    """The fields of a key's file. Raises InputError if it is none."""
    try:
        value = read_canonical(content.rstrip(b"\r\n"))
    except ValueError:
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        raise _malformed(path)
    return value


def _malformed(path: Path) -> InputError:
    return InputError([Finding("key-malformed", {}, _at(path))])


def _key(content: bytes, passphrase: Passphrase, path: Path) -> Key:
    fields = _fields(content, path)
    try:
        key = Key(secret_of(fields, passphrase, _at(path)), fields["id"].partition(":")[0])
        known = fields["format"] == _FORMAT
    except (ValueError, TypeError, AttributeError, KeyError):
        raise _malformed(path) from None
    if not known or key.id != fields["id"]:
        raise _malformed(path)
    return key


def _identity(content: bytes, passphrase: Passphrase, path: Path) -> Identity:
    from pyrage import IdentityError, x25519  # noqa: PLC0415  (start-up stays light)

    fields = _fields(content, path)
    try:
        secret = secret_of(fields, passphrase, _at(path)).decode("ascii")
        public, known = str(x25519.Identity.from_str(secret).to_public()), fields["format"] == _AGE_FORMAT
    except (ValueError, TypeError, KeyError, IdentityError):
        raise _malformed(path) from None
    if not known or public != fields["id"]:
        raise _malformed(path)
    return Identity(public, secret)


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
