"""From a document's markup to blocks: headings, paragraphs, list items, code, tables, quotes.

General HTML-to-Markdown libraries lose code languages, table spans and anchors; blocks keep them until chunks are made.
"""

from __future__ import annotations
