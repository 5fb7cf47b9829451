"""Documents that have left their place, known again by what is in them when they turn up in another.

Where an id is a place, as a path is, a moved document is a new id and a missing one. Taken for what it is, it keeps its
passages with their ids: nothing is embedded again, answers that cite it lead to where it is now, and a folder with a
new name is no loss that an admin must confirm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from citebot.model import Gone
from citebot.ports import Source, SourceContext
from citebot.storage import Database, todo
from citebot.storage.batches import batches
from citebot.storage.documents import Left

HALF = 32
"""Digits of a content hash that stand for the body alone; as many stand for all else that shapes passages."""

ASKED_AT_ONCE = 400


class Moves:
    """Those of one listing. Each is found at most once: of two copies one has moved and the other is new."""

    def __init__(self) -> None:
        self._left: dict[str, dict[str, str]] = {}

    def note_left(self, external_id: str, content_hash: str, title: str) -> None:
        """A stored document is not where it was."""
        self._left.setdefault(content_hash[:HALF], {})[external_id] = title

    def origin_of(self, content_hash: str, title: str) -> str:
        """Where a new document came from: the same content, under the same title if there are several; or empty."""
        same = self._left.get(content_hash[:HALF])
        if not same:
            return ""
        found = next((one for one, name in same.items() if name == title), next(iter(same)))
        del same[found]
        return found


def find_moves(
    database: Database,
    source_id: int,
    gone: Sequence[Left],
    *,
    part: Source,
    context: SourceContext,
    go_on: Callable[[], bool],
) -> Moves:
    """Ask for the documents that a full listing did not name, if there are new ones which they may be."""
    with database.read() as tx:
        left = {one.external_id: one for one in gone} if todo.has_new(tx, source_id) else {}
    moves = Moves()
    for some in batches(list(left), ASKED_AT_ONCE):
        if not go_on():
            break
        for answer in part.fetch(context, some):
            # What still answers has not moved: the new one is a copy of it.
            if isinstance(answer, Gone) and (one := left.pop(answer.id, None)):
                moves.note_left(one.external_id, one.content_hash, one.title)
    return moves
