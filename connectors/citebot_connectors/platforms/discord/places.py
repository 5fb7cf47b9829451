"""How conversations and questions are named: by Discord's own ids, so that a restart finds them again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from discord.utils import snowflake_time

from citebot.model import Conversation
from citebot.ports import Outbound

DIRECT = "direct"
"""The tenant of direct messages, and of places where we are only because a person brought us along."""
ALONE = "alone:"
LIFE = 14 * 60.0
"""Seconds for which an interaction is answered by its token, which Discord takes for 15 minutes."""
PARTS = 64
"""Messages of one answer that can be told apart."""


@dataclass(frozen=True, slots=True)
class Token:
    """What lets us answer an interaction."""

    interaction: str
    token: str
    locale: str = ""
    """Of whoever asked; nothing but an interaction tells it."""

    @property
    def name(self) -> str:
        """The id of the question it asks."""
        return f"{self.interaction} {self.token} {self.locale}"

    def age(self, now: datetime) -> float:
        """Seconds since it was made."""
        return (now - snowflake_time(int(self.interaction))).total_seconds()

    def lives(self, now: datetime) -> bool:
        """Whether Discord still takes it."""
        return self.age(now) < LIFE


def token_of(message_id: str) -> Token | None:
    """What a question can be answered by; None for a message."""
    interaction, token, locale = [*message_id.split(" "), "", ""][:3]
    return Token(interaction, token, locale) if token and interaction.isdigit() else None


def id_of(message_id: str) -> str:
    """The id of the message or interaction that a question is named by."""
    return message_id.partition(" ")[0].partition("+")[0]


def alone_in(channel: str, user: str) -> str:
    """The id of the conversation where one person sees the answer alone, though they are in a channel."""
    return f"{ALONE}{channel}:{user}"


def is_alone(conversation: Conversation) -> bool:
    """Whether a conversation is one of these."""
    return conversation.visibility == "dm" and conversation.id.startswith(ALONE)


def who_is_alone(conversation: Conversation) -> str:
    """The account of the one who sees it."""
    return conversation.id.rpartition(":")[2]


def mark(key: str) -> int:
    """What a message carries as the number of its first component: we know its answer and its part again by it."""
    stem, _, part = key.rpartition("-")
    return 1 + (_digest(stem) % (1 << 24)) * PARTS + int(part) % PARTS


def stem(number: int) -> int:
    """What the messages of one answer have in common."""
    return (number - 1) // PARTS


def nonce(key: str) -> str:
    """What Discord knows a second sending by; it takes 25 characters."""
    return f"{_digest(key):024x}"


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:12], "big")


def thread_of(to: Outbound) -> str:
    """The id of the thread an answer belongs to; empty where it is none, or the question's own message."""
    return to.conversation.thread if to.conversation.thread != id_of(to.reply_to) else ""
