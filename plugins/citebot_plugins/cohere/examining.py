"""What `citebot doctor` finds out: reach, key and model, by one call that costs nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

from citebot.errors import ModelRefused, ModelUnavailable
from citebot.model import Finding
from citebot.settings.environment import variable
from citebot_plugins.cohere.client import ONCE, Client
from citebot_plugins.cohere.failures import KEYS


async def examine(client: Client, *, endpoint: str, room: int = 0) -> AsyncIterator[Finding]:
    """Look the model up; `endpoint` is what it must be good for, `room` the tokens that it must have room for."""
    settings, at = client.settings, client.at
    try:
        await client.open()
        with client.told():
            found = await client.api.models.get(settings.model, request_options=ONCE)
    except ModelUnavailable as error:
        yield Finding(ok=False, what=f"{at}: {error}", fix=_fix(error, at))
        return
    finally:
        await client.close()
    yield Finding(ok=True, what=f"{at}: {settings.host} answers, and knows “{settings.model}”")
    if isinstance(found.endpoints, list) and found.endpoints and endpoint not in found.endpoints:
        able = ", ".join(map(str, found.endpoints))
        yield Finding(
            ok=False, what=f"{at}.model: “{settings.model}” is for {able}, not {endpoint}", fix="Choose another model."
        )
    if found.is_deprecated is True:
        yield Finding(
            ok=False, what=f"{at}.model: “{settings.model}” will be switched off", fix="Choose a model that stays."
        )
    if isinstance(found.context_length, int | float) and 0 < found.context_length < room:
        yield Finding(
            ok=False,
            what=f"{at}: “{settings.model}” has room for {found.context_length:,.0f} tokens, not for {room:,}",
            fix=f"Lower {at}.max_prompt_tokens or {at}.max_output_tokens.",
        )


def _fix(error: ModelUnavailable, at: str) -> str:
    if isinstance(error, ModelRefused) and error.why == "key":
        return f"Set {variable((*at.split('.'), 'api_key'))} to a key from {KEYS}."
    if isinstance(error, ModelRefused) and error.why == "model":
        return f"Set {at}.model to a model of https://docs.cohere.com/docs/models."
    if "pip install" in str(error):
        return "pip install 'citebot[cohere]'"
    return f"Look whether {at}.base_url is right and can be reached from here, and try again."
