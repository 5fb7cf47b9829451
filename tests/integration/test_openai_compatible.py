"""The command line with models behind OpenAI's interface: what is set is used, and the doctor says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from citebot.cli import cli
from citebot.testing.models.faults import Fault
from citebot.testing.models.openai import FakeOpenAI

HANDBOOK = "# Leave\n\nEmployees get 26 days of paid annual leave in a calendar year. Leave is requested in Perch.\n"


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        yield server


def options(server: FakeOpenAI, kind: str, model: str, *, key: str = "") -> list[str]:
    values = {"base_url": server.base_url, "model": model, "api_key": key or server.key}
    chosen = ["--set", f"{kind}.use=openai_compatible"]
    return chosen + [
        part for name, value in values.items() for part in ("--set", f"{kind}.openai_compatible.{name}={value}")
    ]


def run(folder: Path, *args: str) -> Result:
    return CliRunner().invoke(cli, ["--data-dir", str(folder), *args])


def test_the_doctor_asks_only_the_parts_that_are_set(server: FakeOpenAI, tmp_path: Path) -> None:
    generator = options(server, "generator", "chat-1")
    good = run(tmp_path, *generator, "doctor", "openai_compatible")
    assert good.exit_code == 0, good.output
    assert [received.path for received in server.received] == ["/v1/chat/completions"]
    both = [*generator, *options(server, "reranker", "rerank-9")]
    bad = run(tmp_path, *both, "doctor", "openai_compatible")
    assert bad.exit_code == 1
    assert "reranker.openai_compatible.model" in " ".join(bad.output.split())
    assert "rerank-1" in bad.output


def test_the_doctor_never_shows_a_key(server: FakeOpenAI, tmp_path: Path) -> None:
    key = "sk-mistyped-secret-123"
    found = run(tmp_path, *options(server, "generator", "chat-1", key=key), "doctor", "openai_compatible")
    assert found.exit_code == 1
    assert "generator.openai_compatible.api_key" in " ".join(found.output.split())
    assert key not in found.output


def test_missing_settings_are_one_clear_line(tmp_path: Path) -> None:
    found = run(tmp_path, "--set", "generator.use=openai_compatible", "ask", "Anything?")
    assert found.exit_code == 2
    assert "generator.openai_compatible.base_url" in found.output
    assert "Traceback" not in found.output


def test_a_question_is_answered_by_all_three(server: FakeOpenAI, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "leave.md").write_text(HANDBOOK, "utf-8")
    parts = [
        *options(server, "generator", "chat-1"),
        *options(server, "embedder", "embed-1"),
        *options(server, "reranker", "rerank-1"),
        *("--set", "answering.threshold=0.2"),
    ]
    data = tmp_path / "data"
    added = run(data, *parts, "source", "add", "files", "--name", "handbook", "--path", str(tmp_path / "docs"))
    assert added.exit_code == 0, added.output
    assert run(data, *parts, "source", "sync", "handbook").exit_code == 0
    answered = run(data, *parts, "ask", "How many days of paid annual leave do employees get?")
    assert "26 days" in answered.output
    assert {received.path for received in server.received} >= {"/v1/chat/completions", "/v1/embeddings"}
    assert server.chats
    server.faults.add(Fault(path="/chat/completions", status=401, times=None))
    again = run(data, *parts, "ask", "How many days of paid annual leave do employees get?")
    assert "leave.md" in again.output
    assert "generator.openai_compatible.api_key" in again.output
    assert server.key not in again.output
