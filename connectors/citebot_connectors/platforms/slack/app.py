"""The Bolt app: which handler hears of what, whichever way it came in."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse

from citebot.errors import Retry, StorageError
from citebot_connectors.platforms.slack.calling import Body, Web

log = structlog.get_logger("citebot.slack")


MEMBERSHIP = re.compile(
    "member_(joined|left)_channel|(channel|group)_(left|archive|unarchive|rename|deleted|shared|unshared)|"
    "channel_(convert_to_private|convert_to_public|id_changed)"
)
ANYTHING = re.compile(".*", re.DOTALL)
Ack = Callable[..., Awaitable[Any]]
Handler = Callable[[Body], Awaitable[None]]
Shows = Callable[[Body], Awaitable[str]]
Submits = Callable[[Body], Awaitable[Body | None]]


@dataclass(frozen=True, slots=True)
class Handlers:
    """Who hears of what, by Slack's own names."""

    events: Mapping[str | re.Pattern[str], Handler]
    actions: Mapping[str, Handler]
    """Of buttons."""
    shortcuts: Mapping[str, Handler]
    """Of messages, and those that are everywhere."""
    commands: Mapping[str, Shows]
    """Each returns what is said to whoever typed it."""
    views: Mapping[str, Submits]
    """Of modals; what is returned tells what is wrong with it."""


def build_app(web: Web, handlers: Handlers, *, signing_secret: str) -> AsyncApp:
    """Handlers run before Bolt acknowledges: a question that could not be stored comes again."""

    async def authorize(**_: Any) -> AuthorizeResult:
        us = await web.identity()
        return AuthorizeResult(
            enterprise_id=None,
            team_id=us.team,
            bot_user_id=us.user,
            bot_id=us.bot,
            bot_token=web.client.token,
        )

    quiet = logging.getLogger("citebot.slack.bolt")
    quiet.setLevel(logging.ERROR)  # what goes wrong with an event or the socket we say ourselves
    app = AsyncApp(
        client=web.client,
        authorize=authorize,
        signing_secret=signing_secret or "-",
        request_verification_enabled=bool(signing_secret),
        process_before_response=True,
        attaching_conversation_kwargs_enabled=False,
        logger=quiet,
    )
    for event, heard in [*handlers.events.items(), (ANYTHING, _nothing)]:
        app.event(event)(_event(heard))
    for name, done in handlers.actions.items():
        app.action(name)(_action(done))
    for name, done in handlers.shortcuts.items():
        app.shortcut(name)(_action(done))
    for name, shown in handlers.commands.items():
        app.command(name)(_command(shown))
    for name, submitted in handlers.views.items():
        app.view(name)(_view(submitted))

    @app.error
    async def failed(error: Exception, body: Body) -> BoltResponse:
        event = body.get("event") or {}
        log.warning("not taken from Slack", type=event.get("type") or body.get("type"), why=str(error))
        return BoltResponse(status=status_for(error), body="")

    return app


def status_for(error: Exception) -> int:
    """What Slack is told of something that was not taken; all of these make it send an event again."""
    return 503 if isinstance(error, Retry | StorageError) else 400


async def _nothing(body: Body) -> None:
    """For events nobody wants: without an answer Slack sends them again."""


def _event(handle: Handler) -> Callable[..., Awaitable[None]]:
    async def listener(body: Body) -> None:
        await handle(body)

    return listener


def _action(handle: Handler) -> Callable[..., Awaitable[None]]:
    async def listener(body: Body, ack: Ack) -> None:
        await handle(body)
        await ack()

    return listener


def _command(handle: Shows) -> Callable[..., Awaitable[None]]:
    async def listener(body: Body, ack: Ack) -> None:
        said = await handle(body)
        await ack(**{"text": said, "response_type": "ephemeral"} if said else {})

    return listener


def _view(handle: Submits) -> Callable[..., Awaitable[None]]:
    async def listener(body: Body, ack: Ack) -> None:
        await ack(**await handle(body) or {})

    return listener
