"""The port over a cluster: one alias, one index behind it, one small document that says how far it is.

Order of writing: passages first, the state last. A process that dies in between leaves the old position; the same
changes come again, with the same versions, and end in the same state. What is applied is searchable with the next
search of this process, and within a second for all others; who may read is checked again by the core.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from citebot.errors import IndexUnavailable
from citebot.ports import IndexChanges, IndexHits, IndexQuery, IndexStats, PartContext
from citebot_plugins.elasticsearch import shape
from citebot_plugins.elasticsearch.connecting import check_server, connect, said, translated
from citebot_plugins.elasticsearch.searching import is_partial, scores, searches
from citebot_plugins.elasticsearch.settings import ElasticsearchSettings
from citebot_plugins.elasticsearch.writing import Item, Refusal, document, send, windows

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

COUNTED_EVERY = 10.0
"""Seconds for which the share of passages with vectors is taken to be the same."""


@dataclass(frozen=True, slots=True)
class State:
    """How far one index is, as its document says."""

    index: str
    seq: int = 0
    model: str = ""
    dimensions: int = 0


class ElasticsearchIndex:
    """BM25 and vectors in Elasticsearch 9, on the features of its free licence."""

    name: ClassVar[str] = "elasticsearch"
    summary: ClassVar[str] = "BM25 and vectors in an Elasticsearch cluster, for teams that outgrow one machine"
    Settings: ClassVar[type[BaseModel]] = ElasticsearchSettings

    def __init__(self, settings: ElasticsearchSettings, context: PartContext) -> None:
        del context
        self._settings = settings
        self._states = f"{settings.name}-state"
        self._client: AsyncElasticsearch | None = None
        self._changing = asyncio.Lock()
        self._unseen = False
        """Something was applied that searches do not see yet."""
        self._counted = (0.0, 1.0)
        """When the share of passages with vectors was counted, and what it was."""
        self._languages: tuple[str, ...] = ()
        self._state = State("")

    async def open(self) -> None:
        self._client = connect(self._settings)
        try:
            with translated(self._settings):
                await check_server(self._client)
                if not await self._found():
                    await self._begin_states()
                    await self._begin_index("")
            await self._read_state()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def position(self) -> int:
        return (await self._read_state()).seq

    async def apply(self, changes: IndexChanges) -> None:
        async with self._changing:
            state = await self._read_state()
            if changes.seq < state.seq:
                return
            if changes.vectors and state.model not in ("", changes.vector_model):
                raise IndexUnavailable(
                    f"The index holds vectors of {state.model}; "
                    f"reset it before it takes those of {changes.vector_model}."
                )
            state = await self._widen(state, changes)
            with translated(self._settings):
                items = [*await self._items(state, changes), *map(Item, changes.removals)]
            await self._note(state, await self._send(items, state.index, changes.seq))
            self._unseen, self._counted = True, (0.0, 1.0)
            await self._write_state(replace(state, seq=changes.seq))

    async def search(self, query: IndexQuery) -> IndexHits:
        client = self._open_client()
        if not query.audience.principals:
            return IndexHits({})
        with translated(self._settings):
            await self._show_what_is_unseen()
            state = self._state
            bodies = searches(
                query,
                languages=self._languages,
                vectors=bool(state.dimensions) and query.vector_model == state.model,
                oversample=self._settings.oversample,
            )
            found, partial = await self._ask(client, bodies)
            if partial:
                found, partial = await self._ask(client, bodies)
            ready = await self._vectors_ready()
        return IndexHits({"words": {}, "headings": {}, **found}, partial=partial, vectors_ready=ready)

    async def purge(self) -> None:
        client = self._open_client().options(request_timeout=self._settings.write_seconds)
        with translated(self._settings):
            # A merge of all segments is what takes the bytes of deleted passages away.
            await client.indices.forcemerge(index=self._state.index, max_num_segments=1)

    async def reset(self) -> None:
        async with self._changing:
            with translated(self._settings):
                before = self._state.index
                await self._begin_index(before)
                await self._open_client().options(ignore_status=404).indices.delete(index=before)

    async def stats(self) -> IndexStats:
        state = await self._read_state()
        client = self._open_client()
        with translated(self._settings):
            await self._show_what_is_unseen()
            passages = (await client.count(index=state.index))["count"]
            vectors = (await client.count(index=state.index, query={"term": {"vectored": True}}))["count"]
            never = {"bool": {"filter": [{"term": {"index": state.index}}, {"exists": {"field": "passage"}}]}}
            refused = (await client.count(index=self._states, query=never))["count"]
            sizes = await client.indices.stats(index=state.index, metric="store")
        size = int(sizes["_all"]["total"]["store"]["size_in_bytes"])
        return IndexStats(int(passages), int(vectors), state.model, state.seq, size, int(refused))

    # --- searching -----------------------------------------------------------------------------------------------

    async def _ask(
        self, client: AsyncElasticsearch, bodies: Mapping[str, Mapping[str, Any]]
    ) -> tuple[dict[str, dict[int, float]], bool]:
        """All legs in one request; whether some of the index did not answer."""
        if not bodies:
            return {}, False
        lines = [line for body in bodies.values() for line in ({"index": self._settings.name}, body)]
        responses = (await client.msearch(searches=lines))["responses"]
        for response in responses:
            if "error" in response:
                raise IndexUnavailable(said(self._settings, int(response["status"]), response))
        found = {leg: scores(leg, response) for leg, response in zip(bodies, responses, strict=True)}
        return found, any(map(is_partial, responses))

    async def _show_what_is_unseen(self) -> None:
        if self._unseen:
            self._unseen = False
            await self._open_client().indices.refresh(index=self._settings.name)

    async def _vectors_ready(self) -> float:
        now = asyncio.get_running_loop().time()
        counted, share = self._counted
        if not counted or now - counted > COUNTED_EVERY:
            await self._read_state()  # another process may have begun a new index
            stats = await self.stats()
            share = stats.vectors / stats.passages if stats.passages else 1.0
            self._counted = (now, share)
        return share

    # --- changing ------------------------------------------------------------------------------------------------

    async def _items(self, state: State, changes: IndexChanges) -> list[Item]:
        """Whole passages; what the changes do not say about one is read from the index."""
        entries = {entry.id: entry for entry in changes.puts}
        vectors = dict(changes.vectors)
        known = await self._known(state, [key for key in {*entries, *vectors} if (key in entries) != (key in vectors)])
        items = []
        for key in sorted({*entries, *vectors} - set(changes.removals)):
            before = known.get(key, {})
            kept = {name: before[name] for name in ("vectored", "windows") if name in before}
            body = document(entries[key], language=self._settings.language) | kept if key in entries else before
            if body:
                items.append(Item(key, body | (windows(vectors[key]) if key in vectors else {})))
        return items

    async def _known(self, state: State, keys: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Passages as they are in the index, their vectors too."""
        found: dict[int, dict[str, Any]] = {}
        for at in range(0, len(keys), 500):
            response = await self._slow_client().perform_request(
                "POST",
                f"/{state.index}/_mget",
                params={"_source_exclude_vectors": "false"},
                headers={"accept": "application/json", "content-type": "application/json"},
                body={"ids": [str(key) for key in keys[at : at + 500]]},
            )
            found |= {int(each["_id"]): each["_source"] for each in response.body["docs"] if each.get("found")}
        return found

    async def _send(self, items: Sequence[Item], index: str, seq: int) -> list[Refusal]:
        client = self._slow_client()

        async def bulk(operations: list[Mapping[str, Any]]) -> Mapping[str, Any]:
            with translated(self._settings):
                body: Mapping[str, Any] = (await client.bulk(operations=operations)).body
                return body

        return await send(items, index=index, seq=seq, bulk=bulk, seconds=self._settings.write_seconds)

    async def _widen(self, state: State, changes: IndexChanges) -> State:
        """Add the fields that the changes need."""
        spoken = {shape.language_of(entry.language, self._settings.language) for entry in changes.puts}
        fields: dict[str, Any] = {}
        for language in spoken - set(self._languages):
            fields |= shape.fields_of(language)
        dimensions = changes.vectors[0][1].dimensions if changes.vectors else state.dimensions
        if state.dimensions and dimensions != state.dimensions:
            raise IndexUnavailable(
                f"The index holds vectors of {state.dimensions} dimensions, the model makes {dimensions}: reset it."
            )
        if dimensions and not state.dimensions:
            fields |= shape.vectors_of(self._settings, dimensions)
        if fields:
            with translated(self._settings):
                await self._slow_client().indices.put_mapping(index=state.index, properties=fields)
            self._languages = tuple(sorted({*self._languages, *spoken}))
        model = changes.vector_model if changes.vectors else state.model
        return replace(state, dimensions=dimensions, model=model)

    # --- the state -----------------------------------------------------------------------------------------------

    async def _read_state(self) -> State:
        """The state of the index behind the alias."""
        client = self._open_client()
        with translated(self._settings):
            if not await self._found():
                raise IndexUnavailable(f"The alias {self._settings.name} is gone: restart Citebot to build the index.")
            found = await client.options(ignore_status=404).get(index=self._states, id=self._state.index, realtime=True)
        if found.get("found"):
            body = found["_source"]
            self._state = State(self._state.index, int(body["seq"]), body["model"], int(body["dimensions"]))
        return self._state

    async def _write_state(self, state: State) -> None:
        body = {"index": state.index, "seq": state.seq, "model": state.model, "dimensions": state.dimensions}
        with translated(self._settings):
            await self._slow_client().index(index=self._states, id=state.index, document=body)
        self._state = state

    async def _note(self, state: State, refused: Sequence[Refusal]) -> None:
        """Keep what will never be taken where an admin can look at it."""
        if not refused:
            return
        lines: list[Mapping[str, Any]] = []
        for each in refused:
            lines.append({"index": {"_index": self._states, "_id": f"{state.index}:{each.id}"}})
            lines.append({"index": state.index, "passage": each.id, "why": each.why})
        with translated(self._settings):
            await self._slow_client().bulk(operations=lines, refresh=True)

    async def _found(self) -> bool:
        """Whether the alias is there; which index is behind it, and which languages that has."""
        client = self._open_client()
        behind = await client.options(ignore_status=404).indices.get_mapping(index=self._settings.name)
        if behind.meta.status == 404:
            return False
        if len(behind.body) != 1:
            raise IndexUnavailable(f"More than one index is behind the alias {self._settings.name}: leave one there.")
        ((index, about),) = behind.body.items()
        if index == self._settings.name:
            raise IndexUnavailable(
                f"There is an index named {index}, which Citebot did not make: set index.elasticsearch.name."
            )
        written = int(about["mappings"].get("_meta", {}).get("format", 0))
        if written > shape.FORMAT:
            raise IndexUnavailable(f"The index {index} was written by a newer Citebot: upgrade this one.")
        if index != self._state.index:
            self._state = State(index)
        fields = about["mappings"].get("properties", {})
        self._languages = tuple(sorted(name[5:] for name in fields if name.startswith("text_")))
        return True

    async def _begin_states(self) -> None:
        settings = {"number_of_shards": 1, "number_of_replicas": self._settings.replicas}
        await (
            self._slow_client()
            .options(ignore_status=400)
            .indices.create(index=self._states, settings=settings, mappings=shape.state_mappings())
        )

    async def _begin_index(self, before: str) -> None:
        """A new, empty index in the place of the one before."""
        name = shape.next_name(self._settings.name, before)
        client = self._slow_client()
        # What an earlier try left behind may hold anything.
        await client.options(ignore_status=404).indices.delete(index=name)
        await client.options(ignore_status=404).delete(index=self._states, id=name)
        await client.indices.create(index=name, settings=shape.settings_of(self._settings), mappings=shape.mappings())
        actions: list[dict[str, Any]] = [{"add": {"index": name, "alias": self._settings.name}}]
        if before:
            actions.append({"remove": {"index": before, "alias": self._settings.name}})
        await client.indices.update_aliases(actions=actions)
        self._state, self._languages = State(name), ()
        self._unseen, self._counted = False, (0.0, 1.0)

    def _open_client(self) -> AsyncElasticsearch:
        if self._client is None:
            raise IndexUnavailable("The index is not open.")
        return self._client

    def _slow_client(self) -> AsyncElasticsearch:
        return self._open_client().options(request_timeout=self._settings.write_seconds)
