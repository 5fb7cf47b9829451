"""The operations of the REST API, by name."""

from citebot.testing.discord.api.calling import OPERATIONS, Call, Operation

# Importing a module registers its operations.
from . import applications, callbacks, channels, guilds, messages, threads, users

__all__ = [
    "OPERATIONS",
    "Call",
    "Operation",
    "applications",
    "callbacks",
    "channels",
    "guilds",
    "messages",
    "threads",
    "users",
]
