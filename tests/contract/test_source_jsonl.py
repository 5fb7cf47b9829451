"""The source `jsonl` keeps the contract of sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from citebot.model import Readers
from citebot.ports import PartContext, Source
from citebot.testing.contract_source import SourceContract
from citebot.testing.sources.content import RICH
from citebot.testing.sources.lab import Lab
from citebot_connectors.sources.jsonl import JsonlSource


class JsonlLab:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._file = folder / "export.jsonl"
        self._rows: dict[str, dict[str, Any]] = {}

    def source(self, state_dir: Path) -> Source:
        return JsonlSource(JsonlSource.Settings.model_validate({"path": self._file}), PartContext(state_dir))  # type: ignore[arg-type]

    def create(self, title: str, text: str, readers: Readers | None) -> str:
        key = f"{title}-{len(self._rows)}"
        self._rows[key] = {"id": key, "title": title, "text": text}
        if readers:
            self._rows[key]["readers"] = sorted(readers.principals)
        self._write()
        return key

    def edit(self, key: str, text: str) -> None:
        self._rows[key]["text"] = text
        self._write()

    def delete(self, key: str) -> None:
        del self._rows[key]
        self._write()

    def rename(self, key: str, title: str) -> str:
        self._rows[key]["title"] = title
        self._write()
        return key

    def restrict(self, key: str, readers: Readers | None) -> None:
        self._rows[key].pop("readers", None)
        if readers:
            self._rows[key]["readers"] = sorted(readers.principals)
        self._write()

    def comment(self, key: str, text: str, *, private: bool) -> None:
        part = {"author": "ann", "text": text} | ({"readers": ["board"]} if private else {})
        self._rows[key].setdefault("parts", []).append(part)
        self._write()

    def restore(self, key: str) -> None:
        self._rows[key] = {"id": key, "title": "Page 0", "text": "Text of page 0.", "readers": ["everyone"]}
        self._write()

    burst_size = 10_000

    def burst(self, number: int) -> None:
        for made in range(number):
            self._rows[f"burst-{made}"] = {"id": f"burst-{made}", "text": f"Text {made}.", "readers": ["everyone"]}
        self._write()

    def write_rich(self) -> str:
        self._rows["rich"] = {"id": "rich", "title": "Rich", "markdown": RICH, "readers": ["everyone"]}
        self._write()
        return "rich"

    def _write(self) -> None:
        lines = (json.dumps(row, ensure_ascii=False) for row in self._rows.values())
        self._file.write_text("\n".join(lines) + "\n", "utf-8")


class TestJsonlSource(SourceContract):
    def make_lab(self, folder: Path) -> Lab:
        return JsonlLab(folder)
