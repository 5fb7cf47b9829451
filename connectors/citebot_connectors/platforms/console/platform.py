"""The web chat as a platform."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import ClassVar

import click
from pydantic import BaseModel

from citebot.errors import PluginError
from citebot.model import Conversation, Person
from citebot.ports import Capabilities, Desk, Outbound, PartContext
from citebot_connectors.platforms.console.settings import ConsoleSettings
from citebot_connectors.platforms.console.streams import StreamedAnswer, Streams, owner_key


def say(line: str) -> None:
    """Tell the person who started the server."""
    click.echo(line, err=True)


class ConsolePlatform:
    """Serves the web chat; one conversation per browser tab, seen by its asker alone."""

    name: ClassVar[str] = "console"
    summary: ClassVar[str] = "Web chat on this machine, or on your network behind a token; and the terminal chat."
    Settings: ClassVar[type[BaseModel]] = ConsoleSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        stream=True,
        edit=True,
        threads=False,
        buttons=True,
        private_answers=True,
        text_limit=100_000,
        edits_per_second=20.0,
    )

    def __init__(self, settings: ConsoleSettings, context: PartContext) -> None:
        self.settings = settings
        self.announce: Callable[[str], None] = say
        """Gets the lines for whoever started the server."""
        self.address = ""
        """Where the page is, once `listening` is set."""
        self.listening = asyncio.Event()
        self._streams = Streams(clock=time.monotonic)

    async def run(self, desk: Desk) -> None:
        try:
            from citebot_connectors.platforms.console.server import address_of, listen, serving
            from citebot_connectors.platforms.console.web import Clocks, build_web
        except ImportError as error:
            raise PluginError(
                f"The web chat needs {error.name}: pip install 'citebot[web]'.", plugin="console"
            ) from error
        wanted = self.settings
        web = build_web(wanted, desk, self._streams, Clocks(wall=time.time, monotonic=time.monotonic))
        sock = listen(wanted.host, wanted.port, wanted.port_search)
        try:
            self.address = address_of(sock, wanted.host)
            port = sock.getsockname()[1]
            if wanted.port not in (0, port):
                self.announce(f"Port {wanted.port} is taken by another program; using {port} instead.")
            async with serving(web, sock, release=self._streams.release) as server:
                self.announce(f"The web chat is at {self.address}")
                self.listening.set()
                await asyncio.shield(server)
        finally:
            self.listening.clear()
            sock.close()

    async def open_answer(self, to: Outbound) -> StreamedAnswer:
        owner = to.conversation.id.partition(".")[0]
        return self._streams.find_or_add(owner, to.reply_to).open()

    async def seen_by(self, conversation: Conversation, asker: Person) -> frozenset[Person] | None:
        owner = conversation.id.partition(".")[0]
        if conversation.platform != self.name or owner != owner_key(asker.id):
            return None
        return frozenset({asker})
