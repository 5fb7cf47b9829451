"""The addresses of the page: look, and act."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from citebot.testing.slack.people import Outcome
from citebot.testing.slack.state import NotPossible
from citebot.testing.slack.view import Looking, Page, message_at

if TYPE_CHECKING:
    from citebot.testing.slack.control import FakeSlack


class Browsing:
    """Serves a browser."""

    def __init__(self, slack: FakeSlack) -> None:
        self._slack = slack

    def routes(self) -> list[web.RouteDef]:
        """All addresses of the page."""
        return [web.get("/", self.page), web.get("/view/parts", self.parts), web.post("/view/act", self.act)]

    async def page(self, request: web.Request) -> web.Response:
        """The whole page."""
        looking = self._looking(dict(request.query))
        if looking is None:
            return web.Response(text="There is nobody in this workspace yet.")
        if looking.home:
            await self._slack.open_home(looking.user, self._slack.world.apps[looking.home])
        return web.Response(text=Page(self._slack, looking).html(), content_type="text/html")

    async def parts(self, request: web.Request) -> web.Response:
        """What changes."""
        looking = self._looking(dict(request.query))
        if looking is None:
            return web.Response(status=404)
        return web.Response(text=Page(self._slack, looking).json(), content_type="application/json")

    async def act(self, request: web.Request) -> web.Response:
        """What a form asks for; pages of other sites may not."""
        if request.headers.get("Origin") not in (None, f"http://{request.host}"):
            return web.Response(status=403, text="This form is not from this page.")
        posted = await request.post()
        form = {k: str(v) for k, v in posted.items()}
        many = {k: [str(v) for v in found if v] for k in posted if len(found := posted.getall(k)) > 1}
        looking = self._looking(form)
        if looking is None:
            return web.Response(status=404, text="That is gone.")
        try:
            outcome = await self._do(looking, form, many)
        except (NotPossible, KeyError) as no:
            return web.Response(status=409, text=str(no))
        if outcome and not outcome.acked:
            return web.Response(status=409, text=f"The app did not answer ({outcome.reason}).")
        if "json" in request.headers.get("Accept", ""):
            return web.json_response({})
        raise web.HTTPSeeOther(looking.query().replace("&amp;", "&"))

    async def _do(self, at: Looking, form: dict[str, str], many: dict[str, list[str]]) -> Outcome | None:
        slack, user, channel = self._slack, at.user, at.channel
        view = slack.world.views.get(form.get("view", ""))
        match form["do"]:
            case "say" if channel and form["line"].startswith("/"):
                return await slack.command(user, channel, form["line"])
            case "say" if channel:
                await slack.say(user, channel, form["line"], thread_ts=form.get("thread", ""))
            case "stop" if channel:
                await slack.stop_stream(user, channel, form["thread"])
            case "click" if view:
                return await slack.click(user, view, form["action"], form["value"])
            case "click" if channel:
                return await slack.click(user, message_at(channel, form["message"]), form["action"], form["value"])
            case "submit" if view:
                values = {k.removeprefix("value."): v for k, v in {**form, **many}.items() if k.startswith("value.")}
                return await slack.submit(user, view, values)
            case "close" if view:
                return await slack.close(user, view)
            case _:
                raise NotPossible("that is gone")
        return None

    def _looking(self, query: dict[str, str]) -> Looking | None:
        world = self._slack.world
        people = [u for u in world.users.values() if not u.app_id and not u.deleted]
        user = world.users.get(query.get("as", "")) or (people[0] if people else None)
        if user is None:
            return None
        mine = [c for c in world.channels.values() if user.id in c.members]
        wanted = world.channels.get(query.get("in", ""))
        channel = wanted if wanted in mine else next(iter(mine), None)
        thread = query.get("keep") or query.get("thread", "")
        in_channel = channel is not None and thread in channel.messages
        home = query.get("home", "")
        return Looking(user, channel, thread if in_channel else "", home if home in world.apps else "")
