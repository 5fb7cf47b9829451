"""What a Slack app is made of, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from slack_bolt.app.async_app import AsyncApp

from citebot.conversing.catching_up import CatchUp, Reach
from citebot.conversing.chat import Spawn
from citebot.conversing.hearing import Hearing
from citebot.conversing.people import People
from citebot.conversing.reception import Reception
from citebot.conversing.threads import Threads as KnownThreads
from citebot.errors import PluginError, Retry
from citebot.model import Conversation, Helper
from citebot.ports import Actor, Desk, News, Outbound, Role, Vault
from citebot_connectors.platforms.slack.actions import SAVE_ANSWER, WHY, Actions
from citebot_connectors.platforms.slack.app import MEMBERSHIP, Handlers, build_app
from citebot_connectors.platforms.slack.calling import Refused, Web
from citebot_connectors.platforms.slack.commands import ABOUT, SETTINGS, Commands
from citebot_connectors.platforms.slack.drawing import ASK_PEOPLE, DELETE, FEEDBACK, RETRY
from citebot_connectors.platforms.slack.experts import Experts
from citebot_connectors.platforms.slack.home import Home
from citebot_connectors.platforms.slack.inbound import Events, History, Room
from citebot_connectors.platforms.slack.live import Live
from citebot_connectors.platforms.slack.manifest import ASK_SHORTCUT, SHORTCUT
from citebot_connectors.platforms.slack.markup import MARKUP
from citebot_connectors.platforms.slack.outlet import Outlet
from citebot_connectors.platforms.slack.people import Directory
from citebot_connectors.platforms.slack.private import ALONE, RETRY_ANEW, SHARE, PrivateOutlet, is_private
from citebot_connectors.platforms.slack.questions import ts_of
from citebot_connectors.platforms.slack.rights import role_of
from citebot_connectors.platforms.slack.settings import SlackSettings
from citebot_connectors.platforms.slack.texts import Texts, texts_for
from citebot_connectors.platforms.slack.threads import Threads


class Parts:
    """Everything about one workspace."""

    def __init__(
        self, settings: SlackSettings, token: str, *, now: Callable[[], datetime], clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._now = now
        self.web = Web(token, settings.api_url)
        self.people = People(Directory(self.web, settings.people), clock=clock)
        self.live = Live(self.web, self.people, clock=clock) if settings.live_search else None
        self._read = Threads(self.web)
        self.threads = KnownThreads(self._read.said)
        self.outlet = Outlet(self.web, self._read, texts=self._texts_to, now=now)
        self.private = PrivateOutlet(
            self.web, texts_of=lambda user: self.texts_of(self.people.locale_of(user)), now=now
        )

    def shows(self, to: Outbound) -> Outlet | PrivateOutlet:
        """What shows an answer there."""
        return self.private if is_private(to.conversation) else self.outlet

    def app(self, desk: Desk, *, spawn: Spawn) -> AsyncApp:
        """The Bolt app over a desk."""
        at = self._at = self._reception(desk, spawn)
        actions = Actions(at, self.web, self._read, self.outlet)
        self._hearing = Hearing(at, replied=actions.replied)
        secret = self._settings.signing_secret.get_secret_value()
        return build_app(self.web, self._handlers(at, actions), signing_secret=secret)

    def _reception(self, desk: Desk, spawn: Spawn) -> Reception:
        return Reception(
            platform="slack",
            desk=desk,
            chat=Room(self.web, self._read, self.outlet, self.live),
            markup=MARKUP,
            people=self.people,
            threads=self.threads,
            texts_of=self.texts_of,
            now=self._now,
            spawn=spawn,
            command=self._settings.command,
        )

    def _handlers(self, at: Reception, actions: Actions) -> Handlers:
        events = Events(self.web, self.people, self._hearing, spread=at.desk.spread)
        commands = Commands(at, self.web)
        home = Home(at, self.web, texts_of=self.texts_of, suggestions=self._settings.suggestions)
        return Handlers(
            events={
                "app_mention": events.mention,
                "message": events.message,
                "agent_session_stopped": events.stopped,
                "user_change": events.person_changed,
                MEMBERSHIP: events.membership,
                "app_home_opened": home.opened,
            },
            actions={
                FEEDBACK: actions.rate,
                DELETE: actions.delete,
                RETRY: actions.retry,
                RETRY_ANEW: actions.retry,
                ASK_PEOPLE: actions.ask_people,
                SAVE_ANSWER: actions.save,
                SHARE: commands.share,
                ALONE: commands.alone,
            },
            shortcuts={SHORTCUT: commands.about, ASK_SHORTCUT: commands.anything},
            commands={at.command: commands.typed},
            views={WHY: actions.explain, ABOUT: commands.asked_about, SETTINGS: commands.settings},
        )

    def catch_up(self, marks: Vault, *, heard: Callable[[], float]) -> CatchUp:
        """What looks back after an outage; for the events of `app`."""
        return CatchUp(
            self._at,
            self._hearing,
            History(self.web),
            marks,
            Reach(self._settings.catch_up * 3600),
            heard=heard,
            now=lambda: self._now().timestamp(),
        )

    def heed(self, news: News) -> None:
        """Forget what is remembered about a channel or a user."""
        if news.kind == "channel":
            self.people.forget_channel(news.subject)
        else:
            self.people.forget_member(news.subject)

    async def people_for(self, conversation: Conversation, authors: Sequence[str]) -> Sequence[Helper]:
        """Whom to ask in a channel."""
        known = Experts(self.web, self.people, self._settings.experts)
        return await known.in_channel(conversation.id, authors)

    async def role_of(self, actor: Actor) -> Role:
        """What somebody may change, by Slack's own word."""
        return await role_of(self.web, self._settings.admins, actor)

    async def introduce(self) -> None:
        """Find out who we are; a token that Slack does not take ends the platform with one line."""
        try:
            await self.web.identity()
        except Refused as error:
            raise PluginError(str(error), plugin="slack") from error
        except Retry:
            return  # the link goes on trying

    def texts_of(self, locale: str) -> Texts:
        """The texts for somebody with this locale."""
        return texts_for(locale if self._settings.language == "auto" else self._settings.language)

    def _texts_to(self, to: Outbound) -> Texts:
        asker = to.account or self.outlet.asker_of(to.conversation.id, ts_of(to.reply_to))
        return self.texts_of(self.people.locale_of(asker))
