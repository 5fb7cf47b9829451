"""reactions.*."""

from __future__ import annotations

import re

from citebot.testing.slack.acts import react
from citebot.testing.slack.api.calling import Call, method
from citebot.testing.slack.refusing import Refused
from citebot.testing.slack.state import Channel, Json, Message
from citebot.testing.slack.tiers import TIER_2, TIER_3


@method("reactions.add", TIER_3, "reactions:write")
def add(call: Call) -> Json:
    """React to a message."""
    channel, message, name = _target(call)
    if call.user.id in message.reactions.get(name, []):
        raise Refused("already_reacted")
    react(call.core, channel, message, user=call.user, name=name, add=True)
    return {}


@method("reactions.remove", TIER_2, "reactions:write")
def remove(call: Call) -> Json:
    """Take a reaction back."""
    channel, message, name = _target(call)
    if call.user.id not in message.reactions.get(name, []):
        raise Refused("no_reaction")
    react(call.core, channel, message, user=call.user, name=name, add=False)
    return {}


def _target(call: Call) -> tuple[Channel, Message, str]:
    name = call.text("name").strip(":")
    if not re.fullmatch(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?", name):
        raise Refused("invalid_name")
    channel = call.channel()
    if call.user.id not in channel.members:
        raise Refused("not_in_channel")
    if channel.archived:
        raise Refused("is_archived")
    return channel, call.message(channel, call.text("timestamp")), name
