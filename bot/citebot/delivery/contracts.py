"""What the workers call, and what they hand over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from citebot.model import Answer, Json
from citebot.ports import Inbound, Outbound
from citebot.storage import Transaction
from citebot.storage.envelopes import Post
from citebot.storage.work import Queue


@dataclass(frozen=True, slots=True)
class Assignment:
    """A question to answer now."""

    job: int
    attempt: int
    """1 the first time; after a crash or a failure the same question comes again."""
    inbound: Inbound
    to: Outbound
    """Where to show progress. Its key is the same in every attempt and in the final post, so that
    opening it finds the one message again."""
    asked_at: datetime
    """UTC, naive."""
    guard: Callable[[Transaction], None]
    """For a handler that writes on its way: called first in every transaction of its own, it raises `LeaseLost` when
    another worker has the question, so that nothing is written twice."""
    stopped: asyncio.Event
    """Set when the asker wants it to end: finish with what there is."""
    late: bool = False
    """An answer for now stands there. It stays as it is until there is a better one, which the sender shows in its
    place: nothing is shown on the way."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The finished answer. It is stored and planned in one transaction, then shown by the sender."""

    answer: Answer
    trace: Mapping[str, Any]
    for_now: bool = False
    """It is shown, but the question is tried again for a while; what comes then takes its place."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One honest sentence instead of an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody had called us, and there is nothing to say: nothing is shown, and what was said is forgotten."""


Outcome = Reply | Notice | Silence
Handler = Callable[[Assignment], Awaitable[Outcome]]
"""Answers a question, streaming to the platform on the way; the final text is not its business but the sender's.

Raising `NotAllowed` or `WrongUse` ends the question with that sentence; any other error means: try again later.
It may be cancelled at any await, when the lease was lost or the process must end.
"""
Sender = Callable[[Post], Awaitable[Mapping[str, Json] | None]]
"""Shows a post: opens the answer at `post.to`, then `finish(answer)` or `abort(notice)`; called again after a crash."""


TakenOver = Callable[[Queue], None]
"""Called for each row that was claimed from somebody who had let the lease run out."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long we try, in seconds and times."""

    answer_delays: tuple[float, ...] = (1.0, 5.0, 20.0, 60.0, 120.0, 180.0, 200.0)
    """Between attempts at one question: about ten minutes in all, then an honest notice."""
    send_delays: tuple[float, ...] = (1.0, 2.0, 5.0, 15.0, 60.0, 300.0, *(900.0,) * 95)
    """Between attempts at one post: about a day."""
    late_first: float = 15.0
    """Until a question that was answered for now is tried again; the pause doubles up to `late_most`."""
    late_most: float = 120.0
    late_window: float = 600.0
    """How long it is tried; the text shown to people says this too."""
    poll: float = 1.0
    """Between two looks at a queue that nobody woke us for."""
    senders: int = 8
    """Posts sent at the same time."""
