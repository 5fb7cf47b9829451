"""The vector leg: rows of float32 in a file that only grows, searched exactly, or through an approximate index.

A passage has one row per window and scores as its best one. Rows of passages that are gone stay until the index is
built anew; nobody has the right to see them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from citebot.model import Embedding
from citebot_plugins.embedded.approximate import Approximate

Floats = NDArray[np.float32]
WINDOWS_EXPECTED = 2
"""Rows asked of the approximate index per passage wanted: several windows of one passage may come back."""
TAIL = 5_000
TAIL_SHARE = 0.02
"""Rows that may wait outside the approximate index, where every one is compared: so many, or this share."""
NARROW = 0.02
"""Share of allowed rows below which scoring them all is faster than walking past the forbidden ones."""


@dataclass(frozen=True, slots=True)
class View:
    """What one search works on, whole, while rows are appended beside it."""

    rows: int
    keys: NDArray[np.int64]
    """Passage id of every row."""
    matrix: Floats
    ordered: bool
    """Whether ids ascend, as they do unless a vector came late."""


class Vectors:
    """Vectors of one model. `rows` says how many of the file's rows count; what lies behind was never committed."""

    def __init__(self, folder: Path, *, dimensions: int, rows: int, exact_below: int, threads: int) -> None:
        self.dimensions = dimensions
        self._rows_path = folder / "vectors.f32"
        self._keys_path = folder / "vectors.ids"
        self._exact_below = exact_below
        folder.mkdir(parents=True, exist_ok=True)
        self._truncate(rows)
        self.view = self._opened(np.fromfile(self._keys_path, np.int64, rows))
        self._has = _flags(self.view.keys)
        self._near = Approximate(folder, dimensions=dimensions, threads=threads)

    def has(self, key: int) -> bool:
        """Whether a passage has rows; text never changes under an id, so they are never replaced."""
        return key < len(self._has) and bool(self._has[key])

    def append(self, vectors: Sequence[tuple[int, Embedding]]) -> None:
        """Add rows of passages that have none. They count once the caller has committed their number."""
        fresh: dict[int, Embedding] = {key: made for key, made in vectors if made.windows and not self.has(key)}
        if not fresh:
            return
        for made in fresh.values():
            if made.dimensions != self.dimensions:
                raise ValueError(f"a vector of {made.dimensions} dimensions among those of {self.dimensions}")
        keys = np.repeat(np.fromiter(fresh, np.int64), [made.windows for made in fresh.values()])
        data = np.frombuffer(b"".join(made.data for made in fresh.values()), "<f2").astype(np.float32)
        for path, values in ((self._rows_path, data), (self._keys_path, keys)):
            with path.open("ab") as stream:
                values.tofile(stream)
        self.view = self._opened(np.concatenate([self.view.keys, keys]))
        self._has = _flags(keys, self._has)

    def search(self, view: View, query: Floats, allowed: NDArray[np.bool_], limit: int) -> dict[int, float]:
        """Cosine by passage id, the best `limit` passages among the allowed rows of the view."""
        count = int(np.count_nonzero(allowed))
        wanted = limit * WINDOWS_EXPECTED
        if not count:
            return {}
        near = self._near
        if not near.ready or count <= max(wanted, NARROW * near.rows) or near.rows > view.rows:
            rows = np.flatnonzero(allowed)
        else:
            return self._near_and_tail(view, query, allowed, limit)
        return _best(view, rows, _score(view, rows, query), limit)

    def _near_and_tail(self, view: View, query: Floats, allowed: NDArray[np.bool_], limit: int) -> dict[int, float]:
        """What the approximate index finds, and the rows that came after it was built, all of them compared."""
        covered = self._near.rows
        near = self._near.search(query, allowed, limit * WINDOWS_EXPECTED)
        tail = np.flatnonzero(allowed[covered:])
        rows = np.concatenate([near, covered + tail])
        scores = np.concatenate([view.matrix[near] @ query, (view.matrix[covered:] @ query)[tail]])
        return _best(view, rows, scores, limit)

    def cosines(self, view: View, query: Floats, keys: Iterable[int]) -> dict[int, float]:
        """True cosine of passages that other legs found."""
        wanted = np.array(sorted(key for key in keys if self.has(key)), np.int64)
        if not len(wanted):
            return {}
        if view.ordered:
            first, last = np.searchsorted(view.keys, wanted), np.searchsorted(view.keys, wanted, "right")
            counts = last - first
            # first[0] … last[0]-1, first[1] … last[1]-1 and so on, without a loop.
            rows = np.arange(counts.sum()) + np.repeat(first - np.cumsum(counts) + counts, counts)
        else:
            rows = np.flatnonzero(np.isin(view.keys, wanted))
        return _best(view, rows, _score(view, rows, query), len(rows)) if len(rows) else {}

    def wants_building(self) -> bool:
        """Whether an approximate index would pay, or the one there is lags behind."""
        waiting = self.view.rows - self._near.rows
        return self.view.rows > self._exact_below and waiting > max(TAIL, TAIL_SHARE * self.view.rows)

    def build(self) -> None:
        """Build the approximate index over the rows there are now; safe beside searches and appends."""
        view = self.view
        self._near.build(view.matrix, view.rows)

    def drop(self) -> None:
        """Remove all files."""
        self._near.drop()
        for path in (self._rows_path, self._keys_path):
            path.unlink(missing_ok=True)

    def _opened(self, keys: NDArray[np.int64]) -> View:
        rows = len(keys)
        matrix: Floats = np.zeros((0, self.dimensions), np.float32)
        if rows:
            # As a plain array: the class of memory maps costs more than the small results made from it.
            matrix = np.asarray(np.memmap(self._rows_path, np.float32, "r", shape=(rows, self.dimensions)))
        return View(rows, keys, matrix, bool(np.all(keys[1:] >= keys[:-1])))

    def _truncate(self, rows: int) -> None:
        for path, width in ((self._rows_path, 4 * self.dimensions), (self._keys_path, 8)):
            path.touch()
            size = path.stat().st_size
            if size < rows * width:
                raise ValueError(f"{path.name} is shorter than it must be")
            if size > rows * width:
                with path.open("r+b") as stream:
                    stream.truncate(rows * width)


def _score(view: View, rows: NDArray[np.int64], query: Floats) -> Floats:
    if len(rows) > view.rows // 4:
        # Reading all rows in order is faster than picking many.
        every: Floats = view.matrix @ query
        return every[rows]
    scores: Floats = view.matrix[rows] @ query
    return scores


def _best(view: View, rows: NDArray[np.int64], scores: Floats, limit: int) -> dict[int, float]:
    wanted = min(len(rows), limit * WINDOWS_EXPECTED)
    top = np.argpartition(-scores, wanted - 1)[:wanted] if wanted < len(rows) else np.arange(len(rows))
    top = top[np.argsort(-scores[top], kind="stable")]
    best: dict[int, float] = {}
    for at in top:
        best.setdefault(int(view.keys[rows[at]]), float(scores[at]))
        if len(best) == limit:
            break
    return best


def _flags(keys: NDArray[np.int64], before: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    size = int(keys.max()) + 1 if len(keys) else 1
    flags = np.zeros(max(size, len(before) if before is not None else 0), np.bool_)
    if before is not None:
        flags[: len(before)] = before
    flags[keys] = True
    return flags
