"""The addresses of the page: look, and act."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from aiohttp import web

from citebot.testing.chat.fake import Answered, NotPossible
from citebot.testing.chat.page import Looking, Page

L = TypeVar("L", bound=Looking)


class Browsing(ABC, Generic[L]):
    """Serves a browser."""

    nobody = "There is nobody here yet."

    @abstractmethod
    def looking(self, query: dict[str, str]) -> L | None:
        """Who looks at what; None when there is nobody."""

    @abstractmethod
    def draw(self, at: L) -> Page:
        """What they see."""

    @abstractmethod
    async def do(self, at: L, form: dict[str, str], many: dict[str, list[str]]) -> Answered | None:
        """What a form asks for, and how an app took it; raises `NotPossible`."""

    async def opened(self, at: L) -> None:
        """Somebody opened the page."""

    def routes(self) -> list[web.RouteDef]:
        """All addresses of the page."""
        return [web.get("/", self.page), web.get("/view/parts", self.parts), web.post("/view/act", self.act)]

    async def page(self, request: web.Request) -> web.Response:
        """The whole page."""
        at = self.looking(dict(request.query))
        if at is None:
            return web.Response(text=self.nobody)
        await self.opened(at)
        return web.Response(text=self.draw(at).html(), content_type="text/html")

    async def parts(self, request: web.Request) -> web.Response:
        """What changes."""
        at = self.looking(dict(request.query))
        if at is None:
            return web.Response(status=404)
        return web.Response(text=self.draw(at).json(), content_type="application/json")

    async def act(self, request: web.Request) -> web.Response:
        """What a form asks for; pages of other sites may not."""
        if request.headers.get("Origin") not in (None, f"http://{request.host}"):
            return web.Response(status=403, text="This form is not from this page.")
        posted = await request.post()
        form = {k: str(v) for k, v in posted.items()}
        many = {k: [str(v) for v in found if v] for k in posted if len(found := posted.getall(k)) > 1}
        at = self.looking(form)
        if at is None:
            return web.Response(status=404, text="That is gone.")
        try:
            outcome = await self.do(at, form, many)
        except (NotPossible, KeyError) as no:
            return web.Response(status=409, text=str(no))
        if outcome and not outcome.acked:
            return web.Response(status=409, text=f"The app did not answer ({outcome.reason}).")
        if "json" in request.headers.get("Accept", ""):
            return web.json_response({})
        raise web.HTTPSeeOther(at.query().replace("&amp;", "&"))
