"""The port over a cluster: the version that answers is behind the alias, the next and the kept one beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import structlog
from pydantic import BaseModel

from citebot.errors import IndexUnavailable
from citebot.ports import Beside, IndexHits, IndexQuery, PartContext
from citebot_plugins.elasticsearch import shape
from citebot_plugins.elasticsearch.connecting import check_server, connect, reason_of, said, translated
from citebot_plugins.elasticsearch.searching import header, is_partial, scores, searches
from citebot_plugins.elasticsearch.settings import ElasticsearchSettings
from citebot_plugins.elasticsearch.state import Role, State, is_ours, place_of, roles_in, to_kept, to_new, to_next
from citebot_plugins.elasticsearch.version import Version

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

log = structlog.get_logger("citebot.index.elasticsearch")

READ_EVERY = 1.0
"""Seconds for which a search takes model, languages and index to be the same; others change them."""
COUNTED_EVERY = 10.0
"""Seconds for which the share of passages with vectors is taken to be the same."""


class _Gone(IndexUnavailable):
    """Another process has switched, and this index was deleted."""


class ElasticsearchIndex(Version):
    """BM25 and vectors in Elasticsearch 9, on the features of its free licence."""

    name: ClassVar[str] = "elasticsearch"
    summary: ClassVar[str] = "BM25 and vectors in an Elasticsearch cluster, for teams that outgrow one machine"
    shared: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = ElasticsearchSettings

    def __init__(self, settings: ElasticsearchSettings, context: PartContext) -> None:
        del context
        super().__init__(settings, "active", self._connect)
        self._client: AsyncElasticsearch | None = None
        self._wanted_open = False
        self._opening = asyncio.Lock()
        self._others: dict[Role, Version] = {}

    @property
    def vector_model(self) -> str:
        return self._state.model

    async def open(self) -> None:
        self._wanted_open = True
        await self._read_state()

    async def close(self) -> None:
        self._wanted_open = False
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def search(self, query: IndexQuery) -> IndexHits:
        client = await self._connect()
        if not query.audience.principals:
            return IndexHits({})
        with translated(self._settings):
            try:
                return await self._search(client, query)
            except _Gone:
                await self._read_state()
                return await self._search(client, query)

    async def reset(self) -> None:
        async with self._changing:
            client = await self._slow_client()
            with translated(self._settings):
                before = (await self._roles(client))["active"]
                name = await self._free_name(client)
                await self._create(client, name)
                await client.indices.update_aliases(actions=to_new(self._alias, name, before))
                await self._read_state()
                self._unseen, self._counted = False, (0.0, 1.0)

    # --- other versions ------------------------------------------------------------------------------------------

    async def beside(self, which: Beside) -> Version | None:
        client = await self._connect()
        with translated(self._settings):
            if which not in await self._roles(client):
                return None
        return self._others.setdefault(which, Version(self._settings, which, self._connect))

    async def begin(self, *, seq: int, model: str) -> Version:
        client = await self._slow_client()
        with translated(self._settings):
            await client.indices.put_mapping(index=self._states, properties=shape.state_mappings()["properties"])
            await self._delete_leftovers(client)
            name = await self._free_name(client)
            state = State(name, seq=seq, model=model, built_to=0, began=time.time())
            # First, so that there is never an index without one; a name that has a state is not used again.
            await client.index(index=self._states, id=name, document=state.document())
            await self._create(client, name, "next")
        version = await self.beside("next")
        assert version is not None, "it was just made"
        return version

    async def switch(self) -> None:
        client = await self._slow_client()
        with translated(self._settings):
            roles = await self._roles(client)
            if "next" not in roles:
                raise IndexUnavailable("There is no next index to switch to.")
            await client.indices.refresh(index=roles["next"])
            await client.indices.update_aliases(actions=to_next(self._alias, roles))
        await self._read_state()
        self._counted = (0.0, 1.0)

    async def switch_back(self) -> None:
        client = await self._slow_client()
        with translated(self._settings):
            roles = await self._roles(client)
            if "kept" not in roles:
                raise IndexUnavailable("There is no kept index to switch back to.")
            await client.indices.update_aliases(actions=to_kept(self._alias, roles))
        await self._read_state()
        self._counted = (0.0, 1.0)

    async def drop(self, which: Beside) -> None:
        client = await self._slow_client()
        with translated(self._settings):
            if index := (await self._roles(client)).get(which):
                await client.options(ignore_status=404).indices.delete(index=index)

    # --- searching -----------------------------------------------------------------------------------------------

    async def _search(self, client: AsyncElasticsearch, query: IndexQuery) -> IndexHits:
        if asyncio.get_running_loop().time() - self._read_at > READ_EVERY:
            await self._read_state()
        await self._show_what_is_unseen()
        state = self._state
        vectors = query.vector is not None and query.vector_model == state.model and bool(state.dimensions)
        if vectors and query.vector is not None and query.vector.dimensions != state.dimensions:
            log.warning("the vector of the question has other dimensions than the index", model=state.model)
            vectors = False
        bodies = searches(query, languages=self._languages, vectors=vectors, oversample=self._settings.oversample)
        found, partial = await self._ask(client, state.index, bodies)
        if partial:
            found, partial = await self._ask(client, state.index, bodies)
        ready = await self._vectors_ready()
        if query.vector is not None and state.dimensions and not vectors:
            ready = 0.0
        return IndexHits({"words": {}, "headings": {}, **found}, partial=partial, vectors_ready=ready)

    async def _ask(
        self, client: AsyncElasticsearch, index: str, bodies: Mapping[str, Mapping[str, Any]]
    ) -> tuple[dict[str, dict[int, float]], bool]:
        """All legs in one request; whether some of the index did not answer.

        The index is asked by its name: behind the alias there may be one of another model by now.
        """
        if not bodies:
            return {}, False
        lines = [line for body in bodies.values() for line in (header(index, body), body)]
        responses = (await client.msearch(searches=lines))["responses"]
        for response in responses:
            if "error" in response:
                status = int(response["status"])
                kind = _Gone if status == 404 else IndexUnavailable
                raise kind(said(self._settings, status, response))
        found = {leg: scores(leg, response) for leg, response in zip(bodies, responses, strict=True)}
        return found, any(map(is_partial, responses))

    async def _vectors_ready(self) -> float:
        now = asyncio.get_running_loop().time()
        counted, share = self._counted
        if not counted or now - counted > COUNTED_EVERY:
            stats = await self.stats()
            share = stats.vectors / stats.passages if stats.passages else 1.0
            self._counted = (now, share)
        return share

    # --- the server ----------------------------------------------------------------------------------------------

    async def _connect(self) -> AsyncElasticsearch:
        """The client; a server that was away when the index was opened is looked for again."""
        if self._client is None and self._wanted_open:
            async with self._opening:
                self._client = self._client or await self._made()
        return self._open_client()

    def _open_client(self) -> AsyncElasticsearch:
        if self._client is None:
            raise IndexUnavailable("The index is not open.")
        return self._client

    async def _made(self) -> AsyncElasticsearch:
        client = connect(self._settings)
        try:
            with translated(self._settings):
                await check_server(client)
                if await self._behind(client) is None:
                    await self._begin(client.options(request_timeout=self._settings.write_seconds))
        except BaseException:
            await client.close()
            raise
        return client

    async def _begin(self, client: AsyncElasticsearch) -> None:
        """Make the first version; of several processes that do so at the same time one makes it."""
        await self._begin_states(client)
        name = await self._free_name(client)
        # Looked for again: whoever finds the next name, because another has made the first, finds that one in use too.
        # Where a node of the cluster does not know of it yet, the server refuses a second index behind the alias.
        if await self._behind(client) is None:
            await self._create(client, name, "active")
        await self._until_open(client, self._alias, self._settings.shards)

    async def _until_open(self, client: AsyncElasticsearch, index: str, shards: int) -> None:
        """Wait for an index that another process has just made; its status would be yellow from the beginning."""
        wait, quiet = f"{self._settings.write_seconds:.0f}s", client.options(ignore_status=408)
        await quiet.cluster.health(index=index, wait_for_active_shards=shards, timeout=wait)

    async def _roles(self, client: AsyncElasticsearch) -> dict[Role, str]:
        return roles_in(await self._made_before(client), self._alias)

    async def _made_before(self, client: AsyncElasticsearch) -> dict[str, Any]:
        """Every version there is, with its aliases."""
        found = (await client.indices.get_alias(index=f"{self._alias}-*", allow_no_indices=True)).body
        return {index: about for index, about in found.items() if is_ours(index, self._alias)}

    async def _free_name(self, client: AsyncElasticsearch) -> str:
        """A name that no version has or had."""
        name = shape.next_name(self._alias, max(await self._made_before(client), default=""))
        quiet = client.options(ignore_status=404)  # not `exists`: the refusal of a HEAD names no privilege
        while (await quiet.get(index=self._states, id=name, source=False)).get("found"):
            name = shape.next_name(self._alias, name)
        return name

    async def _create(self, client: AsyncElasticsearch, name: str, role: Role | None = None) -> None:
        """Make it, unless another process was faster."""
        aliases = place_of(self._alias, role) if role else {}
        settings, mappings = shape.settings_of(self._settings), shape.mappings()
        quiet = client.options(ignore_status=(400, 500))
        made = await quiet.indices.create(index=name, settings=settings, mappings=mappings, aliases=aliases)
        kind, reason = reason_of(made.body)
        late = kind == "resource_already_exists_exception" or "more than one write index" in reason
        if made.meta.status >= 400 and not late:
            raise IndexUnavailable(f"{said(self._settings, made.meta.status, made.body)} {reason}"[:300])

    async def _delete_leftovers(self, client: AsyncElasticsearch) -> None:
        """An unfinished next version, and what somebody made who died before it had a part."""
        made = await self._made_before(client)
        roles = roles_in(made, self._alias)
        for index in made.keys() - {roles.get("active"), roles.get("kept")}:
            await client.options(ignore_status=404).indices.delete(index=index)

    async def _begin_states(self, client: AsyncElasticsearch) -> None:
        settings = {"number_of_shards": 1, "number_of_replicas": self._settings.replicas}
        await client.options(ignore_status=400).indices.create(
            index=self._states, settings=settings, mappings=shape.state_mappings()
        )
        await self._until_open(client, self._states, 1)
