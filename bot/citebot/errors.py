"""Every error Citebot raises on purpose, classified by what the caller must do.

```
CitebotError                 one clear line for a person; exit code 1
├── WrongUse                 the command or request itself is wrong; exit code 2
│   └── SettingsError        a setting is missing, unknown or invalid
├── PluginError              a plugin cannot be used; names it and what helps
├── StorageError             the database cannot be used
│   ├── SchemaTooNew         written by a newer Citebot
│   ├── DataFolderBusy       another process owns the data folder
│   └── LeaseLost            another worker has taken this work: stop, write nothing
├── SourceError              something about a knowledge source
│   ├── Retry                try the same request again later
│   ├── SkipDocument         park this one document and go on
│   ├── StopSync             end this sync, delete nothing, tell the admin
│   └── CursorExpired        the change feed no longer reaches back to the cursor: list anew
├── IndexUnavailable         the index cannot answer; the question is kept
├── ModelUnavailable         a model cannot answer; go one step down (see docs/architecture.md)
└── NotAllowed               the asker or the audience may not
```
"""

from __future__ import annotations


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


class CursorExpired(SourceError):
    """The change feed no longer reaches back to the cursor."""


class IndexUnavailable(CitebotError):
    """The index cannot answer."""


class ModelUnavailable(CitebotError):
    """A model (embedder, reranker, generator) cannot answer."""


class NotAllowed(CitebotError):
    """The asker or the audience may not do or see this."""
