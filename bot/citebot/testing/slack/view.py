"""The workspace as a page, for a person who tries a bot without Slack."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from citebot.testing.slack.drawing import Drawing
from citebot.testing.slack.reading import Shown, shown
from citebot.testing.slack.state import Channel, Json, User, View

if TYPE_CHECKING:
    from citebot.testing.slack.control import FakeSlack

ENDINGS = {"open": "writing …", "died": "stuck: the stream was not stopped in time", "stopped_by_user": "stopped"}


@dataclass(frozen=True, slots=True)
class Looking:
    """Who looks at what."""

    user: User
    channel: Channel | None
    thread_ts: str = ""
    home: str = ""
    """The id of the app whose Home tab is open."""

    def query(self, **other: str) -> str:
        """The address of the same view, changed."""
        now = {
            "as": self.user.id,
            "in": self.channel.id if self.channel else "",
            "thread": self.thread_ts,
            "home": self.home,
        }
        return "/?" + "&amp;".join(f"{k}={escape(v)}" for k, v in {**now, **other}.items() if v)

    def hidden(self, **more: str) -> str:
        """The same for a form."""
        now = {
            "as": self.user.id,
            "in": self.channel.id if self.channel else "",
            "thread": self.thread_ts,
            "home": self.home,
        }
        return "".join(f'<input type="hidden" name="{k}" value="{escape(v)}">' for k, v in {**now, **more}.items())


class Page:
    """Draws what one person sees."""

    def __init__(self, slack: FakeSlack, looking: Looking) -> None:
        self._slack = slack
        self._at = looking

    def html(self) -> str:
        """The whole page."""
        inputs = {"say": self._input("", "Message, or /command"), "reply": ""}
        if self._at.thread_ts:
            inputs["reply"] = self._input(self._at.thread_ts, "Reply")
        parts = self.parts() | inputs | {"title": escape(self._slack.workspace.name)}
        template = (files(__package__) / "page.html").read_text("utf-8")
        return re.sub(r"{{(\w+)}}", lambda match: parts[match[1]], template)

    def parts(self) -> dict[str, str]:
        """What changes while one looks."""
        at = self._at
        return {
            "side": self._side(),
            "main": self._main(),
            "thread": self._thread() if at.thread_ts else "",
            "modal": self._modal(),
        }

    def json(self) -> str:
        """The parts for the script."""
        return json.dumps(self.parts())

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
                self._to(label, channel == at.channel and not at.home, **{"in": channel.id, "thread": "", "home": ""})
            )
        lines.append("<h2>Apps</h2>")
        for app in apps:
            direct = slack.direct(at.user, app)
            lines.append(
                self._to(app.name, direct == at.channel and not at.home, **{"in": direct.id, "thread": "", "home": ""})
            )
            lines.append(self._to(f"{app.name}: Home", at.home == app.id, thread="", home=app.id))
        lines.append("<h2>You are</h2>")
        lines += [self._to(u.name, u.id == at.user.id, **{"as": u.id, "thread": "", "home": ""}) for u in people]
        return "".join(lines)

    def _to(self, label: str, here: bool, **where: str) -> str:
        return f'<a {"class=here" if here else ""} href="{self._at.query(**where)}">{escape(label)}</a>'

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
            lines += self._form("stop", "■ Stop", thread=thread_ts)
        prompts = world.prompts.get((channel.id, thread_ts), {"prompts": []})["prompts"]
        return lines + "".join(self._form("say", p["title"], thread=thread_ts, line=p["message"]) for p in prompts)

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
        thread = "" if in_thread or message.only_for else self._to(_counted(replies), False, thread=message.ts)
        note = " · ".join(filter(None, notes))
        kind, badge = "only" if message.only_for else "", " <small>APP</small>" if found.app_id else ""
        head = f"<b>{escape(author.real_name)}</b>{badge} <small>{escape(note)}</small>"
        return f'<article class="{kind}" id="m{message.ts}">{head}{body}{files}{reactions} {thread}</article>'

    def _draw(self, on: Shown | View | None) -> Drawing:
        def act(element: Json, value: str, label: str) -> str:
            place = {"message": on.ts} if isinstance(on, Shown) else {"view": on.id if on else ""}
            return self._form("click", label, action=element["action_id"], value=value, **place)

        return Drawing(self._slack.world, self._at.user.id, act)

    def _modal(self) -> str:
        view = self._slack.modal(self._at.user)
        if view is None:
            return ""
        body, errors = view.body, "".join(f"<p class=error>{escape(e)}</p>" for e in view.errors.values())
        submit = f"<button>{escape(body['submit']['text'])}</button>" if body.get("submit") else ""
        return (
            f'<div class="modal"><h2>{escape(body["title"]["text"])}</h2>{self._form("close", "Close", view=view.id)}'
            f'<form method="post" action="/view/act">{self._at.hidden(do="submit", view=view.id)}'
            f"{self._draw(view).blocks(body['blocks'])}{errors}{submit}</form></div>"
        )

    def _form(self, do: str, label: str, **fields: str) -> str:
        inside = self._at.hidden(do=do, **fields)
        return f'<form class="act" method="post" action="/view/act">{inside}<button>{escape(label)}</button></form>'

    def _input(self, thread_ts: str, hint: str) -> str:
        if self._at.channel is None or self._at.home:
            return ""
        inside = self._at.hidden(do="say", thread=thread_ts, keep=self._at.thread_ts)
        line = (
            f'<input name="line" placeholder="{escape(hint)}" aria-label="{escape(hint)}" autocomplete="off" required>'
        )
        return f'<form class="say" method="post" action="/view/act">{inside}{line}<button>Send</button></form>'


def message_at(channel: Channel, ts: str) -> Shown:
    """What a form pointed at."""
    return shown(channel.messages[ts])


def _counted(replies: int) -> str:
    return {0: "Reply", 1: "1 reply"}.get(replies, f"{replies} replies")
