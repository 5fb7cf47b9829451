"""The source `git` keeps the contract of sources."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import quote

from citebot.model import Readers
from citebot.ports import PartContext, Source
from citebot.testing.contract_source import SourceContract
from citebot.testing.sources.content import RICH
from citebot.testing.sources.lab import Lab
from citebot_connectors.sources.git import GitSource


class GitLab:
    """A repository with a commit for every change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self._git("init", "-q", "-b", "main")

    def source(self, state_dir: Path) -> Source:
        values = {"url": str(self._folder), "front_matter_readers": True, "readers": []}
        return GitSource(GitSource.Settings.model_validate(values), PartContext(state_dir))  # type: ignore[arg-type]

    def create(self, title: str, text: str, readers: Readers | None) -> str:
        key = f"{title.replace('/', quote('/', safe=''))}.md"
        line = f"readers: {', '.join(sorted(readers.principals))}\n" if readers else ""
        self._commit(key, f"---\ntitle: {title}\n{line}---\n\n{text}\n")
        return key

    def edit(self, key: str, text: str) -> None:
        self._commit(key, (self._folder / key).read_text("utf-8").rpartition("---\n\n")[0] + f"---\n\n{text}\n")

    def delete(self, key: str) -> None:
        (self._folder / key).unlink()
        self._git("add", "-A")
        self._git("commit", "-q", "-m", "delete")

    def move(self, key: str) -> str:
        new = f"elsewhere/{key}"
        (self._folder / new).parent.mkdir(parents=True, exist_ok=True)
        self._git("mv", key, new)
        self._git("commit", "-q", "-m", "move")
        return new

    def restore(self, key: str) -> None:
        self.create(key.removesuffix(".md"), "Text of page 0.", Readers.everyone())

    def restrict(self, key: str, readers: Readers | None) -> None:
        head, _, text = (self._folder / key).read_text("utf-8").rpartition("---\n\n")
        lines = [line for line in head.splitlines() if not line.startswith("readers: ")]
        lines += [f"readers: {', '.join(sorted(readers.principals))}"] if readers else []
        self._commit(key, "\n".join(lines) + f"\n---\n\n{text}")

    burst_size = 10_000

    def burst(self, number: int) -> None:
        for made in range(number):
            (self._folder / f"burst-{made}.md").write_text(f"---\nreaders: everyone\n---\n\nText {made}.\n", "utf-8")
        self._git("add", "-A")
        self._git("commit", "-q", "-m", "burst")

    def write_rich(self) -> str:
        return self.create("Rich", RICH, Readers.everyone())

    def _commit(self, key: str, text: str) -> None:
        (self._folder / key).write_text(text, "utf-8")
        self._git("add", "-A")
        self._git("commit", "-q", "--allow-empty", "-m", "change")

    def _git(self, *arguments: str) -> None:
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(self._folder)}
        person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *person, *arguments], cwd=self._folder, env=env, check=True, capture_output=True)


class TestGitSource(SourceContract):
    def make_lab(self, folder: Path) -> Lab:
        return GitLab(folder)
