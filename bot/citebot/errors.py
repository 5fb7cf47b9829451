"""Every error Citebot raises on purpose, classified by what the caller must do.

```
CitebotError                 one clear line for a person; exit code 1
├── WrongUse                 the command or request itself is wrong; exit code 2
│   └── SettingsError        a setting is missing, unknown or invalid
├── PluginError              a plugin cannot be used; names it and what helps
├── StorageError             the database cannot be used
│   ├── SchemaTooNew         written by a newer Citebot
│   ├── DataFolderBusy       another process owns the data folder
│   ├── DiskFull             nothing can be written until somebody makes room
│   └── LeaseLost            another worker has taken this work: stop, write nothing
├── SourceError              something about a knowledge source
│   ├── Retry                try the same request again later
│   ├── SkipDocument         park this one document and go on
│   ├── StopSync             end this sync, delete nothing, tell the admin
│   │   └── SourceBusy       another run reads it now: nothing is wrong
│   └── CursorExpired        the change feed no longer reaches back to the cursor: list anew
├── CannotShow               a chat platform will never take this message: its place is gone, or a right
├── StreamEnded              a message of a chat platform does not grow any more: edit it
├── IndexUnavailable         the index cannot answer; the question is kept
├── ModelUnavailable         a model cannot answer; go one step down (see docs/architecture.md)
│   ├── ModelBusy            it wants fewer requests, for as long as it says
│   └── ModelRefused         the same request will never be answered: its key, its name, its length, what it says
└── NotAllowed               the asker or the audience may not
```
"""

from __future__ import annotations

from typing import Literal


class CitebotError(Exception):
    """Base of every error Citebot raises on purpose; `str(error)` is one line that says what to do."""

    exit_code = 1


class WrongUse(CitebotError):
    """The command or request is wrong in itself."""

    exit_code = 2


class SettingsError(WrongUse):
    """A setting is missing, unknown or invalid."""


class PluginError(CitebotError):
    """A plugin cannot be used."""

    def __init__(self, message: str, *, plugin: str) -> None:
        super().__init__(message)
        self.plugin = plugin


class StorageError(CitebotError):
    """The database cannot be used."""


class SchemaTooNew(StorageError):
    """The database was written by a newer Citebot."""


class DataFolderBusy(StorageError):
    """Another process owns the data folder."""


class DiskFull(StorageError):
    """There is no room to write."""


class LeaseLost(StorageError):
    """Another worker has taken this work over: stop and write nothing."""


class SourceError(CitebotError):
    """Something about a knowledge source."""


class Retry(SourceError):
    """The same request may succeed later."""

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after
        """Seconds the other side asked us to wait, if it said so."""


class SkipDocument(SourceError):
    """This document cannot be read; the others can."""

    def __init__(self, message: str, *, document: str) -> None:
        super().__init__(message)
        self.document = document


class StopSync(SourceError):
    """The sync must end now and must not delete anything."""


class SourceBusy(StopSync):
    """Another run is reading the source now."""


class CursorExpired(SourceError):
    """The change feed no longer reaches back to the cursor."""


class CannotShow(CitebotError):
    """A chat platform will never take this message."""


class StreamEnded(CitebotError):
    """A message of a chat platform does not grow any more; it can still be edited."""


class IndexUnavailable(CitebotError):
    """The index cannot answer."""


class ModelUnavailable(CitebotError):
    """A model (embedder, reranker, generator) cannot answer."""


class ModelBusy(ModelUnavailable):
    """A model wants fewer requests."""

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after
        """Seconds it asked us to wait, if it said so."""


Refusal = Literal["key", "model", "too_long", "filtered", "request"]


class ModelRefused(ModelUnavailable):
    """A model will never answer this request. The message is for the admin, never for the asker."""

    def __init__(self, message: str, *, why: Refusal) -> None:
        super().__init__(message)
        self.why = why
        """The key is wrong, the model is not known, the prompt is too long, its content filter said no, or else."""


class NotAllowed(CitebotError):
    """The asker or the audience may not do or see this."""
