"""The embedded index when it is killed, damaged, or out of room: never lost, only behind."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from citebot.errors import IndexUnavailable
from citebot.model import EVERYONE, Audience, Embedding, Readers
from citebot.ports import IndexChanges, IndexEntry, IndexQuery, PartContext
from citebot_plugins.embedded.index import EmbeddedIndex
from citebot_plugins.embedded.settings import EmbeddedSettings

TEAM = Audience(frozenset({EVERYONE}))
STEPS = 40
CHILD = """
import asyncio, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_index_faults import changes, opened
async def main():
    if len(sys.argv) > 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
    index = await opened(Path(sys.argv[1]))
    print("open", flush=True)
    for step in range(1, 41):
        if step > await index.position():
            await index.apply(changes(step))
asyncio.run(main())
"""


def changes(step: int) -> IndexChanges:
    """A few passages with vectors, and one of the step before removed."""
    keys = range(10 * step, 10 * step + 5)
    puts = tuple(IndexEntry(key, "wiki", f"word{key} velvet", "", Readers.everyone()) for key in keys)
    vectors = tuple((key, Embedding(2, (key % 250 + 1).to_bytes(2, "little") + b"\x00\x3c")) for key in keys)
    return IndexChanges(step, puts, (10 * step - 10,) if step > 1 else (), vectors, "m")


async def opened(folder: Path) -> EmbeddedIndex:
    index = EmbeddedIndex(EmbeddedSettings(writer_memory_mb=16), PartContext(folder))
    await index.open()
    return index


async def content(index: EmbeddedIndex) -> tuple[set[int], set[int], int]:
    """Everything that is findable, and the position."""
    vector = Embedding(2, b"\x00\x3c\x00\x3c")
    hits = await index.search(IndexQuery(TEAM, "velvet", vector=vector, vector_model="m", limit=500))
    return set(hits.legs["words"]), set(hits.legs.get("vectors", {})), await index.position()


def child(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", CHILD, str(folder), str(Path(__file__).parent), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


async def test_killed_anywhere_and_fed_again_it_is_as_if_nothing_happened(tmp_path: Path) -> None:
    clean = await opened(tmp_path / "clean")
    for step in range(1, STEPS + 1):
        await clean.apply(changes(step))
    expected = await content(clean)
    await clean.close()
    rng = random.Random(11)
    kills = 0
    for _ in range(12):
        process = child(tmp_path / "killed")
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.25))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        process.stdout.close()
    assert kills >= 3
    index = await opened(tmp_path / "killed")
    assert not list(tmp_path.glob("damaged*"))
    for step in range(await index.position() + 1, STEPS + 1):
        await index.apply(changes(step))
    assert await content(index) == expected
    await index.close()


@pytest.mark.parametrize("victim", ["state.json", "vectors/vectors.f32", "rights.npy", "words/meta.json"])
async def test_a_damaged_folder_is_set_aside_and_filled_again(tmp_path: Path, victim: str) -> None:
    index = await opened(tmp_path / "index")
    await index.apply(changes(1))
    await index.close()
    (tmp_path / "index" / victim).write_bytes(b"{garbage")
    again = await opened(tmp_path / "index")
    assert await content(again) == (set(), set(), 0)
    assert [path.name for path in tmp_path.glob("damaged*")] == ["damaged-index-1"]
    await again.apply(changes(1))
    assert (await content(again))[0] == {10, 11, 12, 13, 14}
    await again.close()


async def test_a_full_disk_is_one_error_and_nothing_is_lost(tmp_path: Path) -> None:
    index = await opened(tmp_path / "index")
    await index.apply(changes(1))
    state = tmp_path / "index" / "state.json.new"
    state.mkdir()  # the state cannot be written, as on a full disk
    with pytest.raises(IndexUnavailable, match="could not be written"):
        await index.apply(changes(2))
    assert await index.position() == 1
    state.rmdir()
    await index.apply(changes(2))
    assert (await content(index))[2] == 2
    assert (await content(index))[0] == {11, 12, 13, 14, 20, 21, 22, 23, 24}
    await index.close()


async def test_purging_leaves_no_file_that_held_removed_text(tmp_path: Path) -> None:
    # tantivy compresses its terms: a file that survives could hold them, so none may; vectors are there to be seen.
    vector = Embedding(2, b"\x21\x35\x42\x37")
    seen = np.frombuffer(vector.data, "<f2").astype(np.float32).tobytes()
    index = await opened(tmp_path / "index")
    entry = IndexEntry(1, "wiki", "the zyzzogeton sleeps", "", Readers.everyone())
    await index.apply(IndexChanges(1, (entry,), (), ((1, vector),), "m"))
    await index.apply(changes(2))
    await index.apply(IndexChanges(3, removals=(1,)))
    assert any(seen in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    before = {
        path.name for path in (tmp_path / "index" / "words").iterdir() if "-" not in path.name and "." in path.name
    }
    await index.purge()
    assert await index.position() == 0
    await index.apply(changes(4))
    after = {path.name for path in (tmp_path / "index" / "words").iterdir()}
    assert not (before - {"meta.json", ".managed.json", ".tantivy-meta.lock", ".tantivy-writer.lock"}) & after
    assert not any(seen in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    await index.close()


async def test_a_folder_of_a_newer_citebot_is_left_alone(tmp_path: Path) -> None:
    index = await opened(tmp_path / "index")
    await index.apply(changes(1))
    await index.close()
    state = tmp_path / "index" / "state.json"
    body = json.loads(state.read_text())
    state.write_text(json.dumps({**body, "format": 99, "of_the_future": True}))
    again = EmbeddedIndex(EmbeddedSettings(writer_memory_mb=16), PartContext(tmp_path / "index"))
    with pytest.raises(IndexUnavailable, match="written by a newer Citebot") as raised:
        await again.open()
    assert "\n" not in str(raised.value)
    await again.close()
    assert not list(tmp_path.glob("damaged*"))
    state.write_text(json.dumps(body))
    good = await opened(tmp_path / "index")
    assert (await content(good))[0] == {10, 11, 12, 13, 14}
    await good.close()
