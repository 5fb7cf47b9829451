"""The tables. The database is the truth; the index follows `index_log` and can be rebuilt from here at any time.

Times are UTC, stored naive. Ids that leave the database (passages) are never used again (`sqlite_autoincrement`).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    false,
    text,
)

from citebot.storage.types import CleanText as Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite only counts INTEGER primary keys up by itself.
BigId = BigInteger().with_variant(Integer(), "sqlite")

source = Table(
    "source",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("type", String(64), nullable=False),
    Column("settings", JSON, nullable=False),
    Column("paused", Boolean, nullable=False, default=False),
    Column("cursor", JSON),
    Column("sweep", Integer, nullable=False, default=0),  # number of the newest full listing
    Column("sweep_began_at", DateTime),
    Column("poll", Float),  # seconds between two reads, where it is not `ingest.poll`
    Column("created_at", DateTime, nullable=False),
    Column("synced_at", DateTime),  # last run that ended well
    Column("swept_at", DateTime),  # last full listing that was read to its end, removals included
    Column("feed", JSON),  # where the change feed is read from next
    Column("feed_at", DateTime),  # when it was last read to its end
    Column(
        "removals_allowed", Boolean, nullable=False, server_default=false()
    ),  # an admin confirmed: many have really gone
    Column("failed_at", DateTime),
    Column("failure", Text),  # why the last run failed, for people
    Column("trust", String(16)),  # how far it can be trusted, where the kind of its documents does not say it
)

document = Table(
    "document",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("source_id", ForeignKey("source.id", ondelete="CASCADE"), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("path", JSON, nullable=False),
    Column("authors", JSON, nullable=False),
    Column("fields", JSON, nullable=False),
    Column("language", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("readers", JSON, nullable=False),  # sorted list of principals
    Column("readers_tag", Text, nullable=False),  # as the source's listing reports it
    Column("content_hash", String(64), nullable=False),
    Column("created", DateTime),
    Column("updated", DateTime),
    Column("fetched_at", DateTime, nullable=False),
    Column("seen_sweep", Integer, nullable=False, default=0),
    UniqueConstraint("source_id", "external_id"),
    sqlite_autoincrement=True,
)

passage = Table(
    "passage",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("document_id", ForeignKey("document.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("headings", JSON, nullable=False),
    Column("anchor", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("readers", JSON, nullable=False),
    Column("content_hash", String(64), nullable=False),
    sqlite_autoincrement=True,
)

embedding = Table(
    "embedding",
    metadata,
    Column("passage_id", ForeignKey("passage.id", ondelete="CASCADE"), primary_key=True),
    Column("model", Text, primary_key=True),
    Column("dimensions", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# Which passages changed, in commit order. Rows up to the position of every index may be trimmed.
index_log = Table(
    "index_log",
    metadata,
    Column("seq", BigId, primary_key=True),
    Column("passage_id", BigInteger, nullable=False),
    Column("what", String(8), nullable=False),  # put | remove | vector, or what was removed that is no passage
    Column("model", Text),  # which made the vector; empty: any may have
    sqlite_autoincrement=True,
)

# Work found by a listing, waiting for `fetch`. Written in one transaction with the source's cursor.
todo = Table(
    "todo",
    metadata,
    Column("source_id", ForeignKey("source.id", ondelete="CASCADE"), primary_key=True),
    Column("external_id", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("readers_tag", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("not_before", DateTime),
    Column("parked", Boolean, nullable=False, default=False),
    Column("why", Text, nullable=False, default=""),
    Column("urgent", Integer, nullable=False, server_default="0"),  # events that named it: fetched before all others
    Index(
        "ix_todo_urgent",
        *("source_id", "external_id"),
        sqlite_where=text("urgent > 0"),
        postgresql_where=text("urgent > 0"),
    ),
)

seen_event = Table(
    "seen_event",
    metadata,
    Column("source_id", ForeignKey("source.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("seen_at", DateTime, nullable=False),
)

membership = Table(
    "membership",
    metadata,
    Column("group_name", Text, primary_key=True),
    Column("person", Text, primary_key=True, index=True),
    Column("origin", String(64), primary_key=True),  # name of the source that says so, or "settings"
    Column("seen_at", DateTime, nullable=False),
)


def _work_columns() -> list[Column[object]]:
    """Lease, fence and state: the same for every kind of work."""
    return [
        Column("id", BigId, primary_key=True),
        Column("state", String(8), nullable=False),  # ready | leased | done | dead
        Column("lease_until", DateTime),
        Column("fence", BigInteger, nullable=False, default=0),
        Column("attempts", Integer, nullable=False, default=0),
        Column("not_before", DateTime),
        Column("created_at", DateTime, nullable=False),
        Column("finished_at", DateTime),
        Column("failure", Text),
        Column("platform", String(64), nullable=False),
        Column("lane", String(64), nullable=False),  # digest of conversation and thread: one at a time, in order
    ]


def _open_indexes(table: str) -> list[Index]:
    """Over unfinished rows alone: finished ones are kept for weeks and must not slow the search for work."""
    unfinished = "state IN ('ready', 'leased')"
    aside = f"{unfinished} AND substr(lane, 1, 6) = 'aside-'"
    indexes = {"open": (("id",), unfinished), "lane": (("lane", "id"), unfinished), "aside": (("id",), aside)}
    return [
        Index(f"ix_{table}_{name}", *columns, sqlite_where=text(where), postgresql_where=text(where))
        for name, (columns, where) in indexes.items()
    ]


inbox = Table(
    "inbox",
    metadata,
    *_work_columns(),
    Column("tenant", Text, nullable=False),
    Column("delivery_id", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("body", JSON, nullable=False),
    UniqueConstraint("platform", "tenant", "delivery_id"),
    UniqueConstraint("platform", "tenant", "conversation", "message_id"),
    *_open_indexes("inbox"),
    sqlite_autoincrement=True,
)

outbox = Table(
    "outbox",
    metadata,
    *_work_columns(),
    Column("inbox_id", ForeignKey("inbox.id", ondelete="CASCADE"), index=True),
    Column("idempotency_key", String(128), nullable=False, unique=True),
    Column("body", JSON, nullable=False),
    Column("result", JSON),
    *_open_indexes("outbox"),
    sqlite_autoincrement=True,
)

# What platforms told one process, and others have to know: what they remember of a channel or a person is wrong.
platform_news = Table(
    "platform_news",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("platform", String(64), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("kind", String(16), nullable=False),  # channel | person
    Column("subject", Text, nullable=False),
    Column("at", DateTime, nullable=False, index=True),
    sqlite_autoincrement=True,
)

schedule_slot = Table(
    "schedule_slot",
    metadata,
    Column("job", String(128), primary_key=True),
    Column("due", DateTime, primary_key=True),
    Column("taken_at", DateTime, nullable=False),
    Column("taken_by", String(128), nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("holder", String(128), nullable=False),
    Column("until", DateTime, nullable=False),
    Column("fence", BigInteger, nullable=False),
)

shown_message = Table(
    "shown_message",
    metadata,
    Column("idempotency_key", String(128), primary_key=True),
    Column("part", Integer, primary_key=True),  # 0 for the first message of an answer
    Column("message_id", Text),  # empty: its sending was begun
    Column("stream", Boolean, nullable=False),
    Column("finished", Boolean, nullable=False),
    Column("created_at", DateTime, nullable=False, index=True),
)

answer = Table(
    "answer",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("inbox_id", ForeignKey("inbox.id", ondelete="SET NULL"), unique=True),  # one answer per question
    Column("asker", Text, nullable=False),
    Column("platform", String(64), nullable=False),
    Column("conversation", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("answered", Boolean, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("body", JSON, nullable=False),  # citations, closest, notes, audience
    Column("trace", JSON, nullable=False),
    Column("created_at", DateTime, nullable=False, index=True),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("answer_id", ForeignKey("answer.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("person", Text, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    UniqueConstraint("answer_id", "person"),
    sqlite_autoincrement=True,
)

# Questions that were brought to people.
inquiry = Table(
    "inquiry",
    metadata,
    Column("answer_id", ForeignKey("answer.id", ondelete="CASCADE"), primary_key=True),
    Column("asker", Text, nullable=False),
    Column("platform", String(64), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("thread", Text, nullable=False),
    Column("reply_to", Text, nullable=False),
    Column("people", JSON, nullable=False),  # [account, person id, name] of those who were asked
    Column("resolved_by", Text, nullable=False),  # a name; empty while it is open
    Column("created_at", DateTime, nullable=False),
    Index("ix_inquiry_place", "platform", "tenant", "conversation", "thread"),
    Index("ix_inquiry_asker", "asker", "created_at"),
)

# What people wrote as answers: the documents of the built-in source.
curated_answer = Table(
    "curated_answer",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("answer_id", String(32), unique=True),  # the question it answers: one answer each
    Column("question", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("author_name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("readers", JSON, nullable=False),  # sorted list of principals
    Column("platform", String(64), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("changed_at", DateTime, nullable=False),
    Index("ix_curated_answer_message", "platform", "tenant", "conversation", "message_id"),
    sqlite_autoincrement=True,
)

# What parts keep encrypted, such as the tokens of installations.
vault = Table(
    "vault",
    metadata,
    Column("part", String(128), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("body", JSON, nullable=False),  # an envelope
    Column("changed_at", DateTime, nullable=False),
)

conversation_settings = Table(
    "conversation_settings",
    metadata,
    Column("platform", String(64), primary_key=True),
    Column("tenant", Text, primary_key=True),  # empty: all of the platform
    Column("conversation", Text, primary_key=True),  # empty: all of the tenant
    Column("body", JSON, nullable=False),  # only what was set
    Column("changed_at", DateTime, nullable=False),
)

# What is used up of a budget, and of every model: there `questions` are calls and `place` is its name.
spending = Table(
    "spending",
    metadata,
    Column("place", Text, primary_key=True),  # for which the budget was set
    Column("budget", String(16), primary_key=True),
    Column("person", Text, primary_key=True),  # empty: all together
    Column("day", String(10), primary_key=True, index=True),  # UTC
    Column("questions", Integer, nullable=False),
    Column("cost", BigInteger, nullable=False, server_default="0"),  # millionths
    Column("tokens", BigInteger, nullable=False, server_default="0"),
)

# What an answer that is being made holds of budgets. It is counted in `spending` until the row goes.
reservation = Table(
    "reservation",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("question", String(128), nullable=False, index=True),  # empty: it will not be tried again
    Column("day", String(10), nullable=False),
    Column("counters", JSON, nullable=False),  # [place, budget, person] of each
    Column("cost", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("risked_cost", BigInteger, nullable=False),  # what calls so far may have used
    Column("risked_tokens", BigInteger, nullable=False),
    Column("expires_at", DateTime, nullable=False, index=True),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("at", DateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("action", String(64), nullable=False),
    Column("target", Text, nullable=False),
    Column("before", JSON),
    Column("after", JSON),
    sqlite_autoincrement=True,
)
