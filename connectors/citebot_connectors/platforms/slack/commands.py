"""The command, the shortcuts that ask, and what is shared from, or taken into, what one person sees alone."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from citebot.conversing import Texts
from citebot.conversing.asking import Alone, Asking
from citebot.conversing.forms import QUESTION, QUESTION_MOST, Form, about_form, question_form
from citebot.conversing.orders import Order, Orders
from citebot.conversing.reception import Reception
from citebot_connectors.platforms.slack.blocks import context, filled, modal, section
from citebot_connectors.platforms.slack.calling import Body, Web
from citebot_connectors.platforms.slack.markup import escaped, plain, quoted
from citebot_connectors.platforms.slack.private import private_place, question_id, whisper

ABOUT = "citebot_about"
SETTINGS = "citebot_settings"
QUOTED_MOST = 2_500
KEPT_MOST = 3_000
"""Of what a modal carries along."""


class Commands:
    """Handlers; each returns what Slack is to show at once."""

    def __init__(self, at: Reception, web: Web) -> None:
        self._at = at
        self._web = web
        self._asking = Asking(at)
        self._orders = Orders(at)

    async def typed(self, body: Body) -> str:
        """The command: an order or a question."""
        user, channel, text = body["user_id"], body["channel_id"], str(body.get("text") or "")
        address = body["response_url"]

        async def show(form: Form, texts: Texts) -> None:
            carried = json.dumps({"channel": channel, "address": address, "shown": form.values}, ensure_ascii=False)
            where = context(texts.settings_where.format(channel=f"<#{channel}>"))
            view = modal(form, callback=SETTINGS, carried=carried, above=[where])
            await self._web.write("views.open", trigger_id=body["trigger_id"], view=view)

        said = await self._orders.obeyed(Order(text, user, channel, show, partial(whisper, self._web, address)))
        if said is not None:
            return said
        alone = self._alone(user, channel, address, f"command:{body['trigger_id']}")
        return await self._asking.ask(alone, plain(text, self._at.people.name_of).strip())

    async def settings(self, body: Body) -> Body | None:
        """The modal with the settings was sent."""
        carried: dict[str, Any] = json.loads(body["view"]["private_metadata"])
        tell = partial(whisper, self._web, carried["address"])
        where, values = carried["channel"], filled(body["view"])
        wrong = await self._orders.change(body["user"]["id"], where, values, carried["shown"], tell=tell)
        return _wrong("tone", wrong)

    async def about(self, body: Body) -> None:
        """“Ask about this”: a modal with the message."""
        texts = self._at.texts_of((await self._at.people.member_or_guest(body["user"]["id"])).locale)
        text = plain(str(body["message"].get("text") or ""), self._at.people.name_of).strip()
        carried = _carried(channel=body["channel"]["id"], address=body.get("response_url") or "", text=text)
        said = "\n".join(f">{line}" for line in quoted(text[:QUOTED_MOST]).splitlines())[: QUESTION_MOST - 1]
        above = [section(escaped(texts.ask_about)), section(said)] if text else []
        below = [context(escaped(texts.ask_private))]
        view = modal(about_form(texts, said=bool(text)), callback=ABOUT, carried=carried, above=above, below=below)
        await self._web.write("views.open", trigger_id=body["trigger_id"], view=view)

    async def anything(self, body: Body) -> None:
        """The shortcut that is everywhere: a modal for a question, which is answered in a direct message."""
        texts = self._at.texts_of((await self._at.people.member_or_guest(body["user"]["id"])).locale)
        carried, below = _carried(channel="", address="", text=""), [context(escaped(texts.ask_private))]
        view = modal(question_form(texts), callback=ABOUT, carried=carried, below=below)
        await self._web.write("views.open", trigger_id=body["trigger_id"], view=view)

    async def asked_about(self, body: Body) -> Body | None:
        """One of these modals was sent."""
        view = body["view"]
        carried: dict[str, str] = json.loads(view["private_metadata"])
        alone = self._alone(body["user"]["id"], carried["channel"], carried["address"], f"about:{view['id']}")
        return _wrong(QUESTION, await self._asking.ask_about(alone, carried["text"], filled(view)[QUESTION]))

    async def share(self, body: Body) -> None:
        """“Share to channel”."""
        tell = partial(whisper, self._web, body.get("response_url") or "")
        value, channel = str(body["actions"][0].get("value") or ""), body["channel"]["id"]
        self._at.spawn(self._asking.share(body["user"]["id"], value, channel, tell))

    async def alone(self, body: Body) -> None:
        """“Answer me alone”."""
        answer_id, _, ts = str(body["actions"][0].get("value") or "").partition(":")
        address, channel = body.get("response_url") or "", body["channel"]["id"]
        alone = self._alone(body["user"]["id"], channel, address, f"alone:{answer_id}")
        self._at.spawn(self._asking.take(alone, answer_id, ts))

    def _alone(self, user: str, channel: str, address: str, delivery: str) -> Alone:
        place, question = private_place(channel, user), question_id(address, self._at.now())
        return Alone(user, place, question, delivery, partial(whisper, self._web, address))


def _carried(*, channel: str, address: str, text: str) -> str:
    """What the modal must know when it comes back, in the room that Slack gives."""
    while True:
        carried = json.dumps({"channel": channel, "address": address, "text": text}, ensure_ascii=False)
        if len(carried) <= KEPT_MOST or not text:  # an address that is too long is Slack's to refuse
            return carried
        text = text[: len(text) * 3 // 4]


def _wrong(field: str, text: str) -> Body | None:
    return {"response_action": "errors", "errors": {field: text}} if text else None
