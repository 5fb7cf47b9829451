"""The vault of a part: its secrets in the database, encrypted with the keys of `citebot secrets`."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from citebot.app.secrets import key_file, key_ring, sealing
from citebot.settings import Settings
from citebot.storage import Database, leases, vault
from citebot.storage.secrets import SecretUnreadable


class DatabaseVault:
    """`citebot.ports.Vault` for all processes on one database."""

    def __init__(self, database: Database, settings: Settings, part: str) -> None:
        self._database = database
        self._settings = settings
        self._part = part

    async def get(self, name: str) -> str | None:
        return await asyncio.to_thread(self._get, name)

    async def put(self, name: str, value: str) -> None:
        await asyncio.to_thread(self._put, name, value)

    async def delete(self, name: str) -> None:
        def delete() -> None:
            with self._database.write() as tx:
                vault.remove(tx, self._part, name)

        await asyncio.to_thread(delete)

    async def names(self, prefix: str = "") -> list[str]:
        def names() -> list[str]:
            with self._database.read() as tx:
                return vault.names(tx, self._part, prefix)

        return await asyncio.to_thread(names)

    @asynccontextmanager
    async def lock(self, name: str, *, seconds: float) -> AsyncIterator[bool]:
        held = await asyncio.to_thread(self._acquire, name, seconds)
        try:
            yield held is not None
        finally:
            if held is not None:
                await asyncio.to_thread(self._release, held)

    def _get(self, name: str) -> str | None:
        # The keys may be changed between the two reads.
        for last in (False, True):
            with self._database.read() as tx:
                body = vault.get(tx, self._part, name)
            if body is None:
                return None
            try:
                value = key_ring(self._settings).open(body)
            except SecretUnreadable as error:
                if not last:
                    continue
                where = "secrets.keys" if self._settings.secrets.keys else key_file(self._settings)
                raise SecretUnreadable(
                    f"{name} of {self._part} cannot be read: {error}. Put it back: {where}."
                ) from None
            return value
        return None

    def _put(self, name: str, value: str) -> None:
        with sealing(self._settings) as seal, self._database.write(durable=True) as tx:
            vault.put(tx, self._part, name, seal(value))

    def _acquire(self, name: str, seconds: float) -> leases.Lease | None:
        with self._database.write() as tx:
            return leases.acquire(tx, f"{self._part}/{name}", uuid.uuid4().hex, seconds)

    def _release(self, held: leases.Lease) -> None:
        with self._database.write() as tx:
            leases.release(tx, held)
