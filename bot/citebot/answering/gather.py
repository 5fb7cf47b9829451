"""Stages 1 to 8 in a row: from a question to the passages it may be answered from, and whether they answer it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from citebot.access import LiveReaders
from citebot.answering import texts
from citebot.answering.collapse import NearDuplicates
from citebot.answering.contextualise import Contextualiser, Standalone
from citebot.answering.decide import Decider, Decision
from citebot.answering.evidence import RecentVectors, SentenceVectors
from citebot.answering.fuse import Fusion, Weights
from citebot.answering.hooks import Hooks
from citebot.answering.lexical import Lexical
from citebot.answering.live import Live, merged
from citebot.answering.load import LOADED, Loaded, Loader
from citebot.answering.rerank import Reranking
from citebot.answering.retrieve import Retrieved, Retriever
from citebot.answering.rewriting import Rewriting
from citebot.answering.trace import Trace
from citebot.answering.versions import Versions
from citebot.budgets import Grant
from citebot.model import Question, ScoredPassage
from citebot.ports import Embedder, IndexHits, Reranker, Searchable, Used
from citebot.settings import AnsweringSettings
from citebot.storage import Database

Begin = Callable[[], Awaitable[Used]]
"""Called before a call of a model; raises `ModelUnavailable` when it may not be made."""
_NOTHING = Retrieved(IndexHits({}))


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, before it is decided whether that is an answer."""

    standalone: Standalone
    retrieved: Retrieved
    passages: tuple[ScoredPassage, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything a writer needs."""

    standalone: Standalone
    retrieved: Retrieved
    passages: tuple[ScoredPassage, ...]
    """Best first, at most as many as the settings say."""
    decision: Decision
    sentence_vectors: SentenceVectors
    notes: tuple[str, ...]
    version_notes: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """What to say when an answer cites a passage that replaced an older one, by passage id."""


class Gathering:
    """Owns the stages that search and read."""

    def __init__(
        self,
        *,
        database: Database,
        index: Searchable,
        embedder: Embedder | None,
        previous: Embedder | None = None,
        reranker: Reranker | None,
        hooks: Hooks,
        settings: AnsweringSettings,
        live: LiveReaders | None = None,
        rewriting: Rewriting | None = None,
    ) -> None:
        weights = Weights(
            words=settings.weight_words,
            vectors=settings.weight_vectors,
            headings=settings.weight_headings,
            sparse=settings.weight_sparse,
        )
        self._settings = settings
        self._recent: dict[str, RecentVectors] = {}
        """By model."""
        self._hooks = hooks
        self._contextualiser = Contextualiser(context_weight=settings.context_weight)
        self._rewriting = rewriting
        self._retriever = Retriever(index, embedder, previous=previous, candidates=settings.candidates)
        self._fusion = Fusion(weights, depth=settings.candidates)
        self.loader = Loader(database, live)
        self._duplicates = NearDuplicates()
        self._versions = Versions()
        self._reranking = Reranking(reranker)
        self._decider = Decider()

    async def search(
        self,
        question: Question,
        trace: Trace,
        *,
        limit: int = LOADED,
        grant: Grant | None = None,
        rewrite: Begin | None = None,
        live: Live | None = None,
    ) -> Found:
        """Contextualise, retrieve, fuse, load, rerank. With `rewrite` a model may be asked what the question means.

        `live` begins; what it finds is not waited for.
        """
        with trace.stage("contextualise") as facts:
            standalone = await self._contextualiser.run(question)
            facts |= {"turns": len(question.history), "leans": standalone.leans}
            if rewrite is not None and self._rewriting is not None and question.audience.principals:
                asked = trace.elapsed_ms()
                ruled, standalone = standalone, await self._rewriting.run(question, standalone, begin=rewrite)
                facts |= {"rewritten": standalone is not ruled, "model_ms": round(trace.elapsed_ms() - asked, 2)}
            facts["terms"] = len(standalone.terms)
        if live is not None:
            live.begin(standalone.text)
        with trace.stage("retrieve") as facts:
            retrieved = await self._retriever.run(question, standalone) if question.audience.principals else _NOTHING
            facts |= {name: len(scores) for name, scores in retrieved.hits.legs.items()}
            facts |= {"embed_ms": round(retrieved.embed_ms, 2), "search_ms": round(retrieved.search_ms, 2)}
            facts["vectors_ready"] = round(retrieved.hits.vectors_ready, 4)
        with trace.stage("fuse") as facts:
            fused = await self._fusion.run(retrieved.hits)
            facts["candidates"] = len(fused)
        with trace.stage("load") as facts:
            loaded = await self.loader.run(question, fused, limit=limit)
            facts |= {"loaded": len(loaded.passages), "withheld": loaded.withheld, "gone": loaded.gone}
        trace.facts["withheld"] = loaded.withheld
        kept = await self._hooked(question, loaded, trace)
        with trace.stage("rerank") as facts:
            ranked = await self._reranking.run(standalone.text, kept, grant=grant)
            facts["model_ms"] = round(ranked.ms, 2)
        return Found(standalone, retrieved, ranked.passages, (*retrieved.notes, *ranked.notes))

    async def run(
        self,
        question: Question,
        trace: Trace,
        *,
        grant: Grant | None = None,
        rewrite: Begin | None = None,
        live: Live | None = None,
    ) -> Gathered:
        """Search, then drop copies and superseded versions, add what `live` has found, and decide."""
        live = live or Live(question)
        found = await self.search(question, trace, grant=grant, rewrite=rewrite, live=live)
        with trace.stage("collapse") as facts:
            lexical = Lexical(found.standalone.terms, found.passages)
            single = await self._duplicates.run(found.passages, lexical)
            current = await self._versions.run(single, lexical)
            facts |= {"copies": len(found.passages) - len(single), "superseded": len(current.superseded)}
        passages, notes = await self.open_now(question, current.passages[: self._settings.passages], trace)
        messages = await self._messages(question, live, trace)
        passages = merged(passages, messages, lexical, most=self._settings.passages)
        embedder = found.retrieved.embedder
        recent = self._recent.setdefault(embedder.model_id if embedder else "", RecentVectors())
        sentence_vectors = SentenceVectors(embedder, recent, keep=not messages)
        with trace.stage("decide") as facts:
            decision = await self._decider.run(
                found.standalone,
                passages,
                lexical=lexical,
                index_hits=found.retrieved.hits,
                vector=found.retrieved.vector,
                sentence_vectors=sentence_vectors,
            )
            facts |= {"confidence": round(decision.confidence, 4), "model_ms": round(sentence_vectors.ms, 2)}
            facts |= {name: round(value, 4) for name, value in decision.features.items()}
        trace.facts["passages"] = [_row(hit) for hit in passages]
        return Gathered(
            standalone=found.standalone,
            retrieved=found.retrieved,
            passages=passages,
            decision=decision,
            sentence_vectors=sentence_vectors,
            notes=(*found.notes, *notes, *live.notes),
            version_notes=current.notes,
        )

    async def open_now(
        self, question: Question, passages: tuple[ScoredPassage, ...], trace: Trace
    ) -> tuple[tuple[ScoredPassage, ...], list[str]]:
        """The final few, as far as their sources open them at this moment, with what to tell the asker."""
        with trace.stage("live") as facts:
            checked = await self.loader.live(question, [hit.passage for hit in passages])
            left = tuple(hit for hit in passages if hit.passage.id in checked.readable)
            facts["hidden"] = len(passages) - len(left)
        return left, [texts.readers_unchecked(checked.silent)] if checked.silent else []

    async def _messages(self, question: Question, live: Live, trace: Trace) -> Sequence[ScoredPassage]:
        """What was found at this moment where the question was asked."""
        if not live.begun:
            return ()
        with trace.stage("live_search") as facts:
            waited = trace.elapsed_ms()
            messages = await live.found()
            facts |= {"found": len(messages), "withheld": live.withheld}
            facts["model_ms"] = round(trace.elapsed_ms() - waited, 2)
        return await self._hooked(question, Loaded(messages), trace) if messages else ()

    async def _hooked(self, question: Question, loaded: Loaded, trace: Trace) -> Sequence[ScoredPassage]:
        with trace.stage("passages_found") as facts:
            allowed = {hit.passage.id: hit for hit in loaded.passages}
            kept = await self._hooks.passages_found(question, loaded.passages)
            # By id, and ours: whatever a plugin returns, it cannot bring in a passage or change one.
            left = [allowed.pop(hit.passage.id) for hit in kept if hit.passage.id in allowed]
            facts["dropped"] = len(loaded.passages) - len(left)
        return left


def _row(hit: ScoredPassage) -> dict[str, object]:
    return {"passage": hit.passage.id, "score": round(hit.score, 4), **{k: round(v, 4) for k, v in hit.legs.items()}}
