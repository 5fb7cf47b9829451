"""What `citebot doctor` says about a server: one real call, which alone shows that address, key and model are right."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from citebot.errors import ModelRefused, ModelUnavailable
from citebot.model import Finding
from citebot_plugins.openai_compatible.server import Server

_NAMES = 8  # models named to somebody who has to choose one


async def examined(server: Server, call: Callable[[], Awaitable[str]]) -> AsyncIterator[Finding]:
    """Whether a call that uses nearly nothing comes back, and else what to do."""
    place = server.place
    await server.open()
    try:
        done = await call()
    except ModelUnavailable as error:
        yield Finding(ok=False, what=f"{place.kind} openai_compatible: {error}", fix=await _choice(server, error))
    else:
        yield Finding(ok=True, what=f"{place.kind} openai_compatible: {place.model} at {place.url} {done}")
    finally:
        await server.close()


async def _choice(server: Server, error: ModelUnavailable) -> str:
    """What there is instead of a model that there is not."""
    if not isinstance(error, ModelRefused) or error.why != "model":
        return ""
    try:
        names = await server.models()
    except ModelUnavailable:
        return ""
    return f"It has: {', '.join(names[:_NAMES])}{' …' if len(names) > _NAMES else ''}" if names else ""
