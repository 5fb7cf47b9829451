"""A Slack for tests: a protocol server that an unmodified Slack client talks to, and the people in it.

    async with FakeSlack(speed=60) as slack:
        alice, app = slack.add_user("alice"), slack.add_app("citebot", commands=["/ask"])
        channel = slack.add_channel("general", [alice, app])
        ...  # start the bot with slack.api_url, app.bot_token and app.app_token
        question = await slack.say(alice, channel, f"{app.mention} where are the keys?")
        await slack.settled()
        assert "shelf" in slack.messages(channel, question.ts)[-1].text

`python -m citebot.testing.slack` shows one in the browser. It needs the extra `slack`.
"""

from citebot.testing.chat.clock import Clock
from citebot.testing.chat.fake import NotPossible
from citebot.testing.slack.control import FakeSlack
from citebot.testing.slack.core import Delivery, Sent
from citebot.testing.slack.people import Outcome
from citebot.testing.slack.reading import Shown
from citebot.testing.slack.state import App, Channel, File, Grant, Message, User, View, Workspace

__all__ = [
    "App",
    "Channel",
    "Clock",
    "Delivery",
    "FakeSlack",
    "File",
    "Grant",
    "Message",
    "NotPossible",
    "Outcome",
    "Sent",
    "Shown",
    "User",
    "View",
    "Workspace",
]
