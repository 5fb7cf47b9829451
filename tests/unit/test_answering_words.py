from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citebot.answering.sentences import sentences, units
from citebot.answering.words import content_stems, identifiers, language_of, numbers, search_words, stem


@pytest.mark.parametrize(
    ("question", "left"),
    [
        ("How many vacation days do employees get?", "vacation days employees"),
        ("Could you please tell me about the VPN?", "VPN"),
        ("Wie viele Urlaubstage habe ich im Jahr?", "Urlaubstage Jahr"),
        ("What is it?", "What is it"),
        ("war room", "war room"),
    ],
)
def test_query_stop_words_leave_the_topic(question: str, left: str) -> None:
    assert search_words(question) == left


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("policies", "policy"),
        ("running", "runs"),
        ("stopped", "stop"),
        ("days", "day"),
        ("urlaubstage", "urlaubstagen"),
    ],
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize(("one", "other"), [("user", "use"), ("status", "statue"), ("ride", "rid"), ("paper", "pap")])
def test_different_words_keep_different_stems(one: str, other: str) -> None:
    assert stem(one) != stem(other)


def test_numbers_have_one_form() -> None:
    assert numbers("1,000 or 1000, 2.50, twelve, €5") == {"1000", "2.5", "12", "5"}
    assert numbers("one day") == set()


def test_identifiers_are_what_names_one_thing() -> None:
    found = identifiers("Fix ABC-123 in v1.2.3 with --force at /etc/app.toml, see fooBar and the VPN.")
    assert {"abc-123", "v1.2.3", "/etc/app.toml", "foobar", "vpn"} <= found
    assert "fix" not in found


def test_the_language_of_a_question() -> None:
    assert language_of("Wie beantrage ich einen neuen Laptop?") == "de"
    assert language_of("How do I get a new laptop?") == "en"
    assert language_of("HRN-E17") == "en"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Employees get 25 days, e.g. for vacation. Dr. Smith approves. Really? Yes!", 4),
        ("Am 3. Oktober ist frei, d.h. z. B. kein Dienst. Danach wieder.", 2),
        ("Version 2.5.1 ships “today.” Next one [1]. And more. [2] Last [3]", 4),
        ("Mr. J. R. Brown et al. wrote it on Jan. 5.", 1),
        ("First line\ncontinues here. Second.", 2),
        ("これは文です。次の文です。", 2),
    ],
)
def test_sentences_are_cut_where_they_end(text: str, count: int) -> None:
    assert len([unit for unit in units(text) if unit.kind == "sentence"]) == count


def test_code_tables_and_lists_stay_whole() -> None:
    code = "```sh\nls. Then\n\n# not a heading\n```"
    text = f"Do this:\n\n{code}\n\n| a | b |\n| --- | --- |\n| 1. x | 2 |\n\n- one\n  more\n- two\n## Head"
    assert [unit.kind for unit in units(text)] == ["sentence", "code", "table", "item", "item", "heading"]
    assert units(text)[1].text == code
    assert units(text)[3].text == "- one more"


@given(st.text(max_size=300))
def test_no_text_is_lost_or_made_up(text: str) -> None:
    kept = "".join("".join(unit.text.split()) for unit in units(text))
    assert kept == "".join(text.split())
    assert "".join("".join(s.split()) for s in sentences(" ".join(text.split()))) == "".join(text.split())


@given(st.text(max_size=200))
def test_any_text_has_words_or_none(text: str) -> None:
    assert all(content_stems(text))
    assert isinstance(identifiers(text) | numbers(text), set)
