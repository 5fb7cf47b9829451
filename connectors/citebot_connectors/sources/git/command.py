"""Runs the program git so that nothing of this machine's set-up, and nothing a repository brings along, takes part."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from citebot.errors import StopSync

SECONDS = 3600.0
"""For one command; a server that sends next to nothing is left after half a minute."""


class GitFailed(Exception):
    """git ended with an error; the text is what it complained about, empty when it said nothing."""


class Git:
    """One repository's commands, in the folder of its mirror."""

    def __init__(
        self,
        folder: Path,
        *,
        stop: Callable[[], bool],
        user: str,
        token: SecretStr,
        url: str,
        settings: Sequence[str] = (),
    ) -> None:
        program = shutil.which("git")
        if program is None:
            raise StopSync("The program git is not installed on this machine. Install it, as with: apt-get install git")
        self._program = program
        self.folder = folder
        self._stop = stop
        self._settings = settings
        self._env = _environment(folder, url, user, token)
        _set_up(folder)

    def run(self, *arguments: str) -> bytes:
        """What git wrote. Raises `GitFailed`, and `StopSync` when the run is to end."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
            process = subprocess.Popen(  # noqa: S603 - a list, no shell; addresses and names are checked
                self._command(arguments),
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=said,
                start_new_session=True,  # so that the programs git starts can be ended with it
            )
            try:
                self._wait(process)
            finally:
                if process.poll() is None:
                    _end(process)
            if process.returncode:
                said.seek(0)
                raise GitFailed(_complaint(said.read(20_000)))
            out.seek(0)
            return out.read()

    def open(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command to talk to; the caller closes it."""
        return subprocess.Popen(  # noqa: S603 - as above
            self._command(arguments),
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _command(self, arguments: Sequence[str]) -> list[str]:
        settings = [f"--config-env={name}={variable}" for name, variable in _SECRET_SETTINGS if variable in self._env]
        options = [part for value in (*_SETTINGS, *self._settings) for part in ("-c", value)]
        return [self._program, "-C", str(self.folder), *options, *settings, *arguments]

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + SECONDS
        while True:
            try:
                process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                if self._stop():
                    raise StopSync("The run was ended before it was done.") from None
                if time.monotonic() > until:
                    raise GitFailed(f"git did not end within {SECONDS:.0f} s") from None
            else:
                return


_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "credential.helper=",
    "gc.autoDetach=false",
    "maintenance.autoDetach=false",
    "http.followRedirects=false",
    "protocol.version=2",
    "transfer.fsckObjects=false",
    "uploadpack.packObjectsHook=",
)
_SECRET_SETTINGS = (("http.extraHeader", "CITEBOT_GIT_HEADER"),)
"""Handed over by environment: what stands in the arguments every user of the machine can see."""


_FILE = "citebot.gitconfig"
"""Stands in for the person's own settings: what is given as -c does not reach the other end of a copy by path."""


def _set_up(folder: Path) -> None:
    """Let a repository by path belong to somebody else: nothing in it is run, and the admin named it."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / _FILE).exists():
        (folder / _FILE).write_text("[safe]\n\tdirectory = *\n", "utf-8")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and what it started, kindly first: it takes its locks away then."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, sign)
            process.wait(timeout=5)
            return


def _environment(folder: Path, url: str, user: str, token: SecretStr) -> dict[str, str]:
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "LC_ALL": "C",
        "GIT_DIR": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(folder / _FILE),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "GIT_ALLOW_PROTOCOL": "https:http:file",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_HTTP_LOW_SPEED_LIMIT": "100",
        "GIT_HTTP_LOW_SPEED_TIME": "30",
    }
    if token.get_secret_value() and urlsplit(url).scheme in ("http", "https"):
        both = base64.b64encode(f"{user}:{token.get_secret_value()}".encode()).decode()
        environment["CITEBOT_GIT_HEADER"] = f"Authorization: Basic {both}"
    return environment


def _complaint(said: bytes) -> str:
    """The first thing git called an error: what follows it is advice."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    wanted = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (wanted or lines or [""])[0].removeprefix("fatal: ").removeprefix("error: ")
