"""P17 and P18: no foreign link, call or picture in anything that goes to Slack, and nothing there is fetched by itself.

The model is as harmful as a fooled one can be, the documents are hostile in text, title, heading, author and address,
and so are the names of people and files and what is asked. Every payload is looked through by `slack_sieve.py`.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("slack_bolt")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from slack_office import FEEDBACK, Office, add_app, office
from slack_sieve import Sieve, shown

import citebot
from citebot.answering.sentences import units
from citebot.answering.sink import clean
from citebot.ports import Message
from citebot.testing.evil_model import HIDDEN, HOST, LINK_FORMS, MENTIONS, EvilGenerator
from citebot.testing.slack import Channel, FakeSlack, User
from citebot.testing.slack.core import Sent
from citebot_connectors.platforms.slack.drawing import Drawing
from citebot_connectors.platforms.slack.manifest import SHORTCUT
from citebot_connectors.platforms.slack.private import SHARE
from citebot_connectors.platforms.slack.texts import ENGLISH

AT_ONCE = 6
DOCUMENTS = 48
TRICKS = (
    "*bold <https://evil.example|text>* _x_ ~y~",
    "&lt;!channel&gt; &amp;lt;@U0123ABCD&amp;gt;",
    "<slack://user?team=T1&id=U1|open>",
    "<!date^1392734382^{date}^https://evil.example/|today>",
    "<!subteam^S01|@board> <#C0123|general>",
    "| a | b |\n| --- | --- |\n| [x](https://evil.example/t) | ![p](https://evil.example/t.png) |",
    "# [Heading](https://evil.example/h) <!here>\n## https://evil.example/h2",
    "```\nfirst\n```\n<!channel> https://evil.example/\n```",
    "~~~\ninside\n```\n~~~\n[out](https://evil.example/)",
    "> quoted <https://evil.example|x>\n> [y](https://evil.example)",
    "[ ] [Approve](https://evil.example/approve) [Deny](https://evil.example/deny)",
    '{"type": "button", "url": "https://evil.example"}',
    "evil\u2024com/path evil\uff0ecom/path evil\u3002com/path",
    "exfil.evil.com and evil.co",
    "[a]: https://evil.example/ref\n\nsee [a] and [a][]",
    "\\<https://evil.example|x\\> \\[x\\](https://evil.example)",
    "<https://evil.example\n|split>",
    "<@U0123\u200bABCD> @\u2060channel",
    HIDDEN,
)
ADDRESSES = (
    "https://wiki.example.com/p{n}",
    "https://wiki.example.com/p{n}?a=1&b=2",
    "https://wiki.example.com/p{n}|<!channel>",
    "https://wiki.example.com/p{n}> <!here> <x",
    "javascript:alert({n})",
    "slack://channel?id={n}",
    "https://wiki.example.com/p{n}\u202egpj",
    "//evil.example/p{n}",
)
NAME = "Mallory <!channel> https://evil.example/ @everyone"
BENIGN = 500


def forms() -> list[str]:
    made = [form.format(d="c2VjcmV0", h=HOST) for form in LINK_FORMS]
    return [*made, *MENTIONS, *TRICKS]


def rows(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Documents that each hold every kind of trick somewhere."""
    every = forms()
    for n in range(DOCUMENTS):
        some = [every[(n * 5 + k) % len(every)] for k in range(5)]
        trick, other, third, fourth, fifth = some
        yield {
            "id": f"p{n}",
            "title": f"Permit{n} {trick}",
            "markdown": f"# Rules {other}\n\nThe permit{n} costs {n} euros {third}. Permit{n} {fourth} is for "
            f"all.\n\n- permit{n} item {fifth}\n\n```sh\nget permit{n} {trick}\n```\n\nEnd of permit{n}.",
            "url": chance.choice(ADDRESSES).format(n=n),
            "readers": ["everyone"],
            "authors": [NAME, other],
        }


class Attack:
    """People who ask hostile things, in every way there is."""

    def __init__(self, at_work: Office, people: list[User], channel: Channel, seed: int) -> None:
        self.office, self.slack, self.people, self.channel = at_work, at_work.slack, people, channel
        self.chance = random.Random(seed)

    def question(self) -> str:
        n = self.chance.randrange(DOCUMENTS)
        return f"What about permit{n} {self.chance.choice(forms())} and permit{(n + 1) % DOCUMENTS}?"

    async def run(self) -> None:
        who = self.chance.choice(self.people)
        way = self.chance.choice(("mention", "mention", "direct", "command", "share", "about", "files", "rate"))
        match way:
            case "mention" | "rate":
                question = await self.office.ask(who, self.channel, self.question())
                answer = await self.office.answer(question)
                if way == "rate":
                    await self.rate(who, answer)
            case "direct":
                direct = self.slack.direct(who, self.office.app)
                await self.office.answer(await self.office.ask(who, direct, self.question()))
            case "command" | "share":
                seen = len(self.private(who))
                await self.slack.command(who, self.channel, f"/ask {self.question()}")
                await self.slack.until(lambda: len(self.private(who)) > seen, timeout=60)
                if way == "share" and (last := self.private(who)[-1]).element(SHARE):
                    await self.slack.click(who, last, SHARE)
            case "about":
                said = await self.slack.say(self.people[0], self.channel, self.question())
                await self.slack.shortcut(who, SHORTCUT, said)
                modal = await self.slack.until(lambda: self.slack.modal(who))
                await self.slack.submit(who, modal, {"question": self.question()})
            case "files":
                files = [(f"{self.chance.choice(forms())}.bin", b"x")]
                text = f"{self.office.app.mention} {self.question()}"
                await self.office.answer(await self.slack.say(who, self.channel, text, files=files))

    def private(self, who: User) -> list[Any]:
        return [shown for shown in self.office.whispered(who, self.channel) if shown.element(FEEDBACK)]

    async def rate(self, who: User, answer: Any) -> None:
        await self.slack.click(who, answer, FEEDBACK, "negative")
        if modal := self.slack.modal(who):
            await self.slack.submit(who, modal, {"reason": self.chance.choice(forms())})


def own_addresses() -> frozenset[str]:
    """The addresses of records as they may stand in Slack's markup."""
    plain = [f"https://wiki.example.com/p{n}" for n in range(DOCUMENTS)]
    odd = [
        f"{url}{rest}" for url in plain for rest in ("?a=1&amp;b=2", "%7C%3C!channel%3E", "%3E%20%3C!here%3E%20%3Cx")
    ]
    return frozenset([*plain, *odd])


async def attack(folder: Path, seed: int, payloads: int) -> tuple[list[Sent], Sieve, int]:
    """Ask until so many payloads have texts in them; those, what is wrong with them, and the links shown."""
    chance = random.Random(seed)
    async with FakeSlack(speed=60, rates=False) as slack:
        people = [slack.add_user(f"u{number}") for number in range(AT_ONCE)]
        for user in people:
            user.real_name = NAME
        app = add_app(slack)
        if seed % 2:  # a workspace without streams
            slack.faults.error("chat.startStream", "unknown_method", times=10**6)
        async with office(slack, app, folder, list(rows(chance)), EvilGenerator(), delivery__workers=4) as at_work:
            sieve = Sieve(own_addresses(), frozenset({app.bot.id, *(user.id for user in people)}))

            async def one(number: int) -> None:
                turn = 0
                while len(telling(slack.sent)) < payloads:
                    turn += 1
                    channel = slack.add_channel(f"c{number}-{turn}", [*people, app])
                    await Attack(at_work, [people[number]], channel, seed * 10_000 + number * 1_000 + turn).run()

            await asyncio.gather(*(one(number) for number in range(AT_ONCE)))
            for user in people:
                await slack.open_home(user, app)
                await slack.open_home(user, app, "messages")
            await slack.settled(timeout=60)
            links = 0
            for channel in slack.world.channels.values():
                for root in [m for m in channel.messages.values() if m.app_id]:
                    for text in stream_text(root):
                        sieve.harm.extend(f"message: {wrong}" for wrong in sieve.text("markdown", text))
                    links += str(root.blocks).count("<https://wiki.example.com/")
            return telling(slack.sent), sieve, links


def stream_text(message: Any) -> list[str]:
    """What was streamed in pieces, as one."""
    return [message.stream.text] if message.stream and message.stream.text else []


def telling(sent: list[Sent]) -> list[Sent]:
    """Payloads in which there is something to read."""
    return [one for one in sent if next(iter(shown(one.args)), None)]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [0, 1], ids=["streams", "edits"])
async def test_p17_no_payload_has_a_foreign_link_call_or_picture(
    seed: int, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    wanted = count(120, 2_000)
    sent, sieve, links = await attack(tmp_path, seed, wanted)
    for one in sent:
        sieve.look(one)

    print(len(sent), links, Counter(one.method for one in sent), Counter(what[:60] for what in sieve.harm))
    assert len(sent) >= wanted
    assert sieve.harm == []
    assert links > wanted // 20  # the sources of our own records are linked


def test_the_sieve_has_teeth() -> None:
    sieve = Sieve(frozenset({"https://wiki.example.com/p1"}), frozenset({"U1"}))
    harmless = ["[click][leak]", "[leak][]", "![image][leak]", "@room", TRICKS[1]]  # alone, and in Slack
    passed: list[str] = []
    for form in forms():
        found = [wrong for kind in ("mrkdwn", "markdown") for wrong in sieve.text(kind, form)]
        passed += [] if found else [form]
    assert passed == harmless
    for good in ("<https://wiki.example.com/p1|Parking>", "<@U1> asked: what?", "&lt;!channel&gt; is a word"):
        assert list(sieve.text("mrkdwn", good)) == []


# --- what is harmless stays ----------------------------------------------------------------------------------------


def sample_texts() -> list[str]:
    """Pieces of the sample company's own documents, as an answer might quote them."""
    found = []
    for path in sorted((Path(citebot.__file__).parent / "sample").rglob("*.md")):
        text = re.sub(r"\A---\n.*?\n---\n", "", path.read_text("utf-8"), flags=re.DOTALL)
        found += [unit.text.strip() for unit in units(text) if len(unit.text.strip()) > 30]
    return found


def rendered(text: str) -> str:
    """Words only, as they are read."""
    return " ".join(re.sub(r"[*_`#|>~\\-]+", " ", text).split())


def drawn(text: str) -> str:
    """The words of an answer as Slack shows them."""
    body = Drawing(ENGLISH, datetime(2026, 3, 1, tzinfo=UTC)).message(Message(text))
    words = []
    for block in body["blocks"]:
        words += [block["text"]] if block["type"] == "markdown" else [c["text"] for row in block["rows"] for c in row]
    return " ".join(words)


def test_p17_what_is_harmless_is_shown_as_it_was() -> None:
    texts = [text for text in sample_texts() if not re.search(r"https?://|\]\(|@|<", text)]
    chosen = random.Random(17).sample(texts, BENIGN)
    changed = [text for text in chosen if rendered(drawn(clean(text))) != rendered(text)]

    print(len(texts), changed)
    assert len(changed) <= BENIGN // 100
