"""What can be told of a Citebot at one moment, from its database: every replica tells the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from citebot.app import Citebot
from citebot.app.freshness import Freshness, freshness
from citebot.budgets import Today, today
from citebot.errors import CitebotError
from citebot.ports import IndexStats, SourceStatus
from citebot.storage import Transaction, clock, index_log, passages, people, sources, work
from citebot.storage.work import Queue

QUEUES: tuple[Queue, ...] = ("inbox", "outbox")
STATES = ("ready", "leased", "done", "dead")


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """One source."""

    status: SourceStatus
    fresh: Freshness
    age: float | None
    """Seconds since it was last read well."""
    until_due: float | None
    """Seconds until it is read next; None while it is paused."""
    groups_age: float | None
    """Seconds since its groups were read, which say who may read; None where it has none."""


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """One of the two queues of the delivery."""

    rows: Mapping[str, int]
    """By state."""
    oldest: float
    """Seconds that its oldest open row has waited; 0 when there is none."""
    waiting: float
    """Seconds that the oldest row has waited that nobody has begun; 0 when there is none."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything, at one moment."""

    sources: tuple[SourceFigures, ...]
    queues: Mapping[Queue, QueueFigures]
    without_vector: int
    index: IndexStats | None
    """None when the index does not answer."""
    behind: int
    """Changes in the database's log that the index has not applied."""
    today: Today
    """What the budgets say."""


async def index_stats(bot: Citebot) -> IndexStats | None:
    """What the index says; it is asked in the event loop, before the transaction begins."""
    if not bot.searches:
        return None
    try:
        return await bot.index.stats()
    except CitebotError:
        return None


def read_figures(bot: Citebot, index: IndexStats | None) -> Figures:
    """Read them in one short transaction. Raises `StorageError`."""
    poll = bot.settings.ingest.poll
    with bot.database.read() as tx:
        now, groups = clock.now(tx), people.seen(tx)
        return Figures(
            sources=tuple(_source(status, now, poll, groups) for status in sources.statuses(tx)),
            queues={queue: _queue(tx, queue, now) for queue in QUEUES},
            without_vector=_without_vector(tx, bot, index),
            index=index,
            behind=max(0, index_log.head(tx) - index.seq) if index else 0,
            today=today(tx, bot.settings.budgets),
        )


def _source(status: SourceStatus, now: datetime, poll: float, groups: Mapping[str, datetime]) -> SourceFigures:
    fresh = freshness(status, now=now.replace(tzinfo=UTC), default_poll=poll)
    return SourceFigures(
        status=status,
        fresh=fresh,
        age=max(0.0, (now - status.synced).total_seconds()) if status.synced else None,
        until_due=(fresh.due - now).total_seconds() if fresh.due else None,
        groups_age=_age(groups.get(status.name), now),
    )


def _queue(tx: Transaction, queue: Queue, now: datetime) -> QueueFigures:
    return QueueFigures(
        rows={**dict.fromkeys(STATES, 0), **work.counts(tx, queue)},
        oldest=_age(work.oldest_open(tx, queue), now) or 0.0,
        waiting=_age(work.oldest_waiting(tx, queue), now) or 0.0,
    )


def _age(since: datetime | None, now: datetime) -> float | None:
    return max(0.0, (now - since).total_seconds()) if since else None


def _without_vector(tx: Transaction, bot: Citebot, index: IndexStats | None) -> int:
    if bot.embedder is None:
        return 0  # nothing is missing where no vectors are wanted
    # A model that was not opened in this process has no id yet; then the one whose vectors are there stands for it.
    model = bot.embedder.model_id or (index.vector_model if index else "") or next(iter(passages.models(tx)), "")
    return passages.count_missing(tx, model)
