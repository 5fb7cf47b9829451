"""The workspace as a page, for a person who tries a bot without Slack."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from citebot.testing.chat.page import Looking as Fields
from citebot.testing.chat.page import Page
from citebot.testing.slack.drawing import Drawing
from citebot.testing.slack.reading import Shown, shown
from citebot.testing.slack.state import Channel, Json, User, View

if TYPE_CHECKING:
    from citebot.testing.slack.control import FakeSlack

ENDINGS = {"open": "writing …", "died": "stuck: the stream was not stopped in time", "stopped_by_user": "stopped"}


@dataclass(frozen=True, slots=True)
class Looking(Fields):
    """Who looks at what."""

    user: User
    channel: Channel | None
    thread_ts: str = ""
    home: str = ""
    """The id of the app whose Home tab is open."""

    def fields(self) -> dict[str, str]:
        """The view as it is."""
        channel = self.channel.id if self.channel else ""
        return {"as": self.user.id, "in": channel, "thread": self.thread_ts, "home": self.home}


class WorkspacePage(Page):
    """Draws what one person sees."""

    def __init__(self, slack: FakeSlack, looking: Looking) -> None:
        self._slack = slack
        self._at = looking
        self.title = slack.workspace.name

    def inputs(self) -> dict[str, str]:
        """Where one writes."""
        inputs = {"say": self._input("", "Message, or /command"), "reply": ""}
        if self._at.thread_ts:
            inputs["reply"] = self._input(self._at.thread_ts, "Reply")
        return inputs

    def parts(self) -> dict[str, str]:
        """What changes while one looks."""
        at = self._at
        return {
            "side": self._side(),
            "main": self._main(),
            "thread": self._thread() if at.thread_ts else "",
            "modal": self._modal(),
        }

    def _side(self) -> str:
        slack, at = self._slack, self._at
        people = [u for u in slack.world.users.values() if not u.app_id and not u.deleted]
        channels = [
            c for c in slack.world.channels.values() if at.user.id in c.members and c.kind in ("public", "private")
        ]
        apps = [a for a in slack.world.apps.values() if a.grant_in(at.user.team)]
        lines = ["<h2>Channels</h2>"]
        for channel in channels:
            notes = {"private": channel.kind == "private", "archived": channel.archived}
            label = " ".join([f"# {channel.name}", *(f"({note})" for note, so in notes.items() if so)])
            lines.append(
                at.link(label, channel == at.channel and not at.home, **{"in": channel.id, "thread": "", "home": ""})
            )
        lines.append("<h2>Apps</h2>")
        for app in apps:
            direct = slack.direct(at.user, app)
            lines.append(
                at.link(app.name, direct == at.channel and not at.home, **{"in": direct.id, "thread": "", "home": ""})
            )
            lines.append(at.link(f"{app.name}: Home", at.home == app.id, thread="", home=app.id))
        lines.append("<h2>You are</h2>")
        lines += [at.link(u.name, u.id == at.user.id, **{"as": u.id, "thread": "", "home": ""}) for u in people]
        return "".join(lines)

    def _main(self) -> str:
        at, slack = self._at, self._slack
        if at.home:
            view = slack.home(at.user, slack.world.apps[at.home])
            return self._draw(view).blocks(view.body["blocks"]) if view else "<p>Nothing has been published here.</p>"
        if at.channel is None:
            return "<p>Choose a channel.</p>"
        messages = slack.messages(at.channel, seen_by=at.user)
        return "".join(self._message(m) for m in messages) + self._below(at.channel, "")

    def _thread(self) -> str:
        at = self._at
        assert at.channel is not None, "a thread is in a channel"
        messages = self._slack.messages(at.channel, at.thread_ts, seen_by=at.user)
        close = f'<a class="close" href="{at.query(thread="")}">Close thread</a>'
        return (
            close + "".join(self._message(m, in_thread=True) for m in messages) + self._below(at.channel, at.thread_ts)
        )

    def _below(self, channel: Channel, thread_ts: str) -> str:
        world, lines = self._slack.world, ""
        thinking = self._slack.thinking(channel, thread_ts)
        if thinking:
            lines += f"<p class=thinking>{escape(world.apps[thinking.app_id].name)} {escape(thinking.text)}</p>"
        session = world.sessions.get((channel.id, thread_ts))
        if session and session.status == "processing":
            lines += self._at.form("stop", "■ Stop", thread=thread_ts)
        prompts = world.prompts.get((channel.id, thread_ts), {"prompts": []})["prompts"]
        return lines + "".join(self._at.form("say", p["title"], thread=thread_ts, line=p["message"]) for p in prompts)

    def _message(self, message: Shown, *, in_thread: bool = False) -> str:
        world = self._slack.world
        author = world.users[message.user]
        found = world.channels[message.channel].messages[message.ts]
        draw = self._draw(message)
        body = (
            draw.blocks(message.blocks)
            if message.blocks and author.app_id
            else f"<div class=block>{draw.text(message.text)}</div>"
        )
        files = "".join(f"<p>📄 {escape(name)}</p>" for name in message.files)
        reactions = " ".join(
            f"<small>:{escape(name)}: {len(users)}</small>" for name, users in message.reactions.items()
        )
        notes = [ENDINGS.get(message.streaming, ""), "edited" if message.edited and author.app_id == "" else ""]
        notes += ["only you see this"] if message.only_for else []
        replies = len(world.replies(world.channels[message.channel], message.ts))
        thread = "" if in_thread or message.only_for else self._at.link(_counted(replies), False, thread=message.ts)
        note = " · ".join(filter(None, notes))
        kind, badge = "only" if message.only_for else "", " <small>APP</small>" if found.app_id else ""
        head = f"<b>{escape(author.real_name)}</b>{badge} <small>{escape(note)}</small>"
        return f'<article class="{kind}" id="m{message.ts}">{head}{body}{files}{reactions} {thread}</article>'

    def _draw(self, on: Shown | View | None) -> Drawing:
        def act(element: Json, value: str, label: str) -> str:
            place = {"message": on.ts} if isinstance(on, Shown) else {"view": on.id if on else ""}
            return self._at.form("click", label, action=element["action_id"], value=value, **place)

        return Drawing(self._slack.world, self._at.user.id, act)

    def _modal(self) -> str:
        view = self._slack.modal(self._at.user)
        if view is None:
            return ""
        body, errors = view.body, "".join(f"<p class=error>{escape(e)}</p>" for e in view.errors.values())
        submit = body["submit"]["text"] if body.get("submit") else ""
        inner = self._draw(view).blocks(body["blocks"])
        return self._at.dialog(body["title"]["text"], inner, submit=submit, errors=errors, view=view.id)

    def _input(self, thread_ts: str, hint: str) -> str:
        if self._at.channel is None or self._at.home:
            return ""
        return self._at.line(hint, thread=thread_ts, keep=self._at.thread_ts)


def message_at(channel: Channel, ts: str) -> Shown:
    """What a form pointed at."""
    return shown(channel.messages[ts])


def _counted(replies: int) -> str:
    return {0: "Reply", 1: "1 reply"}.get(replies, f"{replies} replies")
