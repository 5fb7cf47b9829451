"""Turns text into the token windows that an encoder reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from citebot_plugins.local import windows

_UNKNOWN = "[UNK]"
BUILT_IN_VOCABULARY = Path(__file__).with_name("vocab.txt")


@dataclass(frozen=True, slots=True)
class Lengths:
    """How much text goes into one vector, in tokens."""

    most: int = 256
    """Of one run, special tokens included."""
    window: int = 200
    """Of each window of a text that is longer than `most`."""
    windows: int = 32
    """Per text; the rest of a longer text has no vector."""


class Tokenizer:
    """A tokenizer of the library `tokenizers`, with the special tokens put around every window."""

    def __init__(self, tokenizer: Any, lengths: Lengths) -> None:
        # Published files often switch on padding and truncation to some length; both would spoil the windows.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._lengths = lengths
        self._before, self._after = _special_tokens(tokenizer)

    @classmethod
    def from_json(cls, text: str, lengths: Lengths) -> Tokenizer:
        """From the content of a `tokenizer.json`."""
        from tokenizers import Tokenizer as Library

        return cls(Library.from_str(text), lengths)

    @classmethod
    def from_vocabulary(cls, text: str, lengths: Lengths) -> Tokenizer:
        """From the content of an uncased WordPiece `vocab.txt`."""
        from tokenizers import Tokenizer as Library
        from tokenizers import models, normalizers, pre_tokenizers, processors

        # Not `splitlines`: some tokens are characters that it takes for line ends.
        vocabulary = {token: number for number, token in enumerate(text.rstrip("\n").split("\n"))}
        tokenizer = Library(models.WordPiece(vocabulary, unk_token=_UNKNOWN, max_input_chars_per_word=100))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        special = [(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
        tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
        return cls(tokenizer, lengths)

    def windows(self, text: str) -> list[list[int]]:
        """Token ids of each window of a text, at least one, special tokens included."""
        lengths = self._lengths
        encoding = self._encode(text)
        ids: list[int] = encoding.ids
        slices = windows.cut(encoding.word_ids, room=self._room, target=lengths.window, limit=lengths.windows)
        return [[*self._before, *ids[part], *self._after] for part in slices]

    def beginning(self, text: str) -> list[int]:
        """Token ids of as much of a text as fits into one run."""
        ids: list[int] = self._encode(text).ids
        return [*self._before, *ids[: self._room], *self._after]

    @property
    def _room(self) -> int:
        return self._lengths.most - len(self._before) - len(self._after)

    def _encode(self, text: str) -> Any:
        # A lone surrogate, which JSON can smuggle into a str, has no UTF-8 form and the library refuses it.
        text = text.encode("utf-8", "replace").decode("utf-8")
        return self._tokenizer.encode(text, add_special_tokens=False)


def _special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and after a text."""
    bare: list[int] = tokenizer.encode("a", add_special_tokens=False).ids
    dressed: list[int] = tokenizer.encode("a").ids
    for start in range(len(dressed) - len(bare) + 1):
        if dressed[start : start + len(bare)] == bare:
            return dressed[:start], dressed[start + len(bare) :]
    return [], []
