"""The composition root: settings → database → plugins → parts → services, opened and closed in one place."""

from __future__ import annotations

from citebot.app.core import Citebot, Found
from citebot.app.indexing import IndexStatus
from citebot.app.opening import connect, open_citebot, open_database

__all__ = ["Citebot", "Found", "IndexStatus", "connect", "open_citebot", "open_database"]
