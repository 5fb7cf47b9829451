"""What a moment hook may return. Anything else is a failure of the hook, and what was there before stands."""

from __future__ import annotations

from dataclasses import replace

from citebot.model import Answer, Document, ScoredPassage
from citebot.pluginmanager.running import HookFailed

MAX_REFUSAL = 1_000
"""Characters of a sentence that refuses a question."""
MAX_ANSWER = 50_000
"""Characters of an amended answer."""


def refusal(result: object, before: str | None) -> str | None:
    """A sentence, or None to let the question pass."""
    if result is None:
        return before
    if not isinstance(result, str):
        raise _wrong(result, "a sentence or None")
    if not result.strip():
        raise HookFailed("returned an empty sentence; return None to let the question pass")
    if len(result) > MAX_REFUSAL:
        raise HookFailed(f"returned {len(result)} characters; a refusal has at most {MAX_REFUSAL}")
    return result.strip()


def kept(result: object, passages: tuple[ScoredPassage, ...]) -> tuple[ScoredPassage, ...]:
    """Our own passages whose ids were returned, in our order: nothing can be added or altered."""
    if result is None:
        return passages
    if not isinstance(result, list | tuple):
        raise _wrong(result, "a list of passages or None")
    if len(result) > 2 * len(passages):
        raise HookFailed(f"returned {len(result)} passages when given {len(passages)}")
    for item in result:
        if not isinstance(item, ScoredPassage):
            raise _wrong(item, "scored passages in the list")
    ids = {item.passage.id for item in result}
    return tuple(passage for passage in passages if passage.passage.id in ids)


def amended(result: object, answer: Answer) -> Answer:
    """An answer to the same question, from passages it already had."""
    if result is None:
        return answer
    if not isinstance(result, Answer):
        raise _wrong(result, "an Answer or None")
    if len(result.text) > MAX_ANSWER:
        raise HookFailed(f"returned an answer of {len(result.text)} characters; at most {MAX_ANSWER} are shown")
    allowed = [citation.passage for citation in answer.citations] + [near.passage for near in answer.closest]
    used = [citation.passage for citation in result.citations] + [near.passage for near in result.closest]
    if any(passage not in allowed for passage in used):
        raise HookFailed("returned an answer with a passage that it was not given")
    return replace(result, id=answer.id, question=answer.question)


def redacted(result: object, document: Document) -> Document:
    """The same document with less in it, or for fewer readers."""
    if result is None:
        return document
    if not isinstance(result, Document):
        raise _wrong(result, "a Document or None")
    if result.id != document.id:
        raise HookFailed(f"returned document “{result.id}” when given “{document.id}”")
    if len(result.body) > 4 * len(document.body) + 100_000:
        raise HookFailed(f"returned a body of {len(result.body)} when given one of {len(document.body)}")
    if _opens(result, document):
        raise HookFailed("returned a document with more readers than it had")
    return result


def nothing(result: object, before: None) -> None:
    """Hooks that only listen return None."""
    if result is not None:
        raise _wrong(result, "None")


def _opens(result: Document, document: Document) -> bool:
    """Whether anybody could read more than before; parts with readers of their own stay apart."""
    before = document.readers.principals
    if not result.readers.principals <= before:
        return True
    if sum(part.readers is None for part in result.parts) > sum(part.readers is None for part in document.parts):
        return True
    own = [part.readers.principals for part in document.parts if part.readers is not None]
    return any(
        not any(part.readers.principals <= principals for principals in own)
        for part in result.parts
        if part.readers is not None
    )


def _wrong(result: object, expected: str) -> HookFailed:
    return HookFailed(f"returned {type(result).__name__}; expected {expected}")
