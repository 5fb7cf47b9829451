"""The question's path, from turns to a checked and cited answer. Each stage is one typed object in its own file."""

from __future__ import annotations

from citebot.answering.path import AnswerPath

__all__ = ["AnswerPath"]
