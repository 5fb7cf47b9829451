"""Every hook of Citebot.

Two families. *Registration* hooks run once at start and return classes (see `citebot.ports`); settings pick the ones
that are built. *Moment* hooks run while Citebot works: they may be plain or `async`, take any subset of the arguments,
have two seconds, and are parked after repeated failures; the answer goes on without them.

A plugin is a module named by an entry point of the group `citebot`:

    from citebot import hookimpl

    @hookimpl
    def citebot_register_sources():
        return [MyWiki]
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

import pluggy

from citebot.model import Answer, Document, Feedback, Question, ScoredPassage

if TYPE_CHECKING:
    import click

    from citebot.ports import Embedder, Generator, Index, Judge, Platform, Reranker, Source

PROJECT = "citebot"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

# --- registration ------------------------------------------------------------------------------------------------


@hookspec
def citebot_register_platforms() -> Sequence[type[Platform]]:
    """Return the chat platforms this plugin brings."""
    return ()


@hookspec
def citebot_register_sources() -> Sequence[type[Source]]:
    """Return the kinds of knowledge source this plugin brings."""
    return ()


@hookspec
def citebot_register_indexes() -> Sequence[type[Index]]:
    """Return the search indexes this plugin brings."""
    return ()


@hookspec
def citebot_register_embedders() -> Sequence[type[Embedder]]:
    """Return the text encoders this plugin brings."""
    return ()


@hookspec
def citebot_register_rerankers() -> Sequence[type[Reranker]]:
    """Return the rerankers this plugin brings."""
    return ()


@hookspec
def citebot_register_generators() -> Sequence[type[Generator]]:
    """Return the answer writers this plugin brings."""
    return ()


@hookspec
def citebot_register_judges() -> Sequence[type[Judge]]:
    """Return the evaluation judges this plugin brings."""
    return ()


@hookspec
def citebot_register_commands(cli: click.Group) -> None:
    """Add commands to the `citebot` command line; those of a group called `index` join `citebot index`."""


@hookspec
def citebot_register_routes() -> Sequence[object]:
    """Return starlette routes to serve beside the web chat."""
    return ()


# --- moments -----------------------------------------------------------------------------------------------------


@hookspec
def startup() -> Awaitable[None] | None:
    """Run once, when everything is open and before the first question."""


@hookspec
def shutdown() -> Awaitable[None] | None:
    """Run once, before parts are closed."""


@hookspec
def question_received(question: Question) -> Awaitable[str | None] | str | None:
    """Look at a question before anything is searched; return a sentence to refuse it with, or None."""


@hookspec
def passages_found(
    question: Question, passages: Sequence[ScoredPassage]
) -> Awaitable[Sequence[ScoredPassage] | None] | Sequence[ScoredPassage] | None:
    """Return the passages to keep (a subset; added ones are ignored), or None to keep all."""


@hookspec
def answer_ready(question: Question, answer: Answer) -> Awaitable[Answer | None] | Answer | None:
    """Return an amended answer, or None; an amended text is checked and escaped like any other."""


@hookspec
def feedback_received(feedback: Feedback) -> Awaitable[None] | None:
    """Hear what a reader thought of an answer."""


@hookspec
def document_fetched(source: str, document: Document) -> Awaitable[Document | None] | Document | None:
    """Return the document to index, redacted if need be; return None to leave it as it is.

    To keep a document out altogether, return it with `Readers.nobody()`.
    """


@hookspec
def sync_finished(source: str, counts: dict[str, int]) -> Awaitable[None] | None:
    """Hear that a sync of a source has ended; counts of listed, fetched, same, removed and failed documents."""


REGISTRATION = tuple(name for name in globals() if name.startswith("citebot_register_"))
MOMENTS = (
    "startup",
    "shutdown",
    "question_received",
    "passages_found",
    "answer_ready",
    "feedback_received",
    "document_fetched",
    "sync_finished",
)
