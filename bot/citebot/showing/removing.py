"""Removes what is on show for a question, whichever process has shown it."""

from __future__ import annotations

from citebot.ports import Messages, Outbound
from citebot.showing.records import Records
from citebot.storage import Database


async def remove_shown(platform: Messages, database: Database, to: Outbound) -> None:
    """Remove every message of an answer. Raises `Retry` and `CannotShow`."""
    records = Records(database, to.idempotency_key)
    for row in reversed(await records.load()):
        found = row.message_id or await platform.find(to, key=records.message_key(row.part))
        if found is not None:
            await platform.remove(to, found)
        await records.forget(row.part, row.message_id)
