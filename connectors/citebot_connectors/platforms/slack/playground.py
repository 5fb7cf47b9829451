"""A Slack in the browser, with a company in it that asks the app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from citebot.model import Person
from citebot.ports import Playground
from citebot.testing.slack import FakeSlack
from citebot_connectors.platforms.slack.manifest import COMMAND, SHORTCUT, chosen, events_of, scopes_of

SPEED = 1.0


@asynccontextmanager
async def playground(people: Sequence[Person], *, port: int) -> AsyncIterator[Playground]:
    """Everybody in #general, guests in a channel of their own; the first person looks after the workspace."""
    async with FakeSlack(speed=SPEED, port=port) as slack:
        features = chosen([])
        app = slack.add_app(
            scopes=scopes_of(features), events=events_of(features), commands=[COMMAND], shortcuts=[SHORTCUT]
        )
        users = []
        for number, person in enumerate(people):
            user = slack.add_user(person.id, guest="multi" if person.guest else "", admin=number == 0)
            user.real_name, user.email = person.name or person.id, person.id
            users.append(user)
        members = [user for user in users if not user.is_restricted]
        slack.add_channel("general", [*members, app])
        slack.add_channel("quiet-corner", [*members[:3], app], private=True)
        if guests := [user for user in users if user.is_restricted]:
            slack.add_channel("partners", [*members[:3], *guests, app])
        tokens = {"bot_token": app.bot_token, "app_token": app.app_token, "base_url": slack.api_url}
        yield Playground(slack.url, {**tokens, "people": "mail"})
