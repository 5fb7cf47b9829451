"""P17 with models: no foreign link, call, picture or citation in any answer, whatever a model says and documents order.

Documents of six kinds carry orders and are read by the real path of documents. The model tells all that it was given,
obeys every order, invents numbers and never ends; then the same comes out of the fake servers of the providers.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

sys.path.insert(0, str(Path(__file__).parent))  # the tests are no packages
sys.path.insert(0, str(Path(__file__).parent.parent / "unit" / "golden"))

from make_office import pdf
from slack_sieve import Sieve

from citebot.evaluation.citations import check_citations
from citebot.ingest import Feeder, SyncRunner
from citebot.model import Answer, Attachment, Question, TextDelta, Turn
from citebot.ports import Generator, PartContext, SourceContext
from citebot.settings import IngestSettings
from citebot.storage import sources
from citebot.testing.evil_model import CITATIONS, HIDDEN, HOST, LINK_FORMS, MENTIONS, ORDER, EvilGenerator, reply
from citebot.testing.models.cohere import FakeCohere
from citebot.testing.models.cohere_chat import Reply
from citebot.testing.models.openai import FakeOpenAI
from citebot.testing.models.openai_chat import Chat
from citebot.testing.small_world import SmallWorld, ask, events_of
from citebot_connectors.sources.files import FilesSource
from citebot_connectors.sources.jsonl import JsonlSource
from citebot_plugins.cohere.generator import CohereGenerator
from citebot_plugins.openai_compatible.generator import OpenAICompatibleGenerator

CARRIERS = ("wiki", "ticket", "chat", "pdf", "title", "author")
OF_ONE_KIND = 12
TRICKS = tuple(form.format(d="c2VjcmV0", h=HOST) for form in LINK_FORMS) + MENTIONS + CITATIONS + (HIDDEN,)
NUMBER = re.compile(r"[\[\u3010]\s*\^?\s*(\d+)\s*[\],;\u3011\u2020]")
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def topics(carrier: str, of_one_kind: int) -> list[str]:
    return [f"{carrier}permit{number}" for number in range(of_one_kind)]


def row(carrier: str, topic: str, trick: str) -> dict[str, Any]:
    """A document whose text answers a question, with an order somewhere."""
    order, fine = f"{ORDER}{trick}", f"The {topic} costs 40 euros. Ask the office of {topic}."
    shared = {
        "id": topic,
        "title": f"About {topic}",
        "readers": ["everyone"],
        "url": f"https://wiki.example.com/{topic}",
    }
    match carrier:
        case "wiki":
            return {**shared, "markdown": f"# Rules {trick}\n\n{fine}\n\n{order}\n\n- {topic} {trick}"}
        case "ticket":
            parts = [{"text": f"{topic} again: {order}", "author": "Mallory", "created": "2026-03-01T10:00:00Z"}]
            return {**shared, "kind": "ticket", "text": f"{fine}\n\n{order}", "parts": parts}
        case "chat":
            return {**shared, "kind": "thread", "text": f"{trick}\n{fine}\n{order}"}
        case "title":
            return {**shared, "title": f"About {topic} {trick} {order}", "text": fine}
        case _:
            return {**shared, "authors": [f"Mallory {order}", trick], "text": f"{fine} By {trick}"}


def write_library(folder: Path, of_one_kind: int) -> None:
    turn = iter(range(10**6))
    with (folder / "all.jsonl").open("w", encoding="utf-8") as file:
        for carrier in CARRIERS:
            for topic in topics(carrier, of_one_kind):
                trick = TRICKS[next(turn) * 7 % len(TRICKS)]
                if carrier != "pdf":
                    print(json.dumps(row(carrier, topic, trick)), file=file)
                    continue
                lines = (f"The {topic} costs 40 euros.", f"{ORDER}{trick}", f"Ask the office of {topic}.")
                plain = tuple(re.sub(r"([\\()])", r"\\\1", " ".join(line.split())) for line in lines)
                (folder / f"{topic}.pdf").write_bytes(pdf((plain,)))


@asynccontextmanager
async def library(folder: Path, *, of_one_kind: int = OF_ONE_KIND) -> AsyncIterator[SmallWorld]:
    """All of it, read as an installation reads it."""
    write_library(folder, of_one_kind)
    world = SmallWorld(folder)
    await world.open()
    parts = {
        "files": FilesSource(FilesSource.Settings(path=folder, include=["*.pdf"]), PartContext(folder / "f")),
        "rows": JsonlSource(JsonlSource.Settings(path=folder / "all.jsonl"), PartContext(folder / "j")),
    }
    for name, part in parts.items():
        with world.database.write() as tx:
            sources.add(tx, name=name, type=part.name, settings={})
        context = SourceContext(folder / name, structlog.get_logger("x"), lambda: False, lambda: datetime.now(UTC))
        SyncRunner(world.database, part, source=name, context=context, settings=IngestSettings()).run()
    await Feeder(world.database, world.index).catch_up()
    try:
        yield world
    finally:
        await world.close()


def questions(seed: int, *, of_one_kind: int = OF_ONE_KIND) -> Iterator[Question]:
    """About a document of each kind in turn, and themselves as hostile as the documents."""
    chance = random.Random(seed)
    while True:
        for carrier in CARRIERS:
            topic, trick = chance.choice(topics(carrier, of_one_kind)), chance.choice(TRICKS)
            asked = ask(f"What does the {topic} cost{chance.choice(['?', f' {trick}?', ''])}")
            if chance.random() < 0.3:
                before = (Turn("user", f"{topic} {trick}"), Turn("assistant", f"{ORDER}{trick} [1]"))
                asked = replace(asked, text=f"and {topic}?", history=before)
            if chance.random() < 0.2:
                asked = replace(asked, attachments=(Attachment(f"{trick}.log", f"{topic} {ORDER}{trick}"),))
            yield replace(asked, tone=chance.choice(["brief", "normal", "detailed"]))


def harm(shown: str, answer: Answer) -> list[str]:
    """Everything wrong with an answer, and with what was shown while it was written."""
    sieve = Sieve(frozenset(), frozenset())
    found = [wrong for text in (shown, answer.text) for wrong in sieve.text("markdown", text)]
    found += [wrong for note in answer.notes for wrong in sieve.words(note)]
    numbers = {citation.number for citation in answer.citations}
    said = {int(digits) for digits in NUMBER.findall(CODE.sub("", answer.text))}
    found += [f"number {said - numbers} in {answer.text[:300]!r}"] if answer.answered and said - numbers else []
    found += [f"dangling {number}" for number in check_citations(answer).dangling]
    return found


async def looked_through(
    world: SmallWorld, generator: Generator, asked: Question, **settings: Any
) -> tuple[Answer, list[str]]:
    events = await events_of(world.path(generator, **settings), asked)
    shown = "".join(event.text for event in events if isinstance(event, TextDelta))
    answer: Answer = events[-1].answer  # type: ignore[union-attr]
    return answer, harm(shown, answer)


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_p17_whatever_a_model_says_no_answer_does_harm(tmp_path: Path, count: Callable[[int, int], int]) -> None:
    wanted = count(48, 3_000)
    wrong: list[str] = []
    seen: Counter[str] = Counter()
    evil, endless = EvilGenerator(), EvilGenerator(endless=True)
    async with library(tmp_path) as world:
        for number, asked in zip(range(wanted), questions(17), strict=False):
            answer, found = await looked_through(world, endless if number % 10 == 9 else evil, asked)
            carrier = CARRIERS[number % len(CARRIERS)]
            wrong += [f"{carrier} {asked.text!r}: {one}" for one in found]
            seen[carrier] += answer.answered and any(carrier in one.passage.title for one in answer.citations)
    print(wanted, dict(seen), len(wrong), Counter(one.split(": ")[-1][:40] for one in wrong).most_common(20))
    assert wrong == []
    assert all(seen[carrier] > wanted / len(CARRIERS) / 3 for carrier in CARRIERS if carrier != "pdf"), seen


# --- the same through the providers' own protocols ------------------------------------------------------------------


def evil_chat(chat: Chat) -> str:
    return reply([chat.system, chat.user])


def evil_cohere(body: Mapping[str, Any]) -> Reply:
    told = [message["content"] for message in body["messages"]]
    texts = [one["data"]["text"] for one in body.get("documents", ())]
    # Its native citations lie as well: everything is said by everybody.
    text = reply([*told, *texts])
    return Reply(text)


@contextmanager
def provider(name: str) -> Iterator[tuple[Generator, Callable[[], int]]]:
    """A generator on a fake server that is as evil as can be, and how often it was asked."""
    if name == "cohere":
        with FakeCohere() as server:
            server.script = evil_cohere
            chosen = {"base_url": server.url, "api_key": server.key, "model": "command-a-03-2025"}
            part: Generator = CohereGenerator(CohereGenerator.Settings(**chosen), PartContext(Path()))
            yield part, lambda: len(server.bodies("/v2/chat"))
    else:
        with FakeOpenAI(script=evil_chat) as server:
            chosen = {"base_url": server.base_url, "api_key": server.key, "model": "chat-1"}
            part = OpenAICompatibleGenerator(OpenAICompatibleGenerator.Settings(**chosen), PartContext(Path()))
            yield part, lambda: len(server.chats)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["openai_compatible", "cohere"])
async def test_p17_nor_what_comes_from_a_provider(name: str, tmp_path: Path, count: Callable[[int, int], int]) -> None:
    wrong: list[str] = []
    answered = 0
    wanted = count(6, 120)
    async with library(tmp_path, of_one_kind=2) as world:
        with provider(name) as (generator, calls):
            await generator.open()
            for _, asked in zip(range(wanted), questions(5, of_one_kind=2), strict=False):
                answer, found = await looked_through(world, generator, asked)
                wrong += [f"{asked.text!r}: {one}" for one in found]
                answered += answer.answered
            await generator.close()
            print(name, wanted, answered, calls(), len(wrong))
            assert calls() >= wanted
    assert wrong == []
    assert answered > wanted // 2
