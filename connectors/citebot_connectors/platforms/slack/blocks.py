"""The pieces that messages, modals and the Home tab are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from citebot.conversing.forms import Field, Form
from citebot_connectors.platforms.slack.calling import Body

SECTION_MOST = 3_000
TITLE_MOST = 24


def plain_text(text: str) -> Body:
    """Words for labels and buttons."""
    return {"type": "plain_text", "text": text, "emoji": False}


def mrkdwn(text: str) -> Body:
    """Words in Slack's own markup. Verbatim: only what we mark up ourselves becomes a link or a mention."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def header(text: str) -> Body:
    """A heading."""
    return {"type": "header", "text": plain_text(text)}


def section(text: str) -> Body:
    """A paragraph."""
    return {"type": "section", "text": mrkdwn(text)}


def context(text: str) -> Body:
    """Small words."""
    return {"type": "context", "elements": [mrkdwn(text[:SECTION_MOST])]}


def pressed(action: str, label: str, value: str) -> Body:
    """A button."""
    return {"type": "button", "action_id": action, "text": plain_text(label), "value": value}


def actions(*buttons: Body) -> Body:
    """A row of buttons."""
    return {"type": "actions", "elements": list(buttons)}


def modal(form: Form, *, callback: str, carried: str, above: Sequence[Body] = (), below: Sequence[Body] = ()) -> Body:
    """A form, with what it must know when it comes back."""
    return {
        "type": "modal",
        "callback_id": callback,
        "private_metadata": carried,
        "title": plain_text(form.title[:TITLE_MOST]),
        "submit": plain_text(form.submit[:TITLE_MOST]),
        "close": plain_text(form.cancel[:TITLE_MOST]),
        "blocks": [*above, *(_input(field) for field in form.fields), *below],
    }


def filled(view: Body) -> dict[str, Any]:
    """What stands in a modal that was sent, by field; a choice that was not made is left out."""
    found: dict[str, Any] = {}
    for name, state in ((name, block[name]) for name, block in view["state"]["values"].items() if name in block):
        match state:
            case {"selected_options": options}:
                found[name] = [option["value"] for option in options or ()]
            case {"selected_option": option}:
                found |= {name: option["value"]} if option else {}
            case _:
                found[name] = str(state.get("value") or "").strip()
    return found


def _input(field: Field) -> Body:
    element = {**_element(field), "action_id": field.name}
    block = {"type": "input", "block_id": field.name, "label": plain_text(field.label), "element": element}
    hint = {"hint": plain_text(field.hint)} if field.hint else {}
    return block | hint | ({"optional": True} if field.optional else {})


def _element(field: Field) -> Body:
    options = {value: {"text": plain_text(words), "value": value} for value, words in field.choices}
    match field.kind:
        case "one":
            return {"type": "static_select", "options": [*options.values()], "initial_option": options[field.value]}
        case "some":
            chosen = [options[value] for value in field.value]
            element = {"type": "multi_static_select", "options": [*options.values()]}
            return element | ({"initial_options": chosen} if chosen else {})
        case "number":
            bounds = {"is_decimal_allowed": False, "min_value": "0", "max_value": str(field.most)}
            return {"type": "number_input", "initial_value": str(field.value), **bounds}
    example: Mapping[str, Body] = {"placeholder": plain_text(field.example)} if field.example else {}
    return {"type": "plain_text_input", "multiline": True, "max_length": field.most, **example}
