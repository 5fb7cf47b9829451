"""What a Discord message can hold: limits, code that is cut, and words that would call or link."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytest.importorskip("discord")

from citebot.model import Answer, Audience, Citation, Conversation, Inquiry, Passage, Person, Question, Readers
from citebot.ports import Message
from citebot.showing import split
from citebot_connectors.platforms.discord.drawing import Drawing, Setting
from citebot_connectors.platforms.discord.markup import escaped, plain, safe_link, safe_markdown, without_mention
from citebot_connectors.platforms.discord.platform import DiscordPlatform
from citebot_connectors.platforms.discord.texts import ENGLISH, GERMAN, LANGUAGES

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LIMIT = DiscordPlatform.capabilities.text_limit
EVIL = "@everyone <@1> <@&2> <#3> </ask:4> <t:1> [click](https://evil.example) https://evil.example discord.gg/x `*_~|>"


def passage(number: int, *, title: str = "Page", url: str = "https://wiki.example.com/page") -> Passage:
    """Something to cite."""
    return Passage(
        id=number,
        source="handbook",
        document_id=str(number),
        title=title,
        url=f"{url}-{number}",
        anchor="",
        headings=("Part",),
        text="",
        kind="paragraph",
        position=0,
        readers=Readers.everyone(),
        updated=NOW - timedelta(days=1),
        synced=NOW - timedelta(hours=1),
    )


def answer(text: str, *, sources: int = 1, title: str = "Page", notes: tuple[str, ...] = ()) -> Answer:
    """An answer that cites."""
    question = Question("Why?", Person("alice"), Conversation("discord", "1"), Audience(frozenset()))
    citations = tuple(Citation(number, passage(number, title=title)) for number in range(1, sources + 1))
    return Answer("a" * 32, question, text, True, citations, notes=notes)


def drawn(message: Message, setting: Setting | None = None) -> list[dict[str, Any]]:
    """All components of a message, however deep."""
    body = Drawing(ENGLISH, NOW, setting or Setting(threads=True)).message(message, mark=7)
    found: list[dict[str, Any]] = []

    def walk(components: list[dict[str, Any]]) -> None:
        for one in components:
            found.append(one)
            walk([*one.get("components", ()), *([one["accessory"]] if "accessory" in one else [])])

    walk(body["components"])
    return found


def words(components: list[dict[str, Any]]) -> list[str]:
    """The text displays."""
    return [one["content"] for one in components if one["type"] == 10]


@pytest.mark.parametrize("sources", [0, 1, 7, 30])
async def test_item_04_a_message_keeps_discord_s_limits_however_much_there_is(sources: int) -> None:
    full = answer("x" * LIMIT, sources=sources, title="T*" * 200, notes=("n" * 500,) * 9)
    setting = Setting(threads=True, asked="q*" * 2_000)
    found = drawn(Message(full.text, answer=full, retry="inbox-1"), setting)

    assert len(found) <= 40
    assert sum(map(len, words(found))) <= 4_000
    assert "x" * LIMIT in words(found)[0]
    assert all(len(one.get("custom_id", "")) <= 100 and len(one.get("label", "")) <= 80 for one in found)
    assert len({one["custom_id"] for one in found if "custom_id" in one}) == 7


async def test_item_04_a_source_without_an_address_has_no_button() -> None:
    full = answer("Yes [1].")
    there = Citation(1, passage(1, url="javascript:alert(1)"))
    found = drawn(Message("Yes [1].", answer=Answer(full.id, full.question, full.text, True, (there,))))
    assert not [one for one in found if one.get("url")]
    assert any("Page" in text for text in words(found))


@pytest.mark.parametrize("limit", [2_000, LIMIT, 4_000])
def test_item_05_a_text_is_cut_between_paragraphs_and_code_stays_code(limit: int) -> None:
    code = "\n".join(f"print({number})" for number in range(900))
    pieces = split(f"Before.\n\n```python\n{code}\n```\n\nAfter.", limit)

    assert len(pieces) > 1
    assert all(len(piece) <= limit for piece in pieces)
    assert all(piece.count("```") % 2 == 0 for piece in pieces)
    joined = "\n".join(line for piece in pieces for line in piece.splitlines() if not line.startswith("```"))
    assert all(f"print({number})" in joined for number in range(900))


async def test_item_12_nothing_in_text_titles_or_notes_calls_or_links() -> None:
    full = answer(EVIL, title=EVIL, notes=(EVIL,))
    found = drawn(Message(EVIL, status=EVIL, answer=full), Setting(asked=EVIL))

    for text in words(found):
        for wrong in ("<@", "<#", "</", "<t:", "](http", "https://", "discord.gg/"):
            assert wrong not in text
    assert {one["url"] for one in found if one.get("url")} == {"https://wiki.example.com/page-1"}


async def test_item_12_only_those_who_are_asked_are_called() -> None:
    from citebot.model import Helper

    people = (Helper("11", Person("bob")), Helper("<@1>", Person("evil")))
    inquiry = Inquiry("a" * 32, EVIL, Person("alice", EVIL), people, found=(passage(1),))
    body = Drawing(ENGLISH, NOW, Setting()).message(Message("", inquiry=inquiry), mark=1)
    (said, *_) = words(drawn(Message("", inquiry=inquiry)))

    assert "<@11>" in said
    assert said.count("<@") == 1
    assert body["allowed_mentions"]["parse"] == []
    assert "11" in body["allowed_mentions"]["users"]


def test_item_12_harmless_text_stays_as_it_is() -> None:
    text = "Press **Ctrl** + `<C>`, see [1]; 3 < 4 and a::b.\n\n| a | b |\n```py\nx = {1: 2}\n```"
    assert safe_markdown(text) == text
    assert escaped("a*b") == r"a\*b"


def test_what_people_write_becomes_plain() -> None:
    assert without_mention("so <@!7>, what is <@8>?", "7") == "so what is <@8>?"
    assert plain("<@8> in <#5> with <:smile:9>, </ask me:3>") == "@8 in #5 with :smile:, /ask me"


@pytest.mark.parametrize("url", ["", "ftp://a.b", "https://", "https://a.b/" + "x" * 600, "https://a.b/\n", "//a.b"])
def test_addresses_that_are_no_links_are_none(url: str) -> None:
    assert safe_link(url) == ""


def test_item_17_every_language_says_everything() -> None:
    from dataclasses import fields

    from citebot_connectors.platforms.discord.texts import Texts

    for texts in LANGUAGES.values():
        for field in fields(Texts):
            if field.name != "commands":
                assert getattr(texts, field.name), f"{texts.language}: {field.name}"
        for name in ("thread_made", "failed"):
            assert getattr(texts, name).count("{") == 1
    assert all(name == name.lower() for key, name in GERMAN.commands.items() if " " not in key)
