"""Hints that there is something to do, from one process to all: PostgreSQL's NOTIFY. Whatever gets lost is found later.

Nothing relies on them: on SQLite, behind a pooler and while a connection is lost nobody hears any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

import structlog
from sqlalchemy import text

from citebot.storage.database import Database, Transaction

log = structlog.get_logger("citebot.storage")

Hint = Literal["inbox", "outbox", "ended"]
"""A question to answer, a post to send, a question that its asker ended."""
CHANNEL = "citebot"
AGAIN_AFTER = 5.0
"""Seconds between two attempts to listen."""


def give(tx: Transaction, hint: Hint) -> None:
    """Tell all who listen, once this is committed."""
    if tx.dialect.name != "sqlite":
        tx.execute(text("SELECT pg_notify(:channel, :hint)"), {"channel": CHANNEL, "hint": hint})


async def heed(database: Database, heard: Callable[[str], None]) -> None:
    """Call `heard` with each hint, until cancelled; it never ends by itself."""
    address = database.listening_address
    while address:
        import psycopg

        try:
            connection = await psycopg.AsyncConnection.connect(
                **address, autocommit=True, connect_timeout=5, application_name="citebot", keepalives_idle=30
            )
            async with connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                async for hint in connection.notifies():
                    heard(hint.payload)
        except psycopg.Error as error:
            log.info("not listening to the database", why=type(error).__name__)
        await asyncio.sleep(AGAIN_AFTER)
    await asyncio.Event().wait()
