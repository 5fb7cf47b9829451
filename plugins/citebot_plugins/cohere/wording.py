"""Texts as Cohere takes them."""

from __future__ import annotations

BLANK = "-"
"""In the place of an empty text, which Cohere refuses together with all others of its request."""


def sendable(text: str) -> str:
    """The text without halves of characters, which cannot be sent, and zero bytes; never empty."""
    whole = text.encode("utf-8", "replace").decode().replace("\x00", " ")
    return whole if whole.strip() else BLANK
