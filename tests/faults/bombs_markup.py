"""Bombs in HTML and what becomes HTML, in Markdown and text, and documents with more to them than a body."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from citebot.model import Document, DocumentFormat, Part

sys.path.insert(0, str(Path(__file__).parent))
from bombs import EVERYONE, Body, bomb, noise, whole

# --- html and what becomes html ----------------------------------------------------------------------------------


@bomb("html")
def nested_a_million_deep() -> Body:
    return "<div>" * 1_000_000 + "deep"


@bomb("html")
def of_open_inline_tags() -> Body:
    return "<b><i>x" * 1_000_000


@bomb("html")
def with_an_endless_list() -> Body:
    return "<ul>" + "<li>a" * 3_900_000


@bomb("html")
def with_lists_deep_and_long() -> Body:
    """Every item could carry 500 tokens of the items above it."""
    return "<ul>" + "".join(f"<li>parent {n} " + "word " * 25 + "<ul>" for n in range(60)) + "<li>a" * 20_000


@bomb("html")
def with_a_table_that_spans_far() -> Body:
    row = "<tr>" + "<td rowspan=100 colspan=100>" + "cell " * 200 + "<td>b</tr>"
    return "<table>" + row * 10_000


@bomb("html")
def with_a_table_of_many_columns() -> Body:
    return "<table><tr>" + "<td colspan=100>a" * 600


@bomb("html")
def of_tables_in_tables() -> Body:
    return "<table><tr><td>a<td>" * 100_000


@bomb("html")
def with_code_of_short_lines() -> Body:
    return "<pre>" + "a\n" * 600_000 + "</pre>"


@bomb("html")
def with_a_huge_id() -> Body:
    return f'<h1 id="{"i" * 9_000_000}">Head</h1><p>text</p><pre class="lang-{"l" * 9_000_000}">code</pre>'


@bomb("html")
def with_many_attributes() -> Body:
    return "<p " + " ".join(f"a{n}=b" for n in range(20_000)) + ">text</p>"


@bomb("html")
def with_a_huge_style() -> Body:
    return f'<p style="{"a:b; " * 300_000}">text</p>' * 2


@bomb("html")
def of_entities_without_end() -> Body:
    return "<p>" + "&amp" * 1_000_000


@bomb("html")
def of_nothing_but_signs() -> Body:
    return "<" * 5_100_000 + "&" * 100_000


@bomb("html")
def of_sentences_without_end() -> Body:
    return "<p>" + "a. " * 150_000


@bomb("html")
def with_an_open_comment() -> Body:
    return "<p>text</p><!--" + "<!-- - -- >" * 1_700_000


@bomb("html")
def in_an_encoding_it_denies() -> Body:
    return b'\xff\xfe<meta charset="utf-7"><p>' + "text \U0001f600".encode("utf-16-le") * 30_000 + noise(100_000)


@bomb("storage")
def of_nested_macros() -> Body:
    opened = '<ac:structured-macro ac:name="info"><ac:parameter ac:name="title">t</ac:parameter><ac:rich-text-body>'
    closed = "</ac:rich-text-body></ac:structured-macro>"
    return opened * 20_000 + "deep" + closed * 20_000


@bomb("storage")
def of_macros_in_parameters() -> Body:
    return '<ac:structured-macro ac:name="code"><ac:parameter ac:name="title">' * 100 + "t" * 1_000_000


@bomb("storage")
def with_a_document_type() -> Body:
    nest = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE s [<!ENTITY a0 SYSTEM "file:///etc/passwd">{nest}]><p>&a9; and &a0;</p>'


@bomb("storage")
def of_ampersands() -> Body:
    return "<p>" + "&aaaa" * 60_000


@bomb("storage")
def with_code_in_code() -> Body:
    macro = '<ac:structured-macro ac:name="html"><ac:plain-text-body><![CDATA['
    return macro * 10_000


@bomb("adf")
def nested_deeply() -> Body:
    return '{"type":"doc","content":[' * 500_000


@bomb("adf")
def nested_as_deep_as_json_goes() -> Body:
    opened, closed = '{"type":"panel","content":[{"type":"bulletList","content":[', "]}]}"
    return opened * 240 + '{"type":"text","text":"deep"}' + closed * 240


@bomb("adf")
def of_wide_cells() -> Body:
    cell = {
        "type": "tableCell",
        "attrs": {"rowspan": 100, "colspan": 100},
        "content": [{"type": "text", "text": "cell " * 400}],
    }
    row = {"type": "tableRow", "content": [cell, cell]}
    return json.dumps({"type": "doc", "content": [{"type": "table", "content": [row] * 2_000}]})


@bomb("adf")
def of_many_nodes() -> Body:
    return '{"type":"doc","content":[' + '{"type":"text","text":"a"},' * 30_000 + '{"type":"rule"}]}'


@bomb("adf")
def of_numbers_and_halves_of_characters() -> Body:
    text = '{"type":"text","text":"a\\ud800b\\u0000"}'
    return f'{{"type":"doc","content":[{text},{{"type":"heading","attrs":{{"level":1e999}},"content":[{text}]}}]}}'


@bomb("adf")
def of_one_number() -> Body:
    return '{"type":"doc","version":' + "9" * 15_000_000 + "}"


@bomb("mediawiki")
def of_boxes_in_boxes() -> Body:
    return '<table class="wikitable"><tr><td><div class="mw-highlight mw-highlight-lang-c"><pre>a</pre><td>' * 60_000


@bomb("textile")
def of_stars() -> Body:
    return "\n".join("*" * 200 + " a" for _ in range(3_000))


@bomb("textile")
def of_cells() -> Body:
    return "|a" * 3_000 + "|\n" + "|" * 8_000


@bomb("textile")
def of_quotes_and_links() -> Body:
    return ('"' + "a" * 499) * 500 + ("!{" + "a./" * 160) * 300 + '"a":http://' + "x" * 500_000


@bomb("textile")
def of_open_macros() -> Body:
    return "{{collapse(a)\n" * 8_000


# --- markdown and text -------------------------------------------------------------------------------------------


@bomb("markdown")
def of_open_brackets() -> Body:
    return "[" * 4_000_000


@bomb("markdown")
def of_open_links() -> Body:
    return "[a](<" * 10_000 + "![" * 2_000


@bomb("markdown")
def of_stars_and_underscores() -> Body:
    return "*a _b " * 9_000


@bomb("markdown")
def of_quotes_in_quotes() -> Body:
    return "> " * 2_000_000 + "a"


@bomb("markdown")
def of_lists_in_lists() -> Body:
    return "- " * 26_000 + "a"


@bomb("markdown")
def of_ticks() -> Body:
    return "".join("e" + "`" * number for number in range(1, 1_500))


@bomb("markdown")
def of_equal_headings() -> Body:
    return "# a\n" * 13_000


@bomb("markdown")
def of_definitions() -> Body:
    return "".join(f"[{number}]: x\n" for number in range(4_000)) + "[1]" * 6_000


@bomb("markdown")
def with_a_table_of_columns() -> Body:
    return "|a" * 6_000 + "\n" + "|-" * 6_000 + "\n" + "|\n" * 3_000


@bomb("markdown")
def small_but_slow() -> Body:
    return ("a**" + "[" * 40) * 1_100


@bomb("text")
def of_paragraphs_of_one_letter() -> Body:
    return "a\n\n" * 2_400_000


@bomb("text")
def of_one_word() -> Body:
    return "a" * 4_999_000


@bomb("text")
def of_nothing() -> Body:
    return " \n" * 9_900_000


@bomb("text")
def of_marks_on_a_letter() -> Body:
    return "a" + "\u0301\u0323" * 4_000_000


@bomb("text")
def of_noise() -> Body:
    return noise(400_000)


@bomb("text")
def of_zero_bytes_and_halves_of_characters() -> Body:
    return "\0" * 1_000_000 + "a\ud800b \udfff" * 1_000 + "\ufffe\uffff"


@bomb("text")
def of_sixteen_bits() -> Body:
    return ("The zebra has stripes. " * 50_000).encode("utf-16")


# --- whole documents ---------------------------------------------------------------------------------------------


def ticket(name: str, comment: str, number: int, kind: DocumentFormat) -> Document:
    parts = tuple(Part(comment, format=kind, author=f"p{at}") for at in range(number))
    return Document(name, "Ticket", "Body.", EVERYONE, format=kind, kind="ticket", parts=parts)


@whole
def ticket_of_many_comments() -> Document:
    """No comment of it takes long; together they do."""
    return ticket("ticket of many comments", ("a**" + "[" * 40) * 1_100, 400, "markdown")


@whole
def ticket_of_heavy_comments() -> Document:
    return ticket("ticket of heavy comments", "<p>" + "<b>x</b>. " * 40_000, 100, "html")


@whole
def page_in_a_strange_frame() -> Document:
    """All that is beside the body is hostile too."""
    odd = "odd \ud800\0\u202e" + "x" * 200_000
    frame = {"path": (odd,) * 50, "authors": (odd,) * 50, "fields": {odd: odd}, "url": f"https://example.org/{odd}"}
    return Document("page in a strange frame", odd, "The body.", EVERYONE, format="text", kind="ticket", **frame)  # type: ignore[arg-type]
