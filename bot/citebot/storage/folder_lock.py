"""One process at a time owns a data folder: the index files in it have one writer."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from citebot.errors import DataFolderBusy, StorageError

NAME = "citebot.lock"


class FolderLock:
    """The right to change what is in a data folder. The system gives it back when the process dies, however it dies."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._file: int | None = None

    def acquire(self) -> None:
        """Take it; raises `DataFolderBusy`, naming the process that has it."""
        if self._file is not None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"The data folder {self._path.parent} cannot be used: {error.strerror}.") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(file, 32, 0).decode(errors="replace").strip()
            os.close(file)
            raise DataFolderBusy(self._busy(owner)) from None
        except OSError as error:
            os.close(file)
            raise StorageError(f"The data folder {self._path.parent} cannot be locked: {error.strerror}.") from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        """Give it back."""
        if self._file is not None:
            # The file stays: removing it would let two processes lock two files of one name.
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def __enter__(self) -> FolderLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _busy(self, owner: str) -> str:
        who = f"process {owner}" if owner.isdigit() else "another process"
        return (
            f"The data folder {self._path.parent} is in use by {who}. "
            "Ask that one (for instance in its web chat), stop it, or choose another folder with --data-dir."
        )
