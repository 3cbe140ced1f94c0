"""Signature schemes: how a key signs, and how a signature is checked.

A key's id names its scheme (``ed25519:<public key in hexadecimal>``), so that a state that must sign with its
national algorithm can: another scheme is another entry of `SCHEMES`, and records of both lie side by side.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

_KEY_ID = re.compile(r"(?P<scheme>[a-z0-9][a-z0-9-]*):(?P<public>(?:[0-9a-f]{2})+)")
_HEX = re.compile(r"(?:[0-9a-f]{2})+")


class Scheme(Protocol):
    """A signature scheme over bytes. Public keys and signatures have one length each."""

    name: str
    secret_bytes: int

    def public(self, secret: bytes) -> bytes:
        """The public half of a secret key."""
        ...

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """The signature of `message`."""
        ...

    def verifies(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Whether `signature` was made over `message` by the owner of `public`; False for bytes of any shape."""
        ...


class Ed25519:
    """Ed25519 (RFC 8032) by libsodium, which is loaded at the first signature and not before."""

    name = "ed25519"
    secret_bytes = 32

    def public(self, secret: bytes) -> bytes:
        """The public half of a 32-byte seed."""
        from nacl.signing import SigningKey  # noqa: PLC0415  start-up stays light

        return bytes(SigningKey(secret).verify_key)

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """The 64-byte signature of `message`."""
        from nacl.signing import SigningKey  # noqa: PLC0415  start-up stays light

        return SigningKey(secret).sign(message).signature

    def verifies(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the signature holds; False for bytes of a wrong length."""
        from nacl.exceptions import BadSignatureError  # noqa: PLC0415  start-up stays light
        from nacl.signing import VerifyKey  # noqa: PLC0415  start-up stays light

        if len(public) != 32 or len(signature) != 64:
            return False
        try:
            VerifyKey(public).verify(message, signature)
        except BadSignatureError:
            return False
        return True


DEFAULT = Ed25519.name
SCHEMES: Mapping[str, Scheme] = MappingProxyType({Ed25519.name: Ed25519()})


def key_id(scheme: Scheme, secret: bytes) -> str:
    """The id of a key: its scheme and its public half."""
    return f"{scheme.name}:{scheme.public(secret).hex()}"


def scheme_of(key: str) -> str:
    """The scheme that a key's id names; empty if `key` is no key id.

    Examples
    --------
    >>> scheme_of("ed25519:00ff"), scheme_of("ed25519:00FF")
    ('ed25519', '')
    """
    match = _KEY_ID.fullmatch(key)
    return match["scheme"] if match else ""


def signature_holds(key: str, message: bytes, signature: str) -> bool:
    """Whether the owner of `key` signed `message`. Only lower-case hexadecimal counts: one form for one signature."""
    scheme = SCHEMES.get(scheme_of(key))
    if scheme is None or not _HEX.fullmatch(signature):
        return False
    return scheme.verifies(bytes.fromhex(key.partition(":")[2]), message, bytes.fromhex(signature))
