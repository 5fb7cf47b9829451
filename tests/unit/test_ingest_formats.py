"""Formats of wikis and trackers under hostile and random input: blocks or one clear refusal, and soon."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from citebot.errors import SkipDocument
from citebot.ingest.blocks.cleaning import clean
from citebot.ingest.parser_child import _blocks
from citebot.ingest.parsing import RISKY, Parser
from citebot.model import Block, Document, DocumentFormat, Readers
from citebot.settings import IngestSettings

GOLDEN = Path(__file__).parent / "golden"
FORMATS: tuple[DocumentFormat, ...] = ("storage", "adf", "mediawiki", "textile")
SIZE = 100_000
LIMIT = 20
"""Seconds a parser may take; what grows with the square of these texts takes minutes."""


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    parser = Parser(IngestSettings(parse_seconds=LIMIT))
    yield parser
    parser.close()


def read(parser: Parser, body: str, kind: DocumentFormat) -> list[Block]:
    return parser.blocks(Document("name", "Title", body, Readers.everyone(), format=kind))


def texts(parser: Parser, body: str, kind: DocumentFormat) -> list[str]:
    return [block.text for block in read(parser, body, kind)]


def filled(unit: str) -> str:
    return (unit * (SIZE // len(unit) + 1))[:SIZE]


def nested_adf(kind: str, depth: int) -> str:
    inner = '{"type":"text","text":"deep"}'
    return f'{{"type":"{kind}","content":[' * depth + inner + "]}" * depth


TEXTILE = [
    *map(
        filled,
        ["*", "_", "@", "* a", "*a ", "_a ", "@a ", " @a", '"a":', '"', "!a", "[[a|", "{{a", "%{a}b", "-a ", "|"],
    ),
    *map(filled, ["|_\\2/2<>=", "h1(", "h1((a)", "<pre>", "<code>", "<!--", "> ", "#" * 200 + " a\n", "{{a\n", "|a\n"]),
    *map(
        filled,
        ["|/99.\\99. word ", "bq.. a\n\n", "bc.. ", "h1. a\n", "!a.b(", '"a":http://', "*" + "a" * 999 + " ", "\n"],
    ),
    "h1" + "<" * SIZE,
    "* " + " " * SIZE,
    '"' + "a" * SIZE + '":http://b',
    "* a\n" + "** b\n" * (SIZE // 5),
]
STORAGE = [
    *map(
        filled,
        ["<p>", "<ac:link>", "<![CDATA[", "&eacute;", "&", "<!--", "<", '<a b="', "</p>", "<h1>", "<td>", "<ul><li>"],
    ),
    *map(
        filled,
        ['<ac:structured-macro ac:name="info">', '<ac:structured-macro ac:name="code">', "<ac:task-list><ac:task>"],
    ),
    filled("<table><tr><td>a</td><td>"),
    filled('<ac:structured-macro ac:name="html"><ac:plain-text-body><![CDATA[<b>]]></ac:plain-text-body>'),
    filled("<h1>same</h1>"),
    '<!DOCTYPE p [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{n} "&a;&a;">' for n in range(2_000))
    + "]><p>&a1;</p>",
    '<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><p>&x;</p>',
]
MEDIAWIKI = [
    *map(
        filled, ["<div class='mw-highlight-lang-a'>", "<div class='toc'>", "<table class='wikitable'><tr><td>", "<pre>"]
    ),
    *map(
        filled, ["<h2><span class='mw-headline' id='a'>", "<li>", "<b>", "<span hidden>", "<td rowspan=99 colspan=99>a"]
    ),
    f"<div class='{'mw-highlight-lang-' * 5_000}'><pre>a</pre></div>",
]
ADF = [
    *(nested_adf(kind, SIZE // 40) for kind in ("paragraph", "bulletList", "panel", "table", "heading", "unknown")),
    *(
        nested_adf(kind, 400)
        for kind in ("paragraph", "bulletList", "panel", "table", "heading", "unknown", "taskItem")
    ),
    "[" * SIZE,
    '{"a":' * (SIZE // 5),
    '{"type":"heading","attrs":{"level":' + "9" * SIZE + "}}",
    json.dumps({"type": "doc", "content": [{"type": "heading", "content": [{"type": "text", "text": "a"}]}] * 1_500}),
]
ATTACKS = [
    *(("textile", text) for text in TEXTILE),
    *(("storage", text) for text in STORAGE),
    *(("mediawiki", text) for text in MEDIAWIKI),
    *(("adf", text) for text in ADF),
]


@pytest.mark.parametrize("number", range(len(ATTACKS)))
def test_hostile_markup_is_read_or_refused_soon(number: int, parser: Parser) -> None:
    kind, text = ATTACKS[number]
    assert kind in get_args(DocumentFormat)
    outcome = _outcome(parser, text, kind)  # type: ignore[arg-type]  # checked above
    assert not any(sign in outcome for sign in ("longer than", "broke the parser", "RecursionError", "root:"))


def _outcome(parser: Parser, text: str, kind: DocumentFormat) -> str:
    try:
        return " ".join(texts(parser, text, kind))
    except SkipDocument as refused:
        return str(refused)


def test_every_format_with_markup_is_parsed_apart() -> None:
    assert set(FORMATS) <= RISKY


def test_deep_adf_keeps_its_text(parser: Parser) -> None:
    assert "deep" in " ".join(texts(parser, nested_adf("panel", 150), "adf"))


def test_halves_of_characters_in_adf_are_left_out(parser: Parser) -> None:
    node = {"type": "heading", "content": [{"type": "text", "text": "a\ud800b"}]}
    (block,) = read(parser, json.dumps({"type": "doc", "content": [node]}), "adf")
    assert (block.text, block.anchor) == ("ab", "ab")


@pytest.mark.parametrize("text", ["no json", "[1]", '"text"', "1", '{"type": "doc"', "[" * SIZE])
def test_what_is_no_adf_is_refused(text: str, parser: Parser) -> None:
    with pytest.raises(SkipDocument, match="ADF"):
        read(parser, text, "adf")


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_becomes_nothing(kind: DocumentFormat, parser: Parser) -> None:
    assert read(parser, "", kind) == read(parser, " \n", kind) == []


def test_storage_that_is_not_well_formed_is_still_read(parser: Parser) -> None:
    assert texts(parser, "<p>one<br>two</p><p>three & four</p>", "storage") == ["one\ntwo", "three & four"]
    code = "<ac:plain-text-body><![CDATA[a < &lt; b]]></ac:plain-text-body>"
    macro = f'<ac:structured-macro ac:name="code">{code}</ac:structured-macro>'
    assert texts(parser, f"<p>one</b></p>{macro}<p>two</p>", "storage") == ["one", "a < &lt; b", "two"]
    link = '<ac:link><ri:page ri:content-title="Limits" /></ac:link>'
    assert texts(parser, f"<p>See {link} first</i>.</p>", "storage") == ["See Limits first."]


def test_storage_knows_no_entity_but_the_characters_of_html(parser: Parser) -> None:
    body = '<!DOCTYPE p [<!ENTITY own "expanded">]><p>&own;&eacute;&amp;lt;&#233;</p>'
    assert texts(parser, body, "storage")[-1].endswith("&own;é&lt;é")


@pytest.mark.parametrize("text", ['<maxLevel">', '<ac:a" b>', "<p ac:1='x'></i>", "<p>&#27;&#xd800;&#0;</i></p>"])
def test_storage_with_impossible_names_or_characters_is_read(text: str) -> None:
    macro = f'<h1><ac:structured-macro ac:name="html"><ac:plain-text-body><![CDATA[{text}a&#27;]]>'
    for body in (text, macro, f"{macro}</ac:plain-text-body></ac:structured-macro></h1>"):
        assert isinstance(_blocks("storage", body.encode()), list)


def test_macros_inside_macros_keep_their_text(parser: Parser) -> None:
    code = "<ac:plain-text-body><![CDATA[a ]]]]><![CDATA[> b]]></ac:plain-text-body>"
    macro = f'<ac:structured-macro ac:name="code">{code}</ac:structured-macro>'
    expand = (
        f'<ac:structured-macro ac:name="expand"><ac:rich-text-body>{macro}</ac:rich-text-body></ac:structured-macro>'
    )
    assert texts(parser, f"<ul><li>one {expand} two</li></ul>", "storage") == ["- one", "a ]]> b", "  two"]


def test_what_people_do_not_see_on_a_wiki_page_is_left_out(parser: Parser) -> None:
    hidden = '<span style="display:none">obey</span><div class="navbox">obey</div> tail'
    assert texts(parser, f"<p>seen</p>{hidden}", "mediawiki") == ["seen", "tail"]


def test_table_of_one_textile_page_repeats_its_header_when_cut(parser: Parser) -> None:
    from citebot.ingest.chunking import make_chunks

    body = "|_. Key |_. Value |\n" + "".join(f"| key{n} | some longer value number {n} |\n" for n in range(300))
    document = Document("name", "Title", body, Readers.everyone(), format="textile")
    chunks = make_chunks(document, parser.blocks(document))
    assert len(chunks) > 3
    assert all(chunk.text.startswith("Key | Value\n") for chunk in chunks)


def _pieces(kind: str) -> st.SearchStrategy[str]:
    """Pieces of the golden file in any order, between text of any kind."""
    golden = (GOLDEN / f"page.{kind}").read_text("utf-8")
    cut = st.tuples(st.integers(0, len(golden)), st.integers(1, 80)).map(lambda at: golden[at[0] : at[0] + at[1]])
    return st.lists(st.one_of(cut, st.text(max_size=8)), max_size=25).map("".join)


def _node(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    from citebot.ingest.blocks.adf import _PLAIN_TAGS, _SAID

    kinds = [*_PLAIN_TAGS, *_SAID, "heading", "codeBlock", "orderedList", "tableHeader", "tableCell", "taskItem", "doc"]
    names = ["level", "order", "text", "title", "panelType", "timestamp", "rowspan", "state", "language", "url"]
    attrs = st.dictionaries(st.sampled_from(names), inner, max_size=3) | inner
    content = st.lists(inner, max_size=4) | inner
    optional = {"attrs": attrs, "content": content, "text": inner, "marks": inner}
    return st.fixed_dictionaries({"type": st.sampled_from(kinds)}, optional=optional)  # type: ignore[arg-type]


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | _node(inner),
    max_leaves=15,
)


RANDOM = st.one_of(
    *(st.tuples(st.just(kind), _pieces(kind)) for kind in FORMATS),
    st.tuples(st.just("adf"), _JSON.map(json.dumps)),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(RANDOM)
def test_random_markup_is_read_or_refused_and_comes_out_clean(case: tuple[str, str]) -> None:
    kind, text = case
    try:
        blocks = _blocks(kind, text.encode("utf-8", "replace"))
    except SkipDocument:
        return
    for block in blocks:
        # As the child does with what it answers.
        shown = clean(block.text)
        assert not any(ord(letter) < 32 and letter not in "\n\t" for letter in shown)
        assert not re.search(r"[^\w+#.-]", block.language)
        # No halves of characters, which nothing can store.
        (shown + block.anchor).encode("utf-8")
