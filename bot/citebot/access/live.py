"""The last look at who may read: the sources that can say so are asked about the few passages an answer shows.

Lists of readers are as old as the last read of a source. A source with `may_read` answers for this moment, so what was
restricted a second ago stays out. Fails closed: a source that does not answer in time hides its passages.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass

import structlog

from citebot.model import Audience, Passage, Person

log = structlog.get_logger("citebot.access")

Ask = Callable[[str, Collection[str]], Awaitable[set[str]]]
"""Those of some document ids that a person may read now."""
ASKED_ABOUT = 5
"""In a conversation of more people than this only the asker is asked about: a call for each would take too long."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What is left of some passages."""

    readable: frozenset[int]
    """Passage ids."""
    silent: tuple[str, ...] = ()
    """Sources that could not say it in time, for the note to the asker."""


class LiveReaders:
    """Asks sources who may read. `ask_of` gives the way to ask a source, None where it cannot be asked."""

    def __init__(self, ask_of: Callable[[Collection[str]], Awaitable[dict[str, Ask]]], *, seconds: float) -> None:
        self._ask_of = ask_of
        self._seconds = seconds

    async def check(self, audience: Audience, asker: Person, passages: Iterable[Passage]) -> Checked:
        """The passages that everyone asked about may read now. Never raises for a sick source."""
        by_source: dict[str, list[Passage]] = defaultdict(list)
        for passage in passages:
            by_source[passage.source].append(passage)
        people = _asked_about(audience, asker)
        asks = await self._ask_of(by_source) if people and by_source else {}
        names = [name for name in by_source if name in asks]
        answers = await asyncio.gather(*(self._readable(asks[name], people, by_source[name], name) for name in names))
        readable = {passage.id for name, some in by_source.items() if name not in asks for passage in some}
        for answer in answers:
            readable |= answer or set()
        silent = tuple(name for name, answer in zip(names, answers, strict=True) if answer is None)
        return Checked(frozenset(readable), silent)

    async def _readable(
        self, ask: Ask, people: Collection[str], passages: Collection[Passage], source: str
    ) -> set[int] | None:
        ids = {passage.document_id for passage in passages}
        try:
            async with asyncio.timeout(self._seconds):
                for person in people:
                    ids &= await ask(person, sorted(ids))
        except Exception as error:  # noqa: BLE001 - whatever it is: who may read is not known, so nobody may
            log.warning("source did not say who may read", source=source, error=type(error).__name__)
            return None
        if hidden := len({passage.document_id for passage in passages} - ids):
            log.info("source says they may not read this now", source=source, documents=hidden)
        return {passage.id for passage in passages if passage.document_id in ids}


def _asked_about(audience: Audience, asker: Person) -> list[str]:
    """People of whom sources may know something; without an id nothing is known of a person."""
    people = audience.people if len(audience.people) <= ASKED_ABOUT else audience.people & {asker.id}
    return sorted(people)
