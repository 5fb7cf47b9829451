"""Two Slacks that know the same people: our fake, and local-slack, which somebody else wrote."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Protocol

import aiohttp
import httpx

from citebot.testing.slack import App, Channel, FakeSlack, Message, Shown, User
from citebot.testing.slack.reading import find_element, plain

Body = dict[str, Any]


class Peer(Protocol):
    """A workspace in which alice and bob are in #general with the bot, and in #elsewhere without it."""

    settings: dict[str, str]
    bot: str
    """What calls the bot in a message."""
    bot_id: str
    team: str

    async def say(self, user: str, where: str, text: str, *, thread_ts: str = "") -> str:
        """Write a message and return its `ts`; `direct` is the direct message with the bot."""

    async def attach(self, user: str, where: str, text: str, *, name: str, content: bytes) -> str:
        """Write a message with a file."""

    async def edit(self, user: str, where: str, ts: str, text: str) -> None:
        """Change one's own message."""

    async def delete(self, user: str, where: str, ts: str) -> None:
        """Delete one's own message."""

    async def react(self, user: str, where: str, ts: str, name: str) -> None:
        """Put a reaction on a message."""

    async def command(self, user: str, where: str, line: str) -> None:
        """Send a slash command."""

    async def click(self, user: str, message: Shown, action_id: str, choice: str = "") -> None:
        """Press a button; feedback is `positive` or `negative`."""

    async def submit(self, user: str, values: dict[str, str]) -> None:
        """Send the open modal, filled in by action id."""

    async def open_home(self, user: str) -> None:
        """Open the app's Home tab."""

    async def modal(self, user: str) -> Body | None:
        """The open modal."""

    async def home(self, user: str) -> str:
        """What the Home tab says; empty before the app has published it."""

    async def messages(self, where: str, *, seen_by: str = "") -> list[Shown]:
        """Every message of a conversation, threads included; ephemeral ones are seen by their reader."""


async def until(found: Callable[[], Awaitable[Any]], *, timeout: float = 15.0) -> Any:
    """Ask until the answer is true."""
    end = time.monotonic() + timeout
    while not (value := await found()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {timeout} s")
        await asyncio.sleep(0.03)
    return value


class Fake:
    """Our own."""

    def __init__(self, slack: FakeSlack, app: App) -> None:
        self.slack, self.app = slack, app
        self.users = {name: slack.add_user(name) for name in ("alice", "bob")}
        everybody = [*self.users.values()]
        self.channels = {
            "general": slack.add_channel("general", [*everybody, app]),
            "elsewhere": slack.add_channel("elsewhere", everybody),
        }
        self.bot, self.bot_id, self.team = app.mention, app.bot.id, slack.workspace.id
        self.settings = {"bot_token": app.bot_token, "app_token": app.app_token, "base_url": slack.api_url}

    def _place(self, where: str, user: str = "alice") -> Channel:
        return self.slack.direct(self.users[user], self.app) if where == "direct" else self.channels[where]

    def _written(self, where: str, ts: str, user: str) -> Message:
        return self._place(where, user).messages[ts]

    def _user(self, name: str) -> User:
        return self.users[name]

    async def say(self, user: str, where: str, text: str, *, thread_ts: str = "") -> str:
        return (await self.slack.say(self._user(user), self._place(where, user), text, thread_ts=thread_ts)).ts

    async def attach(self, user: str, where: str, text: str, *, name: str, content: bytes) -> str:
        return (await self.slack.say(self._user(user), self._place(where, user), text, files=[(name, content)])).ts

    async def edit(self, user: str, where: str, ts: str, text: str) -> None:
        await self.slack.edit(self._user(user), self._written(where, ts, user), text)

    async def delete(self, user: str, where: str, ts: str) -> None:
        await self.slack.delete(self._user(user), self._written(where, ts, user))

    async def react(self, user: str, where: str, ts: str, name: str) -> None:
        await self.slack.react(self._user(user), self._written(where, ts, user), name)

    async def command(self, user: str, where: str, line: str) -> None:
        await self.slack.command(self._user(user), self._place(where, user), line)

    async def click(self, user: str, message: Shown, action_id: str, choice: str = "") -> None:
        await self.slack.click(self._user(user), message, action_id, choice or None)

    async def submit(self, user: str, values: dict[str, str]) -> None:
        view = self.slack.modal(self._user(user))
        assert view is not None
        await self.slack.submit(self._user(user), view, values)

    async def open_home(self, user: str) -> None:
        await self.slack.open_home(self._user(user), self.app)

    async def modal(self, user: str) -> Body | None:
        view = self.slack.modal(self._user(user))
        return view.body if view else None

    async def home(self, user: str) -> str:
        view = self.slack.home(self._user(user), self.app)
        return plain(view.body["blocks"]) if view else ""

    async def messages(self, where: str, *, seen_by: str = "") -> list[Shown]:
        place, reader = self._place(where, seen_by or "alice"), self.users.get(seen_by)
        found = {shown.ts: shown for shown in self.slack.messages(place, seen_by=reader)}
        for root in list(found):
            found |= {shown.ts: shown for shown in self.slack.messages(place, root, seen_by=reader)}
        return [found[ts] for ts in sorted(found)]


class LocalSlack:
    """Theirs, by its control API; the ids are those of `scripts/services/local_slack.sh`."""

    users: ClassVar = {"alice": "U01ALICE", "bob": "U01BOB"}
    channels: ClassVar = {"general": "C01GENERAL", "http": "C02HTTP", "elsewhere": "C03ELSEWHERE"}
    team = "T01ACME"

    def __init__(self, address: str) -> None:
        self._http = httpx.AsyncClient(base_url=address, timeout=20, trust_env=False)
        self.bot, self.bot_id = "<@U01CITE>", "U01CITE"
        self._screen = address.replace("http://", "ws://") + "/ui"
        self.settings = {"bot_token": "xoxb-peer", "app_token": "xapp-peer", "base_url": f"{address}/api/"}

    async def close(self) -> None:
        """End its connections."""
        await self._http.aclose()

    def over_http(self, secret: str) -> None:
        """Be what the app of #http sees, which is sent its events at our end of the pair of addresses."""
        host, _, last = self._http.base_url.host.rpartition(".")
        self.bot, self.bot_id = "<@U02HTTP>", "U02HTTP"
        mine = {"mode": "http", "bot_token": "xoxb-http", "app_token": "", "signing_secret": secret}
        self.settings |= {**mine, "host": f"{host}.{int(last) - 1}", "port": "3001"}

    async def reset(self) -> None:
        """Forget all that was said."""
        await self._do("reset")

    async def _do(self, what: str, **body: Any) -> Body:
        answer = (await self._http.post(f"/_control/{what}", json=body)).json()
        assert answer["ok"], answer
        return dict(answer)

    async def _place(self, where: str, user: str) -> str:
        if where != "direct":
            return self.channels[where]
        headers = {"Authorization": f"Bearer {self.settings['bot_token']}"}
        opened = await self._http.get("/api/conversations.open", params={"users": self.users[user]}, headers=headers)
        return str(opened.json()["channel"]["id"])

    async def _on_screen(self, *acts: Body) -> Body:
        """What the page of their workspace shows, after it was used."""
        async with aiohttp.ClientSession() as session, session.ws_connect(self._screen) as screen:
            state: Body = (await screen.receive_json())["state"]
            for act in acts:
                await screen.send_json(act)
        return state

    async def say(self, user: str, where: str, text: str, *, thread_ts: str = "") -> str:
        thread = {"thread_ts": thread_ts} if thread_ts else {}
        place = await self._place(where, user)
        said = await self._do("message", channel=place, user=self.users[user], text=text, **thread)
        return str(said["message"]["ts"])

    async def attach(self, user: str, where: str, text: str, *, name: str, content: bytes) -> str:
        form = {"channel": await self._place(where, user), "user": self.users[user], "text": text}
        answer = await self._http.post("/_control/upload", data=form, files={"file": (name, content, "text/plain")})
        return str(answer.json()["message"]["ts"])

    async def edit(self, user: str, where: str, ts: str, text: str) -> None:
        place = await self._place(where, user)
        await self._do("edit-message", channel=place, ts=ts, user=self.users[user], text=text)

    async def delete(self, user: str, where: str, ts: str) -> None:
        await self._do("delete-message", channel=await self._place(where, user), ts=ts, user=self.users[user])

    async def react(self, user: str, where: str, ts: str, name: str) -> None:
        await self._do("reaction", channel=await self._place(where, user), ts=ts, user=self.users[user], name=name)

    async def command(self, user: str, where: str, line: str) -> None:
        name, _, text = line.partition(" ")
        place = await self._place(where, user)
        await self._do("command", channel=place, user=self.users[user], command=name, text=text)

    async def click(self, user: str, message: Shown, action_id: str, choice: str = "") -> None:
        element = message.element(action_id)
        assert element is not None, f"there is no {action_id}"
        value = element[f"{choice}_button"]["value"] if choice else element.get("value")
        action = {"type": element["type"], "action_id": action_id, "block_id": element["block_id"], "value": value}
        where = {"channel": message.channel, "messageTs": message.ts}
        await self._do("interact", **where, user=self.users[user], action=action)

    async def submit(self, user: str, values: dict[str, str]) -> None:
        view = await self.modal(user)
        assert view is not None
        filled: Body = {}
        for name, value in values.items():
            found = find_element(view["blocks"], name)
            assert found is not None, f"there is no {name}"
            filled[found["block_id"]] = {name: {"type": found["type"], "value": value}}
        await self._on_screen({"t": "view_submit", "user": self.users[user], "values": filled})

    async def open_home(self, user: str) -> None:
        await self._do("open-home", appId="A01CITE", user=self.users[user])

    async def modal(self, user: str) -> Body | None:
        stack = (await self._on_screen())["modalStack"]
        return stack[-1] if stack else None

    async def home(self, user: str) -> str:
        view = (await self._on_screen())["homeViews"].get(self.users[user], {}).get("A01CITE")
        return plain(view["blocks"]) if view else ""

    async def messages(self, where: str, *, seen_by: str = "") -> list[Shown]:
        place = await self._place(where, seen_by or "alice")
        found = (await self._http.get(f"/_control/messages/{place}")).json()["messages"]
        return [_shown(one) for one in found if one.get("ephemeral_to", "") in ("", self.users.get(seen_by))]


def _shown(message: Body) -> Shown:
    blocks = message.get("blocks") or []
    return Shown(
        message["channel"],
        message["ts"],
        message["user"],
        plain(blocks) if blocks and message.get("app_id") else message.get("text") or "",
        message.get("text") or "",
        blocks,
        message.get("thread_ts") or "",
        bool(message.get("edited")),
        only_for=message.get("ephemeral_to") or "",
    )
