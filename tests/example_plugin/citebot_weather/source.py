"""Bulletins in a folder, one JSON file each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from citebot import (
    Batch,
    Document,
    Failed,
    Finding,
    Gone,
    PartContext,
    Readers,
    Ref,
    SourceContext,
    SourceSpec,
    StopSync,
)


class BulletinSettings(BaseModel):
    """What an admin may set for this source."""

    model_config = ConfigDict(extra="forbid")
    folder: Path = Field(description="Folder with one JSON file per bulletin: place, text and readers.")


class Bulletins:
    """Every bulletin is a document; its version is the time its file was written."""

    name = "bulletins"
    summary = "Weather bulletins in a folder"
    Settings = BulletinSettings
    spec = SourceSpec(id_example="berlin")

    def __init__(self, settings: BulletinSettings, context: PartContext) -> None:
        self._folder = settings.folder

    def check(self, ctx: SourceContext) -> Iterator[Finding]:
        """Say whether the folder is there."""
        found = self._folder.is_dir()
        yield Finding(ok=found, what=f"The folder {self._folder}", fix="" if found else "Make it, or name another.")

    def list(self, ctx: SourceContext, cursor: object) -> Iterator[Batch]:
        """All bulletins in one batch; a folder that is not there must not look like one that is empty."""
        if not self._folder.is_dir():
            raise StopSync(f"There is no folder {self._folder}.")
        paths = sorted(self._folder.glob("*.json"))
        yield Batch(tuple(Ref(path.stem, version=str(path.stat().st_mtime_ns)) for path in paths), total=len(paths))

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        """Read the bulletins that were asked for."""
        for name in ids:
            path = self._folder / f"{name}.json"
            try:
                bulletin = json.loads(path.read_text(encoding="utf-8"))
                yield Document(
                    id=name,
                    title=f"Weather in {bulletin['place']}",
                    body=bulletin["text"],
                    # Whoever is not named may not read it: a bulletin without readers stays hidden.
                    readers=Readers(frozenset(bulletin.get("readers", ()))),
                    version=str(path.stat().st_mtime_ns),
                )
            except FileNotFoundError:
                yield Gone(name)
            except (ValueError, KeyError, AttributeError) as error:
                yield Failed(name, f"{path.name} is no bulletin: {error}", permanent=True)
