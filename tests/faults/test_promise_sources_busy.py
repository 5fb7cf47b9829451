"""Promise P9: from a server that is busy, refuses and breaks off, every document comes, or is named with the reason.

30 % of all documents answer 429 at first, 5 % answer 400 for ever, every fifth bulk answer is cut in the middle, and
twice the server is gone for longer than one run waits.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog
from sqlalchemy import text

from citebot.errors import IndexUnavailable, Retry
from citebot.ingest import Feeder
from citebot.model import EVERYONE, Audience, Batch, Document, Failed, Gone, Json, Readers, Ref
from citebot.ports import Index, IndexChanges, IndexQuery, NoSettings, PartContext, SourceContext, SourceSpec
from citebot.settings import EgressSettings
from citebot.storage import Database, sources
from citebot.testing.local_server import LocalServer, Received, Sent, local_server
from citebot.testing.sources.world import SourceWorld
from citebot_plugins.embedded.index import EmbeddedIndex
from citebot_plugins.embedded.settings import EmbeddedSettings

DOCUMENTS = 20_000
SINGLE = 0.05
"""Of all documents, those that are asked for one by one, as attachments are; the others come in bulk."""
BUSY, BAD, CUT = 0.3, 0.05, 0.2
LISTED, IN_BULK = 1_000, 80
OUTAGES = (100, 600)
"""Requests at which the server goes away, and how many in a row it then does not answer: more than are tried again."""
OUTAGE = 8


@dataclass
class BusyServer:
    """An API of documents: `/list?after=`, `/bulk?ids=` with a status per document, and `/one/ID`."""

    rng: random.Random
    documents: dict[str, str] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    requests: int = 0

    def __post_init__(self) -> None:
        for number in range(DOCUMENTS):
            kind = "one" if self.rng.random() < SINGLE else "page"
            self.documents[f"{kind}{number:05}"] = f"The zebra of stable {number} has {number % 97} stripes."
        keys = sorted(self.documents)
        self.bad = set(self.rng.sample(keys, int(BAD * DOCUMENTS)))
        self.busy = set(self.rng.sample(keys, int(BUSY * DOCUMENTS)))
        self._keys, self._still_busy = keys, set(self.busy)

    def answer(self, request: Received) -> Sent | None:
        self.requests += 1
        if any(start <= self.requests < start + OUTAGE for start in OUTAGES):
            self.answers["none"] += 1
            return None
        match request.path.split("/")[1:]:
            case ["list"]:
                return self._listing(request.query["after"])
            case ["bulk"]:
                return self._bulk(request.query["ids"].split(","))
            case ["one", key]:
                status, said = self._item(key)
                return Sent(said, status, {"retry-after": "30"} if status == 429 else {})
        return Sent("no such page", 404)

    def _listing(self, after: str) -> Sent:
        at = bisect_right(self._keys, after)
        return Sent(json.dumps(self._keys[at : at + LISTED]))

    def _bulk(self, ids: list[str]) -> Sent:
        if self.rng.random() < CUT:
            # What was asked is not counted as asked: nothing of the answer can be read.
            self.answers["cut"] += 1
            body = json.dumps([{"id": one, "status": 200, "text": self.documents[one]} for one in ids])
            return Sent(body, cut=self.rng.randrange(len(body)))
        items = [(one, *self._item(one)) for one in ids]
        return Sent(json.dumps([{"id": one, "status": status, "text": said} for one, status, said in items]))

    def _item(self, key: str) -> tuple[int, str]:
        if key in self._still_busy:
            self._still_busy.discard(key)
            status, said = 429, "slow down"
        elif key in self.bad:
            status, said = 400, "the attachment is damaged"
        else:
            status, said = 200, self.documents[key]
        self.answers[f"{key[:3]} {status}"] += 1
        return status, said


class Reading:
    """A source as its author would write it, without a thought for any of that."""

    name = "stables"
    summary = "for this test"
    Settings = NoSettings
    spec = SourceSpec()

    def __init__(self, url: str) -> None:
        self._url = url

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        after = str(cursor or "")
        while keys := ctx.http.get(f"{self._url}/list", params={"after": after}).json():
            after = keys[-1]
            yield Batch(tuple(Ref(key, "1") for key in keys), after)

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        pages = [one for one in ids if one.startswith("page")]
        for at in range(0, len(pages), IN_BULK):
            query = {"ids": ",".join(pages[at : at + IN_BULK])}
            for item in ctx.http.get(f"{self._url}/bulk", params=query).json():
                yield self._read(item["id"], item["status"], item["text"])
        for one in ids:
            if not one.startswith("page"):
                answer = ctx.http.get(f"{self._url}/one/{one}")
                yield self._read(one, answer.status_code, answer.text)

    def _read(self, one: str, status: int, said: str) -> Document | Failed:
        if status != 200:
            return Failed(one, f"{one}: the server answers {status}, {said}.")
        return Document(one, one, said, Readers.everyone(), format="text", version="1")


class Place:
    """As a lab of `SourceWorld`."""

    def __init__(self, server: LocalServer) -> None:
        self.egress = EgressSettings(allow=[f"localhost:{server.port}", f"127.0.0.1:{server.port}"])
        self._url = server.url

    def source(self, state_dir: Path) -> Reading:
        return Reading(self._url)

    def create(self, title: str, text: str, readers: Readers | None) -> str:
        raise NotImplementedError

    edit = delete = create  # type: ignore[assignment]  # nobody works here


class Sick:
    """An index that refuses every batch at first, then takes it but does not live to say so."""

    def __init__(self, index: Index) -> None:
        self.position, self.stats, self.reset = index.position, index.stats, index.reset
        self._index = index
        self.tries: Counter[int] = Counter()

    async def apply(self, changes: IndexChanges) -> None:
        batch = changes.puts[0].id
        self.tries[batch] += 1
        if self.tries[batch] > 1:
            await self._index.apply(changes)
        if self.tries[batch] < 3:
            raise IndexUnavailable("The index did not answer.")


async def feed(sick: Sick, database: Database) -> None:
    """As a server's loop does, by way of as many failures as it takes."""
    while True:
        with suppress(IndexUnavailable):
            await Feeder(database, sick).catch_up()  # type: ignore[arg-type]  # all that a feeder uses of an index
            return


async def read_all(world: SourceWorld, sick: Sick) -> Counter[str]:
    """As a server does: again and again until nothing is left to do, a minute apart."""
    ends: Counter[str] = Counter()
    while not ends["quiet"]:
        try:
            counts = await asyncio.to_thread(world.run)
            ends["done" if counts.done else "quiet"] += 1
        except Retry:
            ends["failed"] += 1
            assert "cannot be reached" in world.failure()
        await feed(sick, world.database)
        with world.database.write() as tx:
            tx.execute(text("UPDATE todo SET not_before = NULL"))  # a minute has passed
        assert ends.total() < 10, "it does not come to an end"
    return ends


async def found(index: Index) -> set[int]:
    hits = await index.search(IndexQuery(Audience(frozenset({EVERYONE})), "zebra", limit=2 * DOCUMENTS))
    return set(hits.legs["words"])


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_of_twenty_thousand_documents_none_is_missing_without_a_word(tmp_path: Path) -> None:
    index = EmbeddedIndex(EmbeddedSettings(), PartContext(tmp_path / "index"))
    await index.open()
    sick = Sick(index)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    api = BusyServer(random.Random(9))
    with local_server(api.answer) as server, closing(SourceWorld(Place(server), tmp_path)) as world:
        ends = await read_all(world, sick)

        assert ends["failed"] == len(OUTAGES)
        assert api.answers["cut"] > 50
        assert api.answers["pag 429"] + api.answers["one 429"] == len(api.busy)
        good = {key: said for key, said in api.documents.items() if key not in api.bad}
        stored = world.passages()
        assert {passage.document_id: passage.text for passage in stored} == good
        parked = world.parked()
        assert parked == {one: f"{one}: the server answers 400, the attachment is damaged." for one in api.bad}
        with world.database.read() as tx:
            (shown,) = sources.statuses(tx)
            assert (shown.documents, shown.parked, shown.waiting) == (len(good), len(api.bad), 0)
        assert world.failure() == ""
        assert sick.tries.total() > 5
        assert await found(index) == {passage.id for passage in stored}
    await index.close()
