"""The steps of the Containerfile, run in a scratch folder: images cannot be built everywhere, its commands can.

All of the image's packages take a minute to install: every run installs those of `requirements/core.txt` in their
place, and a run at full counts all of them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pytest

from citebot import __version__

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "requirements" / "image.txt"
NOT_HERE = "apt-get"
"""Would change this machine."""


@dataclass
class Stage:
    """One `FROM` with its instructions, in their order."""

    image: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, *kinds: str) -> list[str]:
        return [text for kind, text in self.steps if kind in kinds]


def stages() -> list[Stage]:
    text = (ROOT / "Containerfile").read_text("utf-8").replace("\\\n", " ")
    found: list[Stage] = []
    for line in text.splitlines():
        kind, _, rest = line.strip().partition(" ")
        if kind == "FROM":
            found.append(Stage(rest))
        elif kind and not kind.startswith("#"):
            found[-1].steps.append((kind, rest.strip()))
    return found


def context_files() -> list[Path]:
    """What `.dockerignore` lets into the build."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = [line.removeprefix("!") for line in lines if line.startswith("!")]
    return [ROOT / name for name in allowed]


class Scratch:
    """The file system of a stage, below a folder."""

    def __init__(self, folder: Path, *, whole: bool) -> None:
        self.folder = folder
        self.whole = whole
        self.workdir = folder
        self.ran: list[str] = []

    def place(self, path: str) -> Path:
        """Where a path of the image is."""
        return self.folder / path.lstrip("/") if path.startswith("/") else self.workdir / path

    def take(self, kind: str, text: str) -> None:
        if kind == "WORKDIR":
            self.workdir = self.place(text)
            self.workdir.mkdir(parents=True, exist_ok=True)
        elif kind == "COPY" and not text.startswith("--from="):
            *sources, target = text.split()
            for source in context_files() if sources == ["."] else [ROOT / each for each in sources]:
                self._copy(source, self.place(target))
        elif kind == "RUN" and NOT_HERE not in text:
            self._run(text)

    def _copy(self, source: Path, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(
                source, target / source.name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
            )
        else:
            shutil.copy(
                source if self.whole or source != PACKAGES else PACKAGES.with_name("core.txt"), target / source.name
            )

    def _run(self, text: str) -> None:
        here = re.sub(r"(?<![\w/])/(opt|var|build)/", f"{self.folder}/\\1/", text)
        here = re.sub(r"^python ", f"{shlex.quote(sys.executable)} ", here)
        if os.geteuid():
            here = re.sub(r" -[og] \d+", "", here)
        # Bytecode is for the image alone: it is never written again there.
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("CITEBOT_", "PYTHON"))}
        done = subprocess.run(
            ["sh", "-eu", "-c", here],
            cwd=self.workdir,
            env=clean | {"PIP_NO_COMPILE": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        self.ran.append(text)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_steps_make_a_citebot(tmp_path: Path, count: Callable[[int, int], int]) -> None:
    scratch = Scratch(tmp_path, whole=bool(count(0, 1)))
    for stage in stages():
        for kind, text in stage.steps:
            scratch.take(kind, text)
    assert len(scratch.ran) == len([text for stage in stages() for text in stage.all("RUN")]) - 1

    program = tmp_path / "opt" / "citebot" / "bin" / "citebot"
    here = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CITEBOT_DATA_DIR": str(tmp_path / "var/lib/citebot")}
    version = subprocess.run([program, "--version"], cwd=tmp_path, env=here, capture_output=True, text=True)
    assert (version.returncode, version.stdout.strip()) == (0, f"citebot, version {__version__}"), version.stderr
    if not scratch.whole:
        return
    parts = "elasticsearch, psycopg, slack_bolt, cohere, onnxruntime, prometheus_client, citebot_migrations"
    imported = subprocess.run(
        [program.with_name("python"), "-c", f"import {parts}"], env=here, capture_output=True, text=True
    )
    assert imported.returncode == 0, imported.stderr


def test_the_image_is_small_locked_and_runs_as_nobody_special() -> None:
    build, last = stages()
    assert [stage.image.split()[0] for stage in (build, last)] == ["python:3.13-slim"] * 2
    assert last.all("USER") == ["10001:10001"]
    assert last.steps.index(("USER", "10001:10001")) > max(n for n, (kind, _) in enumerate(last.steps) if kind == "RUN")
    assert [text for text in build.all("RUN") if "-r requirements" in text and "--require-hashes" not in text] == []
    assert build.all("ADD") + last.all("ADD") == []
    assert last.all("COPY") == ["--from=build /opt/citebot /opt/citebot"]
    assert last.all("ENTRYPOINT") == ['["citebot"]']


def test_nothing_else_gets_into_the_build() -> None:
    first, *_ = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert first == "*"
    names = {path.name for path in context_files()}
    assert all(path.exists() for path in context_files())
    assert not any(fnmatch(name, pattern) for name in names for pattern in (".*", "tests", "secrets", "*.env", "helm"))
