"""What an answer looks like in Slack, checked by the limits of the protocol server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from markdown_it import MarkdownIt

pytest.importorskip("slack_bolt")

from citebot.answering.sink import clean
from citebot.model import Answer, Audience, Citation, Conversation, Passage, Person, Question, Readers, ScoredPassage
from citebot.ports import Message
from citebot.showing import split
from citebot.testing.slack.composing import called, linked
from citebot.testing.slack.limits import check_blocks
from citebot.testing.slack.reading import formatted, plain
from citebot_connectors.platforms.slack.drawing import Drawing
from citebot_connectors.platforms.slack.markup import linked as link_to
from citebot_connectors.platforms.slack.markup import plain as plain_text
from citebot_connectors.platforms.slack.markup import safe_link, safe_markdown, without_mention
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.texts import ENGLISH, GERMAN

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DRAWING = Drawing(ENGLISH, NOW)
TABLE = "| Day | Opens |\n| --- | ---: |\n| Monday | **9** |\n| Sunday | closed |"


def passage(number: int, **changes: object) -> Passage:
    made = Passage(
        number, "wiki", f"d{number}", f"Page {number}", f"https://wiki.example.com/{number}", "fees", ("Page", "Fees"),
        "text", "paragraph", 0, Readers.everyone(), updated=datetime(2026, 3, 1), synced=datetime(2026, 3, 2, 9),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def answer(text: str, *cited: Passage, **more: object) -> Answer:
    question = Question("?", Person("alice"), Conversation("slack", "C1"), Audience(frozenset()))
    citations = tuple(Citation(number, one) for number, one in enumerate(cited, start=1))
    return replace(Answer("a" * 32, question, text, True, citations), **more)  # type: ignore[arg-type]


def drawn(text: str, *cited: Passage, **more: object) -> list[dict[str, object]]:
    blocks = DRAWING.message(Message(text, answer=answer(text, *cited, **more)))["blocks"]
    check_blocks(blocks)
    return list(blocks)


def test_item_11_a_source_is_one_line_with_title_section_age_and_when_it_was_read() -> None:
    shown = plain(drawn("It is 40 [1].", passage(1)))

    assert "*[1]* <https://wiki.example.com/1#fees|Page 1> › Fees (wiki, updated 2026-03-01, read 3 hours ago)" in shown


def test_item_11_hundred_sources_stay_within_the_limits() -> None:
    far = "https://wiki.example.com/" + "x" * 1_900
    blocks = drawn("Much.", *(passage(number, title="T" * 300, url=far) for number in range(1, 101)))

    assert len(blocks) <= 50


def test_item_12_a_text_at_the_limit_is_shown_whole() -> None:
    limit = SlackPlatform.capabilities.text_limit
    text = "<@U1> & word " * (limit // 13)
    (block,) = [one for one in drawn(text) if one["type"] == "markdown"]

    assert str(block["text"]).endswith("word ")


def test_item_12_a_fence_that_is_split_is_closed_and_opened_again() -> None:
    code = "```python\n" + "print(1)\n" * 3_000 + "```"
    for piece in split(code, SlackPlatform.capabilities.text_limit):
        drawn(piece)
        assert piece.count("```") == 2


def test_item_12_a_simple_table_is_a_table() -> None:
    before, table, after, *_ = drawn(f"Hours:\n\n{TABLE}\n\nAsk first.")

    assert (before["text"], after["text"]) == ("Hours:\n", "\nAsk first.")
    assert table["rows"] == [
        [{"type": "raw_text", "text": cell} for cell in row]
        for row in (("Day", "Opens"), ("Monday", "9"), ("Sunday", "closed"))
    ]


def test_item_12_a_second_table_and_one_in_code_stay_text() -> None:
    kinds = [block["type"] for block in drawn(f"```\n{TABLE}\n```\n\n{TABLE}\n\nand\n\n{TABLE}")]

    assert kinds == ["markdown", "table", "markdown", "context_actions"]


@pytest.mark.parametrize(
    "piece", ["# Title\n\ntext\n\n", "```\ncode\n```\n\ntext\n\n", "---\n\ntext\n\n", TABLE + "\n\n"]
)
def test_item_12_many_headings_and_fences_are_still_shown(piece: str) -> None:
    blocks = drawn(piece * 60, passage(1))

    assert blocks[-1]["type"] == "context_actions"
    assert plain(blocks).count("text") + plain(blocks).count("Monday") >= 60


@pytest.mark.parametrize("evil", ["[99](1)", "![x](y)", "`` [99](1)", "[a]: b\n[a]", "<https:x>", "~~~\n[99](1)"])
def test_item_13_code_without_its_frame_makes_no_links(evil: str) -> None:
    text = "".join(f"Step {number}.\n\n{clean(f'```sh{chr(10)}run {evil}{chr(10)}```')}\n\n" for number in range(60))
    shown = "".join(str(one["text"]) for one in drawn(text) if one["type"] == "markdown")
    tokens = [one for line in MarkdownIt().parse(shown) for one in line.children or ()]

    assert "```" not in shown
    assert {one.type for one in tokens} <= {"text", "code_inline", "softbreak"}
    assert sum("run" in one.content for one in tokens if one.type == "code_inline") == 60


@pytest.mark.parametrize(
    "evil",
    ["<!channel>", "<!here> now", "<@U12345678>", "<!subteam^S1|x>", "&lt;!channel&gt;", "<https://evil.example|x>"],
)
def test_item_13_nothing_in_text_titles_or_notes_calls_or_links(evil: str) -> None:
    cited = passage(1, title=evil, headings=(evil, evil), source="wiki", url="https://wiki.example.com/1")
    made = DRAWING.message(Message(evil, answer=answer(evil, cited, notes=(evil,))))
    texts = "\n".join([made["text"], *formatted(made["blocks"])])

    assert called(texts) == set()
    assert "<https://evil" not in texts
    assert [block["text"]["verbatim"] for block in made["blocks"] if block["type"] == "section"] == [True]


def test_item_13_pieces_of_a_stream_do_not_join_up_to_a_mention() -> None:
    assert called(safe_markdown("Ask <") + safe_markdown("@U12345678> now")) == set()
    assert safe_markdown("List<String> a < b & c") == "List<String> a < b & c"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "https://", "//x", "https://a.example/\n", "data:text/html,x"]
)
def test_only_web_addresses_become_links(url: str) -> None:
    assert safe_link(url) == ""
    assert link_to(url, "Page <1>") == "Page &lt;1&gt;"


def test_an_address_cannot_leave_its_link() -> None:
    assert linked(link_to("https://a.example/x|y>z <!channel>?a=1&b=2", "Page | 1")) == {
        "https://a.example/x%7Cy%3Ez%20%3C!channel%3E?a=1&b=2"
    }


def test_closest_documents_are_named_once_best_first() -> None:
    near = tuple(ScoredPassage(passage(number, document_id=f"d{number % 2}"), 0.5) for number in (1, 2, 3))
    shown = plain(drawn("I don't know.", answered=False, closest=near))

    assert [line.split("|")[1][:6] for line in shown.splitlines() if line.startswith("•")] == ["Page 1", "Page 2"]


def test_item_26_words_stand_beside_the_blocks_and_fit_an_update() -> None:
    made = DRAWING.message(Message("word " * 2_000))

    assert 0 < len(made["text"]) <= 4_000


def test_what_the_core_says_is_said_in_german() -> None:
    made = Drawing(GERMAN, NOW).message(Message("I could not back an answer with sources."))

    assert made["text"] == "Ich konnte keine Antwort mit Quellen belegen."


def test_what_people_write_becomes_plain() -> None:
    said = "<@UBOT>, ask <@U1> in <#C1|general> or <#C2> at <https://a.example|the page> "
    said += "<mailto:a@b.example|a@b.example> &lt;x&gt; &amp;amp; <!here>"
    text = plain_text(without_mention(said, "UBOT"), {"U1": "Ann"}.__getitem__)

    assert text == "ask @Ann in #general or #C2 at the page a@b.example <x> &amp; @here"
