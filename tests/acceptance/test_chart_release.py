"""A rendered release on this machine: its commands, variables and files, a real PostgreSQL and Elasticsearch."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import urllib.error
import urllib.request
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import make_url

pytest.importorskip("slack_bolt")
pytest.importorskip("elasticsearch")
pytest.importorskip("helm_python")

sys.path.insert(0, str(Path(__file__).parents[1] / "charts"))  # the tests are no package

from rendering import Manifest, environment, of_kind, pod_of, render

from citebot.testing.slack import App, FakeSlack

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.elasticsearch,
    pytest.mark.slow,
    pytest.mark.xdist_group("elasticsearch"),
]

TOKEN = "a-token-for-the-metrics"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Pod:
    """What Kubernetes would run of a workload, as a process of this machine."""

    def __init__(self, workload: Manifest, config: Manifest, secrets: dict[str, str], folder: Path) -> None:
        self.container = pod_of(workload)["containers"][0]
        self.folder, self.port = folder, free_port()
        (folder / "data").mkdir(parents=True)
        (folder / "citebot.toml").write_text(config["data"]["citebot.toml"])
        for name, secret in secrets.items():
            (folder / name).write_text(secret)

    @property
    def environment(self) -> dict[str, str]:
        """Its variables, with folders of this machine; nothing listens to the outside here."""
        places = {"/run/citebot/config": self.folder, "/run/citebot/secrets": self.folder}
        places["/var/lib/citebot"] = self.folder / "data"
        found = environment(self.container)
        for before, after in places.items():
            found = {name: value.replace(before, str(after)) for name, value in found.items()}
        found |= {"CITEBOT_METRICS__HOST": "127.0.0.1", "CITEBOT_METRICS__PORT": str(self.port)}
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), **found}

    async def start(self, *command: str) -> Process:
        """Its own command, or another one as by `kubectl exec`."""
        words = [sys.executable, "-m", *(command or self.container["command"])]
        return await asyncio.create_subprocess_exec(
            *words, cwd=self.folder, env=self.environment, stdout=PIPE, stderr=PIPE
        )

    async def run(self, *command: str) -> str:
        process = await self.start(*command)
        out, err = await asyncio.wait_for(process.communicate(), 100)
        assert process.returncode == 0, err.decode()
        return out.decode()

    async def ask(self, probe: str) -> int:
        """The status of one of its probes; 0 while nobody listens."""
        return (await asyncio.to_thread(self._get, self.container[probe]["httpGet"]["path"]))[0]

    async def metrics(self) -> str:
        return (await asyncio.to_thread(self._get, "/metrics", TOKEN))[1]

    def _get(self, path: str, token: str = "") -> tuple[int, str]:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers={"authorization": f"Bearer {token}"}
        )
        try:
            with urllib.request.urlopen(asked, timeout=30) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            return 0, ""


@asynccontextmanager
async def running(pods: list[Pod]) -> AsyncIterator[list[Process]]:
    processes = [await pod.start() for pod in pods]
    try:
        yield processes
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def until_ready(pods: list[Pod], processes: list[Process]) -> None:
    async with asyncio.timeout(90):
        for pod, process in zip(pods, processes, strict=True):
            while await pod.ask("readinessProbe") != 200:
                if process.returncode is not None:
                    raise AssertionError((await process.communicate())[1].decode())
                await asyncio.sleep(0.2)


def forget(url: str, name: str) -> None:
    with urllib.request.urlopen(f"{url}/_alias/{name}", timeout=30) as page:
        indices = json.loads(page.read())
    for index in indices:
        urllib.request.urlopen(urllib.request.Request(f"{url}/{index}", method="DELETE"), timeout=30).close()


def release(slack: FakeSlack, index: str, elasticsearch_url: str) -> list[Manifest]:
    search = {"url": elasticsearch_url, "name": index, "replicas": 0, "search_seconds": 30}
    return render(
        {
            "settings": {
                "platform": {"use": "slack", "slack": {"base_url": slack.api_url}},
                "index": {"elasticsearch": search},
                "embedder": {"use": "none"},
                "answering": {"threshold": 0.0},
            },
            "secrets": {"CITEBOT_PLATFORM__SLACK__BOT_TOKEN": {}, "CITEBOT_PLATFORM__SLACK__APP_TOKEN": {}},
        }
    )


def secrets_of(app: App, database: str) -> dict[str, str]:
    return {
        "CITEBOT_DATABASE__URL": make_url(database).set(drivername="postgresql").render_as_string(hide_password=False),
        "CITEBOT_SECRETS__KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "CITEBOT_METRICS__TOKEN": TOKEN,
        "CITEBOT_PLATFORM__SLACK__BOT_TOKEN": app.bot_token,
        "CITEBOT_PLATFORM__SLACK__APP_TOKEN": app.app_token,
    }


@pytest.mark.timeout(300)
async def test_a_release_answers_and_ends_in_time(
    tmp_path: Path, empty_postgres_url: str, elasticsearch_url: str
) -> None:
    index = f"release-{uuid.uuid4().hex[:12]}"
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "parking.md").write_text("# Parking\n\nThe parking permit costs 40 euros a month.\n")
    async with FakeSlack(speed=60) as slack:
        alice, app = slack.add_user("alice"), slack.add_app("citebot")
        general = slack.add_channel("general", [alice, app])
        manifests = release(slack, index, elasticsearch_url)
        (config,), secrets = of_kind(manifests, "ConfigMap"), secrets_of(app, empty_postgres_url)
        (job,) = of_kind(manifests, "Job")
        migration = Pod(job, config, secrets, tmp_path / "migration")
        assert "Upgraded from nothing" in await migration.run()
        assert "The schema is at" in await migration.run()

        deployments = of_kind(manifests, "Deployment")
        pods = [Pod(one, config, secrets, tmp_path / one["metadata"]["name"]) for one in deployments]
        sync = next(pod for pod in pods if pod.container["command"][-1] == "sync")
        await sync.run("citebot", "source", "add", "files", "--name", "handbook", "--path", str(tmp_path / "docs"))
        async with running(pods) as processes:
            await until_ready(pods, processes)
            for pod in pods:
                assert [await pod.ask(probe) for probe in ("startupProbe", "livenessProbe")] == [200, 200]
                assert "citebot_database_up 1.0" in await pod.metrics()
            await slack.until(lambda: slack.sockets(app), timeout=30)
            async with asyncio.timeout(60):
                while "40 euros" not in await sync.run("citebot", "search", "parking permit", "--json"):
                    await asyncio.sleep(0.3)
            question = await slack.say(alice, general, f"{app.mention} what does the parking permit cost?")

            def texts() -> list[str]:
                return [message.text for message in slack.messages(general, question.ts)[1:]]

            with suppress(TimeoutError):
                await slack.until(lambda: "40 euros" in " ".join(texts()), timeout=90)
            assert "40 euros" in " ".join(texts()), texts()
            for process in processes:
                process.terminate()
            ended = [await asyncio.wait_for(process.wait(), 60) for process in processes]
            assert ended == [0] * len(pods)
    forget(elasticsearch_url, index)
