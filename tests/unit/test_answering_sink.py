from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citebot.answering.sink import clean, clean_inline
from citebot.testing.evil_model import HIDDEN, HOST, LINK_FORMS, MENTIONS

# Whatever could be clicked, fetched or ring a bell on any platform.
HARMFUL = re.compile(
    r"""[a-z]+\s?://|//\w|www\.|mailto:|javascript:|data:text|evil(?:-host)?\.|vil\.com|\]\(|!\[|<[a-z/!@#:]|\]\[leak
    |@(?:everyone|here|channel|room)|[\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff]|[\U000e0000-\U000e007f]""",
    re.IGNORECASE | re.VERBOSE,
)

BENIGN = [
    "Employees get 26 days of leave [1].",
    "Use `README.md`, config.py or node.js; see main.py:42 and src/app/main.py [2].",
    "If a < b and c > d then x <= y, and 3 << 2 is 12.",
    "Ratio 3:1 at 10:30, cost €1.50/h, and/or, 24/7, TCP/IP, 50 %.",
    "Write to people@meridian.example or it-help@acme.example [2].",
    "See section 3.2.1 or v1.2.3 of rookery.core.models [3][4].",
    "- **Bold** and _italics_ and ~~strike~~ [1]",
    "1. First step: run `kubectl get pods -n prod` [2].",
    "The type List<String> is generic, Map<K, V> too.",
    "Host db01.internal:5432 is the primary; `db02` follows.",
    "Q: what? A: this. Note: that. Error: disk full.",
    "[ERROR] disk full on /dev/sda1 [1]",
    "| place | limit |\n| --- | --- |\n| Berlin | €175 |",
    "```python\nx: dict[str, int] = {}\nif a<b: print(\"<b>\")\n```",
    "Grüße aus München, z.B. am 3.10. um 8 Uhr.",
    "Path C:\\Users\\me, /etc/hosts and ~/x.",
    "Use 10.0.0.0/24 for the office and 192.168.1.10 for the printer.",
    "e.g. i.e. etc. and ASP.NET and Vue.js",
    "The flag --force=true & the key A&B; R&D agreed.",
    "travel.aurvane.example is our portal",
    "Emoji 👩‍👩‍👧 ok ✅ 🇩🇪",
    "Set time.fallback = mqtt in settings.toml, then `user.id` and log.info apply.",
    "Ask in #it-help or ping @alice.",
    "It costs $5 (five), see * below.",
    "日本語のテキスト。これは文です。",
    "“Quoted” — with dashes… and ellipses",
    "Backslash \\n and C:\\temp",
    "> A quotation of three words",
    "HTTP 404, HTTPS only, port 443/tcp",
    "The meeting (12:30–13:00) is in room 3.14",
]  # fmt: skip


@pytest.mark.parametrize("form", LINK_FORMS)
def test_no_link_form_survives(form: str) -> None:
    made = form.format(d="c2VjcmV0", h=HOST)
    for text in (made, f"See {made} for more [1].", f"- {made}", f"**{made}**", f"({made})"):
        assert not HARMFUL.search(clean(text)), clean(text)


def test_there_are_enough_link_forms() -> None:
    assert len(set(LINK_FORMS)) >= 32


@pytest.mark.parametrize("mention", MENTIONS)
def test_no_mention_survives(mention: str) -> None:
    for text in (mention, f"Dear {mention}, hello", f"`{mention}`", f"```\n{mention}\n```"):
        assert not HARMFUL.search(clean(text)), clean(text)


def test_hidden_characters_do_not_survive() -> None:
    assert clean(f"a {HIDDEN} b") == "a esrever  zerowidth b"


@pytest.mark.parametrize("text", BENIGN)
def test_harmless_text_comes_back_as_it_was(text: str) -> None:
    assert clean(text) == text


def test_citation_numbers_stay_and_lead_nowhere() -> None:
    assert clean("26 days [1](https://evil.example) and [2][3].") == "26 days [1] and [2][3]."
    assert clean("See https://evil.example/x[1].").endswith("(link removed)[1].")


def test_labels_of_links_stay() -> None:
    assert clean("Read [the handbook](https://wiki.example.com/handbook) first.") == "Read the handbook first."
    assert clean("Read <https://wiki.example.com/handbook|the handbook> first.") == "Read the handbook first."


def test_an_open_fence_is_closed() -> None:
    assert clean("```sh\nls\n") == "```sh\nls\n```"
    assert clean("a ``` b") == "a ''' b"


def test_removing_one_thing_never_makes_another() -> None:
    for text in (
        "<<@U1>@U2>",
        "ht<b></b>tps://evil.example",
        "@every<i>one</i>",
        "[a](b)(https://evil.example)",
        "<scr<b>ipt>",
    ):
        assert not HARMFUL.search(clean(text)), clean(text)


def test_a_title_becomes_one_plain_line() -> None:
    assert clean_inline("**Leave**\n# [x](https://evil.example) @everyone `y`") == "Leave # x everyone y"
    assert len(clean_inline("long " * 100)) <= 120


PIECES = st.sampled_from(
    [
        *(
            "<",
            ">",
            "[",
            "]",
            "(",
            ")",
            "!",
            "@",
            "everyone",
            "https",
            ":",
            "//",
            "/",
            "\\",
            "evil",
            ".",
            "example",
            "com",
        ),
        *("`", "```", "\n", " ", "|", "&#104;", "ttps", "&lt;", "img src=", "\u200b", "#", "1", "mailto:", "www", "x"),
        "javascript:x",
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.lists(PIECES, max_size=24).map("".join))
def test_no_combination_of_pieces_survives(text: str) -> None:
    safe = clean(text)
    assert not re.search(
        r"[a-z]+://|//evil\.\w|www\.evil|\bmailto:x|@everyone|\]\(|!\[|<(?:img|@|!|https)|evil\.com", safe
    ), safe


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_safe_to_clean(text: str) -> None:
    assert isinstance(clean(text), str)
    clean(text).encode()


@pytest.mark.parametrize("unit", ["[", "](", "<", "`", "a.", "&amp;", "[a](", "x@y.", "://", "..."])
def test_long_nonsense_is_cleaned_in_time(unit: str) -> None:
    import time

    begun = time.perf_counter()
    clean(unit * (24_000 // len(unit)))
    assert time.perf_counter() - begun < 2.0
