"""The link that puts the app into a server, with no more rights than what it does needs."""

from __future__ import annotations

from urllib.parse import urlencode

AUTHORIZE = "https://discord.com/oauth2/authorize"
NEEDED: dict[str, tuple[int, str]] = {
    "View Channels": (1 << 10, "to see where it is asked"),
    "Send Messages": (1 << 11, "to answer"),
    "Read Message History": (1 << 16, "to answer a message, and to find again what it has sent"),
    "Send Messages in Threads": (1 << 38, "to answer there"),
    "Create Public Threads": (1 << 35, "to go on in a thread"),
}
FORUMS: dict[str, tuple[int, str]] = {"Manage Threads": (1 << 34, "to tag forum posts that are answered")}
SCOPES = {False: "bot applications.commands", True: "applications.commands"}


def permissions(*, forums: bool) -> int:
    """The rights as Discord writes them."""
    return sum(bit for bit, _ in (NEEDED | (FORUMS if forums else {})).values())


def link(application_id: str, *, forums: bool = False, user: bool = False) -> str:
    """For a server, or for a person who wants the commands everywhere."""
    query: dict[str, str | int] = {"client_id": application_id, "scope": SCOPES[user], "integration_type": int(user)}
    if not user:
        query["permissions"] = permissions(forums=forums)
    return f"{AUTHORIZE}?{urlencode(query)}"
