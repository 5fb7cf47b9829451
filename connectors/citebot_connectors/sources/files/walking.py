"""Which files a folder holds.

Symbolic links are followed only when asked, and never out of the folder: what they lead to is read where it is; under
a second path it could escape `exclude` and the rules of who may read it. A folder is read under one path alone. A hard
link is a file like any other: nothing tells which of its paths is the first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import translate
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
    # Strings all the way: with objects for paths, a listing of 100,000 files takes three times as long.
    real_root = root.resolve()
    wanted, unwanted = _matcher([glob.lower() for glob in include]), _matcher(exclude)
    seen: set[tuple[int, int]] = set()
    pending, linked = [""], list[str]()
    while pending or linked:
        # Links last: a folder that is read under its own path is not read under another one, and a loop ends.
        folder = (pending or linked).pop()
        if links and _known(root / folder, seen):
            continue
        entries = _entries(root, folder)
        while entries:
            # Let go of as it comes: an entry keeps what it was asked for, and a folder may hold 100,000 of them.
            entry = entries.pop()
            name = entry.name
            relative = folder + name
            if name.startswith(".") or unwanted(relative) or unwanted(f"{relative}/"):
                continue
            if entry.is_symlink():
                inside = leads_inside(Path(entry.path), real_root)
                if not inside:
                    note(f"{_shown(relative)} is a link that leads out of the folder or nowhere; it is left out")
                if not inside or not links:
                    continue
            try:
                if entry.is_dir():
                    (linked if entry.is_symlink() else pending).append(f"{relative}/")
                elif entry.is_file() and wanted(name.lower()):
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


def _matcher(globs: Sequence[str]) -> Callable[[str], object]:
    """Whether a name matches any of the globs; without any, none does."""
    return re.compile("|".join(translate(glob) for glob in globs) if globs else r"(?!)").match


def _entries(root: Path, folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder, last name first."""
    try:
        with os.scandir(root / folder) as entries:
            return sorted(entries, key=lambda entry: entry.name, reverse=True)
    except OSError as error:
        if folder and isinstance(error, FileNotFoundError):
            return []
        # Part of the tree is out of sight: whatever is missing now may still be there.
        hint = f', or exclude it: "{folder}*"' if folder else ""
        raise StopSync(
            f"The folder {root / folder} cannot be read ({error.strerror}). Nothing was removed. Give the user that "
            f"runs Citebot the right to read it{hint}."
        ) from error


def _known(folder: Path, seen: set[tuple[int, int]]) -> bool:
    """Whether a folder was there before, under whatever path; it is from now on."""
    try:
        found = folder.stat()
    except OSError:
        return False  # what cannot be read is said where it is read
    place = (found.st_dev, found.st_ino)
    known = place in seen
    seen.add(place)
    return known


def _nameable(relative: str) -> bool:
    try:
        relative.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(relative: str) -> str:
    return relative.encode(errors="replace").decode()
