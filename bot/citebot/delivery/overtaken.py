"""What remains to be done by a process that another has overtaken.

A process that stood still for longer than its lease may send something to the platform after the other has shown the
end: an edit that covers it, or a message where all was removed. Only the platform knows which came last, so the last
thing planned is done once more.
"""

from __future__ import annotations

import asyncio

import structlog

from citebot.delivery.answering import REMOVAL, key
from citebot.delivery.threads import Transactor
from citebot.errors import StorageError
from citebot.storage import Transaction, hints, shown, work

log = structlog.get_logger("citebot.delivery")

AFTER = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds before each try: somebody may be about to show the end."""


async def show_last_again(transactor: Transactor, job: work.Job) -> None:
    """Have shown, or removed, once more what was last on show for a row that we have lost."""
    about = key(job.id) if job.queue == "inbox" else job.post.to.idempotency_key.removesuffix(REMOVAL)
    for pause in AFTER:
        await asyncio.sleep(pause)
        try:
            if await transactor.write(lambda tx: _again(tx, about)):
                return
        except StorageError as error:
            log.info("not known whether another process has shown the end", why=str(error))


def _again(tx: Transaction, about: str) -> bool:
    """Plan it; False while somebody sends it."""
    if not shown.reopen(tx, about, anew=False):
        return True  # there is nothing on show
    away = about + REMOVAL
    hints.give(tx, "outbox")
    return work.send_again(tx, away if work.is_planned(tx, away) else about)
