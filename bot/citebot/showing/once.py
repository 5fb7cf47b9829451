"""One message that is shown once and may be changed later: what people are asked, not an answer."""

from __future__ import annotations

from citebot.ports import Message, Messages, Outbound
from citebot.showing.records import Records
from citebot.storage import Database


async def show_once(platform: Messages, database: Database, to: Outbound, message: Message) -> None:
    """Send it, or make the one that was sent under this key show it. Raises `Retry` and `CannotShow`."""
    records = Records(database, to.idempotency_key)
    key = records.message_key(0)
    rows = await records.load()
    # After a crash in the middle of sending only the platform knows whether it was sent.
    sent = (rows[0].message_id or await platform.find(to, key=key)) if rows else None
    if sent is not None:
        await records.sent(0, sent, stream=False)
        await platform.edit(to, sent, message)
        return
    await records.begin(0, stream=False)
    posted = await platform.post(to, message, key=key)
    if await records.sent(0, posted, stream=False) != posted:
        await platform.remove(to, posted)
