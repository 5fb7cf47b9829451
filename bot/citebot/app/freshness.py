"""How fresh what is known of a source is, and when it is read next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from citebot.ports import SourceStatus
from citebot.scheduling import due_before, sync_task

LATE_AFTER = 3
"""Polls that a source may miss before it is late."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Where a source stands in its schedule; times are UTC, naive as those of the database."""

    due: datetime | None
    """When it is read next; None while it is paused."""
    late: bool


def freshness(source: SourceStatus, *, now: datetime, default_poll: float) -> Freshness:
    """The freshness of a source at a time with a zone; `default_poll` in seconds is for sources without their own."""
    if source.paused:
        return Freshness(due=None, late=False)
    poll = timedelta(seconds=source.poll or default_poll)
    due = due_before(now, poll, sync_task(source.name)) + poll
    late = source.synced is None or source.synced < now.replace(tzinfo=None) - LATE_AFTER * poll
    return Freshness(due=due.replace(tzinfo=None), late=late)
