"""For those who run a server: its figures at `/metrics`. The web console is still to come."""

from __future__ import annotations

from citebot.admin.beside import Admin

__all__ = ["Admin"]
