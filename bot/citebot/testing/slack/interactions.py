"""The payloads of clicks, commands, shortcuts and modals, and how an app may answer them."""

from __future__ import annotations

from citebot.testing.chat.fake import NotPossible
from citebot.testing.slack.acts import delete, edit, post
from citebot.testing.slack.clock import RESPONSE_URL, TRIGGER
from citebot.testing.slack.composing import normalise
from citebot.testing.slack.core import Core, ResponseUrl
from citebot.testing.slack.limits import check_blocks
from citebot.testing.slack.refusing import Refused
from citebot.testing.slack.shapes import message_json
from citebot.testing.slack.state import App, Channel, Json, Message, User, View

CHANNEL_NAMES = {"im": "directmessage", "private": "privategroup", "mpim": "mpdm"}
SINGLE = {
    "plain_text_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "number_input": "value",
    "rich_text_input": "rich_text_value",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
}
OPTION = ("static_select", "radio_buttons", "overflow")
MANY_OPTIONS = ("multi_static_select", "checkboxes")


def new_trigger(core: Core, app: App, user: User) -> str:
    """What opens a modal, for three seconds."""
    trigger = core.world.new_id("trigger-")
    core.triggers[trigger] = (app.id, user.id, core.clock.deadline(TRIGGER))
    return trigger


def new_response_url(core: Core, app: App, user: User, channel: Channel, message: Message | None = None) -> str:
    """Where an app may answer."""
    key = core.world.new_id("r-")
    until = core.clock.now() + RESPONSE_URL
    core.responses[key] = ResponseUrl(app.id, user.id, channel, until)
    if message:
        core.responses[key].message_ts, core.responses[key].thread_ts = message.ts, message.thread_ts
    return f"{core.url}/actions/{channel.team}/{key}"


def interaction(core: Core, app: App, user: User, kind: str, *, trigger: bool = True) -> Json:
    """What every interactive payload begins with."""
    workspace = core.world.workspaces[user.team]
    body = {
        "type": kind,
        "token": "verification-token",
        "action_ts": core.world.new_ts(),
        "team": {"id": workspace.id, "domain": workspace.domain},
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team},
        "api_app_id": app.id,
        "enterprise": None,
        "is_enterprise_install": False,
    }
    return body | ({"trigger_id": new_trigger(core, app, user)} if trigger else {})


def command_body(core: Core, app: App, user: User, channel: Channel, command: str, text: str) -> dict[str, str]:
    """The fields of a slash command."""
    return {
        "token": "verification-token",
        "team_id": user.team,
        "team_domain": core.world.workspaces[user.team].domain,
        "channel_id": channel.id,
        "channel_name": CHANNEL_NAMES.get(channel.kind, channel.name),
        "user_id": user.id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": app.id,
        "is_enterprise_install": "false",
        "response_url": new_response_url(core, app, user, channel),
        "trigger_id": new_trigger(core, app, user),
    }


def message_place(core: Core, channel: Channel, message: Message) -> Json:
    """Where a click on a message happened; the content of an ephemeral message is not told."""
    ephemeral = bool(message.only_for)
    container = {"type": "message", "message_ts": message.ts, "channel_id": channel.id, "is_ephemeral": ephemeral}
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    name = CHANNEL_NAMES.get(channel.kind, channel.name)
    body: Json = {"container": container, "channel": {"id": channel.id, "name": name}}
    return body if ephemeral else body | {"message": message_json(core.world, channel, message, core.url)}


def action_of(element: Json, value: object, ts: str) -> Json:
    """What was done to an element: pressed, or `value` chosen."""
    kind = element["type"]
    action = {key: element[key] for key in ("type", "action_id", "block_id")} | {"action_ts": ts}
    if kind == "feedback_buttons":
        button = element["negative_button" if value in (False, "negative") else "positive_button"]
        return action | {"text": button["text"], "value": button["value"]}
    if kind in ("button", "icon_button", "workflow_button"):
        return action | {key: element[key] for key in ("text", "value", "url") if key in element}
    return action | {k: v for k, v in state_of(element, value).items() if k != "type"}


def state_of(element: Json, value: object) -> Json:
    """An element's state after a person chose or typed."""
    kind = element["type"]
    if kind in OPTION:
        return {"type": kind, "selected_option": _option(element, value) if value else None}
    if kind in MANY_OPTIONS:
        chosen = value if isinstance(value, list | tuple) else [value] if value else []
        return {"type": kind, "selected_options": [_option(element, v) for v in chosen]}
    return {"type": kind, SINGLE.get(kind, "value"): value}


def _option(element: Json, value: object) -> Json:
    for option in element.get("options", ()):
        if option["value"] == value:
            return dict(option)
    raise NotPossible(f"{element['action_id']} offers no {value!r}")


def filled(view: View, values: dict[str, object]) -> Json:
    """The state of a modal whose inputs were filled in, by action id."""
    state: Json = {}
    for block in view.body["blocks"]:
        element = block.get("element")
        if block["type"] != "input" or not element:
            continue
        value = values.get(element["action_id"], _untouched(element))
        if not value and not block.get("optional"):
            raise NotPossible(f"{element['action_id']} must be filled in")
        state.setdefault(block["block_id"], {})[element["action_id"]] = state_of(element, value)
    return {"values": state}


def _untouched(element: Json) -> object:
    """What stands in an element that nobody has touched."""
    if "initial_options" in element:
        return [option["value"] for option in element["initial_options"]]
    if "initial_option" in element:
        return element["initial_option"]["value"]
    return element.get("initial_value")


def respond(core: Core, key: str, body: Json) -> None:
    """What an app posts to a response_url."""
    url = core.responses.get(key)
    if url is None:
        raise Refused("invalid_url")
    if url.left < 1 or core.clock.now() > url.until:
        raise Refused("used_url" if url.left < 1 else "expired_url")
    url.left -= 1
    channel = url.channel
    original = core.world.message(channel, url.message_ts) if url.message_ts else None
    if body.get("delete_original") in (True, "true") and original:
        delete(core, channel, original)
        return
    app = core.world.apps[url.app_id]
    blocks = body.get("blocks") or []
    check_blocks(blocks)
    if not body.get("text") and not blocks and not body.get("attachments"):
        raise Refused("no_text")
    text = normalise(core.world, channel.team, str(body.get("text") or ""))
    blocks = [b if b.get("block_id") else {**b, "block_id": core.world.new_id("b")} for b in blocks]
    if body.get("replace_original") in (True, "true") and original:
        edit(core, channel, original, text=text, blocks=blocks, by=original.user)
        return
    answer(core, app, url.user, channel, body | {"text": text, "blocks": blocks}, url.thread_ts)


def answer(core: Core, app: App, user: str, channel: Channel, body: Json, thread_ts: str = "") -> None:
    """Show what an app answered to a command or a click: to the person alone, or to the channel."""
    bot = next((b for b in app.bots.values() if b.team in channel.teams), app.bot)
    message = Message(core.world.new_ts(), channel.id, bot.id, str(body.get("text") or ""), app_id=app.id)
    message.bot_id, message.blocks = bot.bot_id, body.get("blocks") or []
    message.attachments = body.get("attachments") or []
    message.options = {k: body[k] for k in ("unfurl_links", "unfurl_media") if k in body}
    message.thread_ts = str(body.get("thread_ts") or "")
    if body.get("response_type") != "in_channel":
        message.only_for = user
        message.thread_ts = message.thread_ts or (thread_ts if thread_ts in channel.messages else "")
    post(core, channel, message)
