"""Answers that say no."""

from __future__ import annotations

from typing import Any

from citebot.testing.slack.state import Json


class Refused(Exception):
    """The answer is `{"ok": false, "error": ...}`."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.more = more

    @property
    def body(self) -> Json:
        """The answer."""
        return {"ok": False, "error": self.error, **self.more}


def invalid(*problems: str, error: str = "invalid_arguments") -> Refused:
    """Arguments that are wrong, with what is wrong about them."""
    messages = [f"[ERROR] {p}" for p in problems]
    more = {"errors": list(problems)} if error == "invalid_blocks" else {}
    return Refused(error, **more, response_metadata={"messages": messages})
