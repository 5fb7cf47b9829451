"""The embedder `local`: a small sentence encoder on this machine's processor."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from citebot.errors import ModelUnavailable
from citebot.model import Embedding
from citebot.ports import PartContext

if TYPE_CHECKING:
    from citebot_plugins.local.encoder import Encoder

T = TypeVar("T")
_TOKENIZED_AT_ONCE = 64


class LocalSettings(BaseModel):
    """`[embedder.local]`."""

    model_config = ConfigDict(extra="forbid")

    folder: Path | None = Field(
        None, description="Folder, .jar or .zip with an ONNX encoder and its tokenizer.json; empty: all-MiniLM-L6-v2."
    )
    file: str = Field("", description="Which .onnx file, if `folder` holds several.")
    pooling: Literal["mean", "cls"] = Field("mean", description="How that encoder's token vectors become one.")
    query_prefix: str = Field("", description="Instruction that encoder wants before a question.")
    passage_prefix: str = Field("", description="Instruction that encoder wants before a passage.")
    max_tokens: int = Field(256, ge=16, le=8192, description="Longest text encoded in one piece.")
    window_tokens: int = Field(200, ge=8, description="Size of the windows that longer texts are cut into.")
    max_windows: int = Field(32, ge=1, description="Windows per passage; text after them has no vector.")
    threads: int = Field(2, ge=1, le=64, description="Texts encoded at the same time.")

    @model_validator(mode="after")
    def _windows_fit(self) -> LocalSettings:
        if self.window_tokens > self.max_tokens - 8:
            raise ValueError(f"window_tokens must be at most max_tokens - 8, that is {self.max_tokens - 8}")
        return self


class LocalEmbedder:
    """Encodes one text per run and `threads` runs at a time, in threads of its own; questions overtake passages."""

    name: ClassVar[str] = "local"
    summary: ClassVar[str] = "all-MiniLM-L6-v2 or any ONNX encoder in a folder, on this machine"
    Settings: ClassVar[type[BaseModel]] = LocalSettings

    def __init__(self, settings: LocalSettings, context: PartContext) -> None:
        self.model_id = ""
        self.dimensions = 0
        self._settings = settings
        self._data_dir = context.data_dir
        self._encoder: Encoder | None = None
        self._pool: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Load the model, building its file the first time."""
        if self._encoder:
            return
        pool = ThreadPoolExecutor(self._settings.threads, thread_name_prefix="embed")
        try:
            encoder, self.model_id = await asyncio.get_running_loop().run_in_executor(pool, self._load)
        except BaseException:
            pool.shutdown(wait=False)
            raise
        self._encoder, self._pool, self.dimensions = encoder, pool, encoder.dimensions

    async def close(self) -> None:
        """End the threads and free the model; what still waits for a vector gets `ModelUnavailable`."""
        encoder, pool = self._encoder, self._pool
        self._encoder = self._pool = None
        if encoder and pool:
            encoder.stop()
            await asyncio.to_thread(pool.shutdown)

    async def embed_passages(self, texts: Sequence[str]) -> list[Embedding]:
        """One embedding per text; a text longer than `max_tokens` gets one row per window."""
        encoder = self._opened()
        prefix = self._settings.passage_prefix
        windows: list[list[list[int]]] = []
        for start in range(0, len(texts), _TOKENIZED_AT_ONCE):
            batch = [prefix + text for text in texts[start : start + _TOKENIZED_AT_ONCE]]
            windows += await self._in_pool(partial(_tokenize, encoder, batch))
        rows = await self._run_all(encoder, [ids for text in windows for ids in text])
        remaining = iter(rows)
        return [Embedding(self.dimensions, b"".join(next(remaining) for _ in text)) for text in windows]

    async def embed_query(self, text: str) -> Embedding:
        """One row, over the first `max_tokens` tokens."""
        encoder = self._opened()
        question = self._settings.query_prefix + text
        row = await self._in_pool(lambda: encoder.run(encoder.tokenizer.beginning(question)))
        return Embedding(self.dimensions, row)

    async def _run_all(self, encoder: Encoder, windows: Sequence[list[int]]) -> list[bytes]:
        """Rows in order. Only as many runs are queued as there are threads, so that a question never waits long."""
        rows = [b""] * len(windows)
        # Longest first, so that the threads finish together.
        waiting = deque(sorted(range(len(windows)), key=lambda number: -len(windows[number])))

        async def work() -> None:
            while waiting:
                number = waiting.popleft()
                rows[number] = await self._in_pool(partial(encoder.run, windows[number]))

        try:
            await asyncio.gather(*(work() for _ in range(min(self._settings.threads, len(windows)))))
        finally:
            waiting.clear()  # after a failure the other workers end with the run they are in
        return rows

    async def _in_pool(self, call: Callable[[], T]) -> T:
        pool = self._pool
        if pool is None:
            raise ModelUnavailable("The local embedder is closed")
        return await asyncio.get_running_loop().run_in_executor(pool, call)

    def _opened(self) -> Encoder:
        if self._encoder is None:
            raise ModelUnavailable("The local embedder is not open")
        return self._encoder

    def _load(self) -> tuple[Encoder, str]:
        """The encoder and its model id: weights, and the settings that shape a passage's vectors."""
        settings = self._settings
        try:
            from citebot_plugins.local import folder, minilm
            from citebot_plugins.local.tokenizing import Lengths

            lengths = Lengths(most=settings.max_tokens, window=settings.window_tokens, windows=settings.max_windows)
            size = f"m{lengths.most}w{lengths.window}x{lengths.windows}"
            if settings.folder is None:
                return minilm.load(self._data_dir, lengths), f"minilm-l6-v2-int8:{minilm.VERSION}:{size}"
            files = folder.find(settings.folder, file=settings.file)
            encoder = folder.load(files, lengths, pooling=settings.pooling)
        except ImportError as error:
            raise ModelUnavailable(f"The local embedder needs `pip install 'citebot[embedded]'` ({error})") from error
        # The question's prefix is left out on purpose: changing it leaves the passages' vectors as they are.
        prefix = hashlib.sha256(settings.passage_prefix.encode()).hexdigest()[:6] if settings.passage_prefix else "-"
        return encoder, f"folder:{files.digest}:{settings.pooling}:{size}:{prefix}"


def _tokenize(encoder: Encoder, texts: Sequence[str]) -> list[list[list[int]]]:
    return [encoder.tokenizer.windows(text) for text in texts]
