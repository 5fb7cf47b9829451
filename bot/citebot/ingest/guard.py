"""Keeps a sick source from emptying the index: many documents at once go only when an admin says so."""

from __future__ import annotations

from citebot.errors import StopSync

FEW = 5
MANY = 0.3
"""More than `FEW` documents *and* more than this share gone in one run is taken for a sick source."""


class RemovalGuard:
    """Counts the removals of one run."""

    def __init__(self, source: str, total: int, *, allowed: bool) -> None:
        self._source = source
        self._total = total
        self._allowed = allowed
        self._removed = 0

    def check(self, number: int) -> None:
        """Raise `StopSync` if as many more would be too many."""
        if self._allows(number):
            return
        raise StopSync(
            f"{self._source} no longer shows {self._removed + number} of {self._total} documents. No more were "
            f"removed. If they have really gone: citebot source confirm {self._source}"
        )

    def check_listing(self, listed: int) -> None:
        """Raise `StopSync` for a listing without any document: a set-up is wrong more often than a place is empty."""
        if listed or self._allowed:
            return
        if self._total:
            raise StopSync(
                f"{self._source} lists no document any more; {self._total} are stored. Nothing was removed. If they "
                f"have really gone: citebot source confirm {self._source}"
            )
        raise StopSync(f"{self._source} lists no document. What may be wrong: citebot source check {self._source}")

    def took(self, number: int) -> None:
        """Count what was removed."""
        self._removed += number

    def _allows(self, number: int) -> bool:
        wanted = self._removed + number
        return self._allowed or wanted <= FEW or wanted <= MANY * self._total
