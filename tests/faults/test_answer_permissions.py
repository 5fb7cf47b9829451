"""2,000 random (person, question) pairs in random worlds of people, groups and guests, with a canary in every document.

The generator is the evil one: it tells all it was given. Nothing that a person may not read may turn up in the events,
the answer, the plugins or the reranker; and everything they may read must be found.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from citebot.access import Directory
from citebot.answering.fuse import Fusion, Weights
from citebot.answering.hooks import NoHooks
from citebot.model import Audience, CitationAdded, Conversation, Done, Group, PassagesFound, Person, Question, Readers
from citebot.ports import IndexQuery
from citebot.settings import AccessSettings
from citebot.storage import people
from citebot.testing.evil_model import EvilGenerator
from citebot.testing.fake_models import FakeEmbedder, FakeReranker
from citebot.testing.small_world import Page, SmallWorld, events_of

WORLDS, PAIRS = 10, 200
TOPICS = ["leave", "travel", "deploys", "salaries", "backups", "laptops", "parking", "audits"]
PEOPLE = ["ann", "ben", "cat", "dan", "eve", "fay", "gus", "hal"]
GROUPS = ["hr", "eng", "board", "ops"]
CANARY = re.compile(r"canary\d+x")


@dataclass(frozen=True)
class Rights:
    """Who is who in one world, kept apart from the code under test."""

    groups: dict[str, set[str]]
    guests: set[str]
    readers: dict[int, frozenset[str]]
    """Principals by passage id."""

    def may_read(self, person: str, passage: int) -> bool:
        allowed = self.readers[passage]
        member = "everyone" in allowed and person not in self.guests
        return (
            member
            or f"person:{person}" in allowed
            or any(f"group:{g}" in allowed for g in GROUPS if person in self.groups[g])
        )


def random_readers(chance: random.Random) -> Readers:
    kind = chance.random()
    if kind < 0.3:
        return Readers.everyone()
    if kind < 0.4:
        return Readers.nobody()
    groups = chance.sample(GROUPS, chance.randint(0, 2))
    return Readers.of(groups=groups, people=chance.sample(PEOPLE, chance.randint(0, 2)))


async def make(world: SmallWorld, chance: random.Random) -> tuple[Rights, Directory]:
    groups = {group: set(chance.sample(PEOPLE, chance.randint(0, 4))) for group in GROUPS}
    guests = set(chance.sample(PEOPLE, chance.randint(0, 2)))
    with world.database.write() as tx:
        people.replace(tx, "wiki", [Group(name, frozenset(members)) for name, members in groups.items()])
    pages = []
    for number in range(40):
        topic, other = chance.sample(TOPICS, 2)
        text = (
            f"The rule about {topic} says canary{number}x. It replaces what was said about {other} in canary{number}x."
        )
        pages.append(Page(text, title=f"{topic} canary{number}x", readers=random_readers(chance)))
    ids = await world.add(pages)
    rights = Rights(groups, guests, {id_: page.readers.principals for id_, page in zip(ids, pages, strict=True)})
    return rights, Directory(world.database, AccessSettings(guests=sorted(guests)))


def canaries(texts: Iterator[str]) -> set[str]:
    return {found for text in texts for found in CANARY.findall(text)}


class Listening(NoHooks):
    """A plugin that remembers all it was shown."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def passages_found(self, question: Question, passages):  # type: ignore[no-untyped-def]
        self.seen += [hit.passage.text for hit in passages]
        return passages


@pytest.mark.parametrize("seed", range(WORLDS))
async def test_no_canary_reaches_who_may_not_read_it(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    world = SmallWorld(tmp_path, embedder=FakeEmbedder())
    await world.open()
    rights, directory = await make(world, chance)
    names = {passage.id: CANARY.findall(passage.text)[0] for passage in world.passages()}
    for _ in range(PAIRS):
        person = chance.choice(PEOPLE)
        allowed = {names[number] for number in names if rights.may_read(person, number)}
        audience = directory.audience_of([Person(person)])
        asked = Question(
            f"What is the rule about {chance.choice(TOPICS)}?", Person(person), Conversation("test", "dm"), audience
        )
        reranker, hooks = FakeReranker(), Listening()
        events = await events_of(world.path(EvilGenerator(), reranker=reranker, hooks=hooks), asked)
        shown = canaries(iter([str(event) for event in events]))
        assert shown <= allowed
        assert canaries(iter(reranker.seen + hooks.seen)) <= allowed
        assert await found_by(world, asked) == await filtered_oracle(world, asked, rights, person)
        told = [event for event in events if isinstance(event, Done | PassagesFound | CitationAdded)]
        assert told or not allowed
    await world.close()


async def found_by(world: SmallWorld, asked: Question) -> list[int]:
    hits, _ = await world.path().search(asked, limit=40)
    return sorted(hit.passage.id for hit in hits)


async def filtered_oracle(world: SmallWorld, asked: Question, rights: Rights, person: str) -> list[int]:
    """What a search without any rights finds, without what this person may not read."""
    everything = Audience(frozenset().union(*rights.readers.values()) | {"everyone"})
    assert world.embedder is not None
    query = IndexQuery(
        audience=everything,
        text=asked.text.rsplit(" ", 1)[1].rstrip("?") + " rule",
        vector=await world.embedder.embed_query(asked.text),
        vector_model=world.embedder.model_id,
    )
    fused = Fusion(Weights()).fuse(await world.index.search(query))
    return sorted(hit.id for hit in fused if rights.may_read(person, hit.id))


async def test_a_channel_hears_only_what_all_of_it_may_read(tmp_path: Path) -> None:
    chance = random.Random(99)
    world = SmallWorld(tmp_path, embedder=FakeEmbedder())
    await world.open()
    rights, directory = await make(world, chance)
    names = {passage.id: CANARY.findall(passage.text)[0] for passage in world.passages()}
    channel = Conversation("slack", "C1", "T1", visibility="private")
    for _ in range(100):
        present = chance.sample(PEOPLE, chance.randint(1, 4))
        audience = directory.audience_of([Person(name) for name in present], conversation=channel)
        asked = Question(f"Tell me about {chance.choice(TOPICS)}", Person(present[0]), channel, audience)
        events = await events_of(world.path(EvilGenerator()), asked)
        allowed = {names[n] for n in names if all(rights.may_read(name, n) for name in present)}
        assert canaries(iter([str(event) for event in events])) <= allowed
    await world.close()


async def test_the_test_has_teeth(tmp_path: Path) -> None:
    """With rights that are too wide, canaries do come out."""
    chance = random.Random(1)
    world = SmallWorld(tmp_path, embedder=FakeEmbedder())
    await world.open()
    rights, _ = await make(world, chance)
    names = {passage.id: CANARY.findall(passage.text)[0] for passage in world.passages()}
    wide = Audience(frozenset().union(*rights.readers.values()))
    asked = Question("What is the rule about leave?", Person("ann"), Conversation("test", "dm"), wide)
    events = await events_of(world.path(EvilGenerator()), asked)
    allowed = {names[number] for number in names if rights.may_read("ann", number)}
    assert canaries(iter([str(event) for event in events])) - allowed
    await world.close()
