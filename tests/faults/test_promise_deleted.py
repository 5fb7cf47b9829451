"""Promise P27: what was deleted at its source and purged is in no file of ours any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from citebot.app.opening import open_citebot
from citebot.app.sources import add_source
from citebot.model import Done

CANARIES, KEPT = 200, 40


def canary(number: int) -> str:
    return f"kanarienvogel{number:04}x"


def holding(folder: Path) -> Iterator[tuple[str, str]]:
    """(file, canary) for everything that is still somewhere, in whatever letters."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes().lower()
            if b"kanarienvogel" in data:
                for number in range(CANARIES):
                    if canary(number).encode() in data:
                        yield str(path.relative_to(folder)), canary(number)


@pytest.mark.timeout(300)
async def test_two_hundred_canaries_leave_no_byte(
    tmp_path: Path,
    citebot_settings: Callable[..., Any],
    plugin_manager: Callable[..., Any],
    capfd: pytest.CaptureFixture[str],
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    for number in range(CANARIES):
        text = f"# Secret {canary(number)}\n\nThe {canary(number)} sings at five. Nobody else does."
        (place / f"{canary(number)}.md").write_text(text)
    for number in range(KEPT):
        (place / f"kept{number}.md").write_text(f"# Kept {number}\n\nThe sparrow number {number} stays.")
    overrides = {"embedder.use": "none", "reranker.use": "", "answering.threshold": 0.0}
    settings = citebot_settings(overrides)
    plugins = plugin_manager("files", "embedded", "local", overrides=overrides)
    async with open_citebot(settings, plugins, owner=True) as bot:
        values = {"path": str(place), "readers": ["everyone"]}
        add_source(bot.database, plugins, settings, kind="files", name="place", values=values)
        await bot.sync("place")
        events = [event async for event in bot.ask("When does the kanarienvogel sing?")]
        assert isinstance(events[-1], Done)
        assert (await bot.search(canary(7))).hits
        assert list(holding(settings.data_dir)), "they were there"

        for number in range(CANARIES):
            (place / f"{canary(number)}.md").unlink()
        await bot.sync("place", allow_removals=True)
        status = await bot.purge()
        assert status.passages == KEPT
        assert list(holding(settings.data_dir)) == [], "while it runs, write-ahead log included"
    assert list(holding(settings.data_dir)) == []
    assert "kanarienvogel0" not in "".join(capfd.readouterr())
