"""Who talks with whom in a thread: an untagged message is a question only while asker and bot are the active pair."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from citebot.conversing.chat import Said
from citebot.conversing.known import Lately
from citebot.model import Turn

TURNS = 6
TURN_MOST = 2_000
ANSWERS_MOST = 50
"""Answers in one thread; a conversation that goes on by itself ends here."""
KEPT = 1_000
"""Threads; another is read again when something is said in it."""


@dataclass(slots=True)
class Thread:
    """What we know of one thread."""

    partner: str = ""
    """The account that talks with us, until somebody else speaks."""
    answers: int = 0


class Threads:
    """Threads in which something was said lately; others are read once, by `Chat.thread`."""

    def __init__(self, read: Callable[[str, str], Awaitable[Sequence[Said]]]) -> None:
        self._read = read
        self._known: Lately[tuple[str, str], Thread] = Lately(KEPT)

    async def known(self, channel: str, thread: str) -> Thread:
        """What is known of a thread, read the first time."""
        if (channel, thread) not in self._known:
            self.learn(channel, thread, await self._read(channel, thread))
        return self._known[channel, thread]

    def learn(self, channel: str, thread: str, messages: Iterable[Said]) -> None:
        """The thread was read anyway."""
        self._known[channel, thread] = read_thread(messages)

    def asked(self, channel: str, thread: str, account: str) -> None:
        """A question to us was taken."""
        found = self._known.get((channel, thread)) or Thread()
        found.partner = account
        found.answers += 1
        self._known[channel, thread] = found

    def spoke(self, channel: str, thread: str) -> None:
        """Somebody said something that is not for us: the pair is no more, whoever spoke."""
        if (found := self._known.get((channel, thread))) is not None:
            found.partner = ""

    def full(self, channel: str, thread: str) -> bool:
        """Whether there are so many answers that it looks like a conversation of machines."""
        found = self._known.get((channel, thread))
        return found is not None and found.answers >= ANSWERS_MOST


def read_thread(messages: Iterable[Said]) -> Thread:
    """Who talks with us after these messages."""
    found, speaker = Thread(), ""
    for said in messages:
        if said.ours:
            found.partner, found.answers = speaker, found.answers + 1
        elif not said.machine:
            speaker = said.author
            if found.partner != said.author:
                found.partner = said.author if said.calls_us else ""
    return found


def for_us(messages: Sequence[Said], number: int, *, direct: bool) -> bool:
    """Whether one message of a thread was for us when it was said; all are in a direct message."""
    said = messages[number]
    if said.ours or said.machine or not said.author:
        return False
    return direct or said.calls_us or (not said.calls and read_thread(messages[:number]).partner == said.author)


def turns(messages: Iterable[Said], *, before: float) -> tuple[Turn, ...]:
    """What was said in a thread before a moment, without other programs."""
    told = [said for said in messages if said.at < before and said.text and not said.machine]
    return tuple(Turn("assistant" if said.ours else "user", said.text[:TURN_MOST]) for said in told[-TURNS:])
