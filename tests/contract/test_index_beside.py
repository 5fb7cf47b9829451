"""The contract of indexes that are built beside the one that answers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from index_on_elasticsearch import OnElasticsearch

from citebot.ports import Index
from citebot.testing.contract_beside import BesideContract
from citebot.testing.contract_index import IndexContract
from citebot.testing.memory_versions import MemoryVersions


class TestMemoryVersions(BesideContract, IndexContract):
    kept: MemoryVersions | None = None

    def make(self, data_dir: Path) -> Index:
        # It forgets everything with the object: a second one for the same folder is the same object.
        if self.kept is None:
            self.kept = MemoryVersions()
        return self.kept


@pytest.mark.elasticsearch
@pytest.mark.xdist_group("elasticsearch")
class TestElasticsearchBeside(BesideContract):
    """On its server, without the tests of `IndexContract`, which run elsewhere."""

    shape = OnElasticsearch.shape
    make = OnElasticsearch.make
    index = OnElasticsearch.index
    _server = OnElasticsearch._server
