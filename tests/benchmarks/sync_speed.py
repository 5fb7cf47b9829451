"""A first sync, a sync without change, and the memory of both, from a fast server on this machine over `ctx.http`.

    python tests/benchmarks/sync_speed.py [--pages 10000] [--json FILE]

Small pages, words alone: what is measured is the runner and the way out, not a model. The raw figure asks for the same
pages with bare httpx in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar

import httpx

from citebot.app import open_citebot
from citebot.app.core import Citebot
from citebot.logging_setup import configure_logging
from citebot.model import Batch, Document, Failed, Gone, Json, Readers, Ref
from citebot.pluginmanager import PluginManager
from citebot.ports import NoSettings, PartContext, SourceContext, SourceSpec
from citebot.settings import LogSettings, load_settings
from citebot.storage import sources

LISTED = 500
WORDS = (
    "leave",
    "travel",
    "invoice",
    "printer",
    "deploy",
    "budget",
    "kitchen",
    "parking",
    "badge",
    "laptop",
    "meeting",
)


def serve(count: int, ready: Connection) -> None:
    """The server, in a process of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            _, kind, number = self.path.split("/")
            if kind == "list":
                body = json.dumps(list(range(int(number), min(count, int(number) + LISTED))))
            else:
                at = int(number)
                body = " ".join(WORDS[(at * 7 + step) % len(WORDS)] for step in range(60)) + f" number {at}"
            data = body.encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ready.send(server.server_address[1])
    server.serve_forever()


class Pages:
    """A source of as little as can be."""

    name: ClassVar[str] = "pages"
    summary: ClassVar[str] = "pages of the benchmark"
    Settings: ClassVar[type] = NoSettings
    spec: ClassVar[SourceSpec] = SourceSpec()
    url: ClassVar[str] = ""

    def __init__(self, settings: NoSettings, context: PartContext) -> None: ...

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        after = cursor if isinstance(cursor, int) else 0
        while numbers := ctx.http.get(f"{self.url}/list/{after}").json():
            after = numbers[-1] + 1
            yield Batch(tuple(Ref(str(number), "1") for number in numbers), after)

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        for one in ids:
            text = ctx.http.get(f"{self.url}/page/{one}").text
            yield Document(one, f"Page {one}", text, Readers.everyone(), format="text", version="1")


def raw(url: str, count: int) -> float:
    """Seconds for the same pages with httpx alone."""
    began = time.perf_counter()
    with httpx.Client(trust_env=False) as client:
        for number in range(count):
            client.get(f"{url}/page/{number}")
    return time.perf_counter() - began


async def measure(bot: Citebot, count: int) -> dict[str, Any]:
    """Two syncs."""
    memory: list[tuple[int, int]] = []

    def note(progress: Any) -> None:
        memory.append((progress.saved, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))

    began = time.perf_counter()
    await bot.sync("pages", progress=note)
    first = time.perf_counter() - began
    began = time.perf_counter()
    again = await bot.sync("pages")
    second = time.perf_counter() - began
    fifth = next(mb for saved, mb in memory if saved >= count // 5)
    return {
        "pages": count,
        "seconds": round(first, 2),
        "pages_per_second": round(count / first),
        "resync_seconds": round(second, 3),
        "resync_share": round(second / first, 4),
        "resync_fetched": again.saved + again.same,
        "peak_mb_after_a_fifth": fifth,
        "peak_mb_at_the_end": memory[-1][1],
    }


async def run(folder: Path, url: str, count: int) -> dict[str, Any]:
    Pages.url = url
    overrides = {
        "data_dir": str(folder),
        "embedder.use": "none",
        "reranker.use": "",
        "egress.allow": ["127.0.0.0/8"],
        "egress.requests_per_second": 1_000_000.0,
    }
    settings = load_settings(overrides=overrides)
    plugins = PluginManager.load(settings)
    plugins._parts._classes["source"]["pages"] = Pages  # type: ignore[assignment]  # no package for a benchmark
    async with open_citebot(settings, plugins, owner=True) as bot:
        with bot.database.write() as tx:
            sources.add(tx, name="pages", type="pages", settings={})
        return await measure(bot, count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    configure_logging(LogSettings())
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(options.pages, there), daemon=True)
    process.start()
    with closing(here), tempfile.TemporaryDirectory() as folder:
        url = f"http://127.0.0.1:{here.recv()}"
        found = asyncio.run(run(Path(folder), url, options.pages))
        seconds = raw(url, options.pages)
    process.kill()
    found |= {"raw_seconds": round(seconds, 2), "share_of_raw": round(seconds / found["seconds"], 3)}
    print(json.dumps(found, indent=2))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
