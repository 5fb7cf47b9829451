"""files.info."""

from __future__ import annotations

from citebot.testing.slack.api.calling import Call, method
from citebot.testing.slack.refusing import Refused
from citebot.testing.slack.shapes import file_json
from citebot.testing.slack.state import Json
from citebot.testing.slack.tiers import TIER_4


@method("files.info", TIER_4, "files:read")
def info(call: Call) -> Json:
    """An upload in a conversation of the caller's."""
    world = call.core.world
    file = world.files.get(call.text("file"))
    if file is None or not any(call.user.id in world.channels[c].members for c in file.channels):
        raise Refused("file_not_found")
    return {"file": file_json(file, call.core.url), "comments": [], "response_metadata": {"next_cursor": ""}}
