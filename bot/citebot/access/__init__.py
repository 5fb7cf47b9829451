"""Who may read what: principals of a person, and audiences of a place. The one place that decides it."""

from __future__ import annotations

from citebot.access.directory import Directory
from citebot.access.live import Ask, Checked, LiveReaders

__all__ = ["Ask", "Checked", "Directory", "LiveReaders"]
