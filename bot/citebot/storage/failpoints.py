"""Named points where a test may stop the process. They cost one look at an empty dictionary while nothing is armed.

They live down here because everything above must be able to pass one; tests arm them by `citebot.testing.failpoints`.
"""

from __future__ import annotations

from collections.abc import Callable

NAMES = {
    "before-inbox-commit": "The question is written but not committed.",
    "after-inbox-commit": "The question is safe, and nobody was told.",
    "before-ack": "Just before the platform hears that the question is safe.",
    "after-claim": "A worker owns the question and has done nothing.",
    "after-handler": "The answer is complete, in memory alone.",
    "before-answer-commit": "Answer and planned post are written but not committed.",
    "after-answer-commit": "Answer and planned post are safe; nothing is shown yet.",
    "before-retry-commit": "A failed attempt is written but not committed.",
    "after-outbox-claim": "A sender owns the post and has done nothing.",
    "before-post": "Just before the platform is called.",
    "after-post-before-commit": "The platform shows the answer, and we have not written that down.",
    "before-outbox-commit": "The post is written down as done but not committed.",
    "after-outbox-commit": "All is done.",
    "after-reserve": "An answer holds what it may cost, and no model was called.",
    "before-settle": "The models have been paid, and the answer holds all it might have cost.",
    "before-documents-commit": "A batch of documents is written but not committed.",
    "before-upgrade-commit": "The schema is upgraded but not committed.",
    "before-backup": "A backup is written and checked but has not taken its place.",
    "before-restore": "A backup is made ready, and the database it replaces is untouched.",
    "after-restore": "A backup has taken its place, which is not yet noted in the record of removals.",
    "after-secrets-key": "A new key is in the file, and nothing is encrypted with it.",
    "before-secrets-commit": "Every secret is encrypted with the new key but not committed.",
    "after-secrets-commit": "No secret needs the old key any more, and it is still in the file.",
}
"""Every point, and how things stand there."""

_armed: dict[str, Callable[[], object]] = {}


def failpoint(name: str) -> None:
    """Pass a named point; runs what a test armed there."""
    if _armed and name in _armed:
        _armed[name]()


def arm(name: str, action: Callable[[], object]) -> None:
    """Run `action` whenever the point is passed; a misspelt name is refused."""
    if name not in NAMES:
        raise ValueError(f"No failpoint {name!r}; there are: {', '.join(NAMES)}.")
    _armed[name] = action


def disarm() -> None:
    """Make every point harmless again."""
    _armed.clear()
