"""One index on the server, found by its alias, with one small document that says how far it is.

Order of writing: passages first, the state last. A process that dies in between leaves the old position; the same
changes come again, with the same versions, and end in the same state. What is applied is searchable with the next
search of this process, and within a second for all others; who may read is checked again by the core.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from citebot.errors import IndexUnavailable
from citebot.ports import IndexChanges, IndexStats
from citebot_plugins.elasticsearch import shape
from citebot_plugins.elasticsearch.connecting import said, translated
from citebot_plugins.elasticsearch.settings import ElasticsearchSettings
from citebot_plugins.elasticsearch.state import Role, State, alias_of
from citebot_plugins.elasticsearch.writing import Item, Refusal, document, send, windows

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch


class Version:
    """Takes changes."""

    def __init__(
        self,
        settings: ElasticsearchSettings,
        role: Role,
        connected: Callable[[], Awaitable[AsyncElasticsearch]],
    ) -> None:
        self._settings = settings
        self._alias = alias_of(settings.name, role)
        self._states = f"{settings.name}-state"
        self._connected = connected
        self._changing = asyncio.Lock()
        self._showing = asyncio.Lock()
        self._unseen = True
        """Something was applied that searches do not see yet; at first, by a process that has just ended."""
        self._counted = (0.0, 1.0)
        """When the share of passages with vectors was counted, and what it was."""
        self._languages: tuple[str, ...] = ()
        self._state = State("")
        self._read_at = -math.inf
        """When the state was read, by the clock of the loop."""

    async def position(self) -> int:
        return (await self._read_state()).seq

    async def apply(self, changes: IndexChanges) -> None:
        async with self._changing:
            state = await self._read_state()
            if changes.seq < state.seq:
                return
            if changes.vectors and state.model not in ("", changes.vector_model):
                raise IndexUnavailable(
                    f"The index {state.index} holds vectors of {state.model}, not of {changes.vector_model}: "
                    "`citebot index rebuild` builds another beside it."
                )
            state = await self._widen(state, changes)
            with translated(self._settings):
                items = [*await self._items(state, changes), *map(Item, changes.removals)]
            await self._note(state, await self._send(items, state.index, changes.seq))
            self._unseen, self._counted = True, (0.0, 1.0)
            await self._write_state(replace(state, seq=changes.seq, built_to=changes.built_to))

    async def purge(self) -> None:
        state = await self._read_state()
        client = await self._slow_client()
        with translated(self._settings):
            # A merge of all segments is what takes the bytes of deleted passages away.
            await client.indices.forcemerge(index=state.index, max_num_segments=1)

    async def stats(self) -> IndexStats:
        state = await self._read_state()
        client = await self._connected()
        with translated(self._settings):
            await self._show_what_is_unseen()
            passages = (await client.count(index=state.index))["count"]
            vectors = (await client.count(index=state.index, query={"term": {"vectored": True}}))["count"]
            never = {"bool": {"filter": [{"term": {"index": state.index}}, {"exists": {"field": "passage"}}]}}
            refused = (await client.count(index=self._states, query=never))["count"]
            sizes = await client.indices.stats(index=state.index, metric="store")
        return IndexStats(
            passages=int(passages),
            vectors=int(vectors),
            vector_model=state.model,
            seq=state.seq,
            bytes=int(sizes["_all"]["total"]["store"]["size_in_bytes"]),
            refused=int(refused),
            place=state.index,
            built_to=state.built_to,
            began=state.began,
        )

    async def _show_what_is_unseen(self) -> None:
        async with self._showing:  # a search beside the one that asks for it waits for it too
            if not self._unseen:
                return
            client = await self._connected()
            self._unseen = False
            missed = True
            try:
                done = await client.options(ignore_status=404).indices.refresh(index=self._state.index)
                missed = bool(done.get("_shards", {}).get("failed"))
            finally:
                self._unseen |= missed

    # --- changing ------------------------------------------------------------------------------------------------

    async def _items(self, state: State, changes: IndexChanges) -> list[Item]:
        """Whole passages; what the changes do not say about one is read from the index."""
        entries = {entry.id: entry for entry in changes.puts}
        vectors = dict(changes.vectors)
        held = {
            key
            for key in {*entries, *vectors}
            if (key in entries) != (key in vectors) and (state.built_to is None or key <= state.built_to)
        }
        known = await self._known(state, sorted(held))
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
        client = await self._slow_client()
        for at in range(0, len(keys), 500):
            response = await client.perform_request(
                "POST",
                f"/{state.index}/_mget",
                params={"_source_exclude_vectors": "false"},
                headers={"accept": "application/json", "content-type": "application/json"},
                body={"ids": [str(key) for key in keys[at : at + 500]]},
            )
            docs = response.body["docs"]
            if unread := [each for each in docs if "error" in each]:
                # Taken for a passage that is not there, it would lose its vectors.
                raise IndexUnavailable(said(self._settings, 503, unread[0]))
            found |= {int(each["_id"]): each["_source"] for each in docs if each.get("found")}
        return found

    async def _send(self, items: Sequence[Item], index: str, seq: int) -> list[Refusal]:
        client = await self._slow_client()

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
                f"The index {state.index} holds vectors of {state.dimensions} dimensions, the model makes {dimensions} "
                "under the same name: set embedder.use back, or give the model another name."
            )
        if dimensions and not state.dimensions:
            fields |= shape.vectors_of(self._settings, dimensions)
        if fields:
            with translated(self._settings):
                await (await self._slow_client()).indices.put_mapping(index=state.index, properties=fields)
            self._languages = tuple(sorted({*self._languages, *spoken}))
        model = changes.vector_model if changes.vectors else state.model
        return replace(state, dimensions=dimensions, model=model)

    # --- the state -----------------------------------------------------------------------------------------------

    async def _read_state(self) -> State:
        """The state of the index behind the alias."""
        client = await self._connected()
        began = asyncio.get_running_loop().time()
        with translated(self._settings):
            behind = await self._behind(client)
            if behind is None:
                raise IndexUnavailable(f"The alias {self._alias} is gone: restart Citebot to build the index.")
            index, languages = behind
            found = await client.options(ignore_status=404).get(index=self._states, id=index, realtime=True)
        if index != self._state.index:
            self._unseen = True  # what another process has just written into it
        # Both at once: a search in between must not see one index and the model of another.
        self._state = State.of(found["_source"]) if found.get("found") else State(index)
        self._languages, self._read_at = languages, began
        return self._state

    async def _write_state(self, state: State) -> None:
        client = await self._slow_client()
        with translated(self._settings):
            await client.index(index=self._states, id=state.index, document=state.document())
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
            await (await self._slow_client()).bulk(operations=lines, refresh=True)

    async def _behind(self, client: AsyncElasticsearch) -> tuple[str, tuple[str, ...]] | None:
        """Which index is behind the alias, and which languages it has."""
        behind = await client.options(ignore_status=404).indices.get_mapping(index=self._alias)
        if behind.meta.status == 404:
            return None
        if len(behind.body) != 1:
            raise IndexUnavailable(f"More than one index is behind the alias {self._alias}: leave one there.")
        ((index, about),) = behind.body.items()
        if index == self._alias:
            raise IndexUnavailable(
                f"There is an index named {index}, which Citebot did not make: set index.elasticsearch.name."
            )
        written = int(about["mappings"].get("_meta", {}).get("format", 0))
        if written > shape.FORMAT:
            raise IndexUnavailable(f"The index {index} was written by a newer Citebot: upgrade this one.")
        fields = about["mappings"].get("properties", {})
        return index, tuple(sorted(name[5:] for name in fields if name.startswith("text_")))

    async def _slow_client(self) -> AsyncElasticsearch:
        return (await self._connected()).options(request_timeout=self._settings.write_seconds)
