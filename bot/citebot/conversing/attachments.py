"""Which of the files that come with a question are texts that can go along with it."""

from __future__ import annotations

import re

FILES_MOST = 5
BYTES_MOST = 200_000
PATIENCE = 1.5
"""Seconds for all files of a question, which must be stored within three."""
MARKUP = frozenset({"text/html", "text/rtf", "text/richtext"})
"""Texts that nobody reads as they are; pages that want a login come as these too."""
_TEXTS = re.compile(r"application/(?:json|x-ndjson|xml|(?:x-)?yaml|toml|x-sh|(?:x-)?javascript|(?:x-)?sql|x-httpd-php)")
_ENDINGS = re.compile(
    r"\.(?:txt|md|markdown|rst|log|csv|tsv|jsonl?|ndjson|ya?ml|toml|ini|cfg|conf|env|properties|xml|sql|sh|ps1|bat|py|"
    r"js|ts|go|rs|java|kt|c|h|cc|cpp|cs|rb|php|pl|lua|swift|diff|patch|tex)$",
    re.IGNORECASE,
)


def is_text(name: str, media_type: str, size: int) -> bool:
    """Whether a file is worth fetching, by what is said of it."""
    kind = media_type.partition(";")[0].strip().lower()
    text = kind.startswith("text/") or bool(_TEXTS.fullmatch(kind)) or bool(_ENDINGS.search(name))
    return text and kind not in MARKUP and 0 < size <= BYTES_MOST


def text_of(data: bytes) -> str:
    """The text in a file, empty for what is none after all."""
    return "" if len(data) > BYTES_MOST or b"\0" in data else data.decode("utf-8-sig", "replace").strip()
