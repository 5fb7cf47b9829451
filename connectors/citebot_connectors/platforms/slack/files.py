"""Files attached to a question: texts and snippets are read, from Slack's own hosts alone; the rest is only named."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

import aiohttp
import structlog

from citebot.answering.attached import fitted
from citebot.conversing.attachments import BYTES_MOST, FILES_MOST, MARKUP, PATIENCE, is_text, text_of
from citebot.errors import CitebotError
from citebot.model import Attachment
from citebot_connectors.platforms.slack.calling import Body, Web

log = structlog.get_logger("citebot.slack")

HOSTS = frozenset({"files.slack.com", "files.slack-gov.com"})
SLACK = ("slack.com", "www.slack.com", "slack-gov.com")


class Files:
    """Reads what a message brings along."""

    def __init__(self, web: Web) -> None:
        self._web = web

    async def read(self, question: str, files: Sequence[Body]) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
        """What was read, as much as goes along with a question, and the names of what was not. Never raises."""
        texts = await asyncio.gather(*(self._text(file) for file in files[:FILES_MOST]))
        named = [(_name(file), text) for file, text in zip(files, [*texts, *[""] * len(files)], strict=False)]
        found = [Attachment(name, text) for name, text in named if text]
        return fitted(question, found), tuple(name for name, text in named if not text)

    async def _text(self, file: Body) -> str:
        """The text of one file, empty for one that is not read."""
        try:
            async with asyncio.timeout(PATIENCE):
                if file.get("file_access") == "check_file_info":
                    # In a channel shared with others an event only says that there is a file.
                    file.update((await self._web.read("files.info", file=file["id"]))["file"], file_access="visible")
                return await self._download(str(file["url_private"])) if self._readable(file) else ""
        except (CitebotError, aiohttp.ClientError, TimeoutError, OSError, KeyError, ValueError) as error:
            log.info("attached file not read", file=file.get("id"), why=str(error) or type(error).__name__)
            return ""

    def _readable(self, file: Body) -> bool:
        name, kind, size = str(file.get("name") or ""), str(file.get("mimetype") or ""), int(file.get("size") or 0)
        ours = file.get("mode") in ("hosted", "snippet") and not file.get("is_external")
        at_slack = is_slack(self._web.base_url, str(file.get("url_private") or ""))
        return ours and at_slack and is_text(name, kind, size)

    async def _download(self, address: str) -> str:
        async with self._web.calling() as client:
            assert client.session is not None, "the Web API shares it"
            headers = {"Authorization": f"Bearer {client.token}"}
            async with client.session.get(address, headers=headers, allow_redirects=False) as response:
                if response.status != 200 or response.content_type in MARKUP:
                    return ""
                data = await response.content.read(BYTES_MOST + 1)
                while len(data) <= BYTES_MOST and not response.content.at_eof():
                    data += await response.content.read(BYTES_MOST + 1 - len(data))
        return text_of(data)


def is_slack(api: str, address: str) -> bool:
    """Whether the token may be shown there: to Slack's host for files, in tests to the host of the Web API."""
    to, ours = urlsplit(address), urlsplit(api)
    if ours.netloc in SLACK:
        return to.scheme == "https" and to.netloc in HOSTS
    return (to.scheme, to.netloc) == (ours.scheme, ours.netloc)


def _name(file: Body) -> str:
    return str(file.get("name") or file.get("title") or "a file")
