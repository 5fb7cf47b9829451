"""P20: a prompt holds no secret, no token, no id and nobody's name, in any configuration.

Questions go through the whole path and through each provider's plugin to a fake server; all that arrives there but the
header with the key is looked through for what was planted everywhere else: in settings, the environment, documents that
the asker may not read, other conversations, and the things that know who asks where.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from citebot.logging_setup import hide
from citebot.model import Attachment, Audience, Conversation, Person, Question, Readers, Tone, Turn
from citebot.ports import Generator, PartContext
from citebot.testing.models.cohere import FakeCohere
from citebot.testing.models.openai import FakeOpenAI
from citebot.testing.small_world import Page, SmallWorld, answer_of
from citebot_plugins.cohere.generator import CohereGenerator
from citebot_plugins.openai_compatible.generator import OpenAICompatibleGenerator

OPENED = "opened-canary-4711-secret"
"""A secret of the settings that was opened, whatever it looks like."""
TOKENS = (
    "xoxb-canary-1234567890-abcdef", "sk-canary1234567890abcdefgh", "ghp_canary1234567890abcdef",
    "Bearer canary.abcdefghijklmnop", "password=canary-hunter2", "AKIACANARY1234567890", OPENED,
)  # fmt: skip
IDS = (
    "<@U0CANARY9>",
    "<@U0CANARY9|canary.bob>",
    "<#C0CANARY9|canary-board>",
    "<!subteam^S0CANARY|@canary>",
    "@U0CANARY9",
)
ASKED = {
    "en": ("How many leave days do employees get?", "and for contractors?"),
    "de": ("Wie viele Urlaubstage bekommen Angestellte?", "und für Freie?"),
    "ja": ("employees の leave days は何日ですか？", "and contractors?"),
}
PAGES = [
    Page("Employees get 26 days of paid annual leave. Angestellte bekommen 26 Urlaubstage. 社員 有給休暇 26.", "Leave"),
    Page("Contractors have no paid leave days. Freie haben keine Urlaubstage.", "Contractors"),
    Page(
        "The board plans canary-board-paper leave days.", "canary-minutes", readers=Readers.of(groups=["canary-group"])
    ),
    Page(
        "Bob asked for canary-bob-leave leave days.", "Leave of Canary Bob", readers=Readers.of(people=["canary-bob"])
    ),
    Page(f"To read leave days, log in with {TOKENS[0]} or {TOKENS[4]}.", "Access", updated=datetime(2026, 1, 2)),
]
WHO = Person("canary-ann@example.com", "Canary Ann")
WHERE = Conversation("canaryplatform", "C0CANARY", "T0CANARY", "canary-thread", "private")
SEEN_BY = Audience(
    frozenset({"everyone", "person:canary-ann"}), "#canary-channel", (), frozenset({"canary-ann", "canary-cat"})
)


@dataclass(frozen=True)
class Shape:
    """One way in which a question reaches a model."""

    tone: Tone
    language: str
    history: bool
    attachments: bool

    @property
    def question(self) -> Question:
        first, then = ASKED[self.language]
        turns = (Turn("user", f"{first} {IDS[1]} {TOKENS[2]}"), Turn("assistant", f"26 {IDS[3]} {OPENED} [1]"))
        files = (Attachment("canary-salaries.txt", f"leave days {TOKENS[3]}\n{IDS[2]} {TOKENS[5]}"),)
        return Question(
            text=then if self.history else f"{first} {IDS[0]} {TOKENS[1]}",
            asker=WHO, conversation=WHERE, audience=SEEN_BY, tone=self.tone,
            history=turns if self.history else (), attachments=files if self.attachments else (),
        )  # fmt: skip


SHAPES = [Shape(*one) for one in itertools.product(get_args(Tone), ASKED, (False, True), (False, True))]


@contextmanager
def provider(name: str, more: dict[str, Any]) -> Iterator[tuple[Generator, Callable[[], list[str]]]]:
    """A generator on a fake server, and the bodies that came there."""
    context = PartContext(Path("canary-folder"))
    if name == "cohere":
        with FakeCohere(key="canary-key-0123456789") as server:
            chosen = {"base_url": server.url, "api_key": server.key, "model": "command-a-03-2025", **more}
            part: Generator = CohereGenerator(CohereGenerator.Settings(**chosen), context)
            yield part, lambda: [json.dumps(body, ensure_ascii=False) for body in server.bodies("/v2/chat")]
    else:
        with FakeOpenAI(key="canary-key-0123456789") as server:
            extra = {"secret_headers": {"x-gateway": "canary-header"}}
            chosen = {"base_url": server.base_url, "api_key": server.key, "model": "chat-1", **extra, **more}
            part = OpenAICompatibleGenerator(OpenAICompatibleGenerator.Settings(**chosen), context)
            yield part, lambda: [json.dumps(chat.body, ensure_ascii=False) for chat in server.chats]


@asynccontextmanager
async def small_world(folder: Path) -> AsyncIterator[SmallWorld]:
    world = SmallWorld(folder)
    await world.open()
    await world.add(PAGES)
    bob = replace(SHAPES[0].question, text="canary-bob-question leave days", asker=Person("canary-bob", "Canary Bob"))
    await answer_of(world.path(), bob)  # somebody else's, stored in the same database
    yield world
    await world.close()


CONFIGURATIONS = {
    "openai_compatible": [
        {},
        {"temperature": "default", "max_prompt_tokens": 2000},
        {"output_limit": "max_completion_tokens"},
    ],
    "cohere": [{}, {"citations": "ACCURATE"}, {"max_prompt_tokens": 2000, "safety_mode": "STRICT"}],
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CONFIGURATIONS)
async def test_p20_no_prompt_holds_what_a_model_need_not_know(
    name: str, tmp_path: Path, count: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITEBOT_CANARY", "canary-environment")
    hide(OPENED)
    configurations = CONFIGURATIONS[name]
    every = list(itertools.product(range(len(configurations)), SHAPES))
    chosen = every[:: max(1, len(every) // count(12, len(every)) - 2)]
    bodies: list[str] = []
    answered = 0
    async with small_world(tmp_path) as world:
        for place, more in enumerate(configurations):
            with provider(name, more) as (generator, arrived):
                await generator.open()
                for shape in [shape for number, shape in chosen if number == place]:
                    answered += (await answer_of(world.path(generator), shape.question)).answered
                await generator.close()
                bodies += arrived()
    leaks = [body for body in bodies if "canary" in body.lower()]
    print(name, len(chosen), "questions,", len(bodies), "prompts,", len(leaks), "leaks")
    assert leaks == []
    rewriting = [body for body in bodies if "Write the question again" in body]
    assert len(rewriting) == sum(shape.history for _, shape in chosen) > 0
    assert len(bodies) >= len(chosen) + len(rewriting)
    assert answered > len(chosen) // 2
    told = [body for body in bodies if "You answer questions" in body]
    assert all("26" in body for body in told)  # what the asker may read did arrive
