"""A Discord for tests: a REST API and a gateway that an unmodified Discord client talks to, and the people in it.

    async with FakeDiscord(speed=60) as discord:
        alice, app = discord.add_user("alice"), discord.add_app("citebot")
        channel = discord.add_channel("general")
        ...  # point the client at discord.api_url and discord.gateway_url, start it with app.token, let it sync
        asked = await discord.command(alice, channel, "ask", {"question": "where are the keys?"})
        await discord.settled()
        assert "shelf" in discord.answer(asked).text

discord.py is pointed at it with `discord.http.Route.BASE = fake.api_url` and
`discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(fake.gateway_url)`.
`python -m citebot.testing.discord` shows one in the browser. It needs aiohttp, which the extra `discord` brings.
"""

from citebot.testing.chat.clock import Clock
from citebot.testing.chat.fake import Delivery, NotPossible
from citebot.testing.discord.control import FakeDiscord
from citebot.testing.discord.core import Sent
from citebot.testing.discord.people import Outcome
from citebot.testing.discord.permissions import Permission
from citebot.testing.discord.reading import Shown
from citebot.testing.discord.state import App, Channel, Guild, Message, Modal, Role, User

__all__ = [
    "App",
    "Channel",
    "Clock",
    "Delivery",
    "FakeDiscord",
    "Guild",
    "Message",
    "Modal",
    "NotPossible",
    "Outcome",
    "Permission",
    "Role",
    "Sent",
    "Shown",
    "User",
]
