"""How a question is named: by the time stamp of its message, and for an edited one also by that of the edit."""

from __future__ import annotations


def ts_of(message_id: str) -> str:
    """The time stamp of the message."""
    return message_id.partition("+")[0]
