"""Calls of models that may fail: time limits, one retry, breakers, fallbacks and a call beside one that is slow.

All of it is here, once for every provider: a part of a plugin makes one call and says what became of it.
"""

from __future__ import annotations

from citebot.calls.breaker import Breaker, State
from citebot.calls.callee import CallCounter, Callee, Kind, Outcome
from citebot.calls.calls import Calls
from citebot.calls.generator import CarefulGenerator
from citebot.calls.race import Patience
from citebot.calls.single import EMBED_SECONDS, FIRST_EMBED_SECONDS, RERANK_SECONDS, CarefulEmbedder, CarefulReranker
from citebot.calls.streams import closed_after

__all__ = [
    "EMBED_SECONDS",
    "FIRST_EMBED_SECONDS",
    "RERANK_SECONDS",
    "Breaker",
    "CallCounter",
    "Callee",
    "Calls",
    "CarefulEmbedder",
    "CarefulGenerator",
    "CarefulReranker",
    "Kind",
    "Outcome",
    "Patience",
    "State",
    "closed_after",
]
