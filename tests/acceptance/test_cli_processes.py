"""What only a process of its own shows: pipes, a terminal chat fed from a pipe, completion by real shells."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any

import pytest

QUESTION = "How many days of annual leave do I get?"


def test_a_program_reads_an_answer(company: Any) -> None:
    done = company.process("ask", "--json", QUESTION)

    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert answer["answered"]
    assert answer["citations"][0]["document"] == "handbook/leave.md"
    assert done.stderr == ""


def test_questions_may_be_piped_into_a_chat(company: Any) -> None:
    with company.start("chat", "--as", "alice") as process:
        out, err = process.communicate(f"{QUESTION}\n\nWhich colour is the moon of Endor?\n", timeout=100)

    assert process.returncode == 0, err
    assert "26 days" in out
    assert "I don't know" in out
    assert "Traceback" not in err


def test_a_reader_that_has_gone_is_no_error(company: Any) -> None:
    line = [sys.executable, "-m", "citebot", *company.options, "config", "schema"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_understand_the_completion_script(shell: str, citebot: Any) -> None:
    script = citebot("completion", shell).stdout

    assert "_CITEBOT_COMPLETE" in script
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_help_stays_fast_and_light(citebot: Any) -> None:
    code = "import sys; from citebot.cli.root import cli; cli(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    heavy = {"numpy", "alembic", "onnxruntime", "faiss", "tantivy", "starlette", "uvicorn", "markdown_it"}
    assert heavy.isdisjoint(done.stdout.split())
