"""Secrets of sources: sealed in the database, opened for the source alone, and never lost by a rotation."""

from __future__ import annotations

import base64
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet
from pydantic import BaseModel, SecretStr, ValidationError

from citebot import logging_setup
from citebot.app import secrets as keys
from citebot.app.sources import findings
from citebot.errors import SettingsError, StorageError, WrongUse
from citebot.pluginmanager import PluginManager
from citebot.settings import Settings, load_settings, show, validated
from citebot.storage import Database, schema, secrets, sources
from citebot.storage.secrets import KeyRing, SecretUnreadable
from citebot.storage.sources import SourceRow
from citebot.testing.failpoints import armed

CANARY = "canary-7f3a-hunter2"
# Fixed ones: the workers of a test run must agree on the names of the tests.
KEY, OTHER = (base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (250, 251))


class Login(BaseModel):
    """A nested table with a secret."""

    user: str = ""
    password: SecretStr = SecretStr("")


class WikiSettings(BaseModel):
    """Secrets everywhere a secret may stand."""

    url: str = ""
    folder: Path = Path("/srv")
    token: SecretStr = SecretStr("")
    spare: SecretStr | None = None
    more: list[SecretStr] = []
    named: dict[str, SecretStr] = {}
    login: Login | None = None
    logins: list[Login] = []


FULL: dict[str, Any] = {
    "url": "https://wiki.example.com",
    "token": f"{CANARY}-1",
    "spare": f"{CANARY}-2",
    "more": [f"{CANARY}-3", f"{CANARY}-4"],
    "named": {"a": f"{CANARY}-5"},
    "login": {"user": "ann", "password": f"{CANARY}-6"},
    "logins": [{"user": "bob", "password": f"{CANARY}-7"}],
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'citebot.db'}")
    schema.upgrade(opened)
    yield opened
    opened.close()


def with_keys(settings: Settings, *texts: str) -> Settings:
    return load_settings(overrides={"data_dir": settings.data_dir, "secrets.keys": ",".join(texts)}, environ={})


def add(database: Database, settings: Settings, name: str, **values: Any) -> None:
    with keys.sealing(settings) as seal:
        stored = keys.stored_form(WikiSettings.model_validate(values or FULL), seal)
        with database.write() as tx:
            sources.add(tx, name=name, type="wiki", settings=stored)


def row(database: Database, name: str) -> SourceRow:
    with database.read() as tx:
        found = sources.get(tx, name)
    assert found is not None
    return found


def opened(database: Database, settings: Settings, name: str = "wiki") -> WikiSettings:
    return WikiSettings.model_validate(keys.opened_settings(row(database, name), settings))


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("citebot.db*")) if path.is_file())


def key_lines(settings: Settings) -> list[str]:
    return keys.key_file(settings).read_text().split()


# --- envelopes -----------------------------------------------------------------------------------------------------


def test_a_secret_survives_the_envelope_and_two_envelopes_differ() -> None:
    ring = KeyRing([KEY])
    one, two = ring.seal("pässword ✓"), ring.seal("pässword ✓")

    assert ring.open(one) == ring.open(two) == "pässword ✓"
    assert one != two
    assert one["$secret"] == secrets.key_id(KEY)
    assert MultiFernet([Fernet(OTHER), Fernet(KEY)]).decrypt(one["token"]) == "pässword ✓".encode()


def test_the_first_key_encrypts_and_every_key_decrypts() -> None:
    old, both = KeyRing([OTHER]), KeyRing([KEY, OTHER])

    again = secrets.resealed({"a": [old.seal(CANARY)], "b": 1}, both)

    assert secrets.key_ids(again) == {secrets.key_id(KEY)}
    assert secrets.opened(again, KeyRing([KEY])) == {"a": [CANARY], "b": 1}


def test_a_key_that_is_not_there_and_a_damaged_secret_are_told_apart() -> None:
    envelope = KeyRing([KEY]).seal(CANARY)

    with pytest.raises(SecretUnreadable, match=f"the key {secrets.key_id(KEY)}, which is not there"):
        KeyRing([OTHER]).open(envelope)
    with pytest.raises(SecretUnreadable, match="damaged") as caught:
        KeyRing([KEY]).open({**envelope, "token": envelope["token"][:-8] + "AAAAAAA="})
    assert envelope["token"][:20] not in str(caught.value)


@pytest.mark.parametrize("text", ["", "short", KEY + "A", "=" * 44, KEY.replace("=", "!"), "ü" * 44])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        secrets.key_id(text)


def test_nothing_that_shows_a_ring_a_row_or_the_settings_shows_a_secret(database: Database, settings: Settings) -> None:
    settings = with_keys(settings, KEY)
    add(database, settings, "wiki")
    found = row(database, "wiki")
    tokens = re.findall(r"gAAAA[\w=-]+", str(found.settings))

    shown = f"{keys.key_ring(settings)!r} {found!r} {secrets.masked(found.settings)} {show(settings)} {settings!r}"

    assert len(tokens) == 7
    assert not [text for text in (KEY, CANARY, *tokens) if text in shown]
    assert secrets.masked(found.settings)["logins"] == [{"user": "bob", "password": "***"}]


def test_an_opened_secret_is_kept_out_of_messages_also_as_a_part_of_an_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging_setup, "_known", ())
    ring = KeyRing([KEY])
    secrets.opened([ring.seal("pass word/1"), ring.seal("pass word/12"), ring.seal("is")], ring)

    said = logging_setup.without_secrets("This is pass word/1, pass word/12, pass%20word%2F1 and pass+word%2F12.")

    assert said == "This is ***, ***, *** and ***."


# --- settings of a source ------------------------------------------------------------------------------------------


def test_every_secret_is_sealed_wherever_it_stands_and_comes_back_for_the_source(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    add(database, settings, "wiki")

    held_in_wal = bytes_of(tmp_path)
    assert (tmp_path / "citebot.db-wal").stat().st_size > 0
    database.close()
    assert CANARY.encode() not in held_in_wal + bytes_of(tmp_path)
    assert b"wiki.example.com" in held_in_wal
    assert opened(database, settings) == WikiSettings.model_validate(FULL)


def test_without_a_secret_no_key_is_made(database: Database, settings: Settings, tmp_path: Path) -> None:
    add(database, settings, "wiki", url="https://wiki.example.com")

    assert row(database, "wiki").settings["token"] == ""
    assert row(database, "wiki").settings["folder"] == "/srv"
    assert opened(database, settings).token.get_secret_value() == ""
    assert keys.rotate(database, settings).origin == "none"
    assert keys.status(database, settings).keys == ()
    assert not keys.key_file(settings).exists()


def test_a_refused_secret_is_not_repeated() -> None:
    class Strict(BaseModel):
        pin: SecretStr

    class Nested(BaseModel):
        inner: Strict | None = None
        several: list[Strict] = []

    number = 8_675_309
    for values in ({"inner": {"pin": number}}, {"several": [{"pin": number}]}):
        with pytest.raises(SettingsError) as caught:
            validated(Nested, values)
        assert str(number) not in str(caught.value)
        assert not isinstance(caught.value.__cause__, ValidationError)
        assert caught.value.__suppress_context__


# --- the key file --------------------------------------------------------------------------------------------------


def test_the_key_file_is_made_on_first_need_for_its_owner_alone(database: Database, settings: Settings) -> None:
    old = os.umask(0)
    try:
        add(database, settings, "wiki")
    finally:
        os.umask(old)

    path = keys.key_file(settings)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [secrets.key_id(line) for line in key_lines(settings)] == list(keys.key_ring(settings).ids)
    add(database, settings, "wiki2")
    assert len(key_lines(settings)) == 1
    assert [path.name for path in settings.data_dir.glob(".secrets*")] == []


MAKER = """
import sys
from pathlib import Path
from citebot.app import secrets
from citebot.settings import Settings
print("ready", flush=True)
sys.stdin.readline()
with secrets.sealing(Settings(data_dir=Path(sys.argv[1]))) as seal:
    print(seal("x")["$secret"])
"""


def test_processes_that_make_the_key_at_once_agree_on_it(tmp_path: Path) -> None:
    line = [sys.executable, "-c", MAKER, str(tmp_path)]
    running = [subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = {process.communicate(timeout=60)[0].strip() for process in running}

    assert said == set(keys.key_ring(Settings(data_dir=tmp_path)).ids)
    assert len(said) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_file_that_may_not_be_read_is_named(database: Database, settings: Settings) -> None:
    add(database, settings, "wiki")
    keys.key_file(settings).chmod(0)

    with pytest.raises(SecretUnreadable, match=r"“wiki” cannot be read: The key file .* cannot be read: Permission"):
        opened(database, settings)


def test_a_key_file_that_cannot_be_read_is_named_and_not_replaced(database: Database, settings: Settings) -> None:
    add(database, settings, "wiki")
    path = keys.key_file(settings)
    path.unlink()
    path.mkdir()

    with pytest.raises(SecretUnreadable, match=r"“wiki” cannot be read: The key file .* mode 600"):
        opened(database, settings)
    with pytest.raises(SettingsError, match="cannot be read"):
        add(database, settings, "wiki2")
    assert path.is_dir()


@pytest.mark.parametrize("content", [b"not a key\n", b"\xff\xfe"])
def test_a_key_file_with_something_else_is_refused_without_showing_it(
    content: bytes, database: Database, settings: Settings
) -> None:
    keys.key_file(settings).write_bytes(content)

    with pytest.raises(SettingsError, match=re.escape(str(keys.key_file(settings)))) as caught:
        add(database, settings, "wiki")
    assert "not a key" not in str(caught.value)
    assert keys.key_file(settings).read_bytes() == content


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StorageError, match="cannot be used"),
        keys.sealing(Settings(data_dir=tmp_path / "file" / "x")) as seal,
    ):
        seal("x")


# --- keys of the setting -------------------------------------------------------------------------------------------


def test_keys_of_the_environment_are_a_list_with_commas(tmp_path: Path) -> None:
    environ = {"CITEBOT_SECRETS__KEYS": f"{KEY}, {OTHER}", "CITEBOT_DATA_DIR": str(tmp_path)}
    loaded = load_settings(environ=environ, folder=tmp_path)

    assert keys.key_ring(loaded).ids == (secrets.key_id(KEY), secrets.key_id(OTHER))


def test_the_setting_is_stronger_than_the_file_and_makes_none(database: Database, settings: Settings) -> None:
    chosen = with_keys(settings, KEY)
    add(database, chosen, "wiki")

    assert opened(database, chosen) == WikiSettings.model_validate(FULL)
    assert not keys.key_file(settings).exists()


def test_a_setting_that_is_no_key_is_refused_without_showing_it(settings: Settings) -> None:
    with pytest.raises(SettingsError, match=r"Key 2 of secrets\.keys cannot be used") as caught:
        keys.key_ring(with_keys(settings, KEY, "hunter2"))
    assert "hunter2" not in str(caught.value)


def test_a_wrong_key_stops_one_source_in_one_line_that_says_what_to_do(database: Database, settings: Settings) -> None:
    add(database, with_keys(settings, KEY), "wiki")
    add(database, with_keys(settings, OTHER), "news")
    wrong = with_keys(settings, OTHER)

    with pytest.raises(SecretUnreadable) as caught:
        opened(database, wrong)
    said = str(caught.value)
    assert opened(database, wrong, "news") == WikiSettings.model_validate(FULL)
    assert "\n" not in said
    for part in ("“wiki”", secrets.key_id(KEY), "secrets.keys", "citebot source remove wiki"):
        assert part in said
    assert CANARY not in said
    assert [(finding.ok, finding.what) for finding in findings(database, PluginManager.load(wrong), wrong, "wiki")] == [
        (False, said)
    ]


# --- rotation ------------------------------------------------------------------------------------------------------


def test_a_rotation_encrypts_all_anew_and_drops_the_old_key(database: Database, settings: Settings) -> None:
    add(database, settings, "wiki")
    add(database, settings, "news", token=f"{CANARY}-8")
    add(database, settings, "plain", url="x")
    before, old = row(database, "wiki").settings, keys.key_ring(settings)

    done = keys.rotate(database, settings)

    assert (done.sources, done.dropped) == (2, old.ids)
    assert keys.key_ring(settings).ids == (done.key,)
    assert secrets.key_ids(row(database, "wiki").settings) == {done.key} != set(old.ids)
    assert opened(database, settings) == WikiSettings.model_validate(FULL)
    assert opened(database, settings, "news").token.get_secret_value() == f"{CANARY}-8"
    assert secrets.opened(before, old)["token"] == FULL["token"]
    with pytest.raises(SecretUnreadable):
        secrets.opened(before, keys.key_ring(settings))


def test_a_rotation_moves_to_the_first_key_of_the_setting(database: Database, settings: Settings) -> None:
    add(database, with_keys(settings, OTHER), "wiki")

    done = keys.rotate(database, with_keys(settings, KEY, OTHER))

    assert (done.origin, done.key, done.sources) == ("setting", secrets.key_id(KEY), 1)
    assert opened(database, with_keys(settings, KEY)) == WikiSettings.model_validate(FULL)
    assert not keys.key_file(settings).exists()


def test_a_rotation_that_cannot_read_everything_changes_nothing(database: Database, settings: Settings) -> None:
    add(database, settings, "wiki")
    add(database, with_keys(settings, KEY), "news")
    before = key_lines(settings), row(database, "wiki").settings, row(database, "news").settings

    with pytest.raises(SecretUnreadable, match="“news”"):
        keys.rotate(database, settings)

    assert before == (key_lines(settings), row(database, "wiki").settings, row(database, "news").settings)


ROTATOR = """
import sys
from pathlib import Path
from citebot.app import secrets
from citebot.settings import Settings
from citebot.storage import Database
from citebot.testing.failpoints import kill_at
kill_at(sys.argv[2])
secrets.rotate(Database(f"sqlite:///{sys.argv[1]}/citebot.db"), Settings(data_dir=Path(sys.argv[1])))
"""


@pytest.mark.parametrize(
    ("point", "needed"), [("after-secrets-key", 1), ("before-secrets-commit", 1), ("after-secrets-commit", 0)]
)
def test_a_rotation_that_is_killed_leaves_everything_readable_and_the_next_one_ends_it(
    point: str, needed: int, database: Database, settings: Settings, tmp_path: Path
) -> None:
    add(database, settings, "wiki")
    (old,) = keys.key_ring(settings).ids

    ended = subprocess.run([sys.executable, "-c", ROTATOR, str(tmp_path), point], check=False, timeout=100)

    assert ended.returncode == -signal.SIGKILL
    assert opened(database, settings) == WikiSettings.model_validate(FULL)
    found = keys.status(database, settings)
    assert [(key.use, len(key.sources)) for key in found.keys] == [("encrypts", 1 - needed), ("decrypts", needed)]
    assert found.keys[1].id == old
    add(database, settings, "added-in-between")
    done = keys.rotate(database, settings)
    assert keys.key_ring(settings).ids == (done.key,)
    assert opened(database, settings) == WikiSettings.model_validate(FULL)
    assert opened(database, settings, "added-in-between") == WikiSettings.model_validate(FULL)


@pytest.mark.parametrize("point", ["after-secrets-key", "before-secrets-commit", "after-secrets-commit"])
def test_nothing_is_encrypted_while_keys_change(
    point: str, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(database, settings, "wiki")
    monkeypatch.setattr(keys, "BUSY_SECONDS", 0.0)
    refused: list[bool] = []

    def try_to_add() -> None:
        with pytest.raises(StorageError, match="Another process is changing the keys"):
            add(database, settings, "late")
        refused.append(True)

    with armed(point, try_to_add):
        keys.rotate(database, settings)

    assert refused == [True]
    add(database, settings, "late")
    assert opened(database, settings, "late") == WikiSettings.model_validate(FULL)


def test_a_key_without_a_source_can_be_changed_too(database: Database, settings: Settings) -> None:
    add(database, settings, "wiki")
    with database.write() as tx:
        sources.remove(tx, "wiki")
    old = keys.key_ring(settings).ids

    done = keys.rotate(database, settings)

    assert (done.sources, done.dropped) == (0, old)


def test_an_empty_ring_seals_nothing() -> None:
    with pytest.raises(WrongUse, match="no key"):
        KeyRing([]).seal("x")


def test_cryptography_is_not_imported_before_it_is_needed() -> None:
    code = (
        "import sys, citebot.app.sources, citebot.app.core, citebot.cli; "
        "sys.exit(any(name.startswith('cryptography') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=100).returncode == 0
