"""The connection to the gateway, and who watches over it: a fault ends it now and then, and a new one is not free."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
import structlog

from citebot.errors import PluginError
from citebot_connectors.platforms.discord.calling import Wire

if TYPE_CHECKING:
    from citebot_connectors.platforms.discord.client import Events

log = structlog.get_logger("citebot.discord")

HOUR = 3_600.0
FRAMES = 5
"""Of a trace in the log, without the values in them: among these is the token."""
FINAL = frozenset({4004, 4010, 4011, 4012, 4013, 4014})
"""Codes of closing after which Discord takes no other try of the same."""
NEEDED = frozenset({"READY", "RESUMED"})


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds."""

    first: float = 1.0
    """The pause after a fault; it doubles with each one."""
    longest: float = 600.0
    steady: float = 600.0
    """A connection that lasted so long starts anew with the pauses."""
    identify: float = 5.0
    """Between two new sessions; it doubles within an hour. Discord takes the token away after a thousand a day."""
    ready: float = 2.0
    """Wait for the next server to be told of, at the start."""
    silent: float = 45.0
    """A connection on which nothing comes is dead; Discord answers a heartbeat every 41 seconds."""


class Identifies:
    """The new sessions of an hour, for each shard."""

    def __init__(self, pace: Pace, *, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._begun: defaultdict[int | None, list[float]] = defaultdict(list)

    async def take(self, shard: int | None) -> None:
        """Return when a new session may begin."""
        recent = [at for at in self._begun[shard] if self._clock() - at < HOUR]
        if recent:
            gap = min(self._pace.longest, self._pace.identify * 2.0 ** (len(recent) - 1))
            await self._sleep(max(0.0, recent[-1] + gap - self._clock()))
        self._begun[shard] = [*recent, self._clock()]


class Link:
    """One supervised client. `missed` is told from when on something may not have come in."""

    def __init__(
        self,
        make: Callable[[Link], Events],
        wire: Wire,
        token: str,
        pace: Pace,
        *,
        connected: asyncio.Event,
        missed: Callable[[float], None],
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._make = make
        self._wire = wire
        self._token = token
        self.pace = pace
        self._missed = missed
        self._wall = wall
        self._clock = clock
        self._sleep = sleep
        self.identifies = Identifies(pace, clock=clock, sleep=sleep)
        self.connected = connected
        self.trouble = "not connected to Discord yet"
        """Why questions do not come in; empty while they do."""
        self._down: set[int | None] = {None}
        """Connections that are lost; None until all of them have been there."""
        self._since = 0.0
        """Until when everything came in, while it does not."""
        self._was_connected = False

    def heard(self) -> float:
        """Until when everything came in; 0 before the first connection."""
        return self._wall() if self.connected.is_set() else self._since

    async def run(self) -> None:
        """Keep connected until cancelled; raises `PluginError` for what no second try mends."""
        faults = 0
        while True:
            began = self._clock()
            client = self._wire.client = self._make(self)
            contain(client)
            try:
                async with client:
                    await client.start(self._token)
                reason = "Discord closed the connection"
            except (discord.LoginFailure, discord.PrivilegedIntentsRequired, discord.ConnectionClosed) as error:
                reason = self._refusal(error)
            except (discord.DiscordException, aiohttp.ClientError, TimeoutError, OSError) as error:
                reason = f"Discord cannot be reached: {type(error).__name__}"
            except Exception as error:  # noqa: BLE001 - a message that discord.py cannot read ends its loop
                # Not with the values of the frames: among these is the token.
                log.warning("the connection to Discord ended by a fault", trace=traceback.format_exc(limit=-FRAMES))
                reason = f"the connection ended by a fault: {type(error).__name__}"
            finally:
                self.lost()
                if not client.is_closed():
                    await client.close()
            faults = 0 if self._clock() - began > self.pace.steady else faults + 1
            self.trouble = reason
            log.warning("no connection to Discord", why=reason)
            await self._sleep(min(self.pace.longest, self.pace.first * 2.0 ** (faults - 1)))

    def lost(self, shard: int | None = None) -> None:
        """Nothing comes in from now on."""
        if self.connected.is_set():
            self._since = self._wall()
            self.trouble = "the connection to Discord is interrupted"
        self._down.add(shard)
        self.connected.clear()

    def back(self, shard: int | None = None, *, anew: bool) -> None:
        """Everything comes in; with `anew` in a new session, which does not tell what came before."""
        if anew and self._since:
            self._missed(self._since)
        self._down.discard(shard)
        if shard is None:
            self._down.clear()
        if not self._down:
            if not self._was_connected:
                log.info("connected to Discord")
            self._was_connected = True
            self.trouble = ""
            self.connected.set()

    def _refusal(self, error: Exception) -> str:
        """Why Discord does not take us; raised where that was never otherwise, and no second try mends it."""
        if isinstance(error, discord.PrivilegedIntentsRequired):
            reason = "Discord does not grant the app an intent that it needs (4014): check its page Bot."
        elif isinstance(error, discord.LoginFailure) or error.code == 4004:  # type: ignore[attr-defined]
            reason = "Discord does not know the token: check platform.discord.bot_token."
        else:
            code = error.code  # type: ignore[attr-defined]
            reason = f"Discord closed the connection: {code}."
            if code == 4011:
                reason = "Discord wants several connections for so many servers: set platform.discord.sharded."
            elif code not in FINAL:
                return reason
        if not self._was_connected:
            raise PluginError(reason, plugin="discord") from error
        return reason  # a token that was good at the start; whoever mends it need not start us again


def contain(client: discord.Client) -> None:
    """Let a message that cannot be read cost itself alone, and not the session."""
    parsers = client._connection.parsers
    for name, parse in [*parsers.items()]:
        if name not in NEEDED:
            parsers[name] = _contained(name, parse)


def _contained(name: str, parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def parsed(data: Any) -> Any:
        try:
            return parse(data)
        except Exception as error:  # noqa: BLE001 - whatever it trips over
            log.warning("an event of Discord's cannot be read", event_type=name, error=type(error).__name__)
            return None

    return parsed
