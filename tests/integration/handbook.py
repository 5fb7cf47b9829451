"""What a company knows, and who may read it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from citebot.app import Citebot
from citebot.storage import sources

DOCUMENTS = [
    ("parking", "Parking", "The parking permit costs 40 euros a month.", ["everyone"]),
    ("salaries", "Salaries", "The salary of a director is 9000 euros a month.", ["group:board"]),
    ("visitors", "Visitors", "Visitors sign the visitor book at the reception.", ["{lobby}"]),
]


async def read_handbook(bot: Citebot, folder: Path, *, lobby: str) -> None:
    """Let Citebot read it; `lobby` names those who are in that channel."""
    updated = datetime(2026, 3, 1, tzinfo=UTC).isoformat()
    rows = [
        {
            "id": key,
            "title": title,
            "text": text,
            "url": f"https://wiki.example.com/{key}",
            "readers": [reader.format(lobby=lobby) for reader in readers],
            "updated": updated,
        }
        for key, title, text, readers in DOCUMENTS
    ]
    path = folder / "handbook.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with bot.database.write() as tx:
        sources.add(tx, name="handbook", type="jsonl", settings={"path": str(path)})
    await bot.sync("handbook")
    await bot.feeder.catch_up()
