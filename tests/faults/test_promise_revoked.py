"""Promise P13: what was closed or deleted where it lives is in no answer: after the next poll; at once where the source
can be asked live; within ten seconds where its server tells of it. 200 documents each.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from citebot.app.core import Citebot
from citebot.app.desk import Desk
from citebot.app.opening import open_citebot
from citebot.app.serving import serve
from citebot.app.sources import add_source
from citebot.model import Done, Person
from citebot.testing.scripted_platform import ScriptedPlatform

DOCUMENTS, REVOKED, AT_ONCE = 400, 200, 20
SECONDS = 10.0
SECRET = "the vault and the bot know it"
ALICE, BOB = "alice@example.org", "bob@example.org"
CANARY = re.compile(r"canary\d+x")
VAULT = '''
"""A folder of notes: each a file of JSON with its text and its readers. Groups are in a file beside it."""

import hashlib, hmac, json
from pathlib import Path
from pydantic import BaseModel
from citebot import Batch, Document, Gone, Group, Readers, Ref, SourceSpec, hookimpl
from citebot.errors import NotAllowed

SECRET = b"the vault and the bot know it"


class Vault:
    name = "vault"
    summary = "notes"
    spec = SourceSpec()

    class Settings(BaseModel):
        folder: Path

    def __init__(self, settings, context):
        self._folder = settings.folder

    def _note(self, one):
        try:
            note = json.loads((self._folder / one).read_text())
        except FileNotFoundError:
            return None
        return note["text"], Readers(frozenset(note["readers"]))

    def list(self, ctx, cursor):
        notes = [(path.name, self._note(path.name)[1]) for path in sorted(self._folder.iterdir())]
        yield Batch(tuple(Ref(name, "1", readers.tag) for name, readers in notes), None)

    def fetch(self, ctx, ids):
        for one in ids:
            note = self._note(one)
            yield Document(one, one, note[0], note[1], format="text", version="1") if note else Gone(one)

    def groups(self, ctx):
        for name, people in json.loads(self._folder.with_suffix(".groups").read_text()).items():
            yield Group(name, frozenset(people))

    def on_event(self, ctx, event):
        right = hmac.new(SECRET, event.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right, event.headers.get("x-signature", "")):
            raise NotAllowed("wrong signature")
        return json.loads(event.body)["changed"]


class LiveVault(Vault):
    name = "livevault"

    def may_read(self, ctx, person, ids):
        notes = {one: self._note(one) for one in ids}
        return {one for one, note in notes.items() if note and {"everyone", f"person:{person}"} & note[1].principals}


@hookimpl
def citebot_register_sources():
    return [Vault, LiveVault]
'''


@dataclass
class Place:
    """The vault as the people who work with it see it."""

    folder: Path
    gone: set[str] = field(default_factory=set)
    """Canaries that Alice must not see any more."""

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self._groups = {f"team{number}": [ALICE, BOB] for number in range(DOCUMENTS)}
        for number in range(DOCUMENTS):
            self._write(number, ["everyone"] if number % 4 else [f"group:team{number}"])
        self._write_groups()

    def _write(self, number: int, readers: Sequence[str]) -> None:
        note = {"text": f"The code of room {number} is {canary(number)}, as of today.", "readers": readers}
        path = self.folder / name(number)
        path.with_suffix(".new").write_text(json.dumps(note))
        path.with_suffix(".new").replace(path)

    def _write_groups(self) -> None:
        self.folder.with_suffix(".groups").write_text(json.dumps(self._groups))

    def revoke(self, number: int) -> None:
        """In turn: Alice leaves the group, the note is deleted, it is for Bob alone, it is for nobody."""
        self.gone.add(canary(number))
        match number % 4:
            case 0:
                self._groups[f"team{number}"] = [BOB]
                self._write_groups()
            case 1:
                (self.folder / name(number)).unlink()
            case 2:
                self._write(number, [f"person:{BOB}"])
            case _:
                self._write(number, [])


def name(number: int) -> str:
    return f"room{number:03}"


def canary(number: int) -> str:
    return f"canary{number:03}x"


def question(number: int) -> str:
    return f"What is the code of room {number}?"


def canaries(text: str) -> set[str]:
    return set(CANARY.findall(text))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "vault")


Open = Callable[..., Any]


@pytest.fixture
def parts(tmp_path: Path, citebot_settings: Open, plugin_manager: Open) -> Callable[..., tuple[Any, Any]]:
    """Settings and plugins with the vault among them."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "vault.py").write_text(VAULT)

    def make(**more: Any) -> tuple[Any, Any]:
        fixed = {"plugins.dir": str(folder), "embedder.use": "none", "reranker.use": "", "answering.threshold": 0.0}
        overrides = {**fixed, "ingest.poll": 86_400.0, **more}
        return citebot_settings(overrides), plugin_manager("embedded", "local", "console", overrides=overrides)

    return make


@asynccontextmanager
async def opened(parts: Callable[..., tuple[Any, Any]], place: Place, kind: str) -> AsyncIterator[Citebot]:
    """Everything in this process, after a first read."""
    settings, plugins = parts()
    async with open_citebot(settings, plugins, owner=True) as bot:
        add_source(bot.database, plugins, settings, kind=kind, name="vault", values={"folder": str(place.folder)})
        await bot.sync("vault")
        yield bot


async def told(bot: Citebot, number: int, person: str = ALICE) -> tuple[set[str], str]:
    """The canaries in everything that a question brings to light, and the id of its answer."""
    events = [event async for event in bot.ask(question(number), person=person)]
    assert isinstance(events[-1], Done)
    return canaries(repr(events)), events[-1].answer.id


async def shown_again(bot: Citebot, answers: Iterable[str]) -> set[str]:
    """The canaries in answers of before that Alice looks at again."""
    desk = Desk(bot, ScriptedPlatform())  # type: ignore[arg-type]  # nothing is sent
    try:
        again = [await desk.show_answer(answer, Person(ALICE)) for answer in answers]
    finally:
        desk.delivery.close()
    assert all(again)
    return canaries(repr([(one.text, one.citations, one.closest, one.notes) for one in again if one]))


def rounds(numbers: Iterable[int]) -> Iterator[list[int]]:
    chosen = list(numbers)[:REVOKED]
    return (chosen[at : at + AT_ONCE] for at in range(0, len(chosen), AT_ONCE))


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_after_the_next_poll_it_is_in_no_answer(place: Place, parts: Any) -> None:
    async with opened(parts, place, "vault") as bot:
        before: dict[int, str] = {}
        for numbers in rounds(range(DOCUMENTS)):
            for number in numbers:
                seen, before[number] = await told(bot, number)
                assert canary(number) in seen, "it was there"
                place.revoke(number)
            await bot.sync("vault")
            for number in numbers:
                assert not place.gone & (await told(bot, number))[0]
                assert (canary(number) in (await told(bot, number, BOB))[0]) == (number % 4 in (0, 2))
        assert not place.gone & await shown_again(bot, before.values())
        for number in range(REVOKED, DOCUMENTS):
            assert (await told(bot, number))[0] >= {canary(number)}, "and nothing else went"


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_where_the_source_can_be_asked_it_is_in_no_answer_at_once(place: Place, parts: Any) -> None:
    async with opened(parts, place, "livevault") as bot:
        before: list[str] = []
        revoked = [number for number in range(DOCUMENTS) if number % 4][:REVOKED]
        for number in revoked:
            seen, answer = await told(bot, number)
            assert canary(number) in seen, "it was there"
            before.append(answer)
            place.revoke(number)
            assert not place.gone & (await told(bot, number))[0]
        assert not place.gone & await shown_again(bot, before)
        assert canary(DOCUMENTS - 1) in (await told(bot, DOCUMENTS - 1))[0]


@dataclass(frozen=True)
class Browser:
    """Alice at the web chat, and the vault's server that sends events."""

    http: httpx.AsyncClient

    async def told(self, number: int) -> set[str]:
        asked = await self.http.post("/api/questions", json={"text": question(number)})
        assert asked.status_code == 202, asked.text
        stream = await self.http.get(asked.json()["events"])
        assert "event: done" in stream.text
        return canaries(stream.text)

    async def send(self, number: int) -> None:
        body = json.dumps({"changed": [name(number)]}).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        answered = await self.http.post("/hooks/vault", content=body, headers={"X-Signature": signature})
        assert (answered.status_code, answered.json()) == (202, {"documents": 1})


@asynccontextmanager
async def served(parts: Callable[..., tuple[Any, Any]], place: Place, port: int) -> AsyncIterator[Browser]:
    """As `citebot serve`: the web chat on a port, and all the loops."""
    async with opened(parts, place, "vault"):
        pass
    chat = {"port": port, "port_search": 1, "people": {ALICE: "Alice", BOB: "Bob"}}
    settings, plugins = parts(**{f"platform.console.{key}": value for key, value in chat.items()})
    serving = asyncio.create_task(serve(settings, plugins))
    headers = {"citebot-person": ALICE}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as http:
        async with asyncio.timeout(30):
            while not await _answers(http):
                assert not serving.done(), serving.exception()
                await asyncio.sleep(0.05)
        try:
            yield Browser(http)
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/api/me")).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_ten_seconds_after_its_server_told_of_it_it_is_in_no_answer(
    place: Place, parts: Any, unused_tcp_port: int
) -> None:
    waits: list[float] = []
    async with served(parts, place, unused_tcp_port) as browser:
        for numbers in rounds(number for number in range(DOCUMENTS) if number % 4):
            for number in numbers:
                assert canary(number) in await browser.told(number), "it was there"
            began = time.monotonic()
            for number in numbers:
                place.revoke(number)
                await browser.send(number)
            for number in numbers:
                while place.gone & await browser.told(number):
                    assert time.monotonic() - began < SECONDS + 5
                    await asyncio.sleep(0.1)
                waits.append(time.monotonic() - began)
        for number in range(0, DOCUMENTS, 10):
            assert not place.gone & await browser.told(number), "and it stays so"
    assert max(waits) < SECONDS
