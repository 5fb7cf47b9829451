"""A message asks for something, or it does not."""

from __future__ import annotations

import time

import pytest

from citebot.answering.asking import is_question


@pytest.mark.parametrize(
    "text",
    [
        "What does the parking permit cost?",
        "hey all, how do I book a room",
        "The permit is gone. Who has seen it? Thanks!",
        "Wie viel Urlaub habe ich",
        "Can I park here (for free?)",
        "welches Formular brauche ich dafür",
    ],
)
def test_questions(text: str) -> None:
    assert is_question(text)


@pytest.mark.parametrize(
    "text",
    ["", "ok?", "really?", "The permit is paid.", "See https://example.com/?a=b for more", "whatever you like is fine",
     "I know how it works", "x? " * 400],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    assert not is_question(text)


def test_odd_text_is_read_quickly() -> None:
    began = time.perf_counter()
    for odd in ("hi " * 33_000, "?" * 1_000, "a://" * 25_000, "hey" + " " * 990 + "what is it"):
        is_question(odd)
    assert time.perf_counter() - began < 0.3
