"""How far a sync is."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class SyncProgress:
    """Counts of documents, but for `chunks`; the runner counts up and shows it as it goes."""

    listed: int = 0
    queued: int = 0
    """Listed as new or changed, waiting for `fetch` when this run began or since."""
    saved: int = 0
    same: int = 0
    """Fetched, but with the content and readers we had."""
    failed: int = 0
    removed: int = 0
    chunks: int = 0
    """New passages."""
    note: str = ""
    """What the source says it is doing."""

    @property
    def done(self) -> int:
        """Documents dealt with."""
        return self.saved + self.same + self.failed

    def counts(self) -> dict[str, int]:
        """The figures alone."""
        return {key: value for key, value in asdict(self).items() if isinstance(value, int)}
