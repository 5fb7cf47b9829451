"""P17 and P18: no foreign link, call or picture in anything that goes to Discord, and nothing is fetched by itself.

As `test_slack_payloads.py` does it: the model is as harmful as a fooled one can be, documents, names and questions are
hostile. Every payload is looked through by `discord_sieve.py`.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("discord")
pytest.importorskip("slack_bolt")  # the tricks are those for Slack, and more
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from discord_office import Office
from discord_sieve import FIRST, MESSAGES, Sieve, shown
from slack_office import bot_that_read
from test_slack_payloads import BENIGN, DOCUMENTS, NAME, forms, rendered, rows, sample_texts

from citebot.answering.sink import clean
from citebot.ports import Message
from citebot.showing import split
from citebot.testing.discord import Channel, FakeDiscord, Outcome, User
from citebot.testing.discord.core import Sent
from citebot.testing.evil_model import EvilGenerator
from citebot_connectors.platforms.discord.drawing import Drawing, Setting
from citebot_connectors.platforms.discord.platform import DiscordPlatform
from citebot_connectors.platforms.discord.texts import ENGLISH

AT_ONCE = 6
TRICKS = (
    "<@&123456789012345678> <@!123456789012345678> <#123456789012345678>",
    "</ask:123456789012345678> <id:customize> <t:1700000000:R> <a:dance:123456789012345678>",
    "discord.gg/evil discordapp.com/invite/evil DISCORD.GG/evil",
    "discord://-/users/1 steam://run/1",
    "-# [small](https://evil.example)\n> [quoted](https://evil.example)",
    "||[spoiler](https://evil.example)|| ~~https://evil.example~~",
    "```md\n[99](https://evil.example)\n```",
    "```\n[99](1)\nhttps:\n//evil.example\n```",
    "[99](1) [x](discord.gg/evil)",
    "<https:\\//evil.example> <http\u200b://evil.example>",
)
EVERY_FORM = [*forms(), *TRICKS]
WAYS = (
    *("mention", "mention", "direct", "command", "command", "private", "share", "about"),
    *("files", "again", "thread", "rate", "people", "typed"),
)


class Attack:
    """Somebody who asks hostile things, in every way there is."""

    def __init__(self, at_work: Office, who: User, channel: Channel, chance: random.Random) -> None:
        self.office, self.discord = at_work, at_work.discord
        self.who, self.channel, self.chance = who, channel, chance
        self.seen: set[str] = set()

    def question(self) -> str:
        n = self.chance.randrange(DOCUMENTS)
        return f"What about permit{n} {self.chance.choice(EVERY_FORM)} and permit{(n + 1) % DOCUMENTS}?"

    async def run(self) -> None:
        way = self.chance.choice(WAYS)
        match way:
            case "direct":
                direct = self.discord.direct(self.who, self.office.app)
                self.seen |= {one.id for one in self.discord.messages(direct)}
                await self.discord.say(self.who, direct, self.question())
                await self.office.answer(direct, self.who, self.seen)
            case "mention" | "files":
                files = [(f"{self.chance.choice(EVERY_FORM)}.bin", b"x")] if way == "files" else []
                text = f"{self.office.app.mention} {self.question()}"
                await self.discord.say(self.who, self.channel, text, files=files)
                await self.office.answer(self.channel, self.who, self.seen)
            case "about":
                said = await self.discord.say(self.who, self.channel, self.question())
                await self.discord.context_menu(self.who, "Ask about this", said)
                modal = await self.discord.until(lambda: self.discord.modal(self.who))
                await self.discord.submit(self.who, modal, {"question": self.question()})
                await self.office.answer(self.channel, self.who, self.seen)
            case "typed":
                await self.discord.autocomplete(self.who, self.channel, "ask", "question", "permit")
            case _:
                await self.ask()
                answer = await self.office.answer(self.channel, self.who, self.seen)
                await self.press(way, answer)

    async def ask(self, **options: Any) -> Outcome:
        options |= {"private": True} if self.chance.random() < 0.3 else {}
        return await self.discord.command(self.who, self.channel, "ask", {"question": self.question(), **options})

    async def press(self, way: str, answer: Any) -> None:
        rating = answer.element("cb:rate:not_helpful:*")["custom_id"]
        buttons = {"share": "cb:share:*", "again": "cb:again:*", "thread": "cb:thread:*", "people": "cb:people:*"}
        if way == "rate":
            await self.discord.click(self.who, answer, rating)
            if modal := self.discord.modal(self.who):
                await self.discord.submit(self.who, modal, {"reason": self.chance.choice(EVERY_FORM)})
        elif (name := buttons.get(way)) and answer.element(name):
            await self.discord.click(self.who, answer, name)


def own_addresses() -> frozenset[str]:
    """The addresses of records as they may stand behind a button."""
    plain = [f"https://wiki.example.com/p{n}" for n in range(DOCUMENTS)]
    odd = [f"{url}{rest}" for url in plain for rest in ("?a=1&b=2", "%7C%3C!channel%3E", "%3E%20%3C!here%3E%20%3Cx")]
    return frozenset([*plain, *odd])


async def attack(folder: Path, seed: int, payloads: int) -> tuple[list[Sent], Sieve]:
    """Ask until so many payloads have texts in them; those, and the sieve for them."""
    async with FakeDiscord(speed=60, rates=False) as discord:
        people = [discord.add_user(f"u{number}") for number in range(AT_ONCE)]
        for user in people:
            user.display_name = NAME
        app = discord.add_app("citebot", intents=())
        documents = list(rows(random.Random(seed)))
        async with bot_that_read(folder, documents, EvilGenerator(), delivery__workers=4) as bot:
            at_work = Office(discord, app, bot, experts=[one.id for one in people[:2]])
            async with at_work.working():

                async def one(number: int) -> None:
                    chance, turn = random.Random(seed * 1_000 + number), 0
                    while len(telling(discord.sent)) < payloads:
                        turn += 1
                        channel = discord.add_channel(f"c{number}-{turn}")
                        await discord.rename(channel, f"d{number}-{turn}")
                        await Attack(at_work, people[number], channel, chance).run()

                await asyncio.gather(*(one(number) for number in range(AT_ONCE)))
                await discord.settled(timeout=60)
        threads = frozenset(one.id for one in discord.world.channels.values() if one.is_thread)
        return telling(discord.sent), Sieve(own_addresses(), frozenset(user.id for user in people), threads)


def telling(sent: list[Sent]) -> list[Sent]:
    """Payloads in which there is something to read; what commands are called is not asked here."""
    read = (*MESSAGES, FIRST, "start_thread_from_message")
    return [one for one in sent if one.method in read and next(iter(shown(one.args)), None)]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [0, 1])
async def test_p17_no_payload_has_a_foreign_link_call_or_picture(
    seed: int, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    wanted = count(120, 2_000)
    sent, sieve = await attack(tmp_path, seed, wanted)
    for one in sent:
        sieve.look(one)
    links = sum(kind == "link" for one in sent for kind, _ in shown(one.args))

    print(len(sent), links, Counter(one.method for one in sent), Counter(what[:60] for what in sieve.harm))
    [print(h[:420]) for h in sieve.harm[:400:12]]
    assert len(sent) >= wanted
    assert sieve.harm == []
    assert links > wanted // 20  # the sources of our own records are linked


def test_the_sieve_has_teeth() -> None:
    sieve = Sieve(frozenset({"https://wiki.example.com/p1"}), frozenset({"123456789012345679"}))
    passed = [form for form in EVERY_FORM if not list(sieve.text("markdown", form))]
    assert set(passed) == HARMLESS
    for good in ("**[1]** Parking", "<@123456789012345679> asked: what?", "a ]\u200b(b) c"):
        assert list(sieve.text("markdown", good)) == []
    assert list(sieve.text("link", "https://wiki.example.com/p1")) == []
    assert list(sieve.text("link", "https://evil.example/"))


HARMLESS = {"[click][leak]", "[leak][]", "![image][leak]", "@room", "<!channel>", "<!here|here>", "<!everyone>"}
HARMLESS |= {"<!subteam^S01|@team>", "&lt;!channel&gt; &amp;lt;@U0123ABCD&amp;gt;"}
"""Alone, and in Discord, which knows neither references nor entities, and has other calls than Slack."""


# --- what is harmless stays ----------------------------------------------------------------------------------------


def drawn(text: str) -> str:
    """The words of an answer as Discord shows them."""
    pieces = split(text, DiscordPlatform.capabilities.text_limit)
    draw = Drawing(ENGLISH, datetime(2026, 3, 1, tzinfo=UTC), Setting())
    bodies = [draw.message(Message(piece), mark=1) for piece in pieces]
    return " ".join(text for body in bodies for kind, text in shown(body) if kind == "markdown")


def test_p17_what_is_harmless_is_shown_as_it_was() -> None:
    texts = [text for text in sample_texts() if not re.search(r"https?://|\]\(|@|<", text)]
    chosen = random.Random(17).sample(texts, BENIGN)
    changed = [text for text in chosen if rendered(drawn(clean(text))) != rendered(text)]

    print(len(texts), changed)
    assert len(changed) <= BENIGN // 100
