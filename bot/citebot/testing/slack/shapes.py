"""The JSON that Slack shows for its values."""

from __future__ import annotations

from citebot.testing.slack.reading import streamed
from citebot.testing.slack.state import App, Channel, File, Json, Message, User, View, Workspace, World


def user_json(user: User, *, team: str, locale: bool = False) -> Json:
    """As `users.info` shows a user to a workspace."""
    body: Json = {
        "id": user.id,
        "team_id": user.team,
        "name": user.name,
        "deleted": user.deleted,
        "real_name": user.real_name,
        "tz": user.tz,
        "profile": {"real_name": user.real_name, "display_name": user.name, "email": user.email, "team": user.team},
        "is_admin": user.is_admin,
        "is_owner": False,
        "is_restricted": user.is_restricted,
        "is_ultra_restricted": user.is_ultra_restricted,
        "is_bot": bool(user.app_id),
        "is_app_user": False,
        "updated": 0,
    }
    if user.team != team:
        body["is_stranger"] = True
    if user.app_id:
        body["profile"] |= {"api_app_id": user.app_id, "bot_id": user.bot_id}
    return body | ({"locale": user.locale} if locale else {})


def channel_json(channel: Channel, *, viewer: str) -> Json:
    """As `conversations.info` shows a conversation to one of its users."""
    body: Json = {
        "id": channel.id,
        "created": channel.created,
        "is_archived": channel.archived,
        "is_channel": channel.kind == "public",
        "is_group": channel.kind == "private",
        "is_im": channel.kind == "im",
        "is_mpim": channel.kind == "mpim",
        "is_private": channel.kind != "public",
        "is_org_shared": False,
        "is_ext_shared": bool(channel.shared_with),
        "is_shared": bool(channel.shared_with),
        "context_team_id": channel.team,
    }
    if channel.kind == "im":
        other = next((m for m in channel.members if m != viewer), viewer)
        return body | {"user": other, "is_user_deleted": False}
    return body | {
        "name": channel.name,
        "name_normalized": channel.name,
        "creator": channel.creator,
        "is_member": viewer in channel.members,
        "is_general": channel.name == "general",
        "shared_team_ids": sorted(channel.teams),
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "num_members": len(channel.members),
    }


def file_json(file: File, url: str) -> Json:
    """As messages and `files.info` show an upload."""
    address = f"{url}/files-pri/{file.team}-{file.id}"
    return {
        "id": file.id,
        "name": file.name,
        "title": file.name,
        "mimetype": file.mimetype,
        "filetype": file.name.rpartition(".")[2],
        "user": file.user,
        "user_team": file.team,
        "mode": "hosted",
        "is_external": False,
        "is_public": False,
        "size": len(file.content),
        "url_private": f"{address}/{file.name}",
        "url_private_download": f"{address}/download/{file.name}",
        "permalink": f"{url}/files/{file.user}/{file.id}/{file.name}",
        "channels": sorted(file.channels),
    } | file.facts


def withheld_json(file: File) -> Json:
    """All that a message in a shared channel may say of an upload."""
    return {"id": file.id, "created": 0, "timestamp": 0, "mode": "file_access", "file_access": "check_file_info"}


def message_json(world: World, channel: Channel, message: Message, url: str, *, metadata: bool = False) -> Json:
    """As history and events show a message."""
    user = world.users.get(message.user)
    blocks = (streamed(message.stream) if message.stream else []) + message.blocks
    body: Json = {
        "type": "message",
        "subtype": message.subtype,
        "user": message.user,
        "text": message.text,
        "ts": message.ts,
        "team": user.team if user else channel.team,
        "client_msg_id": message.client_msg_id,
        "thread_ts": message.thread_ts,
        "blocks": blocks,
        "attachments": message.attachments,
        "edited": message.edited,
        "app_id": message.app_id,
        "bot_id": message.bot_id,
        "files": [withheld_json(f) if f.withheld else file_json(f, url) for f in message.files],
        "reactions": [{"name": n, "users": u, "count": len(u)} for n, u in message.reactions.items()],
    }
    body = {key: value for key, value in body.items() if value}
    body["text"] = message.text
    if message.app_id and (app := world.apps.get(message.app_id)):
        body["bot_profile"] = {"id": message.bot_id, "app_id": app.id, "name": app.name, "team_id": channel.team}
    if message.stream:
        body["streaming_state"] = "completed" if message.stream.ended else "in_progress"
    if metadata and message.metadata:
        body["metadata"] = message.metadata
    return body | _thread(world, channel, message)


def _thread(world: World, channel: Channel, message: Message) -> Json:
    if not message.thread_ts:
        return {}
    if message.thread_ts != message.ts:
        root = channel.messages.get(message.thread_ts)
        return {"parent_user_id": root.user} if root else {}
    replies = world.replies(channel, message.ts)
    users = list(dict.fromkeys(r.user for r in replies))
    return {
        "reply_count": len(replies),
        "reply_users_count": len(users),
        "latest_reply": replies[-1].ts if replies else "",
        "reply_users": users,
        "is_locked": False,
        "subscribed": False,
    }


def view_json(view: View, app: App) -> Json:
    """As responses and payloads show a view."""
    defaults = {
        "callback_id": "",
        "private_metadata": "",
        "external_id": "",
        "clear_on_close": False,
        "notify_on_close": False,
        "title": None,
        "submit": None,
        "close": None,
        "state": {"values": {}},
    }
    bot = app.bots[view.team]
    return {
        **defaults,
        **view.body,
        "id": view.id,
        "team_id": view.team,
        "app_id": app.id,
        "app_installed_team_id": view.team,
        "bot_id": bot.bot_id,
        "hash": view.hash,
        "root_view_id": view.root or view.id,
        "previous_view_id": view.previous or None,
    }


def team_json(workspace: Workspace) -> Json:
    """As `team.info` shows a workspace."""
    return {
        "id": workspace.id,
        "name": workspace.name,
        "domain": workspace.domain,
        "url": f"https://{workspace.domain}.slack.com/",
        "email_domain": "",
        "icon": {"image_default": True},
    }


def permalink(world: World, channel: Channel, message: Message) -> str:
    """The address of a message."""
    domain = world.workspaces[channel.team].domain
    address = f"https://{domain}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    in_thread = message.thread_ts and message.thread_ts != message.ts
    return address + (f"?thread_ts={message.thread_ts}&cid={channel.id}" if in_thread else "")
