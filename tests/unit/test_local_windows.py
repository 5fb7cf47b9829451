"""Tokens and windows of the local embedder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citebot_plugins.local.tokenizing import BUILT_IN_VOCABULARY, Lengths, Tokenizer
from citebot_plugins.local.windows import cut

REFERENCE = json.loads(Path(__file__).with_name("data").joinpath("minilm_reference.json").read_text(encoding="utf-8"))


def tokenizer(**lengths: int) -> Tokenizer:
    return Tokenizer.from_vocabulary(BUILT_IN_VOCABULARY.read_text(encoding="utf-8"), Lengths(**lengths))


def test_the_vocabulary_is_the_published_file() -> None:
    digest = hashlib.sha256(BUILT_IN_VOCABULARY.read_bytes()).hexdigest()
    assert digest == "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"


@pytest.mark.parametrize("row", REFERENCE, ids=lambda row: row["text"][:12])
def test_tokens_equal_the_published_tokenizer(row: dict[str, object]) -> None:
    assert tokenizer(most=512).beginning(str(row["text"])) == row["ids"]


@pytest.mark.parametrize(("count", "windows"), [(0, 1), (1, 1), (254, 1), (255, 2), (350, 2), (420, 2), (640, 3)])
def test_long_texts_get_even_windows_of_about_200(count: int, windows: int) -> None:
    slices = cut(range(count), room=254, target=200, limit=32)
    sizes = [part.stop - part.start for part in slices]
    assert len(sizes) == windows
    assert max(sizes) - min(sizes) <= 1


@given(
    words=st.lists(st.integers(1, 30), max_size=400).map(
        lambda sizes: [n for n, size in enumerate(sizes) for _ in range(size)]
    ),
    most=st.integers(14, 300),
)
def test_windows_cover_everything_once_and_fit(words: list[int], most: int) -> None:
    slices = cut(words, room=most, target=max(most - 10, 1), limit=10_000)
    assert [n for part in slices for n in range(part.start, part.stop)] == list(range(len(words)))
    assert all(part.stop - part.start <= most for part in slices)


def test_windows_begin_with_whole_words() -> None:
    words = [number // 3 for number in range(900)]
    starts = [part.start for part in cut(words, room=254, target=200, limit=32)]
    assert len(starts) > 3
    assert all(start % 3 == 0 for start in starts)


def test_text_after_the_last_window_is_left_out() -> None:
    windows = tokenizer(windows=3).windows("many words " * 2000)
    assert len(windows) == 3
    assert all(len(ids) <= 256 and ids[0] == 101 and ids[-1] == 102 for ids in windows)


def test_padding_and_truncation_of_a_published_file_are_switched_off() -> None:
    from tokenizers import Tokenizer as Library
    from tokenizers import models, pre_tokenizers

    library = Library(models.WordLevel({"a": 0, "b": 1, "[PAD]": 2, "[UNK]": 3}, unk_token="[UNK]"))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    library.enable_padding(length=128, pad_id=2, pad_token="[PAD]")
    library.enable_truncation(128)
    ours = Tokenizer.from_json(library.to_str(), Lengths(most=512))
    assert ours.beginning("a b") == [0, 1]
    assert len(ours.beginning("a " * 300)) == 300


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", []),
        ("  \n\t", []),
        ("\x00\x01\u200b", []),
        ("🙂", [100]),
        ("[CLS]", [1031, 18856, 2015, 1033]),
        ("É", [1041]),
    ],
)
def test_edge_cases_of_tokens(text: str, ids: list[int]) -> None:
    assert tokenizer().beginning(text) == [101, *ids, 102]


def test_a_lone_surrogate_is_read_as_unknown() -> None:
    assert tokenizer().beginning("half \ud83d pair") == tokenizer().beginning("half ? pair")
