"""The embedded index: two word legs and a vector leg in one folder, following the database's log.

Order of writing: words and vectors first, the state file last and atomically. A process that dies in between leaves the
old position; the same changes come again and end in the same state.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

import structlog
from pydantic import BaseModel

from citebot.errors import IndexUnavailable
from citebot.ports import IndexChanges, IndexHits, IndexQuery, IndexStats, PartContext
from citebot_plugins.embedded.files import replace_file
from citebot_plugins.embedded.settings import EmbeddedSettings

if TYPE_CHECKING:
    from citebot_plugins.embedded.legs import Legs

T = TypeVar("T")
log = structlog.get_logger("citebot.index.embedded")

FORMAT = 1
REMOVED_SHARE = 0.3
"""Of all vectors: with more of them dead, the index asks to be built anew."""


@dataclass(frozen=True, slots=True)
class State:
    """What is durably applied."""

    seq: int = 0
    rows: int = 0
    model: str = ""
    dimensions: int = 0
    removed: int = 0
    """Passages removed since the folder was begun: text that `purge` must erase."""
    format: int = FORMAT


class EmbeddedIndex:
    """Searches in threads of its own; one process at a time may change it, others may read beside it."""

    name: ClassVar[str] = "embedded"
    summary: ClassVar[str] = "BM25 and vectors in a folder of this machine, no server"
    Settings: ClassVar[type[BaseModel]] = EmbeddedSettings

    def __init__(self, settings: EmbeddedSettings, context: PartContext) -> None:
        self._settings = settings
        self._folder = context.data_dir
        self._legs: Legs | None = None
        self._state = State()
        self._pool: ThreadPoolExecutor | None = None
        self._changing = threading.Lock()
        self._builder: asyncio.Future[None] | None = None

    async def open(self) -> None:
        self._pool = ThreadPoolExecutor(self._settings.threads, thread_name_prefix="index")
        await self._run(self._open)

    async def close(self) -> None:
        if self._pool is not None:
            if self._builder is not None:
                await asyncio.gather(self._builder, return_exceptions=True)
            await self._run(self._close)
            self._pool.shutdown()
            self._pool = None

    async def position(self) -> int:
        return self._state.seq

    async def apply(self, changes: IndexChanges) -> None:
        await self._run(lambda: self._apply(changes))
        self._build_if_wanted()

    async def search(self, query: IndexQuery) -> IndexHits:
        return await self._run(lambda: self._opened().search(query, self._state.model))

    async def purge(self) -> None:
        """Text of removed passages leaves with the whole folder; the feeder fills a new one from the database."""
        if self._state.removed:
            await self.reset()

    async def reset(self) -> None:
        if self._builder is not None:
            await asyncio.gather(self._builder, return_exceptions=True)
        await self._run(self._reset)

    async def stats(self) -> IndexStats:
        return await self._run(self._stats)

    # --- in threads ----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        from citebot_plugins.embedded.legs import Legs

        with self._changing:
            try:
                self._state = self._read_state()
                self._legs = Legs(self._folder, self._settings, self._state.rows, self._state.dimensions)
            except PermissionError as error:
                raise IndexUnavailable(f"The index folder {self._folder} cannot be read: {error.strerror}.") from error
            except (OSError, ValueError, KeyError, TypeError) as error:
                self._set_aside(error)
                self._state = State()
                self._legs = Legs(self._folder, self._settings, 0, 0)

    def _set_aside(self, error: Exception) -> None:
        number = 1
        while (aside := self._folder.with_name(f"damaged-{self._folder.name}-{number}")).exists():
            number += 1
        try:
            self._folder.rename(aside)
        except OSError as refused:
            raise IndexUnavailable(
                f"The index folder {self._folder} cannot be used ({_reason(error)}) nor moved: {_reason(refused)}."
            ) from error
        log.warning("the index was damaged; it is built anew", why=str(error), kept_at=str(aside))

    def _read_state(self) -> State:
        path = self._state_path
        if not path.exists():
            if (self._folder / "words").exists():
                # Begun and never finished: nothing in it counts.
                shutil.rmtree(self._folder)
            return State()
        body = json.loads(path.read_text("utf-8"))
        if isinstance(written := body.get("format"), int) and written > FORMAT:
            raise IndexUnavailable(
                f"The index in {self._folder} was written by a newer Citebot: upgrade this one, or delete that folder "
                "and it is built anew."
            )
        state = State(**body)
        if state.format != FORMAT:
            raise ValueError(f"the folder has format {state.format}, this Citebot writes {FORMAT}")
        if state.seq and not (self._folder / "words" / "meta.json").exists():
            # Tantivy would begin an empty index, and the feeder would believe that it is complete.
            raise ValueError("the words are gone")
        return state

    def _apply(self, changes: IndexChanges) -> None:
        with self._changing:
            state = self._state
            if changes.seq < state.seq:
                return
            model = changes.vector_model or state.model
            if changes.vectors and state.model and model != state.model:
                raise IndexUnavailable(
                    f"The index holds vectors of {state.model}, not of {model}: `citebot index rebuild` builds it anew."
                )
            sizes = {made.dimensions for _, made in changes.vectors} - {state.dimensions}
            if state.dimensions and sizes:
                raise IndexUnavailable(
                    f"The index holds vectors of {state.dimensions} dimensions, the model makes {min(sizes)} under the "
                    "same name: set embedder.use back, or give the model another name."
                )
            try:
                rows, dimensions, removed = self._opened().apply(changes)
                self._write_state(
                    State(
                        seq=changes.seq,
                        rows=rows,
                        model=model if rows else "",
                        dimensions=dimensions,
                        removed=state.removed + removed,
                    )
                )
            except (OSError, ValueError) as error:
                # Half of it may be in the files: go back to what the state says, and let it come again.
                self._reopen()
                raise IndexUnavailable(f"The index could not be written: {_reason(error)}.") from error

    def _reopen(self) -> None:
        from citebot_plugins.embedded.legs import Legs

        try:
            self._opened().abandon()
            self._legs = Legs(self._folder, self._settings, self._state.rows, self._state.dimensions)
        except (OSError, ValueError) as error:
            log.exception("the index stays closed", why=_reason(error))
            self._legs = None

    def _reset(self) -> None:
        from citebot_plugins.embedded.legs import Legs

        with self._changing:
            if self._legs is not None:
                self._legs.close()
            self._state_path.unlink(missing_ok=True)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._state = State()
            self._legs = Legs(self._folder, self._settings, 0, 0)

    def _write_state(self, state: State) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._state_path, json.dumps(asdict(state)).encode())
        self._state = state

    def _stats(self) -> IndexStats:
        legs = self._opened()
        size = sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())
        place = str(self._folder)
        return IndexStats(legs.passages, legs.with_vectors, self._state.model, self._state.seq, size, place=place)

    def _close(self) -> None:
        with self._changing:
            if self._legs is not None:
                self._legs.close()
                self._legs = None

    # --- helpers -------------------------------------------------------------------------------------------------

    @property
    def _state_path(self) -> Path:
        return self._folder / "state.json"

    def _opened(self) -> Legs:
        if self._legs is None:
            raise IndexUnavailable("The index is not open.")
        return self._legs

    async def _run(self, work: Callable[[], T]) -> T:
        if self._pool is None:
            raise IndexUnavailable("The index is not open.")
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _build_if_wanted(self) -> None:
        """Build the approximate index beside the work; searches compare every vector until it is there."""
        legs = self._legs
        if legs is None or not legs.wants_building() or (self._builder is not None and not self._builder.done()):
            return
        self._builder = asyncio.ensure_future(asyncio.to_thread(legs.build))


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
