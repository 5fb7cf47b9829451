"""What the author of a source gives to the kit: a place of theirs, and how to change it.

Four methods are needed. Each of the other protocols is an ability more: have its method, and the checks that need it
are run; without it they are left out and the report says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from citebot.model import Readers
from citebot.ports import Source
from citebot.settings import EgressSettings


class Lab(Protocol):
    """A place of yours with documents in it, and how to change it."""

    def source(self, state_dir: Path) -> Source:
        """A new source that reads the place."""

    def create(self, title: str, text: str, readers: Readers | None) -> str:
        """Add a document and return its id; `readers` None leaves out who may read it."""

    def edit(self, key: str, text: str) -> None:
        """Change the text of a document."""

    def delete(self, key: str) -> None:
        """Delete a document."""


@runtime_checkable
class ReadsNetwork(Protocol):
    """The source reads servers: faults are put between them and `ctx.http`."""

    egress: EgressSettings
    """How they may be reached, as `EgressSettings(allow=["127.0.0.0/8"])`."""


@runtime_checkable
class HasSecrets(Protocol):
    """The source is given secrets."""

    secrets: Sequence[str]


@runtime_checkable
class Renames(Protocol):
    """Documents can be renamed."""

    def rename(self, key: str, title: str) -> str:
        """Give a document another title; returns its id from then on."""


@runtime_checkable
class Moves(Protocol):
    """Documents can be moved to another folder, space or project that is read as well."""

    def move(self, key: str) -> str:
        """Move a document; returns its id from then on."""


@runtime_checkable
class Comments(Protocol):
    """Documents can be commented."""

    def comment(self, key: str, text: str, *, private: bool) -> None:
        """Comment a document; a private comment is for fewer people than the document."""


@runtime_checkable
class Restricts(Protocol):
    """Every document has readers of its own, and `create` heeds them."""

    def restrict(self, key: str, readers: Readers | None) -> None:
        """Let others read a document; its text stays as it is."""


@runtime_checkable
class Labels(Protocol):
    """The settings of the source say who may read the whole place."""

    def labelled(self, state_dir: Path, readers: Sequence[str]) -> Source:
        """A new source whose documents are for these readers."""


@runtime_checkable
class Restores(Protocol):
    """What was deleted can be brought back."""

    def restore(self, key: str) -> None:
        """Bring a deleted document back under its id."""


@runtime_checkable
class Unshares(Protocol):
    """A document can be taken from the account that the source reads with."""

    def unshare(self, key: str) -> None:
        """Keep a document, but not for our account."""


@runtime_checkable
class Revokes(Protocol):
    """Our account can be locked out."""

    def revoke(self) -> None:
        """From now on nothing may be read with our credentials."""


@runtime_checkable
class EditsSilently(Protocol):
    """The server has changes that it does not date."""

    def edit_silently(self, key: str, text: str) -> None:
        """Change a document without a trace in listing and feed."""


@runtime_checkable
class Bursts(Protocol):
    """Many documents can be made at once."""

    burst_size: int
    """As many as one can wait for: 10,000 where they are files, fewer behind a slow server."""

    def burst(self, number: int) -> None:
        """Make so many documents, in one second if possible."""


@runtime_checkable
class SetsPages(Protocol):
    """The size of a listing's page can be set."""

    def paged(self, state_dir: Path, size: int) -> Source:
        """A new source that lists in pages of this size."""


@runtime_checkable
class WritesRich(Protocol):
    """Documents have structure; see `content.RICH` for what to write."""

    def write_rich(self) -> str:
        """Write the rich document in the markup of the place and return its id."""
