"""Teams that have gone: all that was kept of them but the record of what admins did."""

from __future__ import annotations

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.sql.elements import ColumnElement

from citebot.storage.database import Transaction
from citebot.storage.tables import answer, conversation_settings, curated_answer, inbox, inquiry, spending


def forget(tx: Transaction, platform: str, tenant: str) -> int:
    """Delete them; how many rows. Whoever is about to answer there finds its question gone."""
    asked = select(inbox.c.id).where(inbox.c.platform == platform, inbox.c.tenant == tenant)
    # Questions are deleted before their answers are: those of long ago know their team themselves alone.
    ours = or_(answer.c.inbox_id.in_(asked), answer.c.body["tenant"].as_string() == tenant)
    rows = tx.execute(delete(answer).where(answer.c.platform == platform, ours)).rowcount
    for table in (inquiry, curated_answer, conversation_settings, inbox):
        rows += tx.execute(delete(table).where(table.c.platform == platform, table.c.tenant == tenant)).rowcount
    return rows + tx.execute(delete(spending).where(_of(platform, tenant))).rowcount


def _of(platform: str, tenant: str) -> ColumnElement[bool]:
    place = f"{platform}:{tenant}"
    return or_(spending.c.place == place, and_(spending.c.place.startswith(f"{place}:", autoescape=True)))
