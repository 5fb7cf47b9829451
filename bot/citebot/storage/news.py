"""What a platform told one process and all others must know: what they remember of a channel or a person is wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import delete, insert, select, text

from citebot.ports import News
from citebot.storage import clock
from citebot.storage.database import Transaction
from citebot.storage.tables import platform_news

_LOCK = 7_241_004


def write(tx: Transaction, platform: str, news: News) -> None:
    """Tell it to all processes."""
    if tx.dialect.name != "sqlite":
        # Numbers must be seen in the order of commits: who reads on from the newest would miss one that comes late.
        tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    values = {"tenant": news.tenant, "kind": news.kind, "subject": news.subject}
    tx.execute(insert(platform_news).values(platform=platform, at=clock.now(tx), **values))


def since(tx: Transaction, platform: str, number: int) -> tuple[int, list[News]]:
    """What was told after a number, and the number to go on from."""
    query = select(platform_news).where(platform_news.c.id > number).order_by(platform_news.c.id)
    rows = tx.execute(query).all()
    found = [News(cast(Any, row.kind), row.tenant, row.subject) for row in rows if row.platform == platform]
    return (rows[-1].id if rows else number), found


def forget(tx: Transaction, before: datetime) -> int:
    """Delete what was told before a time; says how many rows."""
    return tx.execute(delete(platform_news).where(platform_news.c.at < before)).rowcount
