"""Which files a folder holds.

Symbolic links are followed only when asked, and never out of the folder: what they lead to is read where it is; under
a second path it could escape `exclude` and the rules of who may read it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from citebot.errors import StopSync

Note = Callable[[str], None]
"""Called with one line about what is left out."""


def walk(
    root: Path,
    include: Sequence[str],
    exclude: Sequence[str],
    *,
    links: bool = False,
    note: Note = lambda line: None,
) -> Iterator[tuple[str, os.stat_result]]:
    """(path relative to root with forward slashes, stat) of every wanted file, in a stable order."""
    real_root = root.resolve()
    seen = {_identity(root)} if links else set()
    pending = [root]
    while pending:
        folder = pending.pop()
        for entry in _entries(root, folder):
            path = Path(entry.path)
            relative = path.relative_to(root).as_posix()
            if entry.name.startswith(".") or any(
                fnmatch(name, glob) for name in (relative, f"{relative}/") for glob in exclude
            ):
                continue
            if entry.is_symlink():
                inside = leads_inside(path, real_root)
                if not inside:
                    note(f"{_shown(relative)} is a link that leads out of the folder or nowhere; it is left out")
                if not inside or not links:
                    continue
            try:
                if entry.is_dir():
                    if not links or _identity(path) not in seen:
                        pending.append(path)
                        seen.add(_identity(path))
                elif entry.is_file() and any(fnmatch(entry.name.lower(), glob.lower()) for glob in include):
                    if _nameable(relative):
                        yield relative, entry.stat()
                    else:
                        note(f"{_shown(relative)} has a name that is not UTF-8; rename it and it will be read")
            except FileNotFoundError:
                continue  # gone since its folder was read


def leads_inside(path: Path, real_root: Path) -> bool:
    """Whether a path ends within the folder once every link is followed."""
    try:
        return path.resolve(strict=True).is_relative_to(real_root)
    except (OSError, RuntimeError):  # a loop of links, or one that leads nowhere
        return False


def _entries(root: Path, folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        if folder != root and isinstance(error, FileNotFoundError):
            return []
        # Part of the tree is out of sight: whatever is missing now may still be there.
        hint = "" if folder == root else f', or exclude it: "{folder.relative_to(root).as_posix()}/*"'
        raise StopSync(
            f"The folder {folder} cannot be read ({error.strerror}). Nothing was removed. Give the user that runs "
            f"Citebot the right to read it{hint}."
        ) from error


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)  # what cannot be read is said where it is read
    return (found.st_dev, found.st_ino)


def _nameable(relative: str) -> bool:
    try:
        relative.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(relative: str) -> str:
    return relative.encode(errors="replace").decode()
