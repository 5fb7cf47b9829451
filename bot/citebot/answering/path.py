"""The question's path: every stage in order, as a stream of events with one stored answer at the end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from citebot.access import LiveReaders
from citebot.answering import texts
from citebot.answering.closing import amended, closest_documents, titles_of
from citebot.answering.contextualise import strip_speaker
from citebot.answering.gather import Gathered, Gathering
from citebot.answering.hooks import Hooks, NoHooks
from citebot.answering.live import Ask, Live
from citebot.answering.load import LOADED
from citebot.answering.rewriting import Rewriting
from citebot.answering.sink import clean, clean_inline
from citebot.answering.trace import Trace
from citebot.answering.words import WORD
from citebot.answering.writing import Page, Writing
from citebot.budgets import Budgets, Grant, most_of
from citebot.model import (
    Answer,
    AnswerEvent,
    Audience,
    Citation,
    Done,
    PassagesFound,
    Question,
    ScoredPassage,
    Status,
    TextDelta,
)
from citebot.ports import Embedder, GenerationRequest, Generator, Reranker, Rewrites, Searchable, Used, unmetered
from citebot.settings import AnsweringSettings, BudgetSettings
from citebot.storage import Database, answers, sources

Keep = Callable[[Answer, dict[str, Any]], Awaitable[None]]
"""Stores an answer with its trace."""
UNWRITTEN = "unwritten"
"""A fact of the trace: only passages are shown, and whether it is worth to try again."""
BUSY = "busy_for"
"""Beside it: the seconds that the model asked us to wait, if it did."""
DRAFTS = 2
"""The most that a generator writes for one answer."""
LATE_AFTER = 2
"""Intervals between two reads of a source after which an answer says so."""
_HISTORY_TURNS = 8
_HISTORY_CHARACTERS = 4000
_NAMES = 10
_NAME_CHARACTERS = 80
_UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(slots=True)
class _Run:
    """One question on its way."""

    question: Question
    id: str
    trace: Trace
    notes: list[str] = field(default_factory=list)
    grant: Grant | None = None
    gathered: Gathered | None = None
    live: Live | None = None
    page: Page | None = None
    kept: bool = False


class AnswerPath:
    """Answers questions. Raises `IndexUnavailable` when nothing can be searched; the caller keeps the question."""

    def __init__(
        self,
        *,
        database: Database,
        index: Searchable,
        embedder: Embedder | None,
        previous: Embedder | None = None,
        reranker: Reranker | None,
        generator: Generator,
        settings: AnsweringSettings,
        hooks: Hooks | None = None,
        live: LiveReaders | None = None,
        budgets: Budgets | None = None,
        poll: float = 300.0,
        new_id: Callable[[], str] = lambda: uuid4().hex,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._settings = settings
        self._hooks = hooks or NoHooks()
        self._poll = poll
        self._new_id = new_id
        self._now = now
        self._gathering = Gathering(
            database=database,
            index=index,
            embedder=embedder,
            previous=previous,
            reranker=reranker,
            hooks=self._hooks,
            settings=settings,
            live=live,
            rewriting=Rewriting(generator),
        )
        self._writing = Writing(generator)
        self._generator = generator
        self._reranker = reranker
        self._budgets = budgets or Budgets(database, BudgetSettings())

    async def search(self, question: Question, *, limit: int = 10) -> tuple[list[ScoredPassage], list[str]]:
        """The reading half alone: the best passages, and what to know about them."""
        run = self._begin(question)
        if not WORD.search(run.question.text):
            return [], run.notes
        async with await self._reserve(run.question) as grant:
            found = await self._gathering.search(run.question, run.trace, limit=max(limit, LOADED), grant=grant)
        open_now, notes = await self._gathering.open_now(run.question, found.passages[:limit], run.trace)
        return list(open_now), [*run.notes, *found.notes, *notes]

    async def has_more(self, question: Question, *, than: Audience) -> bool:
        """Whether there is enough to answer from, and in it something that another audience may not read."""
        run = self._begin(question)
        async with await self._reserve(run.question) as grant:
            gathered = await self._gathering.run(run.question, run.trace, grant=grant)
        hidden = any(not than.may_read(hit.passage.readers) for hit in gathered.passages)
        return hidden and gathered.decision.confidence >= self._settings.threshold

    async def answer(
        self,
        question: Question,
        *,
        stop: asyncio.Event | None = None,
        keep: Keep | None = None,
        ask: Ask | None = None,
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Events up to `Done`. Setting `stop` ends the text where it is; so does closing the iterator, without `Done`.

        `keep` stores the answer; without one it is stored here. It is called once, before `Done`. `ask` searches where
        the question was asked.
        """
        run = self._begin(question)
        live = run.live = Live(run.question, ask)
        try:
            async with aclosing(self._events(run, stop)) as events:
                async for event in events:
                    if isinstance(event, Done):
                        await self._store(run, event.answer, keep)
                    yield event
        finally:
            try:
                if run.page is not None and run.page.written and not run.kept:
                    run.notes.append(texts.STOPPED)
                    await asyncio.shield(self._store(run, self._partial(run), keep))
            finally:
                live.end()
                if run.grant is not None:
                    await run.grant.settle()

    async def _events(self, run: _Run, stop: asyncio.Event | None) -> AsyncGenerator[AnswerEvent, None]:
        if not WORD.search(strip_speaker(run.question.text)):
            yield Done(self._answer(run, texts.NO_QUESTION))
            return
        refusal = await self._hooks.question_received(run.question)
        if refusal is not None:
            run.trace.facts["refused"] = True
            yield Done(self._answer(run, clean_inline(refusal)))
            return
        yield Status("searching", texts.searching(await self._sources(run.question)))
        grant = run.grant = await self._reserve(run.question, drafts=DRAFTS)
        if not grant.pays_for(self._generator):
            run.question = replace(run.question, over_budget=True)
        rewrite = partial(self._begin_call, run, "rewrite")
        gathered = run.gathered = await self._gathering.run(
            run.question, run.trace, grant=grant, rewrite=rewrite, live=run.live
        )
        run.notes += gathered.notes
        if stop is not None and stop.is_set():
            yield Done(self._answer(run, texts.STOPPED_EARLY))
            return
        if not gathered.passages or gathered.decision.confidence < self._settings.threshold:
            closest = closest_documents(gathered.passages)
            yield Done(await self._amend(run, self._answer(run, texts.unknown(titles_of(closest)), closest=closest)))
            return
        if run.question.over_budget:
            yield Done(await self._amend(run, self._passages_only(run, gathered.passages, texts.over_budget)))
            return
        yield Status("reading", texts.reading(len(gathered.passages)))
        yield PassagesFound(gathered.passages)
        async with aclosing(self._write(run, gathered, stop)) as events:
            async for event in events:
                yield event

    async def _write(
        self, run: _Run, gathered: Gathered, stop: asyncio.Event | None
    ) -> AsyncGenerator[AnswerEvent, None]:
        page = run.page = Page(gathered.passages)
        request = GenerationRequest(
            question=gathered.standalone.text,
            original=run.question.text,
            passages=gathered.passages,
            history=run.question.history,
            query_vector=gathered.retrieved.vector,
            embed=gathered.sentence_vectors.embed if gathered.retrieved.vector else None,
            tone=run.question.tone,
            attachments=run.question.attachments,
            deadline=max(0.1, self._settings.deadline - run.trace.elapsed_ms() / 1000),
        )
        yield Status("writing", texts.WRITING)
        with run.trace.stage("write") as facts:
            begin = partial(self._begin_call, run, "generate")
            async with aclosing(self._writing.run(request, page, stop=stop, begin=begin)) as events:
                async for event in events:
                    if isinstance(event, TextDelta) and "first_text_ms" not in run.trace.facts:
                        self._measure(run, gathered, page)
                    yield event
            facts |= {
                "sentences": len(page.written),
                "dropped": page.dropped,
                "attempts": page.attempts,
                "declined": page.declined,
                "waited_ms": round(page.ending.waited * 1000, 2),
            }
        yield Done(await self._amend(run, await self._finished(run, gathered, page)))

    async def _finished(self, run: _Run, gathered: Gathered, page: Page) -> Answer:
        """The answer from what was written, once more checked against what the audience may read now."""
        ending = page.ending
        run.notes += (
            [texts.STOPPED] * ending.stopped + [texts.TOO_SLOW] * ending.too_slow + [texts.CUT_OFF] * ending.cut_off
        )
        citations = page.citations()
        ids = [hit.passage.id for hit in gathered.passages]
        with run.trace.stage("recheck") as facts:
            checked = await self._gathering.loader.still_readable(run.question, ids)
            # Messages were found a moment ago, and whoever sees the end is looked at again.
            readable = checked.readable | {hit.passage.id for hit in gathered.passages if hit.passage.is_live}
            facts["withdrawn"] = len(set(ids) - readable)
        if checked.silent:
            run.notes.append(texts.readers_unchecked(checked.silent))
        good = tuple(citation for citation in citations if citation.passage.id in readable)
        text = page.text({citation.number for citation in good})
        if text:
            cited = _still_cited(good, text)
            run.notes += [note for one in cited for note in gathered.version_notes.get(one.passage.id, ())]
            run.notes += await self._old_sources(cited)
            run.notes += _open_to_all(cited)
            run.notes += [texts.BROKEN_OFF] * ending.model_failed
            return self._answer(run, text, answered=True, citations=cited)
        closest = closest_documents([hit for hit in gathered.passages if hit.passage.id in readable])
        if closest and (ending.model_failed or ending.too_slow):
            run.trace.facts |= {UNWRITTEN: not ending.refused, BUSY: ending.busy_for}
            return self._passages_only(run, closest, texts.cannot_write)
        if page.declined:
            return self._answer(run, texts.unknown(titles_of(closest)), closest=closest)
        return self._answer(run, texts.unsupported(titles_of(closest)), closest=closest)

    async def _begin_call(self, run: _Run, what: str) -> Used:
        """Whom a call of the generator tells what it uses; raises `ModelUnavailable` when it may not be made."""
        used = await run.grant.call(self._generator) if run.grant is not None else unmetered
        return run.trace.counted(what, used)

    async def _reserve(self, question: Question, *, drafts: int = 0) -> Grant:
        """What all calls for a question cost at most, of those that cost something."""
        rewrites = drafts > 0 and bool(question.history) and isinstance(self._generator, Rewrites)
        parts = [*[self._generator] * (drafts + rewrites), self._reranker]
        return await self._budgets.reserve(question, [most for part in parts if (most := most_of(part)) is not None])

    async def _sources(self, question: Question) -> int:
        """How many sources are searched."""

        def count() -> int:
            with self._database.read() as tx:
                return len(sources.polls(tx))

        return len(question.sources) or await asyncio.to_thread(count)

    async def _old_sources(self, cited: Sequence[Citation]) -> list[str]:
        """What to say of sources that were not read for more than two of their intervals."""
        now = self._now().astimezone(UTC).replace(tzinfo=None)
        ages = {one.passage.source: now - one.passage.synced for one in cited if one.passage.synced}
        shortest = timedelta(seconds=LATE_AFTER * self._poll)
        if all(age <= shortest for age in ages.values()):
            return []

        def find() -> dict[str, float | None]:
            with self._database.read() as tx:
                return sources.polls(tx)

        polls = await asyncio.to_thread(find)
        late = {name: timedelta(seconds=LATE_AFTER * (polls.get(name) or self._poll)) for name in ages}
        return [texts.source_old(name, age) for name, age in ages.items() if age > late[name]]

    def _passages_only(self, run: _Run, hits: Sequence[ScoredPassage], words: Callable[[Sequence[int]], str]) -> Answer:
        closest = closest_documents(hits)
        shown = tuple(Citation(number, hit.passage) for number, hit in enumerate(closest, start=1))
        return self._answer(run, words([one.number for one in shown]), citations=shown, closest=closest)

    async def _amend(self, run: _Run, made: Answer) -> Answer:
        with run.trace.stage("answer_ready"):
            return amended(made, await self._hooks.answer_ready(run.question, made))

    def _begin(self, question: Question) -> _Run:
        """The question as far as it will be read."""
        unchecked = question.audience.unchecked
        notes = [texts.groups_unchecked(unchecked)] if unchecked else []
        text = _UNREADABLE.sub(" ", question.text)
        if len(text) > self._settings.max_question:
            text = text[: self._settings.max_question]
            notes.append(texts.question_cut(self._settings.max_question))
        history = tuple(
            replace(turn, text=_UNREADABLE.sub(" ", turn.text)[:_HISTORY_CHARACTERS])
            for turn in question.history[-_HISTORY_TURNS:]
        )
        notes += _about_files(question)
        return _Run(replace(question, text=text, history=history), self._new_id(), Trace(), notes)

    def _answer(
        self,
        run: _Run,
        text: str,
        *,
        answered: bool = False,
        citations: Sequence[Citation] = (),
        closest: Sequence[ScoredPassage] = (),
    ) -> Answer:
        return Answer(
            id=run.id,
            question=run.question,
            text=text,
            answered=answered,
            citations=tuple(citations),
            closest=tuple(closest),
            confidence=run.gathered.decision.confidence if run.gathered else 0.0,
            notes=tuple(dict.fromkeys(run.notes)),
            created=self._now(),
        )

    def _partial(self, run: _Run) -> Answer:
        page = run.page
        assert page is not None
        return self._answer(run, page.text(), answered=True, citations=page.citations())

    async def _store(self, run: _Run, made: Answer, keep: Keep | None) -> None:
        run.kept = True
        trace = run.trace.to_json()
        if keep is not None:
            await keep(made, trace)
        else:
            await asyncio.to_thread(self._save, made, trace)

    def _save(self, made: Answer, trace: dict[str, Any]) -> None:
        with self._database.write() as tx:
            answers.save(tx, made, trace)

    @staticmethod
    def _measure(run: _Run, gathered: Gathered, page: Page) -> None:
        """Time to the first text, and our own share of it: without index, models and generator."""
        elapsed = run.trace.elapsed_ms()
        models = sum(entry.get("model_ms", 0.0) for entry in run.trace.stages)
        elsewhere = gathered.retrieved.embed_ms + gathered.retrieved.search_ms + models
        waited = page.ending.waited * 1000
        run.trace.facts["first_text_ms"] = round(elapsed, 2)
        run.trace.facts["own_ms"] = round(elapsed - elsewhere - waited, 2)


def _still_cited(citations: Sequence[Citation], text: str) -> tuple[Citation, ...]:
    return tuple(citation for citation in citations if f"[{citation.number}]" in text)


def _open_to_all(cited: Sequence[Citation]) -> list[str]:
    """Whom a reader should not trust too far."""
    hits = [ScoredPassage(one.passage, 0.0) for one in cited if one.passage.trust == "open"]
    return [texts.open_to_all(list(dict.fromkeys(titles_of(hits))))] if hits else []


def _about_files(question: Question) -> list[str]:
    """What an asker must know about the files they attached."""
    parts = [one.name for one in question.attachments if not one.whole]
    said = [(question.unread, texts.not_read), (parts, texts.read_in_part)]
    return [words([_file_name(name) for name in names[:_NAMES]]) for names, words in said if names]


def _file_name(name: str) -> str:
    return clean(" ".join(_UNREADABLE.sub(" ", name).split()))[:_NAME_CHARACTERS] or "?"
