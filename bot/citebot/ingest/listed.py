"""Which stored documents a listing has named, one bit for each.

They are written down only where a listing can go on after a kill. A place that is listed anew with every poll, as a
folder is, would otherwise cost a written row for each of its documents, every time and for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from citebot.storage import Transaction, documents
from citebot.storage.documents import Left, Version


class Listed:
    """The documents of one listing."""

    def __init__(self, source_id: int, sweep: int) -> None:
        self._source_id = source_id
        self._sweep = sweep
        self._bits = bytearray()
        self._unwritten = False

    def note(self, tx: Transaction, known: Mapping[str, Version], *, lasting: bool) -> None:
        """These are named; `lasting` when another process may go on from here."""
        rows = [version.row_id for version in known.values()]
        for row_id in rows:
            self._set(row_id)
        if not lasting:
            self._unwritten = True
            return
        documents.touch(tx, list(self._all()) if self._unwritten else rows, self._sweep)
        self._unwritten = False

    def unseen(self, tx: Transaction) -> list[Left]:
        """Stored documents that were not named, neither in this process nor in one that it goes on for."""
        rows = [row_id for row_id in documents.row_ids(tx, self._source_id) if not self._has(row_id)]
        return documents.left(tx, rows, self._sweep)

    def _set(self, row_id: int) -> None:
        if row_id >> 3 >= len(self._bits):
            self._bits.extend(bytes((row_id >> 3) + 1 - len(self._bits)))
        self._bits[row_id >> 3] |= 1 << (row_id & 7)

    def _has(self, row_id: int) -> bool:
        return row_id >> 3 < len(self._bits) and bool(self._bits[row_id >> 3] & 1 << (row_id & 7))

    def _all(self) -> Iterator[int]:
        return (row_id for row_id in range(8 * len(self._bits)) if self._has(row_id))
