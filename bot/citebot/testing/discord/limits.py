"""What Discord lets through in messages: texts, embeds, mentions. Components are in `components.py`."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from citebot.testing.discord.components import check_layout, check_rows
from citebot.testing.discord.refusing import Problems, Refused
from citebot.testing.discord.shapes import COMPONENTS_V2, FILE_MOST
from citebot.testing.discord.state import Json

TEXT_MOST = 2000
EMBEDS = 10
EMBED_SUM = 6000
NONCE_MOST = 25
MENTIONS = ("everyone", "roles", "users")
SCHEMES = ("http", "https", "discord")
V2_ERROR = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"


def check_message(body: Json, *, flags: int, files: int, edit: bool = False) -> None:
    """Refuse the fields of a message that Discord would refuse."""
    found = Problems()
    layout = bool(flags & COMPONENTS_V2)
    components = body.get("components")
    if layout:
        for name in ("content", "embeds", "poll", "sticker_ids"):
            if body.get(name):
                text = f"The '{name}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
                found.add((name,), V2_ERROR, text)
        if components is not None or not edit:
            check_layout(found, components, ("components",))
    else:
        found.length(("content",), body.get("content"), TEXT_MOST)
        check_embeds(found, body.get("embeds"))
        check_rows(found, components, ("components",))
    _check_mentions(found, body.get("allowed_mentions"))
    nonce = body.get("nonce")
    if isinstance(nonce, str) and len(nonce) > NONCE_MOST:
        found.add(("nonce",), "BASE_TYPE_MAX_LENGTH", f"Must be {NONCE_MOST} or fewer in length.")
    found.refuse()
    empty = not any(body.get(k) for k in ("content", "embeds", "components", "poll", "sticker_ids", "attachments"))
    if not edit and empty and not files:
        raise Refused(50006)


def check_files(files: list[tuple[str, bytes]]) -> None:
    """Refuse files that are too large."""
    if any(len(content) > FILE_MOST for _, content in files):
        raise Refused(40005)


def check_embeds(found: Problems, embeds: Any) -> None:
    """Look through the embeds of a message."""
    if embeds is None:
        return
    found.length(("embeds",), embeds, EMBEDS)
    total = 0
    for number, embed in enumerate(embeds if isinstance(embeds, list) else []):
        path = ("embeds", number)
        for name, most in (("title", 256), ("description", 4096)):
            found.length((*path, name), embed.get(name), most)
            total += len(embed.get(name) or "")
        for name, part, most in (("footer", "text", 2048), ("author", "name", 256)):
            text = (embed.get(name) or {}).get(part) or ""
            found.length((*path, name, part), text, most)
            total += len(text)
        fields = embed.get("fields") or []
        found.length((*path, "fields"), fields, 25)
        for index, each in enumerate(fields):
            for name, most in (("name", 256), ("value", 1024)):
                found.length((*path, "fields", index, name), each.get(name), most, 1)
                total += len(each.get(name) or "")
        check_url(found, (*path, "url"), embed.get("url"))
        for name in ("image", "thumbnail"):
            check_url(found, (*path, name, "url"), (embed.get(name) or {}).get("url"), files=True)
    if total > EMBED_SUM:
        found.add(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {EMBED_SUM}")


def check_url(found: Problems, path: tuple[str | int, ...], url: Any, *, files: bool = False) -> None:
    """An address that Discord would open."""
    if not url:
        return
    allowed = (*SCHEMES[:2], "attachment") if files else SCHEMES
    scheme = urlsplit(str(url)).scheme
    if scheme not in allowed:
        text = f'Scheme "{scheme}" is not supported. Scheme must be one of {allowed}.'
        found.add(path, "URL_TYPE_INVALID_SCHEME", text)
    elif not urlsplit(str(url)).netloc:
        found.add(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.")


def _check_mentions(found: Problems, allowed: Any) -> None:
    if not isinstance(allowed, dict):
        return
    for number, name in enumerate(allowed.get("parse") or ()):
        found.choice(("allowed_mentions", "parse", number), name, MENTIONS)
    for name in ("users", "roles"):
        found.length(("allowed_mentions", name), allowed.get(name), 100)
        if allowed.get(name) and name in (allowed.get("parse") or ()):
            text = f'parse:["{name}"] and {name}: [ids...] are mutually exclusive.'
            found.add(("allowed_mentions",), "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", text)
