"""Three nodes of a real Elasticsearch, which a test may kill and start again."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx

SCRIPT = Path(__file__).parents[2] / "scripts" / "services" / "elasticsearch.sh"
NODES = 3
HEAP = "256m"
PATIENCE = 300.0
"""Seconds for something that takes six on a machine at rest."""


class Cluster:
    """Node numbers are 0 to 2; a node keeps its address and its data when it is started again."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([SCRIPT, "prepare"], check=True, capture_output=True)
        self._folder = folder
        ports = free_ports(2 * NODES)
        self._http, self._transport = ports[:NODES], ports[NODES:]
        self._nodes: dict[int, subprocess.Popen[bytes]] = {}
        self._client = httpx.Client(timeout=40)
        self.urls = [f"http://127.0.0.1:{port}" for port in self._http]

    def start(self, *nodes: int) -> None:
        """Start these nodes and wait until every one of them answers."""
        for node in nodes:
            self._nodes[node] = subprocess.Popen(
                [SCRIPT, "node", self._folder / str(node), str(os.getpid()), *self._settings(node)],
                env={**os.environ, "HEAP": HEAP},
            )
        for node in nodes:
            self._wait(node, "/_cluster/health?wait_for_nodes=" + str(len(self._nodes)))

    def kill(self, node: int) -> None:
        """`kill -9`."""
        process = self._nodes.pop(node)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def master(self) -> int:
        """Which node leads."""
        name = self._client.get(f"{self._alive()}/_cat/master?format=json").json()[0]["node"]
        return int(name.removeprefix("node-"))

    def until_green(self) -> None:
        """Wait until every shard has all its copies."""
        self._wait(next(iter(self._nodes)), "/_cluster/health?wait_for_status=green&wait_for_no_relocating_shards=true")

    def close(self) -> None:
        """End all nodes, and delete what they kept."""
        for node in list(self._nodes):
            self.kill(node)
        self._client.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _alive(self) -> str:
        return self.urls[next(iter(self._nodes))]

    def _settings(self, node: int) -> list[str]:
        return [
            f"node.name=node-{node}",
            "cluster.name=citebot-test",
            f"http.port={self._http[node]}",
            f"transport.port={self._transport[node]}",
            "discovery.seed_hosts=" + ",".join(f"127.0.0.1:{port}" for port in self._transport),
            "cluster.initial_master_nodes=" + ",".join(f"node-{each}" for each in range(NODES)),
        ]

    def _wait(self, node: int, path: str) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                found = self._client.get(f"{self.urls[node]}{path}&timeout=30s")
            except httpx.TransportError:
                assert self._nodes[node].poll() is None, (self._folder / str(node) / "server.log").read_text()[-2000:]
                time.sleep(0.2)
            else:
                if found.status_code == 200 and not found.json()["timed_out"]:
                    return
        raise AssertionError(f"{path} never came true on node {node}")


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now, below those that the system gives away by itself."""
    found: list[int] = []
    for port in random.sample(range(20_000, 30_000), 1_000):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")
