"""What servers tell us by webhook: after the source has checked who sent it, the documents it names are fetched."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection

import structlog

from citebot.app.held import HeldSources
from citebot.errors import CitebotError, NotAllowed, WrongUse
from citebot.ports import ReceivesEvents, Source, SourceContext, SourceEvent
from citebot.storage import Database, events, sources, todo
from citebot.storage.sources import SourceRow

log = structlog.get_logger("citebot.events")

MAX_BODY = 1_000_000
"""Bytes of an event; GitHub allows 25 MB, but what names a few pages is small."""
SECONDS = 10.0
"""What a source gets to read an event: senders wait about as long."""
MAX_IDS = 1_000


class Events:
    """Receives events. An event only says what to fetch: nothing in it is believed, indexed or shown."""

    def __init__(self, database: Database, held: HeldSources) -> None:
        self._database = database
        self._held = held

    async def receive(self, name: str, event: SourceEvent) -> int:
        """Queue the documents it names before all others; says how many.

        Raises `NotAllowed` for a signature that is not right, `WrongUse` for a source that takes no events, and
        `CitebotError` for what cannot be read. An event that came before changes nothing.
        """
        row = await asyncio.to_thread(self._row, name)
        if len(event.body) > MAX_BODY:
            raise CitebotError(f"An event has at most {MAX_BODY:,} bytes.")
        try:
            async with asyncio.timeout(SECONDS):
                ids = await self._held.call(row, lambda source, ctx: _read(source, ctx, event), patience=SECONDS)
        except (NotAllowed, WrongUse):
            raise
        except Exception as error:
            log.warning("event not understood", source=name, error=repr(error))
            raise CitebotError("This event could not be read.") from error
        return await asyncio.to_thread(self._queue, row, ids, hashlib.sha256(event.body).hexdigest())

    def _row(self, name: str) -> SourceRow:
        with self._database.read() as tx:
            row = sources.get(tx, name)
        if row is None or row.paused:
            raise WrongUse(NO_HOOK)
        return row

    def _queue(self, row: SourceRow, ids: Collection[str], digest: str) -> int:
        with self._database.write() as tx:
            if not events.first_seen(tx, row.id, digest):
                log.info("event came before", source=row.name)
                return 0
            todo.hurry(tx, row.id, sorted(ids))
        log.info("event received", source=row.name, documents=len(ids))
        return len(ids)


NO_HOOK = "No source takes events here."


def _read(source: Source, context: SourceContext, event: SourceEvent) -> set[str]:
    if not isinstance(source, ReceivesEvents):
        raise WrongUse(NO_HOOK)
    ids = set(source.on_event(context, event))
    if len(ids) > MAX_IDS or not all(isinstance(one, str) for one in ids):
        raise CitebotError(f"An event names at most {MAX_IDS:,} documents, by id.")
    return ids
