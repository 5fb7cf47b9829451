"""Interactions: what an app is told of a command or click, and how it may answer."""

from __future__ import annotations

from secrets import token_urlsafe

from citebot.testing.discord.acts import COMMAND_REPLY, MENU_REPLY, REPLY, changed, delete, post
from citebot.testing.discord.clock import ANSWER, TOKEN
from citebot.testing.discord.components import check_modal, numbered
from citebot.testing.discord.core import Core
from citebot.testing.discord.permissions import Permission, in_channel
from citebot.testing.discord.refusing import Problems, Refused
from citebot.testing.discord.shapes import (
    EPHEMERAL,
    FILE_MOST,
    LOADING,
    member_json,
    message_json,
    resolved_channel_json,
    user_json,
)
from citebot.testing.discord.state import App, Channel, Interaction, Json, Message, Modal, User
from citebot.testing.discord.writing import Files, rewrite, write

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE, CHOICES, OPEN_MODAL = 4, 5, 6, 7, 8, 9
KINDS = {
    MESSAGE: "message",
    DEFERRED: "deferred",
    DEFERRED_UPDATE: "deferred_update",
    UPDATE: "update",
    CHOICES: "choices",
    OPEN_MODAL: "modal",
}
ALLOWED: dict[int, tuple[int, ...]] = {
    COMMAND: (MESSAGE, DEFERRED, OPEN_MODAL),
    COMPONENT: (MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE, OPEN_MODAL),
    AUTOCOMPLETE: (CHOICES,),
    MODAL: (MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE),
}
CHOICES_MOST = 25
EXTERNAL_FOLLOW_UPS = 5


def begin(
    core: Core, app: App, user: User, channel: Channel, kind: int, data: Json, *, source: Message | None = None
) -> Interaction:
    """An interaction, with its token and deadlines."""
    world, now = core.world, core.clock.now()
    answer_by = core.clock.deadline(ANSWER)
    begun = Interaction(
        world.new_id(),
        token_urlsafe(48),
        app.id,
        user.id,
        channel,
        kind,
        data,
        now,
        answer_by,
        now + TOKEN,
        source=source.id if source else "",
        name=str(data.get("name", "")),
    )
    guild = world.guilds.get(channel.guild)
    begun.external = bool(guild and app.bot.id not in guild.members)
    begun.delivered = _payload(core, app, user, begun)
    if source:
        begun.delivered["message"] = message_json(world, source, core.url)
    world.interactions[begun.token] = begun
    return begun


def _payload(core: Core, app: App, user: User, begun: Interaction) -> Json:
    world, channel = core.world, begun.channel
    with_bot = app.bot.id in channel.recipients
    body: Json = {
        "id": begun.id,
        "application_id": app.id,
        "type": begun.type,
        "token": begun.token,
        "version": 1,
        "data": begun.body,
        "channel_id": channel.id,
        "channel": resolved_channel_json(world, channel, user.id, app.bot.id),
        "app_permissions": str(int(in_channel(world, channel, app.bot.id))),
        "locale": user.locale,
        "entitlements": [],
        "entitlement_sku_ids": [],
        "authorizing_integration_owners": _owners(core, app, user, channel),
        "context": 0 if channel.guild else 1 if with_bot else 2,
        "attachment_size_limit": FILE_MOST,
    }
    if not channel.guild:
        return body | {"user": user_json(user)}
    guild = world.guilds[channel.guild]
    member = member_json(world, guild.members[user.id])
    member["permissions"] = str(int(in_channel(world, channel, user.id)))
    body |= {"guild_id": guild.id, "guild_locale": guild.locale, "member": member}
    return body | {"guild": {"id": guild.id, "locale": guild.locale, "features": []}}


def _owners(core: Core, app: App, user: User, channel: Channel) -> Json:
    owners: Json = {}
    guild = core.world.guilds.get(channel.guild)
    if guild and app.bot.id in guild.members:
        owners["0"] = guild.id
    elif app.bot.id in channel.recipients:
        owners["0"] = "0"
    if user.id in app.users:
        owners["1"] = user.id
    return owners


def respond(core: Core, key: str, token: str, body: Json, files: Files) -> Interaction:
    """The first answer to an interaction; there is only one, and only in time."""
    begun = core.world.interactions.get(token)
    if begun is None or begun.id != key or (not begun.answered and core.clock.now() > begun.answer_by):
        raise Refused(10062)
    if begun.answered:
        raise Refused(40060)
    kind, data = int(body.get("type") or 0), body.get("data") or {}
    found = Problems()
    allowed = ALLOWED[begun.type]
    if begun.type == MODAL and not begun.source:
        allowed = (MESSAGE, DEFERRED)
    found.choice(("type",), kind, allowed)
    found.refuse()
    app = core.world.apps[begun.app_id]
    _answer(core, app, begun, kind, data, files)
    begun.answered, begun.answer = kind, body
    begun.heard.set()
    core.touch()
    return begun


def _answer(core: Core, app: App, begun: Interaction, kind: int, data: Json, files: Files) -> None:
    match kind:
        case 4:
            message = _new(core, app, begun, data, files)
            begun.original, begun.ephemeral = message.id, bool(message.only_for)
        case 5:
            placeholder = _message(core, app, begun, int(data.get("flags") or 0) & EPHEMERAL | LOADING)
            _post(core, begun, placeholder)
            begun.original, begun.ephemeral, begun.loading = placeholder.id, bool(placeholder.only_for), True
        case 6:
            begun.original = begun.source
        case 7:
            source = _find(core, begun, begun.source)
            rewrite(core, app, source, data, files)
            begun.original = source.id
            changed(core, source)
        case 8:
            begun.choices = _choices(data)
        case 9:
            found = Problems()
            check_modal(found, data)
            found.refuse()
            modal = Modal(begun, data["custom_id"], data["title"], numbered(data["components"]))
            core.world.modals[begun.user] = modal


def _choices(data: Json) -> list[Json]:
    found = Problems()
    choices = data.get("choices")
    found.length(("data", "choices"), choices, CHOICES_MOST)
    for number, choice in enumerate(choices or ()):
        found.length(("data", "choices", number, "name"), choice.get("name"), 100, 1)
        if isinstance(choice.get("value"), str):
            found.length(("data", "choices", number, "value"), choice["value"], 100, 1)
    found.refuse()
    return list(choices or ())


def _message(core: Core, app: App, begun: Interaction, flags: int) -> Message:
    message = Message(core.world.new_id(), begun.channel.id, app.bot.id, app_id=app.id, flags=flags, by_token=True)
    return _belonging(core, begun, message)


def _new(core: Core, app: App, begun: Interaction, data: Json, files: Files) -> Message:
    if begun.channel.id not in core.world.channels:
        raise Refused(10003)
    message = write(core, app, begun.channel, data, files, by_token=True)
    return _post(core, begun, _belonging(core, begun, message))


def _belonging(core: Core, begun: Interaction, message: Message) -> Message:
    """Mark a message as an answer to the interaction; without USE_EXTERNAL_APPS it is for the person alone."""
    user = core.world.users[begun.user]
    may = in_channel(core.world, begun.channel, user.id)
    if begun.external and not may & Permission.USE_EXTERNAL_APPS:
        message.flags |= EPHEMERAL
    message.only_for = begun.user if message.flags & EPHEMERAL else ""
    owners = begun.delivered["authorizing_integration_owners"]
    message.interaction = {"id": begun.id, "type": begun.type, "user": user_json(user)}
    message.interaction["authorizing_integration_owners"] = owners
    if begun.answered and begun.original:
        message.interaction["original_response_message_id"] = begun.original
    if begun.source:
        message.interaction["interacted_message_id"] = begun.source
    target = begun.original if begun.answered else begun.source
    if begun.type == COMMAND and not begun.answered:
        message.type = MENU_REPLY if "target_id" in begun.body else COMMAND_REPLY
    elif target in begun.channel.messages:
        message.type = REPLY
        message.reference = {"type": 0, "channel_id": begun.channel.id, "message_id": target}
    return message


def _post(core: Core, begun: Interaction, message: Message) -> Message:
    if begun.channel.id not in core.world.channels:
        raise Refused(10003)
    post(core, begun.channel, message)
    begun.written.add(message.id)
    return message


def _find(core: Core, begun: Interaction, key: str) -> Message:
    if begun.channel.id not in core.world.channels:
        raise Refused(10003)
    found = begun.channel.messages.get(key)
    if found is None:
        raise Refused(10008)
    return found


def by_token(core: Core, app_id: str, token: str) -> Interaction:
    """The interaction whose token is used as a webhook's: after the first answer, for 15 minutes."""
    begun = core.world.interactions.get(token)
    if begun is None or begun.app_id != app_id or not begun.answered:
        raise Refused(10015)
    if core.clock.now() > begun.ends:
        raise Refused(50027)
    return begun


def written(core: Core, begun: Interaction, key: str) -> Message:
    """A message made with the interaction's token; `@original` is its first answer."""
    if key == "@original":
        key = begun.original
    elif key not in begun.written and key != begun.source:
        raise Refused(10008)
    return _find(core, begun, key)


def follow_up(core: Core, begun: Interaction, body: Json, files: Files) -> Message:
    """A further message; the first one after a deferral takes the place of "thinking"."""
    app = core.world.apps[begun.app_id]
    if begun.loading and begun.original in begun.channel.messages:
        return edit(core, begun, _find(core, begun, begun.original), body, files)
    if begun.external and begun.followed >= EXTERNAL_FOLLOW_UPS:
        raise Refused(40094)
    message = _new(core, app, begun, body, files)
    begun.followed += 1
    return message


def edit(core: Core, begun: Interaction, message: Message, body: Json, files: Files) -> Message:
    """Change a message made with the interaction's token."""
    loading = bool(message.flags & LOADING)
    rewrite(core, core.world.apps[begun.app_id], message, body, files)
    if message.id == begun.original:
        begun.loading = False
    changed(core, message, by_hand=not loading)
    return message


def remove(core: Core, begun: Interaction, message: Message) -> None:
    """Delete a message made with the interaction's token."""
    if message.id == begun.original:
        begun.loading = False
    delete(core, message)


def callback_json(core: Core, begun: Interaction) -> Json:
    """What a first answer is answered with."""
    message = begun.channel.messages.get(begun.original)
    body: Json = {"interaction": {"id": begun.id, "type": begun.type}, "resource": {"type": begun.answered}}
    if message and begun.answered in (MESSAGE, DEFERRED, UPDATE):
        body["interaction"] |= {
            "response_message_id": message.id,
            "response_message_loading": begun.loading,
            "response_message_ephemeral": bool(message.only_for),
        }
        body["resource"]["message"] = message_json(core.world, message, core.url)
    return body
