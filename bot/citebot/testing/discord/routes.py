"""Which address is answered by what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from citebot.testing.discord.browsing import DiscordBrowsing

if TYPE_CHECKING:
    from citebot.testing.discord.control import FakeDiscord


def routes(discord: FakeDiscord) -> list[web.RouteDef]:
    """All addresses of the fake."""

    async def download(request: web.Request) -> web.Response:
        channel = discord.world.channels.get(request.match_info["channel"])
        files = [a for m in (channel.messages.values() if channel else ()) for a in m.attachments]
        found = next((a for a in files if a.id == request.match_info["file"]), None)
        if found is None:
            return web.Response(status=404, text="This content is no longer available.")
        return web.Response(body=found.content, content_type=found.kind)

    return [
        *discord.rest.routes(),
        web.get("/gateway/", discord.gateway.accept),
        web.get("/attachments/{channel}/{file}/{name}", download),
        *DiscordBrowsing(discord).routes(),
    ]
