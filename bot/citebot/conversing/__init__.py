"""What a platform says and does in a conversation, whatever the platform: it brings its messages and draws."""

from __future__ import annotations

from citebot.conversing.english import ENGLISH
from citebot.conversing.german import GERMAN
from citebot.conversing.languages import LANGUAGES, is_help, of_language, translated
from citebot.conversing.words import Texts, words_of

__all__ = ["ENGLISH", "GERMAN", "LANGUAGES", "Texts", "is_help", "of_language", "translated", "words_of"]
