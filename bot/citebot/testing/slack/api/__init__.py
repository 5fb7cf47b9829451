"""The Web API, one module for each family of methods; importing this registers them all."""

from citebot.testing.slack.api import (
    assistant,
    auth,
    chat,
    conversations,
    files,
    oauth,
    reactions,
    streams,
    users,
    views,
)
from citebot.testing.slack.api.calling import METHODS, Call

__all__ = [
    "METHODS",
    "Call",
    "assistant",
    "auth",
    "chat",
    "conversations",
    "files",
    "oauth",
    "reactions",
    "streams",
    "users",
    "views",
]
