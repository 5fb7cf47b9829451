"""Dialogues. What they must know when they come back stands in their id, so that a restart in between does no harm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import discord
from discord import ui

from citebot.conversing.forms import Field, Form
from citebot_connectors.platforms.discord.drawing import PREFIX

WHY, ABOUT, SETTINGS, TEACH = "why", "about", "settings", "teach"
TITLE_MOST, LABEL_MOST, HINT_MOST, VALUE_MOST, OPTIONS_MOST = 45, 45, 100, 4_000, 25


def carrying(what: str, value: str) -> str:
    """The id of a dialogue."""
    return f"{PREFIX}{what}:{value}"


def modal(form: Form, *, carried: str) -> ui.Modal:
    """A form as Discord shows it."""
    view = ui.Modal(title=form.title[:TITLE_MOST], custom_id=carried, timeout=None)
    for field in form.fields:
        view.add_item(
            ui.Label(text=field.label[:LABEL_MOST], description=field.hint[:HINT_MOST] or None, component=_input(field))
        )
    return view


def filled(data: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in a dialogue that was sent, by field; a choice that was not made is left out."""
    found: dict[str, Any] = {}
    for part in _inputs(data.get("components") or ()):
        name = part.get("custom_id")
        if isinstance(name, str) and "values" in part:
            found[name] = list(part["values"])
        elif isinstance(name, str) and part.get("value") is not None:
            found[name] = str(part["value"]).strip()
    return found


def _inputs(components: Any) -> Iterator[dict[str, Any]]:
    for one in components:
        inner = one.get("component")
        yield from [inner] if inner else _inputs(one["components"]) if one.get("components") else [one]


def _input(field: Field) -> ui.Item[Any]:
    match field.kind:
        case "one":
            options = [
                discord.RadioGroupOption(label=words, value=value, default=value == field.value)
                for value, words in field.choices
            ]
            return ui.RadioGroup(custom_id=field.name, options=options, required=not field.optional)
        case "some":
            chosen = [
                discord.SelectOption(label=words, value=value, default=value in (field.value or ()))
                for value, words in field.choices[:OPTIONS_MOST]
            ]
            return ui.Select(custom_id=field.name, options=chosen, min_values=0, max_values=len(chosen), required=False)
    text = field.kind == "text"
    return ui.TextInput(
        custom_id=field.name,
        style=discord.TextStyle.paragraph if text else discord.TextStyle.short,
        default=str(field.value) if field.value is not None else None,
        placeholder=field.example[:HINT_MOST] or None,
        required=not field.optional,
        max_length=min(field.most, VALUE_MOST) if text else len(str(field.most)),
    )
