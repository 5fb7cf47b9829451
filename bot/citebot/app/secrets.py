"""The keys of the secrets: where they come from, how they are made and changed."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Secret, SecretBytes, SecretStr
from pydantic_core import to_jsonable_python

from citebot.errors import SettingsError, StorageError
from citebot.logging_setup import hide
from citebot.settings import Settings
from citebot.storage import Database, secrets, sources, vault
from citebot.storage.failpoints import failpoint
from citebot.storage.secrets import Envelope, KeyRing, SecretUnreadable
from citebot.storage.sources import SourceRow
from citebot.storage.vault import Kept

FILE_NAME = "secrets.key"
LOCK_NAME = "secrets.lock"
BUSY_SECONDS = 10.0
"""How long to wait for another process that makes or changes keys; that takes milliseconds."""

Origin = Literal["setting", "file", "none"]
Seal = Callable[[str], Envelope]


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One key and who needs it."""

    id: str
    use: Literal["encrypts", "decrypts", "missing"]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SecretsStatus:
    """Which keys there are and which are needed."""

    origin: Origin
    file: Path
    keys: tuple[KeyStatus, ...]


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did."""

    origin: Origin
    key: str
    """The id of the key that encrypts now; empty when there is none."""
    sources: int
    """How many sources were encrypted anew."""
    kept: int
    """How many values that parts keep, such as tokens of a platform."""
    dropped: tuple[str, ...]
    """The ids of the keys that are gone from the file."""


def key_file(settings: Settings) -> Path:
    """Where the keys are when the setting names none: one a line, the first one encrypts."""
    return settings.data_dir / FILE_NAME


def key_ring(settings: Settings) -> KeyRing:
    """The keys there are, maybe none; never makes one."""
    if settings.secrets.keys:
        return _ring([key.get_secret_value() for key in settings.secrets.keys], "secrets.keys")
    path = key_file(settings)
    return _ring(_read(path), str(path))


@contextmanager
def sealing(settings: Settings) -> Iterator[Seal]:
    """What encrypts secrets; makes the first key when one is needed.

    Stay inside until what was sealed is committed: a rotation waits that long, and so never drops a key in use.
    """
    with ExitStack() as stack:
        ring: KeyRing | None = None

        def seal(secret: str) -> Envelope:
            nonlocal ring
            if ring is None:
                stack.enter_context(_keys_are_ours(settings))
                ring = key_ring(settings)
            if not ring.ids:
                _write(key_file(settings), [secrets.new_key()])
                ring = key_ring(settings)
            return ring.seal(secret)

        yield seal


def stored_form(model: BaseModel, seal: Seal) -> dict[str, Any]:
    """Validated settings as JSON, every `SecretStr` in them sealed wherever it stands; an empty one hides nothing."""
    # As Python values first: pydantic's own JSON holds asterisks in the place of secrets.
    stored: dict[str, Any] = to_jsonable_python(_sealed(model.model_dump(), seal))
    return stored


def hide_all(model: BaseModel) -> None:
    """Keep the secrets in these settings out of every log and message."""

    def note(secret: str) -> Envelope:
        hide(secret)
        return {}

    _sealed(model.model_dump(), note)


def opened_settings(row: SourceRow, settings: Settings) -> dict[str, Any]:
    """A source's settings with its secrets in them; raises `SecretUnreadable`, naming the source and the way out."""
    if not secrets.key_ids(row.settings):
        return row.settings
    try:
        opened: dict[str, Any] = secrets.opened(row.settings, key_ring(settings))
    except SecretUnreadable as error:
        raise SecretUnreadable(_complaint(row, error, settings)) from None
    except SettingsError as error:
        # A file that cannot be read is the same to this source as one that is not there.
        raise SecretUnreadable(f"The source “{row.name}” cannot be read: {error}") from None
    return opened


def status(database: Database, settings: Settings) -> SecretsStatus:
    """Which keys there are, and which sources need which."""
    ring = key_ring(settings)
    with database.read() as tx:
        users = _users(sources.list_all(tx), vault.list_all(tx))
    keys = [
        KeyStatus(id=each, use="decrypts" if number else "encrypts", sources=tuple(users.get(each, ())))
        for number, each in enumerate(ring.ids)
    ]
    keys += [KeyStatus(id=each, use="missing", sources=tuple(users[each])) for each in sorted({*users} - {*ring.ids})]
    return SecretsStatus(origin=_origin(settings, ring), file=key_file(settings), keys=tuple(keys))


def rotate(database: Database, settings: Settings) -> Rotated:
    """Encrypt every secret with a new key, or with the first one of the setting.

    The file holds the new key before the database needs it and the old one until it no longer does, so a process that
    dies in between leaves everything readable; the next rotation drops what is left over.
    """
    with _keys_are_ours(settings):
        ring = key_ring(settings)
        with database.read() as tx:
            rows, kept = sources.list_all(tx), vault.list_all(tx)
        # Everything must be readable before anything is changed.
        for row in rows:
            opened_settings(row, settings)
        for value in kept:
            _open_kept(value, ring)
        if settings.secrets.keys:
            changed, others = _encrypt_anew(database, ring)
            return Rotated(origin="setting", key=ring.ids[0], sources=changed, kept=others, dropped=())
        if not ring.ids and not _users(rows, kept):
            return Rotated(origin="none", key="", sources=0, kept=0, dropped=())
        path = key_file(settings)
        keys = [secrets.new_key(), *_read(path)]
        _write(path, keys)
        failpoint("after-secrets-key")
        changed, others = _encrypt_anew(database, _ring(keys, str(path)))
        failpoint("after-secrets-commit")
        _write(path, keys[:1])
        new = secrets.key_id(keys[0])
        return Rotated(origin="file", key=new, sources=changed, kept=others, dropped=ring.ids)


def _open_kept(value: Kept, ring: KeyRing) -> None:
    try:
        ring.open(value.body)
    except SecretUnreadable as error:
        raise SecretUnreadable(f"{value.name} of {value.part} cannot be read: {error}. Put the key back.") from None


def _encrypt_anew(database: Database, ring: KeyRing) -> tuple[int, int]:
    changed = 0
    with database.write(durable=True) as tx:
        for row in sources.list_all(tx):
            if secrets.key_ids(row.settings):
                sources.set_settings(tx, row.id, secrets.resealed(row.settings, ring))
                changed += 1
        kept = vault.list_all(tx)
        for value in kept:
            vault.put(tx, value.part, value.name, secrets.resealed(value.body, ring))
        failpoint("before-secrets-commit")
    return changed, len(kept)


def _sealed(value: Any, seal: Seal) -> Any:
    if isinstance(value, SecretStr | SecretBytes):
        secret = value.get_secret_value()
        text = secret.decode() if isinstance(secret, bytes) else secret
        return seal(text) if text else ""
    if isinstance(value, Secret):
        raise TypeError("Settings of a source hold a Secret[…] that would be stored as asterisks; type it SecretStr.")
    if isinstance(value, Mapping):
        return {key: _sealed(inner, seal) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_sealed(inner, seal) for inner in value]
    return value


def _users(rows: list[SourceRow], kept: list[Kept]) -> dict[str, list[str]]:
    users: dict[str, list[str]] = {}
    for row in rows:
        for used in secrets.key_ids(row.settings):
            users.setdefault(used, []).append(row.name)
    for value in kept:
        for used in secrets.key_ids(value.body):
            users.setdefault(used, []).append(f"{value.part}: {value.name}")
    return users


def _origin(settings: Settings, ring: KeyRing) -> Origin:
    if settings.secrets.keys:
        return "setting"
    return "file" if ring.ids else "none"


def _ring(keys: list[str], where: str) -> KeyRing:
    for number, key in enumerate(keys, 1):
        try:
            secrets.key_id(key)
        except ValueError as error:
            raise SettingsError(
                f"Key {number} of {where} cannot be used: {error}. "
                "Put back the one that was there; a new one is 32 random bytes in URL-safe base64."
            ) from None
    return KeyRing(keys)


def _complaint(row: SourceRow, error: SecretUnreadable, settings: Settings) -> str:
    place = "the setting secrets.keys" if settings.secrets.keys else str(key_file(settings))
    return (
        f"The source “{row.name}” cannot be read: {error}. Put the key back into {place}, "
        f"or remove the source and add it again (citebot source remove {row.name})."
    )


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return []
    except UnicodeDecodeError:
        raise SettingsError(f"The key file {path} holds something else than keys. Put back the right one.") from None
    except OSError as error:
        raise SettingsError(
            f"The key file {path} cannot be read: {error.strerror}. It must belong to whoever runs Citebot, mode 600."
        ) from error
    return [line.strip() for line in lines if line.strip()]


def _write(path: Path, keys: list[str]) -> None:
    """Replace the key file as a whole, durably: there is the old one or the new one, never a part."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # O_EXCL, mode 600
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write("".join(f"{key}\n" for key in keys))
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"The key file {path} cannot be written: {error.strerror}.") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _keys_are_ours(settings: Settings) -> Iterator[None]:
    """One process at a time makes keys, changes them or encrypts with them."""
    path = settings.data_dir / LOCK_NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"The data folder {path.parent} cannot be used: {error.strerror}.") from error
    try:
        _wait_for(file, path)
        yield
    finally:
        os.close(file)


def _wait_for(file: int, path: Path) -> None:
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StorageError(f"Another process is changing the keys in {path.parent}. Try again.") from None
            time.sleep(0.02)
        else:
            return
