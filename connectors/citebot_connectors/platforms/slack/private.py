"""Answers that only the asker sees: beside the command or the message they asked about, else in a direct message.

Slack gives an address for each command that takes five messages within half an hour. What is sent there is gone when
the asker reloads, cannot be found again and cannot be changed: an answer is shown once, when it is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NoReturn

import aiohttp
import structlog
from slack_sdk.errors import SlackClientError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from citebot.errors import CannotShow, CitebotError, Retry, StreamEnded
from citebot.model import Conversation, Status
from citebot.ports import Message, Outbound
from citebot_connectors.platforms.slack.blocks import actions, context, pressed, section
from citebot_connectors.platforms.slack.calling import TIMEOUT, Body, Web
from citebot_connectors.platforms.slack.drawing import FEEDBACK, Drawing
from citebot_connectors.platforms.slack.markup import escaped, quoted
from citebot_connectors.platforms.slack.texts import Texts

log = structlog.get_logger("citebot.slack")


PREFIX = "private:"
SHARE = "citebot_share"
RETRY_ANEW = "citebot_retry_anew"
"""What was shown here cannot be replaced."""
ALONE = "citebot_alone"
SHARED_FROM = ("C", "G")
"""First letters of places an answer can be shared in: channels."""
QUESTION_MOST = 300
NO_UNFURL = {"unfurl_links": False, "unfurl_media": False}
ONLY_WHOLE = "A private answer is shown when it is complete."


def private_place(channel: str, user: str) -> str:
    """The id of the conversation where one person asks for themselves, though they are in a channel."""
    return f"{PREFIX}{channel}:{user}"


def is_private(conversation: Conversation) -> bool:
    """Whether a conversation is one of these."""
    return conversation.visibility == "dm" and conversation.id.startswith(PREFIX)


def place_of(conversation: Conversation) -> tuple[str, str]:
    """The channel and the user of such a conversation."""
    channel, _, user = conversation.id.removeprefix(PREFIX).partition(":")
    return channel, user


def question_id(address: str, asked_at: datetime) -> str:
    """The id of a question that is no message: when it was asked, and where Slack takes the answer."""
    return f"{asked_at.timestamp():.0f} {address}"


class PrivateOutlet:
    """Shows answers in these conversations."""

    def __init__(self, web: Web, *, texts_of: Callable[[str], Texts], now: Callable[[], datetime]) -> None:
        self._web = web
        self._texts_of = texts_of
        """By user."""
        self._now = now

    async def post(self, to: Outbound, message: Message, *, key: str) -> str:
        """Show a complete message. Raises `Retry` and `CannotShow`."""
        if message.status:
            raise CannotShow(ONLY_WHOLE)
        channel, user = place_of(to.conversation)
        texts = self._texts_of(user)
        drawn = Drawing(texts, self._now()).message(message)
        drawn["blocks"] = [shown for block in drawn["blocks"] for shown in _fitting(block, message, texts, channel)]
        asked_at, _, address = to.reply_to.partition(" ")
        if not await respond(self._web, address, drawn):
            late = _late(texts, asked_at, message)
            await self._web.post(
                "chat.postMessage", channel=user, **drawn | {"blocks": [late, *drawn["blocks"]]}, **NO_UNFURL
            )
        return key

    async def edit(self, to: Outbound, message_id: str, message: Message) -> None:
        """It shows the whole answer already."""

    async def remove(self, to: Outbound, message_id: str) -> None:
        """It goes away by itself."""

    async def find(self, to: Outbound, *, key: str) -> str | None:
        """It cannot be looked for; after a crash in the middle of sending, its asker may see it twice."""
        return None

    async def begin_stream(self, to: Outbound, *, key: str) -> str:
        """There are no streams that only one person sees."""
        raise CannotShow(ONLY_WHOLE)

    async def extend_stream(self, to: Outbound, message_id: str, text: str) -> NoReturn:
        """As `begin_stream`."""
        raise StreamEnded(ONLY_WHOLE)

    async def end_stream(self, to: Outbound, message_id: str, message: Message) -> NoReturn:
        """As `begin_stream`."""
        raise StreamEnded(ONLY_WHOLE)

    async def show_status(self, to: Outbound, status: Status) -> None:
        """The asker was told when the question was taken."""


async def respond(web: Web, address: str, body: Body) -> bool:
    """Send something to the address of a command or a click; whether it was still good. Raises `Retry`."""
    if not address:
        return False
    message = {"response_type": "ephemeral", "replace_original": False, **NO_UNFURL, **body}
    try:
        async with web.calling() as client:
            hook = AsyncWebhookClient(address, timeout=TIMEOUT, session=client.session, retry_handlers=[])
            answer = await hook.send_dict(message)
    except (aiohttp.ClientError, TimeoutError, OSError, SlackClientError) as error:
        raise Retry(f"Slack did not take a private message: {type(error).__name__}.") from error
    if answer.status_code == 429 or answer.status_code >= 500:
        headers = {str(name).lower(): value for name, value in answer.headers.items()}
        after = float(headers.get("retry-after", 1))
        raise Retry(f"Slack takes no private messages now: {answer.status_code}.", after=after)
    return answer.status_code == 200


async def whisper(web: Web, address: str, text: str, *, replace_original: bool = False) -> None:
    """Say something there. Never fatal."""
    try:
        await respond(web, address, {"text": text, "replace_original": replace_original})
    except CitebotError as error:
        log.info("notice not shown", why=str(error))


def _fitting(block: Body, message: Message, texts: Texts, channel: str) -> list[Body]:
    """Buttons that make sense here: what nobody else sees need not be deleted, but may be shared."""
    if message.retry and block["type"] == "actions":
        return [{**block, "elements": [{**one, "action_id": RETRY_ANEW} for one in block["elements"]]}]
    if block["type"] != "context_actions" or message.answer is None:
        return [block]
    feedback = {**block, "elements": [one for one in block["elements"] if one["action_id"] == FEEDBACK]}
    if not message.answer.answered or not channel.startswith(SHARED_FROM):
        return [feedback]
    return [feedback, actions(pressed(SHARE, texts.share, message.answer.id))]


def offer(texts: Texts, value: str) -> Body:
    """What tells the asker that there is an answer for them alone."""
    words = escaped(texts.offer_alone)
    return {"text": words, "blocks": [section(words), actions(pressed(ALONE, texts.answer_alone, value))]}


def _late(texts: Texts, asked_at: str, message: Message) -> Body:
    """What an answer in a direct message is about."""
    time = moment(int(asked_at)) if asked_at.isdigit() else ""
    words = [texts.asked_at.format(time=time)] if time else []
    if message.answer is not None:
        words.append(quoted(message.answer.question.text[:QUESTION_MOST]))
    return context(": ".join(words) or texts.ask_private)


def moment(seconds: int) -> str:
    """A time that Slack shows to everybody in their own zone."""
    return f"<!date^{seconds}^{{time}}|{datetime.fromtimestamp(seconds, UTC):%H:%M} UTC>"
