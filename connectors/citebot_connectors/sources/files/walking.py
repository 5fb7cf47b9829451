"""Which files a folder holds. Links that lead out of it are refused, loops are seen once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from citebot.errors import StopSync


def walk(root: Path, include: list[str], exclude: list[str]) -> Iterator[tuple[str, os.stat_result]]:
    """(path relative to root with forward slashes, stat) of every wanted file, in a stable order."""
    real_root = root.resolve()
    seen: set[tuple[int, int]] = set()
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            if folder == root:
                raise StopSync(f"The folder {root} cannot be read: {error.strerror}.") from error
            # Part of the tree is out of sight: whatever is missing now may still be there.
            raise StopSync(f"The folder {folder} cannot be read: {error.strerror}. Nothing was removed.") from error
        for entry in entries:
            path = Path(entry.path)
            relative = path.relative_to(root).as_posix()
            if entry.name.startswith(".") or any(fnmatch(relative, glob) for glob in exclude):
                continue
            if entry.is_symlink() and not _inside(path, real_root):
                continue
            if entry.is_dir():
                if _first_time(entry, seen):
                    pending.append(path)
            elif entry.is_file() and any(fnmatch(entry.name.lower(), glob) for glob in include):
                yield relative, entry.stat()


def _inside(path: Path, real_root: Path) -> bool:
    try:
        return path.resolve(strict=True).is_relative_to(real_root)
    except (OSError, RuntimeError):  # a loop of links, or one that leads nowhere
        return False


def _first_time(entry: os.DirEntry[str], seen: set[tuple[int, int]]) -> bool:
    found = entry.stat()
    key = (found.st_dev, found.st_ino)
    if key in seen:
        return False
    seen.add(key)
    return True
