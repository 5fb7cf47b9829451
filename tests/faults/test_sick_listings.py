"""A source that falls ill removes nothing, and says so: twelve illnesses, each at ten places."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from citebot.errors import CitebotError, Retry, StopSync
from citebot.model import Batch, Document, Failed, Gone, Json, Readers, Ref
from citebot.ports import NoSettings, Source, SourceContext, SourceSpec
from citebot.storage import sources
from citebot.testing.sources.world import SourceWorld

DOCUMENTS = 40
PAGE = 5
LOGIN_PAGE = "<!DOCTYPE html><title>Sign in</title><form><input type=password></form>"


class Server:
    """Answers as a wiki's API would; `page` and `item` are where it can fall ill."""

    def __init__(self) -> None:
        self.items = {f"d{number:02}": f"Text {number}." for number in range(DOCUMENTS)}
        self.page: Callable[[int, str], str] = lambda start, body: body
        self.item: Callable[[str, str | None], str | None] = lambda key, body: body

    def listing(self, start: int) -> str:
        keys = sorted(self.items)[start : start + PAGE]
        return self.page(start, json.dumps({"ids": keys, "next": start + PAGE if len(keys) == PAGE else None}))

    def read(self, key: str) -> str | None:
        return self.item(key, self.items.get(key))


class WikiSource:
    """A source as its author would write it, without any thought for illness."""

    name = "wiki"
    summary = "for tests"
    Settings = NoSettings
    spec = SourceSpec()

    def __init__(self, server: Server) -> None:
        self.server = server

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        start: int | None = cursor if isinstance(cursor, int) else 0
        while start is not None:
            answer = json.loads(self.server.listing(start))
            start = answer["next"]
            yield Batch(tuple(Ref(key, "1") for key in answer["ids"]), cursor=start)

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        for key in ids:
            text = self.server.read(key)
            yield Gone(key) if text is None else Document(key, key, text, Readers.everyone(), version="1")


class WikiLab:
    def __init__(self, server: Server) -> None:
        self.server = server

    def source(self, state_dir: Path) -> Source:
        return WikiSource(self.server)


def at(place: int, body: Callable[[str], str]) -> Callable[[int, str], str]:
    """Ill at one page of the listing and after."""
    return lambda start, healthy: body(healthy) if start >= place else healthy


def raising(error: Exception) -> Callable[[str], str]:
    def refuse(healthy: str) -> str:
        raise error

    return refuse


def listing_ends(server: Server, place: int, *, gone: bool) -> None:
    server.page = at(place, lambda healthy: '{"ids": [], "next": null}')
    if gone:
        server.item = lambda key, body: None


def loses_most(server: Server, place: int) -> None:
    chance = random.Random(place)
    server.items = dict(sorted(server.items.items())[: chance.randrange(1, 25)])


ILLNESSES: dict[str, Callable[[Server, int], None]] = {
    "lists nothing": lambda server, place: server.items.clear(),
    "lists half": lambda server, place: listing_ends(server, place % 20, gone=False),
    "lists half and calls the rest gone": lambda server, place: listing_ends(server, place % 20, gone=True),
    "lost most of its content": loses_most,
    "401": lambda server, place: setattr(server, "page", at(place, raising(StopSync("The token has expired.")))),
    "403": lambda server, place: setattr(server, "page", at(place, raising(StopSync("The right to list is missing.")))),
    "503": lambda server, place: setattr(server, "page", at(place, raising(Retry("The server answers 503.")))),
    "connection cut": lambda server, place: setattr(server, "page", at(place, raising(ConnectionResetError()))),
    "login page with 200": lambda server, place: setattr(server, "page", at(place, lambda healthy: LOGIN_PAGE)),
    "wrong JSON": lambda server, place: setattr(server, "page", at(place, lambda healthy: '{"error": "busy"}')),
    "cut body": lambda server, place: setattr(server, "page", at(place, lambda healthy: healthy[: len(healthy) // 2])),
    "other ids": lambda server, place: setattr(
        server, "items", {f"{place}-{key}": text for key, text in server.items.items()}
    ),
}
QUIET = {"lists half"}
"""What it leaves out still answers when it is asked for: nothing is wrong for the reader."""


@pytest.mark.parametrize("illness", ILLNESSES)
def test_nothing_is_removed(illness: str, tmp_path: Path) -> None:
    for turn in range(10):
        server = Server()
        world = SourceWorld(WikiLab(server), tmp_path / f"{turn}")
        world.run()
        before = world.texts()
        assert len(before) == DOCUMENTS
        ILLNESSES[illness](server, PAGE * (turn % (DOCUMENTS // PAGE)))
        for _ in range(2):
            with suppress(CitebotError):
                world.run()
        after = world.texts()
        assert {key: after.get(key) for key in before} == before
        with world.database.read() as tx:
            row = sources.get(tx, "lab")
        assert row is not None
        assert illness in QUIET or row.failure, "an admin must hear of it"
        world.close()
