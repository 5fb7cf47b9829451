"""Whether a process can do what its role is, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from citebot.app.core import Citebot
from citebot.errors import CitebotError
from citebot.ports import Platform, TellsTrouble


class Readiness:
    """Asked by probes and by people."""

    def __init__(self, bot: Citebot, *, listening: Platform | None) -> None:
        self._bot = bot
        self._listening = listening
        """The platform that questions come in by, here."""
        self.platform = listening
        """The platform of this process, also where it only shows answers."""
        self._stands_by = False

    def stand_by(self, waits: bool) -> None:
        """Whether another process listens now, and this one takes its place when it ends: that is no trouble."""
        self._stands_by = waits

    async def problems(self) -> Sequence[str]:
        """What does not work, one line each; also what can be done without."""
        trouble = await self._bot.indexing.trouble() if self._bot.searches else ""
        return [*await self._unready(), *([trouble] if trouble else []), *self._bot.calls.troubles()]

    async def ready(self) -> bool:
        """Without a model that writes it is: passages are shown."""
        return not await self._unready()

    async def _unready(self) -> list[str]:
        try:
            await self._bot.check_database()
            if self._bot.searches:
                await self._bot.indexing.check()
        except CitebotError as error:
            return [str(error)]
        platform = self._listening
        trouble = platform.trouble if isinstance(platform, TellsTrouble) and not self._stands_by else ""
        return [f"{platform.name}: {trouble}"] if platform is not None and trouble else []
