"""Who holds the lease on a source, told so that a run that was killed does not lock the next one out."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path


def new_holder() -> str:
    """This run of this process: host, process, when that began, and a number of its own."""
    return f"{_host()}/{os.getpid()}/{_began(os.getpid())}/{secrets.token_hex(4)}"


def is_dead(holder: str) -> bool:
    """Whether the holder was a process of this machine that has ended; of other machines nothing is known."""
    host, _, rest = holder.rpartition("/")[0].rpartition("/")[0].rpartition("/")
    process, began = (holder.split("/")[-3:-1]) if host and rest else ("", "")
    if host != _host() or not process.isdecimal():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    # Numbers of processes are used again, in containers most of all.
    return _began(int(process)) != began


def _host() -> str:
    return socket.gethostname().replace("/", "-")[:60]


def _began(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
