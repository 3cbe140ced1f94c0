"""How a secret lies in its file: as it is, or under a passphrase.

A passphrase is stretched with Argon2id (RFC 9106) into the key of a SecretBox (XSalsa20-Poly1305), both by libsodium.
Who has the file still has to guess the passphrase, and every guess takes `Cost` of memory and time.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sharedrange.core.canonical import Json
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Where

Passphrase = str | Callable[[], str] | None  # a callable is asked only where a passphrase is needed
RandomBytes = Callable[[int], bytes]

UNPROTECTED = "none"
PROTECTED = "argon2id-secretbox"
_SALT_BYTES = 16
_BOX_NONCE_BYTES = 24
_BOX_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess of a passphrase costs: memory in bytes, filled `passes` times."""

    memory_bytes: int = 256 << 20  # libsodium's "moderate": about a second, and it fits an 8 GB laptop
    passes: int = 3


MODERATE = Cost()
_LARGEST = Cost(1 << 30, 64)  # a file that asks for more was not written by this program


def protect(secret: bytes, passphrase: str | None, random_bytes: RandomBytes = secrets.token_bytes) -> dict[str, Json]:
    """The fields of a key file that hold `secret`: sealed under `passphrase`, or open where there is none.

    Raises InputError if the passphrase is empty.
    """
    if passphrase is None:
        return {"protection": UNPROTECTED, "secret": secret.hex()}
    if not passphrase:
        raise InputError([Finding("key-passphrase-empty", {})])
    from nacl.secret import SecretBox  # noqa: PLC0415  start-up stays light

    cost = MODERATE
    salt, nonce = random_bytes(_SALT_BYTES), random_bytes(_BOX_NONCE_BYTES)
    sealed = SecretBox(_stretched(passphrase, salt, cost)).encrypt(secret, nonce)
    return {
        "memory_bytes": cost.memory_bytes,
        "passes": cost.passes,
        "protection": PROTECTED,
        "salt": salt.hex(),
        "secret": bytes(sealed).hex(),
    }


def secret_of(fields: Mapping[str, Json], passphrase: Passphrase, where: Where = Where()) -> bytes:
    """The secret that `protect` put into a key file.

    Raises ValueError if the fields are not of its making, InputError if the protection is one that this version does
    not know, or the passphrase is missing or wrong.
    """
    if fields["protection"] == UNPROTECTED:
        return _from_hex(fields["secret"])
    if fields["protection"] != PROTECTED:
        raise InputError([Finding("key-protection", {"protection": str(fields["protection"])}, where)])
    sealed, salt, cost = _from_hex(fields["secret"]), _from_hex(fields["salt"]), _cost(fields)
    if len(salt) != _SALT_BYTES or len(sealed) <= _BOX_NONCE_BYTES:
        raise ValueError("not a protected secret")
    return _opened(sealed, _stretched(_asked(passphrase, where), salt, cost), where)


def _asked(passphrase: Passphrase, where: Where) -> str:
    given = passphrase() if callable(passphrase) else passphrase
    if given is None:
        raise InputError([Finding("key-passphrase-missing", {}, where)])
    return given


def _opened(sealed: bytes, box_key: bytes, where: Where) -> bytes:
    from nacl.exceptions import CryptoError  # noqa: PLC0415  start-up stays light
    from nacl.secret import SecretBox  # noqa: PLC0415  start-up stays light

    try:
        return SecretBox(box_key).decrypt(sealed)
    except CryptoError:
        raise InputError([Finding("key-passphrase-wrong", {}, where)]) from None


def _stretched(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    """The box key. One passphrase, one form: keyboards compose letters such as ё in more than one way (NFC)."""
    from nacl.pwhash import argon2id  # noqa: PLC0415  start-up stays light

    words = unicodedata.normalize("NFC", passphrase).encode("utf-8")
    return argon2id.kdf(_BOX_KEY_BYTES, words, salt, opslimit=cost.passes, memlimit=cost.memory_bytes)


def _cost(fields: Mapping[str, Json]) -> Cost:
    memory_bytes, passes = fields["memory_bytes"], fields["passes"]
    if type(memory_bytes) is not int or type(passes) is not int:
        raise ValueError("the cost of a guess is given in whole numbers")
    if not (8192 <= memory_bytes <= _LARGEST.memory_bytes and 1 <= passes <= _LARGEST.passes):
        raise ValueError("no cost of a guess that this program gives")
    return Cost(memory_bytes, passes)


def _from_hex(value: Json) -> bytes:
    return bytes.fromhex(value if isinstance(value, str) else "not hexadecimal")
