"""Which passages an audience may see, as numbers: every set of (readers, source) is one, every passage has one."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from citebot.model import Audience, Readers
from citebot_plugins.embedded.files import replace_file

NOBODY = 0
CACHED = 32


class Rights:
    """Passage id → number of its readers and source; 0 stands for gone or never seen."""

    def __init__(self, folder: Path) -> None:
        self._numbers_path = folder / "rights.npy"
        self._sets_path = folder / "rights.json"
        self._numbers: NDArray[np.int32] = np.zeros(1024, np.int32)
        self._sets: list[tuple[str, frozenset[str]]] = [("", frozenset())]
        self._known: dict[tuple[str, frozenset[str]], int] = {self._sets[0]: NOBODY}
        self._cache: OrderedDict[tuple[frozenset[str], tuple[str, ...]], NDArray[np.bool_]] = OrderedDict()
        if self._numbers_path.exists():
            self._numbers = np.load(self._numbers_path)
            for source, readers in json.loads(self._sets_path.read_text("utf-8"))[1:]:
                self._number(source, frozenset(readers))

    def put(self, key: int, source: str, readers: Readers) -> None:
        """Set who may read a passage."""
        self._grow(key)
        self._numbers[key] = self._number(source, readers.principals)

    def remove(self, key: int) -> None:
        """Forget a passage: nobody sees it any more."""
        if key < len(self._numbers):
            self._numbers[key] = NOBODY

    def known(self, key: int) -> bool:
        """Whether a passage is there."""
        return key < len(self._numbers) and self._numbers[key] != NOBODY

    def alive(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which passages are there."""
        alive: NDArray[np.bool_] = self._of(keys) != NOBODY
        return alive

    def allowed(self, keys: NDArray[np.int64], audience: Audience, sources: Sequence[str]) -> NDArray[np.bool_]:
        """Which of the passages the audience may see."""
        mask: NDArray[np.bool_] = self._visible(audience, tuple(sorted(sources)))[self._of(keys)]
        return mask

    def save(self) -> None:
        """Write both files, each atomically. The sets first: a number without its set would be an error."""
        sets = json.dumps([[source, sorted(readers)] for source, readers in self._sets])
        replace_file(self._sets_path, sets.encode())
        with self._numbers_path.with_suffix(".new").open("wb") as stream:
            np.save(stream, self._numbers)
        self._numbers_path.with_suffix(".new").replace(self._numbers_path)

    def _of(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        if len(keys) and int(keys.max()) >= len(self._numbers):
            self._grow(int(keys.max()))
        return self._numbers[keys]

    def _visible(self, audience: Audience, sources: tuple[str, ...]) -> NDArray[np.bool_]:
        key = (audience.principals, sources)
        found = self._cache.get(key)
        if found is None or len(found) != len(self._sets):
            found = np.fromiter(  # one look per set, not per passage
                (
                    number != NOBODY
                    and not readers.isdisjoint(audience.principals)
                    and (not sources or source in sources)
                    for number, (source, readers) in enumerate(self._sets)
                ),
                np.bool_,
                len(self._sets),
            )
            self._cache[key] = found
            if len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        return found

    def _number(self, source: str, readers: frozenset[str]) -> int:
        pair = (source, readers)
        number = self._known.get(pair)
        if number is None:
            number = self._known[pair] = len(self._sets)
            self._sets.append(pair)
        return number

    def _grow(self, key: int) -> None:
        if key >= len(self._numbers):
            grown = np.zeros(max(key + 1, 2 * len(self._numbers)), np.int32)
            grown[: len(self._numbers)] = self._numbers
            self._numbers = grown
