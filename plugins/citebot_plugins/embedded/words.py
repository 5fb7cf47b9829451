"""The word legs: BM25 over text and over headings, filtered by readers and source inside the query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from citebot.model import Audience
from citebot.ports import IndexEntry, IndexQuery
from citebot_plugins.embedded.analysis import LANGUAGES, analyzer, language_of, terms
from citebot_plugins.index_text import heading_of, indexed_text


class WordIndex:
    """A tantivy index in a folder of its own. One writer; readers see the last commit."""

    def __init__(self, folder: Path, *, language: str, memory_mb: int) -> None:
        import tantivy

        self._default = language_of(language, "en")
        self._memory = memory_mb * 1_000_000
        self._writer: Any = None
        self._tantivy: Any = tantivy
        folder.mkdir(parents=True, exist_ok=True)
        self._schema = _schema()
        self._index = tantivy.Index(self._schema, path=str(folder))
        for code in LANGUAGES:
            self._index.register_tokenizer(code, analyzer(code))
        self._index.config_reader("Manual")
        self._index.reload()
        self._languages = self._found_languages()

    def apply(self, puts: Iterable[IndexEntry], removals: Sequence[int]) -> None:
        """Replace and remove, durably."""
        writer = self._open_writer()
        for key in removals:
            writer.delete_documents_by_term("id", key)
        for entry in puts:
            writer.delete_documents_by_term("id", entry.id)
            writer.add_document(self._document(entry))
        writer.commit()
        self._index.reload()

    def search(self, query: IndexQuery) -> tuple[dict[int, float], dict[int, float]]:
        """BM25 by passage id, over text and over headings."""
        if not query.audience.principals:
            return {}, {}
        searcher = self._index.searcher()
        allowed = self._filter(query.audience, query.sources)
        found = []
        for field, text, context in (
            ("text", query.text, query.context_text),
            ("heading", query.text, ""),
        ):
            wanted = self._words(field, text, 1.0) + self._words(field, context, query.context_weight)
            found.append(self._run(searcher, wanted, allowed, query.limit) if wanted else {})
        return found[0], found[1]

    def count(self) -> int:
        """Passages that are findable."""
        return int(self._index.searcher().num_docs)

    def close(self) -> None:
        """Let go of the folder; what was not committed is gone, as intended."""
        if self._writer is not None:
            self._writer.wait_merging_threads()
            self._writer = None

    def abandon(self) -> None:
        """Forget what was not committed and let go of the folder."""
        if self._writer is not None:
            self._writer.rollback()
            self.close()

    def _open_writer(self) -> Any:
        if self._writer is None:
            # One thread keeps segments few; indexing is never the slow part of a sync.
            self._writer = self._index.writer(heap_size=self._memory, num_threads=1)
            # What a killed process left behind may have the name of a file that is to be written.
            self._writer.garbage_collect_files()
        return self._writer

    def _document(self, entry: IndexEntry) -> Any:
        language = language_of(entry.language, self._default)
        self._languages.add(language)
        document = self._tantivy.Document()
        document.add_integer("id", entry.id)
        document.add_text(f"text_{language}", indexed_text(entry.text))
        document.add_text(f"heading_{language}", heading_of(entry))
        document.add_text("source", entry.source)
        document.add_text("language", language)
        for principal in entry.readers.principals:
            document.add_text("reader", principal)
        return document

    def _words(self, field: str, text: str, weight: float) -> list[Any]:
        """One scored clause per term and language: a passage is looked at in the language it was indexed in."""
        query = self._tantivy.Query
        if not text or weight <= 0:
            return []
        return [
            query.boost_query(
                query.term_query(self._schema, f"{field}_{language}", term, index_option="freq"), weight * count
            )
            for language in sorted(self._languages)
            for term, count in terms(text, language).items()
        ]

    def _filter(self, audience: Audience, sources: Sequence[str]) -> list[Any]:
        query = self._tantivy.Query
        clauses = [query.term_set_query(self._schema, "reader", sorted(audience.principals))]
        if sources:
            clauses.append(query.term_set_query(self._schema, "source", sorted(sources)))
        # Who may read decides whether a passage is found, never where it stands.
        return [(self._tantivy.Occur.Must, query.const_score_query(clause, 0.0)) for clause in clauses]

    def _run(self, searcher: Any, wanted: list[Any], allowed: list[Any], limit: int) -> dict[int, float]:
        occur, query = self._tantivy.Occur, self._tantivy.Query
        any_word = query.boolean_query([(occur.Should, clause) for clause in wanted])
        hits = searcher.search(query.boolean_query([(occur.Must, any_word), *allowed]), limit, count=False).hits
        ids = searcher.fast_field_values("id", [address for _, address in hits])
        return {int(key): float(score) for key, (score, _) in zip(ids, hits, strict=True)}

    def _found_languages(self) -> set[str]:
        searcher = self._index.searcher()
        return {code for code in LANGUAGES if searcher.doc_freq("language", code)} | {self._default}


def _schema() -> Any:
    from tantivy import SchemaBuilder

    builder = SchemaBuilder()
    # Signed on purpose: a Python int given to an unsigned fast field ends tantivy's writer thread.
    builder.add_integer_field("id", indexed=True, fast=True)
    for name in ("reader", "source", "language"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for code in LANGUAGES:
        builder.add_text_field(f"text_{code}", tokenizer_name=code, index_option="freq")
        builder.add_text_field(f"heading_{code}", tokenizer_name=code, index_option="freq")
    return builder.build()
