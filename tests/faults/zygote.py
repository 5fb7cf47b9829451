"""Forks processes as quickly as they are killed: one JSON object a line says what each is, and its id is printed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from citebot.testing.failpoints import FAILPOINTS, kill_at

ELSEWHERE = {"before-documents-commit", "after-reserve", "before-settle"}
OTHERS = ("secrets", "upgrade", "backup", "restore")
POINTS = [name for name in FAILPOINTS if name not in ELSEWHERE and not any(word in name for word in OTHERS)]
"""Those that whoever takes, answers and shows questions comes by."""


def fork_each(be: Callable[[dict[str, Any]], object]) -> None:
    """Be the one that forks; a child is killed when it comes by its `failpoint` for the `hit`-th time."""
    us = os.getpid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            code = 1
            threading.Thread(target=_die_with, args=(us,), daemon=True).start()
            try:
                config = json.loads(line)
                if point := config.get("failpoint"):
                    kill_at(point, hit=config["hit"])
                be(config)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        print(child, flush=True)


def _die_with(parent: int) -> None:
    """End when the test has ended, however it did."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


@dataclass(slots=True)
class Zygote:
    """The one that forks, as a test sees it."""

    process: subprocess.Popen[str]
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def fork(self, config: dict[str, Any]) -> int:
        """One more; its id. The first waits until everything is loaded."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        with self._turn:
            print(json.dumps(config), file=stdin, flush=True)
            return int(stdout.readline())


@contextmanager
def zygote_of(script: Path, folder: Path, **environment: str) -> Iterator[Zygote]:
    """For the time of a `with` block; what its children say is in the folder."""
    with (
        (folder / "stderr").open("w") as errors,
        subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | environment,
        ) as process,
    ):
        yield Zygote(process)


def state_of(pid: int) -> str:
    """The state of a process: a letter of /proc, or `gone`."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
    return "gone" if state in "ZX" else state


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    return state_of(pid) == "gone"
