"""Promise P7: a hundred kills anywhere in loads and polls of 5,000 documents that change meanwhile lose nothing."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from citebot.model import Batch, Document, Failed, Gone, Json, Readers, Ref
from citebot.ports import NoSettings, PartContext, SourceContext, SourceSpec
from citebot.testing.sources.world import Killed, SourceWorld

DOCUMENTS = 5_000
KILLS = 100
LISTED, NAMED = 200, 50
READERS = (Readers.everyone(), Readers.of(groups=["board"]), Readers.of(people=["ada"]), Readers.nobody())


@dataclass
class Place:
    """Documents, and a journal of everything that happened to them."""

    rng: random.Random
    documents: dict[str, tuple[int, str, Readers]] = field(default_factory=dict)
    journal: list[str] = field(default_factory=list)
    changes: int = 0

    def put(self, key: str) -> None:
        self.changes += 1
        readers = self.rng.choice(READERS)
        self.documents[key] = (self.changes, f"Text {self.changes} about {key}.", readers)
        self.journal.append(key)

    def close(self, key: str) -> None:
        """Other readers, the same text."""
        self.changes += 1
        _, text, _ = self.documents[key]
        self.documents[key] = (self.changes, text, self.rng.choice(READERS))
        self.journal.append(key)

    def remove(self, key: str) -> None:
        del self.documents[key]
        self.journal.append(key)

    def live(self) -> None:
        """What people do between two runs."""
        for _ in range(self.rng.randrange(12)):
            key = self.rng.choice(list(self.documents))
            self.rng.choice((self.put, self.put, self.close, self.remove))(key)
        for _ in range(self.rng.randrange(4)):
            self.put(f"new{self.changes:06}")

    # --- as a lab of `SourceWorld` -------------------------------------------------------------------------------

    def source(self, state_dir: Path) -> Reading:
        return Reading(self)

    def create(self, title: str, text: str, readers: Readers | None) -> str:
        raise NotImplementedError

    edit = delete = create  # type: ignore[assignment]  # this place lives by itself


class Reading:
    """A source over the place, which dies at its `kill_at`th step."""

    name = "place"
    summary = "for this test"
    Settings = NoSettings
    spec = SourceSpec(feed_reports_deletes=True)

    def __init__(self, place: Place, context: PartContext | None = None, *, kill_at: int = 0) -> None:
        self._place = place
        self._left = kill_at

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise Killed

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        after = str(cursor or "")
        while True:
            keys = sorted(self._place.documents)
            some = keys[bisect_right(keys, after) :][:LISTED]
            self._step()
            if not some:
                return
            after = some[-1]
            yield Batch(tuple(self._ref(key) for key in some), after)

    def changes(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        at = len(self._place.journal) if cursor is None else int(str(cursor))
        yield Batch((), str(at))
        while some := self._place.journal[at : at + NAMED]:
            self._step()
            at += len(some)
            known = self._place.documents
            yield Batch(tuple(self._ref(key) if key in known else Gone(key) for key in dict.fromkeys(some)), str(at))

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        for one in ids:
            self._step()
            if one not in self._place.documents:
                yield Gone(one)
                continue
            version, text, readers = self._place.documents[one]
            yield Document(one, one, text, readers, format="text", version=str(version))

    def _ref(self, key: str) -> Ref:
        version, _, readers = self._place.documents[key]
        return Ref(key, str(version), readers.tag)


@pytest.mark.timeout(300)
def test_a_hundred_kills_over_five_thousand_documents_lose_nothing(tmp_path: Path) -> None:
    rng = random.Random(7)
    place = Place(rng)
    for number in range(DOCUMENTS):
        place.put(f"doc{number:05}")
    loads, polls = KILLS // 4, KILLS - KILLS // 4
    with closing(SourceWorld(place, tmp_path / "killed")) as world:
        for _ in range(loads):
            with suppress(Killed):
                world.run(Reading(place, kill_at=rng.randrange(1, 1_500)))
            place.live()
        world.run()  # from here on the feed is read
        killed = 0
        while killed < polls:
            place.live()
            try:
                world.run(Reading(place, kill_at=rng.randrange(1, 16)))
            except Killed:
                killed += 1
        world.run()
        with closing(SourceWorld(place, tmp_path / "clean")) as clean:
            clean.run()
            assert world.state() == clean.state()
            assert len({passage[0] for passage in clean.state()}) == len(place.documents)
        assert world.run().saved == 0, "and nothing is left to do"
