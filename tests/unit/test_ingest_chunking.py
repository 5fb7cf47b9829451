"""Chunks: their size, what stays together, and that nothing is lost or shown to others."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from citebot.ingest.blocks.markdown import markdown_blocks
from citebot.ingest.chunking import HARD_MAX, make_chunks
from citebot.ingest.tokens import estimate
from citebot.model import Block, Chunk, Document, Part, Readers

EVERYONE = Readers.everyone()
BOARD = Readers.of(groups=["board"])
SENTENCE = "The heron gateway keeps its readings for thirty days when the network is down. "


def chunks_of(text: str, *, title: str = "Title", minimum: int = 80) -> list[Chunk]:
    return make_chunks(Document("d", title, text, EVERYONE), markdown_blocks(text), minimum=minimum)


def test_a_heading_travels_with_its_content_and_stays_out_of_the_text() -> None:
    one, two = chunks_of(f"# Title\n\n## Keep\n\n{SENTENCE * 15}\n\n## Drop\n\n{SENTENCE * 15}")
    assert (one.headings, one.anchor, two.headings, two.anchor) == (("Keep",), "keep", ("Drop",), "drop")
    assert "Keep" not in one.text
    assert one.text == (SENTENCE * 15).strip()


def test_small_sections_join_and_both_are_named() -> None:
    (chunk,) = chunks_of("## Sick leave\n\nCall before ten.\n\n## Parental leave\n\nAsk Nora.")
    assert chunk.headings == ("Sick leave · Parental leave",)
    assert chunk.text == "Call before ten.\n\nParental leave\n\nAsk Nora."


def test_sections_of_different_parents_do_not_join() -> None:
    found = chunks_of("# A\n\n## Leave\n\nSix days.\n\n# B\n\n## Leave\n\nNine days.")
    assert [(chunk.headings, chunk.text) for chunk in found] == [
        (("A", "Leave"), "Six days."),
        (("B", "Leave"), "Nine days."),
    ]


def test_a_heading_without_content_is_not_lost() -> None:
    found = chunks_of("## Alpha\n\n## Beta\n\nText.\n\n## Gamma")
    everything = " ".join(" ".join([*chunk.headings, chunk.text]) for chunk in found)
    assert all(word in everything for word in ("Alpha", "Beta", "Gamma"))
    assert chunks_of("# Title")[0].headings == ("Title",)


def test_code_stays_whole_and_is_cut_at_empty_lines_with_its_fence() -> None:
    paragraph = "\n".join(f"value_{line} = compute({line})" for line in range(12))
    (small,) = chunks_of(f"```python\n{paragraph}\n```")
    assert (small.kind, small.text) == ("code", f"```python\n{paragraph}\n```")
    large = chunks_of("```python\n" + "\n\n".join([paragraph] * 10) + "\n```")
    assert len(large) > 1
    assert all(chunk.text.startswith("```python\nvalue_0") and chunk.text.endswith("(11)\n```") for chunk in large)


def test_a_cut_table_repeats_its_header() -> None:
    rows = "\n".join(f"| host-{row} | rack {row} | running since 2024 |" for row in range(120))
    found = chunks_of(f"| name | place | state |\n|---|---|---|\n{rows}")
    assert len(found) > 3
    assert all(chunk.kind == "table" and chunk.text.startswith("name | place | state\nhost-") for chunk in found)


def test_a_nested_item_is_never_without_its_parent() -> None:
    items = "\n".join(f"   - sub-step {number}: {SENTENCE}" for number in range(60))
    found = chunks_of(f"Do this:\n\n1. Drain the gateway\n{items}")
    assert len(found) > 2
    assert all("1. Drain the gateway" in chunk.text for chunk in found)


def test_what_leads_in_goes_along_with_the_list() -> None:
    found = chunks_of(f"{SENTENCE * 20}\n\nYou need:\n\n- {SENTENCE * 9}\n- patience")
    assert len(found) == 2
    assert found[1].text.startswith("You need:\n\n- The heron")


def test_the_rest_of_a_section_is_no_chunk_of_its_own() -> None:
    found = chunks_of(f"{SENTENCE * 20}\n\nShort end.")
    assert [chunk.text.endswith("Short end.") for chunk in found] == [True]


def test_private_comments_are_chunks_of_their_own() -> None:
    parts = tuple(
        Part(f"Comment {number}.", author="ann", anchor=f"c{number}", readers=BOARD if number == 1 else None)
        for number in range(3)
    )
    blocks = [Block("heading", "Top", level=1), Block("paragraph", "Body.")]
    for number in range(3):
        blocks += [Block("paragraph", "ann:", part=number, anchor=f"c{number}")]
        blocks += [Block("paragraph", f"Comment {number}.", part=number, anchor=f"c{number}")]
    found = make_chunks(Document("d", "T", "", EVERYONE, parts=parts), blocks)
    assert [(chunk.text, chunk.readers) for chunk in found if chunk.readers == BOARD] == [("ann:\n\nComment 1.", BOARD)]
    assert not any("Comment 1" in chunk.text for chunk in found if chunk.readers == EVERYONE)
    assert next(chunk for chunk in found if "Comment 2" in chunk.text).headings == ()


def test_a_hidden_document_hides_its_comments() -> None:
    parts = (Part("Open comment.", readers=EVERYONE),)
    found = make_chunks(Document("d", "T", "", Readers.nobody(), parts=parts), [Block("paragraph", "Open.", part=0)])
    assert [chunk.readers for chunk in found] == [Readers.nobody()]


def test_a_long_comment_says_in_every_chunk_who_wrote_it() -> None:
    blocks = [Block("paragraph", "ann, 2026-01-02:", part=0)]
    blocks += [Block("paragraph", SENTENCE * 8, part=0) for _ in range(6)]
    found = make_chunks(Document("d", "T", "", EVERYONE, parts=(Part(""),)), blocks)
    assert len(found) > 2
    assert all(chunk.text.startswith("ann, 2026-01-02:") for chunk in found)


TEXTS = st.one_of(
    st.text(), st.sampled_from([SENTENCE * 9, "私は" * 700, "x" * 9_000, "a b " * 900, "ж" * 800, "한" * 900])
)
KINDS = st.sampled_from(["paragraph", "heading", "code", "table", "list_item", "quote"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(KINDS, TEXTS, st.integers(0, 3)), max_size=12))
def test_no_chunk_is_too_large_and_no_word_is_lost(drawn: list[tuple[str, str, int]]) -> None:
    blocks = [Block(kind, text, level=level) for kind, text, level in drawn if text.strip()]  # type: ignore[arg-type]
    found = make_chunks(Document("d", "", "", EVERYONE), blocks)
    assert all(estimate(chunk.text) <= HARD_MAX * 1.15 for chunk in found)
    everything = "".join("".join("".join([*chunk.headings, chunk.text]).split()) for chunk in found)
    for block in blocks:
        if block.kind != "table":  # its bars are cut with its cells
            assert set("".join(block.text.split())) <= set(everything)
