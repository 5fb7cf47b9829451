"""Reads one source: listing → queue + cursor in one transaction → fetch → documents; then what has gone.

It can be killed anywhere: what was listed is queued, what was fetched is stored, the rest is done again. Nothing is
removed because it was not seen: only what a complete listing leaves out *and* `fetch` confirms, and never many at once.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from citebot.errors import CitebotError, SourceError, StopSync
from citebot.ingest.fetching import Hook, Outcome, Preparer
from citebot.ingest.progress import SyncProgress
from citebot.model import Batch, Document, Failed, Gone, Json, Ref
from citebot.ports import ReportsGroups, Source, SourceContext
from citebot.settings import IngestSettings
from citebot.storage import Database, Transaction, documents, leases, people, sources, todo
from citebot.storage.leases import Lease
from citebot.storage.sources import SourceRow
from citebot.storage.todo import Todo

LISTED_AT_ONCE = 1_000
FETCHED_AT_ONCE = 200
LEASE_SECONDS = 300.0
FEW = 5
MANY = 0.3
"""More than `FEW` documents and more than this share gone at once is taken for a sick source."""


T = TypeVar("T")


class SyncRunner:
    """One run over one source. Synchronous: it belongs into a worker thread."""

    def __init__(
        self,
        database: Database,
        part: Source,
        *,
        source: str,
        context: SourceContext,
        settings: IngestSettings,
        document_fetched: Hook = lambda source, document: document,
        progress: Callable[[SyncProgress], None] | None = None,
        allow_removals: bool = False,
        holder: str = "",
    ) -> None:
        self._database = database
        self._part = part
        self._name = source
        self._context = context
        self._preparer = Preparer(source, settings, document_fetched)
        self._show = progress or (lambda state: None)
        self._allow_removals = allow_removals
        self._holder = holder or f"{socket.gethostname()}:{os.getpid()}"
        self._lease: Lease | None = None
        self.progress = SyncProgress()

    def run(self) -> SyncProgress:
        """Read everything that changed. Raises `SourceError` after noting the failure; nothing is lost by it."""
        row = self._begin()
        failure: str | None = "The run was ended before it was done."
        try:
            sweep = self._list(row)
            self._drain(row, sweep)
            if not self._context.stop():
                self._remove_unseen(row, sweep)
                self._groups()
                failure = None
        except SourceError as error:
            failure = str(error)
            raise
        except CitebotError:
            raise
        except Exception as error:
            # A source is other people's code: whatever it raises ends this run, never the bot.
            failure = f"The source failed with {type(error).__name__}: {error}"
            raise StopSync(failure) from error
        finally:
            self._preparer.close()
            self._end(row, failure)
        return self.progress

    def _begin(self) -> SourceRow:
        with self._database.write() as tx:
            row = sources.get(tx, self._name)
            if row is None:
                raise StopSync(f"The source {self._name} was removed.")
            self._lease = leases.acquire(tx, f"source {row.id}", self._holder, LEASE_SECONDS)
        if self._lease is None:
            raise StopSync(f"Another process is reading {self._name} now.")
        return row

    def _end(self, row: SourceRow, failure: str | None) -> None:
        with self._database.write() as tx:
            sources.finish(tx, row.id, failure=failure)
            if self._lease is not None:
                leases.release(tx, self._lease)

    def _renew(self, tx: Transaction) -> None:
        assert self._lease is not None, "held since `_begin`"
        self._lease = leases.renew(tx, self._lease, LEASE_SECONDS)

    # --- listing -------------------------------------------------------------------------------------------------

    def _list(self, row: SourceRow) -> int:
        """Queue what is new or changed; returns the number of this listing."""
        state: Any = row.cursor if isinstance(row.cursor, dict) else None
        with self._database.write() as tx:
            sweep = int(state["sweep"]) if state else sources.begin_sweep(tx, row.id)
            self.progress.queued = todo.waiting(tx, row.id)
        for batch in self._part.list(self._context, state["cursor"] if state else None):
            self._store_listed(row, batch, sweep)
            self._show(self.progress)
            if self._context.stop():
                return sweep
        with self._database.write() as tx:
            self._renew(tx)
            sources.set_cursor(tx, row.id, None)
        return sweep

    def _store_listed(self, row: SourceRow, batch: Batch, sweep: int) -> None:
        cursor: Json = {"sweep": sweep, "cursor": batch.cursor}
        with self._database.write() as tx:
            self._renew(tx)
            for some in _batched(batch.items, LISTED_AT_ONCE):
                refs = [item for item in some if isinstance(item, Ref)]
                known = documents.known(tx, row.id, [ref.id for ref in refs])
                changed = [ref for ref in refs if _changed(ref, known.get(ref.id))]
                todo.add(tx, row.id, changed)
                documents.touch(tx, row.id, list(known), sweep)
                self.progress.removed += documents.remove(tx, row.id, [g.id for g in some if isinstance(g, Gone)])
                self.progress.listed += len(refs)
                self.progress.queued += len(changed)
            sources.set_cursor(tx, row.id, cursor)

    # --- fetching ------------------------------------------------------------------------------------------------

    def _drain(self, row: SourceRow, sweep: int) -> None:
        while not self._context.stop():
            with self._database.read() as tx:
                due = todo.take(tx, row.id, FETCHED_AT_ONCE)
                known = documents.known(tx, row.id, [item.external_id for item in due])
            if not due:
                return
            outcome = Outcome()
            waiting = {item.external_id: item for item in due}
            for answer in _answered(self._part.fetch(self._context, list(waiting)), waiting):
                item = waiting[answer.id]
                self._preparer.add(outcome, answer, item, known.get(answer.id), sweep=sweep)
            self._store(row, outcome, sweep)
            self._show(self.progress)

    def _store(self, row: SourceRow, outcome: Outcome, sweep: int) -> None:
        with self._database.write() as tx:
            self._renew(tx)
            saved = documents.save_many(tx, row.id, outcome.save)
            documents.confirm(tx, row.id, [(t.external_id, t.version, t.readers_tag) for t in outcome.same], sweep)
            self.progress.removed += documents.remove(tx, row.id, outcome.gone)
            done = [item.document.id for item in outcome.save] + [item.external_id for item in outcome.same]
            todo.done(tx, row.id, [*done, *outcome.gone])
            for failed in outcome.failed:
                todo.fail(tx, row.id, failed.id, failed.why, permanent=failed.permanent)
        self.progress.saved += len(outcome.save)
        self.progress.same += len(outcome.same)
        self.progress.failed += len(outcome.failed)
        self.progress.chunks += saved.added

    # --- removing ------------------------------------------------------------------------------------------------

    def _remove_unseen(self, row: SourceRow, sweep: int) -> None:
        with self._database.read() as tx:
            unseen = documents.unseen(tx, row.id, sweep)
            total = documents.count(tx, row.id)
        if len(unseen) > FEW and len(unseen) > MANY * total and not self._allow_removals:
            raise StopSync(
                f"{self._name} no longer lists {len(unseen)} of {total} documents. Nothing was removed. If they have "
                f"really gone: citebot source sync {self._name} --allow-removals"
            )
        for some in _batched(unseen, FETCHED_AT_ONCE):
            if self._context.stop():
                return
            self._confirm_gone(row, some, sweep)

    def _confirm_gone(self, row: SourceRow, ids: Sequence[str], sweep: int) -> None:
        outcome = Outcome()
        waiting = {external_id: Todo(external_id, "", "", 0) for external_id in ids}
        with self._database.read() as tx:
            known = documents.known(tx, row.id, ids)
        for answer in _answered(self._part.fetch(self._context, list(ids)), waiting):
            if isinstance(answer, Failed):
                continue  # neither here nor gone: it stays until the source says which
            self._preparer.add(outcome, answer, waiting[answer.id], known.get(answer.id), sweep=sweep)
        self._store(row, outcome, sweep)

    def _groups(self) -> None:
        if isinstance(self._part, ReportsGroups):
            groups = list(self._part.groups(self._context))
            with self._database.write() as tx:
                self._renew(tx)
                people.replace(tx, self._name, groups)


def _batched(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _changed(ref: Ref, known: documents.Known | None) -> bool:
    if known is None or not ref.version:
        return True
    return (ref.version, ref.readers_tag) != (known.version, known.readers_tag)


def _answered(
    answers: Iterable[Document | Gone | Failed], waiting: dict[str, Todo]
) -> Iterable[Document | Gone | Failed]:
    """The source's answers, one per id that was asked; what it leaves out has failed."""
    missing = set(waiting)
    for answer in answers:
        if answer.id in missing:
            missing.discard(answer.id)
            yield answer
    for external_id in sorted(missing):
        yield Failed(external_id, "The source gave no answer for it.")
