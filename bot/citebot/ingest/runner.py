"""Reads one source: listing → queue + cursor in one transaction → fetch → documents; then what has gone.

A source with a change feed is listed once, and again every `ingest.sweep`; in between the feed says what changed.

It can be killed anywhere: what was listed is queued, what was fetched is stored, the rest is done again. Nothing is
removed because it was not seen: only what a complete listing leaves out *and* `fetch` confirms, and never many at once.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import timedelta
from typing import Any, TypeVar

from citebot.errors import CitebotError, CursorExpired, LeaseLost, SourceBusy, StopSync, StorageError
from citebot.ingest.fetching import Hook, Outcome, Preparer
from citebot.ingest.guard import RemovalGuard
from citebot.ingest.holder import is_dead, new_holder
from citebot.ingest.listed import Listed
from citebot.ingest.moves import Moves, find_moves
from citebot.ingest.parsing import Parser
from citebot.ingest.progress import SyncProgress
from citebot.model import Batch, Document, Failed, Gone, Json, Ref
from citebot.ports import ReportsChanges, ReportsGroups, Source, SourceContext
from citebot.settings import IngestSettings
from citebot.storage import Database, Transaction, clock, documents, leases, people, sources, todo
from citebot.storage.documents import Left, Version
from citebot.storage.leases import Lease
from citebot.storage.sources import SourceRow
from citebot.storage.todo import Todo

LISTED_AT_ONCE = 2_000
LONGEST_ID = 2_048
"""Bytes of a document's id: PostgreSQL keeps keys of up to 2,704 in an index, and a path is sometimes long."""
FETCHED_AT_ONCE = 400
HELD_BYTES = 8_000_000
HELD_SECONDS = 2.0
"""Fetched documents are stored when this much of them is held, or this long: memory stays flat, progress is seen."""
LEASE_SECONDS = 120.0
"""A document takes at most `ingest.parse_seconds`, a store a second; every store renews it."""
LISTING_SHARE = 0.05
"""Of the time, for the full listings of a source that has a change feed …"""
LONGEST_BETWEEN_SWEEPS = timedelta(days=7)
"""… but never less often than this."""


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
        full: bool = False,
        holder: str = "",
        parser: Parser | None = None,
    ) -> None:
        self._database = database
        self._part = part
        self._name = source
        self._context = context
        self._preparer = Preparer(source, settings, document_fetched, parser)
        self._show = progress or (lambda state: None)
        self._settings = settings
        self._allow_removals = allow_removals
        self._full = full or allow_removals
        self._holder = holder or new_holder()
        self._lease: Lease | None = None
        self._lost: set[str] = set()
        """Queued documents that could not be read before and that this listing has not named yet."""
        self._listed = Listed(0, 0)
        self._named: dict[str, int] = {}
        """How many events had named the documents that are being fetched."""
        self.progress = SyncProgress()

    def run(self) -> SyncProgress:
        """Read everything that changed. Raises `SourceError` after noting the failure; nothing is lost by it."""
        row, guard = self._begin()
        failure: str | None = "The run was ended before it was done."
        try:
            if self._bring_up(row, guard):
                self._groups()
                failure = None
        except LeaseLost:
            self._lease = None
            raise
        except CitebotError as error:
            failure = str(error)
            raise
        except Exception as error:
            # A source is other people's code: whatever it raises ends this run, never the bot.
            failure = f"{self._name} failed with {type(error).__name__}: {error}"
            raise StopSync(failure) from error
        finally:
            self._preparer.close()
            self._end(row, failure)
        return self.progress

    def run_urgent(self) -> SyncProgress:
        """Read only what events named. Raises as `run`; what failed is left to the next regular read."""
        row, guard = self._begin()
        try:
            self._drain_urgent(row, row.sweep, guard)
        except Exception as error:
            with suppress(StorageError), self._database.write() as tx:
                todo.calm(tx, row.id)
            if isinstance(error, CitebotError):
                raise
            raise StopSync(f"{self._name} failed with {type(error).__name__}: {error}") from error
        finally:
            self._preparer.close()
            with suppress(StorageError), self._database.write() as tx:
                if self._lease is not None:
                    leases.release(tx, self._lease)
        return self.progress

    def _begin(self) -> tuple[SourceRow, RemovalGuard]:
        with self._database.write() as tx:
            row = sources.get(tx, self._name)
            if row is None:
                raise StopSync(f"The source {self._name} was removed.")
            name = f"source {row.id}"
            holding = leases.holding(tx, name)
            if holding is not None and is_dead(holding.holder):
                leases.release(tx, holding)
            self._lease = leases.acquire(tx, name, self._holder, LEASE_SECONDS)
            if self._lease is None:
                raise SourceBusy(f"Another process is reading {self._name} now.")
            allowed = self._allow_removals or row.removals_allowed
            return row, RemovalGuard(self._name, documents.count(tx, row.id), allowed=allowed)

    def _end(self, row: SourceRow, failure: str | None) -> None:
        if self._lease is None:
            return  # another run has taken over, and says itself how it ends
        # A database that cannot be written has ended the run already, and said why.
        with suppress(StorageError) if failure else nullcontext(), self._database.write() as tx:
            sources.finish(tx, row.id, failure=failure)
            leases.release(tx, self._lease)

    def _renew(self, tx: Transaction) -> None:
        assert self._lease is not None, "held since `_begin`"
        self._lease = leases.renew(tx, self._lease, LEASE_SECONDS)

    def _goes_on(self) -> bool:
        """Keep the lease between two steps that store nothing; whether there is to be another."""
        with self._database.write() as tx:
            self._renew(tx)
        return not self._context.stop()

    # --- by change feed or by listing ---------------------------------------------------------------------------

    def _bring_up(self, row: SourceRow, guard: RemovalGuard) -> bool:
        """Read what changed, from the feed where that is enough; whether it came to the end."""
        if not isinstance(self._part, ReportsChanges):
            return self._sweep(row, guard)
        if self._feed_reaches(row):
            try:
                return self._poll(row, guard, self._part, row.feed)
            except CursorExpired as error:
                self._context.log.warning("change feed lost, listing everything", why=str(error))
        # Where the feed stands is asked before the listing begins: what changes meanwhile is in the feed. An older
        # cursor would not do: by the end of the listing it may have been cut off.
        feed = self._feed_now(row, self._part)
        if not self._sweep(row, guard):
            return False
        self._set_feed(row, feed)
        return self._poll(row, guard, self._part, feed)

    def _feed_reaches(self, row: SourceRow) -> bool:
        """Whether the feed goes back to the last read, and no listing is due or half done."""
        if self._full or row.feed is None or row.swept_at is None or row.cursor is not None or row.removals_allowed:
            return False
        with self._database.read() as tx:
            now = clock.now(tx)
        keeps = self._part.spec.feed_keeps
        if keeps is not None and (row.feed_at is None or now - row.feed_at >= keeps):
            return False
        return now - row.swept_at < self._between_sweeps(row)

    def _between_sweeps(self, row: SourceRow) -> timedelta:
        """A place that is slow to list is listed less often, so that its server is not kept at it."""
        wanted = timedelta(seconds=self._settings.sweep)
        if row.sweep_began_at is None or row.swept_at is None:
            return wanted
        return max(wanted, min((row.swept_at - row.sweep_began_at) / LISTING_SHARE, LONGEST_BETWEEN_SWEEPS))

    def _feed_now(self, row: SourceRow, part: ReportsChanges) -> Json:
        cursor: Json = None
        for batch in part.changes(self._context, None):
            cursor = batch.cursor
        # Until the listing has come to its end no feed will do: it knows nothing of what changed before.
        self._set_feed(row, None)
        return cursor

    def _set_feed(self, row: SourceRow, cursor: Json) -> None:
        with self._database.write() as tx:
            self._renew(tx)
            sources.set_feed(tx, row.id, cursor)

    def _poll(self, row: SourceRow, guard: RemovalGuard, part: ReportsChanges, feed: Json) -> bool:
        for batch in part.changes(self._context, feed):
            self._store_changes(row, batch)
            self._show(self.progress)
            if self._context.stop():
                return False
        self._queue_stale(row)
        if not self._drain(row, row.sweep, guard):
            return False
        with self._database.write() as tx:
            self._renew(tx)
            stored = sources.get(tx, self._name)
            if stored is not None:
                sources.set_feed(tx, row.id, stored.feed, read=True)
        return True

    def _store_changes(self, row: SourceRow, batch: Batch) -> None:
        """Queue what the feed names. What it calls gone is asked for as well: `fetch` says whether it is."""
        refs, refused = _with_short_ids([item if isinstance(item, Ref) else Ref(item.id) for item in batch.items])
        with self._database.write() as tx:
            self._renew(tx)
            for failed in refused:
                todo.fail(tx, row.id, failed.id, failed.why, permanent=True)
            changed = _changed(refs, documents.versions(tx, row.id, [ref.id for ref in refs]))
            todo.add(tx, row.id, changed)
            sources.set_feed(tx, row.id, batch.cursor)
        self.progress.listed += len(refs)
        self.progress.queued += len(changed)

    def _queue_stale(self, row: SourceRow, *, without: Container[str] = ()) -> None:
        """Some of those that were not fetched for long: an edit may leave no trace in listing and feed."""
        days = min(self._settings.refetch_days, 1.0) if self._part.spec.silent_edits else self._settings.refetch_days
        with self._database.write() as tx:
            found = documents.stale(tx, row.id, age=timedelta(days=days), limit=LISTED_AT_ONCE)
            stale = [ref for ref in found if ref.id not in without]
            todo.add(tx, row.id, stale)
        self.progress.queued += len(stale)

    def _sweep(self, row: SourceRow, guard: RemovalGuard) -> bool:
        """List everything and remove what has gone; whether it came to the end."""
        done = self._read(row, guard, row.cursor)
        if done and row.cursor is not None:
            # The listing was begun by an earlier run: what changed behind its cursor since, a new one sees.
            done = self._read(row, guard, None)
        if done:
            with self._database.write() as tx:
                self._renew(tx)
                sources.end_sweep(tx, row.id)
        return done

    def _read(self, row: SourceRow, guard: RemovalGuard, cursor: Json) -> bool:
        """One listing, from the cursor on, with all it leads to; whether it came to the end."""
        with self._database.read() as tx:
            self._lost = {external_id for external_id, _, _ in todo.parked(tx, row.id)}
        self._preparer.moves = Moves()
        sweep = self._list(row, guard, cursor)
        if sweep is None:
            return False
        unseen = self._unseen()
        # What is out of sight is asked for at the end, and not before it may have been found in another place.
        self._queue_stale(row, without={one.external_id for one in unseen})
        if self._part.spec.ids_are_places:
            self._preparer.moves = find_moves(
                self._database, row.id, unseen, part=self._part, context=self._context, go_on=self._goes_on
            )
        return self._drain(row, sweep, guard) and self._remove_unseen(row, sweep, guard, bool(unseen))

    # --- listing -------------------------------------------------------------------------------------------------

    def _list(self, row: SourceRow, guard: RemovalGuard, cursor: Json) -> int | None:
        """Queue what is new or changed; returns the number of this listing, None when it was stopped."""
        state: Any = cursor if isinstance(cursor, dict) else None
        with self._database.write() as tx:
            sweep = int(state["sweep"]) if state else sources.begin_sweep(tx, row.id)
        self._listed = Listed(row.id, sweep)
        listed = int(state.get("listed", 0)) if state and state["cursor"] is not None else 0
        for batch in self._part.list(self._context, state["cursor"] if state else None):
            listed += len(batch.items)
            self._store_listed(row, batch, sweep, listed, guard)
            self._show(self.progress)
            if self._context.stop():
                return None
            self._drain_urgent(row, sweep, guard)
        guard.check_listing(listed)
        with self._database.write() as tx:
            self._renew(tx)
            sources.set_cursor(tx, row.id, None)
            self.progress.queued = todo.waiting(tx, row.id)
        return sweep

    def _store_listed(self, row: SourceRow, batch: Batch, sweep: int, listed: int, guard: RemovalGuard) -> None:
        cursor: Json = {"sweep": sweep, "cursor": batch.cursor, "listed": listed}
        # An empty batch after the first says nothing new.
        pieces = list(_batched(batch.items, LISTED_AT_ONCE)) or [()]
        for number, some in enumerate(pieces, 1):
            refs, refused = _with_short_ids([item for item in some if isinstance(item, Ref)])
            gone = [item.id for item in some if isinstance(item, Gone)]
            self._lost.difference_update([ref.id for ref in refs], [failed.id for failed in refused])
            with self._database.write() as tx:
                self._renew(tx)
                known = documents.versions(tx, row.id, [ref.id for ref in refs])
                changed = _changed(refs, known)
                todo.add(tx, row.id, changed)
                self._listed.note(tx, known, lasting=batch.cursor is not None)
                if number == len(pieces):
                    sources.set_cursor(tx, row.id, cursor)
            self.progress.listed += len(refs)
            self.progress.queued += len(changed)
            self._store(row, Outcome(gone=gone, failed=refused), sweep, guard)

    # --- fetching ------------------------------------------------------------------------------------------------

    def _drain(self, row: SourceRow, sweep: int, guard: RemovalGuard) -> bool:
        """Fetch what is due; whether it came to the end."""
        while not self._context.stop():
            self._drain_urgent(row, sweep, guard)
            with self._database.read() as tx:
                due = todo.take(tx, row.id, FETCHED_AT_ONCE)
            if not due:
                return True
            self._fetch(row, due, sweep, guard)
        return False

    def _drain_urgent(self, row: SourceRow, sweep: int, guard: RemovalGuard) -> None:
        """Fetch what events named, which waits for no listing."""
        while due := self._urgent(row):
            if self._context.stop():
                return
            self._fetch(row, due, sweep, guard)

    def _urgent(self, row: SourceRow) -> list[Todo]:
        with self._database.read() as tx:
            return todo.take_urgent(tx, row.id, FETCHED_AT_ONCE)

    def _fetch(self, row: SourceRow, due: Sequence[Todo], sweep: int, guard: RemovalGuard) -> None:
        for outcome in self._fetched(row, due, sweep):
            self._store(row, outcome, sweep, guard)
            self._show(self.progress)

    def _fetched(self, row: SourceRow, due: Sequence[Todo], sweep: int) -> Iterator[Outcome]:
        """What became of the documents, in pieces small enough to hold."""
        waiting = {item.external_id: item for item in due}
        self._named = {item.external_id: item.urgent for item in due if item.urgent}
        with self._database.read() as tx:
            known = documents.known(tx, row.id, list(waiting))
        outcome, held, began = Outcome(), 0, time.monotonic()
        for answer in _answered(self._part.fetch(self._context, list(waiting)), waiting):
            self._preparer.add(outcome, answer, waiting[answer.id], known.get(answer.id), sweep=sweep)
            held += len(answer.body) if isinstance(answer, Document) else 0
            if self._context.stop():
                break
            if held > HELD_BYTES or time.monotonic() - began > HELD_SECONDS:
                yield outcome
                outcome, held, began = Outcome(), 0, time.monotonic()
        yield outcome

    def _store(self, row: SourceRow, outcome: Outcome, sweep: int, guard: RemovalGuard) -> None:
        if outcome.empty:
            return
        with self._database.write() as tx:
            self._renew(tx)
            saved = documents.save_many(tx, row.id, outcome.save)
            documents.confirm(tx, row.id, [(t.external_id, t.version, t.readers_tag) for t in outcome.same], sweep)
            todo.done(tx, row.id, outcome.done, urgent=self._named)
            for external_id in outcome.hide:
                documents.hide(tx, row.id, external_id)
            for failed in outcome.failed:
                todo.fail(tx, row.id, failed.id, failed.why, permanent=failed.permanent)
        self.progress.saved += len(outcome.save)
        self.progress.same += len(outcome.same)
        self.progress.failed += len(outcome.failed)
        self.progress.chunks += saved.added
        if outcome.gone:
            self._remove(row, outcome.gone, guard)

    # --- removing ------------------------------------------------------------------------------------------------

    def _remove(self, row: SourceRow, gone: Sequence[str], guard: RemovalGuard) -> None:
        with self._database.write() as tx:
            self._renew(tx)
            stored = documents.versions(tx, row.id, gone)
            guard.check(len(stored))
            guard.took(documents.remove(tx, row.id, list(stored)))
            todo.done(tx, row.id, gone, urgent=self._named)
        self._lost.difference_update(gone)
        self.progress.removed += len(stored)

    def _remove_unseen(self, row: SourceRow, sweep: int, guard: RemovalGuard, any_unseen: bool) -> bool:
        """Remove what has gone, and has not been found elsewhere meanwhile; whether it came to the end."""
        unseen = [one.external_id for one in self._unseen()] if any_unseen else []
        guard.check(len(unseen))
        for some in _batched([*unseen, *sorted(self._lost - set(unseen))], FETCHED_AT_ONCE):
            if self._context.stop():
                return False
            self._confirm_gone(row, some, sweep, guard)
        return not self._context.stop()

    def _unseen(self) -> list[Left]:
        with self._database.read() as tx:
            return self._listed.unseen(tx)

    def _confirm_gone(self, row: SourceRow, ids: Sequence[str], sweep: int, guard: RemovalGuard) -> None:
        for outcome in self._fetched(row, [Todo(external_id, "", "", 0) for external_id in ids], sweep):
            # What cannot be read is neither here nor gone: it stays until the source says which.
            outcome.failed.clear()
            outcome.hide.clear()
            self._store(row, outcome, sweep, guard)

    def _groups(self) -> None:
        if isinstance(self._part, ReportsGroups):
            groups = list(self._part.groups(self._context))
            with self._database.write() as tx:
                self._renew(tx)
                people.replace(tx, self._name, groups)


def _changed(refs: Iterable[Ref], known: Mapping[str, Version]) -> list[Ref]:
    """Those that are not stored as they are listed; without a version nobody can tell."""
    return [
        ref
        for ref in refs
        if not ref.version or ref.id not in known or known[ref.id][:2] != (ref.version, ref.readers_tag)
    ]


def _with_short_ids(refs: Sequence[Ref]) -> tuple[Sequence[Ref], list[Failed]]:
    """Those that can be stored, and a failure for each other: databases refuse keys of any length."""
    if all(len(ref.id) <= LONGEST_ID // 4 for ref in refs):
        return refs, []
    short = [ref for ref in refs if len(ref.id.encode("utf-8", "replace")) <= LONGEST_ID]
    kept = {ref.id for ref in short}
    return short, [_too_long(ref.id) for ref in refs if ref.id not in kept]


def _too_long(external_id: str) -> Failed:
    digest = hashlib.sha256(external_id.encode("utf-8", "replace")).hexdigest()[:8]
    why = f"Its id has more than {LONGEST_ID:,} bytes. Give it a shorter name or place."
    return Failed(f"{external_id[:80]}… ({digest})", why, permanent=True)


def _batched(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _answered(
    answers: Iterable[Document | Gone | Failed], waiting: dict[str, Todo]
) -> Iterator[Document | Gone | Failed]:
    """The source's answers, one per id that was asked; what it leaves out has failed."""
    missing = dict.fromkeys(waiting)
    for answer in answers:
        if answer.id in missing:
            del missing[answer.id]
            yield answer
    for external_id in missing:
        yield Failed(external_id, "The source gave no answer for it.")
