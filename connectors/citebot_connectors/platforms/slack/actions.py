"""The buttons below an answer, and below what people are asked."""

from __future__ import annotations

import structlog

from citebot.conversing.buttons import Buttons
from citebot.conversing.chat import Said
from citebot.conversing.forms import REASON, Form
from citebot.conversing.reception import Reception
from citebot.errors import CitebotError
from citebot_connectors.platforms.slack.blocks import actions, filled, modal, pressed, section
from citebot_connectors.platforms.slack.calling import Body, Web
from citebot_connectors.platforms.slack.outlet import Outlet
from citebot_connectors.platforms.slack.private import RETRY_ANEW, respond, whisper
from citebot_connectors.platforms.slack.threads import Threads, payload

log = structlog.get_logger("citebot.slack")


WHY = "citebot_why"
SAVE_ANSWER = "citebot_save_answer"


class Actions:
    """Handlers of buttons and of the modal that asks why."""

    def __init__(self, at: Reception, web: Web, threads: Threads, outlet: Outlet) -> None:
        self._at = at
        self._web = web
        self._threads = threads
        self._outlet = outlet
        self._buttons = Buttons(at)

    async def rate(self, body: Body) -> None:
        """A feedback button; what did not help also opens a modal that asks why."""
        verdict, _, answer_id = _value(body).partition(":")
        said = await self._buttons.rate(body["user"]["id"], answer_id, verdict)
        if isinstance(said, Form):
            view = modal(said, callback=WHY, carried=answer_id)
            await self._web.write("views.open", trigger_id=body["trigger_id"], view=view)
        else:
            await self._say(body, said)

    async def explain(self, body: Body) -> None:
        """The submitted modal."""
        view = body["view"]
        await self._buttons.explain(body["user"]["id"], view["private_metadata"], filled(view).get(REASON, ""))

    async def delete(self, body: Body) -> None:
        """The asker takes the whole answer back, all its messages."""
        if refused := await self._buttons.refuse_deletion(body["user"]["id"], _value(body)):
            await self._say(body, refused)
            return
        channel, ts = body["channel"]["id"], body["message"]["ts"]
        us = await self._web.identity()
        messages = await self._threads.messages(channel, body["message"].get("thread_ts") or ts)
        stem = next((_stem(message) for message in messages if message["ts"] == ts), "")
        for message in messages:
            mine = message.get("user") == us.user and message["ts"] != ts
            if mine and stem and _stem(message) == stem:
                await self._outlet.delete(channel, message["ts"])
        await self._outlet.delete(channel, ts)

    async def retry(self, body: Body) -> None:
        """The asker wants an answer after all: the same question again, in place of what says that there was none."""
        anew = body["actions"][0]["action_id"] == RETRY_ANEW
        begun, refused = await self._buttons.retry(body["user"]["id"], _value(body), anew=anew)
        await self._say(body, refused)
        if begun and anew and (body.get("container") or {}).get("is_ephemeral"):
            await respond(self._web, body.get("response_url") or "", {"delete_original": True})
        elif begun and anew:
            await self._outlet.delete(body["channel"]["id"], body["message"]["ts"])

    # -- asking people --------------------------------------------------------------------------------------------

    async def ask_people(self, body: Body) -> None:
        """“Ask a human” below an answer."""
        self._at.spawn(self._ask_people(body))

    async def save(self, body: Body) -> None:
        """“Save as answer”, offered to somebody who was asked and has written something."""
        self._at.spawn(self._save(body))

    def replied(self, said: Said) -> None:
        """Somebody wrote in a thread, and not to us."""
        self._at.spawn(self._offer(said))

    async def _ask_people(self, body: Body) -> None:
        said = await self._buttons.ask_people(body["user"]["id"], _value(body))
        await whisper(self._web, body.get("response_url") or "", said)

    async def _save(self, body: Body) -> None:
        channel, value = body["channel"]["id"], _value(body)
        answer_id, thread, ts = [*value.split(":"), "", "", ""][:3]

        async def written() -> Said | None:
            return next((one for one in await self._threads.said(channel, thread) if one.id == ts), None)

        async def link() -> str:
            return str((await self._web.read("chat.getPermalink", channel=channel, message_ts=ts))["permalink"])

        said = await self._buttons.save(body["user"]["id"], answer_id, written, link)
        await whisper(self._web, body.get("response_url") or "", said, replace_original=True)

    async def _offer(self, said: Said) -> None:
        if (found := await self._buttons.open_inquiry(said)) is None:
            return
        inquiry, texts, words = found
        button = actions(pressed(SAVE_ANSWER, texts.save_answer, f"{inquiry.answer_id}:{said.thread}:{said.id}"))
        where = {"channel": said.channel, "thread_ts": said.thread, "user": said.author}
        try:
            await self._web.write("chat.postEphemeral", **where, text=words, blocks=[section(words), button])
        except CitebotError as error:
            log.info("saving not offered", why=str(error))

    async def _say(self, body: Body, text: str) -> None:
        """A line that only the one who clicked sees, beside what they clicked on."""
        if not text:
            return
        thread = (body.get("message") or {}).get("thread_ts")
        where = {"channel": body["channel"]["id"], "user": body["user"]["id"], "thread_ts": thread}
        try:
            await self._web.write("chat.postEphemeral", **where, text=text)
        except CitebotError as error:
            log.info("notice not shown", why=str(error))


def _value(body: Body) -> str:
    return str(body["actions"][0].get("value") or "")


def _stem(message: Body) -> str:
    return str(payload(message).get("key") or "").rpartition("-")[0]
