"""A question is embedded by the model of the index that is asked, and two models are never mixed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from citebot.answering import texts
from citebot.answering.contextualise import Contextualiser
from citebot.answering.retrieve import Retrieved, Retriever
from citebot.errors import ModelUnavailable
from citebot.ingest import Builder, EmbeddingWorker, Feeder
from citebot.model import Embedding
from citebot.testing.fake_models import FakeEmbedder
from citebot.testing.memory_versions import MemoryVersions
from citebot.testing.small_world import Page, SmallWorld, answer_of, ask

QUESTION = "What does the velvet cost?"


class Lazy(FakeEmbedder):
    """Its name is known once it is open."""

    asked = 0

    @property
    def model_id(self) -> str:
        return super().model_id if self._open else ""

    async def open(self) -> None:
        if self.fail:
            raise ModelUnavailable("It cannot be loaded.")
        await super().open()

    async def embed_query(self, text: str) -> Embedding:
        self.asked += 1
        return await super().embed_query(text)


class World(SmallWorld):
    """With an index of one model, and another that is built."""

    def __init__(self, folder: Path) -> None:
        self.old, self.new = Lazy(dimensions=64), Lazy(dimensions=96)
        super().__init__(folder, index=MemoryVersions(), embedder=self.old)

    def retriever(self, *, previous: bool = True) -> Retriever:
        return Retriever(self.index, self.new, previous=self.old if previous else None)

    async def switch(self) -> None:
        assert isinstance(self.index, MemoryVersions)
        feeder, builder = Feeder(self.database, self.index), Builder(self.database, self.index)
        await EmbeddingWorker(self.database, self.new, builder).run_once()
        await feeder.catch_up()
        await builder.run_once()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.open()
    await world.add([Page("The velvet costs 40 euros."), Page("Copper is cheaper.")])
    await world.old.close()
    yield world
    await world.close()


async def retrieved(retriever: Retriever) -> Retrieved:
    question = ask(QUESTION)
    return await retriever.run(question, await Contextualiser().run(question))


async def test_the_model_before_embeds_until_the_switch(world: World) -> None:
    retriever = world.retriever()
    found = await retrieved(retriever)
    assert (found.embedder, found.notes) == (world.old, ())
    assert found.hits.legs["vectors"]
    await world.switch()
    found = await retrieved(retriever)
    assert (found.embedder, found.notes) == (world.new, ())
    assert found.hits.legs["vectors"]
    assert (world.old.asked, world.new.asked) == (1, 1)


async def test_a_new_model_that_cannot_be_loaded_stands_in_nobodys_way(world: World) -> None:
    world.new.fail = True
    found = await retrieved(world.retriever())
    assert (found.embedder, found.notes) == (world.old, ())


async def test_without_the_model_before_words_are_searched_and_it_is_said(world: World) -> None:
    await world.new.open()
    found = await retrieved(world.retriever(previous=False))
    assert not found.hits.legs.get("vectors")
    assert found.hits.legs["words"]


async def test_sentences_are_compared_by_the_model_of_the_question(world: World) -> None:
    path = world.path()
    retriever = path._gathering._retriever
    retriever._embedders = [world.new, world.old]
    for model in (world.old, world.new):
        answer = await answer_of(path, ask(QUESTION))
        assert answer.text.startswith("The velvet costs 40 euros.")
        assert texts.KEYWORDS_ONLY not in answer.notes
        assert model.model_id in path._gathering._recent
        await world.switch()
