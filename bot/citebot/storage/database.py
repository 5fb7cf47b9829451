"""Connections and transactions, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from citebot.errors import SettingsError, StorageError
from citebot.storage import clock
from citebot.storage.failures import explain
from citebot.storage.types import dump_json

Transaction = Connection

BUSY_SECONDS = 10.0
"""How long a writer waits for another one."""
STATEMENT_SECONDS = 60.0
"""How long one statement may take on a server."""
CONNECTIONS = 20
"""How many connections to a server one process opens at most."""
IDLE_SECONDS = 300.0
"""How long a transaction may do nothing before a server ends it: its process stands still."""


class Database:
    """One database. Safe to use from several threads; every `read` and `write` is one transaction of its own."""

    def __init__(
        self,
        url: str,
        *,
        busy_seconds: float = BUSY_SECONDS,
        statement_seconds: float = STATEMENT_SECONDS,
        connections: int = CONNECTIONS,
        listen: bool = True,
    ) -> None:
        parsed = _parse(url)
        self.dialect = parsed.get_backend_name()
        self.where = parsed.database or "" if self.dialect == "sqlite" else parsed.render_as_string(hide_password=True)
        self._busy_seconds = busy_seconds
        self._one_writer = threading.Lock()
        if self.dialect == "sqlite":
            self._engine = _sqlite(parsed, busy_seconds)
        else:
            self._engine = _postgres(parsed, busy_seconds, statement_seconds, connections)
        self._writing = self._engine.execution_options(citebot_writes=True)
        self._listens = listen and self.dialect != "sqlite"

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that sees one state and changes nothing."""
        with self._explained(), self._engine.connect() as tx:
            yield tx
            tx.rollback()

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Transaction]:
        """A transaction, committed at the end and rolled back on any error.

        A committed transaction survives the death of the process; `durable` makes it survive the loss of power too.
        """
        with self._explained(), self._turn(), self._writing.connect() as tx:
            if durable and self.dialect == "sqlite":
                with _synced(tx), tx.begin():
                    yield tx
            else:
                with tx.begin():
                    yield tx

    @contextmanager
    def reshape(self) -> Iterator[Transaction]:
        """A `write` that changes tables. SQLite changes one by making it anew: what refers to it must stay."""
        with self._explained(), self._turn(), self._writing.connect() as tx:
            if self.dialect != "sqlite":
                with tx.begin():
                    yield tx
                return
            raw = tx.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            raw.execute("PRAGMA foreign_keys = OFF")
            try:
                with tx.begin():
                    yield tx
                    if broken := tx.exec_driver_sql("PRAGMA foreign_key_check").first():
                        raise StorageError(f"{self.where} was not changed: it would lose rows of {broken[0]}.")
            finally:
                raw.execute("PRAGMA foreign_keys = ON")

    @contextmanager
    def outside(self) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
        """Run statements that no transaction may hold, such as VACUUM; as long as they take."""
        with self._explained(), self._turn(), self._engine.connect() as connection:
            if self.dialect == "sqlite":
                raw = connection.connection.driver_connection
                assert isinstance(raw, sqlite3.Connection)
                yield lambda statement: raw.execute(statement).fetchall()
                return
            free = connection.execution_options(citebot_outside=True)
            yield lambda statement: _rows(free, statement)

    def now(self, tx: Transaction) -> datetime:
        """The database's clock, UTC, naive: the only clock that all processes share."""
        return clock.now(tx)

    @property
    def listening_address(self) -> dict[str, Any]:
        """How to reach it for a connection that listens, as psycopg takes it; empty where there is nothing to hear."""
        return dict(self._engine.dialect.create_connect_args(self._engine.url)[1]) if self._listens else {}

    @property
    def address(self) -> str:
        """For the server's own tools, without the password; empty for a file."""
        url = self._engine.url
        plain = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
        return "" if self.dialect == "sqlite" else plain.render_as_string()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        # SQLite's own wait is a polling one: threads of one process starve each other. A lock queues them.
        if self.dialect != "sqlite":
            yield
            return
        if not self._one_writer.acquire(timeout=self._busy_seconds):
            raise StorageError(f"The database {self.where} is busy: another task has been writing for too long.")
        try:
            yield
        finally:
            self._one_writer.release()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            meaning = explain(error, self.where)
            if meaning is None:
                raise
            raise meaning from error


def _rows(connection: Connection, statement: str) -> list[tuple[Any, ...]]:
    result = connection.exec_driver_sql(statement)
    return [tuple(row) for row in result] if result.returns_rows else []


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        raise SettingsError(
            "database.url is not a database address. Use postgresql+psycopg://USER@HOST/NAME."
        ) from error
    except ImportError as error:
        raise SettingsError(
            f"The database driver is missing ({error.name}): pip install 'citebot[postgres]'"
        ) from error
    if parsed.get_backend_name() == "postgresql":
        # Whatever the address says: psycopg 3 is the driver we install and test.
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        raise SettingsError(f"database.url names {parsed.get_backend_name()}; Citebot runs on SQLite and PostgreSQL.")
    return parsed


def _sqlite(url: URL, busy_seconds: float) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        json_serializer=dump_json,
        pool_size=4,
        max_overflow=36,
        connect_args={"timeout": busy_seconds},
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        # We begin transactions ourselves, below: the driver would begin deferred ones, which fail on the first write.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {int(busy_seconds * 1000)}")
        _switch_to_wal(connection, busy_seconds)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("citebot_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _switch_to_wal(connection: sqlite3.Connection, busy_seconds: float) -> None:
    # SQLite does not wait for its lock here, so two processes that make a new database would disturb each other.
    deadline = time.monotonic() + busy_seconds
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _postgres(url: URL, busy_seconds: float, statement_seconds: float, connections: int) -> Engine:
    """Nothing is kept in a session: between us and the server may be a pooler that changes it with each transaction."""
    kept = min(5, connections)
    arguments: dict[str, Any] = {"connect_timeout": 5, "application_name": "citebot", "prepare_threshold": None}
    engine = create_engine(
        url,
        hide_parameters=True,
        json_serializer=dump_json,
        pool_size=kept,
        max_overflow=connections - kept,
        pool_pre_ping=True,
        pool_timeout=busy_seconds,
        connect_args=arguments,
        # We begin transactions ourselves, below: with what counts in them, in one message.
        isolation_level="AUTOCOMMIT",
    )
    milliseconds = {
        "lock_timeout": busy_seconds,
        "statement_timeout": statement_seconds,
        "idle_in_transaction_session_timeout": IDLE_SECONDS,
    }
    limits = "".join(f"; SET LOCAL {name} = {int(value * 1000)}" for name, value in milliseconds.items())
    limits += "; SET LOCAL timezone = 'UTC'"

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("citebot_outside"):
            return
        kind = "" if options.get("citebot_writes") else " ISOLATION LEVEL REPEATABLE READ, READ ONLY"
        connection.exec_driver_sql(f"BEGIN{kind}{limits}")

    return engine


@contextmanager
def _synced(tx: Transaction) -> Iterator[None]:
    raw = tx.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    raw.execute("PRAGMA synchronous = FULL")
    try:
        yield
    finally:
        raw.execute("PRAGMA synchronous = NORMAL")
