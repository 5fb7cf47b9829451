"""What a person looks at in the browser, and what they do there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from citebot.testing.chat.browsing import Browsing
from citebot.testing.chat.fake import NotPossible
from citebot.testing.slack.people import Outcome
from citebot.testing.slack.view import Looking, WorkspacePage, message_at

if TYPE_CHECKING:
    from citebot.testing.slack.control import FakeSlack


class SlackBrowsing(Browsing[Looking]):
    """Serves a workspace."""

    nobody = "There is nobody in this workspace yet."

    def __init__(self, slack: FakeSlack) -> None:
        self._slack = slack

    def draw(self, at: Looking) -> WorkspacePage:
        """The workspace as they see it."""
        return WorkspacePage(self._slack, at)

    async def opened(self, at: Looking) -> None:
        """Apps hear of an open Home tab."""
        if at.home:
            await self._slack.open_home(at.user, self._slack.world.apps[at.home])

    async def do(self, at: Looking, form: dict[str, str], many: dict[str, list[str]]) -> Outcome | None:
        """What a form asks for."""
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

    def looking(self, query: dict[str, str]) -> Looking | None:
        """Who looks at what; the first person at their first channel unless the address says otherwise."""
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
