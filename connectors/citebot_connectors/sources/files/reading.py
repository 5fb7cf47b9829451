"""The bytes of one file, whole: not of one that is changing, not from outside the folder, not more than is sane."""

from __future__ import annotations

import os
import stat as kinds
from pathlib import Path

from citebot.model import Failed, Gone

TRIES = 3
LARGEST = 64_000_000
"""Bytes; what the parser takes is a setting of ingest, this only keeps a disk image out of memory."""


def version_of(found: os.stat_result) -> str:
    """Changes when the file does.

    The time of the last change of the file itself is in it, because two files that change places may have the same
    size and time of modification: those of an unpacked archive, or copies that kept their times.
    """
    return f"{found.st_mtime_ns}-{found.st_ctime_ns}-{found.st_size}"


def read_file(root: Path, relative: str, *, links: bool = False) -> tuple[bytes, os.stat_result] | Gone | Failed:
    """Content and stat of a file that stood still while it was read."""
    try:
        # Strings and not `Path`, as in `walk`: half of what reading a small file costs was objects for its path.
        home = os.path.realpath(root)
        path = os.path.join(home, relative)  # noqa: PTH118
        real = os.path.realpath(path, strict=True)
        if not real.startswith(os.path.join(home, "")) or (real != path and not links):  # noqa: PTH118
            # By way of a link, here or out of the folder, or up and down again.
            return Gone(relative, "no_access")
        if not _so_written(home, relative):
            return Gone(relative)
        return _steady(real, relative)
    except (FileNotFoundError, NotADirectoryError):
        return Gone(relative)
    except ValueError:
        return Gone(relative)  # no path at all: it holds a zero character
    except OSError as error:
        return Failed(relative, f"{relative} cannot be read: {error.strerror}.")


def _so_written(home: str, relative: str) -> bool:
    """Whether a path has the capitals that its files have.

    Some file systems answer to any; a file renamed from `a.md` to `A.md` would be there twice.
    """
    folder = home
    for name in relative.split("/"):
        other = name.swapcase()
        if other != name and os.path.lexists(f"{folder}/{other}") and name not in os.listdir(folder):  # noqa: PTH208
            return False
        folder = f"{folder}/{name}"
    return True


def _steady(path: str, relative: str) -> tuple[bytes, os.stat_result] | Failed:
    for _ in range(TRIES):
        # Not following a link that took the file's place since we looked where it leads.
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:  # noqa: PTH123
            before = os.fstat(stream.fileno())
            if not kinds.S_ISREG(before.st_mode):
                return Failed(relative, f"{relative} is no file.", permanent=True)
            if before.st_size > LARGEST:
                why = f"{relative} has {before.st_size:,} bytes; {LARGEST:,} are the most."
                return Failed(relative, why, permanent=True)
            data = stream.read(LARGEST + 1)
            after = os.fstat(stream.fileno())
        now = os.stat(path)  # noqa: PTH116
        if version_of(before) == version_of(after) == version_of(now) and len(data) == after.st_size:
            return data, after
    return Failed(relative, f"{relative} kept changing while it was read; it will be tried again.")
