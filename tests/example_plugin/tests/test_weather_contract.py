"""The contract that every source keeps, on ours."""

from __future__ import annotations

import json
from pathlib import Path

from citebot_weather.source import Bulletins, BulletinSettings

from citebot import PartContext, Readers
from citebot.testing.contract_source import SourceContract


class BulletinLab:
    """A folder of bulletins that can be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = 0
        folder.mkdir()

    def source(self, state_dir: Path) -> Bulletins:
        return Bulletins(BulletinSettings(folder=self.folder), PartContext(data_dir=state_dir))

    def create(self, title: str, text: str, readers: Readers | None) -> str:
        self.made += 1
        key = f"b{self.made}"
        bulletin: dict[str, object] = {"place": title, "text": text}
        if readers is not None:
            bulletin["readers"] = sorted(readers.principals)
        (self.folder / f"{key}.json").write_text(json.dumps(bulletin))
        return key

    def edit(self, key: str, text: str) -> None:
        path = self.folder / f"{key}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"text": text}))

    def delete(self, key: str) -> None:
        (self.folder / f"{key}.json").unlink()


class TestBulletins(SourceContract):
    def make_lab(self, folder: Path) -> BulletinLab:
        return BulletinLab(folder)
