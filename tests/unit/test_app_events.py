"""Webhooks: a signed event has the documents it names fetched at once; anything else does nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from citebot.app import hooks
from citebot.app.core import Citebot
from citebot.app.events import MAX_BODY
from citebot.app.hooks import hook_route
from citebot.app.opening import open_citebot
from citebot.app.sources import add_source
from citebot.model import Ref
from citebot.storage import documents, sources, todo

SECRET = "the wiki and the bot know it"
SHELF = '''
"""A folder of notes whose server signs what it tells."""

import hashlib, hmac, json
from pathlib import Path
from pydantic import BaseModel, SecretStr
from citebot import Batch, Document, Gone, Readers, Ref, SourceSpec, hookimpl
from citebot.errors import NotAllowed


class ShelfSource:
    name = "shelf"
    summary = "notes"
    spec = SourceSpec()

    class Settings(BaseModel):
        folder: Path
        secret: SecretStr

    def __init__(self, settings, context):
        self._settings = settings

    def list(self, ctx, cursor):
        names = sorted(path.name for path in self._settings.folder.iterdir())
        yield Batch(tuple(Ref(name, "always the same") for name in names), None)

    def fetch(self, ctx, ids):
        for one in ids:
            path = self._settings.folder / one
            if not path.exists():
                yield Gone(one)
                continue
            yield Document(one, one, path.read_text(), Readers.everyone(), version="always the same")

    def on_event(self, ctx, event):
        key = self._settings.secret.get_secret_value().encode()
        right = hmac.new(key, event.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right, event.headers.get("x-signature", "")):
            raise NotAllowed("wrong signature")
        return json.loads(event.body)["changed"]


@hookimpl
def citebot_register_sources():
    return [ShelfSource]
'''


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "shelf"
    folder.mkdir()
    for number in range(8):
        (folder / f"note{number}").write_text(f"The zebra of note {number} is striped.")
    return folder


@pytest.fixture
async def bot(
    tmp_path: Path, shelf: Path, citebot_settings: Callable[..., Any], plugin_manager: Callable[..., Any]
) -> AsyncIterator[Citebot]:
    dropped_in = tmp_path / "plugins"
    dropped_in.mkdir()
    (dropped_in / "shelf.py").write_text(SHELF)
    overrides = {"plugins.dir": str(dropped_in), "embedder.use": "none", "reranker.use": ""}
    settings = citebot_settings(overrides)
    plugins = plugin_manager("embedded", "local", "files", overrides=overrides)
    async with open_citebot(settings, plugins, owner=True) as opened:
        values = {"folder": str(shelf), "secret": SECRET}
        add_source(opened.database, plugins, settings, kind="shelf", name="notes", values=values)
        await opened.sync("notes")
        yield opened


@pytest.fixture
async def client(bot: Citebot) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=[hook_route(bot.events)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as made:
        yield made


def event(*changed: str, number: int = 1) -> bytes:
    return json.dumps({"changed": changed, "event": number}).encode()


async def send(
    client: httpx.AsyncClient, body: bytes, *, source: str = "notes", secret: str = SECRET
) -> httpx.Response:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return await client.post(f"/hooks/{source}", content=body, headers={"X-Signature": signature})


async def found(bot: Citebot, text: str) -> set[str]:
    return {hit.passage.document_id for hit in (await bot.search(text)).hits}


async def heed(bot: Citebot) -> None:
    for name in await bot.urgent_sources():
        await bot.sync_urgent(name)


async def test_what_a_signed_event_names_is_fetched_at_once_and_nothing_else(
    bot: Citebot, client: httpx.AsyncClient, shelf: Path
) -> None:
    (shelf / "note1").write_text("A giraffe has moved in.")
    (shelf / "note2").unlink()
    (shelf / "note3").write_text("A giraffe nobody was told of.")  # and that no listing shows
    synced = (await bot.sources())[0].synced

    answered = await send(client, event("note1", "note2"))

    assert (answered.status_code, answered.json()) == (202, {"documents": 2})
    assert await bot.urgent_sources() == ["notes"]
    await heed(bot)
    assert await bot.urgent_sources() == []
    assert await found(bot, "giraffe") == {"note1"}
    assert "note2" not in await found(bot, "zebra")
    assert (await bot.sources())[0].synced == synced, "only a whole read says how fresh a source is"
    counts = await bot.sync("notes")
    assert (counts.saved, counts.same) == (0, 0), "and what was fetched needs no second look"


@pytest.mark.parametrize("secret", ["", "another"])
async def test_an_event_that_is_not_signed_right_does_nothing(
    bot: Citebot, client: httpx.AsyncClient, secret: str
) -> None:
    answered = await send(client, event("note1"), secret=secret)
    assert answered.status_code == 401
    assert await bot.urgent_sources() == []
    assert (await send(client, event("note1"))).status_code == 202, "and does not use up the right one"


async def test_a_replayed_event_does_nothing(bot: Citebot, client: httpx.AsyncClient) -> None:
    await send(client, event("note1"))
    await heed(bot)
    again = await send(client, event("note1"))
    assert again.json() == {"documents": 0}
    assert await bot.urgent_sources() == []
    assert (await send(client, event("note1", number=2))).json() == {"documents": 1}


async def test_an_oversized_event_is_not_even_read(bot: Citebot, client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10 * MAX_BODY:
            sent += 50_000
            yield b"x" * 50_000

    answered = await client.post("/hooks/notes", content=endless())
    assert answered.status_code == 413
    assert await bot.urgent_sources() == []


@pytest.mark.parametrize("body", [b"", b"[1", b"[]", b'{"changed": [1]}', b'{"changed": null}', b"\xff\xfe"])
async def test_a_signed_event_that_says_nothing_sensible_is_refused(
    bot: Citebot, client: httpx.AsyncClient, body: bytes
) -> None:
    answered = await send(client, body)
    assert answered.status_code == 400
    assert await bot.urgent_sources() == []


@pytest.mark.parametrize("source", ["nowhere", "..", "folder"])
async def test_sources_that_take_no_events_say_no_more_than_that(
    bot: Citebot, client: httpx.AsyncClient, source: str, shelf: Path
) -> None:
    values = {"path": str(shelf), "readers": ["everyone"]}
    add_source(bot.database, bot.plugins, bot.settings, kind="files", name="folder", values=values, check=False)
    assert (await send(client, event("note1"), source=source)).status_code == 404


async def test_a_paused_source_takes_no_events(bot: Citebot, client: httpx.AsyncClient) -> None:
    with bot.database.write() as tx:
        sources.set_paused(tx, "notes", True)
    assert (await send(client, event("note1"))).status_code == 404


async def test_more_events_than_can_be_read_are_told_to_come_again(
    bot: Citebot, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "AT_ONCE", 0)
    app = Starlette(routes=[hook_route(bot.events)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as full:
        answered = await send(full, event("note1"))
    assert (answered.status_code, answered.headers["retry-after"]) == (503, "5")


async def test_an_event_that_would_empty_the_source_is_stopped_like_a_listing(
    bot: Citebot, client: httpx.AsyncClient, shelf: Path
) -> None:
    for path in shelf.iterdir():
        path.unlink()
    await send(client, event(*(f"note{number}" for number in range(8))))
    with pytest.raises(Exception, match="confirm"):
        await heed(bot)
    assert len(await found(bot, "zebra")) == 8
    assert await bot.urgent_sources() == [], "left to the admin, not tried every second"


async def test_an_event_that_comes_while_its_document_is_fetched_is_not_lost(bot: Citebot) -> None:
    with bot.database.write() as tx:
        row = sources.get(tx, "notes")
        assert row is not None
        todo.hurry(tx, row.id, ["note1"])
        (taken,) = todo.take_urgent(tx, row.id, 10)
        todo.hurry(tx, row.id, ["note1"])
        todo.done(tx, row.id, ["note1"], urgent={"note1": taken.urgent})
        (left,) = todo.take_urgent(tx, row.id, 10)
        assert (taken.urgent, left.urgent) == (1, 2)
        todo.done(tx, row.id, ["note1"], urgent={"note1": left.urgent})
        assert todo.take_urgent(tx, row.id, 10) == []


async def test_a_source_that_is_removed_leaves_nothing_behind(bot: Citebot) -> None:
    kept = bot.settings.data_dir / "sources" / "notes"
    kept.mkdir(parents=True, exist_ok=True)
    (kept / "copy").write_text("striped zebras")
    assert await bot.remove_source("notes") == 8
    assert not kept.exists()
    assert await found(bot, "zebra") == set()


async def test_a_regular_read_fetches_what_events_named_first(bot: Citebot, shelf: Path) -> None:
    (shelf / "note7").write_text("A giraffe, urgently.")
    with bot.database.write() as tx:
        row = sources.get(tx, "notes")
        assert row is not None
        todo.add(tx, row.id, [Ref("note1", "new")])
        todo.hurry(tx, row.id, ["note7"])
    await bot.sync("notes")
    assert await found(bot, "giraffe") == {"note7"}
    with bot.database.read() as tx:
        assert todo.waiting(tx, row.id) == 0
        assert documents.count(tx, row.id) == 8
