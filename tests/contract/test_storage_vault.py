"""What parts keep encrypted, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from citebot.app import secrets as keys
from citebot.app.vault import DatabaseVault
from citebot.settings import Settings
from citebot.storage import Database
from citebot.storage.secrets import SecretUnreadable
from citebot.storage.tables import vault


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


async def test_what_is_kept_is_read_by_every_process_and_by_no_other_part(
    database: Database, settings: Settings
) -> None:
    one, same, other = (DatabaseVault(database, settings, part) for part in ("a/x", "a/x", "a/y"))
    await one.put("team:T1", "xoxb-first")
    await one.put("team:T1", "xoxb-second")
    await one.put("mark", "1")

    assert await same.get("team:T1") == "xoxb-second"
    assert await same.names("team:") == ["team:T1"]
    assert (await other.get("team:T1"), await other.names()) == (None, [])
    await same.delete("team:T1")
    assert await one.get("team:T1") is None


async def test_the_database_holds_no_clear_text_and_a_lost_key_is_said(database: Database, settings: Settings) -> None:
    kept = DatabaseVault(database, settings, "a/x")
    await kept.put("team:T1", "xoxb-first")
    with database.read() as tx:
        assert "xoxb" not in str(tx.execute(select(vault)).all())
    keys.key_file(settings).unlink()

    with pytest.raises(SecretUnreadable, match="team:T1 of a/x cannot be read"):
        await kept.get("team:T1")


async def test_new_keys_encrypt_what_parts_keep_too(database: Database, settings: Settings) -> None:
    kept = DatabaseVault(database, settings, "a/x")
    await kept.put("team:T1", "xoxb-first")
    (before,) = keys.status(database, settings).keys
    assert before.sources == ("a/x: team:T1",)
    done = keys.rotate(database, settings)

    assert (done.kept, done.dropped) == (1, (before.id,))
    assert await kept.get("team:T1") == "xoxb-first"
    assert [key.id for key in keys.status(database, settings).keys] == [done.key]


async def test_one_of_many_has_a_lock(database: Database, settings: Settings) -> None:
    vaults = [DatabaseVault(database, settings, "a/x") for _ in range(5)]
    everybody = asyncio.Barrier(5)

    async def try_it(one: DatabaseVault) -> bool:
        async with one.lock("renew", seconds=30) as ours:
            await everybody.wait()
            return ours

    assert sum(await asyncio.gather(*(try_it(one) for one in vaults))) == 1
    async with vaults[0].lock("renew", seconds=30) as ours:
        assert ours


async def test_who_died_with_a_lock_has_it_not_for_ever(database: Database, settings: Settings) -> None:
    first, second = (DatabaseVault(database, settings, "a/x") for _ in range(2))
    async with first.lock("renew", seconds=0.2) as ours:
        await asyncio.sleep(0.4)
        async with second.lock("renew", seconds=30) as theirs:
            assert (ours, theirs) == (True, True)
