"""The approximate index over many vectors: inverted lists of 8-bit codes (faiss), rescored exactly by the caller.

Lists, not a graph: rows can be added and forgotten, and under a filter the search simply looks into more lists, where a
graph would lose its way (recall@10 0.76 when one row in a hundred is allowed).
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TRAIN_PER_LIST = 40
COMPARED = 40_000
"""Rows compared per query without a filter: recall@10 0.97 at a million rows."""
NARROWING = 0.6
"""With a share s of the rows allowed, COMPARED·s^0.6 of them are compared: at a tenth 10,000 give recall 0.975."""


class Approximate:
    """Covers the first `rows` rows of the vectors; built in the background, swapped in whole."""

    def __init__(self, folder: Path, *, dimensions: int, threads: int) -> None:
        self._path = folder / "near.faiss"
        self._dimensions = dimensions
        self._threads = threads
        self._index: Any = None
        self._trained_rows = 0
        self._building = threading.Lock()
        if self._path.exists():
            self._load()

    @property
    def ready(self) -> bool:
        """Whether it can be searched."""
        return self._index is not None

    @property
    def rows(self) -> int:
        """How many rows it covers."""
        return int(self._index.ntotal) if self._index is not None else 0

    def search(self, query: NDArray[np.float32], allowed: NDArray[np.bool_], wanted: int) -> NDArray[np.int64]:
        """Rows near the query among the allowed ones, unordered."""
        faiss = _faiss()
        index = self._index
        share = max(1e-6, float(np.count_nonzero(allowed[: index.ntotal])) / index.ntotal)
        per_list = index.ntotal / index.nlist
        probes = int(min(index.nlist, max(16, COMPARED * share**NARROWING / (per_list * share))))
        everything = share > 0.999
        bits = None if everything else np.packbits(allowed[: index.ntotal], bitorder="little")
        selector = None if everything else faiss.IDSelectorBitmap(bits)
        parameters = faiss.SearchParametersIVF(nprobe=probes, sel=selector)
        _, rows = index.search(query[None, :], wanted, params=parameters)
        found: NDArray[np.int64] = rows[0][rows[0] >= 0]
        return found

    def build(self, matrix: NDArray[np.float32], rows: int) -> None:
        """Cover the first rows; one build at a time, the old index serves meanwhile.

        The lists are trained anew when the rows have doubled; until then the new rows are added to a copy.
        """
        if not self._building.acquire(blocking=False):
            return
        try:
            faiss = _faiss()
            faiss.omp_set_num_threads(self._threads)
            if self._index is not None and rows < 2 * self._trained_rows:
                index = faiss.clone_index(self._index)
            else:
                index = self._train(faiss, matrix, rows)
                self._trained_rows = rows
            for at in range(index.ntotal, rows, 65_536):
                index.add(np.ascontiguousarray(matrix[at : min(rows, at + 65_536)]))
            # One query at a time: its lists are shared out among the threads.
            index.parallel_mode = 0
            new = self._path.with_suffix(".new")
            faiss.write_index(index, str(new))
            new.replace(self._path)
            self._index = index
        finally:
            self._building.release()

    def _train(self, faiss: Any, matrix: NDArray[np.float32], rows: int) -> Any:
        lists = int(min(4096, max(64, 4 * rows**0.5)))
        index = faiss.index_factory(self._dimensions, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
        index.cp.niter = 10
        sample = np.random.default_rng(7).choice(rows, min(rows, lists * TRAIN_PER_LIST), replace=False)
        index.train(np.ascontiguousarray(matrix[np.sort(sample)]))
        return index

    def drop(self) -> None:
        """Forget it, the file too."""
        self._index = None
        self._trained_rows = 0
        self._path.unlink(missing_ok=True)

    def _load(self) -> None:
        faiss = _faiss()
        faiss.omp_set_num_threads(self._threads)
        try:
            self._index = faiss.read_index(str(self._path))
            # Not written down: it is trained anew once twice as many rows are there as now, which is late, not wrong.
            self._trained_rows = self.rows
        except RuntimeError:
            # Derived from the rows: a file that cannot be read is built again.
            self._path.unlink(missing_ok=True)


def _faiss() -> Any:
    """Imported when it is first needed: it takes 30 MB. Its own types do not know what its wrappers accept."""
    import faiss

    return faiss
