"""Answers to interactions: the callback, and messages by the interaction's token."""

from __future__ import annotations

from citebot.testing.discord import interactions
from citebot.testing.discord.api.calling import Call, operation
from citebot.testing.discord.buckets import Rate
from citebot.testing.discord.shapes import message_json
from citebot.testing.discord.state import Interaction, Json, Message

BY_TOKEN = "/webhooks/{application_id}/{token}"
ONE = BY_TOKEN + "/messages/{message_id}"
EDITS = Rate(5, 2)


@operation("POST", "/interactions/{interaction_id}/{token}/callback", rate=Rate(5, 2), bot=False)
def create_interaction_response(call: Call) -> Json | None:
    """The first answer."""
    begun = interactions.respond(call.core, call.path["interaction_id"], call.path["token"], call.json, call.files)
    if call.query.get("with_response") not in ("1", "true"):
        return None
    return interactions.callback_json(call.core, begun)


def _begun(call: Call) -> Interaction:
    return interactions.by_token(call.core, call.path["application_id"], call.path["token"])


def _one(call: Call) -> tuple[Interaction, Message]:
    begun = _begun(call)
    return begun, interactions.written(call.core, begun, call.path["message_id"])


def _json(call: Call, message: Message) -> Json:
    return message_json(call.core.world, message, call.core.url)


@operation("POST", BY_TOKEN, rate=EDITS, bot=False)
def create_followup(call: Call) -> Json:
    """A further message."""
    return _json(call, interactions.follow_up(call.core, _begun(call), call.json, call.files))


@operation("GET", ONE, rate=EDITS, bot=False)
def get_followup(call: Call) -> Json:
    """A message made with the token, `@original` for the first."""
    return _json(call, _one(call)[1])


@operation("PATCH", ONE, rate=EDITS, bot=False)
def edit_followup(call: Call) -> Json:
    """Change one of them; the name of the operation on `@original` is `edit_original_response`."""
    begun, message = _one(call)
    return _json(call, interactions.edit(call.core, begun, message, call.json, call.files))


@operation("DELETE", ONE, rate=EDITS, bot=False)
def delete_followup(call: Call) -> None:
    """Delete one of them."""
    begun, message = _one(call)
    interactions.remove(call.core, begun, message)
