"""`POST /hooks/{source}`: the one address that anybody may call, served beside the web chat."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from citebot.app.events import MAX_BODY, Events
from citebot.errors import CitebotError, NotAllowed, WrongUse
from citebot.ports import SourceEvent

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

AT_ONCE = 8
"""Events read at the same time; more are told to come again, as senders do."""


def hook_route(events: Events) -> Route:
    """The route. Answers 202 with how many documents are fetched; 401, 404, 413, 400 and 503 say why nothing is."""
    # Only platforms that serve the web need starlette, which is in an extra.
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    places = asyncio.Semaphore(AT_ONCE)

    def refused(status: int, line: str, **headers: str) -> Response:
        return JSONResponse({"error": line}, status_code=status, headers=headers)

    async def read(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return refused(413, f"An event has at most {MAX_BODY:,} bytes.")
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            named = await events.receive(request.path_params["source"], SourceEvent(headers, body))
        except NotAllowed:
            return refused(401, "The signature of this event is not right.")
        except WrongUse as error:
            return refused(404, str(error))
        except CitebotError as error:
            return refused(400, str(error))
        return JSONResponse({"documents": named}, status_code=202)

    async def hook(request: Request) -> Response:
        if places.locked():
            return refused(503, "Too many events at once; send it again.", **{"retry-after": "5"})
        async with places:
            return await read(request)

    return Route("/hooks/{source}", hook, methods=["POST"])


async def _body(request: Request) -> bytes | None:
    """The body, or None when it is too long; no more of it is read than that takes."""
    read = bytearray()
    async for piece in request.stream():
        read += piece
        if len(read) > MAX_BODY:
            return None
    return bytes(read)
