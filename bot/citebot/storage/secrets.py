"""Secrets at rest: a secret inside stored settings is an envelope, `{"$secret": KEY_ID, "token": FERNET_TOKEN}`.

Fernet is AES-128-CBC with an HMAC-SHA256 over it (https://github.com/fernet/spec). It is imported when a secret is
sealed or opened, so a team without secrets pays nothing for it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from citebot.errors import SourceError, WrongUse
from citebot.logging_setup import hide

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

MARK = "$secret"
TOKEN = "token"  # noqa: S105 - the name of a key in the envelope
MASK = "***"
KEY_BYTES = 32
ID_LENGTH = 12


Envelope = dict[str, str]


class SecretUnreadable(SourceError):
    """A stored secret cannot be opened with the keys there are."""


class KeyRing:
    """Keys by id; the first one encrypts, all decrypt. Shows nothing of them."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = {key_id(key): key for key in keys}

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys, the one that encrypts first."""
        return tuple(self._keys)

    def seal(self, secret: str) -> Envelope:
        """The envelope of a secret."""
        if not self._keys:
            raise WrongUse("There is no key to encrypt a secret with.")
        first = self.ids[0]
        return {MARK: first, TOKEN: self._fernet(first).encrypt(secret.encode()).decode()}

    def open(self, envelope: Envelope) -> str:
        """The secret in an envelope; raises `SecretUnreadable`."""
        from cryptography.fernet import InvalidToken

        used = envelope[MARK]
        if used not in self._keys:
            raise SecretUnreadable(f"its secret is encrypted with the key {used}, which is not there")
        try:
            return self._fernet(used).decrypt(envelope[TOKEN].encode()).decode()
        except (InvalidToken, UnicodeError):
            raise SecretUnreadable(f"its secret is damaged, although its key {used} is there") from None

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self.ids)})"

    def _fernet(self, used: str) -> Fernet:
        from cryptography.fernet import Fernet

        return Fernet(self._keys[used])


def new_key() -> str:
    """A fresh key: 32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def key_id(key: str) -> str:
    """The name of a key, which tells nothing of it; raises `ValueError` when it is no key."""
    try:
        raw = base64.b64decode(key.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise ValueError("it is not 32 bytes in URL-safe base64")
    return hashlib.sha256(b"citebot key id" + raw).hexdigest()[:ID_LENGTH]


def opened(settings: Any, ring: KeyRing) -> Any:
    """The settings with every envelope replaced by its secret, which no log or message shows from now on."""

    def open_and_hide(envelope: Envelope) -> str:
        secret = ring.open(envelope)
        hide(secret)
        return secret

    return _replaced(settings, open_and_hide)


def resealed(settings: Any, ring: KeyRing) -> Any:
    """The settings with every envelope encrypted by the first key."""
    return _replaced(settings, lambda envelope: ring.seal(ring.open(envelope)))


def masked(settings: Any) -> Any:
    """The settings for people: `***` in the place of every envelope."""
    return _replaced(settings, lambda envelope: MASK)


def key_ids(settings: Any) -> set[str]:
    """The ids of the keys that the envelopes in these settings need."""
    found: set[str] = set()
    _replaced(settings, lambda envelope: found.add(envelope[MARK]))
    return found


def _replaced(value: Any, replacement: Callable[[Envelope], Any]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {MARK, TOKEN} and all(isinstance(part, str) for part in value.values()):
            return replacement(value)
        return {key: _replaced(inner, replacement) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(inner, replacement) for inner in value]
    return value
