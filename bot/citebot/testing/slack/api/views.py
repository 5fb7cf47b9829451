"""views.*, blocks.validate: modals and Home tabs."""

from __future__ import annotations

from typing import Any

from citebot.testing.slack.api.calling import Call, method
from citebot.testing.slack.limits import MODALS, check_blocks, check_view
from citebot.testing.slack.refusing import Refused, invalid
from citebot.testing.slack.shapes import view_json
from citebot.testing.slack.state import Json, View
from citebot.testing.slack.tiers import TIER_3, TIER_4


@method("views.open", TIER_4)
def open_view(call: Call) -> Json:
    """Show a modal to the person who just did something."""
    body = _body(call)
    user = _triggered(call)
    view = _new(call, user, body)
    call.core.world.modals[user] = [view.id]
    return _shown(call, view)


@method("views.push", TIER_4)
def push(call: Call) -> Json:
    """Put a modal upon the open one."""
    body = _body(call)
    user = _triggered(call)
    stack = call.core.world.modals.get(user) or []
    if not stack:
        raise Refused("not_found")
    if len(stack) >= MODALS:
        raise Refused("push_limit_reached")
    view = _new(call, user, body)
    view.root, view.previous = stack[0], stack[-1]
    stack.append(view.id)
    return _shown(call, view)


@method("views.update", TIER_4)
def update(call: Call) -> Json:
    """Change a modal that is open."""
    body = _body(call)
    view = _found(call)
    _check_hash(call, view)
    view.body, view.errors, view.hash = body, {}, call.core.world.new_ts()
    return _shown(call, view)


@method("views.publish", TIER_4)
def publish(call: Call) -> Json:
    """The Home tab of one person."""
    body = _body(call)
    user = call.core.world.users.get(call.text("user_id"))
    if user is None or user.app_id:
        raise Refused("user_not_found")
    if body["type"] != "home":
        raise invalid("unsupported type: modal [json-pointer:/view/type]")
    mine = (v for v in call.core.world.views.values() if (v.app_id, v.user) == (call.caller.id, user.id))
    view = next((v for v in mine if v.body["type"] == "home"), None)
    if view is None:
        view = _new(call, user.id, body)
    else:
        _check_hash(call, view)
        view.body, view.hash = body, call.core.world.new_ts()
    return _shown(call, view)


@method("blocks.validate", TIER_3)
def validate(call: Call) -> Json:
    """Whether blocks, a message or a view would be let through."""
    if (view := call.json("view")) is not None:
        check_view(view)
    else:
        message = call.json("message") or {}
        check_blocks(call.json("blocks") or message.get("blocks") or [])
    return {}


def _body(call: Call) -> Json:
    view = call.json("view")
    check_view(view)
    return with_ids(call, view)


def with_ids(call: Call, view: Json) -> Json:
    """A view with the ids that Slack gives where an app gave none."""
    blocks: list[Any] = []
    for block in view["blocks"]:
        block = {"block_id": call.core.world.new_id("b")} | block
        if block.get("element"):
            block["element"] = {"action_id": call.core.world.new_id("a")} | block["element"]
        blocks.append(block)
    return {**view, "blocks": blocks}


def _triggered(call: Call) -> str:
    trigger = call.text("trigger_id")
    if trigger in call.core.spent_triggers:
        raise Refused("exchanged_trigger_id")
    app_id, user, until = call.core.triggers.get(trigger, ("", "", 0.0))
    if app_id != call.caller.id:
        raise Refused("invalid_trigger_id")
    if call.core.clock.now() > until:
        raise Refused("expired_trigger_id")
    call.core.spent_triggers.add(trigger)
    return user


def _new(call: Call, user: str, body: Json) -> View:
    world = call.core.world
    view = View(world.new_id("V"), call.caller.id, call.team, user, body, world.new_ts())
    world.views[view.id] = view
    return view


def _found(call: Call) -> View:
    wanted, external = call.text("view_id", ""), call.text("external_id", "")
    for view in call.core.world.views.values():
        if view.app_id == call.caller.id and (
            view.id == wanted or (external and view.body.get("external_id") == external)
        ):
            return view
    raise Refused("not_found")


def _check_hash(call: Call, view: View) -> None:
    if call.args.get("hash") not in (None, view.hash):
        raise Refused("hash_conflict")


def _shown(call: Call, view: View) -> Json:
    return {"view": view_json(view, call.caller)}
