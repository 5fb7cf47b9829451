"""What people choose in selects and fill into modals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from citebot.testing.chat.fake import NotPossible
from citebot.testing.discord.components import CHECKBOX, CHECKS, LABEL, RADIO, ROW, SELECT, SELECTS, TEXT, TEXT_INPUT
from citebot.testing.discord.offering import resolve
from citebot.testing.discord.state import Channel, Json, Modal, World


def chosen(world: World, channel: Channel, element: Json, values: Sequence[object]) -> Json:
    """What a click on a button or select carries."""
    if element["type"] not in SELECTS:
        if values:
            raise NotPossible("a button has no values")
        return {}
    resolved: Json = {}
    keys = [str(resolve(world, channel, value, resolved)) for value in values]
    least, most = int(element.get("min_values", 1)), int(element.get("max_values", 1))
    if not least <= len(keys) <= most:
        raise NotPossible(f"{element['custom_id']} takes {least} to {most} values")
    if element["type"] == SELECT:
        _offered(element, keys)
    return {"values": keys} | ({"resolved": resolved} if resolved else {})


def _offered(element: Json, keys: list[str]) -> None:
    if unknown := set(keys) - {o["value"] for o in element.get("options") or ()}:
        raise NotPossible(f"{element['custom_id']} offers no {min(unknown)!r}")


def filled(world: World, modal: Modal, values: dict[str, object]) -> list[Json]:
    """The components of a modal whose fields were filled in, by custom id."""
    out: list[Json] = []
    for component in modal.components:
        if component["type"] == ROW:
            fields = [_field(world, modal, c, values) for c in component["components"]]
            out.append({"type": ROW, "id": component.get("id", 0), "components": fields})
        elif component["type"] == LABEL:
            inner = _field(world, modal, component["component"], values)
            out.append({"type": LABEL, "id": component.get("id", 0), "component": inner})
        elif component["type"] == TEXT:
            out.append({"type": TEXT, "id": component.get("id", 0)})
    if values:
        raise NotPossible(f"the modal has no field {min(values)!r}")
    return out


def _field(world: World, modal: Modal, field: Json, values: dict[str, object]) -> Json:
    key, kind = field["custom_id"], field["type"]
    body: Json = {"type": kind, "custom_id": key, "id": field.get("id", 0)}
    value = values.pop(key, None)
    required = field.get("required", True)
    if kind == CHECKBOX:
        return body | {"value": bool(field.get("default") if value is None else value)}
    if kind == TEXT_INPUT:
        return body | {"value": _text(field, value, required=required)}
    begun = [o["value"] for o in field.get("options") or () if o.get("default")]
    if kind == RADIO:
        picked = value if value is not None else next(iter(begun), None)
        if picked is None and required:
            raise NotPossible(f"{key} must be chosen")
        _offered(field, [] if picked is None else [str(picked)])
        return body | {"value": picked}
    many: Any = begun if value is None else value
    keys = [str(resolve(world, modal.interaction.channel, v, {})) for v in (many if isinstance(many, list) else [many])]
    if required and not keys and field.get("min_values", 1):
        raise NotPossible(f"{key} must be chosen")
    if kind in (SELECT, CHECKS):
        _offered(field, keys)
    return body | {"values": keys}


def _text(field: Json, value: object, *, required: bool) -> str:
    text = str(field.get("value") or "") if value is None else str(value)
    least, most = int(field.get("min_length") or 0), int(field.get("max_length") or 4000)
    if required and not text:
        raise NotPossible(f"{field['custom_id']} must be filled in")
    if text and not least <= len(text) <= most:
        raise NotPossible(f"{field['custom_id']} takes {least} to {most} characters")
    return text
