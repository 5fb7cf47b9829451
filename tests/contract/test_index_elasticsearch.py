"""The contract of indexes on a real Elasticsearch."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

pytest.importorskip("elasticsearch")

from citebot.ports import Index, PartContext
from citebot.testing.contract_index import IndexContract
from citebot_plugins.elasticsearch.index import ElasticsearchIndex
from citebot_plugins.elasticsearch.settings import ElasticsearchSettings

pytestmark = [pytest.mark.elasticsearch, pytest.mark.xdist_group("elasticsearch")]


class TestElasticsearchIndex(IndexContract):
    url = ""
    vectors = "int8_hnsw"

    @pytest.fixture(autouse=True)
    def _server(self, elasticsearch_url: str) -> None:
        self.url = elasticsearch_url

    def settings(self, data_dir: Path) -> ElasticsearchSettings:
        """An alias of its own for each folder."""
        name = "contract-" + hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
        return ElasticsearchSettings(url=self.url, name=name, replicas=0, vectors=self.vectors, search_seconds=30)

    def make(self, data_dir: Path) -> Index:
        return ElasticsearchIndex(self.settings(data_dir), PartContext(data_dir))

    @pytest_asyncio.fixture
    async def index(self, tmp_path: Path) -> AsyncIterator[Index]:
        made = self.make(tmp_path / "index")
        await made.open()
        yield made
        await made.close()
        await forget(self.settings(tmp_path / "index"))


async def forget(settings: ElasticsearchSettings) -> None:
    """Delete everything that was made under a name."""
    from elasticsearch import AsyncElasticsearch

    async with AsyncElasticsearch(settings.urls) as client:
        await client.options(ignore_status=404).indices.delete(index=[f"{settings.name}-state"])
        for name in (await client.indices.get(index=f"{settings.name}-*", allow_no_indices=True)).body:
            await client.indices.delete(index=name)
