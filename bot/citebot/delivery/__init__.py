"""Nothing accepted is lost and nothing is answered twice: inbox, outbox, and the workers between them."""

from __future__ import annotations

from citebot.delivery.contracts import Assignment, Handler, Notice, Outcome, Patience, Reply, Sender, Silence, TakenOver
from citebot.delivery.service import Delivery
from citebot.storage.envelopes import Post

__all__ = [
    "Assignment",
    "Delivery",
    "Handler",
    "Notice",
    "Outcome",
    "Patience",
    "Post",
    "Reply",
    "Sender",
    "Silence",
    "TakenOver",
]
