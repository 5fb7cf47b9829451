"""Files that one process at a time writes, that only their owner reads, and that are whole or not there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def opened(path: Path, *, wait: bool = True) -> Iterator[int]:
    """The file, made if need be, for us alone while we are inside; raises `BlockingIOError` unless we `wait`."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            # While we waited another may have put a new one in its place.
            if _is(file, path):
                yield file
                return
        finally:
            os.close(file)


def put_in_place(file: Path, place: Path) -> None:
    """Let a finished file take a place, durably: there is what was there before, or all of it."""
    with file.open("rb") as done:
        os.fsync(done.fileno())
    file.replace(place)
    sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Make what was renamed in a folder last."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is(file: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False
