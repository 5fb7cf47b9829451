"""Answers that say no, with Discord's codes."""

from __future__ import annotations

from typing import Any

from citebot.testing.discord.state import Json

CODES: dict[int, tuple[int, str]] = {
    0: (404, "404: Not Found"),
    10002: (404, "Unknown Application"),
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10011: (404, "Unknown Role"),
    10013: (404, "Unknown User"),
    10014: (400, "Unknown Emoji"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    20012: (403, "You are not authorized to perform this action on this application"),
    30032: (400, "Maximum number of application commands reached (100)"),
    30034: (400, "Max number of daily application command creates has been reached (200)"),
    40001: (401, "401: Unauthorized"),
    40005: (413, "Request entity too large"),
    40060: (400, "Interaction has already been acknowledged."),
    40094: (400, "This interaction has hit the maximum number of follow up messages."),
    40067: (400, "A tag is required to create a forum post in this channel"),
    50001: (403, "Missing Access"),
    50003: (403, "Cannot execute action on a DM channel"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50008: (400, "Cannot send messages in a non-text channel"),
    50013: (403, "Missing Permissions"),
    50021: (403, "Cannot execute action on a system message"),
    50024: (400, "Cannot execute action on this channel type"),
    50027: (401, "Invalid Webhook Token"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
    160002: (403, "Cannot reply without permission to read message history"),
    160004: (400, "A thread has already been created for this message"),
    160005: (403, "Thread is locked"),
}


class Refused(Exception):
    """The answer is an error with a code of Discord's."""

    def __init__(self, code: int, *, errors: Json | None = None, status: int = 0, message: str = "") -> None:
        known = CODES.get(code, (400, "Bad Request"))
        self.code = code
        self.status = status or known[0]
        self.message = message or known[1]
        self.errors = errors
        super().__init__(f"{self.code}: {self.message}")

    @property
    def body(self) -> Json:
        """The answer."""
        code = 0 if self.code == 40001 else self.code
        body: Json = {"message": self.message, "code": code}
        return body | ({"errors": self.errors} if self.errors else {})


class Problems:
    """What is wrong with the fields of a body, as Discord words it."""

    def __init__(self) -> None:
        self.tree: Json = {}

    def add(self, path: tuple[str | int, ...], code: str, message: str) -> None:
        """One thing about the field at a path."""
        here = self.tree
        for step in path:
            here = here.setdefault(str(step), {})
        here.setdefault("_errors", []).append({"code": code, "message": message})

    def required(self, path: tuple[str | int, ...]) -> None:
        """A field is missing."""
        self.add(path, "BASE_TYPE_REQUIRED", "This field is required")

    def choice(self, path: tuple[str | int, ...], value: object, allowed: tuple[Any, ...]) -> None:
        """A field must have one of a few values."""
        if value not in allowed:
            self.add(path, "BASE_TYPE_CHOICES", f"Value must be one of {{{', '.join(map(str, sorted(allowed)))}}}.")

    def length(self, path: tuple[str | int, ...], value: object, most: int, least: int = 0) -> None:
        """Characters of a text or items of a list; a missing value counts as an empty one."""
        size = len(value) if isinstance(value, str | list) else 0
        if value is not None and not isinstance(value, str | list):
            self.add(path, "STRING_TYPE_CONVERT", "Could not interpret value as string.")
        elif least and not size:
            self.required(path)
        elif least and not least <= size <= most:
            self.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")
        elif size > most:
            self.add(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")

    def refuse(self) -> None:
        """Raise what was found, if anything was."""
        if self.tree:
            raise Refused(50035, errors=self.tree, message="Invalid Form Body")
