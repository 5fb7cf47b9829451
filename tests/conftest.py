"""Databases and data folders for tests; a private PostgreSQL that ends with the session; the command line."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, make_url, text

from citebot.storage import Database, schema
from citebot.storage.tables import metadata

SCRIPT = Path(__file__).parent.parent / "scripts" / "services" / "postgres.sh"
GIVEN = "CITEBOT_TEST_POSTGRES_URL"
FOLDER = "CITEBOT_TEST_POSTGRES_FOLDER"
COUNTS = "CITEBOT_TEST_COUNTS"
DEMO_KEEPS = 480  # seconds


def pytest_configure(config: pytest.Config) -> None:
    """Choose one server folder for all workers; a short path, because the name of a socket must be short."""
    if not hasattr(config, "workerinput"):
        os.environ[FOLDER] = f"/tmp/citebot-pg-{uuid.uuid4().hex[:12]}"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server that this session started, if it did."""
    if not hasattr(config, "workerinput") and (folder := os.environ.pop(FOLDER, None)) and Path(folder).exists():
        subprocess.run([SCRIPT, "stop", folder], check=False)


@pytest.fixture(scope="session")
def elasticsearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Elasticsearch: the one of the environment, or one that is started here and ends with the session."""
    if given := os.environ.get("CITEBOT_TEST_ELASTICSEARCH_URL"):
        yield given
        return
    script, folder = SCRIPT.with_name("elasticsearch.sh"), tmp_path_factory.mktemp("elasticsearch")
    made = subprocess.run([script, "start", folder, str(os.getpid())], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no Elasticsearch: {made.stderr.strip().splitlines()[-1:]}")
    yield made.stdout.strip()
    subprocess.run([script, "stop", folder], check=True)


@pytest.fixture(autouse=True)
def _every_log_line() -> None:
    """A level that an earlier test has set must not hide what this one looks for."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The address of a real server on which databases may be made."""
    if given := os.environ.get(GIVEN):
        return given
    folder = Path(os.environ[FOLDER])
    folder.mkdir(mode=0o700, exist_ok=True)
    session = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    with (folder / "turn").open("w") as turn:
        flock(turn, LOCK_EX)
        started = subprocess.run([SCRIPT, "start", folder, str(session)], capture_output=True, text=True, check=False)
    if started.returncode == 0:
        return started.stdout.strip()
    why = f"no PostgreSQL: install it (Debian: apt-get install postgresql) or set {GIVEN}. {started.stderr.strip()}"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A database of this worker's own on the real server; what tests before left there is still in it."""
    name = f"citebot_test_{uuid.uuid4().hex[:12]}"
    server = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture
def empty_postgres_url(postgres_url: str) -> str:
    """The same, whatever was in it before."""
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres_url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables, on each of the two kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'citebot.db'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with our tables, all empty, on each of the two kinds."""
    if request.param == "sqlite":
        opened = Database(f"sqlite:///{tmp_path / 'citebot.db'}")
    else:
        opened = Database(request.getfixturevalue("postgres_url"))
    schema.upgrade(opened)
    if request.param != "sqlite":
        with opened.write() as tx:
            names = ", ".join(table.name for table in metadata.sorted_tables)
            tx.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    yield opened
    opened.close()


class Commands:
    """`citebot` on one data folder, without vectors: in this process, which is fast, or in one of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.options = ("--data-dir", str(folder), "--set", "embedder.use=none")

    def __call__(self, *args: str, stdin: str = "") -> Result:
        """Run a command here; anything but a clean exit is raised."""
        from citebot.cli.root import cli

        handlers = list(logging.getLogger().handlers)
        try:
            return CliRunner().invoke(cli, [*self.options, *args], input=stdin, catch_exceptions=False)
        finally:
            # Its log goes to a stream that is closed by now.
            logging.getLogger().handlers[:] = handlers
            structlog.reset_defaults()

    def json(self, *args: str) -> Any:
        """What a command prints with `--json`."""
        result = self(*args, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    def start(self, *args: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command as a process."""
        line = [sys.executable, "-m", "citebot", *self.options, *args]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(line, text=True, **{**pipes, **options})

    def process(self, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command as a process to its end."""
        with self.start(*args, **options) as process:
            out, err = process.communicate(timeout=100)
        return subprocess.CompletedProcess(args, process.returncode, out, err)


@pytest.fixture(scope="session")
def count() -> Callable[[int, int], int]:
    """How often to do something: seldom in every run of the tests, at full count for `make promises`."""
    at_full = os.environ.get(COUNTS) == "full"
    return lambda few, full: full if at_full else few


@pytest.fixture(scope="session")
def demo_folders() -> list[tuple[float, Path]]:
    """The data folders of the sample company so far, each with the time when it was made."""
    return []


@pytest.fixture
def demo_folder(demo_folders: list[tuple[float, Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the sample company; copy it before use.

    Made for all tests, and anew before its groups are older than `access.staleness`: members would lose their rights.
    """
    if not demo_folders or time.monotonic() - demo_folders[-1][0] > DEMO_KEEPS:
        folder = tmp_path_factory.mktemp("sample")
        done = Commands(folder)("demo", "--once", "--json")
        assert done.exit_code == 0, done.stderr
        demo_folders.append((time.monotonic(), folder / "demo"))
    return demo_folders[-1][1]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Commands]:
    """Make data folders to run commands on, empty ones; no setting comes from outside."""
    for name in [name for name in os.environ if name.startswith("CITEBOT_") and not name.startswith("CITEBOT_TEST")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return lambda name: Commands(tmp_path / name)


@pytest.fixture
def citebot(commands: Callable[[str], Commands]) -> Commands:
    """The command line on an empty data folder."""
    return commands("data")


@pytest.fixture
def company(commands: Callable[[str], Commands], demo_folder: Path) -> Commands:
    """The command line on a copy of the sample company."""
    made = commands("company")
    shutil.copytree(demo_folder, made.folder)
    return made
