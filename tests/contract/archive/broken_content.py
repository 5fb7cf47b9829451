"""Sources with one fault each: readers, changes meanwhile, silent edits, content, load (H to L)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
from archive_source import ArchiveSource
from caught import caught_by

from citebot.model import Batch, Document, Failed, Gone, Json, Part, Readers, Ref
from citebot.ports import SourceContext, SourceSpec

EVERYONE = Readers.everyone()

# --- H: readers ------------------------------------------------------------------------------------------------------


@caught_by(H1="is for others", H3="is shown")
class EverybodyReadsEverything(ArchiveSource):
    def readers(self, row: dict[str, Any]) -> Readers:
        return EVERYONE


@caught_by(H2="A document that was closed is not")
class ListsNoReaders(ArchiveSource):
    def ref(self, row: dict[str, Any]) -> Ref:
        return Ref(self.key_of(row), self.version(row))


@caught_by(H3="is shown")
class UnmarkedIsForEverybody(ArchiveSource):
    def readers(self, row: dict[str, Any]) -> Readers:
        return Readers(frozenset(row["readers"] or ("everyone",)))


@caught_by(H4="With readers []")
class NoReadersMeansEverybody(ArchiveSource):
    def readers(self, row: dict[str, Any]) -> Readers:
        return super().readers(row) if self.settings.readers else EVERYONE


@caught_by(H5="live, but not by what is stored")
class SaysYesToAll(ArchiveSource):
    def may_read(self, ctx: SourceContext, person: str, ids: Sequence[str]) -> set[str]:
        return set(ids)


@caught_by(H5="by what is stored, but not live")
class KnowsNobody(ArchiveSource):
    def may_read(self, ctx: SourceContext, person: str, ids: Sequence[str]) -> set[str]:
        return super().may_read(ctx, f"{person}@archive", ids) - set(ids)


@caught_by(H6="A private comment is for all who read the document")
class PrivateCommentsAreForAll(ArchiveSource):
    def parts(self, page: dict[str, Any]) -> Iterator[Part]:
        return (replace(part, readers=None) for part in super().parts(page))


@caught_by(H6="A private comment is for all who read the document")
class CommentsAreInTheText(ArchiveSource):
    def body(self, page: dict[str, Any]) -> str:
        return "\n\n".join([page["text"], *(comment["text"] for comment in page["comments"])])


# --- I and J: changes meanwhile, and in silence ----------------------------------------------------------------------


@caught_by(I1="the listing has left them out")
class PagesByOffset(ArchiveSource):
    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        offset, size = int(self.listed_to(cursor) or 0), str(self.settings.page_size)
        while rows := self.ask(ctx, "pages", offset=str(offset), limit=size):
            offset += len(rows)
            yield Batch(tuple(self.ref(row) for row in rows), {"after": str(offset)})


@caught_by(I2="It is not seen by the next poll")
class AsksLateWhereItsFeedStands(ArchiveSource):
    def changes(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        yield from [Batch((), {"entry": -1})] if cursor is None else super().changes(ctx, cursor)


@caught_by(J1="An edit without a date is not seen")
class RemembersPagesByVersion(ArchiveSource):
    def read(self, response: httpx.Response, what: str) -> Any:
        page = super().read(response, what)
        if what != "page":
            return page
        memory = self.state_dir / f"{page['id']}-{page['version']}.json"
        memory.parent.mkdir(parents=True, exist_ok=True)
        if not memory.exists():
            memory.write_text(json.dumps(page))
        return json.loads(memory.read_text())


@caught_by(J1="spec.silent_edits does not say so")
class SaysNothingOfSilentEdits(ArchiveSource):
    spec = SourceSpec(feed_reports_deletes=True)


# --- K: content ------------------------------------------------------------------------------------------------------


@caught_by(K1="Code with its indentation is missing")
class LosesFences(ArchiveSource):
    def body(self, page: dict[str, Any]) -> str:
        return re.sub(r"^```.*\n", "", super().body(page), flags=re.MULTILINE)


@caught_by(K1="The language of the code is missing")
class LosesLanguages(ArchiveSource):
    def body(self, page: dict[str, Any]) -> str:
        return super().body(page).replace("```python", "```")


@caught_by(K1="The header of the table is missing")
class FlattensTables(ArchiveSource):
    def body(self, page: dict[str, Any]) -> str:
        return re.sub(r" *\| *", " ", super().body(page))


@caught_by(K1="Headings are missing")
class LosesHeadings(ArchiveSource):
    def body(self, page: dict[str, Any]) -> str:
        return super().body(page).replace("#", "")


# --- L: load ---------------------------------------------------------------------------------------------------------


@caught_by(L1="A batch has")
class OneBatchOfAll(ArchiveSource):
    burst_size = 6_000

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        yield Batch(tuple(item for batch in super().list(ctx, cursor) for item in batch.items))


@caught_by(L2="more requests")
class FetchesAllBeforeItAnswers(ArchiveSource):
    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        yield from list(super().fetch(ctx, ids))


@caught_by(L3="It connected to")
class GoesItsOwnWay(ArchiveSource):
    def body(self, page: dict[str, Any]) -> str:
        with httpx.Client(trust_env=False) as client:
            client.get(self.url(page))
        return super().body(page)


@caught_by(L4="It asks from")
class AsksSideBySide(ArchiveSource):
    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        with ThreadPoolExecutor(4) as pool:
            yield from pool.map(lambda key: self.answer(ctx, key), ids)
