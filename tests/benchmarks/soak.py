"""Whether replicas that run for long, while everything fails now and then, keep their size.

    CITEBOT_TEST_POSTGRES_URL=... CITEBOT_TEST_ELASTICSEARCH_URL=... \
        python tests/benchmarks/soak.py [--minutes 30] [--json FILE]

Two gateways, two workers and one sync replica as in the test of rolling restarts, five questions a second in the fake
Slack after a rush that fills what is filled on demand, and every ten seconds a fault: all connections to the database
are ended, Elasticsearch refuses everything for three seconds, Slack fails or loses its answers, a worker stands still
for longer than its lease, sockets are cut. No replica is restarted. Memory (RSS), open files and threads of each are
compared between the second tenth of the time and the last; they are looked at every three seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))

from claiming import fresh_database
from elasticsearch_proxy import Proxy, refusal
from fleet import Fleet, One, fleet, settings_for
from replicas import open_work
from slack_harness import Town, town
from sqlalchemy import text

from citebot.storage import Database, sources
from citebot.testing.slack import Message

ROLES = ("sync", "worker", "worker", "gateway", "gateway")
PACE = 0.2
RUSH = 100
"""Questions at once at the start: pools of threads and connections are as large then as they get."""
EVERY = 10.0
STILL = 5.0
"""Seconds that a worker stands still; the lease is three."""
KINDS = ("database_ends", "search_refuses", "slack_fails", "slack_loses", "worker_stands", "sockets_end")
DOCUMENTS = 200
LOOK = 3.0
"""Seconds between two looks at the processes."""


class Faults:
    """One after the other, in any order."""

    def __init__(self, place: Town, ships: Fleet, database: Database, proxy: Proxy) -> None:
        self.met: Counter[str] = Counter()
        self._chance = random.Random(6)
        self._place, self._ships, self._database, self._proxy = place, ships, database, proxy

    async def go_on(self) -> None:
        """A fault every ten seconds, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            kind = self._chance.choice(KINDS)
            self.met[kind] += 1
            await getattr(self, f"_{kind}")()

    async def _database_ends(self) -> None:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"

        def end() -> None:
            with self._database.write() as tx:
                tx.execute(text(f"{query} AND pid <> pg_backend_pid()"))

        await asyncio.to_thread(end)

    async def _search_refuses(self) -> None:
        self._proxy.answer = lambda request: refusal(503, "unavailable_shards_exception")
        await asyncio.sleep(3)
        self._proxy.answer = lambda request: None

    async def _slack_fails(self) -> None:
        self._place.slack.faults.fail(times=20)

    async def _slack_loses(self) -> None:
        for method in ("chat.postMessage", "chat.update", "chat.startStream", "chat.stopStream"):
            self._place.slack.faults.drop_response(method, times=2)

    async def _worker_stands(self) -> None:
        one = self._chance.choice([one for one in self._ships.replicas if one.role == "worker"])
        os.kill(one.pid, signal.SIGSTOP)
        await asyncio.sleep(STILL)
        os.kill(one.pid, signal.SIGCONT)

    async def _sockets_end(self) -> None:
        self._place.slack.drop_sockets(self._place.app)


def size(one: One) -> dict[str, float]:
    """What a process takes now."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{one.pid}/status").read_text().splitlines() if ":" in line
    )
    return {
        "rss_mb": int(status["VmRSS"].split()[0]) / 1024,
        "files": float(sum(1 for _ in Path(f"/proc/{one.pid}/fd").iterdir())),
        "threads": float(status["Threads"]),
    }


async def ask_on(place: Town, questions: list[Message]) -> None:
    """Five questions a second, until cancelled."""
    rush = (place.ask(number, number, f"What does permit {number} cost?") for number in range(RUSH))
    questions += await asyncio.gather(*rush)
    while True:
        began = time.monotonic()
        number = len(questions)
        questions.append(await place.ask(number, number, f"What does permit {number % DOCUMENTS} cost?"))
        await asyncio.sleep(max(0.0, PACE - (time.monotonic() - began)))


def compared(samples: list[dict[str, float]]) -> dict[str, Any]:
    """The second tenth of the time against the last.

    Memory by the median; files and threads by the most, since pools of connections shrink with every fault.
    """
    tenth = max(1, len(samples) // 10)
    found: dict[str, Any] = {}
    for what in samples[0]:
        of_many = statistics.median if what == "rss_mb" else max
        early, late = (of_many([one[what] for one in part]) for part in (samples[tenth : 2 * tenth], samples[-tenth:]))
        found[what] = {"early": round(early, 1), "late": round(late, 1), "growth_%": round(100 * (late / early - 1), 1)}
    return found


async def measure(url: str, folder: Path, minutes: float) -> dict[str, Any]:
    """Run for so long."""
    lines = [
        json.dumps(
            {"id": str(n), "title": f"Permit {n}", "text": f"Permit {n} costs {n} euros.", "readers": ["everyone"]}
        )
        for n in range(DOCUMENTS)
    ]
    (folder / "wiki.jsonl").write_text("\n".join(lines) + "\n")
    samples: dict[str, list[dict[str, float]]] = defaultdict(list)
    questions: list[Message] = []
    proxy = Proxy(os.environ["CITEBOT_TEST_ELASTICSEARCH_URL"])
    with closing(Database(url, listen=False)) as database, closing(proxy):
        with database.write() as tx:
            sources.add(tx, name="wiki", type="jsonl", settings={"path": str(folder / "wiki.jsonl")})
        async with town(speed=10, channels=20) as place:
            settings = settings_for(place, url=url, elasticsearch=proxy.server.url)
            with fleet(settings, folder) as ships:
                for role in ROLES:
                    await ships.start(role)
                faults = Faults(place, ships, database, proxy)
                running = [asyncio.create_task(ask_on(place, questions)), asyncio.create_task(faults.go_on())]
                end = time.monotonic() + minutes * 60
                while time.monotonic() < end:
                    await asyncio.sleep(LOOK)
                    for number, one in enumerate(ships.replicas):
                        samples[f"{one.role}_{number}"].append(size(one))
                    for task in running:
                        if task.done():
                            task.result()
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)
                proxy.answer = lambda request: None
                place.slack.faults.clear()
                for one in ships.replicas:
                    os.kill(one.pid, signal.SIGCONT)
                quiet = time.monotonic() + 180
                while time.monotonic() < quiet and (
                    not all(map(place.answered, questions)) or await asyncio.to_thread(open_work, database)
                ):
                    await asyncio.sleep(1)
                visible = Counter(len(place.replies(question)) for question in questions)
                unanswered = sum(not place.answered(question) for question in questions)
    replicas = {name: compared(taken) for name, taken in samples.items()}
    worst = {what: max(one[what]["growth_%"] for one in replicas.values()) for what in ("rss_mb", "files", "threads")}
    return {
        "minutes": minutes,
        "questions": len(questions),
        "unanswered": unanswered,
        "visible_messages": {str(key): value for key, value in visible.items()},
        "faults": dict(faults.met),
        "worst_growth_%": worst,
        "replicas": replicas,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, fresh_database(os.environ["CITEBOT_TEST_POSTGRES_URL"]) as url:
        found = asyncio.run(measure(url, Path(place), options.minutes))
    found["load"] = round(os.getloadavg()[0], 1)
    print(json.dumps(found, indent=2))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
