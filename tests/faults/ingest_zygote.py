"""Started by the kill tests: forks one ingest after the other, as quickly as they are killed.

One JSON object a line on stdin describes a run: the data folder, the folder to read, and how the run ends early, if it
does: at a failpoint, or by a signal after some milliseconds. When it has ended, its exit status is printed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from citebot.ingest import EmbeddingWorker, Feeder, SyncRunner
from citebot.ports import PartContext, SourceContext
from citebot.settings import IngestSettings
from citebot.storage import Database, schema, sources
from citebot.testing.failpoints import kill_at
from citebot.testing.fake_models import FakeEmbedder
from citebot_connectors.sources.files import FilesSource
from citebot_plugins.embedded.index import EmbeddedIndex

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))


async def ingest(run: dict[str, Any]) -> None:
    """Sync, embed and feed, as `citebot source sync` does."""
    home = Path(run["home"])
    stopping = threading.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    database = Database(f"sqlite:///{home / 'citebot.db'}")
    schema.upgrade(database)
    with database.write() as tx:
        if sources.get(tx, "folder") is None:
            sources.add(tx, name="folder", type="files", settings={})
    index = EmbeddedIndex(EmbeddedIndex.Settings(), PartContext(home / "index"))  # type: ignore[arg-type]
    await index.open()
    feeder = Feeder(database, index)
    settings = FilesSource.Settings.model_validate({"path": run["folder"]})
    runner = SyncRunner(
        database,
        FilesSource(settings, PartContext(home)),  # type: ignore[arg-type]
        source="folder",
        context=SourceContext(home, structlog.get_logger(), stopping.is_set, lambda: datetime.now(UTC)),
        settings=IngestSettings(),
        allow_removals=True,
    )
    work = asyncio.create_task(asyncio.to_thread(runner.run))
    while not work.done():
        await asyncio.wait({work}, timeout=0.02)
        await feeder.catch_up()
    work.result()
    if not stopping.is_set():
        await EmbeddingWorker(database, FakeEmbedder(), feeder).run_once()
        await feeder.catch_up()
    await index.close()
    database.close()


def main() -> None:
    """Serve until stdin closes."""
    import citebot.ingest.runner as runner

    # Small pieces, so that there is something to be killed between.
    runner.FETCHED_AT_ONCE = runner.LISTED_AT_ONCE = 10
    print("ready", flush=True)
    for line in sys.stdin:
        run = json.loads(line)
        child = os.fork()
        if child == 0:
            if run.get("failpoint"):
                kill_at(run["failpoint"], hit=run["hit"])
            asyncio.run(ingest(run))
            os._exit(0)
        if run.get("signal"):
            time.sleep(run["after"])
            os.kill(child, run["signal"])
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
