"""How many questions a second workers answer, with PostgreSQL and Elasticsearch, and on what code one spends its time.

    CITEBOT_TEST_POSTGRES_URL=... CITEBOT_TEST_ELASTICSEARCH_URL=... \
        python tests/benchmarks/throughput.py [--questions 400] [--workers 1 4] [--embedder none] [--json FILE]

The sample company, the extractive generator, and a platform that shows answers nowhere but is asked to as any other.
All questions wait before `citebot serve --role worker` is started; what is counted begins once a tenth is answered.
Everything runs on the same machine, the servers too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from claiming import fresh_database
from sqlalchemy import select, text

import citebot
from citebot.model import Conversation, Person
from citebot.ports import Inbound
from citebot.storage import Database, work
from citebot.storage.tables import outbox

SAMPLE = Path(citebot.__file__).parent / "sample"
PROFILED = Path(__file__).parent / "profiled.py"
ASKER = "zoe"
LONGEST = 1800.0
NOWHERE = '''
import asyncio

from pydantic import BaseModel

from citebot import hookimpl
from citebot.ports import Capabilities


class Nowhere:
    """Shows answers to nobody."""

    name, summary = "nowhere", "for measurements"
    capabilities = Capabilities(edit=True, text_limit=10_000)

    class Settings(BaseModel):
        pass

    def __init__(self, settings, context):
        pass

    async def run(self, desk):
        await asyncio.Event().wait()

    async def run_apart(self):
        await asyncio.Event().wait()

    async def seen_by(self, conversation, asker):
        return frozenset({asker})

    async def post(self, to, message, *, key):
        return key

    async def edit(self, to, message_id, message):
        pass

    async def remove(self, to, message_id):
        pass

    async def find(self, to, *, key):
        return key


@hookimpl
def citebot_register_platforms():
    return [Nowhere]
'''


@contextmanager
def settings_for(folder: Path, url: str, embedder: str) -> Iterator[list[str]]:
    """The arguments that all processes share."""
    (folder / "plugins").mkdir()
    (folder / "plugins" / "nowhere.py").write_text(NOWHERE)
    name = f"throughput-{uuid.uuid4().hex[:8]}"
    settings = {
        "plugins.enabled": '["files", "jsonl", "elasticsearch", "local"]',
        "plugins.dir": folder / "plugins",
        "platform.use": "nowhere",
        "database.url": url,
        "index.use": "elasticsearch",
        "index.elasticsearch.url": os.environ["CITEBOT_TEST_ELASTICSEARCH_URL"],
        "index.elasticsearch.name": name,
        "embedder.use": embedder,
        "access.staleness": 86_400,
    }
    yield [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def citebot_line(folder: Path, name: str, settings: list[str]) -> list[str]:
    """A process with a data folder of its own."""
    return ["--data-dir", str(folder / name), *settings]


def load(folder: Path, settings: list[str]) -> None:
    """Read the sample company."""
    line = [sys.executable, "-m", "citebot", *citebot_line(folder, "loading", settings)]
    rows = {"files": ("company", SAMPLE), "jsonl": ("tickets", SAMPLE / "tickets.jsonl")}
    for kind, (name, path) in rows.items():
        subprocess.run([*line, "source", "add", kind, "--name", name, "--path", str(path)], check=True)
    subprocess.run([*line, "source", "sync"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ask(database: Database, count: int) -> None:
    """So many questions, each in a thread of its own."""
    lines = (SAMPLE / "questions.jsonl").read_text("utf-8").splitlines()
    texts = [row["question"] for row in map(json.loads, lines) if row["kind"] == "answerable" and not row["history"]]
    with database.write() as tx:
        tx.execute(text("TRUNCATE inbox, outbox, shown_message RESTART IDENTITY CASCADE"))
        for number in range(count):
            place = Conversation("nowhere", "c", thread=str(number), visibility="dm")
            work.accept(tx, Inbound(f"d{number}", f"m{number}", place, Person(ASKER), texts[number % len(texts)]))


def shown(database: Database) -> list[datetime]:
    """When each answer was shown, in order."""
    with database.read() as tx:
        query = select(outbox.c.finished_at).where(outbox.c.state == "done").order_by(outbox.c.finished_at)
        return list(tx.execute(query).scalars())


def computed(pid: int) -> float:
    """Processor seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answer(folder: Path, settings: list[str], database: Database, workers: int, count: int, *, profile: bool) -> Any:
    """Let so many workers answer all questions."""
    ask(database, count)
    with ExitStack() as stack:
        processes = []
        for number in range(workers):
            name = f"worker-{workers}-{number}"
            arguments = [*citebot_line(folder, name, settings), "serve", "--role", "worker"]
            run = [str(PROFILED), str(folder / "profile.json")] if profile else ["-m", "citebot"]
            log = stack.enter_context((folder / f"{name}.log").open("w"))
            processes.append(subprocess.Popen([sys.executable, *run, *arguments], stderr=log, stdout=log))
        began = time.monotonic()
        while len(done := shown(database)) < count:
            assert time.monotonic() - began < LONGEST, "took too long"
            assert all(process.poll() is None for process in processes), (folder / f"{name}.log").read_text()
            time.sleep(0.2)
        spent = sum(computed(process.pid) for process in processes)
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=60)
    warm = count // 10
    seconds = (done[-1] - done[warm]).total_seconds()
    with database.read() as tx:
        answered = tx.execute(text("SELECT count(*) FROM answer WHERE answered")).scalar_one()
        states = work.counts(tx, "outbox")
    assert states == {"done": count}
    return {
        "questions_a_second": round((count - warm - 1) / seconds, 2),
        "worker_processor_seconds_a_question": round(spent / count, 4),
        "answered": int(answered),
    }


def shares(profile: dict[str, Any]) -> dict[str, Any]:
    """Who took how much of the processor time of one worker, in percent."""
    seconds = profile["seconds"]
    whole = sum(seconds.values())
    own = sum(seconds.get(name, 0.0) for name in ("core", "connectors", "plugins"))
    percent = {name: round(100 * value / whole, 1) for name, value in seconds.items() if value / whole >= 0.01}
    places = {name: round(100 * value / whole, 1) for name, value in list(profile["places"].items())[:8]}
    return {"own_code_percent": round(100 * own / whole, 1), "by_package": percent, "own_places": places}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--embedder", default="none")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = {"questions": options.questions, "embedder": options.embedder}
    with tempfile.TemporaryDirectory() as place, fresh_database(os.environ["CITEBOT_TEST_POSTGRES_URL"]) as url:
        folder = Path(place)
        with settings_for(folder, url, options.embedder) as settings, closing(Database(url)) as database:
            load(folder, settings)
            for workers in options.workers:
                found[f"workers_{workers}"] = answer(
                    folder, settings, database, workers, options.questions, profile=False
                )
            answer(folder, settings, database, 1, options.questions, profile=True)
            found["profile_of_one_worker"] = shares(json.loads((folder / "profile.json").read_text()))
    found["load"] = round(os.getloadavg()[0], 1)
    print(json.dumps(found, indent=2))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
