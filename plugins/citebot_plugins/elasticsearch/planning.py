"""How large a cluster must be, from measured bytes per passage and Elastic's own rules.

Memory of vectors: https://www.elastic.co/docs/deploy-manage/production-guidance/optimize-performance/approximate-knn-search
Size of shards: https://www.elastic.co/docs/deploy-manage/production-guidance/optimize-performance/size-shards
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

PASSAGES_PER_DOCUMENT = 3.0
"""A wiki page of about 700 words at `ingest.chunk_tokens`."""
WINDOWS_PER_PASSAGE = 1.7
"""Vectors of a passage, at 200 tokens each."""
TEXT_BYTES = 950
"""Disk of one passage of 1,700 characters without its vectors: 914 were measured, see docs/elasticsearch.md."""
LINKS = 16
"""Neighbours of a vector in the graph, each 4 bytes."""
BYTES_OF_A_NUMBER = {"int8_hnsw": 1.0, "bbq_hnsw": 0.125, "hnsw": 4.0}
CORRECTION = {"int8_hnsw": 4, "bbq_hnsw": 14, "hnsw": 0}
"""Bytes kept beside each quantised vector."""
SHARD_BYTES = 30e9
SHARD_PASSAGES = 30_000_000
QUESTIONS_PER_COPY = 40.0
"""Questions a second that one copy of the index answers on 8 cores."""
SPARE_DISK = 1.5
"""Merges and the watermarks take room."""
HEAP_BYTES = 4e9
"""Of each node, besides the memory for vectors."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All figures of a plan; bytes are of the whole cluster."""

    passages: int
    vectors: int
    text_bytes: float
    vector_disk_bytes: float
    vector_memory_bytes: float
    shards: int
    copies: int
    dimensions: int
    kind: str

    @property
    def disk_bytes(self) -> float:
        """With all copies, and room to spare."""
        return (self.text_bytes + self.vector_disk_bytes) * self.copies * SPARE_DISK

    @property
    def memory_bytes(self) -> float:
        """For vectors and their graph in the file system's cache, besides the heap of the nodes."""
        return self.vector_memory_bytes * self.copies

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return {
            "passages": self.passages,
            "vectors": self.vectors,
            "shards": self.shards,
            "replicas": self.copies - 1,
            "disk_bytes": round(self.disk_bytes),
            "cache_bytes": round(self.memory_bytes),
            "heap_bytes_per_node": round(HEAP_BYTES),
        }

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """For people: what, how much, and the arithmetic."""
        number, beside = BYTES_OF_A_NUMBER[self.kind], CORRECTION[self.kind]
        yield "passages", f"{self.passages:,}", f"{PASSAGES_PER_DOCUMENT:g} per document"
        yield "vectors", f"{self.vectors:,}", f"{WINDOWS_PER_PASSAGE:g} per passage"
        yield "shards", f"{self.shards}", f"at most {SHARD_BYTES / 1e9:.0f} GB and {SHARD_PASSAGES:,} passages each"
        yield (
            "replicas",
            f"{self.copies - 1}",
            f"{QUESTIONS_PER_COPY:g} questions a second per copy, and one node may fail",
        )
        yield (
            "disk",
            _size(self.disk_bytes),
            f"({TEXT_BYTES:,} bytes of text per passage + {self.dimensions} × {4 + number:g} per vector) "
            f"× {self.copies} copies × {SPARE_DISK:g} to spare",
        )
        yield (
            "memory for vectors",
            _size(self.memory_bytes),
            f"each ({self.dimensions} × {number:g} + {beside} + {LINKS} × 4) × {self.copies} copies, as file cache",
        )
        yield "heap", f"{_size(HEAP_BYTES)} a node", "half of a node's memory at most"


def plan(
    *,
    documents: int,
    questions_per_second: float = 1.0,
    dimensions: int = 384,
    vectors: str = "int8_hnsw",
    replicas: int = 1,
) -> Plan:
    """The plan for so many documents. Raw vectors stay on disk beside the quantised ones, for exact scores."""
    passages = ceil(documents * PASSAGES_PER_DOCUMENT)
    count = ceil(passages * WINDOWS_PER_PASSAGE)
    quantised = dimensions * BYTES_OF_A_NUMBER[vectors] + CORRECTION[vectors]
    graph = LINKS * 4
    raw = 0 if vectors == "hnsw" else dimensions * 4
    disk = count * (raw + quantised + graph)
    text = passages * TEXT_BYTES
    copies = max(replicas + 1, ceil(questions_per_second / QUESTIONS_PER_COPY))
    return Plan(
        passages=passages,
        vectors=count,
        text_bytes=text,
        vector_disk_bytes=disk,
        vector_memory_bytes=count * (quantised + graph),
        shards=max(1, ceil((text + disk) / SHARD_BYTES), ceil(passages / SHARD_PASSAGES)),
        copies=copies,
        dimensions=dimensions,
        kind=vectors,
    )


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{number:.1f} {unit}"
