"""The contract of indexes on a real Elasticsearch: one alias for each folder, and nothing left of it afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytest_asyncio

from citebot.ports import Index, PartContext
from citebot.testing.contract_index import IndexContract
from citebot_plugins.elasticsearch.index import ElasticsearchIndex
from citebot_plugins.elasticsearch.settings import ElasticsearchSettings


class OnElasticsearch(IndexContract):
    """Subclasses say which server, and with which settings."""

    shape: ClassVar[dict[str, Any]] = {"replicas": 0}

    @pytest.fixture(autouse=True)
    def _server(self, elasticsearch_url: str) -> None:
        self.direct = elasticsearch_url
        """Where everything is allowed."""
        self.access: dict[str, Any] = {"url": elasticsearch_url}

    def make(self, data_dir: Path) -> Index:
        name = "contract-" + hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
        settings = ElasticsearchSettings(name=name, search_seconds=30, **self.shape, **self.access)
        return ElasticsearchIndex(settings, PartContext(data_dir))

    @pytest_asyncio.fixture
    async def index(self, tmp_path: Path) -> AsyncIterator[Index]:
        made = self.make(tmp_path / "index")
        await made.open()
        yield made
        await made.close()
        await forget(self.direct, made._settings.name)  # type: ignore[attr-defined]  # an ElasticsearchIndex


async def forget(url: str, name: str) -> None:
    """Delete everything that was made under a name."""
    from elasticsearch import AsyncElasticsearch

    async with AsyncElasticsearch(url.split(",")) as client:
        if made := list((await client.indices.get(index=f"{name}-*", allow_no_indices=True)).body):
            await client.indices.delete(index=made)
