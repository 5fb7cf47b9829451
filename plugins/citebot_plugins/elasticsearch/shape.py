"""What the indices look like: fields, analyzers, names."""

from __future__ import annotations

import struct
from typing import Any

from citebot_plugins.elasticsearch.settings import ElasticsearchSettings

ANALYZERS = {
    "ar": "arabic", "da": "danish", "nl": "dutch", "en": "english", "fi": "finnish", "fr": "french", "de": "german",
    "el": "greek", "hu": "hungarian", "it": "italian", "no": "norwegian", "pt": "portuguese", "ro": "romanian",
    "ru": "russian", "es": "spanish", "sv": "swedish", "tr": "turkish",
}  # fmt: skip
"""BCP 47 → the analyzers that every Elasticsearch has. A language's fields are added with its first passage."""
FORMAT = 1
KEPT_DELETES = "1h"
"""How long the version of a deleted passage is remembered, so that a late write does not bring it back."""


def language_of(language: str, default: str) -> str:
    """The language whose analyzer a passage is read by."""
    short = language.split("-")[0].lower()
    return short if short in ANALYZERS else default


def settings_of(settings: ElasticsearchSettings) -> dict[str, Any]:
    """Settings of a new index."""
    return {
        "number_of_shards": settings.shards,
        "number_of_replicas": settings.replicas,
        "gc_deletes": KEPT_DELETES,
        "max_result_window": 10_000,
    }


def mappings() -> dict[str, Any]:
    """Fields of a new index; those of languages and vectors come when they are needed."""
    keyword = {"type": "keyword"}
    return {
        "dynamic": "strict",
        "_meta": {"format": FORMAT},
        "properties": {
            "source": keyword,
            "reader": keyword,
            "language": keyword,
            "vectored": {"type": "boolean"},
        },
    }


def fields_of(language: str) -> dict[str, Any]:
    """The two texts of a language; a heading is a leg of its own."""
    text = {"type": "text", "analyzer": ANALYZERS[language], "index_options": "freqs"}
    return {f"text_{language}": text, f"heading_{language}": text}


def vectors_of(settings: ElasticsearchSettings, dimensions: int) -> dict[str, Any]:
    """Every window of a passage has a vector of its own; the best one counts."""
    vector = {
        "type": "dense_vector",
        "dims": dimensions,
        "similarity": "cosine",
        "index_options": {"type": settings.vectors},
    }
    return {"windows": {"type": "nested", "properties": {"vector": vector}}}


def state_mappings() -> dict[str, Any]:
    """The index that says how far each index is; what was refused is kept in it too."""
    keyword, number = {"type": "keyword"}, {"type": "long"}
    return {
        "dynamic": "strict",
        "properties": {
            "index": keyword,
            "seq": number,
            "model": keyword,
            "dimensions": {"type": "integer"},
            "built_to": number,
            "began": {"type": "double"},
            "passage": number,
            "why": keyword,
        },
    }


def numbers(half_precision: bytes) -> tuple[float, ...]:
    """Vectors as they are stored, little-endian float16, in numbers."""
    return struct.unpack(f"<{len(half_precision) // 2}e", half_precision)


def next_name(alias: str, present: str) -> str:
    """The name of the version after this one."""
    number = int(present.rpartition("-")[2]) + 1 if present else 1
    return f"{alias}-{number:06d}"
