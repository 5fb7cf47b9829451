"""Promise P14 wherever people talk: documents with words that stand nowhere else, and who is shown them.

Who may read what is decided by the tests once more, from lists of people and nothing of the code under test. The
generator tells all it was given, and is held up while the readers of a place change.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel

from citebot.model import Status
from citebot.ports import Draft, GenerationRequest, NoSettings

T = TypeVar("T")
DOCUMENTS = 160
AT_ONCE = 8
SECRET = re.compile(r"(?:canary|title|address)(\d+)x")
CASE = re.compile(r"case\d+x")
WORDS = [f"{a}{b}" for a in ("lor", "mip", "sut", "dol", "kem", "tar", "vin", "bex") for b in ("am", "or", "ix", "un")]


class Teller:
    """Says every passage with its title; a case can hold it up before the first and after it."""

    name: ClassVar[str] = "teller"
    summary: ClassVar[str] = "Tells all it was given, for tests"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(self) -> None:
        self.gates: dict[str, Gate] = {}

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        found = CASE.search(request.original)
        gate = self.gates.get(found[0]) if found else None
        if gate and not gate.late:
            await gate.wait()
        for number, hit in enumerate(request.passages, start=1):
            yield Draft(f"{hit.passage.title}. {hit.passage.text} [{number}]\n\n")
            if gate and gate.late and number == 1:
                await gate.wait()


@dataclass(slots=True)
class Gate:
    """Where an answer waits until somebody has come or gone."""

    late: bool
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> None:
        self.reached.set()
        await self.opened.wait()


# --- documents -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fact:
    """A document and who may read it."""

    number: int
    readers: tuple[str, ...]

    def row(self, chance: random.Random) -> dict[str, Any]:
        n = self.number
        filler = " ".join(chance.choices(WORDS, k=24))
        return {
            "id": f"doc{n}",
            "title": f"Code{n} title{n}x",
            "text": f"What code{n} says is canary{n}x, and that is {filler}.",
            "url": f"https://wiki.example.com/address{n}x",
            "readers": list(self.readers),
        }


def make_facts(
    chance: random.Random, *, people: Collection[str], groups: Collection[str], places: Sequence[str]
) -> list[Fact]:
    """Documents for everybody, for some people and groups by their names, and for whoever reads in a place."""
    own = [*places]

    def readers() -> tuple[str, ...]:
        if chance.random() < 0.25:
            return ("everyone",)
        persons = chance.sample(sorted(people), chance.randint(0, 2))
        some = chance.sample(sorted(groups), chance.randint(0, 2))
        place = [own.pop()] if own and chance.random() < 0.5 else []
        return (*(f"person:{one}" for one in persons), *(f"group:{one}" for one in some), *place)

    return [Fact(number, readers()) for number in range(DOCUMENTS + len(own))]


def secrets(shown: object) -> set[int]:
    """The numbers of all documents that something tells of."""
    return {int(number) for number in SECRET.findall(json.dumps(shown, ensure_ascii=False))}


# --- what is shown -------------------------------------------------------------------------------------------------


class Sent(Protocol):
    """A payload of a fake's record."""

    @property
    def method(self) -> str: ...

    @property
    def args(self) -> dict[str, Any]: ...

    @property
    def at(self) -> float: ...


S = TypeVar("S", bound=Sent)


class Truth(ABC, Generic[S]):
    """Who may read what, at any moment."""

    facts: list[Fact]

    @abstractmethod
    def place_of(self, sent: S) -> tuple[str, str]:
        """Where a payload is seen: a channel, and the one person if it is only for them."""

    @abstractmethod
    def may_stand(self, fact: Fact, channel: str, user: str, at: float) -> bool:
        """Whether everybody who sees something there may read a document."""

    def leaks(self, sent: Iterable[S]) -> list[str]:
        """Every secret in a payload to a place where somebody may not read it."""
        found = []
        for one in sent:
            for number in secrets(one.args):
                channel, user = self.place_of(one)
                if not channel or not self.may_stand(self.facts[number], channel, user, one.at):
                    found.append(f"{one.method} to {channel} {user}: {self.facts[number]}")
        return found


# --- cases ---------------------------------------------------------------------------------------------------------


class Case(ABC):
    """One question, with whatever happens around it."""

    kind: str
    change: str

    def __init__(self, number: int, facts: Sequence[Fact], teller: Teller, place: str) -> None:
        self.name = f"case{number}x"
        self.chance = random.Random(number)
        self.facts, self.teller, self.place = facts, teller, place
        self.offers = 0
        """Answers for the asker alone that were offered and taken."""

    @property
    def question(self) -> str:
        """About some documents, and those that are for this place."""
        codes = ", ".join(f"code{n}" for n in self.chance.sample(range(len(self.facts)), 5))
        own = [fact.number for fact in self.facts if any(one.endswith(self.place) for one in fact.readers)]
        return f"{self.name}: what do {codes} {' '.join(f'code{n}' for n in own)} say?"

    @abstractmethod
    async def run(self) -> None:
        """Ask, and wait for all that follows."""

    @abstractmethod
    async def changes(self) -> None:
        """What happens in the middle of the answer; returns when the app has heard of it."""

    def hold_up(self) -> None:
        """Let the next answers wait for what happens."""
        self.teller.gates[self.name] = Gate(late=self.chance.random() < 0.5)

    async def meanwhile(self, answer: Awaitable[T]) -> T:
        """Wait for an answer; in the middle of it something happens, if it is held up."""
        gate = self.teller.gates.get(self.name)
        if gate is None:
            return await answer
        waiting, answered = asyncio.create_task(gate.reached.wait()), asyncio.ensure_future(answer)
        try:
            await asyncio.wait({waiting, answered}, return_when=asyncio.FIRST_COMPLETED)
            if gate.late:
                await asyncio.sleep(self.chance.random() * 0.3)  # some of it is shown, some only waits to be
            await self.changes()
            gate.opened.set()
            return await answered
        finally:
            gate.opened.set()
            waiting.cancel()
            answered.cancel()


async def run_all(cases: Sequence[Case]) -> list[str]:
    """All cases, some at a time; those that did not come to their end."""
    queue, unfinished = list(reversed(cases)), []

    async def worker() -> None:
        while queue:
            case = queue.pop()
            try:
                await case.run()
            except TimeoutError as error:  # the promise is about what is shown
                unfinished.append(f"{case.name} {case.kind} {case.change}: {error}")

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return unfinished


def hold(truth: Truth[S], sent: Sequence[S], cases: Sequence[Case], unfinished: Sequence[str]) -> None:
    """Nothing stands where somebody may not read it; and enough was shown and asked that this says something."""
    leaks, telling = truth.leaks(sent), sum(bool(secrets(one.args)) for one in sent)
    offers = sum(case.offers for case in cases)
    print(f"{len(cases)} cases, {len(sent)} payloads, {telling} with secrets, {len(leaks)} leaks")
    print(f"{offers} offers taken, unfinished: {unfinished}")
    assert not leaks, "\n".join(leaks)
    assert telling > len(cases)
    assert len(unfinished) <= len(cases) // 50
    assert offers > len(cases) // 50
