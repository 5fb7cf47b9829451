"""Three nodes: the same contract as on one, and no acknowledged document lost when nodes are killed."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

pytest.importorskip("elasticsearch")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package
sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

from elasticsearch_cluster import PATIENCE, Cluster
from index_on_elasticsearch import OnElasticsearch

from citebot.answering import texts
from citebot.answering.path import AnswerPath
from citebot.errors import IndexUnavailable
from citebot.ingest import Feeder
from citebot.model import Answer, Audience, Chunk, Conversation, Document, Done, Person, Question, Readers
from citebot.ports import PartContext
from citebot.settings import AnsweringSettings
from citebot.storage import Database, documents, schema, sources
from citebot.storage.documents import ToSave
from citebot_plugins.elasticsearch.index import ElasticsearchIndex
from citebot_plugins.elasticsearch.settings import ElasticsearchSettings
from citebot_plugins.local.extractive import ExtractiveGenerator, ExtractiveSettings

pytestmark = [pytest.mark.elasticsearch, pytest.mark.slow, pytest.mark.xdist_group("elasticsearch")]
EVERYBODY = Audience(frozenset({"everyone"}), "everyone")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.start(0, 1, 2)
        yield made
    finally:
        made.close()


class TestThreeNodes(OnElasticsearch):
    """Two shards, each on two of the nodes."""

    shape: ClassVar = {"shards": 2, "replicas": 1}

    @pytest.fixture(autouse=True)
    def _server(self, cluster: Cluster) -> None:
        self.direct = ",".join(cluster.urls)
        self.access = {"url": self.direct}


# --- what a node takes with it ---------------------------------------------------------------------------------------


@dataclass
class Company:
    """Documents in a database, an index that follows it, and people who ask about what is in the index already."""

    database: Database
    index: ElasticsearchIndex
    acknowledged: int = 0
    """Documents 1 to this number are in the index, as it said."""
    asked: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """What was said to those whose question waits."""
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._feeder = Feeder(self.database, self.index)
        self._path = AnswerPath(
            database=self.database,
            index=self.index,
            embedder=None,
            reranker=None,
            generator=ExtractiveGenerator(ExtractiveSettings(), PartContext(Path())),
            settings=AnsweringSettings(),
        )

    async def add(self, many: int) -> None:
        """Store documents, and feed the index until it has them: as often as it takes."""
        first = self.acknowledged + 1
        with self.database.write() as tx:
            row = sources.get(tx, "wiki") or sources.add(tx, name="wiki", type="jsonl", settings={})
            documents.save_many(tx, row.id, [_document(number) for number in range(first, first + many)])
        for _ in range(600):
            try:
                await self._feeder.catch_up()
            except IndexUnavailable:
                self.asked["feeding deferred"] += 1
                await asyncio.sleep(0.1)
            else:
                self.acknowledged += many
                return
        raise AssertionError("the index took nothing any more")

    async def ask(self, number: int) -> str:
        """Ask for the code of one document: `answered`, `deferred`, `partial` or `wrong`."""
        question = Question(
            text=f"What is the access code of warehouse {_name(number)}?",
            asker=Person("ann"),
            conversation=Conversation("cli", "test"),
            audience=EVERYBODY,
        )
        answer: Answer | None = None
        try:
            async for event in self._path.answer(question):
                answer = event.answer if isinstance(event, Done) else answer
        except IndexUnavailable as error:
            self.reasons[str(error)] += 1
            return "deferred"
        assert answer is not None
        if texts.PARTIAL_INDEX in answer.notes:
            return "partial"
        if answer.answered and _code(number) in answer.text:
            return "answered"
        self.wrong.append(f"{number} of {self.acknowledged}: {answer.text}")
        return "wrong"

    async def keep_asking(self, stop: asyncio.Event) -> None:
        chance = random.Random(1)
        while not stop.is_set():
            if self.acknowledged:
                self.asked[await self.ask(chance.randint(1, self.acknowledged))] += 1
            await asyncio.sleep(0.02)


def _name(number: int) -> str:
    letters = "bdfgklmnprst"
    return "".join(letters[number // 12**place % 12] + "aeiou"[place % 5] for place in range(5))


def _code(number: int) -> str:
    return f"{number * 7919 % 1_000_003:07d}"


def _document(number: int) -> ToSave:
    text = f"The access code of warehouse {_name(number)} is {_code(number)}."
    everyone = Readers.everyone()
    document = Document(id=f"d{number}", title=f"Warehouse {_name(number)}", body=text, readers=everyone)
    chunk = Chunk(text=text, headings=(), anchor="", kind="paragraph", readers=everyone, content_hash=f"d{number}")
    return ToSave(document, [chunk], content_hash=f"d{number}", readers_tag=everyone.tag, version="1", sweep=1)


@pytest.mark.timeout(7200)
async def test_killed_nodes_lose_nothing_and_nobody_is_told_anything_wrong(
    cluster: Cluster, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    total = count(480, 20_000)
    batch = count(20, 250)
    database = Database(f"sqlite:///{tmp_path / 'citebot.db'}")
    schema.upgrade(database)
    url = ",".join(cluster.urls)
    index = ElasticsearchIndex(
        ElasticsearchSettings(url=url, name="node-loss", shards=3, replicas=1), PartContext(tmp_path)
    )
    await index.open()
    company, stop = Company(database, index), asyncio.Event()
    asking = asyncio.create_task(company.keep_asking(stop))

    async def load(until: float) -> None:
        while company.acknowledged < until * total:
            await company.add(min(batch, total - company.acknowledged))

    async def killed(node: int, *, before: float) -> None:
        """Kill a node while documents load; go on without it; start it again and wait for its shards."""
        loading = asyncio.create_task(load(before))
        have = company.acknowledged
        async with asyncio.timeout(PATIENCE):
            while company.acknowledged == have:
                await asyncio.sleep(0.005)
        cluster.kill(node)
        answered = company.asked["answered"]
        await loading
        async with asyncio.timeout(PATIENCE):
            while company.asked["answered"] < answered + 5:
                await asyncio.sleep(0.01)
        await asyncio.to_thread(cluster.start, node)
        await asyncio.to_thread(cluster.until_green)

    try:
        await load(0.2)
        leader = await asyncio.to_thread(cluster.master)
        await killed(leader, before=0.6)
        await killed(next(node for node in itertools.count() if node != leader), before=1.0)
        stop.set()
        await asking
        print(f"{company.acknowledged} documents, {dict(company.asked)}, {dict(company.reasons)}")
        assert company.wrong == []
        assert company.acknowledged == total
        state = await index._read_state()
        assert len(await index._known(state, range(1, total + 1))) == total
        assert (await index.stats()).passages == total
        for number in random.Random(2).sample(range(1, total + 1), 20):
            while (said := await company.ask(number)) == "deferred":
                await asyncio.sleep(0.1)
            assert said == "answered"
    finally:
        stop.set()
        await asyncio.gather(asking, return_exceptions=True)
        await index.reset()
        await index.close()
        database.close()
